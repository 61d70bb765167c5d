"""What an engine is given, and what it gives back.

An engine walks the tree of cells of one `Problem` and yields `Batch`es: each holds the statistics and the rows found
since the batch before, so that batches of any origin can be added up. The compiled engine (`compiled.py`) and the
HiGHS reference engine (`reference.py`) implement the same `Engine`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Protocol, runtime_checkable

import msgspec
import numpy as np
import numpy.typing as npt

from regionenum.choices import Record as Record
from regionenum.domain import Chart, Domain
from regionenum.domain.whole_space import seen_by
from regionenum.exact.ranks import independent_columns
from regionenum.network.layers import Network
from regionenum.network.units import Floats, Ints


@dataclass(frozen=True)
class Problem:
    """A network over a domain.

    Attributes
    ----------
    network : the network; only its unit layers are walked
    chart : the domain's coordinates y (`domain/chart.py`)
    """

    network: Network
    chart: Chart

    @classmethod
    def over(cls, network: Network, domain: Domain) -> Problem:
        """The problem of a network over a domain; raises `InputError` if the domain does not fit."""
        chart = domain.chart(network.input_shape)
        if chart.whole and network.unit_layers:
            first = network.unit_layers[0]
            chart = seen_by(first, chart, independent_columns(first.weight, chart.directions))
        return cls(network, chart)

    @property
    def depth(self) -> int:
        """Number of unit layers."""
        return len(self.network.unit_layers)

    @property
    def dim(self) -> int:
        """Effective dimension of the domain."""
        return self.chart.dim

    @property
    def n_units(self) -> tuple[int, ...]:
        """Number of units of each unit layer."""
        return tuple(layer.n_out for layer in self.network.unit_layers)


@dataclass
class Statistics:
    """Counts of cells by layer and rank; the sums of two disjoint explorations are the statistics of both.

    Every array has shape (depth + 1, dim + 1). Row 0 is the domain itself, row i + 1 the cells after unit layer i;
    column r holds the cells whose map to that layer's output has rank r. The children of a cell are the cells that the
    next unit layer splits it into; after the last layer all children are 0.

    Attributes
    ----------
    cells : number of cells
    children : number of children of these cells in all
    max_children : largest number of children of one cell
    unsplit : number of cells that have exactly one child
    """

    cells: Ints
    children: Ints
    max_children: Ints
    unsplit: Ints

    @classmethod
    def zeros(cls, depth: int, dim: int) -> Statistics:
        """No cells yet."""
        return cls(*(np.zeros((depth + 1, dim + 1), np.int64) for _ in fields(cls)))

    @classmethod
    def domain(cls, depth: int, dim: int) -> Statistics:
        """The domain as a cell, its children not counted."""
        statistics = cls.zeros(depth, dim)
        statistics.cells[0, dim] = 1
        return statistics

    def close(self, cell: OpenCell) -> None:
        """Add the children of a cell, all of which have been counted."""
        at = cell.level, cell.rank
        self.children[at] += cell.children
        self.max_children[at] = max(self.max_children[at], cell.children)
        self.unsplit[at] += cell.children == 1

    def add(self, other: Statistics) -> None:
        """Add the cells of another exploration."""
        self.cells += other.cells
        self.children += other.children
        np.maximum(self.max_children, other.max_children, out=self.max_children)
        self.unsplit += other.unsplit


@dataclass
class Counters:
    """What the engine did. Counts add up over batches.

    Attributes
    ----------
    tests : decisions whether a hyperplane cuts a cell, or a candidate of a maximum can win on it
    lps : tests that needed a linear program
    pivots : simplex pivots in all
    reused : tests answered by a dual certificate kept from an earlier test
    doubtful : decisions so close to zero that rounding could have made them (`engine/compiled.py` says how close)
    doubtful_ranks : rank decisions for which the same holds
    """

    tests: int = 0
    lps: int = 0
    pivots: int = 0
    reused: int = 0
    doubtful: int = 0
    doubtful_ranks: int = 0

    def add(self, other: Counters) -> None:
        """Add the counts of another exploration."""
        for f in fields(self):
            setattr(self, f.name, getattr(self, f.name) + getattr(other, f.name))


@dataclass(frozen=True)
class Cells:
    """Recorded cells, one per row.

    Attributes
    ----------
    layer : (n,) unit layer after which this is a cell, from 0; a region has depth - 1 (-1 in a network without units)
    cell, parent : (n,) number of this cell and of the cell of the layer before that it lies in (-1: the domain)
    pieces : (n, sum of n_units) pieces of the units of layers 0 .. layer; 0 beyond
    ranks : (n, depth) dimension of the map to the output of layers 0 .. layer; 0 beyond
    witness : (n, d) a point strictly inside, in the domain's coordinates y
    """

    layer: npt.NDArray[np.int16]
    cell: Ints
    parent: Ints
    pieces: npt.NDArray[np.uint16]
    ranks: npt.NDArray[np.uint16]
    witness: Floats

    def __len__(self) -> int:
        return len(self.layer)


@dataclass(frozen=True)
class Batch:
    """What an engine found since its last batch. `cells` is None when nothing is recorded."""

    statistics: Statistics
    counters: Counters = field(default_factory=Counters)
    cells: Cells | None = None


@dataclass(frozen=True)
class Subtree:
    """A cell whose splitting is unfinished: what was decided, from which the cell can be rebuilt alone.

    Decisions are those of `engine/tables.py`: sides of cuts (0 negative, 1 positive) and winners of maxima (positions
    in their groups), -1 where open. The layers before `layer` are decided throughout, `layer` in part, later ones are
    absent.

    Attributes
    ----------
    layer : unit layer that splits the cell
    sides : (cuts of layers 0 .. layer, without the domain's constraints,) int8
    winners : (units of layers 0 .. layer,) int16
    n_before : number of entries of `sides` and of `winners` that belong to the layers before
    witness : a point strictly inside, in coordinates of the engine's own; empty for the whole domain
    parent : number of the cell of the layer before, -1 for the domain
    """

    layer: int
    sides: npt.NDArray[np.int8]
    winners: npt.NDArray[np.int16]
    n_before: tuple[int, int]
    witness: Floats
    parent: int

    @property
    def cell(self) -> bytes:
        """Name of the cell of the layer before that this subtree lies in: a digest of the decisions that made it."""
        return cell_name(self.layer, self.sides[: self.n_before[0]], self.winners[: self.n_before[1]])


def cell_name(layer: int, sides: npt.NDArray[np.int8], winners: npt.NDArray[np.int16]) -> bytes:
    """Name of a cell of the layer before `layer`, from all decisions of the layers before."""
    text = layer.to_bytes(4, "little") + sides.tobytes() + winners.tobytes()
    return hashlib.blake2b(text, digest_size=16).digest()


class OpenCell(msgspec.Struct, array_like=True, frozen=True):
    """A cell of which some children were counted, and others may be: its subtrees are unfinished or elsewhere.

    Attributes
    ----------
    name : see `Subtree.cell`
    level : row of the statistics it belongs to: 0 the domain, i + 1 the cells after layer i
    rank : its rank
    children : children counted
    """

    name: bytes
    level: int
    rank: int
    children: int


@dataclass(frozen=True)
class Rest:
    """What an exploration leaves: subtrees still to be explored, and the cells whose children are not all counted."""

    subtrees: list[Subtree]
    open_cells: list[OpenCell]


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
        """Begin a subtree; the cells found are numbered from `first_number`."""
        ...

    def step(self, tests: int) -> Batch:
        """Explore on, for about that many tests."""
        ...

    @property
    def finished(self) -> bool:
        """Whether the subtree is exhausted."""
        ...

    def rest(self) -> Rest:
        """What is left. Ends the exploration: go on with `start`."""
        ...


@runtime_checkable
class SplittableEngine(Protocol):
    """An engine whose tree can be explored in parts."""

    name: str

    def explorer(self, problem: Problem, record: Record = Record.NONE) -> Explorer:
        """An explorer of the subtrees of a problem with at least one unit layer."""
        ...


class Engine(Protocol):
    """An enumeration engine."""

    name: str

    def explore(self, problem: Problem, record: Record = Record.NONE) -> Iterator[Batch]:
        """Yield batches until the tree is exhausted; exhaustion without an exception means the count is complete.

        With `Record.REGIONS` the batches hold the regions, with `Record.TREE` the cells of all layers.
        A network without units has one region, the domain itself (layer -1 in the rows).
        Batches come at least every second or so, empty ones included, so that progress can be shown.
        """
        ...
