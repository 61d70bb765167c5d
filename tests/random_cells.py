"""Random cells of any representation, with what they are in exact arithmetic.

Rows are known up to the error they were given with, and are exact here unless a test says otherwise: a float64 is the
rational number that it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from regionenum.engine import cells as verbs
from regionenum.engine.cells import CUTS, NEGATIVE, NEW_LINE, POSITIVE, SPLIT
from regionenum.engine.dictionary import verbs as _registered  # noqa: F401  (registers them)
from regionenum.engine.dictionary.layout import DictionaryCells, make_cells
from tests.exact_oracle import Cone
from tests.interval_cells import IntervalCells, make_intervals

seeds = st.integers(0, 2**32 - 1)
KEPT, LINES, ROWS = 64, 200, 96
"""Lines that the walk numbers, all lines, and rows of a cell."""
CELL, CHILD, SPARE = 0, 1, 2


class Row(NamedTuple):
    """The function constant + normal . z."""

    constant: float
    normal: np.ndarray

    def __neg__(self) -> Row:
        return Row(-self.constant, -self.normal)

    def at(self, point: np.ndarray) -> Fraction:
        """Exact value."""
        return sum(
            (Fraction(a) * Fraction(z) for a, z in zip(self.normal, point, strict=True)), Fraction(self.constant)
        )

    def form(self) -> tuple[int, ...]:
        """The linear form of (z, t), times a positive integer."""
        values = [*map(Fraction, self.normal.tolist()), Fraction(self.constant)]
        scale = math.lcm(*(v.denominator for v in values))
        return tuple(int(v * scale) for v in values)


def unit_cube(dim: int) -> Cone:
    """The cone over [0, 1]^dim."""
    cone = Cone.everything(dim + 1)
    for k in range(dim):
        for form in (unit(k, dim + 1), tuple(int(i == dim) - int(i == k) for i in range(dim + 1))):
            above = cone.sides(form)[1]
            assert above is not None
            cone = above
    return cone


def unit(k: int, n: int) -> tuple[int, ...]:
    return tuple(int(i == k) for i in range(n))


def exact_outcome(cone: Cone, row: Row) -> int:
    """NEGATIVE, POSITIVE or CUTS; a row that touches does not cut."""
    below, above = cone.sides(row.form())
    return CUTS if below and above else POSITIVE if above else NEGATIVE


def exact_highest(cone: Cone, row: Row) -> Fraction:
    """Maximum of a function on the closure of a bounded cell."""
    return max(row.at([Fraction(v, point[-1]) for v in point[:-1]]) for point, _ in cone.rays)


@dataclass(frozen=True)
class Representation:
    """A representation of cells, and how to make some."""

    name: str
    cells: type
    make: Callable[[int], Any]
    most: int

    def dims(self) -> st.SearchStrategy[int]:
        return st.integers(1, self.most)


DICTIONARY = Representation("dictionary", DictionaryCells, lambda dim: make_cells(4, dim, ROWS, LINES, KEPT), 4)
INTERVALS = Representation("intervals", IntervalCells, lambda dim: make_intervals(4, ROWS, KEPT), 1)
REPRESENTATIONS = (DICTIONARY, INTERVALS)


def random_row(rng: np.random.Generator, dim: int, through: np.ndarray | None = None) -> Row:
    """A hyperplane, by default through a point near the middle of the cube."""
    normal = rng.normal(size=dim)
    point = rng.uniform(0.2, 0.8, dim) if through is None else through
    return Row(float(-normal @ point), normal)


class Cell:
    """A cell of a representation beside the same cell in integers, with the rows that both were made of.

    It is cell CELL of `cells`; `planes` holds (row, side) of every constraint, by line.
    """

    def __init__(self, representation: Representation, dim: int) -> None:
        self.cells, self.dim = representation.make(dim), dim
        self.exact = unit_cube(dim)
        self.planes: dict[int, tuple[Row, int]] = {}
        self.next_line = 0
        verbs.begin(self.cells, CELL, 0)

    @classmethod
    def random(cls, representation: Representation, dim: int, n: int, rng: np.random.Generator) -> Cell:
        """What n random hyperplanes leave."""
        cell = cls(representation, dim)
        for _ in range(n):
            cell.cut(random_row(rng, dim), int(rng.integers(2)))
        return cell

    def add(self, row: Row, line: int | None = None, error: float = 0.0) -> int:
        """Append a pending row, on the next line of the walk by default."""
        if line is None:
            line = self.next_line
            self.next_line += 1
        return int(verbs.add(self.cells, CELL, line, row.constant, row.normal, error))

    def cut(self, row: Row, keep: int | None = None) -> int:
        """Split by a row if it cuts, and go on with a side, or with the one that keeps its place; the outcome."""
        line = self.next_line
        r = self.add(row)
        outcome = verbs.test(self.cells, CELL, r, SPLIT)
        if outcome != CUTS:
            verbs.drop(self.cells, CELL, r)
            return int(outcome)
        side = verbs.split(self.cells, CELL, r, CHILD)
        if keep is not None and keep != side:
            verbs.copy(self.cells, CHILD, CELL)
            side = keep
        self.planes[line] = row, side
        part = self.exact.sides(row.form())[side]
        assert part is not None, "a side that was proved to meet the cell is empty"
        self.exact = part
        return CUTS

    def screened(self, row: Row, purpose: int) -> int:
        """Outcome of a test of a row that is then dropped."""
        r = self.add(row, line=NEW_LINE)
        outcome = int(verbs.test(self.cells, CELL, r, purpose))
        verbs.drop(self.cells, CELL, r)
        return outcome

    def witness(self, f: int = CELL) -> np.ndarray:
        point = np.zeros(self.dim)
        verbs.witness(self.cells, f, point)
        return point

    def contains(self, point: np.ndarray) -> bool:
        """Whether a point is strictly inside, exactly."""
        return all(0 < z < 1 for z in point) and all(
            (row.at(point) > 0) == (side == POSITIVE) and row.at(point) != 0 for row, side in self.planes.values()
        )

    def lines_pending(self, f: int = CELL) -> list[int]:
        return [
            int(verbs.line_of(self.cells, f, verbs.pending(self.cells, f, k)))
            for k in range(verbs.n_pending(self.cells, f))
        ]
