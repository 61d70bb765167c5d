"""Rows of a layer, pulled back to the domain's coordinates on one cell, with bounds on their errors.

On a cell every layer is affine in z. `Images` holds, for each layer of the present path, its rows as functions
constant + normal . z: one (dim + 1, n_rows) block per layer, constants first, so that the product with the next weight
runs along contiguous rows.

Two bounds are carried along for each row: of the error of the coefficient on line `one` (the constant of the network's
own map), and of the sum of the errors of all others. Their sum bounds the error of a value anywhere in the unit cube. What
was not rounded has the bound 0: a constant of a network without biases, a row that copies a unit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from regionenum.engine.policy import inlined, kernel
from regionenum.engine.tables import CUT, DENSE, EXACT, IMAGE, INPUT, ROW, UNIT, UNIT_ROUNDOFF, WEIGHT, Tables
from regionenum.network.units import Floats, Ints

TINY = 2.0**-1000
"""Added to a magnitude that is not 0: a share of the unit roundoff of it is more than all that can underflow."""
LEAST = 2.0**-1070
"""Added to a product or a quotient that is not 0 but may come out as 0."""
SPARE = 1.0 + 2.0**-20
"""Factor of a bound that was itself computed in floating point."""
HOPELESS = 1e300
"""A row with a larger error than this has no bound, nor has what is made of it."""


class Images(NamedTuple):
    """Rows and decisions of the present path, layer by layer; a deeper cell of the walk overwrites what it changes.

    Depth-first order makes one copy enough: what was decided above a cell that still waits is never changed below its
    siblings, and what was decided below them is decided again.
    """

    image: Floats  # layer blocks (dim + 1, n_rows), flat
    error_one: Floats  # (n_rows,) bound on the error of the coefficient on line `one`
    error_linear: Floats  # (n_rows,) bound on the sum of the errors of the other coefficients
    cut_side: npt.NDArray[np.int8]  # one per cut: 1 if the cell is on its positive side
    piece: Ints  # one per unit: its piece, or the position of the winning candidate of a maximum


def make_images(tables: Tables) -> Images:
    """Storage for one path, with the rows of layer 0 filled in."""
    n_rows = int(tables.at[-1, ROW])
    images = Images(
        image=np.zeros(int(tables.at[-1, IMAGE])),
        error_one=np.zeros(n_rows),
        error_linear=np.zeros(n_rows),
        cut_side=np.zeros(int(tables.at[-1, CUT]), np.int8),
        piece=np.zeros(int(tables.at[-1, UNIT]), np.int64),
    )
    n = tables.first.shape[1]
    images.image[: tables.first.size] = tables.first.ravel()
    images.error_one[:n], images.error_linear[:n] = tables.first_error
    return images


@inlined
def decide(cuts, cut_side, piece, c, side):
    """Write down the side of a cut, and with it the piece of its unit: how many of its cuts the cell is beyond."""
    cut_side[c] = side
    u, first, last = cuts.unit[c], cuts.first[c], cuts.last[c]
    if u < 0:
        return
    found = side
    if first != last:
        found = 0
        for k in range(first, last + 1):
            found += cut_side[k]
    piece[u] = found


@inlined
def branch(units, images, u):
    """The affine branch of decided unit u, counted over all layers: (row, slope, intercept)."""
    function, piece = units.function[u], images.piece[u]
    if function < 0:
        return units.member_row[units.member[u] + piece], 1.0, 0.0
    k = units.function_at[function] + piece
    return units.member_row[units.member[u]], units.slope[k], units.intercept[k]


@kernel
def pull_back(tables, images, layer):
    """Fill in the rows of `layer` from the decided units of the layer before.

    row_n = bias_n + sum_u W[n, u] (slope_u row_u + intercept_u), over the units u with a branch that is not 0. With K
    terms, each at most A_u in absolute value on the cube, the error is at most sum_u |W[n, u]| E_u + (K + 4) u |bias_n|,
    where E_u = |slope_u| error_u + (K + 4) u A_u (Higham, section 3.1; the spare in K + 4 covers second order terms). The
    same holds for the coefficient on line `one` and for the sum of the others separately. The bound itself is a sum of K + 1
    products, which errs by less than a share of 2^-20, and by LEAST for each product that underflows. A row that copies
    one unit has the error of that alone. In a layer in which nothing is rounded (`engine/grids.py`) all bounds are 0.
    """
    dim, one, at, units, image = tables.dim, tables.one, tables.at, tables.units, images.image
    before = layer - 1
    n_rows, n_before = at[layer + 1, ROW] - at[layer, ROW], at[layer, ROW] - at[before, ROW]
    source, target = at[before, IMAGE], at[layer, IMAGE]
    bias = tables.weights.bias[at[layer, ROW] : at[layer + 1, ROW]]
    bound_one = images.error_one[at[layer, ROW] : at[layer + 1, ROW]]
    bound_linear = images.error_linear[at[layer, ROW] : at[layer + 1, ROW]]
    terms, is_exact = 0, at[layer, EXACT] == 1
    for u in range(at[before, UNIT], at[layer, UNIT]):
        row, slope, intercept = branch(units, images, u)
        if slope != 0.0 or intercept != 0.0:
            terms += 1
    gamma = (terms + 4) * UNIT_ROUNDOFF
    for n in range(target, target + (dim + 1) * n_rows):
        image[n] = 0.0
    constants = image[target + one * n_rows : target + (one + 1) * n_rows]
    for n in range(n_rows):
        constants[n] = bias[n]
        bound_one[n] = gamma * abs(bias[n]) if terms > 0 and not is_exact else 0.0
        bound_linear[n] = 0.0
    hopeless, least_one, least_linear = False, 0.0, 0.0
    for u in range(at[before, UNIT], at[layer, UNIT]):
        row, slope, intercept = branch(units, images, u)
        if slope == 0.0 and intercept == 0.0:
            continue
        if is_exact:
            _add_unit(at, tables.weights, image, dim, one, layer, u - at[before, UNIT], row, slope, intercept)
            continue
        size_one, size_linear = _sizes(image[source:], n_before, dim, one, row, slope, intercept)
        if size_one + size_linear > tables.errors.limit[layer]:
            hopeless = True
            continue
        row_error = at[before, ROW] + row
        error_one = abs(slope) * images.error_one[row_error] + gamma * size_one
        error_linear = abs(slope) * images.error_linear[row_error] + gamma * size_linear
        if not error_one + error_linear < HOPELESS:
            hopeless = True
            continue
        unit = u - at[before, UNIT]
        _add_unit(at, tables.weights, image, dim, one, layer, unit, row, slope, intercept)
        if error_one > 0.0:
            least_one = terms * LEAST
            _add_error(at, tables.weights, layer, unit, error_one, bound_one)
        if error_linear > 0.0:
            least_linear = terms * LEAST
            _add_error(at, tables.weights, layer, unit, error_linear, bound_linear)
    if is_exact:
        return
    for n in range(n_rows):
        if tables.errors.reads[at[layer, ROW] + n] == 1:
            bound_one[n] = np.inf if hopeless else bound_one[n] * SPARE + least_one
            bound_linear[n] = np.inf if hopeless else bound_linear[n] * SPARE + least_linear
    if not hopeless:
        _copy_errors(tables, images, layer)


@kernel
def _sizes(image, n_rows, dim, one, row, slope, intercept):
    """Magnitudes of slope times a row plus intercept: of the coefficient on line `one`, and of the others together."""
    size_one, size_linear = abs(intercept), 0.0
    for k in range(dim + 1):
        value = image[k * n_rows + row]
        if value != 0.0 and slope != 0.0:
            size = abs(slope * value) + TINY
            if k == one:
                size_one += size
            else:
                size_linear += size
    return size_one, size_linear


@kernel
def _add_unit(at, weights, image, dim, one, layer, unit, row, slope, intercept):
    """Add a unit's column of the weight times its branch to the rows of `layer`."""
    n_rows, n_before = at[layer + 1, ROW] - at[layer, ROW], at[layer, ROW] - at[layer - 1, ROW]
    source, target = at[layer - 1, IMAGE], at[layer, IMAGE]
    dense = at[layer, DENSE] == 1
    if dense:
        first = at[layer, WEIGHT] + unit * n_rows
        last = first + n_rows
    else:
        first = weights.column_ptr[at[layer, INPUT] + unit]
        last = weights.column_ptr[at[layer, INPUT] + unit + 1]
    for k in range(dim + 1):
        factor = slope * image[source + k * n_before + row]
        if k == one:
            factor += intercept
        if factor == 0.0:
            continue
        line = image[target + k * n_rows : target + (k + 1) * n_rows]
        if dense:
            for n in range(n_rows):
                line[n] += factor * weights.weight[first + n]
        else:
            for e in range(first, last):
                line[weights.weight_row[e]] += factor * weights.weight[e]


