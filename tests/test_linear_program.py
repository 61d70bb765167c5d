"""The one wrapper around HiGHS: series of questions to one model, and nothing believed that is not proved."""

from __future__ import annotations

import dataclasses

import highspy
import numpy as np
import pytest
from scipy.optimize import linprog

from regionenum.domain.half_spaces import HalfSpaces
from regionenum.domain.linear_program import Answer, LinearProgram, UnboundedError
from regionenum.errors import EngineError

FREE = np.full(2, np.inf)


def triangle() -> LinearProgram:
    """x >= 0, y >= 0 by bounds, x + y <= 1 by a row."""
    program = LinearProgram(np.zeros(2), FREE)
    program.add(HalfSpaces.of(np.array([[1.0, 1.0]]), np.array([1.0])))
    return program


def random_polytope(seed: int, d: int, n: int) -> HalfSpaces:
    """Half-spaces around 0."""
    rng = np.random.default_rng(seed)
    return HalfSpaces.of(rng.normal(size=(n, d)), rng.uniform(0.1, 1.0, n)).normalised()


def by_scipy(cost: np.ndarray, rows: HalfSpaces, lower: float, upper: float) -> float:
    found = linprog(-cost, A_ub=rows.normal, b_ub=rows.level, bounds=[(lower, upper)] * len(cost), method="highs-ipm")
    return float(-found.fun)


def test_a_corner_and_its_proof() -> None:
    found = triangle().maximise(np.array([1.0, 2.0]))
    np.testing.assert_allclose(found.point, [0.0, 1.0], atol=1e-12)
    assert found.bound == pytest.approx(2.0, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_rows_that_are_added_and_costs_that_change(seed: int) -> None:
    """One model, asked again and again, against a fresh program by another method for each question."""
    d, rows = 4, random_polytope(seed, 4, 30)
    program = LinearProgram(np.full(d, -2.0), np.full(d, 2.0))
    costs = np.random.default_rng(seed + 100).normal(size=(30, d))
    for k in range(30):
        program.add(rows.take(slice(k, k + 1)))
        value = by_scipy(costs[k], rows.take(slice(0, k + 1)), -2.0, 2.0)
        found = program.maximise(costs[k])
        assert costs[k] @ found.point == pytest.approx(value, abs=1e-6)
        assert value - 1e-6 <= found.bound <= value + 1e-6
    program.begin_anew()
    assert len(program.rows) == 0
    assert program.maximise(costs[0]).bound == pytest.approx(2.0 * np.abs(costs[0]).sum())


def test_any_multipliers_give_an_upper_bound() -> None:
    rows, rng = random_polytope(3, 3, 12), np.random.default_rng(3)
    program = LinearProgram(np.full(3, -1.0), np.full(3, 1.5))
    program.add(rows)
    for _ in range(50):
        cost, multipliers = rng.normal(size=3), rng.exponential(size=12) * rng.integers(0, 2, 12)
        assert program.upper_bound(cost, multipliers) >= by_scipy(cost, rows, -1.0, 1.5) - 1e-9


def test_without_bounds_the_multipliers_must_meet_the_cost() -> None:
    program = LinearProgram(-FREE, FREE)
    program.add(HalfSpaces.of(np.eye(2), np.ones(2)))
    assert program.upper_bound(np.array([1.0, 2.0]), np.array([1.0, 2.0])) == 3.0
    assert program.upper_bound(np.array([1.0, 2.0]), np.array([1.0, 1.9])) == np.inf


def test_what_is_unbounded_is_told_from_what_is_not() -> None:
    program = triangle()
    program.add(HalfSpaces.of(np.array([[-1.0, 0.0]]), np.array([0.0])))
    assert program.maximise(np.array([1.0, 0.0])).bound == pytest.approx(1.0)
    program = LinearProgram(-FREE, FREE)
    program.add(HalfSpaces.of(np.array([[1.0, 0.0], [-1.0, 0.0]]), np.ones(2)))
    assert program.maximise(np.array([1.0, 0.0])).bound == pytest.approx(1.0)
    with pytest.raises(UnboundedError):
        program.maximise(np.array([1.0, 1e-3]))


def test_rows_that_contradict_each_other_are_an_error() -> None:
    program = triangle()
    program.add(HalfSpaces.of(np.array([[-1.0, -1.0]]), np.array([-2.0])))
    with pytest.raises(EngineError, match="status"):
        program.maximise(np.array([1.0, 0.0]))


def test_a_status_without_a_ray_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    program = triangle()
    monkeypatch.setattr(program._highs, "getModelStatus", lambda: highspy.HighsModelStatus.kUnbounded, raising=False)
    with pytest.raises(EngineError, match="status"):
        program.maximise(np.array([1.0, 2.0]))


@pytest.mark.parametrize(
    ("point", "multipliers"),
    [([0.0, 1.1], [2.0]), ([0.0, -0.1], [2.0]), ([1.0, 0.0], [2.0]), ([0.0, 1.0], [0.0])],
    ids=["beyond a row", "beyond a bound", "not the farthest", "nothing proved"],
)
def test_answers_that_prove_nothing_are_asked_again_and_refused(
    monkeypatch: pytest.MonkeyPatch, point: list[float], multipliers: list[float]
) -> None:
    """A lie in the first attempt is mended by the second, from cold; a lie in both is an error."""
    honest, lies = LinearProgram._solve, 1

    def sometimes(self: LinearProgram, options: dict[str, int]) -> Answer:
        asked.append(options)
        answer = honest(self, options)
        return answer if len(asked) > lies else Answer(np.array(point), np.array(multipliers), answer.status, 0)

    monkeypatch.setattr(LinearProgram, "_solve", sometimes)
    asked: list[dict[str, int]] = []
    assert triangle().maximise(np.array([1.0, 2.0])).bound == pytest.approx(2.0)
    assert len(asked) == 2
    assert asked[0] != asked[1]
    asked.clear()
    lies = 2
    with pytest.raises(EngineError, match="bounds a linear program only by"):
        triangle().maximise(np.array([1.0, 2.0]))


def test_a_status_that_is_no_answer_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A warm start can fail where one from cold does not."""
    honest, asked = LinearProgram._solve, list[dict[str, int]]()

    def fail_first(self: LinearProgram, options: dict[str, int]) -> Answer:
        asked.append(options)
        answer = honest(self, options)
        return answer if len(asked) > 1 else dataclasses.replace(answer, optimal=False, status="Infeasible")

    monkeypatch.setattr(LinearProgram, "_solve", fail_first)
    assert triangle().maximise(np.array([1.0, 2.0])).bound == pytest.approx(2.0)
    assert len(asked) == 2
