"""Oracles in exact rational arithmetic, without linear programs: they share nothing with the engines.

In one or two dimensions a cell is the list of its corners, and a hyperplane clips it. `exact_cells` walks the layers
so; `exact_pattern` and `exact_map` evaluate a network at one point and on one pattern, in any dimension.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
import scipy.sparse as sp

from regionenum.domain import Chart
from regionenum.engine.interface import Problem, Statistics
from regionenum.network.layers import Layer, Network
from regionenum.network.units import MAXIMUM

Row = tuple[Fraction, ...]
"""An affine function of y: the coefficients, then the constant."""

Corners = list[tuple[Fraction, ...]]
Pattern = tuple[int, ...]


def fractions(values: object) -> list[Fraction]:
    """The exact values of floats."""
    return [Fraction(float(v)) for v in np.asarray(values).ravel()]


def pivots(rows: Sequence[Sequence[Fraction | int]]) -> list[int]:
    """Pivot columns of a rational matrix; their number is its rank."""
    left = [[Fraction(int(v)) if isinstance(v, np.integer) else Fraction(v) for v in row] for row in rows]
    found: list[int] = []
    for column in range(len(left[0]) if left else 0):
        pivot = next((row for row in left if row[column]), None)
        if pivot is None:
            continue
        left = [row for row in left if row is not pivot]
        for row in left:
            factor = row[column] / pivot[column]
            if factor:
                row[column:] = [v - factor * p for v, p in zip(row[column:], pivot[column:], strict=True)]
        found.append(column)
    return found


def dense(weight: np.ndarray | sp.csr_array) -> np.ndarray:
    """The weight as a dense array."""
    return np.asarray(weight.toarray() if isinstance(weight, sp.csr_array) else weight)


def chart_rows(chart: Chart) -> list[Row]:
    """The inputs as affine functions of the domain's coordinates: x = origin + directions (lower + width y)."""
    lower, width = (fractions(bound) for bound in chart.bounds)
    found = []
    for direction, start in zip(chart.directions.toarray(), fractions(chart.origin), strict=True):
        a = fractions(direction)
        constant = sum((p * q for p, q in zip(a, lower, strict=True)), start)
        found.append((*(p * q for p, q in zip(a, width, strict=True)), constant))
    return found


def preactivations(layer: Layer, rows: list[Row]) -> list[Row]:
    """The affine functions that the units of `layer` read."""
    found = []
    for weights, bias in zip(dense(layer.weight), layer.bias, strict=True):
        total = [Fraction(0)] * len(rows[0])
        for w, row in zip(fractions(weights), rows, strict=True):
            if w:
                total = [t + w * r for t, r in zip(total, row, strict=True)]
        total[-1] += Fraction(float(bias))
        found.append(tuple(total))
    return found


def outputs(layer: Layer, z: list[Row], pieces: Pattern) -> list[Row]:
    """The affine functions that the units give on their pieces."""
    units, found = layer.units, []
    for u, piece in enumerate(pieces):
        first, function = int(units.indptr[u]), int(units.function_of[u])
        if function == MAXIMUM:
            found.append(z[units.rows[first + piece]])
            continue
        f = units.functions[function]
        scaled = [Fraction(f.slopes[piece]) * v for v in z[units.rows[first]]]
        scaled[-1] += Fraction(f.intercepts[piece])
        found.append(tuple(scaled))
    return found


def value(row: Row, y: Sequence[Fraction]) -> Fraction:
    """An affine function at a point."""
    return sum((a * v for a, v in zip(row, y, strict=False)), row[-1])


def _pieces_at(layer: Layer, z: list[Fraction]) -> Pattern:
    """Pieces at one point: the breakpoints strictly below, or the first largest candidate."""
    units, found = layer.units, []
    for u in range(units.n_units):
        group = [z[row] for row in units.rows[units.indptr[u] : units.indptr[u + 1]]]
        function = int(units.function_of[u])
        if function == MAXIMUM:
            found.append(group.index(max(group)))
        else:
            found.append(sum(group[0] > Fraction(b) for b in units.functions[function].breakpoints))
    return tuple(found)


def exact_pattern(problem: Problem, y: np.ndarray) -> Pattern:
    """Pattern at a point of the domain, given in the domain's coordinates, without rounding anywhere."""
    point: list[Row] = [(value(row, fractions(y)),) for row in chart_rows(problem.chart)]
    pattern: Pattern = ()
    for layer in problem.network.unit_layers:
        z = preactivations(layer, point)
        pieces = _pieces_at(layer, [v for (v,) in z])
        pattern += pieces
        point = [(v,) for (v,) in outputs(layer, z, pieces)]
    return pattern


def exact_map(network: Network, pattern: Pattern) -> tuple[Row, ...]:
    """The affine map of the whole network on a pattern, in its inputs."""
    n = network.n_in
    rows: list[Row] = [tuple(Fraction(int(i == j)) for j in range(n + 1)) for i in range(n)]
    for layer in network.layers:
        z = preactivations(layer, rows)
        n_units = layer.units.n_units
        pieces, pattern = (pattern[:n_units], pattern[n_units:]) if pattern else ((0,) * n_units, ())
        rows = outputs(layer, z, pieces)
    return tuple(rows)


