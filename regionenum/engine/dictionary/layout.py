"""A cell as a dictionary of the bounded simplex method: what is where in memory, and moving rows about.

A cell of dimension d is { z in [0, 1]^d : slack_i(z) > 0 for every hyperplane passed so far }. At a vertex of its
closure, d variables (coordinates z_k or slacks) are nonbasic at a bound and every other quantity is affine in them:

    quantity_i = values[i] + sum_j column_j[i] t_j,      t_j >= 0 the j-th nonbasic variable.

The box is implicit: a coordinate z_k is a row only while it is basic, with upper bound 1; a coordinate at its upper
bound is replaced by 1 - z_k ("flipped"). Rows 0 .. n_basic - 1 are the basic variables, which must stay inside their
bounds; rows n_basic .. n_rows - 1 are *pending*: hyperplanes carried along, which restrict nothing.

Variable numbers: 0 .. d - 1 coordinates; d + line the slack of the hyperplane on that line, which is the function on the
line, or its negative if it is flipped.

Memory: a cell is one block of float64 lines (`table`) and one of int64 lines (`label`), with one entry per row in most
lines. A row of the dictionary is thus one position in all lines, a pivot adds multiples of contiguous lines, and its
inner loop is as long as the number of rows. Lines are handled eight entries at a time (`engine/lanes.py`); entries past
the last row are zero up to a whole block. Only the arrays of one cell are passed from kernel to kernel.

What is in a table drifts with every pivot, and nothing is proved by it. The functions themselves are kept as they were
given, in `DictionaryCells.lines`: one contiguous row for each hyperplane, scaled by a power of two to about length 1, with
a bound on what it can be wrong by. All proofs are made of these (`proof_kernel.py`). Cells on the stack share lines:
depth-first order makes one copy enough, as for `walk.layer_kernel.Images`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from regionenum.engine.lanes import LANES, copy8, splat8, store8
from regionenum.engine.policy import inlined, kernel
from regionenum.network.units import Floats, Ints

BLOCK = LANES

# Lines of a table. The first ones have one entry per coordinate z_k (zero behind the last), the others one per row;
# COLUMN + j holds the coefficients of the j-th nonbasic variable.
WITNESS_AT = 0  # the witness, a point strictly inside
POINT_AT = 1  # another known point of the closure
OTHER_AT = 2  # after CUTS, a point strictly inside and beyond the row tested
END_AT = 3  # after CUTS, the vertex beyond it
WORK = 4  # scratch
SCRATCH = 5
UPPER = 6  # upper bound of each row's variable
VALUE = 7  # values at the vertex
COLUMN = 8

# Lines of a label block.
ROW_VAR = 0
ROW_FLIP = 1
COL_VAR = 2
COL_FLIP = 3
PLACE = 4  # of each coordinate: its row, or -1 - its column while it is nonbasic
SIZE = 5  # entries as below
TODO = 6  # scratch
LABELS = 7
N_BASIC, N_ROWS, AGE, DIM, CONE, SURE, EDGE, FREE_LINE = 0, 1, 2, 3, 4, 5, 6, 7
"""Entries of SIZE: rows; pivots since the table was computed from the lines; d; whether the cell is a cone; whether the witness
is sure; after CUTS the column of the edge that crosses; the first line that neither this cell nor one below uses."""
LIKELY = 0
"""Entry of TODO: after DOUBTFUL what is likely."""

# Of a line: the coefficients, zero up to a whole block, and behind them:
CONSTANT, BOUND, LEVEL, PASSED, COARSE, EXTRA = 0, 1, 2, 3, 4, 5
"""Every value of the function in the unit cube, computed as a dot product in any order, is within BOUND of the truth. LEVEL and
PASSED are what `relate` said, but LEVEL is 1 higher, so that 0 is none.
COARSE is 1 if nothing was rounded and all coefficients are multiples of 2^-20, after scaling."""


LPS, PIVOTS, KEPT, SPAN = 0, 1, 2, 3
"""Entries of `DictionaryCells.work`: linear programs and pivots so far; how many lines the walk numbers; from SPAN on the
dimension of the span of each level's rows."""


class DictionaryCells(NamedTuple):
    """A stack of cells."""

    tables: Floats  # (n, lines of a table, width)
    labels: Ints  # (n, LABELS, width)
    lines: Floats  # (n_lines, padded dim + EXTRA)
    system: Floats  # (dim, 2 dim + 1) scratch
    work: Ints  # (SPAN + levels,)


