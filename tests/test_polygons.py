"""The polygons of regions: they are the regions, classes are cut exactly, outputs are those of the network."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import assume, given

import regionenum as rn
from regionenum.analysis.picture import picture
from regionenum.analysis.polygons import Polygons, class_polygons, output_values, region_polygons
from regionenum.analysis.pullback import ROUNDING, Pullback
from regionenum.domain import Box, HalfSpaces
from regionenum.network.layers import Layer, Network
from regionenum.network.transform import with_decision
from regionenum.network.units import Units
from regionenum.results.schema import fixed_array
from tests.planes import BUDGET, enumerated, relu_network
from tests.strategies import cases


def contains(polygons, y):
    """(n_points, n) whether the point is in the closed polygon."""
    return np.stack([polygons.contain(np.broadcast_to(point, (len(polygons), len(point))), 1e-12) for point in y])


def dyadic_points(n, dim, seed=0):
    """Points of the cube on which dyadic networks are evaluated without rounding, seldom on a hyperplane."""
    return np.random.default_rng(seed).integers(1, 2**12, (n, dim)) / 2**12


@BUDGET
@given(cases(max_in=2))
def test_polygons_are_the_regions(case):
    network, box = case
    result, chart, pieces = enumerated(network, box)
    assume(result.count <= 500)
    polygons = region_polygons(network, chart, pieces)
    assert len(polygons) == result.count
    assert polygons.areas.min() > 0.0
    assert polygons.areas.sum() == pytest.approx(1.0, abs=1e-9)
    y = dyadic_points(100, chart.dim)
    inside = contains(polygons, y)
    number = {p.tobytes(): k for k, p in enumerate(pieces.astype(np.int64))}
    for point, pattern in enumerate(network.pattern(chart.to_input(y))):
        # a point on a hyperplane can have a pattern that no region has
        if pattern.tobytes() in number:
            assert inside[point, number[pattern.tobytes()]]
        else:
            assert inside[point].sum() > 1
    assert (inside.sum(axis=1) >= 1).all()


@pytest.mark.parametrize("sizes", [(2, 30, 30, 3), (1, 20, 20, 2), (2, 6, 1)])
def test_witnesses_lie_in_their_polygons(sizes):
    network, box = relu_network(0, *sizes), Box(-3, 5)
    result, chart, pieces = enumerated(network, box)
    polygons = region_polygons(network, chart, pieces)
    assert polygons.areas.sum() == pytest.approx(1.0, abs=1e-9)
    witnesses = (fixed_array(result.regions.column("witness")) + 3) / 8
    for k, y in enumerate(witnesses):
        assert contains(polygons.take(np.array([k])), y[None])[0].all()


@BUDGET
@given(cases(max_in=2, max_layers=2))
def test_classes_are_the_largest_outputs(case):
    network, box = case
    assume(network.n_out > 1)
    result, chart, pieces = enumerated(network, box)
    assume(result.count <= 300)
    polygons, label = class_polygons(network, chart, pieces)
    assert polygons.areas.sum() == pytest.approx(1.0, abs=1e-9)
    y = dyadic_points(60, chart.dim, seed=1)
    outputs = network.forward(chart.to_input(y))
    for point, inside in enumerate(contains(polygons, y)):
        found = {int(k) for k in label[inside]}
        largest = np.flatnonzero(outputs[point] == outputs[point].max())
        assert int(largest[0]) in found
        # on a boundary between classes both are there
        assert found <= set(largest.tolist())


def test_a_class_between_two_others_needs_no_corner():
    """Outputs -y, 0.1, y - 1 on the square, without units: the middle one is largest on a strip."""
    weight, bias = np.array([[-10.0, 0.0], [0.0, 0.0], [10.0, 0.0]]), np.array([4.0, 0.0, -6.0])
    network = Network((Layer("head", weight, bias, Units.identity(3)),), (2,))
    result, chart, pieces = enumerated(network, Box(0, 1))
    polygons, label = class_polygons(network, chart, pieces)
    assert (result.count, label.tolist()) == (1, [0, 1, 2])
    np.testing.assert_allclose(polygons.areas, [0.4, 0.2, 0.4])
    assert picture(result.findings, "class").legend == {0: "class 0: 40.0%", 1: "class 1: 20.0%", 2: "class 2: 40.0%"}


def test_of_equal_outputs_the_first_is_the_class():
    weight = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    network = Network((Layer("head", weight, np.zeros(3), Units.identity(3)),), (2,))
    polygons, label = class_polygons(network, *enumerated(network, Box(0, 1))[1:])
    assert label.tolist() == [0, 2]
    np.testing.assert_allclose(polygons.areas, [0.5, 0.5])


def test_a_decision_at_the_end_gives_the_same_classes():
    network, box = relu_network(4, 2, 8, 4), Box(-2, 2)
    decided = rn.enumerate_regions(with_decision(network), box, record="regions")
    split = picture(rn.enumerate_regions(network, box, record="regions").findings, "class")
    drawn = picture(decided.findings, "class")
    assert len(drawn.polygons) == decided.count == len(split.polygons)
    assert drawn.legend == split.legend
    areas = [np.bincount(p.value, weights=p.polygons.areas) for p in (drawn, split)]
    np.testing.assert_allclose(areas[0], areas[1], atol=1e-9)


def test_outputs_at_the_ends_of_intervals():
    network, box = relu_network(5, 1, 9, 5, 2), Box(-3, 3)
    _, chart, pieces = enumerated(network, box)
    intervals, outputs = output_values(network, chart, pieces)
    x = chart.to_input(intervals.corners.reshape(-1, 1))
    np.testing.assert_allclose(outputs.reshape(-1, 2), network.forward(x), atol=1e-9)
    ends = np.sort(intervals.corners[..., 0], axis=1)
    ends = ends[np.argsort(ends[:, 0])]
    np.testing.assert_allclose(ends[1:, 0], ends[:-1, 1], atol=1e-12)
    assert (ends[0, 0], ends[-1, 1]) == (0.0, 1.0)


def test_dense_and_sparse_weights_have_the_same_forms():
    network = relu_network(6, 2, 5, 5, 2)
    sparse = Network(tuple(Layer(a.name, sp.csr_array(a.weight), a.bias, a.units) for a in network.layers), (2,))
    _, chart, pieces = enumerated(network, Box(-1, 1))
    dense, other = Pullback(network, chart, pieces), Pullback(sparse, chart, pieces)
    for a, b in zip(dense, other, strict=True):
        np.testing.assert_allclose(a.forms, b.forms, atol=1e-14)
        np.testing.assert_allclose(a.error, b.error)
    assert dense.outputs.shape == (2, 3, len(pieces))
    np.testing.assert_allclose(dense.outputs, other.outputs, atol=1e-14)


def test_clipping_one_square():
    _, chart, _ = enumerated(relu_network(0, 2, 2, 2), Box(-1, 1))
    for form, area, corners in (
        ([1.0, 0.0, -0.25], 0.75, 4),
        ([1.0, 1.0, -1.5], 0.125, 3),
        ([-1.0, -1.0, 1.5], 0.875, 5),
        ([1.0, -1.0, 0.0], 0.5, 3),
        ([0.0, 0.0, -1e-17], 1.0, 4),
        ([1.0, 0.0, -2.0], 0.0, 0),
        ([1.0, 0.0, 0.0], 1.0, 4),
    ):
        one = Polygons.domain(chart, 3)
        one.clip(HalfSpaces.positive(np.array([form] * 3), np.full(3, ROUNDING)))
        np.testing.assert_allclose(one.areas, area)
        assert one.size.tolist() == [corners] * 3
