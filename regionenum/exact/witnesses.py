"""Which point of a domain a recorded input stands for.

An input is n_in float64 numbers. Over a box, a polytope and the whole space they are coordinates, and the point is the input
itself. A slice need not have any float64 input but its origin; there the point is the one of the slice nearest to the input,
o + D (D'D)^-1 D' (x - o), a rational one. In integers, all of it.
"""

from __future__ import annotations

import numpy as np
from flint import fmpz, fmpz_mat

from regionenum.exact.domains import ExactDomain
from regionenum.exact.dyadic import Row, integers, primitive
from regionenum.network.units import Floats


class Nearest:
    """The points of a domain nearest to inputs."""

    def __init__(self, domain: ExactDomain) -> None:
        inputs, d = domain.inputs, domain.dim
        rows = inputs.matrix.tolist()
        self._exponent = inputs.exponent
        self._origin = [row[-1] for row in rows]
        one = fmpz(1) << -inputs.exponent if inputs.exponent <= 0 else None
        places = [[i for i, row in enumerate(rows) if row[j]] for j in range(d)]
        self._selected: list[int] | None = None
        if all(len(p) == 1 and rows[p[0]][j] == one and not rows[p[0]][-1] for j, p in enumerate(places)):
            # coordinates are inputs
            self._selected = [p[0] for p in places]
            self._fixed = [i for i, row in enumerate(rows) if not any(row[:-1])]
            return
        directions = fmpz_mat([row[:-1] for row in rows])
        inverse = (directions.transpose() * directions).inv()
        numerator, self._denominator = inverse.numer_denom()
        self._back = numerator * directions.transpose()

    def point(self, x: Floats) -> Row | None:
        """The point (s t, t) for an input (n_in,); None if the input leaves the coordinates that a box fixes."""
        values, exponent = integers(x)
        if self._selected is not None:
            return self._coordinates(values, exponent)
        # x - o over the smaller power of two, then s = back (x - o) 2^least / (denominator 2^exponent of D)
        least = min(exponent, self._exponent)
        up_x, up_o = 1 << (exponent - least), 1 << (self._exponent - least)
        moved = [a * up_x - b * up_o for a, b in zip(values, self._origin, strict=True)]
        s = (self._back * fmpz_mat(len(moved), 1, moved)).entries()
        t, shift = fmpz(self._denominator), least - self._exponent
        if shift > 0:
            s = [v << shift for v in s]
        else:
            t <<= -shift
        return primitive([*s, t])

    def _coordinates(self, values: list[int], exponent: int) -> Row | None:
        assert self._selected is not None
        least = min(exponent, self._exponent, 0)
        up_x, up_o = 1 << (exponent - least), 1 << (self._exponent - least)
        if any(values[i] * up_x != self._origin[i] * up_o for i in self._fixed):
            return None
        return primitive([*(fmpz(values[j]) * up_x for j in self._selected), fmpz(1) << -least])


def beyond(domain: ExactDomain, point: Row) -> tuple[int, int] | None:
    """The first constraint of a domain that a point does not fulfil strictly: (its number, sign there); None if all are."""
    for block in domain.blocks:
        for value, label in zip(block.values(point), block.labels, strict=True):
            if value <= 0:
                return label[1], -int(value < 0)
    return None


def known(witness: Floats) -> bool:
    """Whether there is one."""
    return bool(np.isfinite(witness).all())
