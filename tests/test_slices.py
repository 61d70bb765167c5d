"""Slices, against composed networks, other domains and HiGHS."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from regionenum.domain import Box, Polytope, Slice, WholeSpace
from regionenum.engine.interface import Problem, Record
from regionenum.network.layers import Network
from tests.domains import BUDGET, MOST, assert_engines_agree, count, random_relu
from tests.exploring import ENGINES, explore, same_statistics
from tests.oracles import fractions, pivots
from tests.strategies import cases


@pytest.mark.parametrize(("n", "k"), [(3, 1), (3, 2), (5, 2), (5, 3), (4, 4)])
def test_a_slice_is_the_composed_network_over_a_polytope(n, k):
    """Dyadic numbers, so that the composition is exact; the polytope is written down by hand."""
    rng = np.random.default_rng([n, k])
    network = random_relu(n + k, n, 7, 6)
    network = Network(
        tuple(replace(x, weight=np.round(x.weight * 16) / 16, bias=np.round(x.bias * 16) / 16) for x in network.layers),
        (n,),
    )
    origin, directions = rng.integers(-8, 9, n) / 16, rng.integers(-8, 9, (k, n)) / 8
    first = network.layers[0]
    composed = replace(
        first, weight=np.ascontiguousarray(first.weight @ directions.T), bias=first.weight @ origin + first.bias
    )
    small = Network((composed, *network.layers[1:]), (k,))
    A, b = np.vstack([directions.T, -directions.T]), np.concatenate([1.5 - origin, 1.5 + origin])
    found = explore(
        ENGINES["compiled"](), Problem.over(network, Slice(origin, directions, within=Box(-1.5, 1.5))), Record.TREE
    )
    expected = explore(ENGINES["compiled"](), Problem.over(small, Polytope(A, b)), Record.TREE)
    assert found.regions > 4
    for depth in range(2):
        assert found.layer(depth) == expected.layer(depth)
    assert same_statistics(found.statistics, expected.statistics)
    whole = explore(ENGINES["compiled"](), Problem.over(network, Slice(origin, directions)), Record.REGIONS)
    assert whole.layer(1) == explore(ENGINES["compiled"](), Problem.over(small, WholeSpace()), Record.REGIONS).layer(1)
    assert found.layer(1).keys() <= whole.layer(1).keys()


@BUDGET
@given(case=cases(max_units=5), seed=st.integers(0, 2**32 - 1), bounded=st.booleans())
def test_slices_agree_with_the_reference(case, seed, bounded):
    network, box = case
    rng = np.random.default_rng(seed)
    lower, upper = box.bounds(network.input_shape)
    k = int(rng.integers(1, network.n_in + 1))
    directions = rng.integers(-2, 3, (k, network.n_in)) * (lower < upper) / 2.0
    assume(len(pivots([fractions(row) for row in directions])) == k)
    origin = (lower + upper) / 2 + (upper - lower) * rng.integers(-1, 2, network.n_in) / 4
    assert_engines_agree(network, Slice(origin, directions, within=box if bounded else None), MOST)


def test_the_slice_along_all_axes_is_the_box():
    network = random_relu(2, 3, 6, 5)
    box = Box([-1.0, -2.0, 0.0], [2.0, 1.0, 1.5])
    by_slice = explore(
        ENGINES["compiled"](), Problem.over(network, Slice([0.5, 0.0, 0.25], 3 * np.eye(3), within=box)), Record.REGIONS
    )
    by_box = explore(ENGINES["compiled"](), Problem.over(network, box), Record.REGIONS)
    assert by_slice.layer(1) == by_box.layer(1)


def test_a_slice_in_a_side_of_the_box_is_a_domain():
    """Images are 0 in most corners, and 0 is the lower bound."""
    network = random_relu(4, 3, 6, 5)
    domain = Slice([0.5, 0.5, 0.0], np.eye(3)[:2], within=Box(0.0, 1.0))
    expected = Box([0.0, 0.0, 0.0], [1.0, 1.0, 0.0])
    assert count(network, domain) == count(network, expected) == count(network, domain, "highs")


def test_a_slice_through_points():
    rng = np.random.default_rng(0)
    points = rng.uniform(size=(3, 2, 4))
    domain = Slice.through(points, within=Box(0, 1))
    s = np.array([[0, 0], [1, 0], [0, 1]])
    found = np.asarray(domain.origin).ravel() + s @ np.asarray(domain.directions)
    np.testing.assert_allclose(found, points.reshape(3, 8), rtol=1e-15)
    chart = domain.chart((2, 4))
    assert chart.dim == 2
    lower, width = chart.bounds
    inside = chart.half_spaces.level - ((s - lower) / width) @ chart.half_spaces.normal.T
    assert (inside > -1e-12).all()


@pytest.mark.parametrize("n", [784, 20_000, 100_000])
def test_slices_of_large_inputs_have_few_sides(n):
    """Corners of the slice, found by rays, are exactly those of the box's sides: nothing is lost, nothing idle is kept."""
    rng = np.random.default_rng(n)
    origin, directions = rng.uniform(0.2, 0.8, n), rng.normal(size=(2, n))
    chart = Slice(origin, directions, within=Box(0.0, 1.0)).chart((n,))
    sides = chart.half_spaces
    assert 3 <= len(sides) <= 40
    y = rng.uniform(size=(200, 2))
    x = chart.to_input(y)
    by_box, by_sides = ((x > 0) & (x < 1)).all(axis=1), (y @ sides.normal.T < sides.level).all(axis=1)
    assert np.array_equal(by_box, by_sides)
    assert 0 < by_box.sum() < 200


@pytest.mark.parametrize("k", [2, 3, 5])
def test_slices_between_images_lose_no_side(k):
    """Most pixels are exactly 0 or 1 in some image, so that many sides of the box meet in the corners of the slice."""
    rng = np.random.default_rng(k)
    images = np.round(rng.uniform(size=(k + 1, 784)) * 4) / 4 * (rng.random((k + 1, 784)) < 0.4)
    domain = Slice.through(images, within=Box(0.0, 1.0))
    chart = domain.chart((784,))
    lower, width = chart.bounds
    # points around the simplex of the images, inside and outside
    s = (
        rng.dirichlet(np.ones(k + 1), 2000)[:, 1:] * rng.uniform(0.8, 1.2, (2000, 1))
        + rng.normal(size=(2000, k)) * 0.02
    )
    x = images[0] + s @ (images[1:] - images[0])
    moving = (images != images[0]).any(axis=0)
    by_box = ((x > 0) & (x < 1))[:, moving].all(axis=1)
    y = (s - lower) / width
    by_sides = (y @ chart.half_spaces.normal.T < chart.half_spaces.level).all(axis=1) & ((y > 0) & (y < 1)).all(axis=1)
    assert np.array_equal(by_box, by_sides)
    assert 100 < by_box.sum() < 1900
