"""Rows of a layer, pulled back to the domain's coordinates on one cell.

On a cell every layer is affine in z. `Images` holds, for each layer of the present path, its rows as functions
constant + normal . z: one (dim + 1, n_rows) block per layer, constants first, so that the product with the next weight
runs along contiguous rows. A bound on the rounding error of each row, valid anywhere in the unit cube, is carried
along.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from regionenum.engine.interface import Problem
from regionenum.engine.policy import kernel
from regionenum.engine.tables import CUT, DENSE, IMAGE, INPUT, ROW, UNIT, UNIT_ROUNDOFF, WEIGHT, Tables, first_image
from regionenum.network.units import Floats, Ints


class Images(NamedTuple):
    """Rows and decisions of the present path, layer by layer; a deeper cell of the walk overwrites what it changes.

    Depth-first order makes one copy enough: what was decided above a cell that still waits is never changed below its
    siblings, and what was decided below them is decided again.
    """

    image: Floats  # layer blocks (dim + 1, n_rows), flat
    error: Floats  # one per row
    cut_side: npt.NDArray[np.int8]  # one per cut: 1 if the cell is on its positive side
    cut_error: Floats  # one per cut: bound on the rounding error of its row, scaled to a distance
    winner: Ints  # one per unit: position of the winning candidate of a maximum


def make_images(problem: Problem, tables: Tables) -> Images:
    """Storage for one path, with the rows of layer 0 filled in."""
    images = Images(
        image=np.zeros(int(tables.at[-1, IMAGE])),
        error=np.zeros(int(tables.at[-1, ROW])),
        cut_side=np.zeros(int(tables.at[-1, CUT]), np.int8),
        cut_error=np.zeros(int(tables.at[-1, CUT])),
        winner=np.zeros(int(tables.at[-1, UNIT]), np.int64),
    )
    rows, error = first_image(problem)
    images.image[: rows.size] = rows.ravel()
    images.error[: error.size] = error
    return images


@kernel
def piece(at, units, images, layer, unit):
    """Piece of a decided unit."""
    u = at[layer, UNIT] + unit
    function = units.function[u]
    if function < 0:
        return images.winner[u]
    first = at[layer, CUT] + units.cut[u]
    found = 0
    for c in range(first, first + units.function_at[function + 1] - units.function_at[function] - 1):
        found += images.cut_side[c]
    return found


@kernel
def branch(at, units, images, layer, unit):
    """The affine branch of a decided unit: (row, slope, intercept)."""
    u = at[layer, UNIT] + unit
    function = units.function[u]
    if function < 0:
        return units.member_row[units.member[u] + images.winner[u]], 1.0, 0.0
    k = units.function_at[function] + piece(at, units, images, layer, unit)
    return units.member_row[units.member[u]], units.slope[k], units.intercept[k]


@kernel
def pull_back(tables, images, layer):
    """Fill in the rows of `layer` from the decided units of the layer before.

    row_n = bias_n + sum_u W[n, u] (slope_u row_u + intercept_u), over the units u with a branch that is not 0. With K
    terms, each at most A_u in absolute value on the cube, the error is at most sum_u |W[n, u]| |slope_u| error_u + (K
    + 4) u (|bias_n| + sum_u |W[n, u]| A_u) (1 + O(u)); the last factor is covered by the spare in K + 4.
    """
    dim, one, at, units, image = tables.dim, tables.one, tables.at, tables.units, images.image
    before = layer - 1
    n_rows = at[layer + 1, ROW] - at[layer, ROW]
    n_before = at[layer, ROW] - at[before, ROW]
    n_units = at[layer, UNIT] - at[before, UNIT]
    source, target = at[before, IMAGE], at[layer, IMAGE]
    weight, bias = tables.weights.weight, tables.weights.bias[at[layer, ROW] : at[layer + 1, ROW]]
    error = images.error[at[layer, ROW] : at[layer + 1, ROW]]
    terms = 0
    for u in range(n_units):
        row, slope, intercept = branch(at, units, images, before, u)
        if slope != 0.0 or intercept != 0.0:
            terms += 1
    gamma = (terms + 4) * UNIT_ROUNDOFF
    for n in range(target, target + (dim + 1) * n_rows):
        image[n] = 0.0
    constants = image[target + one * n_rows : target + (one + 1) * n_rows]
    for n in range(n_rows):
        constants[n] = bias[n]
        error[n] = gamma * abs(bias[n])
    for u in range(n_units):
        row, slope, intercept = branch(at, units, images, before, u)
        if slope == 0.0 and intercept == 0.0:
            continue
        size = abs(intercept)
        for k in range(dim + 1):
            size += abs(slope * image[source + k * n_before + row])
        spread = abs(slope) * images.error[at[before, ROW] + row] + gamma * size
        dense = at[layer, DENSE] == 1
        if dense:
            first = at[layer, WEIGHT] + u * n_rows
            last = first + n_rows
        else:
            first = tables.weights.column_ptr[at[layer, INPUT] + u]
            last = tables.weights.column_ptr[at[layer, INPUT] + u + 1]
        for k in range(dim + 1):
            factor = slope * image[source + k * n_before + row]
            if k == one:
                factor += intercept
            if factor == 0.0:
                continue
            line = image[target + k * n_rows : target + (k + 1) * n_rows]
            if dense:
                for n in range(n_rows):
                    line[n] += factor * weight[first + n]
            else:
                for e in range(first, last):
                    line[tables.weights.weight_row[e]] += factor * weight[e]
        if dense:
            for n in range(n_rows):
                error[n] += spread * abs(weight[first + n])
        else:
            for e in range(first, last):
                error[tables.weights.weight_row[e]] += spread * abs(weight[e])


@kernel
def read_row(at, images, layer, row, normal):
    """Copy one row's normal and return its constant."""
    n_rows = at[layer + 1, ROW] - at[layer, ROW]
    first = at[layer, IMAGE] + row
    for k in range(normal.shape[0]):
        normal[k] = images.image[first + (k + 1) * n_rows]
    return images.image[first]


