"""Points among regions: against the forward pass, against rational arithmetic on boundaries, and who shares a region."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from fractions import Fraction

import numpy as np
import pytest

import regionenum as rn
from regionenum.analysis.occupancy import Occupancy
from regionenum.network.layers import Layer, Network
from regionenum.network.units import Units
from regionenum.result import Result
from tests import oracles, strategies
from tests.hard_networks import case_of
from tests.line import relu_chain
from tests.planes import relu_network
from tests.problems import _pool_network, windows
from tests.region_cells import RegionCell, region_cell, space_of


def enumerated(network: Network, domain: rn.Domain) -> Result:
    return rn.enumerate_regions(network, domain, record="regions")


def cells_of(result: Result, rows: Iterable[int]) -> list[RegionCell]:
    """Regions in rational arithmetic."""
    network, recorded = result.network, result._geometry.recorded
    space = space_of(result.domain, network.n_in)
    return [region_cell(network, space, recorded.pieces(slice(i, i + 1))[0].tolist()) for i in rows]


def holds(cell: RegionCell, point: list[Fraction]) -> bool:
    """Whether the closure of a region contains a point of the domain's coordinates s."""
    return all(oracles.value(tuple(map(Fraction, form)), point) >= 0 for form in cell.forms)


def test_a_hundred_thousand_points_are_where_the_forward_pass_says() -> None:
    result = enumerated(relu_network(0, 4, 12, 12, 3), rn.Box(-1, 1))
    x = np.random.default_rng(1).uniform(-1, 1, (100_000, 4))
    region = result.locate(x)
    assert region.dtype == np.int64
    assert region.min() >= 0
    assert np.array_equal(result._geometry.recorded.pieces(region), result.network.pattern(x))


def test_witnesses_are_in_their_regions() -> None:
    for family in ("scales", "far_boxes", "rounded", "slices", "bias_free", "maxima", "zoom"):
        result = enumerated(*case_of(family, 1))
        witness = result._geometry.recorded.witness
        rows = np.flatnonzero(~np.isnan(witness).any(axis=1))
        assert result.locate(witness[rows]).tolist() == rows.tolist()


@pytest.mark.parametrize("seed", range(12))
def test_points_on_boundaries_go_to_the_smallest_pattern_around_them(seed: int) -> None:
    rng = np.random.default_rng([9, seed])
    n_in = 1 + seed % 3
    network = strategies._network(rng, n_in, rng.integers(2, 5, rng.integers(1, 4)).tolist())
    box = strategies._box(rng, n_in)
    result = enumerated(network, box)
    lower, upper = box.bounds((n_in,))
    free = np.flatnonzero(lower < upper)
    grid = itertools.product(*(np.arange(a, b + 0.25, 0.5) for a, b in zip(lower, upper, strict=True)))
    points = np.array(list(grid))[:40]
    found = result.locate(points)
    cells = cells_of(result, range(result.count))
    recorded = result._geometry.recorded
    pieces = recorded.pieces(slice(None)).tolist()
    for x, region in zip(points, found.tolist(), strict=True):
        around = [i for i, cell in enumerate(cells) if holds(cell, [Fraction(v) for v in x[free]])]
        assert region == min(around, key=lambda i: pieces[i])


def test_points_within_rounding_of_a_boundary_are_decided_exactly() -> None:
    """Around x + 3 y = 0.7, where float64 often does not know the side."""
    network = relu_chain((np.array([[1.0, 3.0]]), np.array([-0.7])), (np.eye(1), np.zeros(1)))
    result = enumerated(network, rn.Box(0, 1))
    x = np.random.default_rng(0).uniform(0, 0.6, 200)
    points = np.stack([x, (0.7 - x) / 3], axis=1)
    exactly = [Fraction(a) + 3 * Fraction(b) - Fraction(0.7) for a, b in points]
    found = [int(result.region(i).pattern[0]) for i in result.locate(points)]
    assert found == [int(value > 0) for value in exactly]
    assert found != network.pattern(points)[:, 0].tolist()


