"""Rows of a layer, pulled back to the domain's coordinates on one cell.

On a cell every layer is affine in y. `Images` holds, for each layer of the present path, its rows as functions
constant + normal . y: one (dim + 1, n_rows) block per layer, constants first, so that the product with the next weight runs
along contiguous rows. A bound on the rounding error of each row, valid anywhere in the unit cube, is carried along.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from regionenum.engine.policy import kernel
from regionenum.engine.tables import UNIT_ROUNDOFF, Tables
from regionenum.network.units import Floats, Ints


class Images(NamedTuple):
    """Rows and decisions of the present path, layer by layer; a deeper cell of the walk overwrites what it changes.

    Depth-first order makes one copy enough: what was decided above a cell that still waits is never changed below its
    siblings, and what was decided below them is decided again.
    """

    image: Floats  # layer blocks (dim + 1, n_rows), flat; starts in Tables.image_at
    error: Floats  # one per row; starts in Tables.row_at
    cut_side: np.ndarray  # int8, one per cut: 1 if the cell is on its positive side
    cut_scale: Floats  # one per cut: 1 / |normal|, which makes its row a distance
    cut_error: Floats  # one per cut: bound on the rounding error of that distance
    winner: Ints  # one per unit: position of the winning candidate of a maximum


def make_images(tables: Tables) -> Images:
    """Storage for one path, with the rows of layer 0 filled in."""
    images = Images(
        image=np.zeros(int(tables.image_at[-1])),
        error=np.zeros(int(tables.row_at[-1])),
        cut_side=np.zeros(int(tables.cut_at[-1]), np.int8),
        cut_scale=np.zeros(int(tables.cut_at[-1])),
        cut_error=np.zeros(int(tables.cut_at[-1])),
        winner=np.zeros(int(tables.unit_at[-1]), np.int64),
    )
    images.image[: len(tables.first_image)] = tables.first_image
    images.error[: len(tables.first_error)] = tables.first_error
    return images


@kernel
def piece(tables, images, layer, unit):
    """Piece of a decided unit."""
    u = tables.unit_at[layer] + unit
    function = tables.unit_function[u]
    if function < 0:
        return images.winner[u]
    first = tables.cut_at[layer] + tables.unit_cut[u]
    count = tables.function_at[function + 1] - tables.function_at[function] - 1
    found = 0
    for c in range(first, first + count):
        found += images.cut_side[c]
    return found


@kernel
def branch(tables, images, layer, unit):
    """The affine branch of a decided unit: (row, slope, intercept)."""
    u = tables.unit_at[layer] + unit
    function = tables.unit_function[u]
    if function < 0:
        return tables.member_row[tables.unit_member[u] + images.winner[u]], 1.0, 0.0
    k = tables.function_at[function] + piece(tables, images, layer, unit)
    return tables.member_row[tables.unit_member[u]], tables.slope[k], tables.intercept[k]


@kernel
def pull_back(tables, images, layer):
    """Fill in the rows of `layer` from the decided units of the layer before.

    row_n = bias_n + sum_u W[n, u] (slope_u row_u + intercept_u), over the units u with a branch that is not 0. With K terms,
    each at most A_u in absolute value on the cube, the error is at most
    sum_u |W[n, u]| |slope_u| error_u + (K + 4) u (|bias_n| + sum_u |W[n, u]| A_u) (1 + O(u)); the last factor is covered
    by the spare in K + 4.
    """
    dim = tables.dim
    before = layer - 1
    n_rows = tables.row_at[layer + 1] - tables.row_at[layer]
    n_before = tables.row_at[layer] - tables.row_at[before]
    n_units = tables.unit_at[layer] - tables.unit_at[before]
    source, at = tables.image_at[before], tables.image_at[layer]
    constant = images.image[at : at + n_rows]
    bias = tables.bias[tables.row_at[layer] : tables.row_at[layer + 1]]
    error = images.error[tables.row_at[layer] : tables.row_at[layer + 1]]
    images.image[at : at + (dim + 1) * n_rows] = 0.0
    terms = 0
    for u in range(n_units):
        row, slope, intercept = branch(tables, images, before, u)
        if slope != 0.0 or intercept != 0.0:
            terms += 1
    gamma = (terms + 4) * UNIT_ROUNDOFF
    for n in range(n_rows):
        constant[n] = bias[n]
        error[n] = gamma * abs(bias[n])
    for u in range(n_units):
        row, slope, intercept = branch(tables, images, before, u)
        if slope == 0.0 and intercept == 0.0:
            continue
        size = abs(intercept)
        for k in range(dim + 1):
            size += abs(slope * images.image[source + k * n_before + row])
        spread = abs(slope) * images.error[tables.row_at[before] + row] + gamma * size
        if tables.dense[layer]:
            first = tables.weight_at[layer] + u * n_rows
            weight = tables.weight[first : first + n_rows]
            for k in range(dim + 1):
                factor = slope * images.image[source + k * n_before + row]
                if k == 0:
                    factor += intercept
                if factor != 0.0:
                    line = images.image[at + k * n_rows : at + (k + 1) * n_rows]
                    for n in range(n_rows):
                        line[n] += factor * weight[n]
            for n in range(n_rows):
                error[n] += spread * abs(weight[n])
        else:
            first = tables.column_ptr[tables.column_at[layer] + u]
            last = tables.column_ptr[tables.column_at[layer] + u + 1]
            for k in range(dim + 1):
                factor = slope * images.image[source + k * n_before + row]
                if k == 0:
                    factor += intercept
                if factor != 0.0:
                    for e in range(first, last):
                        images.image[at + k * n_rows + tables.weight_row[e]] += factor * tables.weight[e]
            for e in range(first, last):
                error[tables.weight_row[e]] += spread * abs(tables.weight[e])


@kernel
def read_row(tables, images, layer, row, normal):
    """Copy one row's normal and return its constant."""
    n_rows = tables.row_at[layer + 1] - tables.row_at[layer]
    at = tables.image_at[layer] + row
    for k in range(tables.dim):
        normal[k] = images.image[at + (k + 1) * n_rows]
    return images.image[at]


@kernel
def read_difference(tables, images, layer, row, other, normal):
    """Normal of row - other; returns its constant and a bound on its error on the cube."""
    n_rows = tables.row_at[layer + 1] - tables.row_at[layer]
    at = tables.image_at[layer]
    size = 0.0
    for k in range(tables.dim + 1):
        a, b = images.image[at + k * n_rows + row], images.image[at + k * n_rows + other]
        if k > 0:
            normal[k - 1] = a - b
        size += abs(a - b)
    error = images.error[tables.row_at[layer] + row] + images.error[tables.row_at[layer] + other]
    return images.image[at + row] - images.image[at + other], error + 2 * UNIT_ROUNDOFF * size


@kernel
def scale_normal(constant, normal, factor):
    """Multiply a function constant + normal . y by a factor; returns the constant."""
    for k in range(normal.shape[0]):
        normal[k] *= factor
    return constant * factor


@kernel
def norm(normal):
    """Euclidean norm; scaled, so that tiny normals neither vanish nor overflow when squared."""
    largest = 0.0
    for k in range(normal.shape[0]):
        largest = max(largest, abs(normal[k]))
    if largest == 0.0:
        return 0.0
    total = 0.0
    for k in range(normal.shape[0]):
        total += (normal[k] / largest) ** 2
    return largest * np.sqrt(total)