@kernel
def _add_error(at, weights, layer, unit, error, bound):
    """Add a unit's column of the absolute values of the weight times its error to the bounds of the rows of `layer`."""
    n_rows = bound.shape[0]
    if at[layer, DENSE] == 1:
        first = at[layer, WEIGHT] + unit * n_rows
        for n in range(n_rows):
            bound[n] += error * abs(weights.weight[first + n])
    else:
        at_input = at[layer, INPUT] + unit
        for e in range(weights.column_ptr[at_input], weights.column_ptr[at_input + 1]):
            bound[weights.weight_row[e]] += error * abs(weights.weight[e])


@kernel
def _copy_errors(tables, images, layer):
    """Errors of the rows that copy one unit times a power of two: those of its row, if its branch does not round."""
    at, errors = tables.at, tables.errors
    before = at[layer - 1, UNIT]
    for n in range(at[layer, ROW], at[layer + 1, ROW]):
        if errors.copied_unit[n] < 0:
            continue
        row, slope, intercept = branch(tables.units, images, before + errors.copied_unit[n])
        if intercept == 0.0 and (slope == 0.0 or abs(slope) == 1.0):
            factor = abs(slope * errors.copied_weight[n])
            if factor < 1.0 and _vanishes(tables, images.image, layer - 1, row, factor):
                continue
            row += at[layer - 1, ROW]
            if factor == 0.0:
                images.error_one[n], images.error_linear[n] = 0.0, 0.0
            elif images.error_one[row] + images.error_linear[row] < HOPELESS:
                images.error_one[n] = factor * images.error_one[row] + (LEAST if images.error_one[row] > 0.0 else 0.0)
                images.error_linear[n] = factor * images.error_linear[row]
                images.error_linear[n] += LEAST if images.error_linear[row] > 0.0 else 0.0


