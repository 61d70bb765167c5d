"""Questions about half-spaces that linear programs answer: how far do they reach, is there an interior, which ones matter.

Half-spaces may be many (two for every pixel) in few coordinates. A program then starts with some of them and takes in the
ones that its answer violates. All questions about one polyhedron go to one model (`linear_program.py`), whose last
coordinate is the radius of a ball: fixed to 0 where none is asked for.
"""

from __future__ import annotations

import numpy as np

from regionenum.domain.half_spaces import HalfSpaces
from regionenum.domain.linear_program import LinearProgram, Optimum, UnboundedError
from regionenum.network.units import Floats, Ints

THINNEST = 1e-8
"""A domain that holds no ball of a larger radius, in the coordinates of its bounding cube, is taken for empty."""

AT_ONCE = 400
"""Half-spaces that a program starts with, and takes in at a time."""

_VIOLATED = 1e-9


class Polyhedron:
    """The points in some half-spaces and, where given, in a box.

    Parameters
    ----------
    sides : normals of length 1
    lower, upper : (d,) a box; None for no box
    first : numbers of the half-spaces to begin with; by default the first `AT_ONCE`
    """

    def __init__(
        self, sides: HalfSpaces, lower: Floats | None = None, upper: Floats | None = None, first: Ints | None = None
    ) -> None:
        self.sides = sides
        if lower is None or upper is None:
            self._box = HalfSpaces.none(sides.dim)
            lower, upper = np.full(sides.dim, -np.inf), np.full(sides.dim, np.inf)
        else:
            self._box = HalfSpaces.cube(lower, upper)
        # a program about points has the box as bounds, one about balls as rows as well
        self._ball_knows_the_box = False
        self._program = LinearProgram(np.append(lower, 0.0), np.append(upper, 0.0))
        self._used = np.zeros(len(sides), bool)
        self._take_in(np.arange(min(len(sides), AT_ONCE)) if first is None else first)

    def farthest(self, direction: Floats) -> Optimum:
        """A point (d + 1, the last entry is 0) at which direction . y is largest, and a proved bound of that.

        Raises
        ------
        UnboundedError
            If there is no largest.
        """
        return self._maximise(np.append(direction, 0.0))

    def largest_ball(self) -> tuple[Floats, float]:
        """Centre (d,) and radius of a largest ball, of radius at most 1; the radius is negative if there is none.

        The radius is that of the centre: its smallest distance to a side.
        """
        d = self.sides.dim
        if not self._ball_knows_the_box:
            self._program.add(_with_radius(self._box))
            self._ball_knows_the_box = True
        self._program.confine(d, -np.inf, 1.0)
        centre = self._maximise(np.append(np.zeros(d), 1.0)).point[:d]
        self._program.confine(d, 0.0, 0.0)
        return centre, float(min(s.slack(centre).min(initial=1.0) for s in (self._box, self.sides)))

    def add(self, sides: HalfSpaces) -> None:
        """Cut off more."""
        self.sides = HalfSpaces.joined(self.sides, sides)
        self._used = np.append(self._used, np.zeros(len(sides), bool))
        self._take_in(np.arange(len(self.sides) - len(sides), len(self.sides)))

    def _maximise(self, cost: Floats) -> Optimum:
        while True:
            try:
                found = self._program.maximise(cost)
            except UnboundedError:
                if self._used.all():
                    raise
                left = np.flatnonzero(~self._used)
                self._take_in(left[:: max(1, len(left) // AT_ONCE)])
                continue
            excess = found.point[-1] - self.sides.slack(found.point[:-1])
            violated = np.flatnonzero((excess > _VIOLATED) & ~self._used)
            if not len(violated):
                return found
            self._take_in(violated[np.argsort(-excess[violated])][:AT_ONCE])

    def _take_in(self, rows: Ints) -> None:
        self._program.add(_with_radius(self.sides.take(rows)))
        self._used[rows] = True


def _with_radius(sides: HalfSpaces) -> HalfSpaces:
    """The half-spaces normal . y + radius <= level of (y, radius)."""
    return HalfSpaces.of(np.column_stack([sides.normal, np.ones(len(sides))]), sides.level)
