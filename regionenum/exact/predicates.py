"""Questions about forms on an open cone, answered exactly.

On the open cone C of forms g_i (`cone.py`) a linear form f that is not 0 is in one of three cases:

    NEGATIVE  f < 0 on C: -f = sum l_i g_i with l_i >= 0 (f <= 0 on the closure, and an open map is never 0 inside)
    POSITIVE  f > 0 on C: f = sum l_i g_i with l_i >= 0
    CUTS      both open sides meet C: a point of each

The multiples, or the points, are the proof. Floating point may propose them (`guess.py`, or whoever asks): whatever is
proposed is verified in integers (as in Neumaier and Shcherbina, Safe bounds in linear and mixed-integer linear programming,
Math. Program. 99, 2004; but nothing is left to rounding), and where it fails the simplex method of `simplex.py` answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from flint import fmpz_mat, nmod_mat

from regionenum.exact import guess, simplex
from regionenum.exact.basis import Basis
from regionenum.exact.cone import Cone
from regionenum.exact.dyadic import Integer, Row, dot, primitive
from regionenum.exact.simplex import Combination

_KEPT = 24
"""Points that a cone remembers."""

MARGINS = (2.0**-5, 2.0**-20, 2.0**-45)
"""Distances from the sides of the frame's box at which a point of a cone is looked for, before it is computed exactly."""

_PRIME = 2**31 - 1


class Side(IntEnum):
    """Where the open cone is, seen from a form's hyperplane; the first three are numbered like an engine's outcomes."""

    NEGATIVE = 0
    POSITIVE = 1
    CUTS = 2
    ZERO = 3


@dataclass(frozen=True)
class Hint:
    """What may help; nothing of it is believed.

    Attributes
    ----------
    tight : forms of the cone whose combination the form, or its negative, may be
    points : points that may be in the cone, on any side
    """

    tight: Sequence[int] = ()
    points: Sequence[Row] = ()


@dataclass(frozen=True)
class Outcome:
    """An answer with its proof.

    Attributes
    ----------
    side : Side
    below, above : points of the open cone where the form is negative and positive, as far as they exist and were found
    combination : of -form if it is NEGATIVE, of the form if it is POSITIVE, made primitive; None otherwise
    """

    side: Side
    below: Row | None = None
    above: Row | None = None
    combination: Combination | None = None

    @property
    def tight(self) -> tuple[int, ...]:
        """The forms of the combination."""
        return tuple(sorted(self.combination.multipliers)) if self.combination else ()

    def holds(self, cone: Cone, form: Row) -> bool:
        """Whether the proof proves the answer."""
        form = primitive(form)
        inside = [point for point in (self.below, self.above) if point is not None]
        if not all(cone.contains(point) for point in inside):
            return False
        match self.side:
            case Side.ZERO:
                return not any(form)
            case Side.CUTS:
                return len(inside) == 2 and dot(form, inside[0]) < 0 < dot(form, inside[1])
        if self.combination is None or not inside:
            return False
        sign = 1 if self.side == Side.POSITIVE else -1
        return any(form) and self.combination.proves(cone, [sign * value for value in form])


def interior(cone: Cone, hint: Hint | None = None) -> Row:
    """A point of an open cone: one that is known, or claimed and verified, or found.

    Raises
    ------
    EmptyConeError
        If it is empty.
    """
    if cone.points:
        return cone.points[0]
    claimed = list(hint.points) if hint else []
    for point in claimed:
        if cone.contains(point):
            return _known(cone, point)
    for margin in MARGINS:
        w = guess.deepest(cone, margin)
        point = guess.exactly(cone.frame, w)
        if cone.contains(point):
            return _known(cone, point)
    return _known(cone, simplex.interior_point(cone, _by_distance(cone, w)))


def side(cone: Cone, form: Row, hint: Hint | None = None) -> Outcome:
    """On which sides of a form's hyperplane the points of an open cone are.

    Raises
    ------
    EmptyConeError
        If the cone is empty.
    """
    form = primitive(form)
    if not any(form):
        return Outcome(Side.ZERO)
    inside = interior(cone, hint)
    below = above = None
    for point in cone.points:
        value = dot(form, point)
        if value < 0:
            below = below or point
        elif value > 0:
            above = above or point
    if below is None and above is None:
        # inside lies on the hyperplane, which is crossed there
        below, above = (_stepped(cone, inside, form, sign) for sign in (-1, 1))
    if below is not None and above is not None:
        return Outcome(Side.CUTS, below, above)
    if above is not None:
        found = _beyond(cone, form, above, hint)
        if isinstance(found, Combination):
            return Outcome(Side.POSITIVE, above=above, combination=found)
        return Outcome(Side.CUTS, _known(cone, found), above)
    assert below is not None
    found = _beyond(cone, [-value for value in form], below, hint)
    if isinstance(found, Combination):
        return Outcome(Side.NEGATIVE, below=below, combination=found)
    return Outcome(Side.CUTS, below, _known(cone, found))