@kernel
def _vanishes(tables, image, layer, row, factor):
    """Whether a coefficient of a row times a factor may underflow."""
    n_rows, first = tables.at[layer + 1, ROW] - tables.at[layer, ROW], tables.at[layer, IMAGE] + row
    for k in range(tables.dim + 1):
        value = abs(image[first + k * n_rows])
        if value > 0.0 and value * factor < TINY:
            return True
    return False


@inlined
def read_row(at, image, layer, row, normal):
    """Copy one row's normal and return its constant."""
    n_rows = at[layer + 1, ROW] - at[layer, ROW]
    first = at[layer, IMAGE] + row
    for k in range(normal.shape[0]):
        normal[k] = image[first + (k + 1) * n_rows]
    return image[first]


@inlined
def read_cut(at, one, cuts, images, layer, c, normal):
    """Copy the normal of the row of a cut minus its value, and return its constant and its two error bounds."""
    row, value = cuts.row[c], cuts.value[c]
    constant = read_row(at, images.image, layer, row, normal)
    row += at[layer, ROW]
    error_one, error_linear = images.error_one[row], images.error_linear[row]
    if value != 0.0:
        if one == 0:
            constant -= value
        else:
            normal[one - 1] -= value
        if at[layer, EXACT] == 0:
            error_one += UNIT_ROUNDOFF * abs(constant if one == 0 else normal[one - 1])
    return constant, error_one, error_linear


