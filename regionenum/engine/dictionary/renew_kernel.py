"""A dictionary computed afresh from its lines, to shed the rounding of many pivots."""

from __future__ import annotations

from regionenum.engine.dictionary.layout import (
    AGE,
    COL_FLIP,
    COL_VAR,
    COLUMN,
    CONSTANT,
    DIM,
    EXTRA,
    N_BASIC,
    N_ROWS,
    ROW_FLIP,
    ROW_VAR,
    SIZE,
    VALUE,
)
from regionenum.engine.policy import kernel

SINGULAR = 1e-12
"""A basis whose elimination meets a pivot below this is given up (lines are scaled)."""
INFEASIBLE = 1e-9
"""A basic variable below minus this, once computed afresh, shows that the basis is no vertex of the cell."""


@kernel
def _coefficient(lines, dim, variable, flipped, k):
    """Coefficient k of a variable as a function of z."""
    c = (1.0 if k == variable else 0.0) if variable < dim else lines[variable - dim, k]
    return -c if flipped else c


@kernel
def _constant(lines, dim, variable, flipped):
    """Constant of a variable as a function of z."""
    if variable < dim:
        return 1.0 if flipped else 0.0
    c = lines[variable - dim, lines.shape[1] - EXTRA + CONSTANT]
    return -c if flipped else c


@kernel
def renew(table, label, lines, system):
    """Recompute every entry of a dictionary from the lines and the choice of nonbasic variables.

    With N z + n = t for the nonbasic variables, z = N^-1 (t - n); a row c + g . z then has the coefficients g N^-1 and
    the constant c - g N^-1 n. `system` : (dim, 2 dim + 1) scratch. Returns False if the basis is singular, or no vertex.
    """
    dim = label[SIZE, DIM]
    for j in range(dim):
        variable, flipped = label[COL_VAR, j], label[COL_FLIP, j]
        for k in range(dim):
            system[j, k] = _coefficient(lines, dim, variable, flipped, k)
            system[j, dim + k] = 1.0 if k == j else 0.0
        system[j, 2 * dim] = -_constant(lines, dim, variable, flipped)
    if not _solve(system, dim):
        return False
    feasible = True
    for i in range(label[SIZE, N_ROWS]):
        variable, flipped = label[ROW_VAR, i], label[ROW_FLIP, i]
        for j in range(dim + 1):
            at = dim + j
            total = _constant(lines, dim, variable, flipped) if j == dim else 0.0
            for k in range(dim):
                total += _coefficient(lines, dim, variable, flipped, k) * system[k, at]
            table[VALUE if j == dim else COLUMN + j, i] = total
        if i < label[SIZE, N_BASIC] and table[VALUE, i] < -INFEASIBLE:
            feasible = False
    label[SIZE, AGE] = 0
    return feasible


@kernel
def _solve(system, dim):
    """Gauss-Jordan elimination with partial pivoting of the first `dim` columns; False if a pivot is tiny."""
    for k in range(dim):
        best = k
        for i in range(k + 1, dim):
            if abs(system[i, k]) > abs(system[best, k]):
                best = i
        if abs(system[best, k]) < SINGULAR:
            return False
        if best != k:
            for q in range(2 * dim + 1):
                system[k, q], system[best, q] = system[best, q], system[k, q]
        inverse = 1.0 / system[k, k]
        for q in range(2 * dim + 1):
            system[k, q] *= inverse
        for i in range(dim):
            factor = system[i, k]
            if i != k and factor != 0.0:
                for q in range(2 * dim + 1):
                    system[i, q] -= factor * system[k, q]
    return True
