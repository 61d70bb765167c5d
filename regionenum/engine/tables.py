"""A problem as flat arrays, the form in which the compiled walk reads it.

Every pointwise unit with p breakpoints has p *cuts*: the hyperplanes row = breakpoint. Its piece is the number of cuts
of which the cell is on the positive side. Every maximum of two or more candidates is a *group*. Units with one piece
have neither.

Cells are cut out of the unit cube z in [0, 1]^dim. For a domain inside the unit cube, z is its y. The whole space R^d is
*homogenised*: a row a . y + b becomes a . y' + b t on the cube |y'_k| <= 1, 0 <= t <= 1 with d + 1 coordinates z, of
which y' = 2 z - 1 are the first d and t is the last. A region of R^d is then the cone over it, y = y' / t, and no
number stands for infinity. All that differs for the rest of the engine is which line of a row's image the number 1 belongs
to: line `one`, the constants of an ordinary problem (0), or the coefficients of t (d + 1).

The constraints of a domain are rows and cuts of layer 0 that no unit reads. Subtrees do not
mention them: their sides are put in when one is started (`CompiledExplorer.start`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from regionenum.domain.half_spaces import UNIT_ROUNDOFF as UNIT_ROUNDOFF
from regionenum.engine.interface import Problem
from regionenum.network.affine import DENSE_FROM
from regionenum.network.layers import Layer
from regionenum.network.units import MAXIMUM, Floats, Ints, PiecewiseLinear

# Columns of `Tables.at`: where each layer starts in the arrays named.
ROW = 0  # bias; errors of rows
UNIT = 1  # unit_*; winners
CUT = 2  # cut_*
GROUP = 3  # group_unit
IMAGE = 4  # pulled-back rows: (dim + 1) * n_rows entries per layer
WEIGHT = 5  # weight
INPUT = 6  # column_ptr, of layers stored sparsely
DENSE = 7  # not a start: 1 if the layer's weight is dense


class UnitTables(NamedTuple):
    """The units of all layers."""

    function: Ints  # (n_units,) index of the function, or MAXIMUM
    cut: Ints  # (n_units,) first cut of a pointwise unit, counted from the layer's first
    member: Ints  # (n_units + 1,) first entry in member_row
    member_row: Ints  # rows that the units read
    member_unit: Ints  # unit (over all layers) that reads it
    function_at: Ints  # (n_functions + 1,) first entry in slope and intercept
    slope: Floats
    intercept: Floats


class WeightTables(NamedTuple):
    """Weights of layers 1, 2, ...: a dense one transposed (input by input), a sparse one by columns (inputs)."""

    weight: Floats
    weight_row: Ints  # row of each entry of a sparse weight
    column_ptr: Ints  # first entry of each input's column
    bias: Floats


class Tables(NamedTuple):
    """A problem."""

    dim: int  # coordinates of cells
    free: int  # dimension d of the domain: the first coordinates, in which ranks are measured
    one: int  # line of the images that constants belong to
    depth: int
    at: Ints  # (depth + 1, 8)
    units: UnitTables
    weights: WeightTables
    cut_row: Ints
    cut_value: Floats
    group_unit: Ints  # unit in its layer


def make_tables(problem: Problem) -> Tables:
    """Flatten a problem; layer 0's weight is left to `first_image`."""
    layers = problem.network.unit_layers
    functions = list(dict.fromkeys(f for layer in layers for f in layer.units.functions))
    packed = [_packed_weight(layer) for layer in layers[1:]]
    cuts = [_cuts(layer) for layer in layers]
    groups = [np.flatnonzero((layer.units.function_of == MAXIMUM) & (layer.units.n_pieces > 1)) for layer in layers]
    sizes = [np.diff(layer.units.indptr) for layer in layers]
    n_constraints = len(problem.chart.half_spaces)
    dim = problem.dim + problem.chart.whole
    cuts[0] = _constrained(cuts[0], layers[0].n_rows, n_constraints)
    n_rows = [layer.n_rows for layer in layers]
    n_rows[0] += n_constraints
    weight_at = _starts([0, *(len(w[0]) for w in packed)])
    at = np.stack(
        [
            _starts(n_rows),
            _starts(layer.n_out for layer in layers),
            _starts(len(rows) for rows, _, _ in cuts),
            _starts(map(len, groups)),
            _starts((dim + 1) * n for n in n_rows),
            weight_at,
            _starts([0, *(len(w[2]) for w in packed)]),
            np.array([1, *(int(w[1] is None) for w in packed), 0]),
        ],
        axis=1,
    ).astype(np.int64)
    units = UnitTables(
        function=_joined([_renumbered(layer, functions) for layer in layers], np.int64),
        cut=_joined([first for _, _, first in cuts], np.int64),
        member=_starts(_joined(sizes, np.int64)),
        member_row=_joined([layer.units.rows for layer in layers], np.int64),
        member_unit=np.repeat(np.arange(at[-1, UNIT]), _joined(sizes, np.int64)).astype(np.int64),
        function_at=_starts(f.n_pieces for f in functions),
        slope=np.array([s for f in functions for s in f.slopes], np.float64),
        intercept=np.array([c for f in functions for c in f.intercepts], np.float64),
    )
    weights = WeightTables(
        weight=_joined([w[0] for w in packed], np.float64),
        weight_row=_joined([np.zeros(len(w[0])) if w[1] is None else w[1] for w in packed], np.int64),
        column_ptr=_joined([w[2] + start for w, start in zip(packed, weight_at[1:], strict=False)], np.int64),
        bias=_joined([np.zeros(n_rows[0]), *(layer.bias for layer in layers[1:])], np.float64),
    )
    return Tables(
        dim=dim,
        free=problem.dim,
        one=dim if problem.chart.whole else 0,
        depth=len(layers),
        at=np.ascontiguousarray(at),
        units=units,
        weights=weights,
        cut_row=_joined([rows for rows, _, _ in cuts], np.int64),
        cut_value=_joined([values for _, values, _ in cuts], np.float64),
        group_unit=_joined(groups, np.int64),
    )


