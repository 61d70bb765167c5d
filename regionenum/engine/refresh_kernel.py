"""A dictionary computed afresh from the original rows, to shed the rounding of many pivots."""

from __future__ import annotations

from regionenum.engine.layer_kernel import norm, read_cut, read_difference, scale_normal
from regionenum.engine.policy import kernel
from regionenum.engine.simplex_kernel import (
    AGE,
    COL_FLIP,
    COL_VAR,
    COLUMN,
    COLUMN_WITNESS,
    N_BASIC,
    N_ROWS,
    ROW_FLIP,
    ROW_VAR,
    SIZE,
    VALUE,
    WITNESS,
)
from regionenum.engine.tables import CUT, UNIT

SINGULAR = 1e-12
"""A basis whose elimination meets a pivot below this is given up (its rows are normalised)."""


@kernel
def _layer_of(at, column, entry):
    """The layer to whose part of an array an entry belongs."""
    layer = 0
    while entry >= at[layer + 1, column]:
        layer += 1
    return layer


@kernel
def variable_row(tables, images, variable, flipped, normal):
    """Original row of a variable, as a function of y: writes its normal and returns its constant.

    Slacks are scaled to distances and oriented so that they are positive on the present cell.
    """
    at, dim = tables.at, tables.dim
    if variable < dim:
        for k in range(dim):
            normal[k] = 0.0
        normal[variable] = -1.0 if flipped else 1.0
        return 1.0 if flipped else 0.0
    c = variable - dim
    if c < at[-1, CUT]:
        sign = 1.0 if images.cut_side[c] == 1 else -1.0
        return cut_row(tables, images, c, sign, normal)
    units, member = tables.units, c - at[-1, CUT]
    u = units.member_unit[member]
    winner = units.member_row[units.member[u] + images.winner[u]]
    layer = _layer_of(at, UNIT, u)
    constant, _ = read_difference(at, images, layer, winner, units.member_row[member], normal)
    return scale_normal(constant, normal, 1.0 / norm(normal))


@kernel
def cut_row(tables, images, c, sign, normal):
    """The row of a cut minus its breakpoint, times sign, scaled to a distance."""
    layer = _layer_of(tables.at, CUT, c)
    constant, _ = read_cut(tables, images, layer, c, normal)
    return scale_normal(constant, normal, sign / norm(normal))


@kernel
def refresh(tables, images, table, label, normal, system):
    """Recompute every entry of a dictionary from the original rows and the choice of nonbasic variables.

    With N y + n = t for the nonbasic variables, y = N^-1 (t - n); a row c + g . y then has the coefficients g N^-1 and
    the constant c - g N^-1 n. `system` : (dim, 2 dim + 1) scratch. Returns False if the basis is singular.
    """
    dim = tables.dim
    for j in range(dim):
        constant = variable_row(tables, images, label[COL_VAR, j], label[COL_FLIP, j], normal)
        for k in range(dim):
            system[j, k] = normal[k]
            system[j, dim + k] = 1.0 if k == j else 0.0
        system[j, 2 * dim] = -constant
    if not _solve(system, dim):
        return False
    for i in range(label[SIZE, N_ROWS]):
        variable = label[ROW_VAR, i]
        if i < label[SIZE, N_BASIC]:
            constant = variable_row(tables, images, variable, label[ROW_FLIP, i], normal)
        else:
            constant = cut_row(tables, images, variable, 1.0, normal)
        for k in range(dim):
            constant += normal[k] * system[k, 2 * dim]
        table[VALUE, i] = constant
        table[WITNESS, i] = constant
        for j in range(dim):
            coefficient = 0.0
            for k in range(dim):
                coefficient += normal[k] * system[k, dim + j]
            table[COLUMN + j, i] = coefficient
            table[WITNESS, i] += coefficient * table[COLUMN_WITNESS, j]
    label[SIZE, AGE] = 0
    return True


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