def make_cells(n: int, dim: int, rows: int, lines: int, kept: int, levels: int = 1) -> DictionaryCells:
    """Storage for n cells of at most about `rows` rows; the first `kept` of the lines are numbered by the walk, in levels."""
    width = -(-max(rows, dim + 3, BLOCK) // BLOCK) * BLOCK
    return DictionaryCells(
        tables=np.zeros((n, COLUMN + dim, width)),
        labels=np.zeros((n, LABELS, width), np.int64),
        lines=np.zeros((lines, -(-dim // BLOCK) * BLOCK + EXTRA)),
        system=np.zeros((dim, 2 * dim + 1)),
        work=np.array([0, 0, kept, *(dim for _ in range(levels))]),
    )


def grow_cells(cells: DictionaryCells, n: int, rows: int, lines: int) -> DictionaryCells:
    """The same cells with room for more of them, for longer dictionaries, or for more lines."""
    larger = make_cells(n, len(cells.system), rows, lines, 0, 0)
    for old, new in zip(cells[:3], larger[:3], strict=True):
        new[tuple(slice(size) for size in old.shape)] = old
    return larger._replace(system=cells.system, work=cells.work)


@kernel
def unit_cube(table, label, cone):
    """The cell [0, 1]^d at its vertex 0, with a witness near the centre but in no special position."""
    dim = table.shape[0] - COLUMN
    for k in range(FREE_LINE):
        label[SIZE, k] = 0
    label[SIZE, DIM] = dim
    label[SIZE, CONE] = cone
    label[SIZE, SURE] = 1
    for j in range(dim):
        label[COL_VAR, j] = j
        label[COL_FLIP, j] = 0
        label[PLACE, j] = -1 - j
        spread = (j + 1) * 0.6180339887498949
        table[WITNESS_AT, j] = 0.5 + 0.2 * (spread - np.floor(spread) - 0.5)
        table[POINT_AT, j] = table[WITNESS_AT, j]


@kernel
def copy_cell(table, label, new_table, new_label):
    """Copy one cell."""
    dim, n_rows = label[SIZE, DIM], label[SIZE, N_ROWS]
    for k in range(UPPER, dim + COLUMN):
        source, target = table[k], new_table[k]
        for b in range(0, n_rows, BLOCK):
            copy8(target, b, source)
    for b in range(0, n_rows, BLOCK):
        copy8(new_label[ROW_VAR], b, label[ROW_VAR])
        copy8(new_label[ROW_FLIP], b, label[ROW_FLIP])
    for b in range(0, dim, BLOCK):
        copy8(new_table[WITNESS_AT], b, table[WITNESS_AT])
        copy8(new_table[POINT_AT], b, table[POINT_AT])
        copy8(new_label[COL_VAR], b, label[COL_VAR])
        copy8(new_label[COL_FLIP], b, label[COL_FLIP])
        copy8(new_label[PLACE], b, label[PLACE])
    copy8(new_label[SIZE], 0, label[SIZE])


@inlined
def append_row(table, label):
    """Add an empty pending row and return its index; a new block starts zeroed."""
    i = label[SIZE, N_ROWS]
    if i % BLOCK == 0:
        for k in range(UPPER, table.shape[0]):
            store8(table[k], i, splat8(0.0))
    table[UPPER, i] = np.inf
    label[ROW_FLIP, i] = 0
    label[SIZE, N_ROWS] = i + 1
    return i


@kernel
def swap_rows(table, label, a, b):
    """Exchange the places of two rows; neither may be a coordinate."""
    if a == b:
        return
    for k in range(UPPER, table.shape[0]):
        table[k, a], table[k, b] = table[k, b], table[k, a]
    label[ROW_VAR, a], label[ROW_VAR, b] = label[ROW_VAR, b], label[ROW_VAR, a]
    label[ROW_FLIP, a], label[ROW_FLIP, b] = label[ROW_FLIP, b], label[ROW_FLIP, a]


@inlined
def drop_row(table, label, r):
    """Remove a pending row; the last row takes its place."""
    last = label[SIZE, N_ROWS] - 1
    for k in range(UPPER, table.shape[0]):
        table[k, r] = table[k, last]
        table[k, last] = 0.0
    label[ROW_VAR, r] = label[ROW_VAR, last]
    label[ROW_FLIP, r] = label[ROW_FLIP, last]
    label[SIZE, N_ROWS] = last


@kernel
def express(table, label, line, i):
    """Write the function on a line into row i, in terms of the nonbasic variables."""
    dim = label[SIZE, DIM]
    constant = line[line.shape[0] - EXTRA + CONSTANT]
    for k in range(VALUE, COLUMN + dim):
        table[k, i] = 0.0
    for k in range(dim):
        c = line[k]
        if c == 0.0:
            continue
        p = label[PLACE, k]
        flipped = label[ROW_FLIP, p] if p >= 0 else label[COL_FLIP, -1 - p]
        if flipped:
            constant += c
            c = -c
        if p >= 0:
            for q in range(VALUE, COLUMN + dim):
                table[q, i] += c * table[q, p]
        else:
            table[COLUMN - 1 - p, i] += c
    table[VALUE, i] += constant


@inlined
def vertex_point(table, label, j, length, at):
    """Write the coordinates of the vertex, or of the point at `length` on the edge of column j, into line `at`."""
    for k in range(label[SIZE, DIM]):
        p = label[PLACE, k]
        if p >= 0:
            z = table[VALUE, p]
            if j >= 0:
                z += length * table[COLUMN + j, p]
            flipped = label[ROW_FLIP, p]
        else:
            z = length if -1 - p == j else 0.0
            flipped = label[COL_FLIP, -1 - p]
        table[at, k] = 1.0 - z if flipped else z
