"""Rows of layers at points, in floating point, with a bound on the error of every number.

A sum of K products, of numbers x with errors e, errs by sum |w| e + (K + 2) u sum |w x| (Higham, Accuracy and Stability of
Numerical Algorithms, 2002, section 3.1), and by the least positive number for each product that underflows. Bounds are
themselves computed in floating point: a factor 1 + 2^-20 covers that. What overflows is not finite and proves nothing.

The same bounds serve for whole sets of points. An error of the inputs says how far from a float64 point the point meant may
be, and a continuous function f with slopes of at most L errs by L e beside its own rounding, whichever pieces its argument
meets. So every point within that distance has its values within the bounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from regionenum.network.layers import Layer, Network
from regionenum.network.units import MAXIMUM, Floats, Ints, PiecewiseLinear, Units

Truths = npt.NDArray[np.bool_]

ROUNDING = 2.0**-53
SPARE = 1.0 + 2.0**-20
TINY = 2.0**-1070


@dataclass(frozen=True)
class Values:
    """Numbers with bounds on their errors; `still` are those that are the same all over a cell, where that is followed."""

    value: Floats
    error: Floats
    still: Truths | None = None

    @classmethod
    def exactly(cls, value: Floats) -> Values:
        """Numbers as they are."""
        return cls(value, np.zeros(value.shape))


class BoundedRows:
    """The rows W x + b of a layer at numbers that err."""

    def __init__(self, layer: Layer) -> None:
        self._weight, self._bias = layer.weight, layer.bias
        self._magnitude: Any = abs(layer.weight)
        self._used: Any = (layer.weight != 0).astype(np.float64)
        self._terms = np.asarray(self._used.sum(axis=1)).ravel()
        ones: Any = (self._magnitude == 1.0).astype(np.float64)
        single = (self._terms == np.asarray(ones.sum(axis=1)).ravel()) & (self._terms <= 1.0)
        # rows that copy one input, or its negative, or are 0
        self._copies = single & (layer.bias == 0.0)

    def __call__(self, inputs: Values) -> Values:
        """The rows (n_points, n_rows)."""
        value = _product(self._weight, inputs.value) + self._bias
        size = _product(self._magnitude, np.abs(inputs.value))
        nothing = size == 0.0
        rounding = (size + np.abs(self._bias)) * ((self._terms + 3.0) * (ROUNDING * SPARE)) + self._terms * TINY
        if self._copies.any():
            rounding[:, self._copies] = 0.0
        if nothing.any():
            # a row that reads nothing but zeros is its bias
            reads = _product(self._used, ((inputs.value != 0.0) | (inputs.error != 0.0)).astype(np.float64))
            rounding[reads == 0.0] = 0.0
        error = rounding
        if inputs.error.any():
            error = _product(self._magnitude, np.asarray(inputs.error)) * SPARE + rounding
        still = None
        if inputs.still is not None:
            still = _product(self._used, (~inputs.still).astype(np.float64)) == 0.0
        return Values(value, error, still)


def _product(matrix: Any, x: Floats) -> Floats:
    return np.asarray((matrix @ x.T).T)


def certainly_positive(difference: Floats, error: Floats) -> Truths:
    """Whether a difference of two float64 numbers that err by `error` together is certainly positive."""
    return np.asarray(difference > (error + 2.0 * ROUNDING * np.abs(difference)) * SPARE)


@dataclass(frozen=True)
class Rows:
    """The rows of a unit layer at points, and the pieces that the numbers have.

    Attributes
    ----------
    z : (n, n_rows)
    pieces : (n, n_units) with ties decided as is laid down: the lower piece, the lowest candidate
    decided : (n, n_units) whether these are certainly the pieces of the point meant, its ties included
    """

    z: Values
    pieces: Ints
    decided: Truths


class Enclosure:
    """The forward pass of a network with error bounds.

    The functions of its units must be continuous for the bounds to hold beyond a unit that is not decided.
    """

    def __init__(self, network: Network) -> None:
        self._layers = [(layer.units, BoundedRows(layer)) for layer in network.unit_layers]

    def __call__(self, inputs: Values) -> Iterator[Rows]:
        """The rows of all unit layers, in order."""
        values = inputs
        with np.errstate(all="ignore"):
            for units, rows_of in self._layers:
                z = rows_of(values)
                pieces, decided, values = through(units, z)
                yield Rows(z, pieces, decided & np.isfinite(values.error))


def through(units: Units, z: Values) -> tuple[Ints, Truths, Values]:
    """Pieces, whether they are certain, and outputs of units."""
    shape = (len(z.value), units.n_units)
    pieces, decided = np.zeros(shape, np.int64), np.ones(shape, np.bool_)
    value, error = np.zeros(shape), np.zeros(shape)
    for number, function in enumerate(units.functions):
        of = np.flatnonzero(units.function_of == number)
        rows = units.rows[units.indptr[of]]
        v, e = z.value[:, rows], z.error[:, rows]
        pieces[:, of] = piece = function.pieces(v)
        for breakpoint in function.breakpoints:
            difference = v - breakpoint
            # where nothing errs the comparison is that of the numbers themselves
            decided[:, of] &= certainly_positive(np.abs(difference), e) | (e == 0.0)
        value[:, of], error[:, of] = _applied(function, piece, decided[:, of], v, e)
    for groups, members in _groups(units):
        v, e = z.value[:, members], z.error[:, members]
        winner = v.argmax(axis=2)
        best, wrong = (np.take_along_axis(a, winner[..., None], axis=2)[..., 0] for a in (v, e))
        ahead, together = best[..., None] - v, wrong[..., None] + e
        sure = certainly_positive(ahead, together) | (together == 0.0)
        sure |= winner[..., None] == np.arange(members.shape[1])
        pieces[:, groups], decided[:, groups] = winner, sure.all(axis=2)
        value[:, groups] = best
        error[:, groups] = np.where(decided[:, groups], wrong, e.max(axis=2))
    return pieces, decided, Values(value, error)


def _applied(function: PiecewiseLinear, piece: Ints, decided: Truths, v: Floats, e: Floats) -> tuple[Floats, Floats]:
    slopes, intercepts = np.asarray(function.slopes), np.asarray(function.intercepts)
    steepness, unsure = np.abs(slopes), ~decided
    steepest = steepness[piece]
    steepest[unsure] = steepness.max()
    # infinite errors beside slopes of 0 give NaN, which proves nothing either
    error = steepest * e * SPARE
    value = slopes[piece] * v
    if not intercepts.any() and np.isin(steepness, (0.0, 1.0)).all():
        return value, error
    intercept = intercepts[piece]
    exact = (steepness == 0.0) | ((steepness == 1.0) & (intercepts == 0.0))
    made = 4.0 * ROUNDING * (np.abs(value) + np.abs(intercept)) + TINY
    return value + intercept, error + np.where(exact[piece], 0.0, made)


def _groups(units: Units) -> Iterator[tuple[Ints, Ints]]:
    """Maxima by their sizes: (units (k,), rows (k, size))."""
    sizes = np.diff(units.indptr)
    maxima = units.function_of == MAXIMUM
    for size in np.unique(sizes[maxima]):
        of = np.flatnonzero(maxima & (sizes == size))
        yield of, units.rows[units.indptr[of][:, None] + np.arange(size)]


@dataclass(frozen=True)
class SliceDistance:
    """How far inputs are from the points of a slice o + D s that they stand for: the nearest ones.

    Attributes
    ----------
    columns : (n_in, k), D
    origin : (n_in,)
    """

    columns: Floats
    origin: Floats

    @cached_property
    def _inverse(self) -> Floats:
        return np.asarray(np.linalg.pinv(self.columns), np.float64)

    def __call__(self, x: Floats) -> Floats:
        """(n,) bounds on the distances, from those of o + D s for an s by least squares, which is no nearer."""
        s = (x - self.origin) @ self._inverse.T
        rounding = (len(self.columns[0]) + 3) * ROUNDING * (np.abs(self.origin) + np.abs(s) @ np.abs(self.columns.T))
        away = np.abs(x - (self.origin + s @ self.columns.T)) * SPARE + rounding + TINY + ROUNDING * np.abs(x)
        return np.asarray(np.sqrt((away**2).sum(axis=1)) * (1.0 + len(self.origin) * 2.0**-50) + 2.0**-500)


def jump_of(network: Network) -> tuple[str, float, float] | None:
    """None if all functions of units are continuous as the float64 numbers say; else a layer, a breakpoint and the jump."""
    for layer in network.unit_layers:
        for f in layer.units.functions:
            for k, at in enumerate(f.breakpoints):
                low, high = (Fraction(f.slopes[i]) * Fraction(at) + Fraction(f.intercepts[i]) for i in (k, k + 1))
                if low != high:
                    return layer.name, at, float(high - low)
    return None
