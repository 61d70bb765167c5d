"""The state of a tree walk: arrays only, so that a walk can stop anywhere and go on."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from regionenum.engine.counters import N_COUNTERS
from regionenum.engine.dual_kernel import Duals, make_duals
from regionenum.engine.interface import Problem
from regionenum.engine.layer_kernel import Images, make_images
from regionenum.engine.rank_kernel import Ranks, make_ranks
from regionenum.engine.simplex_kernel import make_cells
from regionenum.engine.tables import CUT, UNIT, Tables
from regionenum.network.units import Floats, Ints

ENTER, FILL, CUTS, GROUPS, DONE = 0, 1, 2, 3, 4
"""Stages of a cell in a layer."""
FINISHED, PAUSED, ROWS_FULL, STACK_FULL, DICTIONARY_FULL, GAVE_UP = 0, 1, 2, 3, 4, 5
"""How a stretch of the walk ends. The three in the middle ask the caller to make room."""

LAYER, STAGE, NEXT, PLUS_MASK, MINUS_MASK, NEWS, NEWS_INDEX, NEWS_VALUE, STACK_FIELDS = 0, 1, 2, 3, 4, 5, 6, 7, 8
"""What a waiting cell needs beside its dictionary: where it is, the next cut (FILL) or group (GROUPS), the slots
decided positive and negative, and what its first visit has to write down."""
NOTHING, A_CUT, A_WINNER = 0, 1, 2
"""Kinds of news."""

OPEN, RANK, CHILDREN_SO_FAR, NUMBER, ISSUED, PATH_FIELDS = 0, 1, 2, 3, 4, 5
"""Lines of `Tally.path`, by layer with the domain first; entry 0 of ISSUED is how many cell numbers were given out."""
CELLS, CHILDREN, MAX_CHILDREN, UNSPLIT, STATISTICS = 0, 1, 2, 3, 4
"""First axis of `Tally.statistics`; see `interface.Statistics`."""


class Tally(NamedTuple):
    """Statistics, and the cells of the present path."""

    statistics: Ints  # (STATISTICS, depth + 1, free + 1)
    path: Ints  # (PATH_FIELDS, depth + 1)
    counters: Ints  # (N_COUNTERS,)


class Rows(NamedTuple):
    """Recorded cells, until the caller takes them; see `interface.Cells`. Witnesses are in the coordinates z."""

    filled: Ints  # (1,)
    layer: npt.NDArray[np.int16]
    cell: Ints
    parent: Ints
    pieces: npt.NDArray[np.uint16]
    ranks: npt.NDArray[np.uint16]
    witness: Floats


class Walk(NamedTuple):
    """Everything that changes during a walk."""

    cells: Floats  # (n, lines, capacity) tables of the waiting cells; see simplex_kernel
    labels: Ints  # (n, LABELS, capacity)
    stack: Ints  # (n, STACK_FIELDS)
    top: Ints  # (1,) index of the cell that is worked on
    images: Images
    ranks: Ranks
    duals: Duals
    tally: Tally
    rows: Rows
    normal: Floats  # (dim,) scratch
    system: Floats  # (dim, 2 dim + 1) scratch
    candidates: Ints  # scratch
    given: npt.NDArray[np.int8]  # (cuts,) 1 if the subtree that is walked came with this cut decided in its own layer
    given_winner: npt.NDArray[np.int8]  # (n_units,) the same for maxima


def make_walk(problem: Problem, tables: Tables, recorded_rows: int, stack_size: int = 32, capacity: int = 64) -> Walk:
    """Storage for a walk, which `subtree_kernel.load` starts; needs at least one unit layer."""
    dim, depth = tables.dim, tables.depth
    n_units = int(tables.at[-1, UNIT])
    cells, labels = make_cells(stack_size, dim, capacity)
    return Walk(
        cells=cells,
        labels=labels,
        stack=np.zeros((stack_size, STACK_FIELDS), np.int64),
        top=np.zeros(1, np.int64),
        images=make_images(problem, tables),
        ranks=make_ranks(tables),
        duals=make_duals(tables),
        tally=Tally(
            statistics=np.zeros((STATISTICS, depth + 1, tables.free + 1), np.int64),
            path=np.zeros((PATH_FIELDS, depth + 1), np.int64),
            counters=np.zeros(N_COUNTERS, np.int64),
        ),
        rows=Rows(
            filled=np.zeros(1, np.int64),
            layer=np.zeros(recorded_rows, np.int16),
            cell=np.zeros(recorded_rows, np.int64),
            parent=np.zeros(recorded_rows, np.int64),
            pieces=np.zeros((recorded_rows, n_units), np.uint16),
            ranks=np.zeros((recorded_rows, depth), np.uint16),
            witness=np.zeros((recorded_rows, dim)),
        ),
        normal=np.zeros(dim),
        system=np.zeros((dim, 2 * dim + 1)),
        candidates=np.zeros(int(np.diff(tables.units.member).max(initial=1)), np.int64),
        given=np.zeros(int(tables.at[-1, CUT]), np.int8),
        given_winner=np.zeros(n_units, np.int8),
    )


def grow_walk(walk: Walk, stack_size: int, capacity: int) -> Walk:
    """The same walk with room for more waiting cells or longer dictionaries."""
    cells, labels = make_cells(stack_size, len(walk.normal), capacity)
    stack = np.zeros((stack_size, STACK_FIELDS), np.int64)
    for source, target in ((walk.cells, cells), (walk.labels, labels), (walk.stack, stack)):
        _paste(source, target)
    return walk._replace(cells=cells, labels=labels, stack=stack)


def _paste(source: npt.NDArray[Any], target: npt.NDArray[Any]) -> None:
    target[tuple(slice(size) for size in source.shape)] = source
