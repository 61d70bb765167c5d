"""Linear algebra in fractions and cones by brute force, for tests of `regionenum.exact`: slow, short, and another method."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from fractions import Fraction

Vector = list[Fraction]


def times(a: Sequence[int], b: Sequence[Fraction | int]) -> Fraction:
    """The product of two vectors."""
    return sum((Fraction(int(x)) * y for x, y in zip(a, b, strict=True)), Fraction(0))


def null_vector(rows: Sequence[Sequence[int]], n: int) -> Vector | None:
    """The one direction of R^n on which n - 1 rows are 0; None if there are more."""
    left = [[Fraction(int(value)) for value in row] for row in rows]
    pivots: list[int] = []
    for j in range(n):
        at = next((i for i in range(len(pivots), len(left)) if left[i][j]), None)
        if at is None:
            continue
        k = len(pivots)
        left[k], left[at] = left[at], left[k]
        left[k] = [value / left[k][j] for value in left[k]]
        for i, row in enumerate(left):
            if i != k and row[j]:
                left[i] = [a - row[j] * b for a, b in zip(row, left[k], strict=True)]
        pivots.append(j)
    free = [j for j in range(n) if j not in pivots]
    if len(free) != 1:
        return None
    vector = [Fraction(0)] * n
    vector[free[0]] = Fraction(1)
    for i, j in enumerate(pivots):
        vector[j] = -left[i][free[0]]
    return vector


def extreme_rays(rows: Sequence[Sequence[int]]) -> Iterator[Vector]:
    """The extreme rays of a closed cone that holds no line, each perhaps several times: what n - 1 of its rows leave."""
    n = len(rows[0])
    for chosen in itertools.combinations(rows, n - 1):
        vector = null_vector(chosen, n)
        if vector is None:
            continue
        for sign in (1, -1):
            ray = [sign * value for value in vector]
            if all(times(row, ray) >= 0 for row in rows):
                yield ray


def signs_on(rows: Sequence[Sequence[int]], form: Sequence[int]) -> set[int] | None:
    """The signs other than 0 that a form has on an open cone that holds no line; None if the cone is empty."""
    rays = list(extreme_rays(rows))
    middle = [sum(values, Fraction(0)) for values in zip(*rays, strict=True)]
    if not rays or not all(times(row, middle) > 0 for row in rows):
        return None
    values = [times(form, ray) for ray in rays]
    return {sign for sign in (-1, 1) if any(value * sign > 0 for value in values)}
