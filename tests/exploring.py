"""Running an engine to the end, and what it found in one piece."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from regionenum.engine.compiled import CompiledEngine
from regionenum.engine.explore import explore as batches_of
from regionenum.engine.interface import Cells, Counters, Engine, Options, Problem, Record, Statistics
from regionenum.engine.reference import HighsEngine
from tests.oracles import Pattern, exact_pattern

ENGINES: dict[str, type[Engine]] = {engine.name: engine for engine in (CompiledEngine, HighsEngine)}


@dataclass(frozen=True)
class Found:
    """The sum of all batches."""

    statistics: Statistics
    counters: Counters
    cells: Cells | None

    @property
    def regions(self) -> int:
        """Number of regions."""
        return int(self.statistics.cells[-1].sum())

    def layer(self, depth: int) -> dict[Pattern, tuple[int, ...]]:
        """{pattern: ranks} of the recorded cells after unit layer `depth`; the tail of both is kept, and is 0."""
        assert self.cells is not None
        rows = np.flatnonzero(self.cells.layer == depth)
        found = {tuple(map(int, self.cells.pieces[k])): tuple(map(int, self.cells.ranks[k])) for k in rows}
        assert len(found) == len(rows), "a pattern was recorded twice"
        return found


def explore(engine: Engine, problem: Problem, record: Record = Record.NONE, exact: bool = True) -> Found:
    """All that an engine finds, with the checks that hold for every exploration."""
    found = explore_at_most(engine, problem, record, None, exact)
    assert found is not None
    return found


def explore_at_most(
    engine: Engine, problem: Problem, record: Record, most: int | None, exact: bool = True
) -> Found | None:
    """The same, or None once there are more than `most` cells."""
    statistics, counters = Statistics.zeros(problem.shape), Counters()
    tables = []
    for batch in batches_of(engine, problem, Options(record, exact)):
        statistics.add(batch.statistics)
        if most is not None and statistics.cells.sum() > most:
            return None
        counters.add(batch.counters)
        assert (batch.cells is None) == (record is Record.NONE)
        if batch.cells is not None:
            tables.append(batch.cells)
    cells = (
        Cells(*(np.concatenate([getattr(table, f.name) for table in tables]) for f in fields(Cells)))
        if tables
        else None
    )
    found = Found(statistics, counters, cells)
    check_totals(problem, found, record)
    return found


def check_totals(problem: Problem, found: Found, record: Record) -> None:
    """Totals that must agree whatever the network is."""
    cells, children = found.statistics.cells.sum(axis=1), found.statistics.children.sum(axis=1)
    assert cells[0] == found.statistics.cells[0, problem.dim] == 1
    assert np.array_equal(children, np.append(cells[1:], 0))
    check_more_totals(problem, found.statistics)
    if found.cells is None:
        return
    recorded = np.bincount(found.cells.layer + 1, minlength=problem.depth + 1)
    if record is Record.REGIONS:
        assert recorded[problem.depth] == len(found.cells) == found.regions
    else:
        assert np.array_equal(recorded[1:], cells[1:])
        assert len(set(found.cells.cell.tolist())) == len(found.cells)
    witness = found.cells.witness
    assert witness.shape == (len(found.cells), problem.dim)
    if not problem.chart.whole and not found.counters.resolved:
        extra = problem.chart.half_spaces
        assert np.all((witness > 0) & (witness < 1))
        assert np.all(extra.slack(witness) > 0)
    elif not problem.chart.whole:
        # of a cell without float64 points the nearest one is recorded
        assert np.all((witness >= 0) & (witness <= 1))


def check_more_totals(problem: Problem, s: Statistics) -> None:
    """What the transitions, the spread of children and the units that cut must add up to."""
    assert s.output.sum() == s.cells[-1].sum()
    if not problem.depth:
        return
    n, inner = s.shape.rank + 1, s.cells[1:, : s.shape.rank + 1]
    before = np.zeros((problem.depth + 1, n), np.int64)
    before[0, 0], before[1:] = 1, inner
    assert np.array_equal(s.transitions[:-1].sum(axis=1), inner)
    assert np.array_equal(s.transitions[-1].sum(axis=0), s.output[:n])
    assert np.array_equal(s.transitions[1:].sum(axis=2)[:-1], s.children[1:-1, :n])
    assert np.array_equal(s.transitions[-1].sum(axis=1), before[-1])
    for split in (s.spread, s.cutting):
        assert np.array_equal(split[:-1].sum(axis=2), before[:-1])
        assert not split[-1].any()
    unsplit, children = s.unsplit[:-1, :n].copy(), s.children[:-1, :n].copy()
    for array, of_domain in ((unsplit, s.unsplit[0].sum()), (children, s.children[0].sum())):
        array[0] = 0
        array[0, 0] = of_domain
    assert np.array_equal(s.spread[:-1, :, 0], unsplit)
    assert np.array_equal(s.cutting[:-1, :, 0], unsplit)
    lowest = (s.spread[:-1] * 2 ** np.arange(64, dtype=object)).sum(axis=2)
    assert np.all((lowest <= children) & (children <= 2 * lowest))


def same_statistics(a: Statistics, b: Statistics) -> bool:
    """Whether all statistics agree."""
    return all(np.array_equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(Statistics))


def assert_witnesses(problem: Problem, found: Found) -> None:
    """Every witness lies in its cell, in exact arithmetic: its pieces are those of the cell."""
    assert found.cells is not None
    starts = np.concatenate([[0], np.cumsum(problem.n_units)])
    for layer, pieces, witness in zip(found.cells.layer, found.cells.pieces, found.cells.witness, strict=True):
        n = starts[layer + 1]
        assert exact_pattern(problem, witness)[:n] == tuple(pieces[:n])
