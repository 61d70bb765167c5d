"""Domains as they were given: coordinates, constraints and charts in integers.

An engine's chart (`domain/chart.py`) may be a rounded picture of a domain: the width of a box is a rounded difference, and so
are the levels of the constraints of a polytope or a slice. Here a domain is what its float64 numbers say:

    Box         lower_j <= x_j <= upper_j, exactly; coordinates s are the inputs that are not fixed
    Polytope    the box, and A x <= b; without a box A x <= b alone, over all inputs
    Slice       x = origin + sum_j s_j directions_j, with every lower_i <= x_i <= upper_i of the box
    whole       x = origin + sum_j s_j directions_j, with s in R^d: `Chart.origin` and `Chart.directions` are as they were given

Everything is homogeneous: a point is a vector v = (s t, t) of d + 1 integers with t > 0, an affine function a . s + c the
linear form (a, c) . v, and the domain the cone of the v at which some forms are >= 0. The form t is one of them.

A chart is used in one direction only: a float64 point y of an engine stands for the point s = shift + scale y, with float64
numbers read as they are. Nothing rests on where it lies: what is claimed of a point is checked of its image.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from flint import fmpz, fmpz_mat

from regionenum.domain import Box, Chart, Domain, Polytope, Slice
from regionenum.exact.cone import AT_INFINITY, Block, Forms, Frame, Label, Sides
from regionenum.exact.dyadic import Dyadic, Integer, Row, dyadic, integers, primitive
from regionenum.network.units import Floats

DOMAIN = -1
"""The layer in the labels of a domain's constraints."""


@dataclass(frozen=True)
class ExactDomain:
    """A domain in coordinates s.

    Attributes
    ----------
    inputs : the inputs x as linear forms of (s, 1), (n_in, d + 1)
    blocks : the forms that are not negative in the domain; the first is t, the others have labels (-1, k, 0). In a box, k
        is j for x_j >= lower_j and d + j for x_j <= upper_j, j counting the free inputs; the inequalities of a polytope follow.
        In a slice, k counts the upper sides of all inputs that vary, then their lower sides.
    frame : the engine's coordinates, for programs in floating point
    """

    inputs: Dyadic
    blocks: tuple[Block, ...]
    frame: Frame
    shift: Floats
    scale: Floats

    @property
    def dim(self) -> int:
        """The number d of coordinates."""
        return int(self.inputs.matrix.ncols()) - 1

    @classmethod
    def of(cls, domain: Domain, chart: Chart, input_shape: tuple[int, ...] = ()) -> ExactDomain:
        """A domain, and the chart that an engine has of it.

        Parameters
        ----------
        domain : as the user gave it; only the chart matters if that is `whole`
        chart : of the domain, or of the part of a whole one that the network sees (`Problem.chart`)

        Raises
        ------
        TypeError
            If it is none of the package's domains.
        """
        lower, scale = chart.bounds
        if chart.whole:
            inputs = _affine(chart.directions.toarray(), chart.origin)
            return cls(
                inputs, (_far(chart.dim),), Frame.cone(_diagonal(np.append(scale, 1.0)), chart.dim), lower, scale
            )
        match domain:
            case Box():
                inputs, sides = _box(domain, chart, input_shape)
                lower, scale = _moved(chart)
                blocks: tuple[Block, ...] = (_far(chart.dim), sides)
                beside = True
            case Polytope(within=Box() as box):
                inputs, sides = _box(box, chart, input_shape)
                lower, scale = _moved(chart)
                half_spaces = _half_spaces(domain, inputs, 2 * chart.dim)
                blocks, beside = (_far(chart.dim), sides, half_spaces), True
            case Polytope():
                # its chart is that of a box with room around it, which is no constraint
                inputs = dyadic(np.eye(chart.dim, chart.dim + 1))
                lower, scale = _moved(chart)
                blocks, beside = (_far(chart.dim), _half_spaces(domain, inputs, 0)), False
            case Slice(within=Box() as box):
                inputs = _affine(chart.directions.toarray(), chart.origin)
                blocks, beside = (_far(chart.dim), _between(inputs, box, input_shape)), False
            case _:
                raise TypeError(f"{domain!r} is not a domain of this package with a chart that is bounded")
        columns = np.zeros((chart.dim + 1, chart.dim + 1))
        columns[np.diag_indices(chart.dim)] = scale
        columns[:-1, -1], columns[-1, -1] = lower, 1.0
        return cls(inputs, blocks, Frame.cube(dyadic(columns).matrix, 1 if beside else None), lower, scale)

    @cached_property
    def _moves(self) -> tuple[Dyadic, Dyadic]:
        return dyadic(self.shift), dyadic(self.scale)

    def point(self, y: Floats, t: float = 1.0) -> Row:
        """The point (s t, t) of an engine's point y, or of (y', t), y = y' / t, where the domain is whole.

        Parameters
        ----------
        y : (d,) finite
        t : positive
        """
        values, _ = integers(np.append(y, t))
        (shift, at_shift), (scale, at_scale) = self._moves
        least = min(at_shift, at_scale)
        up_shift, up_scale = 1 << (at_shift - least), 1 << (at_scale - least)
        last = fmpz(values[-1])
        s = [
            a * up_shift * last + b * up_scale * v
            for a, b, v in zip(shift.entries(), scale.entries(), values[:-1], strict=True)
        ]
        # all over one power of two, which does not matter
        if least > 0:
            s, least = [v << least for v in s], 0
        return primitive([*s, last << -least])

    def to_chart(self, point: Row) -> Floats:
        """The engine's point y (d,) nearest to a point; it need not be inside where that is."""
        t = int(point[-1])
        found = []
        for value, shift, scale in zip(point[:-1], self.shift.tolist(), self.scale.tolist(), strict=True):
            (p, q), (a, b) = shift.as_integer_ratio(), scale.as_integer_ratio()
            # (value / t - p / q) / (a / b)
            found.append((int(value) * q - p * t) * b / (t * q * a))
        return np.array(found)

    def to_input(self, point: Row) -> Floats:
        """The input (n_in,) nearest to a point."""
        return self.inputs_at(self.inputs, point)

    @staticmethod
    def inputs_at(inputs: Dyadic, point: Row) -> Floats:
        """The values of affine maps at a point, rounded."""
        values = (inputs.matrix * fmpz_mat(len(point), 1, point)).entries()
        up, down = 1 << max(inputs.exponent, 0), int(point[-1]) << max(-inputs.exponent, 0)
        return np.array([int(value) * up / down for value in values])


