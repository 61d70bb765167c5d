"""The largest ball in a cell, by HiGHS, with both sides of the answer checked.

The program: maximise t over y and t, subject to t <= 1, a_i.y + t <= b_i for the half-spaces of the cell (|a_i| = 1) and
t <= y_j <= 1 - t for the cube. It is always feasible (t may be negative) and bounded, so every status but "optimal" is
an error. The point returned gives a lower bound of the optimum by evaluating the rows,
and the multipliers an upper bound by weak duality: for any l >= 0 over all rows,

    t sum(l) <= sum_i l_i (b_i - a_i.y) <= sum_i l_i b_i + sum_j max(0, -sum_i l_i a_ij)    for y in the cube.

So neither a status nor a feasibility tolerance is ever trusted.

In the whole space there are no rows of a cube, and y is free. The upper bound then holds for |y_j| <= `REACH` instead of
the cube: the multipliers make sum_i l_i a_i vanish up to rounding, and what is left is multiplied by that number. A cell
farther out than this would be missed; nothing is homogenised here, so that both engines can disagree.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from regionenum.domain.half_spaces import HalfSpaces
from regionenum.domain.linear_program import LinearProgram
from regionenum.engine.interface import Counters
from regionenum.errors import EngineError
from regionenum.network.units import Floats

RADIUS = 1e-9
"""A cell counts as non-empty when it holds a ball of a larger radius, in the coordinates of the unit cube."""

DOUBT = 1e-7
"""Optima below this in magnitude are counted as doubtful decisions."""

REACH = 1e5
"""Radius within which every region of the whole space must have a point; see above."""


@dataclass(frozen=True)
class Ball:
    """The largest ball in a cell.

    Attributes
    ----------
    centre : (d,)
    radius : a verified lower bound; not positive if the cell is empty
    doubtful : whether the optimum may be within `DOUBT` of zero
    """

    centre: Floats
    radius: float
    doubtful: bool = False


class BallSolver:
    """Solves the inscribed-ball program in `dim` dimensions, in the unit cube or in all of R^dim.

    A cell that has all sides of the cell asked about before, and more, adds these to its program; any other begins anew. (One
    model in which rows are suspended takes fewer pivots and more time: HiGHS has to repair the basis of each.)
    """

    def __init__(self, dim: int, *, whole: bool = False) -> None:
        self.dim, self.whole = dim, whole
        self.cube = HalfSpaces.none(dim) if whole else HalfSpaces.cube(np.zeros(dim), np.ones(dim))
        free = np.full(dim, np.inf)
        self.program = LinearProgram(np.append(-free, -np.inf), np.append(free, 1.0))
        self._cost = np.append(np.zeros(dim), 1.0)

    def largest(self, sides: HalfSpaces, counters: Counters) -> Ball:
        """The largest ball in a cell.

        Parameters
        ----------
        sides : half-spaces with normals of length 1, beside those of the cube
        counters : programs and pivots are added to these

        Raises
        ------
        EngineError
            If HiGHS ends with another status than optimal, or no attempt brings the two bounds together.
        """
        everything = HalfSpaces.joined(self.cube, sides)
        self._pose(everything)
        low, high, statuses = -np.inf, np.inf, []
        for found in self.program.answers(self._cost):
            statuses.append(found.status)
            counters.lps += 1
            counters.pivots += found.pivots
            y = found.point[: self.dim]
            low, high = float(everything.slack(y).min(initial=1.0)), self._upper_bound(found.multipliers)
            if low > RADIUS or high <= RADIUS:
                break
        else:
            if not high - low < DOUBT:
                raise EngineError(
                    f"HiGHS ({', '.join(statuses)}) bounds the largest ball of a cell only by {low:.3g} and {high:.3g}"
                )
        return Ball(y, low, low <= DOUBT and high >= -DOUBT)

    def _pose(self, everything: HalfSpaces) -> None:
        """Make the program that of a cell."""
        posed, n = self.program.rows, len(self.program.rows)
        if not (
            0 < n <= len(everything)
            and np.array_equal(posed.level, everything.level[:n])
            and np.array_equal(posed.normal[:, :-1], everything.normal[:n])
        ):
            self.program.begin_anew()
            n = 0
        more = everything.take(slice(n, None))
        # a.y + t <= b
        self.program.add(HalfSpaces.of(np.column_stack([more.normal, np.ones(len(more))]), more.level))

    def _upper_bound(self, weights: Floats) -> float:
        """Upper bound of the radius by weak duality from weights >= 0 of the program's rows; infinite if all are 0."""
        total = float(weights.sum())
        if not total > 0:
            return np.inf
        rows = self.program.rows
        # sum_i l_i (b_i - a_i.y) over the rows a_i.y <= b_i, as a function of y
        slope, constant = -weights @ rows.normal[:, :-1], float(weights @ rows.level)
        most = REACH * np.abs(slope) if self.whole else np.maximum(slope, 0.0)
        return float((constant + most.sum()) / total)
