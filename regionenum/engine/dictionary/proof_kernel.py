"""What is proved about a cell, from the functions on its lines alone: no drift of a dictionary matters here.

A line holds a function g with an error bound B, such that every value of g in the unit cube, computed as a dot product
in any order, is within B of the truth (`scaled_line`). Two proofs are made of this.

*Inside.* A point z with 0 < z_k < END and g(z) > B for every constraint g > 0 of the cell is strictly inside it.

*Does not reach.* Let h be the row in question, g_i the constraints, and l_i >= 0 any numbers, for example the
multipliers of a final basis, as they are in floating point. On the cell h <= h + sum l_i g_i = f, and f is at most

    f_0 + sum_k max(f_k, 0) + B_h + sum l_i B_i

in the unit cube. If this is not positive, h is negative on the whole open cell, however wrong the l_i are
(Neumaier and Shcherbina, Safe bounds in linear and mixed-integer linear programming, Mathematical Programming 2004; Jansson,
SIAM Journal on Optimization 2004). A hyperplane that only touches the cell cannot be proved to this way.
"""

from __future__ import annotations

import math

import numpy as np

from regionenum.engine.dictionary.layout import (
    BLOCK,
    BOUND,
    COARSE,
    COL_FLIP,
    COL_VAR,
    COLUMN,
    CONE,
    CONSTANT,
    DIM,
    EXTRA,
    LEVEL,
    N_BASIC,
    PASSED,
    PLACE,
    ROW_FLIP,
    ROW_VAR,
    SIZE,
    SPAN,
    SURE,
    VALUE,
    WITNESS_AT,
    WORK,
)
from regionenum.engine.dictionary.simplex_kernel import COST_TOL
from regionenum.engine.lanes import add8, copy8, larger8, load8, multiply8, multiply_add8, splat8, store8, sum8
from regionenum.engine.policy import inlined, kernel
from regionenum.engine.tables import UNIT_ROUNDOFF

END = 1.0 - 2.0**-51
"""Coordinates beyond this are not believed to be in the cube: where the width of a domain was rounded, it may end before 1."""


COARSEST, MOST = 2.0**20, 2.0**8
"""COARSE lines have multiples of 1 / COARSEST as coefficients, and a constant of at most MOST."""
STEPS, TOTAL = 2.0**12, 2.0**9
"""Multipliers of coarse lines are rounded to multiples of 1 / STEPS, and may add up to TOTAL."""
WIDEST = 2048
"""Most dimensions in which coefficients up to TOTAL + 1, multiples of 1 / (COARSEST STEPS), are added without rounding."""


@inlined
def _is_coarse(value):
    """Whether a number is a multiple of 1 / COARSEST."""
    return value * COARSEST == np.rint(value * COARSEST)


@kernel
def scaled_line(line, constant, normal, error):
    """Write constant + normal . z, known up to `error` in the unit cube, times a power of two.

    The largest coefficient gets a magnitude in [1/2, 1); the scaling does not round, unless what is lost is below 2^-1000
    of that. A combination of m lines with multipliers l_i, its coefficients summed to a bound over the cube, takes at
    most 2 d + 3 roundings of any term, so it errs by at most (2 d + 3) u sum l_i |g_i|_1 (1 + O(d u)), as does a value in
    the cube; BOUND has 2 d + 16, and a spare of 2^-20 for its own rounding.
    """
    dim, pad = normal.shape[0], line.shape[0] - EXTRA
    # of what is given: a scaled one may have vanished
    coarse, has_constant = error == 0.0, constant != 0.0
    largest = 0.0
    for k in range(dim):
        largest = max(largest, abs(normal[k]))
    exponent = math.frexp(largest)[1]
    if -1000 < exponent < 1000:
        scale = math.ldexp(1.0, -exponent)
        for k in range(dim):
            line[k] = normal[k] * scale
        constant *= scale
        error *= scale
    else:
        for k in range(dim):
            line[k] = math.ldexp(normal[k], -exponent)
        constant = math.ldexp(constant, -exponent)
        error = math.ldexp(error, -exponent) + 2.0**-1000
    size = abs(constant)
    for k in range(dim):
        size += abs(line[k])
    coarse = coarse and abs(constant) <= MOST and _is_coarse(constant) and has_constant == (constant != 0.0)
    for k in range(dim):
        coarse = coarse and _is_coarse(line[k]) and (line[k] != 0.0 or normal[k] == 0.0)
    line[pad + COARSE] = 1.0 if coarse else 0.0
    line[pad + CONSTANT] = constant
    line[pad + BOUND] = (error + (2 * dim + 16) * UNIT_ROUNDOFF * size + 2.0**-1000) * (1.0 + 2.0**-20)


@inlined
def value_at(line, point):
    """Value of the function on a line at a point of the cube, to within its BOUND; `point` is 0 behind its last entry."""
    pad = line.shape[0] - EXTRA
    total = multiply8(load8(line, 0), load8(point, 0))
    for k in range(BLOCK, pad, BLOCK):
        total = multiply_add8(load8(line, k), load8(point, k), total)
    return line[pad + CONSTANT] + sum8(total)


