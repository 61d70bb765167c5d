"""Are recorded witnesses strictly inside their cells, as the float64 numbers that they are?

A run finds a witness in coordinates of its own and records it as an input, which rounds. In a thin cell that may be too much,
and a cell may have no float64 point at all. So every witness is evaluated before it is written, in floating point with an error
bound for every number; what that leaves open is evaluated in integers.

The bounds are those of `enclosure.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from regionenum.domain import Box, Domain, Polytope, Slice
from regionenum.exact.domains import ExactDomain
from regionenum.exact.enclosure import ROUNDING, SPARE, TINY, BoundedRows, SliceDistance, Truths, Values
from regionenum.exact.layer_forms import FormMaker
from regionenum.exact.witnesses import Nearest, beyond
from regionenum.network.layers import Layer, Network
from regionenum.network.units import MAXIMUM, Floats, Ints


@dataclass(frozen=True)
class Inside:
    """Says of witnesses whether they are inside.

    Attributes
    ----------
    network, domain : as they were given
    exact : the domain in integers
    """

    network: Network
    domain: Domain
    exact: ExactDomain

    def __call__(self, layer: npt.NDArray[Any], pieces: npt.NDArray[Any], inputs: Floats) -> Truths:
        """Whether the witnesses of cells are strictly inside.

        Parameters
        ----------
        layer : (n,) the unit layer after which each is a cell; -1 in a network without units
        pieces : (n, sum of n_units)
        inputs : (n, n_in); where that is not finite the answer is no
        """
        found = np.zeros(len(inputs), np.bool_)
        finite = np.isfinite(inputs).all(axis=1)
        with np.errstate(all="ignore"):
            for k in np.unique(layer).tolist():
                rows = np.flatnonzero(finite & (layer == k))
                found[rows] = self._certain(k, pieces[rows], inputs[rows])
        for i in np.flatnonzero(finite & ~found).tolist():
            found[i] = self._evaluated(int(layer[i]), pieces[i], inputs[i])
        return found

    def _evaluated(self, last: int, pieces: npt.NDArray[Any], x: Floats) -> bool:
        """The answer in integers."""
        nearest, forms_of = self._room
        point = nearest.point(x)
        if point is None or beyond(self.exact, point) is not None:
            return False
        first = 0
        for k in range(last + 1):
            forms = forms_of.of(k, pieces, self.exact.dim)
            n = len(forms.plan.functions)
            if forms.misplaced(pieces[first : first + n].tolist(), point) is not None:
                return False
            first += n
        return True

    @cached_property
    def _room(self) -> tuple[Nearest, FormMaker]:
        return Nearest(self.exact), FormMaker(self.network, self.exact)

    def _certain(self, last: int, pieces: npt.NDArray[Any], x: Floats) -> Truths:
        """Whether floating point proves that witnesses are inside."""
        error = self._distance(x)
        certain = self._in_domain(x, error)
        values = Values(x, np.broadcast_to(error[:, None], x.shape), np.zeros(x.shape, np.bool_))
        first = 0
        for layer, rows_of in zip(self.network.unit_layers[: last + 1], self._rows_of, strict=False):
            chosen = pieces[:, first : first + layer.n_out].astype(np.int64)
            values, right = _through(layer, rows_of(values), chosen)
            certain &= right
            first += layer.n_out
        return certain

    def _distance(self, x: Floats) -> Floats:
        """(n,) bounds on the distance of inputs from the points that they stand for."""
        return np.zeros(len(x)) if self._slice is None else self._slice(x)

    @cached_property
    def _slice(self) -> SliceDistance | None:
        if not isinstance(self.domain, Slice):
            return None
        n_in = self.network.n_in
        origin = np.asarray(self.domain.origin, np.float64).reshape(n_in)
        return SliceDistance(np.asarray(self.domain.directions, np.float64).reshape(-1, n_in).T, origin)

    @cached_property
    def _rows_of(self) -> list[BoundedRows]:
        return [BoundedRows(layer) for layer in self.network.unit_layers]

    def _in_domain(self, x: Floats, error: Floats) -> Truths:
        """Whether inputs are certainly inside the domain."""
        certain = np.ones(len(x), np.bool_)
        match self.domain:
            case Box() as box:
                certain &= _in_box(box, x, error, self.network.input_shape)
            case Polytope() as polytope:
                a, b = np.asarray(polytope.A), np.asarray(polytope.b)
                size = np.abs(x) @ np.abs(a.T) + np.abs(b)
                bound = (a.shape[1] + 3) * ROUNDING * size * SPARE + a.shape[1] * TINY
                # what does not vary in the domain may be an equation
                certain &= ((b - x @ a.T > bound) | ~self._varies(a)).all(axis=1)
                if polytope.within is not None:
                    certain &= _in_box(polytope.within, x, error, self.network.input_shape)
            case Slice(within=Box() as box):
                lower, upper = box.bounds(self.network.input_shape)
                moving = np.asarray(self.domain.directions, np.float64).reshape(-1, self.network.n_in).any(axis=0)
                room = np.minimum(x - lower, upper - x) * (1.0 - 2.0**-50)
                certain &= ((room > error[:, None]) | ~moving).all(axis=1)
        return certain

    def _varies(self, a: Floats) -> Truths:
        """Of each row, whether it has a part in what varies in the domain."""
        moving = np.array([any(row[:-1]) for row in self.exact.inputs.matrix.tolist()], np.bool_)
        return np.asarray(a[:, moving].any(axis=1))


def _in_box(box: Box, x: Floats, error: Floats, shape: tuple[int, ...]) -> Truths:
    lower, upper = box.bounds(shape)
    return np.asarray((((lower < x) & (x < upper)) | ((lower == upper) & (x == lower))).all(axis=1))


def _through(layer: Layer, z: Values, pieces: Ints) -> tuple[Values, Truths]:
    """The outputs of a layer with these rows, and whether all its units certainly have the pieces given."""
    assert z.still is not None
    units, right = layer.units, np.ones(len(z.value), np.bool_)
    shape = pieces.shape
    value, error, still = np.zeros(shape), np.zeros(shape), np.zeros(shape, np.bool_)
    for number, function in enumerate(units.functions):
        of = np.flatnonzero(units.function_of == number)
        rows, piece = units.rows[units.indptr[of]], pieces[:, of]
        v, e, s = z.value[:, rows], z.error[:, rows], z.still[:, rows]
        for k, breakpoint in enumerate(function.breakpoints):
            difference = v - breakpoint
            clear = np.abs(difference) > (e + 2.0 * ROUNDING * np.abs(difference)) * SPARE
            level = s & (e == 0.0) & (difference == 0.0) & (piece <= k)
            right &= (level | (clear & ((difference > 0.0) == (piece > k)))).all(axis=1)
        slope, intercept = np.asarray(function.slopes)[piece], np.asarray(function.intercepts)[piece]
        value[:, of] = np.where(slope != 0.0, slope * v, 0.0) + intercept
        size = np.abs(slope * v) + np.abs(intercept)
        exact = (slope == 0.0) | ((np.abs(slope) == 1.0) & (intercept == 0.0))
        made = np.abs(slope) * e * SPARE + np.where(exact, 0.0, 4.0 * ROUNDING * size + TINY)
        error[:, of] = np.where(slope == 0.0, 0.0, made)
        still[:, of] = s | (slope == 0.0)
    for u in np.flatnonzero(units.function_of == MAXIMUM).tolist():
        members, winner = units.rows[units.indptr[u] : units.indptr[u + 1]], pieces[:, u]
        v, e, s = z.value[:, members], z.error[:, members], z.still[:, members]
        at = winner[:, None]
        best, wrong = np.take_along_axis(v, at, axis=1), np.take_along_axis(e, at, axis=1)
        fixed = np.take_along_axis(s, at, axis=1)
        difference = best - v
        clear = difference > (wrong + e + 2.0 * ROUNDING * np.abs(difference)) * SPARE
        same = fixed & s & (wrong + e == 0.0) & (difference == 0.0) & (at <= np.arange(len(members)))
        right &= (clear | same | (at == np.arange(len(members)))).all(axis=1)
        value[:, u], error[:, u], still[:, u] = best[:, 0], wrong[:, 0], fixed[:, 0]
    return Values(value, error, still), right & np.isfinite(error).all(axis=1)
