"""What a layer's units can do to a cell, read from the weights exactly: how often each cuts, and in which pieces it is flat.

A *kind* stands for units that are decided together. It is cut into pieces by `cuts` hyperplanes or competitors, and in
each piece some of its units are *flat*: constant on the cell, so that they add nothing to the dimension of what the layer
gives. A ReLU has one cut, and is flat in one of its two pieces.

- A row without weights is constant: it never cuts and is always flat.
- Functions with one breakpoint whose hyperplanes coincide, as weights and up to a factor, are one kind.
- In a maximum, candidates with the same weights and bias are one, and of constant ones only the largest can win. Equal
  maxima are one kind.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from regionenum.analysis.theory.winners import Groups
from regionenum.exact.dyadic import integers, primitive
from regionenum.network.layers import Layer
from regionenum.network.units import MAXIMUM, PiecewiseLinear

MOST_WEIGHTS = 200_000
MOST_ROWS = 10_000
"""Layers with more weights or rows than this are not searched for rows that coincide, which would take seconds."""


class Kind(NamedTuple):
    """Units that are decided together.

    Attributes
    ----------
    cuts : number of pieces less one
    flat : for each piece, the number of these units that are constant there; increasing
    """

    cuts: int
    flat: tuple[int, ...]


@dataclass(frozen=True)
class LayerKinds:
    """A layer's units.

    Attributes
    ----------
    kinds : Counter of Kind
        How many of each kind.
    n_units : int
        Units, of all kinds together.
    windows : tuple of tuples of int
        Of each maximum with two distinct candidates or more, these, by number; the same number is the same function.
    """

    kinds: Counter[Kind]
    n_units: int
    windows: Groups

    @property
    def cuts(self) -> Counter[int]:
        """{cuts: number of kinds}, where there are cuts."""
        found: Counter[int] = Counter()
        for kind, count in self.kinds.items():
            if kind.cuts:
                found[kind.cuts] += count
        return found


def nominal_kinds(layer: Layer) -> LayerKinds:
    """The kinds as the types of the units have it, whatever the weights are."""
    units = layer.units
    kinds: Counter[Kind] = Counter()
    for number, count in zip(*np.unique(units.function_of, return_counts=True), strict=True):
        if number != MAXIMUM:
            kinds[_of_function(units.functions[number])] += int(count)
    sizes = np.diff(units.indptr)[units.function_of == MAXIMUM]
    for size, count in zip(*np.unique(sizes, return_counts=True), strict=True):
        kinds[Kind(int(size) - 1, (0,) * int(size))] += int(count)
    return LayerKinds(kinds, units.n_units, ())


def weighted_kinds(layer: Layer) -> LayerKinds:
    """The kinds with what the weights say; those of `nominal_kinds` for a large layer."""
    weight = sp.csr_array(layer.weight)
    if weight.nnz > MOST_WEIGHTS or layer.n_rows > MOST_ROWS:
        return nominal_kinds(layer)
    rows = [_row(weight, k) for k in range(layer.n_rows)]
    units = layer.units
    kinds: Counter[Kind] = Counter()
    flat_sides: defaultdict[Hashable, list[int]] = defaultdict(lambda: [0, 0])
    maxima: Counter[frozenset[Hashable]] = Counter()
    for u, number in enumerate(units.function_of.tolist()):
        read = units.rows[units.indptr[u] : units.indptr[u + 1]].tolist()
        if number == MAXIMUM:
            maxima[_candidates(layer, rows, read)] += 1
            continue
        function = units.functions[number]
        if not rows[read[0]]:
            kinds[Kind(0, (1,))] += 1
        elif len(function.breakpoints) == 1:
            plane, turned = _hyperplane(rows[read[0]], layer.bias[read[0]], function.breakpoints[0])
            for side, slope in enumerate(function.slopes):
                flat_sides[plane][side ^ turned] += slope == 0.0
        else:
            kinds[_of_function(function)] += 1
    for lower, upper in flat_sides.values():
        kinds[_kind([lower, upper])] += 1
    number_of: dict[Hashable, int] = {}
    windows = []
    for candidates, count in maxima.items():
        flat = [count * (not candidate[0]) for candidate in candidates]  # type: ignore[index]
        kinds[Kind(len(flat) - 1, tuple(sorted(flat)))] += 1
        if len(candidates) > 1:
            named = (number_of.setdefault(candidate, len(number_of)) for candidate in candidates)
            windows.append(tuple(sorted(named)))
    return LayerKinds(kinds, units.n_units, tuple(windows))


_Row = tuple[tuple[int, float], ...]
"""The weights of a row that are not 0, with their columns."""


def _row(weight: sp.csr_array, k: int) -> _Row:
    inside = slice(weight.indptr[k], weight.indptr[k + 1])
    sums: dict[int, float] = dict(zip(weight.indices[inside].tolist(), weight.data[inside].tolist(), strict=True))
    return tuple((column, value) for column, value in sorted(sums.items()) if value)


def _hyperplane(row: _Row, bias: float, level: float) -> tuple[Hashable, int]:
    """The hyperplane row . x + bias = level, and 1 if the given normal is minus that of its name."""
    values, _ = integers([value for _, value in row] + [float(bias), float(level)])
    *normal, constant, height = values
    reduced = [int(value) for value in primitive([*normal, constant - height])]
    turned = int(reduced[0] < 0)
    return (tuple(column for column, _ in row), tuple(-v for v in reduced) if turned else tuple(reduced)), turned


def _candidates(layer: Layer, rows: list[_Row], read: list[int]) -> frozenset[Hashable]:
    """The distinct functions in a maximum, of the constant ones the largest."""
    constants = [float(layer.bias[k]) for k in read if not rows[k]]
    found: set[Hashable] = {(rows[k], float(layer.bias[k]) + 0.0) for k in read if rows[k]}
    return frozenset(found | ({((), max(constants) + 0.0)} if constants else set()))


def _of_function(function: PiecewiseLinear) -> Kind:
    return _kind([int(slope == 0.0) for slope in function.slopes])


def _kind(flat: list[int]) -> Kind:
    """The kind of a function of one row with these flat pieces, in order."""
    return Kind(len(flat) - 1, tuple(sorted(flat)))
