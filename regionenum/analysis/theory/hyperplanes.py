"""Given hyperplanes: the exact number of regions into which they cut R^d, by deletion and restriction.

Let r(A) be the number of regions of a set A of hyperplanes of R^d. Adding a hyperplane H to A cuts as many regions in two
as the other hyperplanes leave on H, so r(A + H) = r(A) + r(A^H), where A^H are the traces of A on H, a space of dimension
d - 1. The same recursion, chi(A + H) = chi(A) - chi(A^H) from chi(no hyperplanes) = t^d, defines the characteristic
polynomial, and so r(A) = (-1)^d chi(-1); the number of bounded regions is (-1)^rank chi(1) (T. Zaslavsky: Facing up to
arrangements, Memoirs of the AMS 154, 1975). Everything is done in integers, and nothing is assumed of the position of the
hyperplanes: equal ones are one, parallel ones do not meet.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from regionenum.analysis.theory.arguments import integer_rows, rationals
from regionenum.errors import InputError

Row = tuple[int, ...]
"""A hyperplane a.x + b = 0 as (a, b), without common divisor, the first entry that is not 0 being positive."""


def characteristic_polynomial(normals: Iterable[Iterable[Any]], constants: Iterable[Any] | None = None) -> list[int]:
    """The characteristic polynomial of the hyperplanes normals[i] . x + constants[i] = 0.

    Parameters
    ----------
    normals : (n, d) numbers, n at least 1, d at least 1
        Read exactly. A row of zeros is no hyperplane and is left out.
    constants : (n,) numbers, optional
        0 by default: all hyperplanes pass through 0.

    Returns
    -------
    list of d + 1 ints
        The coefficients of t^0, ..., t^d.

    Raises
    ------
    InputError
        If the rows are empty, of different lengths, or hold anything but finite numbers.

    Notes
    -----
    The time is proportional to the number of regions, at worst: some ten thousand in a second.

    Examples
    --------
    >>> characteristic_polynomial([[1, -1, 0], [1, 0, -1], [0, 1, -1]])  # x_i = x_j: t (t - 1) (t - 2)
    [0, 2, -3, 1]
    """
    name = "characteristic_polynomial"
    rows = [rationals(name, f"normals[{i}]", row) for i, row in enumerate(normals)]
    if len({len(row) for row in rows}) != 1 or not rows[0]:
        raise InputError(
            f"{name}: normals has rows of lengths {sorted({len(r) for r in rows})}; give rows of one length"
        )
    last = rationals(name, "constants", [0] * len(rows) if constants is None else constants)
    if len(last) != len(rows):
        raise InputError(f"{name}: {len(rows)} normals and {len(last)} constants are given; give one constant for each")
    dim = len(rows[0])
    distinct = _distinct(integer_rows((*row, constant) for row, constant in zip(rows, last, strict=True)))
    return _polynomial(distinct, dim, {})


def hyperplane_regions(normals: Iterable[Iterable[Any]], constants: Iterable[Any] | None = None) -> int:
    """The number of regions into which the hyperplanes normals[i] . x + constants[i] = 0 cut R^d, exactly.

    For a layer of ReLUs, normals and constants are its weight and bias: the number of activation regions of the layer over
    the whole space. Parameters and errors are those of `characteristic_polynomial`.

    Examples
    --------
    >>> hyperplane_regions([[1, 0], [0, 1], [1, 1]], [0, 0, -1])  # three lines in general position
    7
    """
    chi = characteristic_polynomial(normals, constants)
    return sum(abs(value) for value in chi)  # the signs of the coefficients alternate, so this is (-1)^d chi(-1)


def bounded_hyperplane_regions(normals: Iterable[Iterable[Any]], constants: Iterable[Any] | None = None) -> int:
    """How many of these regions are bounded, up to the directions in which all of them are unbounded: |chi(1)|.

    Parameters and errors are those of `characteristic_polynomial`.

    Examples
    --------
    >>> bounded_hyperplane_regions([[1, 0], [0, 1], [1, 1]], [0, 0, -1])
    1
    """
    return abs(sum(characteristic_polynomial(normals, constants)))


def _distinct(rows: Iterable[Sequence[int]]) -> tuple[Row, ...]:
    """The hyperplanes among the rows, each once, in order."""
    found = set()
    for row in rows:
        first = next((value for value in row[:-1] if value), 0)
        if first:
            found.add(tuple(row) if first > 0 else tuple(-value for value in row))
    return tuple(sorted(found))


def _polynomial(rows: tuple[Row, ...], dim: int, known: dict[tuple[Row, ...], list[int]]) -> list[int]:
    """chi = t^dim - the sum over i of chi of the traces of rows[:i] on rows[i]; `known` remembers, by the rows.

    Rows of one length are of one dimension, so that they alone are the key where there are any.
    """
    if not rows:
        return [0] * dim + [1]
    if rows not in known:
        chi = [0] * dim + [1]
        for i, row in enumerate(rows):
            traces = _distinct(_trace(other, row) for other in rows[:i])
            for k, value in enumerate(_polynomial(traces, dim - 1, known)):
                chi[k] -= value
        known[rows] = chi
    return known[rows]


def _trace(row: Row, on: Row) -> Row:
    """The hyperplane `row` on the hyperplane `on`, in all coordinates but the one eliminated."""
    at = min((abs(value), k) for k, value in enumerate(on[:-1]) if value)[1]
    combined = [on[at] * a - row[at] * b for a, b in zip(row, on, strict=True)]
    del combined[at]
    divisor = math.gcd(*combined) or 1
    return tuple(value // divisor for value in combined)
