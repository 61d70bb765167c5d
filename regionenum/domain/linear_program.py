"""Linear programs, by HiGHS: the one place that knows its calls, its options and its hazards.

A program is one model for as long as questions about it follow each other. Rows are added to it and never deleted: HiGHS
would throw the basis away. Presolve is off (it has called feasible programs infeasible), and so are threads (the parallel
simplex ignores a basis that it is given). A warm start can end in a slightly wrong optimum. So no status counts: how far a
point is outside, and what multipliers prove, is computed here from the rows, and what is not good enough is solved again
from cold, in another way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np

from regionenum.domain.half_spaces import HalfSpaces
from regionenum.errors import EngineError
from regionenum.network.units import Floats

TOLERANCE = 1e-10
"""Feasibility tolerance given to HiGHS, primal and dual; rows should have length 1."""

STRAY = 1e-9
"""A cost that multipliers miss by less than this, in a coordinate without bounds, is taken for met."""

TIGHT = 1e-8
"""Largest violation, and largest distance of an objective from its bound (relative to 1 + its size), of what is proved."""

_OPTIONS: dict[str, bool | int | float | str] = {
    "output_flag": False,
    "log_to_console": False,
    "presolve": "off",
    "solver": "simplex",
    "threads": 1,
    "parallel": "off",
    "primal_feasibility_tolerance": TOLERANCE,
    "dual_feasibility_tolerance": TOLERANCE,
}

_ATTEMPTS: tuple[dict[str, int], ...] = (
    {"simplex_strategy": 1, "simplex_scale_strategy": 1},
    {"simplex_strategy": 4, "simplex_scale_strategy": 0},
)
"""Dual simplex first, from the basis at hand; if its answer is not good enough, primal simplex, unscaled, from cold."""


class UnboundedError(Exception):
    """The objective has no maximum."""


@dataclass(frozen=True)
class Answer:
    """What the solver says; nothing of it is proved.

    Attributes
    ----------
    point : (k,)
    multipliers : (n_rows,) of the rows; not negative
    status : in HiGHS's words
    pivots : simplex pivots it took
    optimal, unbounded : what the status claims
    """

    point: Floats
    multipliers: Floats
    status: str
    pivots: int
    optimal: bool = True
    unbounded: bool = False


@dataclass(frozen=True)
class Optimum:
    """An answer that was checked.

    Attributes
    ----------
    point : (k,) feasible up to `TIGHT`
    bound : a proved upper bound of the objective over the program (`LinearProgram.upper_bound`), at most `TIGHT` above its
        value at the point, relative to 1 + its size
    """

    point: Floats
    bound: float


class LinearProgram:
    """Maximise cost . x subject to normal . x <= level for all rows and lower <= x <= upper.

    Parameters
    ----------
    lower, upper : (k,) bounds of the coordinates; may be infinite

    Attributes
    ----------
    rows : the rows so far, in the order in which they were added
    """

    def __init__(self, lower: Floats, upper: Floats) -> None:
        self._lower, self._upper = lower.astype(np.float64), upper.astype(np.float64)
        self._highs: Any = highspy.Highs()
        self._options: dict[str, bool | int | float | str] = {}
        self._set(_OPTIONS)
        self._cost = np.zeros(len(lower))
        self.rows = HalfSpaces.none(len(lower))
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget all rows, and the basis."""
        self._check(self._highs.clearModel(), "clearModel")
        k, none = len(self._lower), np.zeros(0, np.int32)
        self._check(
            self._highs.addCols(k, -self._cost, self._lower, self._upper, 0, np.zeros(k, np.int32), none, np.zeros(0)),
            "addCols",
        )
        self.rows = HalfSpaces.none(k)

    def add(self, rows: HalfSpaces) -> None:
        """Add rows behind those that are there."""
        n = len(rows)
        if not n:
            return
        nonzero = rows.normal != 0
        starts = np.zeros(n + 1, np.int32)
        np.cumsum(nonzero.sum(axis=1), out=starts[1:])
        at = np.nonzero(nonzero)[1].astype(np.int32)
        below = np.full(n, -highspy.kHighsInf)
        self._check(
            self._highs.addRows(n, below, rows.level, len(at), starts[:-1], at, rows.normal[nonzero]), "addRows"
        )
        self.rows = HalfSpaces.joined(self.rows, rows) if len(self.rows) else rows

    def confine(self, coordinate: int, lower: float, upper: float) -> None:
        """Give a coordinate other bounds."""
        self._lower[coordinate], self._upper[coordinate] = lower, upper
        self._check(self._highs.changeColBounds(coordinate, lower, upper), "changeColBounds")

    def maximise(self, cost: Floats) -> Optimum:
        """A point at which cost . x is largest, with multipliers that prove it up to rounding.

        Raises
        ------
        UnboundedError
            If there is no largest: a ray was found, and checked.
        EngineError
            If the rows contradict each other, or HiGHS finds no answer that can be proved.
        """
        for found in self.answers(cost):
            value, bound = float(cost @ found.point), self.upper_bound(cost, found.multipliers)
            excess = self.excess(found.point)
            if excess <= TIGHT and bound - value <= TIGHT * (1.0 + abs(value)):
                return Optimum(found.point, bound)
        raise EngineError(
            f"HiGHS ({found.status}) bounds a linear program only by {value:.9g} and {bound:.9g}, with a violation of "
            f"{excess:.3g}"
        )

    def answers(self, cost: Floats) -> Iterator[Answer]:
        """Answers to one question, each found in another way: ask on while none is good enough.

        Raises
        ------
        UnboundedError, EngineError
            As `maximise`, but for answers that are not proved.
        """
        if not np.array_equal(cost, self._cost):
            k, self._cost = len(cost), cost
            self._check(self._highs.changeColsCost(k, np.arange(k, dtype=np.int32), -cost), "changeColsCost")
        for attempt, options in enumerate(_ATTEMPTS):
            if attempt:
                self._check(self._highs.clearSolver(), "clearSolver")
            answer = self._solve(options)
            if answer.optimal:
                yield answer
            elif answer.unbounded and self._has_ray(cost):
                raise UnboundedError
        if not answer.optimal:
            raise EngineError(f"HiGHS ended with status {answer.status!r} on a program that is feasible and bounded")

    def upper_bound(self, cost: Floats, multipliers: Floats) -> float:
        """An upper bound of cost . x over the program, from any multipliers l >= 0 of the rows.

        cost . x <= l . level + sum_j max over x_j of (cost - l normal)_j x_j. In a coordinate that is not bounded on that
        side the multipliers must meet the cost up to `STRAY`, and the product of what is left is neglected; the bound is
        infinite if they do not.
        """
        left = cost - multipliers @ self.rows.normal
        end = np.where(left > 0, self._upper, self._lower)
        free = np.isinf(end)
        if free.any():
            if (np.abs(left[free]) > STRAY).any():
                return np.inf
            end[free] = 0.0
        return float(multipliers @ self.rows.level + left @ end)

    def excess(self, point: Floats) -> float:
        """The most by which a point violates a row or a bound; not positive if it is feasible."""
        rows = float(-self.rows.slack(point).min(initial=np.inf))
        return max(rows, float((self._lower - point).max()), float((point - self._upper).max()))

    def _solve(self, options: dict[str, int]) -> Answer:
        self._set(options)
        self._check(self._highs.run(), "run")
        status, solution = self._highs.getModelStatus(), self._highs.getSolution()
        return Answer(
            point=np.array(solution.col_value),
            # a minimisation of -cost: multipliers of upper bounds are not positive, but for noise
            multipliers=np.maximum(-np.array(solution.row_dual), 0.0),
            status=str(self._highs.modelStatusToString(status)),
            pivots=int(self._highs.getInfo().simplex_iteration_count),
            optimal=status == highspy.HighsModelStatus.kOptimal,
            unbounded=status in (highspy.HighsModelStatus.kUnbounded, highspy.HighsModelStatus.kUnboundedOrInfeasible),
        )

    def _has_ray(self, cost: Floats) -> bool:
        """Whether there is a direction along which one can go on for ever, and the objective grows."""
        rays = LinearProgram(
            np.where(np.isfinite(self._lower), 0.0, -1.0), np.where(np.isfinite(self._upper), 0.0, 1.0)
        )
        rays.add(HalfSpaces.of(self.rows.normal, np.zeros(len(self.rows))))
        return bool(cost @ rays.maximise(cost).point > STRAY)

    def _set(self, options: Mapping[str, bool | int | float | str]) -> None:
        for option, value in options.items():
            if self._options.get(option) != value:
                self._check(self._highs.setOptionValue(option, value), f"setOptionValue({option!r})")
                self._options[option] = value

    @staticmethod
    def _check(status: Any, call: str) -> None:
        if status == highspy.HighsStatus.kError:
            raise EngineError(f"HiGHS: {call} failed")
