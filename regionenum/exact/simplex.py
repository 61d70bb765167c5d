"""Linear programming in integers: is a linear form a nonnegative combination of the forms of a cone?

The fundamental theorem of linear inequalities (Farkas 1902; Schrijver, Theory of Linear and Integer Programming, 1986,
theorem 7.1): for forms g_1 .. g_m and b of R^n exactly one is true:

    b = sum l_i g_i with l_i >= 0, over linearly independent g_i;       (b is >= 0 wherever all g_i are)
    there is a point v with g_i . v >= 0 for all i, and b . v < 0.

The proof is a simplex method. Of a basis D of forms that has b = sum l_i g_i, let h be the first with l_h < 0, and v the
point on which g_h is positive and the rest of D is 0; then b . v < 0. If some form is negative at v the first of these takes
the place of h. With the first in both places, in any one order of all forms, no basis comes twice (Bland, New finite pivoting
rules for the simplex method, Math. Oper. Res. 2, 1977). Neither a vertex nor boundedness is needed to begin, and a basis near
the end, from floating point, makes it short: if it is the last one, one system of equations is solved and nothing else.

Where the forms do not span R^n, unit vectors stand in the basis. They are no forms of the cone, so their multiple must be 0:
where it is not, v (or -v) proves it, or a form that is not 0 at v takes the unit vector's place for good.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from flint import fmpz

from regionenum.exact.basis import Basis, DependentError, completed
from regionenum.exact.cone import Block, Cone, EmptyConeError, Forms, Sides
from regionenum.exact.dyadic import Integer, Row, dot, primitive


@dataclass(frozen=True)
class Combination:
    """divisor b = sum multipliers[i] g_i, with positive multipliers of independent forms, and divisor > 0."""

    multipliers: dict[int, Integer]
    divisor: Integer

    def proves(self, cone: Cone, target: Row) -> bool:
        """Whether that is so of b = target; independence aside."""
        total = [self.divisor * value for value in target]
        for i, multiplier in self.multipliers.items():
            if multiplier <= 0 or not 0 <= i < len(cone):
                return False
            total = [a - multiplier * g for a, g in zip(total, cone.row(i), strict=True)]
        return self.divisor > 0 and not any(total)


class Reached(NamedTuple):
    """A point at which no form of the cone is negative, and b is; and the basis on which that was found."""

    point: Row
    basis: list[int]


def combination(
    cone: Cone, target: Row, start: Sequence[int] = (), order: Sequence[int] | None = None
) -> Combination | Reached:
    """Whether a form b is a nonnegative combination of a cone's forms: the combination, or a point that shows that it is none.

    Parameters
    ----------
    target : b
    start : forms believed to be those of the combination, or to be 0 at the point; any are right
    order : the order of Bland's rule, by default that of the forms; those likely to matter should be first
    """
    order = range(len(cone)) if order is None else order
    place = {i: k for k, i in enumerate(order)}
    basis, solver, (multipliers, divisor) = _begin(cone, target, start, order)
    while True:
        foreign = [i for i in basis if i >= len(cone) and multipliers[i]]
        if foreign:
            out = foreign[0]
            point = solver.direction(out)
            if multipliers[out] > 0:
                point = [-value for value in point]
            values = cone.values(point)
            entering = [i for i, value in enumerate(values) if value]
        else:
            negative = [i for i in basis if multipliers[i] < 0]
            if not negative:
                return Combination({i: value for i, value in multipliers.items() if value}, divisor)
            out = min(negative, key=place.__getitem__)
            point = solver.direction(out)
            values = cone.values(point)
            entering = [i for i, value in enumerate(values) if value < 0]
        if not entering:
            return Reached(point, basis)
        basis = [i for i in basis if i != out] + [min(entering, key=place.__getitem__)]
        solver = Basis(cone, basis)
        multipliers, divisor = solver.multipliers(target)


def _begin(
    cone: Cone, target: Row, start: Sequence[int], order: Sequence[int]
) -> tuple[list[int], Basis, tuple[dict[int, Integer], Integer]]:
    """A basis from the start, the order where that is not enough, and what it says."""
    basis = list(start)
    if len(basis) == cone.n:
        try:
            solver = Basis(cone, basis)
            return basis, solver, solver.multipliers(target)
        except DependentError:
            pass
    basis = completed(cone, start, order)
    solver = Basis(cone, basis)
    return basis, solver, solver.multipliers(target)


def combination_by(cone: Cone, target: Row, basis: Sequence[int]) -> Combination | None:
    """The combination of the forms of a basis, if it is one and no multiple is negative: a guess, verified."""
    try:
        multipliers, divisor = Basis(cone, basis).multipliers(target)
    except DependentError:
        return None
    if any(value < 0 or (value and i >= len(cone)) for i, value in multipliers.items()):
        return None
    return Combination({i: value for i, value in multipliers.items() if value}, divisor)


def interior_point(cone: Cone, order: Sequence[int] | None = None) -> Row:
    """A point of an open cone.

    With one coordinate e more, before t, consider the forms g_i - e and b = -e. A point with g_i . v >= e > 0 is what is
    sought; nonnegative multiples of the g_i - e that add up to b are multiples of the g_i that add up to 0 (Gordan 1873).

    The sides of a box stay without -e, so that they can be eliminated (`basis.py`). Then v may lie on some of them, and goes a
    little towards the middle of the box.

    Parameters
    ----------
    order : as in `combination`

    Raises
    ------
    EmptyConeError
        If there is none; with the multiples.
    """
    blocks: list[Block] = []
    middle: Row | None = None
    for block in cone.blocks:
        if isinstance(block, Sides) and middle is None and block.middle is not None:
            middle = block.middle
            blocks.append(Sides(cone.n + 1, block.forms, block.labels))
        else:
            rows = [[*row[:-1], fmpz(-1), row[-1]] for row in map(block.row, range(len(block)))]
            blocks.append(Forms(rows, block.labels))
    target = [fmpz(0)] * (cone.n - 1) + [fmpz(-1), fmpz(0)]
    found = combination(Cone(cone.n + 1, blocks), target, (), order)
    if isinstance(found, Combination):
        raise EmptyConeError(found.multipliers)
    point = found.point[:-2] + found.point[-1:]
    if middle is None:
        return primitive(point)
    while True:
        moved = [a + b for a, b in zip(point, middle, strict=True)]
        if cone.contains(moved):
            return primitive(moved)
        point = [2 * value for value in point]


def between(cone: Cone, inside: Row, edge: Row, form: Row) -> Row:
    """A point of the open cone where a form is positive, of one in the cone where it is not and one in its closure where it is.

    form . (p edge + q inside) > 0 for q / p below form . edge / -form . inside: half of that, or the same number of binary
    digits.
    """
    at_edge, at_inside = dot(form, edge), -dot(form, inside)
    if at_inside < 0:
        return inside
    # p at_edge > q at_inside with q = 1 or p = 1
    shift = at_inside.bit_length() - at_edge.bit_length() + 1
    p, q = (fmpz(1) << shift, fmpz(1)) if shift >= 0 else (fmpz(1), fmpz(1) << -shift)
    return primitive([p * a + q * b for a, b in zip(edge, inside, strict=True)])
