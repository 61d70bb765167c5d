"""Cells of one input as intervals: a representation as plain as can be, which shows that the walk knows only the verbs.

The ends of an interval are roots of functions, and known up to an error; so are the values of a function there. A point
is proved to be inside where a row is larger than four times what rounding can be; all else is doubtful.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from regionenum.engine.cells import CUTS, DOUBTFUL, NEGATIVE, NEW_LINE, POSITIVE, RESTRICT, SCREEN, register
from regionenum.engine.policy import kernel
from regionenum.network.units import Floats, Ints

LOW, HIGH, WITNESS = 0, 1, 2
"""Second axis of `at`; of `made_by` and `wrong` the first two."""
CONSTANT, SLOPE, ERROR = 0, 1, 2
N, FREE, LIKELY = 0, 1, 2
BOX = -1
"""Line of an end that is an end of the unit interval."""


class IntervalCells(NamedTuple):
    """A stack of intervals."""

    at: Floats  # (n, 3)
    wrong: Floats  # (n, 2) how far off each end can be
    made_by: Ints  # (n, 2) lines
    rows: Floats  # (n, width, 3) pending rows
    line: Ints  # (n, width) their lines
    size: Ints  # (n, 3) pending rows, next free line, what is likely
    kept: Ints  # (1,) lines that the walk numbers


def make_intervals(n: int, width: int, kept: int) -> IntervalCells:
    """Storage for n cells of at most `width` pending rows."""
    return IntervalCells(
        at=np.zeros((n, 3)),
        wrong=np.zeros((n, 2)),
        made_by=np.zeros((n, 2), np.int64),
        rows=np.zeros((n, width, 3)),
        line=np.zeros((n, width), np.int64),
        size=np.zeros((n, 3), np.int64),
        kept=np.array([kept]),
    )


@kernel
def _at_end(cells, f, r, end):
    """Value of row r at an end of cell f, and a bound on its error."""
    constant, slope = cells.rows[f, r, CONSTANT], cells.rows[f, r, SLOPE]
    error = cells.rows[f, r, ERROR] + 1e-15 * (abs(constant) + abs(slope)) + abs(slope) * cells.wrong[f, end]
    return constant + slope * cells.at[f, end], error


@kernel
def _cut_off(cells, f, r, end):
    """Make the root of row r an end of cell f, and the middle its witness, unless the witness is well inside."""
    constant, slope = cells.rows[f, r, CONSTANT], cells.rows[f, r, SLOPE]
    root = -constant / slope
    cells.at[f, end] = root
    cells.wrong[f, end] = cells.rows[f, r, ERROR] / abs(slope) + 1e-15 * (1.0 + abs(root))
    cells.made_by[f, end] = cells.line[f, r]
    low, high = cells.at[f, LOW], cells.at[f, HIGH]
    if not low + cells.wrong[f, LOW] < cells.at[f, WITNESS] < high - cells.wrong[f, HIGH]:
        cells.at[f, WITNESS] = 0.5 * (low + high)


@kernel
def _copy(cells, f, g):
    for k in range(3):
        cells.at[g, k] = cells.at[f, k]
        cells.size[g, k] = cells.size[f, k]
    for k in range(2):
        cells.wrong[g, k] = cells.wrong[f, k]
        cells.made_by[g, k] = cells.made_by[f, k]
    for i in range(cells.size[f, N]):
        cells.line[g, i] = cells.line[f, i]
        for k in range(3):
            cells.rows[g, i, k] = cells.rows[f, i, k]


@kernel
def _drop(cells, f, r):
    last = cells.size[f, N] - 1
    cells.line[f, r] = cells.line[f, last]
    for k in range(3):
        cells.rows[f, r, k] = cells.rows[f, last, k]
    cells.size[f, N] = last


@kernel
def _test(cells, f, r, purpose):
    low, error_low = _at_end(cells, f, r, LOW)
    high, error_high = _at_end(cells, f, r, HIGH)
    if low >= error_low and high >= error_high:
        return POSITIVE
    if low <= -error_low and high <= -error_high:
        return NEGATIVE
    if purpose == SCREEN:
        return CUTS
    negative = low < -4.0 * error_low or high < -4.0 * error_high
    positive = low > 4.0 * error_low or high > 4.0 * error_high
    if positive and (negative or purpose == RESTRICT):
        return CUTS
    cells.size[f, LIKELY] = POSITIVE if low + high > 0.0 else NEGATIVE
    return DOUBTFUL


def begin(cells, f, cone):
    cells.at[f, LOW], cells.at[f, HIGH], cells.at[f, WITNESS] = 0.0, 1.0, 0.5
    for k in range(2):
        cells.wrong[f, k] = 0.0
        cells.made_by[f, k] = BOX
    cells.size[f, N], cells.size[f, FREE] = 0, cells.kept[0]


def copy(cells, f, g):
    return _copy(cells, f, g)


def has_room(cells, f, n):
    return cells.size[f, N] + n <= cells.line.shape[1]


def capacity(cells):
    return cells.line.shape[0]


def relate(cells, line, level, passed):
    return None


def set_span(cells, level, n):
    return None


def add(cells, f, line, constant, normal, error):
    r = cells.size[f, N]
    if line == NEW_LINE:
        line = cells.size[f, FREE]
        cells.size[f, FREE] += 1
    cells.line[f, r] = line
    cells.rows[f, r, CONSTANT], cells.rows[f, r, SLOPE], cells.rows[f, r, ERROR] = constant, normal[0], error
    cells.size[f, N] = r + 1
    return r


def test(cells, f, r, purpose):
    return _test(cells, f, r, purpose)


test.__test__ = False  # type: ignore[attr-defined]  # not for pytest


def likely(cells, f):
    return cells.size[f, LIKELY]


def split(cells, f, r, g):
    _copy(cells, f, g)
    _cut_off(cells, f, r, HIGH)
    _cut_off(cells, g, r, LOW)
    side = POSITIVE if cells.rows[f, r, SLOPE] < 0.0 else NEGATIVE
    _drop(cells, f, r)
    _drop(cells, g, r)
    return side


def restrict(cells, f, r):
    _cut_off(cells, f, r, LOW if cells.rows[f, r, SLOPE] > 0.0 else HIGH)
    return _drop(cells, f, r)


def force(cells, f, r, side, point, sure):
    rises = cells.rows[f, r, SLOPE] > 0.0
    _cut_off(cells, f, r, LOW if rises == (side == POSITIVE) else HIGH)
    cells.at[f, WITNESS] = point[0]
    return _drop(cells, f, r)


def drop(cells, f, r):
    return _drop(cells, f, r)


def constraints(cells, f, lines):
    n = 0
    for end in range(2):
        if cells.made_by[f, end] != BOX:
            lines[n] = cells.made_by[f, end]
            n += 1
    return n


def n_pending(cells, f):
    return cells.size[f, N]


def pending(cells, f, k):
    return k


def first_pending(cells, f):
    r = 0
    for i in range(1, cells.size[f, N]):
        if cells.line[f, i] < cells.line[f, r]:
            r = i
    return r


def line_of(cells, f, r):
    return cells.line[f, r]


def tight(cells, f, r, lines):
    # the end where the row comes closest to 0
    rises = cells.rows[f, r, SLOPE] > 0.0
    is_positive = cells.rows[f, r, CONSTANT] + cells.rows[f, r, SLOPE] * cells.at[f, WITNESS] > 0.0
    line = cells.made_by[f, LOW if rises == is_positive else HIGH]
    lines[0] = line
    return 0 if line == BOX else 1


def place(cells, f, point):
    cells.at[f, WITNESS] = point[0]


def witness(cells, f, point):
    point[0] = cells.at[f, WITNESS]


def is_sure(cells, f):
    return True


def centre(cells, f):
    cells.at[f, WITNESS] = 0.5 * (cells.at[f, LOW] + cells.at[f, HIGH])


register(
    IntervalCells,
    begin,
    copy,
    has_room,
    capacity,
    relate,
    set_span,
    add,
    test,
    likely,
    split,
    restrict,
    force,
    drop,
    constraints,
    n_pending,
    pending,
    first_pending,
    line_of,
    tight,
    place,
    witness,
    is_sure,
    centre,
)
