"""Questions about many half-spaces: how far, how thick, and which of them matter."""

from __future__ import annotations

import numpy as np
import pytest

from regionenum.domain import redundant
from regionenum.domain.half_spaces import HalfSpaces
from regionenum.domain.linear_program import Optimum, UnboundedError
from regionenum.domain.polyhedron import AT_ONCE, Polyhedron
from regionenum.domain.polytope import roomy
from regionenum.domain.redundant import needed
from tests.test_linear_program import by_scipy, random_polytope


def test_half_spaces_and_their_opposites() -> None:
    rows = HalfSpaces(np.array([[3.0, 4.0], [0.0, -2.0]]), np.array([5.0, 1.0]), np.array([0.5, 0.0]))
    unit = rows.normalised()
    np.testing.assert_allclose(unit.normal, [[0.6, 0.8], [0.0, -1.0]])
    np.testing.assert_allclose((unit.level, unit.error), ([1.0, 0.5], [0.1, 0.0]))
    points = np.array([[0.0, 0.0], [2.0, 1.0]])
    np.testing.assert_allclose(rows.slack(points), [[5.0, 1.0], [-5.0, 3.0]])
    np.testing.assert_allclose(rows.opposite().slack(points), -rows.slack(points))
    np.testing.assert_allclose(HalfSpaces.positive(rows.forms).slack(points), rows.slack(points))
    cube = HalfSpaces.cube(np.zeros(2), np.array([1.0, 2.0]))
    np.testing.assert_allclose(cube.slack(np.array([0.25, 0.5])), [0.75, 1.5, 0.25, 0.5])
    assert len(HalfSpaces.joined(HalfSpaces.none(2), rows, cube)) == 6


@pytest.mark.parametrize("n", [30, 2 * AT_ONCE + 50])
def test_the_farthest_point_whatever_the_program_began_with(n: int) -> None:
    """Half-spaces that the program did not begin with are taken in when an answer violates them."""
    rows = random_polytope(n, 3, n)
    polyhedron = Polyhedron(rows, np.full(3, -9.0), np.full(3, 9.0), first=np.arange(1))
    for direction in np.random.default_rng(n).normal(size=(10, 3)):
        found = polyhedron.farthest(direction)
        value = by_scipy(direction, rows, -9.0, 9.0)
        assert direction @ found.point[:3] == pytest.approx(value, abs=1e-6)
        assert found.bound == pytest.approx(value, abs=1e-6)
        assert rows.slack(found.point[:3]).min() > -1e-8


def test_a_polyhedron_without_a_box_may_be_unbounded() -> None:
    rows = HalfSpaces.of(np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]), np.ones(3))
    polyhedron = Polyhedron(rows, first=np.arange(0))
    assert polyhedron.farthest(np.array([1.0, 1.0])).bound == pytest.approx(2.0)
    with pytest.raises(UnboundedError):
        polyhedron.farthest(np.array([0.0, -1.0]))


def test_balls_and_points_alternate() -> None:
    """The ball in the triangle x, y >= 0, x + y <= 1 has the radius 1 / (2 + sqrt 2)."""
    side = HalfSpaces.of(np.array([[1.0, 1.0]]), np.array([1.0])).normalised()
    polyhedron = Polyhedron(side, np.zeros(2), np.ones(2))
    for _ in range(2):
        centre, radius = polyhedron.largest_ball()
        assert radius == pytest.approx(1 / (2 + np.sqrt(2)))
        np.testing.assert_allclose(centre, radius)
        assert polyhedron.farthest(np.array([1.0, 0.0])).bound == pytest.approx(1.0)
    polyhedron.add(HalfSpaces.of(np.array([[1.0, 0.0]]), np.array([-0.25])))
    assert polyhedron.largest_ball()[1] < -0.1


@pytest.mark.parametrize("d", [2, 3, 6])
def test_what_is_left_out_is_implied_by_the_rest(d: int) -> None:
    rows = random_polytope(d, d, 60)
    lower, upper = np.full(d, -3.0), np.full(d, 3.0)
    kept = needed(rows, np.zeros(d), lower, upper)
    assert 0 < len(kept) < 60
    left = np.setdiff1d(np.arange(60), kept)
    for row in left:
        assert by_scipy(rows.normal[row], rows.take(kept), -3.0, 3.0) <= rows.level[row]


def test_what_is_not_proved_to_be_implied_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A point that is not far is no proof."""
    rows, d = random_polytope(6, 6, 60), 6
    lower, upper = np.full(d, -3.0), np.full(d, 3.0)
    proved = needed(rows, np.zeros(d), lower, upper)

    class Unsure(Polyhedron):
        def farthest(self, direction: np.ndarray) -> Optimum:
            return Optimum(super().farthest(direction).point, np.inf)

    monkeypatch.setattr(redundant, "Polyhedron", Unsure)
    assert len(needed(rows, np.zeros(d), lower, upper)) > len(proved)


def test_bounds_with_room_do_not_depend_on_the_last_digits() -> None:
    """Natural bounds like 0 and 1 are where rounding would otherwise decide."""
    for lower, upper in ((0.0, 1.0), (-1.0, 0.0), (0.25, 0.75), (0.0, 255.0)):
        ends = np.array([[lower], [upper]])
        expected = roomy(*ends)
        assert expected[0][0] < lower
        assert expected[1][0] > upper
        for noise in (1e-10, -1e-10, 1e-14):
            assert roomy(ends[0] + noise, ends[1] - noise) == expected