@inlined
def is_inside(table, label, lines, at):
    """Whether the point in table line `at` is proved to be strictly inside the cell."""
    dim, bound = label[SIZE, DIM], lines.shape[1] - EXTRA + BOUND
    point = table[at]
    for k in range(dim):
        if point[k] <= 0.0 or point[k] >= END:
            return False
    for i in range(label[SIZE, N_BASIC]):
        if label[ROW_VAR, i] >= dim:
            line = lines[label[ROW_VAR, i] - dim]
            value = value_at(line, point)
            if label[ROW_FLIP, i] == 1:
                value = -value
            if value <= line[bound]:
                return False
    for j in range(dim):
        if label[COL_VAR, j] >= dim:
            line = lines[label[COL_VAR, j] - dim]
            value = value_at(line, point)
            if label[COL_FLIP, j] == 1:
                value = -value
            if value <= line[bound]:
                return False
    return True


@inlined
def move_witness(table, label, at):
    """Make the point in table line `at`, which is inside the cell, the witness."""
    label[SIZE, SURE] = 1
    for k in range(0, label[SIZE, DIM], BLOCK):
        copy8(table[WITNESS_AT], k, table[at])


@inlined
def _combine(table, label, lines, r, sign):
    """Write f of "does not reach" for h = sign * row r into table line WORK; returns (f_0, bound on the error of f)."""
    dim, pad = label[SIZE, DIM], lines.shape[1] - EXTRA
    line, f = lines[label[ROW_VAR, r] - dim], table[WORK]
    for k in range(0, pad, BLOCK):
        store8(f, k, multiply8(splat8(sign), load8(line, k)))
    constant, bound = sign * line[pad + CONSTANT], line[pad + BOUND]
    for j in range(dim):
        multiplier = -sign * table[COLUMN + j, r]
        variable = label[COL_VAR, j]
        if multiplier <= COST_TOL or variable < dim:
            continue
        line = lines[variable - dim]
        bound += multiplier * line[pad + BOUND]
        if label[COL_FLIP, j] == 1:
            multiplier = -multiplier
        constant += multiplier * line[pad + CONSTANT]
        for k in range(0, pad, BLOCK):
            store8(f, k, multiply_add8(splat8(multiplier), load8(line, k), load8(f, k)))
    return constant, bound


@inlined
def does_not_reach(table, label, lines, work, r, sign):
    """Whether sign * row r is proved to be negative on the cell, by the multipliers that the row has in the dictionary."""
    constant, bound = _combine(table, label, lines, r, sign)
    ups = splat8(0.0)
    for k in range(0, label[SIZE, DIM], BLOCK):
        ups = add8(ups, larger8(load8(table[WORK], k), splat8(0.0)))
    top = constant + sum8(ups)
    if top + bound <= 0.0:
        return True
    if top <= 1e-6 and _is_flush(table, label, lines, r, sign):
        return True
    return label[SIZE, CONE] == 1 and top <= 1e-6 and _only_at_apex(table, label, lines, work, r, sign, bound)


@kernel
def _is_flush(table, label, lines, r, sign):
    """Whether sign * row r is proved to be negative on the open cell, though 0 on its closure, by numbers that do not round.

    The row and the lines with a multiplier are coarse, and the multipliers are made so: any l >= 0 will do. Then all
    coefficients of f are multiples of 2^-32 and smaller than 2^10, its constant than 2^18, and so float64 has them, and the
    bound of f over the cube of at most WIDEST dimensions, exactly, in any order. If that is at most 0, h <= -sum l_i g_i < 0
    where all g_i > 0; if there is no multiplier, h = f is not constant and at most 0 on the closed cube, hence negative in
    the open one.
    """
    dim, pad = label[SIZE, DIM], lines.shape[1] - EXTRA
    line, f = lines[label[ROW_VAR, r] - dim], table[WORK]
    if line[pad + COARSE] == 0.0 or dim > WIDEST:
        return False
    constant, total = sign * line[pad + CONSTANT], 0.0
    for k in range(dim):
        f[k] = sign * line[k]
    for j in range(dim):
        variable = label[COL_VAR, j]
        multiplier = np.rint(-sign * table[COLUMN + j, r] * STEPS) / STEPS
        if variable < dim or multiplier <= 0.0:
            continue
        line = lines[variable - dim]
        total += multiplier
        if line[pad + COARSE] == 0.0 or total > TOTAL:
            return False
        if label[COL_FLIP, j] == 1:
            multiplier = -multiplier
        constant += multiplier * line[pad + CONSTANT]
        for k in range(dim):
            f[k] += multiplier * line[k]
    top = constant
    for k in range(dim):
        top += max(f[k], 0.0)
    return top <= 0.0


