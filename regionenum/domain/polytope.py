"""Polytopes: a box and linear inequalities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from regionenum.domain.box import Box, refuse_where
from regionenum.domain.chart import Chart
from regionenum.domain.half_spaces import UNIT_ROUNDOFF, HalfSpaces
from regionenum.domain.linear_program import UnboundedError
from regionenum.domain.polyhedron import THINNEST, Polyhedron
from regionenum.errors import InputError
from regionenum.network.units import Floats


@dataclass(frozen=True, eq=False)
class Polytope:
    """The inputs x in a box with A x <= b.

    Parameters
    ----------
    A : (n, n_in) array_like
        One row for each inequality, over the flattened input.
    b : (n,) array_like
    within : Box, optional
        The box; None if the inequalities bound every input by themselves.
    given_as : mapping, optional
        The description of how it was given, if not by its inequalities (see `l1_ball`).

    Raises
    ------
    InputError
        If the sizes contradict each other or the network, a number is NaN or infinite, the polytope has no interior, or
        it is unbounded and there is no box. (A box may fix inputs; the interior is taken among the others.)

    Examples
    --------
    >>> Polytope([[1.0, 1.0]], [0.5], within=Box(0.0, 1.0)).chart((2,)).dim
    2
    """

    A: npt.ArrayLike
    b: npt.ArrayLike
    within: Box | None = None
    given_as: Mapping[str, Any] | None = field(default=None, repr=False, kw_only=True)

    def __post_init__(self) -> None:
        A, b = numbers(self.A, "polytope: A"), numbers(self.b, "polytope: b")
        if A.ndim != 2 or b.ndim != 1:
            raise InputError(
                f"polytope: A has shape {A.shape} and b has shape {b.shape}; give a matrix with a row for each "
                "inequality, and a list"
            )
        if len(A) != len(b):
            raise InputError(f"polytope: A has {len(A)} rows and b has {len(b)} numbers; give one number for each row")
        check_within(self.within, "polytope")
        for name, array in (("A", A), ("b", b)):
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    def chart(self, input_shape: tuple[int, ...]) -> Chart:
        """The coordinates of the box, cut by the inequalities."""
        A, b = np.asarray(self.A), np.asarray(self.b)
        n_in = int(np.prod(input_shape, dtype=np.int64))
        if A.shape[1] != n_in:
            raise InputError(
                f"polytope: A has {A.shape[1]} columns, but one input of the network has {n_in} values; give one column "
                "for each"
            )
        box = self.within or self._bounding_box()
        base = box.chart(input_shape)
        normal = np.asarray(A @ base.directions)
        free = A[:, np.diff(base.directions.indptr) > 0].any(axis=1)
        for i in np.flatnonzero(~free):
            # nothing of this row varies: true everywhere, or nowhere
            terms = zip(A[i].tolist(), base.origin.tolist(), strict=True)
            if sum((Fraction(p) * Fraction(q) for p, q in terms if p), Fraction(0)) > Fraction(float(b[i])):
                raise InputError(
                    f"polytope: inequality {i} holds nowhere in the box, whose free inputs it does not name; "
                    "correct the inequality or the box"
                )
        A, b, normal = A[free], b[free], normal[free]
        with np.errstate(over="ignore", invalid="ignore"):
            level = b - A @ base.origin
            reach = np.abs(b) + np.abs(A) @ (np.abs(base.origin) + abs(base.directions).sum(axis=1))
        if not (np.isfinite(reach).all() and np.isfinite(normal).all() and normal.any(axis=1).all()):
            raise InputError("polytope: products of A and the bounds of the box overflow; scale the inequalities")
        constraints = HalfSpaces(normal, level, (n_in + 4) * UNIT_ROUNDOFF * reach)
        return Chart(
            base.origin, base.directions, constraints=constraints, centre=interior(constraints), rounded=base.rounded
        )

    def _bounding_box(self) -> Box:
        """A box with room around the polytope."""
        A, b = np.asarray(self.A), np.asarray(self.b)
        used = A.any(axis=1)
        for i in np.flatnonzero(~used):
            if b[i] < 0:
                raise InputError(f"polytope: inequality {i} is 0 <= {b[i]}, which holds nowhere; remove or correct it")
        A, b = A[used], b[used]
        unbounded = "polytope: the inequalities do not bound input {at}; give within=Box(lower, upper)"
        if not A.any(axis=0).all():
            raise InputError(unbounded.format(at=int(np.flatnonzero(~A.any(axis=0))[0])))
        scale = 1.0 / np.abs(A / np.abs(A).max(axis=1, keepdims=True)).max(axis=0)
        sides = HalfSpaces.of(A * scale, b).normalised()
        # distances of about 1, in any unit
        unit = float(np.abs(sides.level).max()) or 1.0
        polyhedron = Polyhedron(HalfSpaces.of(sides.normal, sides.level / unit))
        radius = polyhedron.largest_ball()[1]
        if radius <= THINNEST * 1e-4:
            raise InputError(_no_interior(radius))
        ends = np.empty((2, A.shape[1]))
        for j in range(A.shape[1]):
            for k, sign in enumerate((-1.0, 1.0)):
                direction = np.zeros(A.shape[1])
                direction[j] = sign
                try:
                    ends[k, j] = polyhedron.farthest(direction).point[j]
                except UnboundedError:
                    raise InputError(unbounded.format(at=j)) from None
        lower, upper = roomy(*ends * scale * unit)
        return Box(lower, upper)

    def describe(self) -> dict[str, Any]:
        """As it was given: the inequalities as lists, and the box; or a ball."""
        if self.given_as is not None:
            return dict(self.given_as)
        return {
            "kind": "polytope",
            "A": np.asarray(self.A).tolist(),
            "b": np.asarray(self.b).tolist(),
            "within": self.within and self.within.describe_bounds(),
        }


def interior(constraints: HalfSpaces) -> Floats:
    """A point y (d,) strictly inside the unit cube and the constraints, far from them all.

    Raises
    ------
    InputError
        If there is no interior, up to `THINNEST`.
    """
    d = constraints.dim
    if not len(constraints):
        return np.full(d, 0.5)
    centre, radius = Polyhedron(constraints.normalised(), np.zeros(d), np.ones(d)).largest_ball()
    if radius <= THINNEST:
        raise InputError(_no_interior(radius))
    return centre


def _no_interior(radius: float) -> str:
    """The sentence for a polytope whose largest ball has a radius that is no more than `THINNEST`."""
    if radius < -THINNEST:
        return "polytope: no input in the box fulfils all inequalities; relax one, or widen the box"
    return (
        f"polytope: it has no interior, up to {THINNEST:g} of the box's width; relax an inequality, give a smaller box if "
        "the polytope is that small, or use a Slice for an equation"
    )


def roomy(lower: Floats, upper: Floats) -> tuple[Floats, Floats]:
    """Bounds a sixteenth farther out on each side, or more, with few binary digits.

    What the last digits of `lower` and `upper` are depends on the solver, so they are rounded first: a natural bound like 0
    gives the same result everywhere.
    """
    grid = np.ldexp(1.0, np.ceil(np.log2(upper - lower)).astype(np.int64) - 24)
    lower, upper = np.round(lower / grid) * grid, np.round(upper / grid) * grid
    width = np.ldexp(1.0, np.ceil(np.log2((upper - lower) * 1.125)).astype(np.int64))
    step = width / 64
    lower = np.floor((lower - (upper - lower) / 16) / step) * step
    return lower, np.where(lower + width >= upper + (upper - lower) / 32, lower + width, lower + 2 * width)


def numbers(values: npt.ArrayLike, name: str) -> Floats:
    """Finite numbers as a new array, or a refusal."""
    try:
        array = np.array(values, np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be an array of numbers") from error
    refuse_where(~np.isfinite(array), array, f"{name}{{at}} is {{value}}; give finite numbers")
    return array


def check_within(within: object, name: str) -> None:
    """Refuse anything but a box or None."""
    if within is not None and not isinstance(within, Box):
        raise InputError(f"{name}: within is {within!r}; give a Box, or None")