def clip(corners: Corners, row: Row) -> Corners:
    """The part of a segment or convex polygon where an affine function is not negative; empty if it has no interior."""
    values = [value(row, corner) for corner in corners]
    if max(values) <= 0:
        return []
    found: Corners = []
    for k in range(len(corners)):
        p, q, at_p, at_q = corners[k - 1], corners[k], values[k - 1], values[k]
        if at_p * at_q < 0:
            s = at_p / (at_p - at_q)
            found.append(tuple(a + s * (b - a) for a, b in zip(p, q, strict=True)))
        if at_q >= 0:
            found.append(q)
    # In a segment both directions along it meet the hyperplane, in the same point.
    return list(dict.fromkeys(found))


def _sides(layer: Layer, unit: int, z: list[Row]) -> list[tuple[int, list[Row]]]:
    """The pieces of a unit with the inequalities of each."""
    units = layer.units
    group = [z[row] for row in units.rows[units.indptr[unit] : units.indptr[unit + 1]]]
    function = int(units.function_of[unit])
    if function == MAXIMUM:
        distinct = [k for k, row in enumerate(group) if row not in group[:k]]
        return [(k, [_minus(group[k], group[m]) for m in distinct if m != k]) for k in distinct]
    row, breakpoints = group[0], [Fraction(b) for b in units.functions[function].breakpoints]
    if not any(row[:-1]):
        return [(sum(row[-1] > b for b in breakpoints), [])]
    zero = (Fraction(0),) * (len(row) - 1)
    above = [_minus(row, (*zero, b)) for b in breakpoints]
    bounds: list[list[Row]] = [[], *([side] for side in above), []]
    return [(k, bounds[k] + [_minus((*zero, Fraction(0)), r) for r in bounds[k + 1]]) for k in range(len(bounds) - 1)]


def _minus(a: Row, b: Row) -> Row:
    return tuple(p - q for p, q in zip(a, b, strict=True))


def _children(layer: Layer, z: list[Row], corners: Corners) -> Iterator[tuple[Pattern, Corners]]:
    cells: list[tuple[Pattern, Corners]] = [((), corners)]
    for unit in range(layer.units.n_units):
        sides = _sides(layer, unit, z)
        cells = [((*pieces, piece), part) for pieces, whole in cells for piece, part in _parts(whole, sides)]
    yield from cells


def _parts(whole: Corners, sides: list[tuple[int, list[Row]]]) -> Iterator[tuple[int, Corners]]:
    for piece, rows in sides:
        part = whole
        for row in rows:
            part = clip(part, row) if part else part
        if part:
            yield piece, part


def exact_cells(problem: Problem, constraints: Sequence[Row] = ()) -> tuple[list[dict[Pattern, int]], Statistics]:
    """All cells of a problem of dimension 1 or 2: per layer {pattern: rank}, and the statistics.

    The constraints of the domain are given as rows that are to be positive, so that they need not come from its chart.
    The whole space is a square whose half width is far beyond every vertex of a small network: here that costs nothing.
    """
    dim = problem.dim
    if dim > 2:
        raise ValueError("the subdivision knows segments and polygons only")
    zero, one = (Fraction(-(10**40)), Fraction(10**40)) if problem.chart.whole else (Fraction(0), Fraction(1))
    start: Corners = [(zero,), (one,)] if dim == 1 else [(zero, zero), (one, zero), (one, one), (zero, one)]
    for row in constraints:
        start = clip(start, row)
    statistics = Statistics.zeros(problem.shape)
    found: list[dict[Pattern, int]] = []
    level: list[tuple[Pattern, list[Row], int, Corners]] = [((), chart_rows(problem.chart), dim, start)]
    statistics.cells[0, dim] = 1
    for depth, layer in enumerate(problem.network.unit_layers):
        next_level = []
        for pattern, rows, rank, corners in level:
            z = preactivations(layer, rows)
            children = list(_children(layer, z, corners))
            for pieces, part in children:
                mapped = outputs(layer, z, pieces)
                new_rank = len(pivots([row[:-1] for row in mapped]))
                next_level.append((pattern + pieces, mapped, new_rank, part))
                statistics.cells[depth + 1, new_rank] += 1
            statistics.children[depth, rank] += len(children)
            statistics.max_children[depth, rank] = max(statistics.max_children[depth, rank], len(children))
            statistics.unsplit[depth, rank] += len(children) == 1
            # the domain is in column 0
            column = rank if depth else 0
            for *_, new_rank, _ in next_level[-len(children) :]:
                statistics.transitions[depth, column, new_rank] += 1
            power = next(j for j in range(64) if 2**j <= len(children) < 2 ** (j + 1))
            statistics.spread[depth, column, power] += 1
            n_cutting = sum(len(set(pieces)) > 1 for pieces in zip(*(pieces for pieces, _ in children), strict=True))
            statistics.cutting[depth, column, n_cutting] += 1
        level = next_level
        found.append({pattern: rank for pattern, _, rank, _ in level})
    for _, rows, rank, _ in level:
        last = preactivations(problem.network.layers[-1], rows) if len(problem.network.layers) > problem.depth else rows
        output_rank = len(pivots([row[:-1] for row in last]))
        statistics.output[output_rank] += 1
        statistics.transitions[problem.depth, rank, output_rank] += 1
    return found, statistics