@kernel
def _only_at_apex(table, label, lines, work, r, sign, bound):
    """Whether sign * row r is proved to be negative on an open cone, its maximum being 0 and attained at the apex.

    In the coordinates p = (2 z_0 - 1, .., 2 z_(d-2) - 1, t) all rows are linear. Let A p be the slacks of the nonbasic
    variables, all of them 0 at the apex, and l > 0 the multipliers, so that h = -l . A p + rho . p, where |rho|_1 <= e is
    the residual and its error bound. For R, the dictionary's A^-1, with |I - R A| <= 1/2 in the maximum norm,
    |p| <= 2 |R| max (A p), hence h <= -(min l - 2 e |R|) max (A p), which is negative wherever A p >= 0 is not 0.
    The errors of A are accounted for in |I - R A|.

    Some multipliers may be 0 for a reason: if the cell's map to the layer before has a smaller rank, h lies in the span U of
    its outputs and of t, and so may the rows S with l > 0. If these are as many as U has dimensions, they are a basis of it,
    and rho is a combination of them as well, with coefficients of at most 2 e |R|. So h <= -sum_S (l_j - 2 e |R|) (A p)_j,
    which is negative where all rows are positive.
    """
    dim, pad = label[SIZE, DIM], lines.shape[1] - EXTRA
    least, worst, largest = 1e300, 0.0, 0.0
    for j in range(dim):
        largest = max(largest, -sign * table[COLUMN + j, r])
    level = lines[label[ROW_VAR, r] - dim, pad + LEVEL]
    n_strong, all_in_span, residual = 0, level > 0.0, bound
    for j in range(dim):
        variable = label[COL_VAR, j]
        if variable < dim and (variable != dim - 1 or label[COL_FLIP, j] == 1):
            return False
        multiplier = -sign * table[COLUMN + j, r]
        is_strong = multiplier > WEAK * largest
        if is_strong:
            n_strong += 1
            least = min(least, multiplier)
        elif variable >= dim and multiplier > COST_TOL:
            # `_combine` has it in f, where it does not belong: no coefficient of a line is above 1
            residual += multiplier * dim
        if variable >= dim:
            worst = max(worst, lines[variable - dim, pad + BOUND])
            if is_strong:
                line = lines[variable - dim]
                is_own = line[pad + LEVEL] == level
                all_in_span = all_in_span and (
                    is_own or (line[pad + LEVEL] == level - 1.0 and line[pad + PASSED] == 1.0)
                )
        elif is_strong:
            # _combine leaves t > 0 to the cube
            table[WORK, dim - 1] += multiplier
    if n_strong < dim and not (all_in_span and n_strong == work[SPAN + np.int64(level) - 1]):
        return False
    for k in range(dim):
        residual += abs(table[WORK, k]) * (0.5 if k < dim - 1 else 1.0)
    # `_combine` left smaller multipliers out: with them the identity above would not hold
    if least <= max(COST_TOL, 2.0 * residual):
        return False
    norm_r, norm_e = 0.0, 0.0
    e = table[WORK]
    for k in range(dim):
        for q in range(dim):
            e[q] = 0.0
        size = 0.0
        for j in range(dim):
            factor = _inverse_entry(table, label, k, j)
            size += abs(factor)
            variable = label[COL_VAR, j]
            if variable < dim:
                e[dim - 1] += factor
                continue
            if label[COL_FLIP, j] == 1:
                factor = -factor
            for q in range(dim):
                e[q] += factor * lines[variable - dim, q] * (0.5 if q < dim - 1 else 1.0)
        e[k] -= 1.0
        total = 0.0
        for q in range(dim):
            total += abs(e[q])
        norm_r, norm_e = max(norm_r, size), max(norm_e, total)
    return norm_e + norm_r * (worst + 1e-14 * dim) <= 0.5 and least > 2.0 * residual * norm_r


@kernel
def _inverse_entry(table, label, k, j):
    """Derivative of coordinate p_k of a cone by the nonbasic variable of column j, as the dictionary has it."""
    dim, p = label[SIZE, DIM], label[PLACE, k]
    scale = 2.0 if k < dim - 1 else 1.0
    if p < 0:
        return scale if -1 - p == j else 0.0
    entry = scale * table[COLUMN + j, p]
    return -entry if label[ROW_FLIP, p] == 1 else entry


@kernel
def has_drifted(table, label, lines, r):
    """Whether the dictionary says of row r at its vertex, or of a nonbasic slack, what is not so by more than rounding."""
    dim, pad = label[SIZE, DIM], lines.shape[1] - EXTRA
    point = table[WORK]
    for k in range(dim, pad):
        point[k] = 0.0
    for k in range(dim):
        p = label[PLACE, k]
        z = table[VALUE, p] if p >= 0 else 0.0
        flipped = label[ROW_FLIP, p] if p >= 0 else label[COL_FLIP, -1 - p]
        point[k] = 1.0 - z if flipped else z
    line = lines[label[ROW_VAR, r] - dim]
    if abs(value_at(line, point) - table[VALUE, r]) > DRIFT + line[pad + BOUND]:
        return True
    for j in range(dim):
        if label[COL_VAR, j] >= dim:
            line = lines[label[COL_VAR, j] - dim]
            if abs(value_at(line, point)) > DRIFT + line[pad + BOUND]:
                return True
    return False


WEAK = 1e-9
"""Multipliers at the apex that are below this share of the largest are taken for 0."""
DRIFT = 1e-13
"""A dictionary whose values are off by more than this is worth computing afresh."""
