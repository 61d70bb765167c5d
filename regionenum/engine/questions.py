"""Answers to the walk's questions, in exact arithmetic.

The walk says which cell and which row, or rank, its doubt is about (`walk/question_kernel.py`). Here the cell is rebuilt from
the decisions that made it, in integers and in the domain's own coordinates, and the answer is certain. With an answer that
something cuts come points of both sides; where the cell's witness was not sure, a better one comes with any answer. A cell
may be too small for float64 numbers: then the nearest point comes along, and is said not to be inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from regionenum.engine.problem import Problem
from regionenum.exact import guess
from regionenum.exact.cone import Cone, Forms, Label
from regionenum.exact.domains import ExactDomain
from regionenum.exact.dyadic import Row
from regionenum.exact.predicates import MARGINS, Hint, Side, interior, rank, side
from regionenum.exact.rows import PulledBack
from regionenum.network.units import Floats

GRID = 2.0**53


class Decided(NamedTuple):
    """The decisions that make a cell, up to some of `layer`; see `Subtree`."""

    layer: int
    sides: npt.NDArray[np.int8]
    winners: npt.NDArray[np.int16]
    matters: npt.NDArray[np.bool_]
    """For each cut whether it bounds the cell: the sides of the others follow from these."""


class Answer(NamedTuple):
    """An answer about a row.

    Attributes
    ----------
    side : Side
    points : (2, dim) float64
        In the engine's coordinates z, of the negative and of the positive side.
    sure : (bool, bool)
        Whether they are strictly inside; both False where there is nothing new to say.
    tight : (layer, unit, breakpoint or losing candidate), ...
        What the answer that nothing cuts was proved from, beside the domain: it holds wherever these are decided alike.
    """

    side: Side
    points: Floats
    sure: tuple[bool, bool]
    tight: Sequence[Label] = ()


class Referee:
    """Answers questions about one problem."""

    def __init__(self, problem: Problem) -> None:
        self._whole, self._dim = problem.chart.whole, problem.dim + problem.chart.whole
        self._domain = ExactDomain.of(problem.domain, problem.chart, problem.network.input_shape)
        self._rows = PulledBack(problem.network, self._domain)

    def cut(self, cell: Decided, number: int, witness: Floats, sure: bool) -> Answer:
        """Whether cut `number` of the cell's layer cuts it."""
        form = self._rows.cut(cell.layer, number, cell.sides, cell.winners)
        return self._answer(self._rows.cone(*cell), form, witness, sure)

    def difference(
        self, cell: Decided, unit: int, first: int, second: int, losers: Sequence[int], witness: Floats, sure: bool
    ) -> Answer:
        """Whether candidate `first` of a unit exceeds candidate `second`, where it exceeds the candidates in `losers`."""
        layer, sides, winners, _ = cell
        form = self._rows.difference(layer, unit, first, second, sides, winners)
        cone = self._rows.cone(*cell)
        if losers:
            forms = [self._rows.difference(layer, unit, first, k, sides, winners) for k in losers]
            cone = Cone(cone.n, [*cone.blocks, Forms.of(forms, [(layer, unit, k) for k in losers])], cone.frame)
        return self._answer(cone, form, witness, sure)

    def rank(self, cell: Decided) -> int:
        """Rank of the map to the output of the cell's layer, which is decided throughout."""
        return rank(self._rows.linear(*cell[:3]))

    def _answer(self, cone: Cone, form: Row, witness: Floats, sure: bool) -> Answer:
        found = side(cone, form, Hint(points=[self._point(witness)]))
        points, inside = np.tile(witness, (2, 1)), [False, False]
        if found.side == Side.CUTS or not sure:
            for k, (sign, point) in enumerate(((-1, found.below), (1, found.above))):
                if found.side == Side.ZERO:
                    part, point = cone, interior(cone)
                elif found.side in (Side.CUTS, Side(k)):
                    part = Cone(cone.n, [*cone.blocks, Forms.of([[sign * v for v in form]], [(-2, 0, 0)])], cone.frame)
                else:
                    continue
                points[k], inside[k] = self._representable(part, point)
        tight = [label for label in map(cone.label, found.tight) if label[0] >= 0]
        return Answer(found.side, points, (inside[0], inside[1]), tight)

    def _representable(self, cone: Cone, point: Row | None) -> tuple[Floats, bool]:
        """A point of the engine's inside a cone, and whether it is: near the deepest one, or near a known one."""
        for margin in MARGINS:
            z = self._of_frame(guess.deepest(cone, margin))
            if self._is_inside(cone, z):
                return z, True
        if point is not None:
            z = self._of_point(point)
        return z, self._is_inside(cone, z)

    def _is_inside(self, cone: Cone, z: Floats) -> bool:
        return bool(((z > 0.0) & (z < 1.0)).all()) and cone.contains(self._point(z))

    def _point(self, z: Floats) -> Row:
        """The point that stands for z; see `engine/tables.py`."""
        if not self._whole:
            return self._domain.point(z)
        return self._domain.point(2.0 * z[:-1] - 1.0, float(z[-1]))

    def _of_point(self, point: Row) -> Floats:
        """The engine's point nearest to a point; in the whole space, to one on the ray through it."""
        if not self._whole:
            return self._domain.to_chart(point)
        values = [Fraction(int(v)) / Fraction(s) for v, s in zip(point[:-1], self._domain.scale.tolist(), strict=True)]
        values.append(Fraction(int(point[-1])))
        largest = max(map(abs, values))
        return self._of_frame(np.array([float(v / largest) for v in values]))

    def _of_frame(self, w: Floats) -> Floats:
        """The engine's z of a point in the frame's coordinates; in the whole space half as far out, and 2 z - 1 is exact."""
        if not self._whole:
            return w[:-1].copy()
        return np.append(np.round((0.5 + 0.25 * w[:-1]) * GRID) / GRID, 0.5 * w[-1])
