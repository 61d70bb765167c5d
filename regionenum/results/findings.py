"""What an enumeration found: counts, statistics by layer and rank, and the recorded rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from regionenum.choices import Record
from regionenum.errors import InputError
from regionenum.exact.maps import MapDigests, distinct
from regionenum.results.patterns import Packing
from regionenum.results.progress import Totals
from regionenum.results.row_store import RecordedRows
from regionenum.results.schema import Layout, fixed_array, in_schema
from regionenum.results.subject import Subject

_DIGEST_ROWS = 1 << 16
"""Rows whose patterns are unpacked at a time in `Findings.distinct_maps`, for networks of up to 1024 units."""


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


@dataclass(frozen=True)
class OutputSummary:
    """The regions at the network's output: name of its last layer, and {rank of the network's own map: regions}."""

    name: str
    by_rank: dict[int, int]


@dataclass(frozen=True)
class Audit:
    """How the decisions of a run were made.

    Attributes
    ----------
    decisions : about cuts and winners (`Counters.tests`), and one about the rank of every cell of every layer,
        and of every region's output if an affine layer makes it
    certain : proved by rigorous bounds on rounding errors
    resolved : left open by these, and made in exact arithmetic
    overturned : of these, those that float64 alone would have made otherwise
    doubtful : left open, and believed as float64 has them; 0 in an exact run
    """

    decisions: int
    certain: int
    resolved: int
    overturned: int
    doubtful: int


@dataclass(frozen=True, eq=False)
class Findings:
    """What an enumeration found, as it is kept.

    Attributes
    ----------
    subject : what was enumerated
    totals : counts of cells by layer and rank, what the engine did, the time, and whether the tree was exhausted
    rows : the recorded rows, table by table
    """

    subject: Subject
    totals: Totals
    rows: RecordedRows

    @property
    def count(self) -> int:
        """Number of full-dimensional activation regions found."""
        return int(self.totals.statistics.cells[-1].sum())

    @property
    def audit(self) -> Audit:
        """How the decisions were made."""
        counters, statistics = self.totals.counters, self.totals.statistics
        n_cells = int(statistics.cells[1:].sum())
        if len(self.subject.network.layers) > self.subject.problem.depth:
            n_cells += int(statistics.output.sum())
        doubtful = counters.doubtful + counters.doubtful_ranks
        decisions = counters.tests + n_cells
        certain = decisions - counters.resolved - doubtful
        return Audit(decisions, certain, counters.resolved, counters.overturned, doubtful)

    @property
    def input(self) -> LayerSummary:
        """The domain itself as a layer of one cell, whose map (the identity) has the domain's dimension as rank."""
        return self._summary(0, "input")

    @property
    def layers(self) -> tuple[LayerSummary, ...]:
        """The cells after each unit layer of the network, in order."""
        return tuple(self._summary(i + 1, layer.name) for i, layer in enumerate(self.subject.network.unit_layers))

    @property
    def output(self) -> OutputSummary:
        """The regions by the rank of the network's own map, after its last affine layer."""
        output, layers = self.totals.statistics.output, self.subject.network.layers
        by_rank = {int(rank): int(output[rank]) for rank in np.flatnonzero(output)}
        return OutputSummary(layers[-1].name if layers else "input", by_rank)

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
        if self.subject.record is not Record.TREE:
            raise InputError(f'cells were not recorded (record="{self.subject.record}"); enumerate with record="tree"')
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
        problem = self.subject.problem
        packing, digests_of = Packing.of(problem.network), MapDigests(problem.network, problem.chart)
        step = max(1, _DIGEST_ROWS * 1024 // max(1024, sum(problem.n_units)))
        found = np.zeros((0, 2), np.uint64)
        for table in self._recorded():
            packed = fixed_array(self._regions_of(table).column("pattern"))
            fresh = [digests_of(packing.unpack(packed[start : start + step])) for start in range(0, len(packed), step)]
            found = distinct(np.concatenate([found, *fresh]))
        return len(found)

    def _summary(self, row: int, name: str) -> LayerSummary:
        s = self.totals.statistics
        by_rank = {
            int(rank): RankSummary(
                *(int(array[row, rank]) for array in (s.cells, s.children, s.max_children, s.unsplit))
            )
            for rank in np.flatnonzero(s.cells[row])
        }
        return LayerSummary(name, int(s.cells[row].sum()), by_rank)

    def _recorded(self) -> Iterator[pa.Table]:
        if self.subject.record is Record.NONE:
            raise InputError('regions were not recorded (record="none"); enumerate with record="regions"')
        return self.rows.tables()

    def _regions_of(self, table: pa.Table) -> pa.Table:
        if self.subject.record is Record.REGIONS:
            return table
        leaves = table.filter(pc.equal(table.column("layer"), len(self.subject.network.unit_layers) - 1))
        return leaves.select(["pattern", "ranks", "output_rank", *(["witness"] if self.subject.witnesses else [])])

    def _concatenated(self, record: Record, tables: list[pa.Table]) -> pa.Table:
        schema = Layout.of(self.subject.problem, self.subject.witnesses).schema(record)
        return pa.concat_tables([schema.empty_table(), *(in_schema(table, schema) for table in tables)])
