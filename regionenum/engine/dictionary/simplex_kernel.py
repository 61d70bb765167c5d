"""The bounded simplex method on one dictionary (`layout.py`): pivots, edges, and the search for a vertex beyond a row.

The walk never copies a dictionary to test a hyperplane: a test moves the vertex, which is harmless, and a hyperplane
that cuts enters the basis by one pivot on the edge that crosses it; the vertex then lies on the hyperplane and is a
vertex of both sides.

Everything here is ordinary floating point: it finds, and proves nothing.
"""

from __future__ import annotations

import numpy as np

from regionenum.engine.dictionary.layout import (
    AGE,
    BLOCK,
    COL_FLIP,
    COL_VAR,
    COLUMN,
    DIM,
    N_BASIC,
    N_ROWS,
    PLACE,
    ROW_FLIP,
    ROW_VAR,
    SCRATCH,
    SIZE,
    UPPER,
    VALUE,
)
from regionenum.engine.lanes import (
    absolute8,
    add8,
    at_most8,
    counted8,
    divide8,
    larger8,
    least8,
    load8,
    lowest8,
    multiply8,
    multiply_add8,
    negate8,
    smaller8,
    splat8,
    store8,
    subtract8,
    where_less8,
)
from regionenum.engine.policy import kernel

PIVOT_TOL = 1e-10
"""Dictionary entries below this are taken for zero in the ratio test (rows are scaled to about length 1)."""
COST_TOL = 1e-12
"""Objective coefficients below this are not followed: they cannot raise the objective by more over the unit cube."""
TIE = 1e-13
"""Ratios that differ by less than this tie; the larger pivot element is then preferred."""

OPTIMAL, PASSED, AT_VERTEX, FAILED = 0, 1, 2, 3


@kernel
def pivot(table, label, r, j):
    """Row r becomes nonbasic in place of column j, whose variable becomes basic in row r.

    From quantity_r = c_0 + sum_k c_k t_k, with c_j != 0: t_j = (quantity_r - c_0 - sum_(k != j) c_k t_k) / c_j, which
    is put into every other row. Flips go with their variables.
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
        factors = splat8(factor)
        for b in range(0, n_rows, BLOCK):
            store8(line, b, multiply_add8(factors, load8(entering, b), load8(line, b)))
        line[r] = factor
    inverses = splat8(inverse)
    for b in range(0, n_rows, BLOCK):
        store8(entering, b, multiply8(inverses, load8(entering, b)))
    entering[r] = inverse
    label[ROW_VAR, r], label[COL_VAR, j] = label[COL_VAR, j], label[ROW_VAR, r]
    label[ROW_FLIP, r], label[COL_FLIP, j] = label[COL_FLIP, j], label[ROW_FLIP, r]
    if label[COL_VAR, j] < dim:
        label[PLACE, label[COL_VAR, j]] = -1 - j
    if label[ROW_VAR, r] < dim:
        label[PLACE, label[ROW_VAR, r]] = r
        table[UPPER, r] = 1.0
    else:
        table[UPPER, r] = np.inf
    label[SIZE, AGE] += 1


@kernel
def flip_row(table, label, i):
    """Replace a basic coordinate z by 1 - z."""
    table[VALUE, i] = 1.0 - table[VALUE, i]
    for k in range(COLUMN, table.shape[0]):
        table[k, i] = -table[k, i]
    label[ROW_FLIP, i] ^= 1


@kernel
def flip_column(table, label, j):
    """Move the vertex to the other bound of the nonbasic coordinate of column j: t_j becomes 1 - t_j."""
    line, values = table[COLUMN + j], table[VALUE]
    for b in range(0, label[SIZE, N_ROWS], BLOCK):
        step = load8(line, b)
        store8(values, b, add8(load8(values, b), step))
        store8(line, b, negate8(step))
    label[COL_FLIP, j] ^= 1


@kernel
def negate_column(table, label, j):
    """Turn the nonbasic slack of column j into its negative: the other side of its hyperplane."""
    line = table[COLUMN + j]
    for b in range(0, label[SIZE, N_ROWS], BLOCK):
        store8(line, b, negate8(load8(line, b)))
    label[COL_FLIP, j] ^= 1


@kernel
def negate_row(table, label, r):
    """Turn the slack of row r into its negative."""
    for k in range(VALUE, table.shape[0]):
        table[k, r] = -table[k, r]
    label[ROW_FLIP, r] ^= 1


@kernel
def edge(table, label, j, bland):
    """Length of the edge along column j and the row that ends it.

    Returns (length, row): row is -1 if the nonbasic coordinate meets its own other bound first. Ties are broken by the
    larger pivot element, under Bland's rule by the smaller variable number.
    """
    m = label[SIZE, N_BASIC]
    values, line, upper, ratios = table[VALUE], table[COLUMN + j], table[UPPER], table[SCRATCH]
    zero, tolerance, never, end = splat8(0.0), splat8(PIVOT_TOL), splat8(np.inf), splat8(float(m))
    shortest = never
    for b in range(0, m, BLOCK):
        c, value = load8(line, b), load8(values, b)
        room = where_less8(c, zero, value, subtract8(load8(upper, b), value))
        size = absolute8(c)
        ratio = where_less8(tolerance, size, divide8(larger8(room, zero), size), never)
        ratio = where_less8(counted8(b), end, ratio, never)
        store8(ratios, b, ratio)
        shortest = smaller8(shortest, ratio)
    length = least8(shortest)
    own = 1.0 if label[COL_VAR, j] < label[SIZE, DIM] else np.inf
    if own <= length:
        return own, -1
    best, row = -1.0, -1
    for b in range(0, m, BLOCK):
        ties = at_most8(load8(ratios, b), splat8(length + TIE))
        while ties != 0:
            i = b + lowest8(ties)
            ties &= ties - 1
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
    AT_VERTEX : the present vertex has more than `enough`, and had from the start;
    PASSED : the end of the edge along column j, of that length, has more than `enough`, and the vertex, still its start,
        has not;
    OPTIMAL : the maximum, at the present vertex, is at most `enough`; row r holds the multipliers;
    FAILED : the pivot limit was met, or a bounded cell looked unbounded: rounding has spoilt the dictionary.

    All of this as far as the dictionary goes, which rounds. Dantzig's rule; after 2 d + 8 steps without progress, Bland's
    rule, which cannot cycle.
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
