"""Closed polyhedral cones by their generators: the double description method in integers.

A closed cone { v : g_i . v >= 0 } is the set of sums of multiples of some *lines*, and of nonnegative multiples of some *rays*.
A linear form that is 0 on all lines and not negative on any ray is therefore not negative in the cone; and if the cone has an
interior and the form is not 0, it is positive there. So all forms are decided at once, by their values at the rays, without
a linear program. Over few coordinates that is much the fastest proof there is; over many, rays are too many.

A form f with both signs on the rays splits the cone. Of each part, the rays are those of the cone on its side, and one on
the face between each two neighbours p and q with f(p) > 0 > f(q): f(p) q - f(q) p (Motzkin, Raiffa, Thompson and Thrall 1953).
Two rays are neighbours if no third is 0 on all forms on which both are (Fukuda and Prodon, Double description method revisited,
1996, proposition 7). Where f is not 0 on some line l, that becomes a ray, and all others are moved along l to where f is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flint import fmpz, fmpz_mat

from regionenum.exact.dyadic import Integer, Row, dot, primitive


@dataclass(frozen=True)
class Generators:
    """A closed cone with an interior.

    Attributes
    ----------
    lines : a basis of the largest linear space in the cone
    rays : one for each face that is a ray, modulo that space
    zeros : for each ray the forms on which it is 0, as the bits of a number
    n_forms : number of forms so far
    """

    lines: tuple[Row, ...]
    rays: tuple[Row, ...]
    zeros: tuple[int, ...]
    n_forms: int

    @classmethod
    def everything(cls, n: int) -> Generators:
        """All of R^n."""
        return cls(tuple([fmpz(int(i == j)) for j in range(n)] for i in range(n)), (), (), 0)

    def __len__(self) -> int:
        return len(self.lines) + len(self.rays)

    def interior(self) -> Row:
        """A point of the interior: the sum of all rays."""
        n = len(self.rays[0]) if self.rays else len(self.lines[0])
        return primitive([sum((ray[j] for ray in self.rays), fmpz(0)) for j in range(n)])

    def signs(self, forms: Sequence[Row]) -> list[int | None]:
        """For each form that is not 0 the sign that it has in the interior, or None if it has both."""
        if not forms:
            return []
        columns = [*self.rays, *self.lines]
        table = (fmpz_mat(list(forms)) * fmpz_mat(columns).transpose()).tolist()
        n = len(self.rays)
        return [_sign(row[:n], row[n:]) for row in table]

    def part(self, form: Row, sign: int) -> Generators | None:
        """The part where sign form >= 0; None if it has no interior.

        Parameters
        ----------
        sign : 1 or -1
        """
        form = form if sign > 0 else [-value for value in form]
        bit = 1 << self.n_forms
        for k, line in enumerate(self.lines):
            value = dot(form, line)
            if value:
                along = line if value > 0 else [-entry for entry in line]
                return self._opened(form, bit, k, along, abs(value))
        values = [dot(form, ray) for ray in self.rays]
        if not any(value > 0 for value in values):
            return None
        rays, zeros = list[Row](), list[int]()
        positive, negative = list[int](), list[int]()
        for i, value in enumerate(values):
            if value < 0:
                negative.append(i)
                continue
            rays.append(self.rays[i])
            zeros.append(self.zeros[i] if value > 0 else self.zeros[i] | bit)
            if value > 0:
                positive.append(i)
        least = len(form) - len(self.lines) - 2
        for i in positive:
            for j in negative:
                common = self.zeros[i] & self.zeros[j]
                if common.bit_count() >= least and self._are_neighbours(i, j, common):
                    p, q = values[i], -values[j]
                    rays.append(primitive([p * b + q * a for a, b in zip(self.rays[i], self.rays[j], strict=True)]))
                    zeros.append(common | bit)
        return Generators(self.lines, tuple(rays), tuple(zeros), self.n_forms + 1)

    def _are_neighbours(self, i: int, j: int, common: int) -> bool:
        return not any(zeros & common == common for k, zeros in enumerate(self.zeros) if k not in (i, j))

    def _opened(self, form: Row, bit: int, k: int, along: Row, slope: Integer) -> Generators:
        """The part of a cone one of whose lines leaves it: `along`, on which the form is `slope` > 0."""

        def moved(v: Row) -> Row:
            value = dot(form, v)
            return primitive([slope * a - value * b for a, b in zip(v, along, strict=True)]) if value else v

        lines = tuple(moved(line) for i, line in enumerate(self.lines) if i != k)
        rays = (*(moved(ray) for ray in self.rays), along)
        zeros = (*(zero | bit for zero in self.zeros), bit - 1)
        return Generators(lines, rays, zeros, self.n_forms + 1)


def _sign(at_rays: Row, at_lines: Row) -> int | None:
    if any(at_lines):
        return None
    above = max(at_rays) > 0
    return None if above and min(at_rays) < 0 else 1 if above else -1