@kernel
def read_difference(at, one, images, layer, row, other, normal):
    """Write the normal of row - other; returns its constant and its two error bounds."""
    n_rows, first = at[layer + 1, ROW] - at[layer, ROW], at[layer, IMAGE]
    constant = images.image[first + row] - images.image[first + other]
    size_one, size_linear = 0.0, 0.0
    if one == 0:
        size_one = abs(constant)
    else:
        size_linear = abs(constant)
    for k in range(normal.shape[0]):
        line = first + (k + 1) * n_rows
        normal[k] = images.image[line + row] - images.image[line + other]
        if k + 1 == one:
            size_one = abs(normal[k])
        else:
            size_linear += abs(normal[k])
    if at[layer, EXACT] == 1:
        return constant, 0.0, 0.0
    row += at[layer, ROW]
    other += at[layer, ROW]
    error_one = images.error_one[row] + images.error_one[other] + UNIT_ROUNDOFF * size_one
    error_linear = images.error_linear[row] + images.error_linear[other] + UNIT_ROUNDOFF * size_linear
    return constant, error_one, error_linear


STEEP, ALWAYS_BELOW, ALWAYS_ABOVE, LEVEL_ZERO, FLAT = 0, 1, 2, 3, 4
"""What is known of a function on the unit cube: it may change its sign; it is negative, or 0 at most; it is positive; it
is exactly 0; its slope cannot be told from 0, nor its sign."""


@inlined
def sign_on_cube(one, constant, normal, error_one, error_linear, is_exact):
    """Sign of a function in the open unit cube, where that needs no cell: one of the constants above.

    is_exact : whether the row belongs to a layer in which nothing is rounded, so that sums of its coefficients are not either.
    In the whole space the coefficient of t is the function's value where nothing else is: t is positive inside.
    """
    slope, low, high = 0.0, constant, constant
    for k in range(normal.shape[0]):
        if k + 1 != one:
            slope += abs(normal[k])
        low += min(normal[k], 0.0)
        high += max(normal[k], 0.0)
    if one > 0:
        slope += abs(constant)
    if slope == 0.0 and error_linear == 0.0:
        level = constant if one == 0 else normal[one - 1]
        if level == 0.0 and error_one == 0.0:
            return LEVEL_ZERO
        if abs(level) > error_one:
            return ALWAYS_ABOVE if level > 0.0 else ALWAYS_BELOW
        return FLAT
    error = error_one + error_linear
    if is_exact == 1 and error == 0.0:
        # not constant: where it is 0 on the closed cube at most, it is not in the open one
        if low >= 0.0:
            return ALWAYS_ABOVE
        return ALWAYS_BELOW if high <= 0.0 else STEEP
    # the sum, and the end of the domain, which may be a rounding away from 1
    error += (normal.shape[0] + 4) * UNIT_ROUNDOFF * (abs(constant) + (high - low))
    if low - error > 0.0:
        return ALWAYS_ABOVE
    if high + error < 0.0:
        return ALWAYS_BELOW
    # in the whole space a slope, however small, matters far out; it is the cell that tells
    return FLAT if slope <= 2.0 * error_linear else STEEP


@kernel
def norm(normal):
    """Euclidean norm; scaled, so that squares of tiny or huge entries neither vanish nor overflow."""
    largest = 0.0
    for k in range(normal.shape[0]):
        largest = max(largest, abs(normal[k]))
    if largest == 0.0:
        return 0.0
    total = 0.0
    for k in range(normal.shape[0]):
        total += (normal[k] / largest) ** 2
    return largest * np.sqrt(total)


@kernel
def scale_normal(constant, normal, factor):
    """Multiply a function constant + normal . z by a factor; returns the constant."""
    for k in range(normal.shape[0]):
        normal[k] *= factor
    return constant * factor
