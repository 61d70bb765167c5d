"""Linear programs about domains, by HiGHS: is there an interior, how far does it reach, which half-spaces matter.

Half-spaces are a . s <= b with |a| = 1. They may be many (two for every pixel) in few coordinates; a program then starts
with some and takes in the ones its answer violates. Answers of the solver are checked on the rows themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regionenum.errors import EngineError
from regionenum.network.units import Floats, Ints

THINNEST = 1e-8
"""A domain that holds no ball of a larger radius, in the coordinates of its bounding cube, is taken for empty."""

AT_ONCE = 400
"""Half-spaces that a program starts with, and takes in at a time."""

_VIOLATED = 1e-9
_MOST_TESTED = 1500
_CORNERS_KNOWN = 5
"""Dimensions in which a polytope has few enough corners to list them."""
_SEED = 5


class UnboundedError(Exception):
    """The objective has no maximum."""


@dataclass(frozen=True)
class HalfSpaces:
    """The points s with a . s <= b for all rows and, where given, lower <= s <= upper.

    Attributes
    ----------
    a : (n, k) rows of norm 1
    b : (n,)
    first : numbers of half-spaces to begin with
    lower, upper : (k,) or None
    """

    a: Floats
    b: Floats
    first: Ints
    lower: Floats | None = None
    upper: Floats | None = None

    @classmethod
    def scaled(
        cls,
        a: Floats,
        b: Floats,
        *,
        first: Ints | None = None,
        lower: Floats | None = None,
        upper: Floats | None = None,
    ) -> HalfSpaces:
        """Half-spaces with rows of any length but 0."""
        largest = np.abs(a).max(axis=1, keepdims=True, initial=0.0)
        rows, level = a / largest, b / largest[:, 0]
        length = np.linalg.norm(rows, axis=1)
        start = np.arange(min(len(b), AT_ONCE)) if first is None else first
        return cls(rows / length[:, None], level / length, start, lower, upper)

    def part(self, rows: Ints, lower: Floats, upper: Floats) -> HalfSpaces:
        """Some of the half-spaces, in a box."""
        return HalfSpaces(self.a[rows], self.b[rows], np.arange(min(len(rows), AT_ONCE)), lower, upper)

    def farthest(self, direction: Floats) -> Floats:
        """A point (k,) at which direction . s is largest.

        Raises
        ------
        UnboundedError
            If there is no largest.
        """
        return self._maximise(direction, np.zeros(len(self.b)))

    def largest_ball(self) -> tuple[Floats, float]:
        """Centre (k,) and radius of a largest ball, of radius at most 1; the radius is negative if there is none."""
        k = self.a.shape[1]
        cube = [np.eye(k)] * (self.upper is not None) + [-np.eye(k)] * (self.lower is not None)
        levels = [bound for bound in (self.upper, None if self.lower is None else -self.lower) if bound is not None]
        all_rows = HalfSpaces(
            np.concatenate([*cube, self.a]),
            np.concatenate([*levels, self.b]),
            np.concatenate([np.arange(k * len(cube)), self.first + k * len(cube)]).astype(np.int64),
        )
        point = all_rows._maximise(np.append(np.zeros(k), 1.0), np.ones(len(all_rows.b)))
        centre = point[:k]
        return centre, float((all_rows.b - all_rows.a @ centre).min(initial=1.0))

    def _maximise(self, cost: Floats, last_column: Floats) -> Floats:
        """Maximise over s, or over (s, radius) if the cost has one entry more; the radius is at most 1."""
        from scipy.optimize import linprog

        k = self.a.shape[1]
        with_radius = len(cost) > k
        none = np.full(k, np.inf)
        lower, upper = (none if bound is None else bound for bound in (self.lower, self.upper))
        bounds = [
            (None if lo == np.inf else lo, None if hi == np.inf else hi) for lo, hi in zip(lower, upper, strict=True)
        ]
        bounds += [(None, 1.0)] * with_radius
        rows = np.hstack([self.a, last_column[:, None]]) if with_radius else self.a
        used = np.zeros(len(self.b), bool)
        used[self.first] = True
        while True:
            options = {"presolve": False, "primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
            found = linprog(
                -cost, A_ub=rows[used], b_ub=self.b[used], bounds=bounds, method="highs-ds", options=options
            )
            if found.status == 3:
                if used.all():
                    raise UnboundedError
                used |= _some(~used)
                continue
            if found.status != 0:
                raise EngineError(f"HiGHS could not decide about the domain: {found.message}")
            excess = rows @ found.x - self.b
            violated = (excess > _VIOLATED) & ~used
            if not violated.any():
                return np.asarray(found.x)
            worst = np.argsort(np.where(violated, -excess, np.inf))[:AT_ONCE]
            used[worst[violated[worst]]] = True


def _some(where: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    chosen = np.zeros(len(where), bool)
    chosen[np.flatnonzero(where)[:: max(1, int(where.sum()) // AT_ONCE)]] = True
    return chosen


def needed(spaces: HalfSpaces, centre: Floats, lower: Floats, upper: Floats) -> Ints:
    """Half-spaces that matter, and perhaps a few more; those left out are implied by the rest with some room to spare.

    Parameters
    ----------
    centre : a point strictly inside
    lower, upper : a box around the polytope that the half-spaces leave
    """
    room = spaces.b - spaces.a @ centre
    margin = 1e-7 * np.abs(upper - lower).max()
    middle, half = (lower + upper) / 2, (upper - lower) / 2
    reach = spaces.a @ middle + np.abs(spaces.a) @ half
    rows = np.flatnonzero(reach > spaces.b - margin)
    rows = rows[np.unique(np.column_stack([spaces.a, spaces.b])[rows], axis=0, return_index=True)[1]]
    first = _first_hit(spaces.a[rows], room[rows])
    kept, rest = rows[first], np.delete(rows, first)
    if 1 < len(centre) <= _CORNERS_KNOWN:
        shifted = np.column_stack([spaces.a[rest], room[rest]])
        rest = rest[_beyond_corners(spaces.part(kept, lower, upper), shifted, centre, margin)]
    for row in rest[:_MOST_TESTED]:
        normal = spaces.a[row]
        if normal @ spaces.part(kept, lower, upper).farthest(normal) > spaces.b[row] - margin:
            kept = np.append(kept, row)
    return np.asarray(np.sort(np.concatenate([kept, rest[_MOST_TESTED:]])))


def _first_hit(a: Floats, room: Floats) -> Ints:
    """Half-spaces that some ray from the centre leaves first."""
    k = a.shape[1]
    random = np.random.default_rng(_SEED)
    hit: set[int] = set()
    for _ in range(20):
        rays = random.normal(size=(k, 100))
        speed = a @ rays
        with np.errstate(divide="ignore"):
            times = np.where(speed > 0, room[:, None] / speed, np.inf)
        hit.update(np.argmin(times, axis=0).tolist())
    return np.array(sorted(hit), np.int64)


def _beyond_corners(spaces: HalfSpaces, rest: Floats, centre: Floats, margin: float) -> npt.NDArray[np.bool_]:
    """Which rows (normal, room) of `rest` cut off a corner of the polytope that `spaces` and their box make.

    `room` is measured from the centre, a point strictly inside.
    """
    from scipy.spatial import HalfspaceIntersection, QhullError

    assert spaces.lower is not None
    assert spaces.upper is not None
    axes = np.eye(len(centre))
    a = np.concatenate([spaces.a, axes, -axes])
    room = np.concatenate([spaces.b, spaces.upper, -spaces.lower]) - a @ centre
    everything = np.ones(len(rest), bool)
    try:
        with np.errstate(divide="ignore", invalid="ignore"):
            found = HalfspaceIntersection(np.column_stack([a, -room]), np.zeros(len(centre)))
    except QhullError:
        # nearly degenerate: linear programs decide
        return everything
    corners = found.intersections
    if not np.isfinite(corners).all() or not (found.dual_equations[:, -1] < 0).all():
        return everything
    for chunk in np.array_split(np.arange(len(rest)), 1 + len(rest) * len(corners) // (1 << 22)):
        everything[chunk] = np.max(rest[chunk, :-1] @ corners.T, axis=1) > rest[chunk, -1] - margin
    return everything
