"""What an engine is given, and what it gives back: the door of this room.

An `Engine` makes an `Explorer` of one `Problem`, by `Options`. An explorer explores one `Subtree` at a time, in steps;
each step gives a `Batch` of what it found, and what is left can be taken elsewhere. `CompiledEngine` (`compiled.py`)
and the reference engine on HiGHS (`reference.py`) are engines; `explore.py` makes explorers for whoever drives one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from regionenum.choices import Record
from regionenum.engine.counters import COUNTERS, Counter, Counters
from regionenum.engine.problem import Problem
from regionenum.engine.statistics import Shape, Statistics
from regionenum.engine.subtree import SEVERAL, OpenCell, Rest, Subtree, cell_name
from regionenum.network.units import Floats, Ints

__all__ = [
    "COUNTERS",
    "SEVERAL",
    "Batch",
    "Cells",
    "Counter",
    "Counters",
    "Engine",
    "Explorer",
    "OpenCell",
    "Options",
    "Problem",
    "Record",
    "Rest",
    "Shape",
    "Statistics",
    "Subtree",
    "cell_name",
]


@dataclass(frozen=True)
class Options:
    """How an engine is to work; the same for every worker of a run.

    Attributes
    ----------
    record : Record
        With `Record.REGIONS` the batches hold the regions, with `Record.TREE` the cells of all layers.
    exact : bool
        Whether what rounding leaves in doubt is decided in exact arithmetic, by an engine that can.
    """

    record: Record = Record.NONE
    exact: bool = True


@dataclass(frozen=True)
class Cells:
    """Recorded cells, one per row.

    Attributes
    ----------
    layer : (n,) int16
        Unit layer after which this is a cell, from 0; a region has depth - 1 (-1 in a network without units).
    cell, parent : (n,) int64
        Number of this cell and of the cell of the layer before that it lies in (-1: the domain).
    pieces : (n, sum of n_units) uint16
        Pieces of the units of layers 0 .. layer; 0 beyond.
    ranks : (n, depth) uint16
        Dimension of the map to the output of layers 0 .. layer; 0 beyond.
    output_rank : (n,) uint16
        Of a region, the dimension of the network's own map; 0 for cells that are none.
    witness : (n, d) float64
        A point strictly inside, in the domain's coordinates y.
    """

    layer: npt.NDArray[np.int16]
    cell: Ints
    parent: Ints
    pieces: npt.NDArray[np.uint16]
    ranks: npt.NDArray[np.uint16]
    output_rank: npt.NDArray[np.uint16]
    witness: Floats

    def __len__(self) -> int:
        return len(self.layer)


@dataclass(frozen=True)
class Batch:
    """What an engine found since its last batch.

    Attributes
    ----------
    statistics : Statistics
        Cells counted, and the children of those that are closed.
    counters : Counters
        What was done for that.
    cells : Cells or None
        The cells recorded; None if the options say to record none.
    """

    statistics: Statistics
    counters: Counters = field(default_factory=Counters)
    cells: Cells | None = None


class Explorer(Protocol):
    """An engine set to one problem, exploring one subtree at a time.

    The statistics of its batches leave out the cell that the subtree lies in, and the children of every cell in
    `rest().open_cells`: whoever distributes subtrees adds them up (`Statistics.close`).
    """

    @property
    def root(self) -> Subtree:
        """The whole domain."""
        ...

    def start(self, subtree: Subtree, first_number: int = 0) -> None:
        """Begin a subtree.

        Parameters
        ----------
        subtree : Subtree
            `root`, or what an explorer of the same problem and engine gave back. Of an engine that cannot be split this is
            the root, and an exploration that `rest` has broken off goes on where it was, its numbers too.
        first_number : int
            The cells found are numbered from this.

        Raises
        ------
        EngineError
            If the subtree's cell cannot be rebuilt.
        """
        ...

    def step(self, tests: int) -> Batch:
        """Explore on.

        Parameters
        ----------
        tests : int
            Stop after about that many tests (`Counters.tests`).

        Returns
        -------
        Batch
            What was found since the last one.

        Raises
        ------
        EngineError
            If the engine cannot go on.
        """
        ...

    @property
    def finished(self) -> bool:
        """Whether the subtree is exhausted."""
        ...

    @property
    def progressed(self) -> bool:
        """Whether less is left than `start` was given. If not, and another explorer gets it, what was done is done again."""
        ...

    def rest(self) -> Rest:
        """What is left. Ends the exploration: go on with `start`.

        Where nothing else was started in between, `start` with a subtree that was given back without progress goes on
        where it was.

        Returns
        -------
        Rest
            Subtrees and open cells. An engine that cannot be split gives the root back as long as it is not exhausted.
        """
        ...


class Engine(Protocol):
    """An enumeration engine.

    Attributes
    ----------
    name : str
        As in `choices.EngineName`, manifests and messages.
    certain : bool
        Whether its decisions are certain if `Options.exact` is set.
    splittable : bool
        Whether the subtrees its explorers give back can be explored anywhere, in any order. If not, the tree stays with the
        explorer that was given its root, and another explorer begins at the beginning: such an engine works in one process,
        and a run of it cannot be resumed.
    """

    name: str
    certain: bool
    splittable: bool

    def explorer(self, problem: Problem, options: Options) -> Explorer:
        """An explorer of a problem.

        The first one may take as long as it takes to have the engine ready: to compile its kernels, say.

        Parameters
        ----------
        problem : Problem
            With at least one unit layer; `explore.open_explorer` takes any.
        options : Options

        Returns
        -------
        Explorer
            At the beginning of nothing: `start` gives it a subtree.
        """
        ...
