"""Open polyhedral cones in integers: { v in R^n : g_i . v > 0 for all i }.

A cell over d coordinates s is the cone over it, of the points v = (s t, t) with n = d + 1: an affine function of s that is
positive on the cell is a linear form that is positive on the cone, and t is one of the forms. So the whole space is nothing
special. Forms are rows of coprime integers. They come in blocks, which are shared between the cones of neighbouring cells.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Protocol

import numpy as np
from flint import fmpz, fmpz_mat

from regionenum.exact.dyadic import Integer, Row, primitive, to_floats
from regionenum.network.units import Floats

Label = tuple[int, int, int]
"""What a form is: (layer, unit, breakpoint or losing candidate), or (-1, constraint of the domain, 0)."""

AT_INFINITY: Label = (-1, -1, 0)
"""The label of the form t, which is 0 in what is infinitely far away."""


@dataclass(frozen=True)
class Frame:
    """Coordinates in which floating point sees a cone: v = matrix w, w in a box.

    Attributes
    ----------
    matrix : (n, n) integers
    affine : w = (z, 1) with z in the box, n - 1 coordinates; else w itself is in the box
    lower, upper : of the box
    sides : for each coordinate, the cone's forms that are the lower and the upper side of the box; -1 where the side is none of
        the cone's
    """

    matrix: fmpz_mat
    affine: bool
    lower: Floats
    upper: Floats
    sides: tuple[tuple[int, int], ...]

    @classmethod
    def cube(cls, matrix: fmpz_mat, first: int | None) -> Frame:
        """The unit cube; form `first` + j is the lower side of coordinate j, and `first` + d + j the upper one, if any."""
        d = matrix.nrows() - 1
        sides = ((-1, -1) if first is None else (first + j, first + d + j) for j in range(d))
        return cls(matrix, True, np.zeros(d), np.ones(d), tuple(sides))

    @classmethod
    def cone(cls, matrix: fmpz_mat, t: int | None) -> Frame:
        """[-1, 1]^n, cut by coordinate t >= 0, which is the cone's first form."""
        n = matrix.nrows()
        lower, sides = -np.ones(n), [(-1, -1)] * n
        if t is not None:
            lower[t], sides[t] = 0.0, (0, -1)
        return cls(matrix, False, lower, np.ones(n), tuple(sides))


class Block(Protocol):
    """Some forms, in order."""

    labels: Sequence[Label]

    def __len__(self) -> int: ...

    def row(self, i: int) -> Row:
        """Form i."""
        ...

    def single(self, i: int) -> int | None:
        """The number of the one coordinate beside t that form i has, if it has one only."""
        ...

    def values(self, point: Row) -> list[Integer]:
        """All forms at a point."""
        ...

    def floats(self, frame: Frame) -> Floats | None:
        """The forms in the coordinates of a frame, scaled (m, n); None if they are sides of its box."""
        ...


class Forms:
    """Forms as rows."""

    def __init__(self, rows: list[Row], labels: Sequence[Label]) -> None:
        self.rows, self.labels = rows, labels
        self._seen: tuple[Frame, Floats] | None = None

    @classmethod
    def of(cls, rows: Iterable[Row], labels: Iterable[Label]) -> Forms:
        """Rows made primitive, without those that are nowhere negative because they are constant."""
        kept = [
            (primitive(row), label) for row, label in zip(rows, labels, strict=True) if any(row[:-1]) or row[-1] < 0
        ]
        return cls([row for row, _ in kept], [label for _, label in kept])

    def __len__(self) -> int:
        return len(self.rows)

    def row(self, i: int) -> Row:
        return self.rows[i]

    def single(self, i: int) -> int | None:
        return None

    @cached_property
    def matrix(self) -> fmpz_mat:
        return fmpz_mat(self.rows)

    def values(self, point: Row) -> list[Integer]:
        if not self.rows:
            return []
        found: list[Integer] = (self.matrix * fmpz_mat(len(point), 1, point)).entries()
        return found

    def floats(self, frame: Frame) -> Floats | None:
        if self._seen is None or self._seen[0] is not frame:
            n = frame.matrix.nrows()
            seen = to_floats((self.matrix * frame.matrix).tolist()) if self.rows else np.zeros((0, n))
            self._seen = frame, seen
        return self._seen[1]


