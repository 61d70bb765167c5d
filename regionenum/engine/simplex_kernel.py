"""A cell as a dictionary of the bounded simplex method.

A cell of dimension d is { y in [0, 1]^d : slack_i(y) > 0 for every hyperplane passed so far }. At a vertex of its
closure, d variables (coordinates y_k or slacks) are nonbasic at a bound and every other quantity is affine in them:

    quantity_i = values[i] + sum_j column_j[i] t_j,      t_j >= 0 the j-th nonbasic variable.

The box is implicit: a coordinate y_k is a row only while it is basic, with upper bound 1; a coordinate at its upper
bound is replaced by 1 - y_k ("flipped"). Rows 0 .. n_basic - 1 are the basic variables, which must stay inside their
bounds; rows n_basic .. n_rows - 1 are *pending*: hyperplanes carried along, which restrict nothing.

Memory: a cell is one block of float64 lines (`table`) and one of int64 lines (`label`), with one entry per row in most
lines. A row of the dictionary is thus one position in all lines, a pivot adds multiples of contiguous lines, and its
inner loop is as long as the number of rows. Lines are handled in blocks of eight (`BLOCK`), which a compiler unrolls
into vector instructions; entries past the last row are zero up to a whole block. Only two arrays are passed from
kernel to kernel.

The walk never copies a dictionary to test a hyperplane: a test moves the vertex, which is harmless, and a hyperplane
that cuts enters the basis by one pivot on the edge that crosses it; the vertex then lies on the hyperplane and is a
vertex of both sides.

A cell of the whole space is a cone (CONE = 1): all hyperplanes pass through its apex, where a row is 0 without doubt.

Variable numbers: 0 .. d - 1 coordinates; from d on, slacks of hyperplanes (numbered by the walk).
"""

from __future__ import annotations

import numpy as np

from regionenum.engine.policy import kernel
from regionenum.network.units import Floats, Ints

BLOCK = 8

# Lines of a table. COLUMN + j holds the coefficients of the j-th nonbasic variable.
UPPER = 0  # upper bound of each row's variable
SCRATCH = 1
COLUMN_WITNESS = 2  # one entry per column: the nonbasic variables' values at the witness
POINT = 3  # values at another known point of the closure
WITNESS = 4  # values at the witness, a point strictly inside
VALUE = 5  # values at the vertex
COLUMN = 6

# Lines of a label block.
ROW_VAR = 0  # variable of each basic row; cut number of each pending row
ROW_FLIP = 1
COL_VAR = 2
COL_FLIP = 3
PLACE = 4  # see `locate`
SIZE = 5  # entries N_BASIC, N_ROWS, AGE, DIM, CONE
LABELS = 6
N_BASIC, N_ROWS, AGE, DIM, CONE = 0, 1, 2, 3, 4
SIZES = 5

PIVOT_TOL = 1e-10
"""Dictionary entries below this are taken for zero in the ratio test (rows are normalised)."""
COST_TOL = 1e-12
"""Objective coefficients below this cannot raise the objective by more than the cut tolerance over the unit cube."""
TIE = 1e-13
"""Ratios that differ by less than this tie; the larger pivot element is then preferred."""

OPTIMAL, PASSED, AT_VERTEX, FAILED = 0, 1, 2, 3


