"""Cones in Python's integers, as lines and extreme rays: Motzkin's double description. No linear program, no rounding.

A full-dimensional cone stays full-dimensional on both sides of a linear form that takes both signs on it, so every
question is the sign of an integer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

Row = tuple[int, ...]
"""A linear form of (y, t), or a point (y, t) on a line or ray."""

Ray = tuple[Row, int]
"""A point on an extreme ray, and the set of the cone's hyperplanes that it lies on, as bits."""


@dataclass(frozen=True)
class Cone:
    """A full-dimensional cone: sums of any multiples of the lines and nonnegative multiples of the rays.

    `n_planes` hyperplanes made it; the lines lie on all of them.
    """

    lines: tuple[Row, ...]
    rays: tuple[Ray, ...]
    n_planes: int

    @classmethod
    def everything(cls, n: int) -> Cone:
        """All of R^n."""
        return cls(tuple(tuple(int(i == k) for i in range(n)) for k in range(n)), (), 0)

    def sides(self, form: Row) -> tuple[Cone | None, Cone | None]:
        """The parts where a form is negative and where it is positive; None where the interior is empty.

        Of a form that is 0 everywhere, the negative part is the cone: the lower piece is taken at a breakpoint.
        """
        crossing = next((line for line in self.lines if _dot(form, line)), None)
        if crossing is not None:
            return self._across(form, crossing)
        signed = [(_dot(form, point), point, tight) for point, tight in self.rays]
        below = [entry for entry in signed if entry[0] < 0]
        above = [entry for entry in signed if entry[0] > 0]
        if not above:
            return self, None
        if not below:
            return None, self
        here = 1 << self.n_planes
        on = [(point, tight | here) for at, point, tight in signed if not at]
        on += [
            (reduced([at * q - bt * p for p, q in zip(point, other, strict=True)]), tight & mask | here)
            for at, point, tight in above
            for bt, other, mask in below
            if self._adjacent(tight & mask, point, other)
        ]
        n = self.n_planes + 1
        return (
            Cone(self.lines, (*on, *((point, tight) for _, point, tight in below)), n),
            Cone(self.lines, (*on, *((point, tight) for _, point, tight in above)), n),
        )

    def _across(self, form: Row, crossing: Row) -> tuple[Cone, Cone]:
        """Both parts, where a line crosses the hyperplane: the other lines and the rays are moved along it, onto it."""
        value = _dot(form, crossing)
        if value < 0:
            value, crossing = -value, tuple(-v for v in crossing)

        def moved(point: Row) -> Row:
            at = _dot(form, point)
            return reduced([value * p - at * c for p, c in zip(point, crossing, strict=True)])

        here, all_before = 1 << self.n_planes, (1 << self.n_planes) - 1
        lines = tuple(moved(line) for line in self.lines if line not in (crossing, tuple(-v for v in crossing)))
        rays = tuple((moved(point), tight | here) for point, tight in self.rays)
        opposite = tuple(-v for v in crossing)
        n = self.n_planes + 1
        return Cone(lines, (*rays, (opposite, all_before)), n), Cone(lines, (*rays, (crossing, all_before)), n)

    def _adjacent(self, common: int, p: Row, q: Row) -> bool:
        """Whether two rays span a face: no third ray lies on all the hyperplanes that they share."""
        if common.bit_count() < len(p) - len(self.lines) - 2:
            return False
        return not any(tight & common == common and point is not p and point is not q for point, tight in self.rays)


def _dot(form: Row, point: Row) -> int:
    return sum(map(int.__mul__, form, point))


def reduced(row: Sequence[int]) -> Row:
    """A positive multiple of a row with coprime entries."""
    divisor = math.gcd(*row)
    return tuple(v // divisor for v in row) if divisor > 1 else tuple(row)


def rank(rows: Sequence[Row]) -> int:
    """Rank of an integer matrix, by elimination without division."""
    left, found = [reduced(row) for row in rows if any(row)], 0
    while left:
        pivot = min(left, key=lambda row: max(map(abs, row)))
        k = next(i for i, v in enumerate(pivot) if v)
        found += 1
        eliminated = ([pivot[k] * v - row[k] * p for v, p in zip(row, pivot, strict=True)] for row in left)
        left = [reduced(row) for row in eliminated if any(row)]
    return found
