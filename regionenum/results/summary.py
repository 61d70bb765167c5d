"""The result of an enumeration: counts, statistics by layer and rank, and the recorded rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from regionenum.domain import Domain
from regionenum.engine.interface import Counters, Problem, Record, Statistics
from regionenum.errors import InputError
from regionenum.exact.maps import MapDigests, distinct
from regionenum.network.layers import Network
from regionenum.results.patterns import Packing
from regionenum.results.rows import Rows
from regionenum.results.schema import Layout, fixed_array

_DIGEST_ROWS = 1 << 16
"""Rows whose patterns are unpacked at a time in `Result.distinct_maps`, for networks of up to 1024 units."""


@dataclass(frozen=True)
class RankSummary:
    """The cells of one layer whose map has one rank.

    Attributes
    ----------
    regions : number of cells
    children : cells that the next unit layer splits them into, in all; 0 after the last layer
    max_children : largest number of children of one cell
    unsplit : cells that have exactly one child
    """

    regions: int
    children: int
    max_children: int
    unsplit: int


@dataclass(frozen=True)
class LayerSummary:
    """The cells after one unit layer: their number, and {rank: RankSummary} for the ranks that occur."""

    name: str
    regions: int
    by_rank: dict[int, RankSummary]


@dataclass(frozen=True, eq=False)
class Result:
    """What an enumeration found.

    Attributes
    ----------
    network, domain : what was enumerated
    record : what was kept of the cells
    engine : name of the engine
    statistics : counts of cells by layer and rank
    counters : what the engine did, doubtful decisions included
    seconds : wall-clock time
    complete : whether the tree was exhausted; if not, all counts are lower bounds
    exact : whether every decision is certified; False when floating-point decisions were taken as they came
    rows : the recorded rows, table by table
    """

    network: Network
    domain: Domain
    record: Record
    engine: str
    statistics: Statistics
    counters: Counters
    seconds: float
    complete: bool
    exact: bool
    rows: Rows

    @property
    def count(self) -> int:
        """Number of full-dimensional activation regions found."""
        return int(self.statistics.cells[-1].sum())

    @property
    def input(self) -> LayerSummary:
        """The domain itself as a layer of one cell, whose map (the identity) has the domain's dimension as rank."""
        return self._summary(0, "input")

    @property
    def layers(self) -> tuple[LayerSummary, ...]:
        """The cells after each unit layer of the network, in order."""
        return tuple(self._summary(i + 1, layer.name) for i, layer in enumerate(self.network.unit_layers))

    @cached_property
    def regions(self) -> pa.Table:
        """The table of regions: pattern, ranks, witness (`results/schema.py` describes the columns).

        Raises
        ------
        InputError
            If regions were not recorded.
        """
        return self._concatenated(Record.REGIONS, [self._regions_of(table) for table in self._recorded()])

    @cached_property
    def cells(self) -> pa.Table:
        """The table of the cells of all layers, each with its parent.

        Raises
        ------
        InputError
            If the tree was not recorded.
        """
        if self.record is not Record.TREE:
            raise InputError(f'cells were not recorded (record="{self.record}"); enumerate with record="tree"')
        return self._concatenated(Record.TREE, list(self.rows.tables()))

    def distinct_maps(self) -> int:
        """Number of different affine functions, from the domain's coordinates to the output, among the regions.

        Decided without a tolerance: the maps are compared modulo primes (`exact/maps.py`). Reads the recorded rows
        part by part and keeps 16 bytes for each different map.

        Raises
        ------
        InputError
            If regions were not recorded.
        """
        problem = Problem.over(self.network, self.domain)
        packing, digests_of = Packing.of(self.network), MapDigests(self.network, problem.chart)
        step = max(1, _DIGEST_ROWS * 1024 // max(1024, sum(problem.n_units)))
        found = np.zeros((0, 2), np.uint64)
        for table in self._recorded():
            packed = fixed_array(self._regions_of(table).column("pattern"))
            fresh = [digests_of(packing.unpack(packed[start : start + step])) for start in range(0, len(packed), step)]
            found = distinct(np.concatenate([found, *fresh]))
        return len(found)

    def plot(
        self,
        fill: Literal["region", "dimension", "class"] = "region",
        layer: int | str | None = None,
        ax: Any = None,
        path: str | PathLike[str] | None = None,
    ) -> Any:
        """Draw the regions over a domain with one or two free dimensions, with matplotlib.

        In two dimensions regions are polygons; in one they are intervals below the graphs of the outputs.

        Parameters
        ----------
        fill : what the colours say: "region", nothing but that neighbours are different regions; "dimension", the rank of
            the map to the output of a unit layer; "class", the largest output, by which regions are split
        layer : name or number of the unit layer whose ranks are drawn; the last by default
        ax : matplotlib axes to draw on; by default those of a new figure, of pyplot if there is no path
        path : file to write the figure to, in the format of its ending

        Returns
        -------
        The axes.

        Raises
        ------
        InputError
            If regions were not recorded, the domain has more than two free dimensions, `fill` or `layer` is unknown,
            classes are asked of a network with one output, matplotlib is missing, or the file cannot be written.
        """
        # the one place where results look down to the analysis of results
        from regionenum.analysis.plot import plot

        return plot(self, fill, layer, ax, path)

    def __repr__(self) -> str:
        return (
            f"<Result: {self.count:,} regions, {'complete' if self.complete else 'incomplete'}, "
            f"{'exact' if self.exact else 'not certified'}, {self.seconds:.3g} s>"
        )

    def _summary(self, row: int, name: str) -> LayerSummary:
        s = self.statistics
        by_rank = {
            int(rank): RankSummary(
                *(int(array[row, rank]) for array in (s.cells, s.children, s.max_children, s.unsplit))
            )
            for rank in np.flatnonzero(s.cells[row])
        }
        return LayerSummary(name, int(s.cells[row].sum()), by_rank)

    def _recorded(self) -> Any:
        if self.record is Record.NONE:
            raise InputError('regions were not recorded (record="none"); enumerate with record="regions"')
        return self.rows.tables()

    def _regions_of(self, table: pa.Table) -> pa.Table:
        if self.record is Record.REGIONS:
            return table
        leaves = table.filter(pc.equal(table.column("layer"), len(self.network.unit_layers) - 1))
        return leaves.select(["pattern", "ranks", "witness"])

    def _concatenated(self, record: Record, tables: list[Any]) -> pa.Table:
        schema = Layout.of(Problem.over(self.network, self.domain)).schema(record)
        return pa.concat_tables([schema.empty_table(), *(table.cast(schema) for table in tables)])