def _far(dim: int) -> Forms:
    return Forms([[fmpz(0)] * dim + [fmpz(1)]], [AT_INFINITY])


def _diagonal(values: Floats) -> fmpz_mat:
    return dyadic(np.diag(values)).matrix


def _affine(columns: Floats, origin: Floats) -> Dyadic:
    return dyadic(np.column_stack([columns, origin]))


def _moved(chart: Chart) -> tuple[Floats, Floats]:
    """Shift and scale of the free inputs of a box: each column of the directions has one entry."""
    columns = chart.directions.tocsc()
    lower, width = chart.bounds
    return chart.origin[columns.indices] + columns.data * lower, columns.data * width


def _box(box: Box, chart: Chart, input_shape: tuple[int, ...]) -> tuple[Dyadic, Sides]:
    """The inputs of a box, and its sides."""
    n_in = len(chart.origin)
    lower, upper = box.bounds(input_shape or (n_in,))
    free = np.flatnonzero(lower < upper)
    fixed = np.where(lower < upper, 0.0, lower)
    inputs = _affine(np.eye(n_in)[:, free], fixed)
    forms: list[tuple[int, Integer, Integer]] = []
    for bound, sign in ((lower, 1), (upper, -1)):
        for j, value in enumerate(bound[free].tolist()):
            numerator, denominator = value.as_integer_ratio()
            forms.append((j, fmpz(sign * denominator), fmpz(-sign * numerator)))
    return inputs, Sides(len(free) + 1, forms, _labels(0, len(forms)))


def _labels(first: int, n: int) -> list[Label]:
    return [(DOMAIN, first + k, 0) for k in range(n)]


def _half_spaces(polytope: Polytope, inputs: Dyadic, first: int) -> Forms:
    """The forms b_i - A_i x."""
    normals, level = dyadic(np.asarray(polytope.A)), dyadic(np.asarray(polytope.b))
    product = normals @ inputs
    least = min(product.exponent, level.exponent)
    rows = product.over(least).tolist()
    for row, value in zip(rows, level.over(least).entries(), strict=True):
        row[:] = [-entry for entry in row]
        row[-1] += value
    return Forms.of(rows, _labels(first, len(rows)))


def _between(inputs: Dyadic, box: Box, input_shape: tuple[int, ...]) -> Forms:
    """The forms upper_i - x_i, then x_i - lower_i, of the inputs that vary."""
    rows = inputs.matrix.tolist()
    lower, upper = (dyadic(bound) for bound in box.bounds(input_shape or (len(rows),)))
    least = min(inputs.exponent, lower.exponent, upper.exponent)
    rows = inputs.over(least).tolist()
    varying = [i for i, row in enumerate(rows) if any(row[:-1])]
    found = []
    for bound, sign in ((upper.over(least).entries(), -1), (lower.over(least).entries(), 1)):
        for i in varying:
            found.append([sign * entry for entry in rows[i][:-1]] + [sign * (rows[i][-1] - bound[i])])
    return Forms.of(found, _labels(0, len(found)))
