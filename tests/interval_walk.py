"""The real walk over cells that are intervals; run as a program, it prints the statistics of networks of one input.

Meant for NUMBA_DISABLE_JIT=1: then nothing is compiled.
"""

from __future__ import annotations

import json
import sys

import numpy as np

from regionenum.domain import Box
from regionenum.engine.counters import DOUBTFUL, DOUBTFUL_RANKS
from regionenum.engine.problem import Problem
from regionenum.engine.tables import CUT, UNIT, make_tables
from regionenum.engine.walk.state import FINISHED, PAUSED, make_walk
from regionenum.engine.walk.subtree_kernel import OPEN_DECISION, load, load_domain
from regionenum.engine.walk.tree_kernel import walk_tree
from regionenum.network.units import RELU, Units, leaky_relu
from tests.interval_cells import make_intervals
from tests.line import chain

SEEDS = range(12)
DOMAIN = Box(-2.0, 3.0)


def problem(seed: int) -> Problem:
    """Three layers over a segment; the second has maxima of overlapping groups, and equal candidates."""
    rng = np.random.default_rng(seed)
    second = rng.integers(-8, 9, (6, 5)) / 4.0
    second[5] = second[1]
    groups = Units.maxima([[0, 1, 2, 5], [3, 4], [2, 3, 5]])
    network = chain(
        (rng.integers(1, 9, (5, 1)) / 4.0, rng.integers(-16, 17, 5) / 8.0, Units.pointwise(leaky_relu(-0.5), 5)),
        (second, rng.integers(-8, 9, 6) / 4.0, groups),
        (rng.integers(-8, 9, (4, 3)) / 4.0, rng.integers(-8, 9, 4) / 4.0, Units.pointwise(RELU, 4)),
    )
    return Problem.over(network, DOMAIN)


def walked(problem: Problem) -> tuple[list[list[int]], int]:
    """Cells by layer and rank, and doubtful decisions."""
    tables = make_tables(problem)
    n_cuts = int(tables.at[-1, CUT])
    walk, cells = make_walk(tables, 0, 64), make_intervals(64, 64, n_cuts)
    assert load_domain(tables, walk, cells, n_cuts) == FINISHED
    sides = np.full(int(tables.at[1, CUT]), OPEN_DECISION, np.int8)
    winners = np.full(int(tables.at[1, UNIT]), OPEN_DECISION, np.int16)
    told = np.full(tables.depth, -1)
    assert load(tables, walk, cells, 0, sides, winners, np.zeros(0), told, -1, 0, n_cuts) == FINISHED
    while (status := walk_tree(tables, walk, cells, 100, False, False)) == PAUSED:
        pass
    assert status == FINISHED
    counters = walk.tally.counters
    return walk.tally.statistics[0].tolist(), int(counters[DOUBTFUL] + counters[DOUBTFUL_RANKS])


if __name__ == "__main__":
    json.dump([walked(problem(seed)) for seed in SEEDS], sys.stdout)
