"""Explorers of any problem, and a whole tree explored in one piece."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from regionenum.engine.interface import (
    Batch,
    Cells,
    Engine,
    Explorer,
    Options,
    Problem,
    Record,
    Rest,
    Statistics,
    Subtree,
)
from regionenum.exact.ranks import independent_columns

BATCH_TESTS = 10_000
"""Tests for a batch of `explore`."""


def open_explorer(engine: Engine, problem: Problem, options: Options) -> Explorer:
    """An explorer of any problem.

    Parameters
    ----------
    engine : Engine
    problem : Problem
        One without unit layers is not given to the engine: its one region is found here.
    options : Options

    Returns
    -------
    Explorer
    """
    return engine.explorer(problem, options) if problem.depth else _OneRegion(problem, options)


def explore(engine: Engine, problem: Problem, options: Options) -> Iterator[Batch]:
    """Explore a whole tree, here and in one piece.

    Parameters
    ----------
    engine : Engine
    problem : Problem
    options : Options

    Yields
    ------
    Batch
        The batches add up to all cells, the domain included, each with its children. Exhaustion without an exception means
        that the count is complete.

    Raises
    ------
    EngineError
        If the engine cannot go on.
    """
    explorer = open_explorer(engine, problem, options)
    explorer.start(explorer.root)
    while not explorer.finished:
        batch = explorer.step(BATCH_TESTS)
        if explorer.finished:
            batch.statistics.add(Statistics.at_start(problem.shape))
            for cell in explorer.rest().open_cells:
                batch.statistics.close(cell)
        yield batch


class _OneRegion:
    """The explorer of a network without unit layers: the domain is its one region, and one step finds it."""

    def __init__(self, problem: Problem, options: Options) -> None:
        self._problem, self._record = problem, options.record
        self._rank = problem.chart.dim
        if problem.network.layers:
            weight, directions = problem.network.layers[0].weight, problem.chart.directions
            self._rank = len(independent_columns(weight, directions))
        self._number = 0
        self.finished = True

    @property
    def root(self) -> Subtree:
        return Subtree.undivided()

    def start(self, subtree: Subtree, first_number: int = 0) -> None:
        self._number, self.finished = first_number, False

    def step(self, tests: int) -> Batch:
        self.finished = True
        statistics, rank = Statistics.zeros(self._problem.shape), self._rank
        statistics.cells[0, self._problem.dim] = 1
        statistics.count(1, self._problem.dim, rank)
        if self._record is Record.NONE:
            return Batch(statistics)
        return Batch(
            statistics,
            cells=Cells(
                layer=np.full(1, -1, np.int16),
                cell=np.full(1, self._number, np.int64),
                parent=np.full(1, -1, np.int64),
                pieces=np.zeros((1, 0), np.uint16),
                ranks=np.zeros((1, 0), np.uint16),
                output_rank=np.full(1, rank, np.uint16),
                witness=self._problem.chart.inside[None, :].copy(),
            ),
        )

    @property
    def progressed(self) -> bool:
        return self.finished

    def rest(self) -> Rest:
        left, self.finished = [] if self.finished else [self.root], True
        return Rest(left, [])
