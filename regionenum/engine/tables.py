"""A problem as flat arrays, the form in which the compiled walk reads it.

Every pointwise unit with p breakpoints has p *cuts*: the hyperplanes row = breakpoint. Its piece is the number of cuts
of which the cell is on the positive side. Every maximum of two or more candidates is a *group*. Units with one piece
have neither.

Cells are cut out of the unit cube z in [0, 1]^dim. For a domain inside the unit cube, z is its y. The whole space R^d is
*homogenised*: a row a . y + b becomes a . y' + b t on the cube |y'_k| <= 1, 0 <= t <= 1 with d + 1 coordinates z, of
which y' = 2 z - 1 are the first d and t is the last. A region of R^d is then the cone over it, y = y' / t, and no
number stands for infinity. All that differs for the rest of the engine is which line of a row's image the number 1 belongs
to: line `one`, the constants of an ordinary problem (0), or the coefficients of t (d + 1).

Rounding errors of rows are bounded by two numbers for each: one for its constant (line `one`), and one for the sum of
its other coefficients, `walk/layer_kernel.py` says how. What of it does not depend on the cell is prepared here.

The constraints of a domain are rows and cuts of layer 0 that no unit reads. Subtrees do not
mention them: their sides are put in when one is started (`CompiledExplorer.start`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from regionenum.domain.half_spaces import UNIT_ROUNDOFF as UNIT_ROUNDOFF
from regionenum.engine.grids import Grid, grids_of
from regionenum.engine.interface import Problem
from regionenum.exact.ranks import independent_columns
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
EXACT = 8  # not a start: 1 if nothing is rounded in the layer's rows, on any cell
LOWEST = 9  # not a start: all numbers of such a layer are multiples of two to this power


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


class CutTables(NamedTuple):
    """The cuts of all layers; the constraints of the domain are behind those of layer 0."""

    row: Ints  # row in its layer
    value: Floats  # the hyperplane is row = value
    unit: Ints  # unit, over all layers, whose piece the cut decides; -1 for a constraint
    first: Ints  # first cut of that unit
    last: Ints  # its last cut


class ErrorTables(NamedTuple):
    """What bounds the rounding of pulled-back rows."""

    reads: Ints  # (n_rows,) 1 if the row reads a unit with a weight that is not 0; 0 in layer 0
    limit: Floats  # (depth,) a row of the layer before whose coefficients add up to more could overflow
    copied_unit: Ints  # (n_rows,) the unit, in its layer, that a row only copies, times a power of two; or -1
    copied_weight: Floats  # (n_rows,) that power of two, positive or negative


class OutputTables(NamedTuple):
    """The last affine layer, if no units follow it, and the branches of the units before it; without rows if there is none."""

    weight: Floats  # (n_outputs, n_units)
    first: Ints  # (n_units + 1,) first branch of each unit of the last unit layer: one for each piece
    row: Ints  # of each branch, the row of that layer that it reads
    slope: Floats
    largest: float  # of the weight's entries, in absolute value; 1 or more
    most: int  # rank of the weight
    is_exact: int  # 1 if nothing is rounded in the output's rows, on any cell
    lowest: int  # all their numbers are then multiples of two to this power


class Tables(NamedTuple):
    """A problem."""

    dim: int  # coordinates of cells
    free: int  # dimension d of the domain: the first coordinates, in which ranks are measured
    one: int  # line of the images that constants belong to
    depth: int
    at: Ints  # (depth + 1, 10)
    units: UnitTables
    weights: WeightTables
    errors: ErrorTables
    cuts: CutTables
    output: OutputTables
    group_unit: Ints  # unit in its layer
    twin: Ints  # (members) position in its group of the first candidate with the same weights and bias
    first: Floats  # (dim + 1, n_rows) the rows of layer 0
    first_error: Floats  # (2, n_rows) their bounds, as in Images


@lru_cache(maxsize=1)
def make_tables(problem: Problem) -> Tables:
    """Flatten a problem; those of the last one are kept, since nothing writes to them."""
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
    grids = grids_of(problem)
    first, first_error = first_image(problem, grids[0])
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
            np.array([*(int(grid.is_exact) for grid in grids[: len(layers)]), 0]),
            np.array([*(grid.lowest if grid.is_exact else 0 for grid in grids[: len(layers)]), 0]),
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
        errors=_error_tables(layers, n_rows),
        cuts=_cut_tables(layers, cuts, n_constraints),
        output=_output_tables(problem, grids),
        group_unit=_joined(groups, np.int64),
        twin=_joined([_twins(layer) for layer in layers], np.int64),
        first=first,
        first_error=first_error,
    )


def first_image(problem: Problem, grid: Grid) -> tuple[Floats, Floats]:
    """Rows of layer 0 as functions of z, (dim + 1, n_rows) with the constants first, and bounds (2, n_rows) of their errors.

    With the chart x = origin + D s, s = lower + width y, a row is W origin + b + (W D) lower + (W D) width y. A dot product
    of n terms computed in any order errs by at most n u / (1 - n u) times the sum of the absolute values of its terms
    (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1). The two bounds are those of line `one` and of
    the other lines together. A row that overflows is 0 with infinite bounds; what underflows is below 2^-1000.
    """
    layer, chart = problem.network.unit_layers[0], problem.chart
    lower, width = chart.bounds
    with np.errstate(over="ignore", invalid="ignore"):
        product = layer.weight @ chart.directions
        product = product.toarray() if sp.issparse(product) else np.asarray(product)
        magnitude = abs(layer.weight) @ abs(chart.directions)
        magnitude = magnitude.toarray() if sp.issparse(magnitude) else np.asarray(magnitude)
        constant = np.asarray(layer.weight @ chart.origin) + layer.bias + product @ lower
        linear = product * width
        size = np.asarray(abs(layer.weight) @ abs(chart.origin)) + abs(layer.bias) + magnitude @ abs(lower)
        slopes = magnitude @ abs(width)
        if chart.whole:
            # y' = 2 z - 1
            image = np.concatenate([-linear.sum(axis=1)[None, :], 2.0 * linear.T, constant[None, :]])
            slopes = 3.0 * slopes
        else:
            image = np.concatenate([constant[None, :], linear.T])
        terms = (layer.n_in + problem.dim + 6) * UNIT_ROUNDOFF
        error = np.stack([terms * size, terms * slopes])
        if _only_selects(chart.directions) and (np.frexp(width)[0] == 0.5).all():
            # no sum, and no product but by a power of two; in the whole space a sum on line 0 remains
            error[1] = problem.dim * UNIT_ROUNDOFF * slopes * (chart.whole and problem.dim > 1)
        if not (chart.origin.any() or lower.any()):
            error[0] = 0.0
        # what underflows, even where nothing else is left
        reads, moves = ((matrix != 0.0).astype(np.float64) for matrix in (layer.weight, chart.directions))
        reach = reads @ moves
        reach = reach.toarray() if sp.issparse(reach) else np.asarray(reach)
        away = np.asarray(reads @ (chart.origin != 0.0)) + reach @ (lower != 0.0) > 0
        vanishing = ((reach > 0) & (abs(linear) < 2.0**-1000)).any(axis=1)
        error += 2.0**-1000 * np.stack([away, vanishing | (error[1] > 0)])
        if grid.is_exact:
            error[...] = 0.0
    extra = chart.half_spaces
    if len(extra):
        image = np.concatenate([image, np.concatenate([extra.level[None, :], -extra.normal.T])], axis=1)
        error = np.concatenate([error, np.stack([np.zeros_like(extra.error), extra.error])], axis=1)
    overflowed = ~(np.isfinite(image).all(axis=0) & np.isfinite(error).all(axis=0))
    image[:, overflowed], error[:, overflowed] = 0.0, np.inf
    # kernels are compiled for one layout
    return np.ascontiguousarray(image), np.ascontiguousarray(error)


def _only_selects(directions: sp.csr_array) -> bool:
    """Whether every direction is a unit vector times a power of two."""
    data = directions.data[directions.data != 0]
    single = np.bincount(directions.indices[directions.data != 0], minlength=directions.shape[1]) == 1
    return bool(single.all() and (np.abs(np.frexp(data)[0]) == 0.5).all())


def _error_tables(layers: Sequence[Layer], n_rows: Sequence[int]) -> ErrorTables:
    """What of the errors of rows does not depend on the cell; see `ErrorTables`."""
    reads, limits = [np.zeros(n_rows[0], np.bool_)], [np.inf]
    copied_unit, copied_weight = [np.full(n_rows[0], -1)], [np.zeros(n_rows[0])]
    for layer, following in pairwise(layers):
        weight = abs(following.weight)
        reads.append(np.asarray((weight != 0) @ np.ones(layer.n_out)) > 0)
        largest = float(max(weight.max(), 1.0)) if weight.size else 1.0
        limits.append(1e290 / largest / max(layer.n_out, 1))
        unit, power = _copies(following)
        copied_unit.append(unit)
        copied_weight.append(power)
    return ErrorTables(
        reads=_joined(reads, np.int64),
        limit=np.array(limits),
        copied_unit=_joined(copied_unit, np.int64),
        copied_weight=_joined(copied_weight, np.float64),
    )


def _copies(layer: Layer) -> tuple[Ints, Floats]:
    """The unit and the power of two of every row that is one unit times a power of two; -1 and 0 for the others."""
    csr = sp.csr_array(layer.weight)
    csr.eliminate_zeros()
    single = (np.diff(csr.indptr) == 1) & (np.asarray(layer.bias) == 0.0)
    unit, power = np.full(layer.n_rows, -1), np.zeros(layer.n_rows)
    first = csr.indptr[:-1][single]
    mantissa, exponent = np.frexp(csr.data[first])
    exact = (np.abs(mantissa) == 0.5) & (np.abs(exponent) < 500)
    rows = np.flatnonzero(single)[exact]
    unit[rows], power[rows] = csr.indices[first[exact]], csr.data[first[exact]]
    return unit, power


def _output_tables(problem: Problem, grids: Sequence[Grid]) -> OutputTables:
    """The last affine layer; `grids` has an entry for it."""
    if len(problem.network.layers) == problem.depth:
        return OutputTables(np.zeros((0, 0)), np.zeros(1, np.int64), np.zeros(0, np.int64), np.zeros(0), 1.0, 0, 0, 0)
    weight, grid, units = problem.network.layers[-1].weight, grids[-1], problem.network.unit_layers[-1].units
    rows, slopes, counts = list[int](), list[float](), list[int]()
    for function, first, last in zip(units.function_of.tolist(), units.indptr, units.indptr[1:], strict=False):
        members = units.rows[first:last].tolist()
        of_unit = (1.0,) * len(members) if function == MAXIMUM else units.functions[function].slopes
        slopes += of_unit
        rows += members if function == MAXIMUM else members * len(of_unit)
        counts.append(len(of_unit))
    return OutputTables(
        weight=np.ascontiguousarray(weight.toarray() if isinstance(weight, sp.csr_array) else weight),
        first=_starts(counts),
        row=np.array(rows, np.int64),
        slope=np.array(slopes, np.float64),
        largest=float(max(abs(weight).max(), 1.0)),
        most=len(independent_columns(weight)),
        is_exact=int(grid.is_exact),
        lowest=grid.lowest if grid.is_exact else 0,
    )


def _cut_tables(layers: Sequence[Layer], cuts: Sequence[tuple[Ints, Floats, Ints]], n_constraints: int) -> CutTables:
    """The cuts of all layers, given row, value and each unit's first cut for the layers."""
    found, start = [], 0
    for k, layer in enumerate(layers):
        count = np.where(layer.units.function_of == MAXIMUM, 0, layer.units.n_pieces - 1)
        found.append(np.repeat(np.arange(start, start + layer.n_out), count))
        if k == 0:
            found.append(np.full(n_constraints, -1))
        start += layer.n_out
    unit = _joined(found, np.int64)
    # cuts of one unit are neighbours
    return CutTables(
        row=_joined([rows for rows, _, _ in cuts], np.int64),
        value=_joined([values for _, values, _ in cuts], np.float64),
        unit=unit,
        first=np.searchsorted(_increasing(unit), _increasing(unit), side="left").astype(np.int64),
        last=np.searchsorted(_increasing(unit), _increasing(unit), side="right").astype(np.int64) - 1,
    )


def _increasing(unit: Ints) -> Ints:
    """Numbers that never decrease, and change where the unit does."""
    return np.cumsum(np.diff(unit, prepend=unit[:1]) != 0)


def _twins(layer: Layer) -> Ints:
    """For each row that a unit reads, in groups: position in the group of the first row that is the same function."""
    units = layer.units
    position = np.arange(len(units.rows)) - np.repeat(units.indptr[:-1], np.diff(units.indptr))
    maxima = np.flatnonzero((units.function_of == MAXIMUM) & (units.n_pieces > 1))
    if not len(maxima):
        return position
    csr = sp.csr_array(layer.weight)
    csr.eliminate_zeros()
    csr.sort_indices()
    names: dict[int, tuple[bytes, bytes, float]] = {}
    for u in maxima:
        first: dict[tuple[bytes, bytes, float], int] = {}
        for m in range(units.indptr[u], units.indptr[u + 1]):
            row = int(units.rows[m])
            if row not in names:
                part = slice(csr.indptr[row], csr.indptr[row + 1])
                names[row] = csr.indices[part].tobytes(), csr.data[part].tobytes(), float(layer.bias[row])
            position[m] = first.setdefault(names[row], int(position[m]))
    return position


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
