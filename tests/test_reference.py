"""The parts of the reference engine: the ball program with its two bounds, and the numerical rank."""

from __future__ import annotations

import highspy
import numpy as np
import pytest

from regionenum.domain.half_spaces import HalfSpaces
from regionenum.domain.linear_program import Answer, LinearProgram
from regionenum.engine.ball import RADIUS, BallSolver
from regionenum.engine.interface import Counters
from regionenum.engine.reference import numerical_rank
from regionenum.errors import EngineError


def below(level: float) -> HalfSpaces:
    """y < level on the line."""
    return HalfSpaces.of(np.array([[1.0]]), np.array([level]))


def test_ball_of_a_known_triangle() -> None:
    """x + y < 1 in the unit square: the incircle has radius 1 - 1/sqrt(2)."""
    sides = HalfSpaces.of(np.array([[1.0, 1.0]]), np.array([1.0])).normalised()
    counters = Counters()
    found = BallSolver(2).largest(sides, counters)
    assert found.radius == pytest.approx(1 - np.sqrt(0.5), abs=1e-12)
    assert found.centre == pytest.approx([found.radius] * 2, abs=1e-12)
    assert not found.doubtful
    assert counters.lps == 1


@pytest.mark.parametrize(
    ("constant", "empty", "doubtful"), [(0.5, False, False), (0.0, True, True), (-0.5, True, False)]
)
def test_sides_of_a_slab(constant: float, empty: bool, doubtful: bool) -> None:
    """y < c in the unit interval: open, touching, and away from it."""
    found = BallSolver(1).largest(below(constant), Counters())
    assert (found.radius <= RADIUS) == empty
    assert found.doubtful == doubtful


def test_an_unknown_status_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    solver = BallSolver(1)
    monkeypatch.setattr(
        solver.program._highs, "getModelStatus", lambda: highspy.HighsModelStatus.kIterationLimit, raising=False
    )
    with pytest.raises(EngineError, match=r"[Ii]teration limit"):
        solver.largest(below(1.0), Counters())


def test_an_answer_that_does_not_verify_is_solved_again_and_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A point outside the cell, and no multipliers: neither bound says anything."""
    attempts = []

    def lie(self: LinearProgram, options: dict[str, int]) -> Answer:
        attempts.append(options)
        return Answer(np.array([2.0, 1.0]), np.zeros(len(self.rows)), "Optimal", 0)

    monkeypatch.setattr(LinearProgram, "_solve", lie)
    with pytest.raises(EngineError, match="only by"):
        BallSolver(1).largest(below(1.0), Counters())
    assert len(attempts) == 2
    assert attempts[0] != attempts[1]


def test_a_series_of_cells_has_the_balls_of_each_alone() -> None:
    """Cells that go on from each other, and cells that do not: what was asked before does not matter."""
    rng = np.random.default_rng(0)
    solver = BallSolver(3)
    rows = HalfSpaces.of(rng.normal(size=(12, 3)), rng.uniform(0.0, 1.5, 12)).normalised()
    for n in (2, 3, 7, 12, 5, 6, 1, 0):
        for part in (rows.take(slice(0, n)), rows.take(slice(12 - n, 12))):
            series, alone = solver.largest(part, Counters()), BallSolver(3).largest(part, Counters())
            assert series.radius == pytest.approx(alone.radius, abs=1e-9)
            assert (series.radius > RADIUS) == (alone.radius > RADIUS)


@pytest.mark.parametrize("scale", [1.0, 2.0**-60, 2.0**60])
def test_rank_of_rows_of_any_size(scale: float) -> None:
    matrix = np.array([[1.0, 2.0, 3.0], [scale, 0.0, scale], [0.0, 0.0, 0.0]])
    assert numerical_rank(matrix, np.zeros_like(matrix)) == (2, False)
    matrix[2] = matrix[0] * 3.0
    assert numerical_rank(matrix, 1e-16 * np.abs(matrix))[0] == 2


def test_a_rank_within_the_errors_is_doubtful() -> None:
    matrix = np.array([[1.0, 0.0], [1.0, 1e-13]])
    matrix_error = np.full_like(matrix, 1e-14)
    assert numerical_rank(matrix, np.zeros_like(matrix)) == (2, False)
    assert numerical_rank(matrix / 1.0, matrix_error)[1] is True