def first_image(problem: Problem) -> tuple[Floats, Floats]:
    """Rows of layer 0 as functions of z, (dim + 1, n_rows) with the constants first, and a bound on each row's error.

    With the chart x = origin + D s, s = lower + width y, a row is W origin + b + (W D) lower + (W D) width y. A dot product
    of n terms computed in any order errs by at most n u / (1 - n u) times the sum of the absolute values of its terms
    (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1); the bound holds anywhere in the unit cube.
    """
    layer, chart = problem.network.unit_layers[0], problem.chart
    lower, width = chart.bounds
    product = layer.weight @ chart.directions
    product = product.toarray() if sp.issparse(product) else np.asarray(product)
    reach = np.asarray(abs(layer.weight) @ (abs(chart.directions) @ (abs(lower) + width)))
    constant = np.asarray(layer.weight @ chart.origin) + layer.bias + product @ lower
    linear = product * width
    size = abs(layer.weight) @ abs(chart.origin) + abs(layer.bias) + reach
    terms = layer.n_in + 3 + (problem.dim + 3) * bool(lower.any() or chart.whole)
    error = terms * UNIT_ROUNDOFF * size
    if chart.whole:
        # y' = 2 z - 1
        return np.concatenate([-linear.sum(axis=1)[None, :], 2.0 * linear.T, constant[None, :]]), error
    extra = chart.half_spaces
    image = np.concatenate([constant[None, :], linear.T])
    rows = np.concatenate([extra.level[None, :], -extra.normal.T])
    return np.concatenate([image, rows], axis=1), np.concatenate([error, extra.error])


def _starts(sizes: Iterable[Any]) -> Ints:
    return np.cumsum([0, *sizes]).astype(np.int64)


def _joined(arrays: Sequence[npt.NDArray[Any]], dtype: type) -> npt.NDArray[Any]:
    return np.concatenate([np.zeros(0), *arrays]).astype(dtype)


def _packed_weight(layer: Layer) -> tuple[Floats, Ints | None, Ints]:
    """(entries, their rows or None if dense, first entry of each column) of a weight, by columns."""
    csc = sp.csc_array(layer.weight)
    csc.sum_duplicates()
    if csc.nnz > DENSE_FROM * layer.n_rows * layer.n_in:
        return csc.toarray().T.ravel(), None, np.zeros(0, np.int64)
    return csc.data, csc.indices.astype(np.int64), csc.indptr.astype(np.int64)


def _cuts(layer: Layer) -> tuple[Ints, Floats, Ints]:
    """Row and value of every cut of a layer, and each unit's first cut."""
    units = layer.units
    table = [np.asarray(f.breakpoints, np.float64) for f in units.functions]
    count = np.where(units.function_of == MAXIMUM, 0, units.n_pieces - 1)
    rows = np.repeat(units.rows[units.indptr[:-1]], count)
    values = [table[k] for k in units.function_of if k != MAXIMUM and len(table[k])]
    return rows, _joined(values, np.float64), _starts(count)[:-1]


def _constrained(cuts: tuple[Ints, Floats, Ints], n_rows: int, n: int) -> tuple[Ints, Floats, Ints]:
    """The cuts of a layer, and after them the cuts row = 0 of n rows past its last."""
    rows, values, first = cuts
    return np.concatenate([rows, np.arange(n_rows, n_rows + n)]), np.concatenate([values, np.zeros(n)]), first


def _renumbered(layer: Layer, functions: list[PiecewiseLinear]) -> Ints:
    position = {f: k for k, f in enumerate(functions)}
    numbers = np.array([position[f] for f in layer.units.functions] + [MAXIMUM], np.int64)
    return numbers[layer.units.function_of]
