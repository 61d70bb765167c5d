"""The largest ball in a cell, by HiGHS, with both sides of the answer checked.

The program: maximise t over y and t, subject to t <= 1, a_i.y + b_i >= t for the rows of the cell (|a_i| = 1) and
t <= y_j <= 1 - t for the cube. It is always feasible (t may be negative) and bounded, so every status but "optimal" is
an error. The point returned gives a lower bound of the optimum by evaluating the rows,
and the multipliers an upper bound by weak duality: for any l >= 0 over all rows,

    t sum(l) <= sum_i l_i (a_i.y + b_i) <= sum_i l_i b_i + sum_j max(0, sum_i l_i a_ij)    for y in the cube.

So neither a status nor a feasibility tolerance is ever trusted.

In the whole space there are no rows of a cube, and y is free. The upper bound then holds for |y_j| <= `REACH` instead of
the cube: the multipliers make sum_i l_i a_i vanish up to rounding, and what is left is multiplied by that number. A cell
farther out than this would be missed; nothing is homogenised here, so that both engines can disagree.
"""

from __future__ import annotations

from dataclasses import dataclass

import highspy
import numpy as np

from regionenum.engine.interface import Counters
from regionenum.errors import EngineError
from regionenum.network.units import Floats

RADIUS = 1e-9
"""A cell counts as non-empty when it holds a ball of a larger radius, in the coordinates of the unit cube."""

DOUBT = 1e-7
"""Optima below this in magnitude are counted as doubtful decisions."""

REACH = 1e5
"""Radius within which every region of the whole space must have a point; see above."""

_OPTIONS: dict[str, bool | int | float | str] = {
    "output_flag": False,
    "log_to_console": False,
    "presolve": "off",
    "solver": "simplex",
    "threads": 1,
    "parallel": "off",
    "primal_feasibility_tolerance": 1e-10,
    "dual_feasibility_tolerance": 1e-10,
}

_ATTEMPTS = (
    {"simplex_strategy": 1, "simplex_scale_strategy": 1},
    {"simplex_strategy": 4, "simplex_scale_strategy": 0},
)
"""Dual simplex first; if its answer does not verify, primal simplex on the unscaled program, from cold."""


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
    """Solves the inscribed-ball program in `dim` dimensions, in the unit cube or in all of R^dim, each time from cold."""

    def __init__(self, dim: int, *, whole: bool = False) -> None:
        self.dim, self.whole = dim, whole
        eye, ones = np.eye(dim), np.ones((dim, 1))
        # Rows (a, b) of the cube's sides y_j >= 0 and 1 - y_j >= 0.
        self.cube = np.vstack([np.hstack([eye, 0 * ones]), np.hstack([-eye, ones])])
        if whole:
            self.cube = np.zeros((0, dim + 1))
        self.highs = highspy.Highs()
        for option, value in _OPTIONS.items():
            self._set(option, value)

    def largest(self, rows: Floats, counters: Counters) -> Ball:
        """The largest ball in a cell.

        Parameters
        ----------
        rows : (n_rows, d + 1) inequalities a.y + b > 0 with |a| = 1
        counters : programs and pivots are added to these

        Raises
        ------
        EngineError
            If HiGHS ends with another status than optimal, or neither attempt brings the two bounds together.
        """
        everything = np.vstack([self.cube, rows])
        statuses = []
        for options in _ATTEMPTS:
            status, y, multipliers = self._solve(everything, options, counters)
            statuses.append(status)
            low = float((everything[:, :-1] @ y + everything[:, -1]).min(initial=1.0))
            high = self._upper_bound(everything, multipliers)
            if low > RADIUS or high <= RADIUS:
                break
        else:
            if not high - low < DOUBT:
                raise EngineError(
                    f"HiGHS ({', '.join(statuses)}) bounds the largest ball of a cell only by {low:.3g} and {high:.3g}"
                )
        return Ball(y, low, low <= DOUBT and high >= -DOUBT)

    def _solve(self, everything: Floats, options: dict[str, int], counters: Counters) -> tuple[str, Floats, Floats]:
        for option, value in options.items():
            self._set(option, value)
        self._check(self.highs.passModel(self._program(everything)), "passModel")
        self._check(self.highs.run(), "run")
        status = self.highs.getModelStatus()
        name = self.highs.modelStatusToString(status)
        if status != highspy.HighsModelStatus.kOptimal:
            raise EngineError(f"HiGHS ended with status {name!r} on a program that is feasible and bounded")
        counters.lps += 1
        counters.pivots += int(self.highs.getInfo().simplex_iteration_count)
        solution = self.highs.getSolution()
        return name, np.array(solution.col_value[: self.dim]), np.array(solution.row_dual)

    def _program(self, everything: Floats) -> highspy.HighsLp:
        """Minimise -t subject to a.y - t >= -b; y and t are otherwise free."""
        n_rows, d = len(everything), self.dim
        program = highspy.HighsLp()
        program.num_col_, program.num_row_ = d + 1, n_rows
        program.col_cost_ = np.append(np.zeros(d), -1.0)
        program.col_lower_ = np.full(d + 1, -highspy.kHighsInf)
        program.col_upper_ = np.append(np.full(d, highspy.kHighsInf), 1.0)
        program.row_lower_ = -everything[:, -1]
        program.row_upper_ = np.full(n_rows, highspy.kHighsInf)
        program.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        matrix = np.hstack([everything[:, :-1], -np.ones((n_rows, 1))])
        nonzero = matrix != 0
        program.a_matrix_.start_ = np.concatenate([[0], np.cumsum(nonzero.sum(axis=1))])
        program.a_matrix_.index_ = np.nonzero(nonzero)[1]
        program.a_matrix_.value_ = matrix[nonzero]
        return program

    def _upper_bound(self, everything: Floats, multipliers: Floats) -> float:
        """Upper bound of the radius by weak duality; infinite if no multiplier is positive.

        HiGHS gives the multipliers of a minimisation, so those of a row's lower bound are non-negative; others are noise.
        """
        weights = np.maximum(multipliers, 0.0)
        total = float(weights.sum())
        if not total > 0:
            return np.inf
        combined = weights @ everything
        slope = REACH * np.abs(combined[:-1]) if self.whole else np.maximum(combined[:-1], 0.0)
        return float((combined[-1] + slope.sum()) / total)

    def _set(self, option: str, value: bool | int | float | str) -> None:
        self._check(self.highs.setOptionValue(option, value), f"setOptionValue({option!r})")

    @staticmethod
    def _check(status: highspy.HighsStatus, call: str) -> None:
        if status == highspy.HighsStatus.kError:
            raise EngineError(f"HiGHS: {call} failed")
