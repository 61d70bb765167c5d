"""A basis of n linear forms, and the two systems of equations that the simplex method solves with it.

Forms with one coordinate beside t, such as the sides of a box, are eliminated by hand: on all of them v_j = p_j u for one
number u, D u = t. What is left is a system of as many equations as there are other forms (t among them), whatever n is: in
784 inputs with 16 neurons at most 17. It is solved without fractions (Bareiss 1968, Sylvester's identity and multistep
integer-preserving Gaussian elimination, Math. Comp. 22; Edmonds 1967), or by p-adic lifting where it is large (Dixon 1982).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from flint import fmpz, fmpz_mat, nmod_mat

from regionenum.exact.cone import Cone
from regionenum.exact.dyadic import Integer, Row, primitive

LIFT_FROM = 28
"""Equations from which p-adic lifting is faster than elimination without fractions."""

_PRIME = 2**31 - 1


class DependentError(Exception):
    """Forms that are no basis."""


class Face:
    """The face on which some forms a v_j + b t of different coordinates j are all 0: v_j = p_j u, and t = D u.

    Attributes
    ----------
    columns, forms : the coordinates j, and the forms' numbers
    a, p : of these
    scale : D
    others : the coordinates that are left, without t
    """

    def __init__(self, cone: Cone, singles: dict[int, int]) -> None:
        self.columns, self.forms = list(singles), list(singles.values())
        self.others = [j for j in range(cone.n - 1) if j not in singles]
        ends = [cone.ends(i) for i in self.forms]
        self.a = [a for a, _ in ends]
        self.scale = fmpz(math.lcm(1, *(abs(int(a)) for a in self.a)))
        self.p = [-b * (self.scale // a) for a, b in ends]

    def reduce(self, row: Row) -> Row:
        """A form on the face, in the other coordinates and u."""
        last = row[-1] * self.scale
        for j, p in zip(self.columns, self.p, strict=True):
            if row[j]:
                last += row[j] * p
        return [*(row[j] for j in self.others), last]


class Basis:
    """n linearly independent forms of a cone; numbers from len(cone) on are unit vectors (`Cone.row`).

    Raises
    ------
    DependentError
        If they are dependent; at once, or when a system is solved.
    """

    def __init__(self, cone: Cone, forms: Sequence[int]) -> None:
        if len(forms) != cone.n:
            raise DependentError(f"{len(forms)} forms in {cone.n} dimensions")
        self.forms = list(forms)
        singles: dict[int, int] = {}
        rest = []
        for i in forms:
            j = cone.single(i)
            if j is None or j in singles:
                rest.append(i)
            else:
                singles[j] = i
        self._rest_forms = rest
        self._face = Face(cone, singles)
        self._rows = [cone.row(i) for i in rest]
        self._reduced = [self._face.reduce(row) for row in self._rows]

    def multipliers(self, target: Row) -> tuple[dict[int, Integer], Integer]:
        """Numbers l_i / q with sum l_i g_i = q target, q > 0: (l by form, q)."""
        k, face = len(self._rows), self._face
        found, divisor = _solve([[row[j] for row in self._reduced] for j in range(k)], face.reduce(target))
        multipliers = {i: value * face.scale for i, value in zip(self._rest_forms, found, strict=True)}
        for j, a, i in zip(face.columns, face.a, face.forms, strict=True):
            left = target[j] * divisor
            for value, row in zip(found, self._rows, strict=True):
                if row[j]:
                    left -= value * row[j]
            # a divides the scale
            multipliers[i] = left * (face.scale // a)
        return multipliers, divisor * face.scale

    def direction(self, form: int) -> Row:
        """The point at which one form of the basis is positive, and all others are 0."""
        face = self._face
        if form in self._rest_forms:
            inner, _ = _solve(self._reduced, [fmpz(int(i == form)) for i in self._rest_forms])
            return self._lifted(inner)
        at = face.forms.index(form)
        j, sign = face.columns[at], 1 if face.a[at] > 0 else -1
        # v_j = p_j u + sign on that form's coordinate
        inner, divisor = _solve(self._reduced, [-sign * row[j] for row in self._rows])
        return self._lifted(inner, j, sign * divisor)

    def _lifted(self, inner: Row, moved: int = 0, by: Integer = 0) -> Row:
        """The point of R^n of one in the other coordinates and u."""
        face, u = self._face, inner[-1]
        point = [fmpz(0)] * (len(face.columns) + len(inner))
        for j, value in zip(face.others, inner[:-1], strict=True):
            point[j] = value
        for j, p in zip(face.columns, face.p, strict=True):
            point[j] = p * u
        point[-1] = face.scale * u
        point[moved] += by
        return primitive(point)


def _solve(matrix: list[Row], right: Row) -> tuple[Row, Integer]:
    """x and q > 0 with matrix x = q right.

    Raises
    ------
    DependentError
        If the matrix is singular.
    """
    n = len(right)
    if n < LIFT_FROM:
        reduced, divisor, _ = fmpz_mat([[*row, value] for row, value in zip(matrix, right, strict=True)]).rref()
        # regular if and only if the reduced form begins with a multiple of the identity
        if not all(reduced[k, k] for k in range(n)):
            raise DependentError("a singular system")
        found = [reduced[k, n] for k in range(n)]
    else:
        try:
            solution = fmpz_mat(matrix).solve(fmpz_mat(n, 1, right))
        except ZeroDivisionError as error:
            raise DependentError("a singular system") from error
        numerator, divisor = solution.numer_denom()
        found = numerator.entries()
    return (found, divisor) if divisor > 0 else ([-value for value in found], -divisor)


def completed(cone: Cone, preferred: Sequence[int], others: Sequence[int]) -> list[int]:
    """A basis: the first of the preferred forms that are independent, then of the others, then of the unit vectors.

    Preferred forms of one coordinate come before the other preferred ones. Independence is tested modulo a prime. Forms
    that are independent there are independent; some that are not are missed, and a unit vector takes their place.
    """
    singles: dict[int, int] = {}
    for i in preferred:
        j = cone.single(i)
        if j is not None:
            singles.setdefault(j, i)
    face = Face(cone, singles)
    n = len(face.others) + 1
    taken = set(singles.values())
    waiting = [i for i in dict.fromkeys([*preferred, *others]) if i not in taken]
    waiting += range(len(cone), len(cone) + cone.n)
    basis: list[int] = []
    columns: list[list[int]] = []
    for start in range(0, len(waiting), 2 * n):
        tried = waiting[start : start + 2 * n]
        columns += [[int(value % _PRIME) for value in face.reduce(cone.row(i))] for i in tried]
        tried = basis + tried
        flat = np.array(columns, np.int64).T.ravel().tolist()
        reduced, rank = nmod_mat(n, len(tried), flat, _PRIME).rref()
        pivots: list[int] = []
        for j in range(len(tried)):
            if len(pivots) < rank and reduced[len(pivots), j]:
                pivots.append(j)
        basis, columns = [tried[j] for j in pivots], [columns[j] for j in pivots]
        if len(basis) == n:
            break
    return [*singles.values(), *basis]