def test_rounding_in_deep_networks_never_decides() -> None:
    """Beside vertices of the arrangement, against evaluation in rationals."""
    result = enumerated(relu_network(3, 2, 6, 6, 2), rn.Box(-1, 1))
    problem = result.findings.subject.problem
    vertices = np.concatenate([result.region(i).vertices for i in range(0, result.count, 3)])
    near = vertices[np.abs(vertices).max(axis=1) < 1.0]
    assert len(near) > 20
    found = result.locate(near)
    recorded = result._geometry.recorded
    differs = 0
    for x, region in zip(near, found.tolist(), strict=True):
        # a box [-1, 1]: y = (x + 1) / 2
        point = [(Fraction(v) + 1) / 2 for v in x]
        rows: list[oracles.Row] = [(oracles.value(row, point),) for row in oracles.chart_rows(problem.chart)]
        pattern: tuple[int, ...] = ()
        for layer in problem.network.unit_layers:
            z = oracles.preactivations(layer, rows)
            pieces = oracles._pieces_at(layer, [v for (v,) in z])
            pattern += pieces
            rows = [(v,) for (v,) in oracles.outputs(layer, z, pieces)]
        assert tuple(recorded.pieces(slice(region, region + 1))[0].tolist()) == pattern
        differs += tuple(problem.network.pattern(x)[0].tolist()) != pattern
    assert differs > 0, "the points are meant to be where float64 goes wrong"


@pytest.mark.parametrize("relu", ["before", "after", ""])
def test_nothing_inside_is_unlocated_where_whole_windows_are_at_0(relu: str) -> None:
    network, box = _pool_network(windows((2, 3), (1, 2), (1, 1)), (2, 3), relu)
    result = enumerated(network, box)
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(-1, 1, (2000, 6)), rng.integers(-2, 3, (300, 6)) / 2.0])
    region = result.locate(x.reshape(-1, 2, 3))
    assert region.min() >= 0
    for point, cell in zip(x[-40:], cells_of(result, region[-40:].tolist()), strict=True):
        assert holds(cell, [Fraction(v) for v in point])


def test_the_descent_agrees_with_the_look_up_inside_regions() -> None:
    result = enumerated(relu_network(5, 3, 8, 8, 2), rn.Box(-1, 1))
    locator = result._geometry.locator
    x = np.random.default_rng(2).uniform(-1, 1, (50, 3))
    points = [locator.recorded.nearest.point(point) for point in x]
    found = [locator.among_closures(point) for point in points if point is not None]
    assert found == result.locate(x).tolist()


def test_outside_of_a_box_is_outside_and_its_sides_are_inside() -> None:
    result = enumerated(relu_network(6, 2, 5, 2), rn.Box([-1.0, 0.1], [1.0, 0.7]))
    inside = [[-1.0, 0.1], [1.0, 0.7], [0.0, 0.7]]
    outside = [[1.5, 0.5], [0.0, np.nextafter(0.7, 1.0)], [np.nextafter(-1.0, -2.0), 0.5]]
    assert result.locate(inside).min() >= 0
    assert result.locate(outside).tolist() == [-1] * 3


def test_a_fixed_input_must_have_its_value() -> None:
    result = enumerated(relu_network(7, 3, 5, 2), rn.Box([-1.0, 0.25, -1.0], [1.0, 0.25, 1.0]))
    assert result.locate([[0.0, 0.25, 0.0]])[0] >= 0
    assert result.locate([[0.0, 0.250001, 0.0]]).tolist() == [-1]


def test_inequalities_of_a_polytope_are_decided_exactly() -> None:
    """x + y <= 0.3: the point (0.1, 0.2) is beyond by less than float64 sees of such sums."""
    polytope = rn.Polytope([[1.0, 1.0]], [0.3], within=rn.Box(0, 1))
    result = enumerated(relu_network(8, 2, 5, 2), polytope)
    for x in ([0.1, 0.2], [0.1, np.nextafter(0.2, 0.0)], [0.15, 0.15], [0.0, 0.3], [0.2, 0.2], [-0.1, 0.2]):
        inside = min(x) >= 0 and Fraction(x[0]) + Fraction(x[1]) <= Fraction(0.3)
        assert bool(result.locate([x])[0] >= 0) is inside


def test_inputs_of_a_slice_stand_for_its_nearest_points() -> None:
    rng = np.random.default_rng(4)
    origin, directions = rng.normal(size=5) / 10, rng.normal(size=(2, 5))
    result = enumerated(relu_network(9, 5, 8, 8, 2), rn.Slice(origin, directions, within=rn.Box(-1, 1)))
    s = rng.uniform(-0.2, 0.2, (500, 2))
    x = origin + s @ directions
    region = result.locate(x)
    assert region.min() >= 0
    assert np.array_equal(result._geometry.recorded.pieces(region), result.network.pattern(x))
    assert result.locate(x + 1e-6).tolist() == [-1] * 500
    assert result.locate(origin + 100.0 * s @ directions).min() == -1