def _beyond(cone: Cone, target: Row, inside: Row, hint: Hint | None) -> Combination | Row:
    """A combination that proves that a form is never negative in the cone, or a point of the cone where it is.

    At `inside` it is positive.
    """
    opposite = [-value for value in target]
    for point in hint.points if hint else ():
        if dot(opposite, point) > 0 and cone.contains(point):
            return point
    if hint and len(hint.tight) == cone.n:
        proof = simplex.combination_by(cone, target, hint.tight)
        if proof:
            return proof
    seen = guess.farthest(cone, opposite)
    if seen.value > 0:
        point = guess.exactly(cone.frame, seen.point)
        if point[-1] >= 0 and dot(opposite, point) > 0:
            point = simplex.between(cone, inside, point, opposite)
            if dot(opposite, point) > 0 and cone.contains(point):
                return point
    if len(seen.tight) == cone.n:
        proof = simplex.combination_by(cone, target, seen.tight)
        if proof:
            return proof
    found = simplex.combination(cone, target, seen.tight, _by_distance(cone, seen.point))
    if isinstance(found, Combination):
        return found
    return simplex.between(cone, inside, found.point, opposite)


def _by_distance(cone: Cone, point: np.ndarray) -> list[int]:
    """The forms in the order of their values at a float64 point of the frame: those that seem tight come first."""
    frame = cone.frame
    forms, numbers = cone.seen
    d = len(frame.sides)
    values = forms @ point if len(forms) else np.zeros(0)
    at = np.full(len(cone), np.inf)
    at[numbers] = np.abs(values)
    for j, sides in enumerate(frame.sides):
        for number, end in zip(sides, (frame.lower[j], frame.upper[j]), strict=True):
            if number >= 0 and j < d:
                at[number] = min(at[number], abs(point[j] - end))
    return [int(i) for i in np.argsort(at, kind="stable")]


def _known(cone: Cone, point: Row) -> Row:
    if len(cone.points) < _KEPT:
        cone.points.append(point)
    return point


def _stepped(cone: Cone, inside: Row, form: Row, sign: int) -> Row:
    """A point of the cone near one on a form's hyperplane, where the form has a sign."""
    j = next(j for j, value in enumerate(form) if value)
    step = sign if form[j] > 0 else -sign
    point = list(inside)
    while True:
        moved = list(point)
        moved[j] += step
        if cone.contains(moved):
            return primitive(moved)
        point = [2 * value for value in point]


def meeting_point(forms: Sequence[Row]) -> Row | None:
    """The point (s t, t), t > 0, where d hyperplanes of d coordinates meet; None if they do not meet in one point."""
    n = len(forms) + 1
    cone = Cone.of([[0] * (n - 1) + [1], *forms])
    if fmpz_mat([row[:-1] for row in forms]).det() == 0:
        return None
    return Basis(cone, range(n)).direction(0)


def sign_at(forms: Sequence[Row], form: Row) -> int | None:
    """Sign of a form at the point where d hyperplanes meet; None if they do not meet in one point.

    By Cramer's rule the form's value is det (forms; form) / det (forms without their constants).
    """
    below = fmpz_mat([row[:-1] for row in forms]).det()
    if below == 0:
        return None
    above = fmpz_mat([*forms, form]).det()
    return _sign(above) * _sign(below)


def _sign(value: Integer) -> int:
    return int(value > 0) - int(value < 0)


def proportion(form: Row, other: Row) -> int:
    """1 if a form is a positive multiple of another, -1 if a negative one, 0 if it is none; of two that are not 0."""
    a, b = primitive(form), primitive(other)
    if a == b:
        return 1
    return -int(a == [-value for value in b])


def rank(rows: Sequence[Row], most: int | None = None) -> int:
    """Rank of rows of integers. Modulo a prime it is at most that, and if it is as large as it could be it is that.

    Parameters
    ----------
    most : a bound that is known
    """
    rows = [row for row in rows if any(row)]
    if not rows:
        return 0
    width = len(rows[0])
    n = width if most is None else min(width, most)
    reduced = nmod_mat(len(rows), width, [int(value % _PRIME) for row in rows for value in row], _PRIME).rank()
    if reduced == min(len(rows), n):
        return int(reduced)
    return int(fmpz_mat(rows).rank())