@kernel
def read_cut(tables, images, layer, c, normal):
    """Copy the normal of the row of a cut minus its value, and return its constant and a bound on its error."""
    row, value = tables.cut_row[c], tables.cut_value[c]
    constant = read_row(tables.at, images, layer, row, normal)
    noise = images.error[tables.at[layer, ROW] + row] + UNIT_ROUNDOFF * abs(value)
    if tables.one == 0:
        return constant - value, noise
    normal[tables.one - 1] -= value
    return constant, noise


@kernel
def slope_and_level(tables, constant, normal):
    """Length of a function's normal in the domain's own coordinates, and the value that it has where that is 0.

    In the whole space the value is the coefficient of t: t is positive inside.
    """
    if tables.one == 0:
        return norm(normal), constant
    return norm(normal[: tables.free]), normal[tables.one - 1]


@kernel
def read_difference(at, images, layer, row, other, normal):
    """Write the normal of row - other; returns its constant and a bound on its error on the cube."""
    n_rows = at[layer + 1, ROW] - at[layer, ROW]
    first = at[layer, IMAGE]
    constant = images.image[first + row] - images.image[first + other]
    size = abs(constant)
    for k in range(normal.shape[0]):
        line = first + (k + 1) * n_rows
        normal[k] = images.image[line + row] - images.image[line + other]
        size += abs(normal[k])
    error = images.error[at[layer, ROW] + row] + images.error[at[layer, ROW] + other]
    return constant, error + 2 * UNIT_ROUNDOFF * size


@kernel
def scale_normal(constant, normal, factor):
    """Multiply a function constant + normal . y by a factor; returns the constant."""
    for k in range(normal.shape[0]):
        normal[k] *= factor
    return constant * factor


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