def test_all_of_the_whole_space_is_inside() -> None:
    """Also what the first layer does not see: it reads one number of three inputs."""
    network = relu_chain(
        (np.array([[1.0, 2.0, -1.0], [2.0, 4.0, -2.0]]), np.array([0.5, -1.0])), (np.eye(2), np.zeros(2))
    )
    result = enumerated(network, rn.WholeSpace())
    x = np.random.default_rng(5).normal(size=(1000, 3)) * 1e6
    region = result.locate(x)
    assert region.min() >= 0
    assert np.array_equal(result._geometry.recorded.pieces(region), network.pattern(x))


def test_one_input_and_other_shapes_and_types() -> None:
    result = enumerated(relu_network(10, 2, 5, 2), rn.Box(-1, 1))
    assert result.locate([0.5, 0.5]).shape == (1,)
    assert result.locate(np.zeros((0, 2))).shape == (0,)
    assert result.locate(np.ones((3, 2), np.float32)).shape == (3,)
    assert result.locate(np.ones((3, 2), np.int8)).shape == (3,)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([[0.0, np.nan]], "point 0 has the value nan at input 1; give finite numbers"),
        ([[0.0, 0.0], [np.inf, 0.0]], "point 1 has the value inf at input 0"),
        ([[0.0, 0.0, 0.0]], r"input has shape \(1, 3\), but the network takes \(2,\)"),
        ([["a", "b"]], "points have dtype"),
        ([[1j, 0.0]], "points have dtype complex128; give real numbers"),
    ],
)
def test_what_is_no_point_is_refused(points: list, message: str) -> None:
    result = enumerated(relu_network(11, 2, 5, 2), rn.Box(-1, 1))
    with pytest.raises(rn.InputError, match=message):
        result.locate(points)


def test_regions_must_have_been_recorded() -> None:
    with pytest.raises(rn.InputError, match="regions were not recorded"):
        rn.enumerate_regions(relu_network(12, 2, 5, 2), rn.Box(-1, 1)).locate([[0.0, 0.0]])


def test_an_incomplete_result_does_not_know_where_the_rest_is() -> None:
    result = enumerated(relu_network(13, 2, 8, 8, 2), rn.Box(-1, 1))
    locator = result._geometry.locator
    some = locator.recorded
    part = type(some)(some.problem, False, some.packed[::2], some.ranks[::2], some.witness[::2])
    found = type(locator)(part)(some.witness)
    assert found[::2].tolist() == list(range(len(part)))
    assert (found[1::2] == -1).all()


def test_a_network_without_units_has_one_region() -> None:
    network = Network((Layer("head", np.ones((1, 2)), np.zeros(1), Units.identity(1)),), (2,))
    assert enumerated(network, rn.Box(-1, 1)).locate([[0.0, 0.5], [2.0, 0.0]]).tolist() == [0, -1]


def test_occupancy_counts_points_and_says_who_shares() -> None:
    found = Occupancy(np.array([3, 1, 3, -1, 0, 3, 1]), 5)
    assert found.counts.tolist() == [1, 2, 0, 3, 0]
    assert (found.occupied, found.outside) == (3, 1)
    assert found.empty.tolist() == [2, 4]
    assert [points.tolist() for points in found.sharing()] == [[1, 6], [0, 2, 5]]
    assert found.table().to_pylist() == [
        {"region": 3, "points": 3},
        {"region": 1, "points": 2},
        {"region": 0, "points": 1},
    ]


def test_occupancy_of_a_result() -> None:
    result = enumerated(relu_network(14, 2, 8, 8, 2), rn.Box(-1, 1))
    x = np.random.default_rng(6).uniform(-1.2, 1.2, (3000, 2))
    found = result.occupancy(x)
    outside = int((np.abs(x).max(axis=1) > 1).sum())
    assert found.outside == outside > 0
    assert found.counts.sum() == 3000 - outside
    assert sum(len(points) for points in found.sharing()) == 3000 - outside - int((found.counts == 1).sum())
    assert Occupancy(np.array([-1, -1]), 2).sharing() == []
