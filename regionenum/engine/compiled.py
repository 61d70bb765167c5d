"""The compiled engine: the tree walk of `walk_kernel` behind the `Engine` interface.

Decisions are made in float64 with a small tolerance (`cut_kernel.CUT_TOL`, as a distance in the unit cube). Whatever
lies within `cut_kernel.DOUBT` of zero is counted as doubtful, in `Counters.doubtful` and `doubtful_ranks`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from regionenum.engine import cut_kernel, walk_state
from regionenum.engine.interface import Batch, Cells, Counters, Problem, Record, Statistics
from regionenum.engine.tables import UNIT, Tables, make_tables
from regionenum.engine.walk_kernel import walk_tree
from regionenum.engine.walk_state import Walk, grow_walk, make_walk
from regionenum.errors import EngineError

BATCH_SECONDS = 0.5
BUFFER_BYTES = 8 << 20


class CompiledEngine:
    """Depth-first walk with one bounded simplex dictionary per cell (see `simplex_kernel`), compiled by numba."""

    name = "compiled"

    def explore(self, problem: Problem, record: Record = Record.NONE) -> Iterator[Batch]:
        """Yield batches until the tree is exhausted (`interface.Engine.explore`).

        Raises
        ------
        EngineError
            If the simplex method breaks down on a cell.
        """
        if problem.depth == 0:
            yield _whole_domain(problem, record)
            return
        tables = make_tables(problem)
        walk = make_walk(problem, tables, _buffer_rows(tables) if record != Record.NONE else 0)
        nodes = 2000
        finished = False
        while not finished:
            start = time.perf_counter()
            status = walk_tree(tables, walk, nodes, record == Record.REGIONS, record == Record.TREE)
            seconds = time.perf_counter() - start
            if status == walk_state.GAVE_UP:
                raise EngineError(
                    "the simplex method did not converge on a cell; "
                    "run again with engine='highs' and report the network"
                )
            if status in (walk_state.STACK_FULL, walk_state.DICTIONARY_FULL):
                walk = _grown(walk, status)
                continue
            finished = status == walk_state.FINISHED
            if status == walk_state.PAUSED and seconds < BATCH_SECONDS / 4:
                nodes *= 2
            elif status == walk_state.PAUSED and seconds > BATCH_SECONDS:
                nodes = max(nodes // 2, 1)
            yield _take(walk, record)


def _grown(walk: Walk, status: int) -> Walk:
    n, _, capacity = walk.cells.shape
    if status == walk_state.STACK_FULL:
        return grow_walk(walk, 2 * n, capacity)
    return grow_walk(walk, n, 2 * capacity)


def _buffer_rows(tables: Tables) -> int:
    width = 2 * int(tables.at[-1, UNIT]) + 8 * tables.dim + 2 * tables.depth + 18
    return int(np.clip(BUFFER_BYTES // width, 1, 65536))


def _take(walk: Walk, record: Record) -> Batch:
    """Take statistics, counters and rows out of the walk, and zero them there."""
    tally, rows = walk.tally, walk.rows
    statistics = Statistics(*tally.statistics.copy())
    count = tally.counters
    counters = Counters(
        tests=int(count[cut_kernel.TESTS]),
        lps=int(count[cut_kernel.LPS]),
        pivots=int(count[cut_kernel.PIVOTS]),
        reused=int(count[cut_kernel.REUSED]),
        doubtful=int(count[cut_kernel.DOUBTFUL]),
        doubtful_ranks=int(count[cut_kernel.DOUBTFUL_RANKS]),
    )
    tally.statistics[...] = 0
    count[...] = 0
    if record == Record.NONE:
        return Batch(statistics, counters)
    n = int(rows.filled[0])
    rows.filled[0] = 0
    cells = Cells(
        layer=rows.layer[:n].copy(),
        cell=rows.cell[:n].copy(),
        parent=rows.parent[:n].copy(),
        pieces=rows.pieces[:n].copy(),
        ranks=rows.ranks[:n].copy(),
        witness=rows.witness[:n].copy(),
    )
    return Batch(statistics, counters, cells)


def _whole_domain(problem: Problem, record: Record) -> Batch:
    """The one region of a network without units."""
    statistics = Statistics.zeros(0, problem.dim)
    statistics.cells[0, problem.dim] = 1
    if record == Record.NONE:
        return Batch(statistics)
    return Batch(
        statistics,
        cells=Cells(
            layer=np.full(1, -1, np.int16),
            cell=np.zeros(1, np.int64),
            parent=np.full(1, -1, np.int64),
            pieces=np.zeros((1, 0), np.uint16),
            ranks=np.zeros((1, 0), np.uint16),
            witness=np.full((1, problem.dim), 0.5),
        ),
    )