class Sides:
    """Forms of two coordinates, a v_j + b v_n: the sides of a box, which may have very many."""

    def __init__(self, n: int, forms: Sequence[tuple[int, Integer, Integer]], labels: Sequence[Label]) -> None:
        self.n, self.labels = n, labels
        self.forms = [(j, *primitive([a, b])) for j, a, b in forms]

    def __len__(self) -> int:
        return len(self.forms)

    def row(self, i: int) -> Row:
        j, a, b = self.forms[i]
        row = [fmpz(0)] * self.n
        row[j], row[-1] = a, b
        return row

    def single(self, i: int) -> int | None:
        j: int = self.forms[i][0]
        return j

    def values(self, point: Row) -> list[Integer]:
        t = point[-1]
        return [a * point[j] + b * t for j, a, b in self.forms]

    def floats(self, frame: Frame) -> Floats | None:
        return None

    @cached_property
    def middle(self) -> Row | None:
        """A point at which all forms are positive, if there is one: halfway between the sides, or beyond the only one."""
        low: dict[int, Fraction] = {}
        high: dict[int, Fraction] = {}
        for j, a, b in self.forms:
            end = Fraction(-int(b), int(a))
            if a > 0:
                low[j] = max(low.get(j, end), end)
            else:
                high[j] = min(high.get(j, end), end)
        middle = [Fraction(0)] * (self.n - 1)
        for j in low.keys() | high.keys():
            if j in low and j in high:
                if low[j] >= high[j]:
                    return None
                middle[j] = (low[j] + high[j]) / 2
            else:
                middle[j] = low[j] + 1 if j in low else high[j] - 1
        divisor = math.lcm(1, *(value.denominator for value in middle))
        return [*(fmpz(int(value * divisor)) for value in middle), fmpz(divisor)]


class EmptyConeError(Exception):
    """An open cone without points: nonnegative multiples of its forms, not all 0, add up to 0.

    Attributes
    ----------
    multipliers : the multiple of each form that has one, by its number
    """

    def __init__(self, multipliers: dict[int, Integer]) -> None:
        super().__init__(f"the forms {sorted(multipliers)} are not positive together at any point")
        self.multipliers = multipliers


class Cone:
    """An open cone.

    Parameters
    ----------
    blocks : its forms
    frame : by default [-1, 1]^n in the coordinates themselves

    Attributes
    ----------
    n : number of coordinates
    points : points known to be in the cone; the first was found first
    """

    def __init__(self, n: int, blocks: Sequence[Block], frame: Frame | None = None) -> None:
        self.n = n
        self.blocks = [block for block in blocks if len(block)]
        self.frame = frame or Frame.cone(fmpz_mat(n, n, [int(i == j) for i in range(n) for j in range(n)]), None)
        self.starts = [0]
        for block in self.blocks:
            self.starts.append(self.starts[-1] + len(block))
        self.points: list[Row] = []

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]]) -> Cone:
        """The cone of rows of integers."""
        forms = [primitive([fmpz(value) for value in row]) for row in rows]
        return cls(len(forms[0]), [Forms(forms, [(0, i, 0) for i in range(len(forms))])])

    def __len__(self) -> int:
        return self.starts[-1]

    def _at(self, i: int) -> tuple[Block, int]:
        k = 0
        while i >= self.starts[k + 1]:
            k += 1
        return self.blocks[k], i - self.starts[k]

    def row(self, i: int) -> Row:
        """Form i; the numbers from len(self) on are those of the unit vectors, which are none of the cone's."""
        if i >= len(self):
            row = [fmpz(0)] * self.n
            row[i - len(self)] = fmpz(1)
            return row
        block, place = self._at(i)
        return block.row(place)

    def single(self, i: int) -> int | None:
        """`Block.single`."""
        if i >= len(self):
            j = i - len(self)
            return j if j < self.n - 1 else None
        block, place = self._at(i)
        return block.single(place)

    def ends(self, i: int) -> tuple[Integer, Integer]:
        """The two coefficients of a form of one coordinate beside t."""
        row, j = self.row(i), self.single(i)
        assert j is not None
        return row[j], row[-1]

    def label(self, i: int) -> Label:
        """The label of form i."""
        block, place = self._at(i)
        return block.labels[place]

    @cached_property
    def index(self) -> dict[Label, int]:
        """The number of each label's form."""
        labels = (label for block in self.blocks for label in block.labels)
        return {label: i for i, label in enumerate(labels)}

    def values(self, point: Row) -> list[Integer]:
        """All forms at a point."""
        return [value for block in self.blocks for value in block.values(point)]

    def contains(self, point: Row) -> bool:
        """Whether a point is in the open cone."""
        return all(value > 0 for block in self.blocks for value in block.values(point))

    @cached_property
    def seen(self) -> tuple[Floats, list[int]]:
        """The forms in the frame's coordinates (m, n), without the sides of its box, and their numbers."""
        found, numbers = [np.zeros((0, self.n))], list[int]()
        beside = {i for pair in self.frame.sides for i in pair}
        for block, start in zip(self.blocks, self.starts, strict=False):
            rows = block.floats(self.frame)
            if rows is not None and not (len(block) == 1 and start in beside):
                found.append(rows)
                numbers.extend(range(start, start + len(block)))
        return np.concatenate(found), numbers
