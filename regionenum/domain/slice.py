"""Slices: affine subspaces of any dimension, through a box or whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.linalg
import scipy.sparse as sp
from flint import fmpz_mat, nmod_mat

from regionenum.domain.box import Box
from regionenum.domain.chart import Chart
from regionenum.domain.half_spaces import UNIT_ROUNDOFF, HalfSpaces
from regionenum.domain.polyhedron import THINNEST, Polyhedron
from regionenum.domain.polytope import check_within, numbers, roomy
from regionenum.domain.redundant import needed
from regionenum.errors import InputError
from regionenum.network.units import Floats, Ints

BEGIN_WITH = 20
"""Inputs for each dimension whose bounds the linear programs begin with."""


@dataclass(frozen=True, eq=False)
class Slice:
    """The inputs x = origin + sum_j s_j directions_j in a box, or all of them.

    Dimensions are measured in s: k of them, or fewer in a whole slice whose directions the first weight does not tell
    apart (see `WholeSpace`).

    Parameters
    ----------
    origin : array_like
        Shaped like one input, or flat.
    directions : (k, ...) array_like
        k arrays like `origin`, linearly independent; a single one may be given as it is.
    within : Box, optional
        The box; None for the whole affine subspace.

    Raises
    ------
    InputError
        If the shapes do not fit each other or the network, a number is NaN or infinite, the directions are dependent,
        or the slice passes the box by, only touches it, or moves along an input that the box fixes.

    Examples
    --------
    >>> Slice([0.0, 0.0, 0.5], [[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]], within=Box(-1.0, 1.0)).chart((3,)).dim
    2
    """

    origin: npt.ArrayLike
    directions: npt.ArrayLike
    within: Box | None = None

    def __post_init__(self) -> None:
        origin, directions = numbers(self.origin, "slice: the origin"), numbers(self.directions, "slice: directions")
        if directions.shape == origin.shape:
            directions = directions[None]
        if directions.ndim < 2 or not len(directions) or directions[0].size != origin.size:
            raise InputError(
                f"slice: the origin has shape {origin.shape} and directions have shape {directions.shape}; "
                "give a list of arrays like the origin"
            )
        directions = directions.reshape(len(directions), -1)
        still = ~directions.any(axis=1)
        if still.any():
            raise InputError(f"slice: direction {int(np.flatnonzero(still)[0])} is zero; remove it")
        _refuse_dependent(directions, f"the {len(directions)} directions", "give linearly independent ones")
        check_within(self.within, "slice")
        for name, array in (("origin", origin), ("directions", directions)):
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @classmethod
    def through(cls, points: npt.ArrayLike, within: Box | None = None) -> Slice:
        """The slice through k + 1 given points: s = 0 at the first, and the j-th unit vector at point j.

        Differences of points are rounded to float64.
        """
        p = numbers(points, "slice: points")
        if p.ndim < 2 or len(p) < 2:
            raise InputError(f"slice: points have shape {p.shape}; give a list of two inputs or more")
        flat = p.reshape(len(p), -1)
        directions = flat[1:] - flat[0]
        _refuse_dependent(directions, f"the {len(p)} points", "leave out points")
        return cls(p[0], directions, within)

    def chart(self, input_shape: tuple[int, ...]) -> Chart:
        """Coordinates s = lower + width y, with a cube that has room around the slice, cut by the sides of the box."""
        origin, directions = np.asarray(self.origin), np.asarray(self.directions)
        n_in = int(np.prod(input_shape, dtype=np.int64))
        if origin.shape not in (input_shape, (n_in,)):
            raise InputError(
                f"slice: the origin has shape {origin.shape}, but one input of the network has shape {input_shape}; "
                "give an array of that shape"
            )
        origin, columns = origin.ravel(), np.ascontiguousarray(directions.T)
        if self.within is None:
            return Chart(origin, sp.csr_array(columns), whole=True)
        normal, level, extent = _sides(origin, columns, *self.within.bounds(input_shape))
        # unit lengths along each direction as far as one input alone would let it go
        scale = 1.0 / np.abs(normal / extent[:, None]).max(axis=0)
        begin = _to_begin_with(normal * scale / extent[:, None])
        sides = HalfSpaces.of(normal * scale, level).normalised()
        polyhedron = Polyhedron(sides, first=begin)
        centre, radius = polyhedron.largest_ball()
        if radius <= THINNEST:
            raise InputError(
                f"slice: it passes the box by or only touches it, up to {THINNEST:g} of its width; move the origin or widen "
                "the box"
            )
        axes = np.eye(len(directions))
        ends = [np.array([polyhedron.farthest(sign * axis).point[:-1] @ axis for axis in axes]) for sign in (-1.0, 1.0)]
        # sides that the solver's tolerance could have cut off must not be left out
        room = 1e-6 * (ends[1] - ends[0])
        rows = needed(sides, centre, ends[0] - room, ends[1] + room)
        lower, upper = roomy(ends[0] * scale, ends[1] * scale)
        width = upper - lower
        normal, level = normal[rows], level[rows]
        reach = np.abs(level) + np.abs(normal) @ (np.abs(lower) + width)
        constraints = HalfSpaces(normal * width, level - normal @ lower, (len(directions) + 5) * UNIT_ROUNDOFF * reach)
        y = (centre * scale - lower) / width
        return Chart(origin, sp.csr_array(columns), lower, width, constraints, y)

    def describe(self) -> dict[str, Any]:
        """Origin and directions as lists, and the box."""
        return {
            "kind": "slice",
            "origin": np.asarray(self.origin).tolist(),
            "directions": np.asarray(self.directions).tolist(),
            "within": self.within and self.within.describe_bounds(),
        }


_PRIME = 2**31 - 1


def _refuse_dependent(directions: Floats, what: str, mend: str) -> None:
    """Refuse directions, each a row, that are dependent over the rationals: float64 numbers are dyadic.

    With D the directions, D D^T has the rank of D (D^T y is orthogonal to itself only if it is 0), and is as small as
    the directions are few: elimination on D itself takes seconds where inputs are hundreds.
    """
    integers: list[list[int]] = []
    for direction in directions.tolist():
        ratios = [value.as_integer_ratio() for value in direction]
        denominator = max(d for _, d in ratios)
        integers.append([n * (denominator // d) for n, d in ratios])
    rows = fmpz_mat(integers)
    # Independent modulo a prime is independent, and that is soon found out.
    if nmod_mat(rows, _PRIME).rank() == len(directions):
        return
    rank = (rows * rows.transpose()).rank()
    if rank < len(directions):
        raise InputError(f"slice: {what} span only {rank} dimension{'s' * (rank != 1)}; {mend}")


def _sides(origin: Floats, columns: Floats, lower: Floats, upper: Floats) -> tuple[Floats, Floats, Floats]:
    """The sides of the box as inequalities normal . s <= level, the upper ones of all inputs, then the lower ones.

    The third array is the width of the box for each of them.
    """
    moving = columns.any(axis=1)
    outside = ~moving & ((origin < lower) | (origin > upper))
    if outside.any():
        i = int(np.flatnonzero(outside)[0])
        raise InputError(
            f"slice: input {i} is {origin[i]} all over the slice, outside the box's [{lower[i]}, {upper[i]}]; "
            "move the origin or widen the box"
        )
    fixed = moving & (lower == upper)
    if fixed.any():
        raise InputError(
            f"slice: the box fixes input {int(np.flatnonzero(fixed)[0])}, which a direction moves; "
            "set that entry of the directions to 0, or widen the box"
        )
    a = columns[moving]
    with np.errstate(over="ignore"):
        level = np.concatenate([upper[moving] - origin[moving], origin[moving] - lower[moving]])
        extent = np.tile((upper - lower)[moving], 2)
    if not (np.isfinite(level).all() and np.isfinite(extent).all()):
        raise InputError("slice: the distance of the origin to the bounds of the box overflows; use smaller numbers")
    return np.concatenate([a, -a]), level, extent


def _to_begin_with(normal: Floats) -> Ints:
    """Both sides of some inputs on which the directions are independent, so that every program is bounded."""
    half = len(normal) // 2
    _, _, order = scipy.linalg.qr(normal[:half].T, mode="raw", pivoting=True)
    chosen = order[: BEGIN_WITH * normal.shape[1]]
    return np.sort(np.concatenate([chosen, chosen + half])).astype(np.int64)
