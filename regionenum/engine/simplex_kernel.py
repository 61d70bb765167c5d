"""A cell as a dictionary of the bounded simplex method.

A cell of dimension d is { y in [0, 1]^d : slack_i(y) > 0 for every hyperplane passed so far }. At a vertex of its closure, d
variables (coordinates y_k or slacks) are nonbasic at a bound and every other quantity is affine in them:

    quantity_i = table[0, i] + sum_j table[1 + j, i] * t_j,      t_j >= 0 the j-th nonbasic variable.

Memory: one row of the dictionary is one *column index* i of `table`, so that a pivot adds multiples of contiguous vectors
and its inner loop is as long as the number of rows. Rows are handled in blocks of eight (`BLOCK`); rows past the end are
zero. The box is implicit: a coordinate y_k is a row only while it is basic, with upper bound 1; a coordinate at its upper
bound is replaced by 1 - y_k (`row_flip`, `col_flip`). Rows 0 .. m - 1 are the basic variables, which must stay inside their
bounds; rows m .. total - 1 are *pending*: hyperplanes carried along, which restrict nothing. The last line of `table`,
d + 1, holds every row's value at the witness, and `col_witness` the nonbasic variables' values there.

The walk never copies a dictionary to test a hyperplane: a test moves the vertex, which is harmless, and a hyperplane that
cuts enters the basis by one pivot on the edge that crosses it; the vertex then lies on the hyperplane and is a vertex of
both sides.

Variable numbers: 0 .. d - 1 coordinates; from d on, slacks of hyperplanes (numbered by the walk).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from regionenum.engine.policy import kernel
from regionenum.network.units import Floats, Ints

BLOCK = 8

PIVOT_TOL = 1e-10
"""Dictionary entries below this are taken for zero in the ratio test (rows are normalised)."""
COST_TOL = 1e-12
"""Objective coefficients below this cannot raise the objective by more than the cut tolerance over the unit cube."""
TIE = 1e-13
"""Ratios that differ by less than this tie; the larger pivot element is then preferred."""

OPTIMAL, PASSED, AT_VERTEX, FAILED = 0, 1, 2, 3


class Cells(NamedTuple):
    """Dictionaries of all cells on the stack; the first axis of every array is the cell."""

    table: Floats  # (n, d + 2, capacity)
    row_var: Ints  # (n, capacity); of a pending row: the number of its cut in the layer
    row_upper: Floats  # (n, capacity)
    row_flip: np.ndarray  # (n, capacity) int8
    col_var: Ints  # (n, d)
    col_flip: np.ndarray  # (n, d) int8
    col_witness: Floats  # (n, d)
    n_basic: Ints  # (n,) m
    n_rows: Ints  # (n,) m + pending
    age: Ints  # (n,) pivots since the dictionary was last computed from the original rows
    ratios: Floats  # (capacity,) scratch of the ratio test
    pivots: Ints  # (1,) counter


def make_cells(n: int, dim: int, capacity: int) -> Cells:
    """Zeroed storage for n cells."""
    return Cells(
        table=np.zeros((n, dim + 2, capacity)),
        row_var=np.zeros((n, capacity), np.int64),
        row_upper=np.zeros((n, capacity)),
        row_flip=np.zeros((n, capacity), np.int8),
        col_var=np.zeros((n, dim), np.int64),
        col_flip=np.zeros((n, dim), np.int8),
        col_witness=np.zeros((n, dim)),
        n_basic=np.zeros(n, np.int64),
        n_rows=np.zeros(n, np.int64),
        age=np.zeros(n, np.int64),
        ratios=np.zeros(capacity),
        pivots=np.zeros(1, np.int64),
    )


def grow_cells(old: Cells, n: int, capacity: int) -> Cells:
    """The same cells in larger storage."""
    new = make_cells(n, old.col_var.shape[1], capacity)
    for source, target in zip(old, new, strict=True):
        target[tuple(slice(size) for size in source.shape)] = source
    return new


@kernel
def copy_cell(cells, source, target):
    """Copy one dictionary; rows past its end become zero up to a whole block."""
    n_rows = cells.n_rows[source]
    padded = (n_rows + BLOCK - 1) // BLOCK * BLOCK
    old, new = cells.table[source], cells.table[target]
    for k in range(old.shape[0]):
        for i in range(padded):
            new[k, i] = old[k, i]
    for i in range(n_rows):
        cells.row_var[target, i] = cells.row_var[source, i]
        cells.row_upper[target, i] = cells.row_upper[source, i]
        cells.row_flip[target, i] = cells.row_flip[source, i]
    for j in range(cells.col_var.shape[1]):
        cells.col_var[target, j] = cells.col_var[source, j]
        cells.col_flip[target, j] = cells.col_flip[source, j]
        cells.col_witness[target, j] = cells.col_witness[source, j]
    cells.n_basic[target] = cells.n_basic[source]
    cells.n_rows[target] = n_rows
    cells.age[target] = cells.age[source]


@kernel
def swap_rows(cells, f, a, b):
    """Exchange the places of two rows."""
    if a == b:
        return
    table = cells.table[f]
    for k in range(table.shape[0]):
        table[k, a], table[k, b] = table[k, b], table[k, a]
    cells.row_var[f, a], cells.row_var[f, b] = cells.row_var[f, b], cells.row_var[f, a]
    cells.row_upper[f, a], cells.row_upper[f, b] = cells.row_upper[f, b], cells.row_upper[f, a]
    cells.row_flip[f, a], cells.row_flip[f, b] = cells.row_flip[f, b], cells.row_flip[f, a]


@kernel
def append_row(cells, f):
    """Add an empty pending row and return its index; a new block starts zeroed."""
    i = cells.n_rows[f]
    if i % BLOCK == 0:
        table = cells.table[f]
        for k in range(table.shape[0]):
            for q in range(BLOCK):
                table[k, i + q] = 0.0
    cells.row_upper[f, i] = np.inf
    cells.row_flip[f, i] = 0
    cells.n_rows[f] = i + 1
    return i


@kernel
def drop_row(cells, f, r):
    """Remove a pending row."""
    last = cells.n_rows[f] - 1
    swap_rows(cells, f, r, last)
    table = cells.table[f]
    for k in range(table.shape[0]):
        table[k, last] = 0.0
    cells.n_rows[f] = last


@kernel
def pivot(cells, f, r, j):
    """Row r becomes nonbasic in place of column j, whose variable becomes basic in row r.

    From quantity_r = c_0 + sum_k c_k t_k, with c_j != 0: t_j = (quantity_r - c_0 - sum_(k != j) c_k t_k) / c_j, which is
    put into every other row. The new row keeps the variable's flip; its witness value changes places with column j's.
    """
    table = cells.table[f]
    dim = cells.col_var.shape[1]
    n_rows = cells.n_rows[f]
    entering = table[1 + j]
    inverse = 1.0 / entering[r]
    for k in range(dim + 1):
        if k == 1 + j:
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
    table[dim + 1, r], cells.col_witness[f, j] = cells.col_witness[f, j], table[dim + 1, r]
    cells.row_var[f, r], cells.col_var[f, j] = cells.col_var[f, j], cells.row_var[f, r]
    cells.row_flip[f, r], cells.col_flip[f, j] = cells.col_flip[f, j], cells.row_flip[f, r]
    cells.row_upper[f, r] = 1.0 if cells.row_var[f, r] < dim else np.inf
    cells.age[f] += 1
    cells.pivots[0] += 1


@kernel
def flip_row(cells, f, i):
    """Replace a basic coordinate y by 1 - y."""
    table = cells.table[f]
    last = table.shape[0] - 1
    table[0, i] = 1.0 - table[0, i]
    table[last, i] = 1.0 - table[last, i]
    for k in range(1, last):
        table[k, i] = -table[k, i]
    cells.row_flip[f, i] ^= 1


@kernel
def flip_column(cells, f, j):
    """Move the vertex to the other bound of the nonbasic coordinate of column j: t_j becomes 1 - t_j."""
    table = cells.table[f]
    line, values = table[1 + j], table[0]
    for i in range(cells.n_rows[f]):
        values[i] += line[i]
        line[i] = -line[i]
    cells.col_flip[f, j] ^= 1
    cells.col_witness[f, j] = 1.0 - cells.col_witness[f, j]


@kernel
def negate_column(cells, f, j):
    """Turn the nonbasic slack of column j into its negative: the other side of its hyperplane."""
    line = cells.table[f, 1 + j]
    for i in range(cells.n_rows[f]):
        line[i] = -line[i]
    cells.col_witness[f, j] = -cells.col_witness[f, j]


@kernel
def edge(cells, f, j, bland):
    """Length of the edge along column j and the row that ends it.

    Returns (length, row): row is -1 if the nonbasic coordinate meets its own other bound first. Ties are broken by the
    larger pivot element, under Bland's rule by the smaller variable number.
    """
    table = cells.table[f]
    m = cells.n_basic[f]
    values, line, upper, ratios = table[0], table[1 + j], cells.row_upper[f], cells.ratios
    for b in range(0, m, BLOCK):
        for q in range(BLOCK):
            i = b + q
            c = line[i]
            room = values[i] if c < 0.0 else upper[i] - values[i]
            ratios[i] = max(room, 0.0) / abs(c) if abs(c) > PIVOT_TOL else np.inf
    length = np.inf
    for i in range(m):
        length = min(length, ratios[i])
    own = 1.0 if cells.col_var[f, j] < cells.col_var.shape[1] else np.inf
    if own <= length:
        return own, -1
    best, row = -1.0, -1
    for i in range(m):
        if ratios[i] <= length + TIE:
            merit = 1.0 / (2.0 + cells.row_var[f, i]) if bland else abs(line[i])
            if merit > best:
                best, row = merit, i
    return ratios[row], row


@kernel
def follow(cells, f, j, row):
    """Move the vertex along the edge of column j, which `edge` said is ended by `row`."""
    if row < 0:
        flip_column(cells, f, j)
        return
    if cells.table[f, 1 + j, row] > 0.0:
        flip_row(cells, f, row)
    pivot(cells, f, row, j)


@kernel
def seek(cells, f, r, sign, enough):
    """Maximise sign * row r over the cell by the primal simplex method, stopping as soon as it passes `enough`.

    Returns (status, j, length):
    AT_VERTEX : the present vertex has more than `enough`;
    PASSED : the end of the edge along column j, of that length, has more than `enough`; the vertex is still its start;
    OPTIMAL : the maximum, at the present vertex, is at most `enough`; the coefficients of row r are its dual multipliers;
    FAILED : the pivot limit was met, or a bounded cell looked unbounded: rounding has spoilt the dictionary.

    Dantzig's rule; after 2 d + 8 steps without progress, Bland's rule, which cannot cycle.
    """
    table = cells.table[f]
    dim = cells.col_var.shape[1]
    limit = 50 * (dim + cells.n_basic[f]) + 500
    stalled = 0
    for _ in range(limit):
        value = sign * table[0, r]
        if value > enough:
            return AT_VERTEX, -1, 0.0
        bland = stalled > 2 * dim + 8
        j, best = -1, COST_TOL
        lowest = np.int64(1) << 60
        for k in range(dim):
            c = sign * table[1 + k, r]
            if bland:
                if c > COST_TOL and cells.col_var[f, k] < lowest:
                    j, lowest = k, cells.col_var[f, k]
            elif c > best:
                j, best = k, c
        if j < 0:
            return OPTIMAL, -1, 0.0
        length, row = edge(cells, f, j, bland)
        if not length < np.inf:
            return FAILED, -1, 0.0
        gain = length * sign * table[1 + j, r]
        if value + gain > enough:
            return PASSED, j, length
        stalled = 0 if gain > TIE else stalled + 1
        follow(cells, f, j, row)
    return FAILED, -1, 0.0


@kernel
def move_witness(cells, f, j, length, tau):
    """Move the witness by the fraction tau towards the point at `length` on the edge of column j (j = -1: the vertex)."""
    table = cells.table[f]
    dim = cells.col_var.shape[1]
    witness, values = table[dim + 1], table[0]
    for i in range(cells.n_rows[f]):
        target = values[i] + length * table[1 + j, i] if j >= 0 else values[i]
        witness[i] += tau * (target - witness[i])
    for k in range(dim):
        target = length if k == j else 0.0
        cells.col_witness[f, k] += tau * (target - cells.col_witness[f, k])


@kernel
def recentre(cells, f):
    """Move the witness half way to the centroid of the vertex and its neighbours.

    Proof that it stays strictly inside: the centroid is in the closure, the old witness is inside, so every point of the
    segment between them but the centroid is inside.
    """
    table = cells.table[f]
    dim = cells.col_var.shape[1]
    for j in range(dim):
        length, _ = edge(cells, f, j, False)
        cells.col_witness[f, j] = 0.5 * (cells.col_witness[f, j] + length / (dim + 1))
    witness = table[dim + 1]
    for i in range(cells.n_rows[f]):
        witness[i] = table[0, i]
    for j in range(dim):
        t = cells.col_witness[f, j]
        for i in range(cells.n_rows[f]):
            witness[i] += t * table[1 + j, i]


@kernel
def locate(cells, f, place):
    """place[k] = row of coordinate k, or -1 - column while it is nonbasic."""
    dim = cells.col_var.shape[1]
    for j in range(dim):
        if cells.col_var[f, j] < dim:
            place[cells.col_var[f, j]] = -1 - j
    for i in range(cells.n_basic[f]):
        if cells.row_var[f, i] < dim:
            place[cells.row_var[f, i]] = i


@kernel
def express(cells, f, place, constant, normal, i):
    """Write the function constant + normal . y into row i, in terms of the nonbasic variables."""
    table = cells.table[f]
    dim = cells.col_var.shape[1]
    for q in range(dim + 2):
        table[q, i] = 0.0
    table[0, i] = constant
    table[dim + 1, i] = constant
    for k in range(dim):
        c = normal[k]
        if c == 0.0:
            continue
        p = place[k]
        flipped = cells.row_flip[f, p] if p >= 0 else cells.col_flip[f, -1 - p]
        if flipped:
            table[0, i] += c
            table[dim + 1, i] += c
            c = -c
        if p >= 0:
            for q in range(dim + 2):
                table[q, i] += c * table[q, p]
        else:
            table[-p, i] += c
            table[dim + 1, i] += c * cells.col_witness[f, -1 - p]


@kernel
def witness_point(cells, f, place, point):
    """Coordinates y of the witness; `place` from `locate`."""
    last = cells.table.shape[1] - 1
    for k in range(place.shape[0]):
        p = place[k]
        y = cells.table[f, last, p] if p >= 0 else cells.col_witness[f, -1 - p]
        flipped = cells.row_flip[f, p] if p >= 0 else cells.col_flip[f, -1 - p]
        point[k] = 1.0 - y if flipped else y


@kernel
def unit_cube(cells, f):
    """The cell [0, 1]^d at its vertex 0, with a witness near the centre but in no special position."""
    dim = cells.col_var.shape[1]
    cells.n_basic[f] = 0
    cells.n_rows[f] = 0
    cells.age[f] = 0
    for j in range(dim):
        cells.col_var[f, j] = j
        cells.col_flip[f, j] = 0
        spread = (j + 1) * 0.6180339887498949
        cells.col_witness[f, j] = 0.5 + 0.2 * (spread - np.floor(spread) - 0.5)
