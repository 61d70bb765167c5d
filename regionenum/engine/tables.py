"""A problem as flat arrays, the form in which the compiled walk reads it.

Every pointwise unit with p breakpoints has p *cuts*: the hyperplanes row = breakpoint. Its piece is the number of cuts of
which the cell is on the positive side. Every maximum of two or more candidates is a *group*. Units with one piece have
neither.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from regionenum.engine.interface import Problem
from regionenum.network.layers import Layer
from regionenum.network.units import MAXIMUM, Floats, Ints

DENSE_FROM = 0.3
"""A weight with at least this share of entries that are not 0 is stored densely."""
UNIT_ROUNDOFF = 2.0**-53


class Tables(NamedTuple):
    """Flat arrays. `*_at` arrays of length depth + 1 give the first entry of each layer in the arrays named beside them."""

    dim: int
    depth: int
    row_at: Ints  # into bias
    unit_at: Ints  # into unit_*
    cut_at: Ints  # into cut_*
    group_at: Ints  # into group_unit
    image_at: Ints  # (dim + 1) * n_rows entries per layer: the walk's storage of pulled-back rows
    dense: Ints  # (depth,) 1 if the layer's weight is dense
    weight_at: Ints  # into weight; a dense weight is stored transposed, input by input
    column_at: Ints  # into column_ptr; a sparse weight is stored by columns (inputs)
    weight: Floats
    weight_row: Ints  # row of each sparse entry
    column_ptr: Ints  # first entry of each column, as an index into weight
    bias: Floats
    first_image: Floats  # rows of layer 0 in domain coordinates, (dim + 1, n_rows) flat
    first_error: Floats  # (n_rows of layer 0,) bound on their rounding error anywhere in the unit cube
    cut_row: Ints
    cut_value: Floats
    cut_layer: Ints
    unit_function: Ints  # index of the function, or MAXIMUM
    unit_cut: Ints  # first cut (in the layer) of a pointwise unit
    unit_member: Ints  # first member of a unit, into member_row; one more entry than units
    member_row: Ints
    member_layer: Ints
    member_unit: Ints  # unit in its layer
    group_unit: Ints  # unit in its layer
    function_at: Ints  # into slope, intercept; one more entry than functions
    slope: Floats
    intercept: Floats


def make_tables(problem: Problem) -> Tables:
    """Flatten a problem; the chart is folded into layer 0 in float64, with a bound on the rounding error of that product."""
    layers = problem.network.unit_layers
    functions = list(dict.fromkeys(f for layer in layers for f in layer.units.functions))
    weights = [_packed_weight(layer) for layer in layers[1:]]
    sparse_at = np.cumsum([0, 0, *(len(w[0]) for w in weights)])
    column_at = np.cumsum([0, 0, *(len(w[2]) for w in weights)])
    cuts = [_cuts(layer) for layer in layers]
    groups = [np.flatnonzero((layer.units.function_of == MAXIMUM) & (layer.units.n_pieces > 1)) for layer in layers]
    sizes = [np.diff(layer.units.indptr) for layer in layers]
    first_image, first_error = _first_image(problem)
    return Tables(
        dim=problem.dim,
        depth=len(layers),
        row_at=_starts(layer.n_rows for layer in layers),
        unit_at=_starts(layer.n_out for layer in layers),
        cut_at=_starts(len(rows) for rows, _, _ in cuts),
        group_at=_starts(map(len, groups)),
        image_at=_starts((problem.dim + 1) * layer.n_rows for layer in layers),
        dense=np.array([1, *(int(w[1] is None) for w in weights)], np.int64),
        weight_at=sparse_at.astype(np.int64),
        column_at=column_at.astype(np.int64),
        weight=_joined([w[0] for w in weights], np.float64),
        weight_row=_joined([np.zeros(len(w[0])) if w[1] is None else w[1] for w in weights], np.int64),
        column_ptr=_joined([w[2] + at for w, at in zip(weights, sparse_at[1:], strict=False)], np.int64),
        bias=_joined([layer.bias for layer in layers], np.float64),
        first_image=first_image,
        first_error=first_error,
        cut_row=_joined([rows for rows, _, _ in cuts], np.int64),
        cut_value=_joined([values for _, values, _ in cuts], np.float64),
        cut_layer=np.repeat(np.arange(len(layers)), [len(rows) for rows, _, _ in cuts]).astype(np.int64),
        unit_function=_joined([_renumbered(layer, functions) for layer in layers], np.int64),
        unit_cut=_joined([first for _, _, first in cuts], np.int64),
        unit_member=_starts(np.concatenate(sizes) if sizes else ()),
        member_row=_joined([layer.units.rows for layer in layers], np.int64),
        member_layer=np.repeat(np.arange(len(layers)), [s.sum() for s in sizes]).astype(np.int64),
        member_unit=_joined([np.repeat(np.arange(len(s)), s) for s in sizes], np.int64),
        group_unit=_joined(groups, np.int64),
        function_at=_starts(f.n_pieces for f in functions),
        slope=np.array([s for f in functions for s in f.slopes], np.float64),
        intercept=np.array([c for f in functions for c in f.intercepts], np.float64),
    )


def _starts(sizes) -> Ints:  # type: ignore[no-untyped-def]
    return np.cumsum([0, *sizes]).astype(np.int64)


def _joined(arrays, dtype) -> np.ndarray:  # type: ignore[no-untyped-def,type-arg]
    return np.concatenate([np.zeros(0), *arrays]).astype(dtype)


def _packed_weight(layer: Layer) -> tuple[Floats, Ints | None, Ints]:
    """(entries, their rows or None if dense, first entry of each column) of a weight, by columns."""
    csc = sp.csc_array(layer.weight)
    csc.sum_duplicates()
    if csc.nnz >= DENSE_FROM * layer.n_rows * layer.n_in:
        return csc.toarray().T.ravel(), None, np.zeros(0, np.int64)
    return csc.data, csc.indices.astype(np.int64), csc.indptr.astype(np.int64)


def _cuts(layer: Layer) -> tuple[Ints, Floats, Ints]:
    """Row and value of every cut of a layer, and each unit's first cut."""
    units = layer.units
    table = [np.asarray(f.breakpoints, np.float64) for f in units.functions]
    count = np.where(units.function_of == MAXIMUM, 0, units.n_pieces - 1)
    rows = np.repeat(units.rows[units.indptr[:-1]], count)
    values = [table[k] for k in units.function_of if k != MAXIMUM and len(table[k])]
    return rows, np.concatenate([np.zeros(0), *values]), np.cumsum(np.concatenate([[0], count]))[:-1]


def _renumbered(layer: Layer, functions: list) -> Ints:  # type: ignore[type-arg]
    position = {f: k for k, f in enumerate(functions)}
    numbers = np.array([position[f] for f in layer.units.functions] + [MAXIMUM], np.int64)
    return numbers[layer.units.function_of]


def _first_image(problem: Problem) -> tuple[Floats, Floats]:
    """Rows of layer 0 as functions of y: constants W origin + b, then the columns of W directions; and their error bound.

    A dot product of n terms computed in any order errs by at most n u / (1 - n u) times the sum of the absolute values of
    its terms (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1).
    """
    layers = problem.network.unit_layers
    if not layers:
        return np.zeros(0), np.zeros(0)
    layer, chart = layers[0], problem.chart
    constant = np.asarray(layer.weight @ chart.origin) + layer.bias
    product = layer.weight @ chart.directions
    linear = product.toarray() if sp.issparse(product) else np.asarray(product)
    size = abs(layer.weight) @ abs(chart.origin) + abs(layer.bias) + (abs(layer.weight) @ abs(chart.directions)).sum(axis=1)
    error = (layer.n_in + 3) * UNIT_ROUNDOFF * np.asarray(size).ravel()
    return np.concatenate([constant[None, :], linear.T]).ravel(), error