def make_cells(n: int, dim: int, capacity: int) -> tuple[Floats, Ints]:
    """Storage for n cells of at most about `capacity` rows: tables (n, lines, width) and labels (n, LABELS, width)."""
    width = -(-max(capacity, dim, BLOCK) // BLOCK) * BLOCK
    return np.zeros((n, COLUMN + dim, width)), np.zeros((n, LABELS, width), np.int64)


@kernel
def unit_cube(table, label):
    """The cell [0, 1]^d at its vertex 0, with a witness near the centre but in no special position."""
    dim = table.shape[0] - COLUMN
    label[SIZE, N_BASIC] = 0
    label[SIZE, N_ROWS] = 0
    label[SIZE, AGE] = 0
    label[SIZE, DIM] = dim
    label[SIZE, CONE] = 0
    for j in range(dim):
        label[COL_VAR, j] = j
        label[COL_FLIP, j] = 0
        spread = (j + 1) * 0.6180339887498949
        table[COLUMN_WITNESS, j] = 0.5 + 0.2 * (spread - np.floor(spread) - 0.5)


@kernel
def copy_cell(table, label, new_table, new_label):
    """Copy one cell."""
    dim, n_rows = label[SIZE, DIM], label[SIZE, N_ROWS]
    for k in range(dim + COLUMN):
        for b in range(0, n_rows, BLOCK):
            for q in range(BLOCK):
                new_table[k, b + q] = table[k, b + q]
    for i in range(n_rows):
        new_label[ROW_VAR, i] = label[ROW_VAR, i]
        new_label[ROW_FLIP, i] = label[ROW_FLIP, i]
    for j in range(dim):
        new_table[COLUMN_WITNESS, j] = table[COLUMN_WITNESS, j]
        new_label[COL_VAR, j] = label[COL_VAR, j]
        new_label[COL_FLIP, j] = label[COL_FLIP, j]
    for k in range(SIZES):
        new_label[SIZE, k] = label[SIZE, k]


@kernel
def append_row(table, label):
    """Add an empty pending row and return its index; a new block starts zeroed."""
    i = label[SIZE, N_ROWS]
    if i % BLOCK == 0:
        for k in range(table.shape[0]):
            if k != COLUMN_WITNESS:
                for q in range(BLOCK):
                    table[k, i + q] = 0.0
    table[UPPER, i] = np.inf
    label[ROW_FLIP, i] = 0
    label[SIZE, N_ROWS] = i + 1
    return i


@kernel
def swap_rows(table, label, a, b):
    """Exchange the places of two rows."""
    if a == b:
        return
    for k in range(table.shape[0]):
        if k != COLUMN_WITNESS:
            table[k, a], table[k, b] = table[k, b], table[k, a]
    label[ROW_VAR, a], label[ROW_VAR, b] = label[ROW_VAR, b], label[ROW_VAR, a]
    label[ROW_FLIP, a], label[ROW_FLIP, b] = label[ROW_FLIP, b], label[ROW_FLIP, a]


@kernel
def drop_row(table, label, r):
    """Remove a pending row; the last row takes its place."""
    last = label[SIZE, N_ROWS] - 1
    for k in range(table.shape[0]):
        if k != COLUMN_WITNESS:
            table[k, r] = table[k, last]
            table[k, last] = 0.0
    label[ROW_VAR, r] = label[ROW_VAR, last]
    label[ROW_FLIP, r] = label[ROW_FLIP, last]
    label[SIZE, N_ROWS] = last


@kernel
def pivot(table, label, r, j):
    """Row r becomes nonbasic in place of column j, whose variable becomes basic in row r.

    From quantity_r = c_0 + sum_k c_k t_k, with c_j != 0: t_j = (quantity_r - c_0 - sum_(k != j) c_k t_k) / c_j, which
    is put into every other row. Flips and values at the witness go with their variables.
    """
    dim, n_rows = label[SIZE, DIM], label[SIZE, N_ROWS]
    entering = table[COLUMN + j]
    inverse = 1.0 / entering[r]
    for k in range(VALUE, COLUMN + dim):
        if k == COLUMN + j:
            continue
        line = table[k]
        factor = -line[r] * inverse
        if factor == 0.0:
            continue
        for b in range(0, n_rows, BLOCK):
            for q in range(BLOCK):
                line[b + q] += factor * entering[b + q]
        line[r] = factor
    for b in range(0, n_rows, BLOCK):
        for q in range(BLOCK):
            entering[b + q] *= inverse
    entering[r] = inverse
    table[WITNESS, r], table[COLUMN_WITNESS, j] = table[COLUMN_WITNESS, j], table[WITNESS, r]
    label[ROW_VAR, r], label[COL_VAR, j] = label[COL_VAR, j], label[ROW_VAR, r]
    label[ROW_FLIP, r], label[COL_FLIP, j] = label[COL_FLIP, j], label[ROW_FLIP, r]
    table[UPPER, r] = 1.0 if label[ROW_VAR, r] < dim else np.inf
    label[SIZE, AGE] += 1


@kernel
def flip_row(table, label, i):
    """Replace a basic coordinate y by 1 - y."""
    table[VALUE, i] = 1.0 - table[VALUE, i]
    table[WITNESS, i] = 1.0 - table[WITNESS, i]
    for k in range(COLUMN, table.shape[0]):
        table[k, i] = -table[k, i]
    label[ROW_FLIP, i] ^= 1


@kernel
def flip_column(table, label, j):
    """Move the vertex to the other bound of the nonbasic coordinate of column j: t_j becomes 1 - t_j."""
    line, values = table[COLUMN + j], table[VALUE]
    for i in range(label[SIZE, N_ROWS]):
        values[i] += line[i]
        line[i] = -line[i]
    label[COL_FLIP, j] ^= 1
    table[COLUMN_WITNESS, j] = 1.0 - table[COLUMN_WITNESS, j]


@kernel
def negate_column(table, label, j):
    """Turn the nonbasic slack of column j into its negative: the other side of its hyperplane."""
    line = table[COLUMN + j]
    for b in range(0, label[SIZE, N_ROWS], BLOCK):
        for q in range(BLOCK):
            line[b + q] = -line[b + q]
    table[COLUMN_WITNESS, j] = -table[COLUMN_WITNESS, j]


@kernel
def edge(table, label, j, bland):
    """Length of the edge along column j and the row that ends it.

    Returns (length, row): row is -1 if the nonbasic coordinate meets its own other bound first. Ties are broken by the
    larger pivot element, under Bland's rule by the smaller variable number.
    """
    m = label[SIZE, N_BASIC]
    values, line, upper, ratios = table[VALUE], table[COLUMN + j], table[UPPER], table[SCRATCH]
    length = np.inf
    for b in range(0, m, BLOCK):
        for q in range(BLOCK):
            c = line[b + q]
            room = values[b + q] if c < 0.0 else upper[b + q] - values[b + q]
            ratios[b + q] = max(room, 0.0) / abs(c) if abs(c) > PIVOT_TOL else np.inf
    for i in range(m):
        length = min(length, ratios[i])
    own = 1.0 if label[COL_VAR, j] < label[SIZE, DIM] else np.inf
    if own <= length:
        return own, -1
    best, row = -1.0, -1
    for i in range(m):
        if ratios[i] <= length + TIE:
            merit = 1.0 / (2.0 + label[ROW_VAR, i]) if bland else abs(line[i])
            if merit > best:
                best, row = merit, i
    return ratios[row], row


@kernel
def follow(table, label, j, row):
    """Move the vertex along the edge of column j, which `edge` said is ended by `row`."""
    if row < 0:
        flip_column(table, label, j)
        return
    if table[COLUMN + j, row] > 0.0:
        flip_row(table, label, row)
    pivot(table, label, row, j)


@kernel
def seek(table, label, r, sign, enough):
    """Maximise sign * row r over the cell by the primal simplex method, stopping as soon as it passes `enough`.

    Returns (status, j, length):
    AT_VERTEX : the present vertex has more than `enough`;
    PASSED : the end of the edge along column j, of that length, has more than `enough`; the vertex is still its start;
    OPTIMAL : the maximum, at the present vertex, is at most `enough`; row r holds its dual multipliers;
    FAILED : the pivot limit was met, or a bounded cell looked unbounded: rounding has spoilt the dictionary.

    Dantzig's rule; after 2 d + 8 steps without progress, Bland's rule, which cannot cycle.
    """
    dim = label[SIZE, DIM]
    stalled = 0
    for _ in range(50 * (dim + label[SIZE, N_BASIC]) + 500):
        value = sign * table[VALUE, r]
        if value > enough:
            return AT_VERTEX, -1, 0.0
        bland = stalled > 2 * dim + 8
        j, best = -1, COST_TOL
        lowest = np.int64(1) << 60
        for k in range(dim):
            c = sign * table[COLUMN + k, r]
            if bland:
                if c > COST_TOL and label[COL_VAR, k] < lowest:
                    j, lowest = k, label[COL_VAR, k]
            elif c > best:
                j, best = k, c
        if j < 0:
            return OPTIMAL, -1, 0.0
        length, row = edge(table, label, j, bland)
        if not length < np.inf:
            return FAILED, -1, 0.0
        gain = length * sign * table[COLUMN + j, r]
        if value + gain > enough:
            return PASSED, j, length
        stalled = 0 if gain > TIE else stalled + 1
        follow(table, label, j, row)
    return FAILED, -1, 0.0


@kernel
def move_witness(table, label, j, length, tau):
    """Move the witness by the fraction tau towards a point of the edge of column j, or the vertex if j is -1."""
    witness, values = table[WITNESS], table[VALUE]
    for i in range(label[SIZE, N_ROWS]):
        target = values[i] + length * table[COLUMN + j, i] if j >= 0 else values[i]
        witness[i] += tau * (target - witness[i])
    for k in range(label[SIZE, DIM]):
        target = length if k == j else 0.0
        table[COLUMN_WITNESS, k] += tau * (target - table[COLUMN_WITNESS, k])


@kernel
def recentre(table, label):
    """Move the witness half way to the centroid of the vertex and its neighbours.

    Proof that it stays strictly inside: the centroid is in the closure, the old witness is inside, so every point of
    the segment between them but the centroid is inside.
    """
    dim = label[SIZE, DIM]
    for j in range(dim):
        length, _ = edge(table, label, j, False)
        table[COLUMN_WITNESS, j] = 0.5 * (table[COLUMN_WITNESS, j] + length / (dim + 1))
    witness = table[WITNESS]
    for i in range(label[SIZE, N_ROWS]):
        witness[i] = table[VALUE, i]
    for j in range(dim):
        t = table[COLUMN_WITNESS, j]
        for i in range(label[SIZE, N_ROWS]):
            witness[i] += t * table[COLUMN + j, i]


@kernel
def locate(label):
    """Fill line PLACE: the row of each coordinate, or -1 - column while it is nonbasic."""
    dim = label[SIZE, DIM]
    for j in range(dim):
        if label[COL_VAR, j] < dim:
            label[PLACE, label[COL_VAR, j]] = -1 - j
    for i in range(label[SIZE, N_BASIC]):
        if label[ROW_VAR, i] < dim:
            label[PLACE, label[ROW_VAR, i]] = i


@kernel
def express(table, label, constant, normal, i):
    """Write the function constant + normal . y into row i, in terms of the nonbasic variables; needs `locate`."""
    dim = label[SIZE, DIM]
    for k in range(WITNESS, COLUMN + dim):
        table[k, i] = 0.0
    for k in range(dim):
        c = normal[k]
        if c == 0.0:
            continue
        p = label[PLACE, k]
        flipped = label[ROW_FLIP, p] if p >= 0 else label[COL_FLIP, -1 - p]
        if flipped:
            constant += c
            c = -c
        if p >= 0:
            for q in range(WITNESS, COLUMN + dim):
                table[q, i] += c * table[q, p]
        else:
            table[COLUMN - 1 - p, i] += c
            table[WITNESS, i] += c * table[COLUMN_WITNESS, -1 - p]
    table[VALUE, i] += constant
    table[WITNESS, i] += constant
    table[POINT, i] = table[WITNESS, i]


@kernel
def witness_point(table, label, point):
    """Write the coordinates y of the witness; needs `locate`."""
    for k in range(label[SIZE, DIM]):
        p = label[PLACE, k]
        y = table[WITNESS, p] if p >= 0 else table[COLUMN_WITNESS, -1 - p]
        flipped = label[ROW_FLIP, p] if p >= 0 else label[COL_FLIP, -1 - p]
        point[k] = 1.0 - y if flipped else y
