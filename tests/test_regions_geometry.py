"""Regions as polyhedra and maps: facets, vertices and volumes against rational arithmetic, and shapes that are known."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

import regionenum as rn
from regionenum.domain import Domain
from regionenum.network.layers import Layer, Network
from regionenum.network.units import RELU, Units
from regionenum.result import Result
from tests import strategies
from tests.hard_networks import FAMILIES, case_of
from tests.line import relu_chain
from tests.planes import relu_network
from tests.problems import relu_network as arrangement_network
from tests.region_cells import closure, facets, integer, open_in, region_cell, space_of, volume


def enumerated(network: Network, domain: Domain, **settings: object) -> Result:
    return rn.enumerate_regions(network, domain, record="regions", **settings)  # type: ignore[arg-type]


def check(network: Network, domain: Domain, most: int) -> int:
    """Compare regions of a network with rational arithmetic; their number, or 0 where coordinates are others."""
    result = rn.enumerate_regions(network, domain, record="regions", max_regions=2000)
    chart = result.findings.subject.problem.chart
    if chart.whole and chart.dim < network.n_in:
        return 0
    space = space_of(domain, network.n_in)
    chosen = range(0, result.count, max(1, result.count // most))
    for i in chosen:
        region = result.region(i)
        cell = region_cell(network, space, region.pattern.tolist())
        rows = region._conditions[0]
        assert {tuple(map(int, rows[k])) for k in region.facets} == set(facets(cell))
        cone = closure(cell, space.dim + 1)
        bounded = not cone.lines and all(point[-1] for point, _ in cone.rays)
        assert region.bounded is bounded
        assert len(region.vertices) == (0 if cone.lines else sum(point[-1] > 0 for point, _ in cone.rays))
        assert len(region.rays) == 2 * len(cone.lines) + sum(point[-1] == 0 for point, _ in cone.rays)
        if bounded:
            assert region.exact_volume() == volume(cell, space.dim)
        else:
            assert region.volume == math.inf
    return len(chosen)


@pytest.mark.parametrize("seed", range(8))
def test_degenerate_networks_have_the_facets_and_volumes_of_the_oracle(seed: int) -> None:
    rng = np.random.default_rng([11, seed])
    n_in = 1 + seed % 4
    network = strategies._network(rng, n_in, rng.integers(2, 6, rng.integers(1, 4)).tolist())
    assert check(network, strategies._box(rng, n_in), 8) > 0


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_hard_networks_have_the_facets_and_volumes_of_the_oracle(family: str) -> None:
    assert sum(check(*case_of(family, seed), 4) for seed in range(2)) > 0


def test_volumes_add_up_to_the_domain_exactly() -> None:
    network = relu_network(0, 3, 5, 5, 2)
    lower, upper = [-0.3, -1.0, 0.1], [0.7, 0.1, 0.4]
    result = enumerated(network, rn.Box(lower, upper))
    total = sum((result.region(i).exact_volume() for i in range(result.count)), Fraction(0))
    assert result.count > 10
    assert total == math.prod(Fraction(b) - Fraction(a) for a, b in zip(lower, upper, strict=True))


@pytest.mark.parametrize(
    ("sizes", "domain", "expected"),
    [
        ((1, 9, 9, 2), rn.Box(-1, 3), 4.0),
        ((2, 9, 9, 2), rn.Box([-1, 0], [1, 0.5]), 1.0),
        ((3, 7, 7, 2), rn.Box([-1, 0, -2], [1, 0.5, 1]), 3.0),
        ((3, 7, 7, 2), rn.Box([-1, 0.5, -2], [1, 0.5, 1]), 6.0),
        ((4, 6, 6, 2), rn.Box(-1, 1), 16.0),
        ((5, 6, 4, 2), rn.Box(-1, 1), 32.0),
        ((6, 4, 2), rn.Box(-1, 1), 64.0),
        ((3, 6, 6, 2), rn.Polytope([[1.0, 1.0, 1.0]], [1.0], within=rn.Box(0, 1)), 1 / 6),
        ((4, 7, 7, 2), rn.Slice([0.0] * 4, [[2, 0, 0, 0], [0, 1, 1, 0]], within=rn.Box(-1, 1)), 2 * 2 * math.sqrt(2)),
    ],
)
def test_volumes_of_all_regions_add_up(sizes: tuple[int, ...], domain: Domain, expected: float) -> None:
    result = enumerated(relu_network(1, *sizes), domain)
    found = result.volumes()
    assert result.count > 5
    assert found.sum() == pytest.approx(expected, rel=1e-12)
    for i in range(0, result.count, 1 + result.count // 15):
        assert found[i] == pytest.approx(result.region(i).volume, rel=1e-8)


def test_what_qhull_refuses_is_computed_exactly() -> None:
    """A slab thinner than Qhull sees between two parallel planes."""
    weight, thin = np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]), 2.0**-40
    network = Network((Layer("relu", weight, np.array([0.0, -thin]), Units.pointwise(RELU, 2)),), (3,))
    result = enumerated(network, rn.Box(-1, 1))
    found = result.volumes()
    exact = [float(result.region(i).exact_volume()) for i in range(3)]
    assert found == pytest.approx(exact, rel=1e-6)
    # a hexagon of side sqrt 2 times the distance of the planes
    assert min(found) == pytest.approx(3 * math.sqrt(3) * thin / math.sqrt(3), rel=1e-6)


def test_volumes_by_dimension() -> None:
    """One ReLU of x: half of the box has dimension 0 after it."""
    network = Network((Layer("relu", np.eye(1), np.zeros(1), Units.pointwise(RELU, 1)),), (1,))
    table = enumerated(network, rn.Box(-1, 3)).volume_by_dimension("relu")
    assert table.to_pylist() == [
        {"dimension": 0, "regions": 1, "volume": 1.0, "share": 0.25},
        {"dimension": 1, "regions": 1, "volume": 3.0, "share": 0.75},
    ]


def test_maps_and_inequalities_are_those_of_the_network() -> None:
    rng = np.random.default_rng(2)
    for domain in (rn.Box(-1, 1), rn.Slice(rng.normal(size=4) / 9, rng.normal(size=(2, 4)), within=rn.Box(-1, 1))):
        result = enumerated(relu_network(2, 4, 7, 7, 3), domain)
        A, b = result.maps()
        some = result.maps([2, 0])
        assert A.shape == (result.count, 3, 4)
        assert np.array_equal(some[0], A[[2, 0]])
        assert np.array_equal(some[1], b[[2, 0]])
        for i in range(0, result.count, 7):
            region = result.region(i)
            assert np.array_equal(region.A, A[i])
            assert np.array_equal(region.b, b[i])
            assert region.A @ region.witness + region.b == pytest.approx(result.network.forward(region.witness)[0])
            G, h = region.inequalities
            assert (G @ region.witness < h).all()
            assert len(region.sources) == len(h)
            # each facet, and nothing else, is met by the vertices on it
            room = h - region.vertices @ G.T
            assert room.min() > -1e-9
            assert set(np.flatnonzero((np.abs(room) < 1e-9).sum(axis=0) >= result.findings.subject.problem.dim)) == set(
                region.facets.tolist()
            )


def test_the_pieces_of_a_line_come_from_their_units() -> None:
    network = Network((Layer("relu", np.array([[1.0], [2.0]]), np.array([0.0, -1.0]), Units.pointwise(RELU, 2)),), (1,))
    result = enumerated(network, rn.Box(-1, 1))
    region = result.region(int(result.locate([[0.25]])[0]))
    assert region.sources == [(-1, 0, 0), (-1, 1, 0), (0, 0, 0), (0, 1, 0)]
    G, h = region.inequalities
    assert G.tolist() == [[-1.0], [1.0], [-1.0], [2.0]]
    assert h.tolist() == [1.0, 1.0, 0.0, 1.0]
    assert region.facets.tolist() == [2, 3]
    assert sorted(region.vertices.ravel()) == [0.0, 0.5]
    assert region.volume == 0.5
    assert region.inradius == pytest.approx(0.25)


def test_a_facet_of_two_units_is_there_once() -> None:
    network = Network((Layer("relu", np.array([[1.0], [-3.0]]), np.zeros(2), Units.pointwise(RELU, 2)),), (1,))
    result = enumerated(network, rn.Box(-1, 1))
    assert result.count == 2
    assert [result.region(i).facets.tolist() for i in result.locate([[-0.5], [0.5]])] == [[0, 2], [1, 2]]


@pytest.mark.parametrize(("dim", "n"), [(2, 7), (3, 6), (4, 6)])
def test_bounded_regions_of_a_generic_arrangement(dim: int, n: int) -> None:
    """C(n - 1, d) of them (Zaslavsky 1975)."""
    rng = np.random.default_rng(dim)
    rows = np.column_stack([rng.integers(-50, 51, (n, dim)), rng.integers(-50, 51, n)])
    network, _ = arrangement_network(rows, rn.Box(-1, 1))
    result = enumerated(network, rn.WholeSpace())
    assert sum(result.region(i).bounded for i in range(result.count)) == math.comb(n - 1, dim)
    assert np.isfinite(result.volumes()).sum() == math.comb(n - 1, dim)


def test_boundedness_is_measured_where_the_network_sees() -> None:
    """Two thresholds of x + y: the strip between them is bounded in the one coordinate that is seen."""
    network = relu_chain((np.array([[1.0, 1.0], [1.0, 1.0]]), np.array([0.0, -1.0])), (np.eye(2), np.zeros(2)))
    result = enumerated(network, rn.WholeSpace())
    assert [result.region(int(i)).bounded for i in result.locate([[-1.0, 0.0], [0.25, 0.25], [3.0, 3.0]])] == [
        False,
        True,
        False,
    ]


def test_orthants_in_eight_dimensions_have_sixteen_facets() -> None:
    """By linear programs: there are too many vertices to list."""
    network = Network((Layer("relu", np.eye(8), np.zeros(8), Units.pointwise(RELU, 8)),), (8,))
    result = enumerated(network, rn.Box(-1, 1))
    region = result.region(77)
    assert len(region.facets) == 16
    assert len(region.sources) == 24
    assert region.inradius == pytest.approx(0.5)
    for what in ("vertices", "volume", "rays"):
        with pytest.raises(rn.InputError, match="8 dimensions would be too many"):
            getattr(region, what)
    with pytest.raises(rn.InputError, match="the domain has 8 dimensions"):
        result.volumes()


def test_bounded_in_many_dimensions() -> None:
    """A simplex of eight half-spaces in seven dimensions, and the part beyond one of its sides."""
    weight = np.vstack([np.eye(7), -np.ones((1, 7))])
    network = Network((Layer("relu", weight, np.r_[np.zeros(7), 1.0], Units.pointwise(RELU, 8)),), (7,))
    result = enumerated(network, rn.WholeSpace())
    inside, outside = (result.region(int(i)) for i in result.locate(np.outer([0.1, 1.0], np.ones(7))))
    assert (inside.bounded, outside.bounded) == (True, False)
    assert len(inside.facets) == 8
    # of the simplex x >= 0, sum x <= 1
    assert inside.inradius == pytest.approx(1 / (7 + math.sqrt(7)))
    assert outside.inradius == math.inf


def test_an_inradius_is_measured_in_inputs() -> None:
    """A slice of directions that are neither orthogonal nor of length 1, through a square."""
    network = Network((Layer("relu", np.eye(2), np.full(2, 9.0), Units.pointwise(RELU, 2)),), (2,))
    result = enumerated(network, rn.Slice([0.0, 0.0], [[3.0, 0.0], [5.0, 0.25]], within=rn.Box(-1, 1)))
    region = result.region(0)
    assert region.inradius == pytest.approx(1.0)
    assert region.volume == pytest.approx(4.0)
    assert region.exact_volume() == Fraction(4) / Fraction(3, 4)


def test_unbounded_regions_have_vertices_and_rays() -> None:
    network = Network((Layer("relu", np.eye(2), np.array([-1.0, -2.0]), Units.pointwise(RELU, 2)),), (2,))
    result = enumerated(network, rn.WholeSpace())
    region = result.region(int(result.locate([[5.0, 5.0]])[0]))
    assert region.vertices.tolist() == [[1.0, 2.0]]
    assert sorted(region.rays.tolist()) == [[0.0, 1.0], [1.0, 0.0]]
    with pytest.raises(rn.InputError, match="is not bounded"):
        region.exact_volume()


def test_a_region_must_be_there() -> None:
    result = enumerated(relu_network(3, 2, 3, 2), rn.Box(-1, 1))
    for number in (-1, result.count, 1.5, True):
        with pytest.raises(rn.InputError, match="give the number of a recorded region"):
            result.region(number)  # type: ignore[arg-type]
    with pytest.raises(rn.InputError, match="rows: give numbers of recorded regions"):
        result.maps([result.count])


# Decision boundaries -----------------------------------------------------------------------------------------------------


def test_a_decision_boundary_of_three_lines() -> None:
    """max(x, -x, 1/2) on [-1, 1]: the choice changes at -1/2 and 1/2."""
    network = Network(
        (Layer("head", np.array([[1.0], [-1.0], [0.0]]), np.array([0.0, 0.0, 0.5]), Units.identity(3)),), (1,)
    )
    found = enumerated(network, rn.Box(-1, 1)).decision_boundary()
    assert (found.total, found.crossing) == (2, 2)
    assert sorted(map(sorted, found.classes.tolist())) == [[0, 2], [1, 2]]


def test_a_decision_boundary_between_regions() -> None:
    """Outputs 0 and relu(x): the choice changes at 0, where the regions meet, and in no region."""
    network = relu_chain((np.eye(1), np.zeros(1)), (np.array([[0.0], [1.0]]), np.zeros(2)))
    found = enumerated(network, rn.Box(-1, 1)).decision_boundary()
    assert (found.total, found.crossing) == (1, 0)
    assert found.region[0] != found.other[0]


@pytest.mark.parametrize("seed", range(6))
def test_decision_boundaries_cross_regions_as_the_oracle_says(seed: int) -> None:
    """Pairs of classes that are equal, and largest, on a part of dimension d - 1 of an open region."""
    rng = np.random.default_rng([13, seed])
    network = relu_network(seed, 1 + seed % 3, 5, 4, 4)
    head = Layer("head", rng.normal(size=(4, 4)), rng.normal(size=4) / 4, Units.identity(4))
    network = Network((*network.layers[:-1], head), network.input_shape)
    domain = rn.Box(-2, 2)
    result = enumerated(network, domain)
    space, expected = space_of(domain, network.n_in), set()
    for i in range(result.count):
        cell = region_cell(network, space, result.region(i).pattern.tolist())
        for j in range(4):
            for k in range(j):
                plane = integer([a - b for a, b in zip(cell.map[j], cell.map[k], strict=True)])
                rest = [
                    integer([a - b for a, b in zip(cell.map[j], cell.map[m], strict=True)])
                    for m in range(4)
                    if m not in (j, k)
                ]
                if any(plane[:-1]) and open_in(plane, [*cell.forms, *rest]):
                    expected.add((i, k, j))
    found = result.decision_boundary()
    inside = found.region == found.other
    rows = zip(found.region[inside].tolist(), np.sort(found.classes[inside], axis=1).tolist(), strict=True)
    assert {(i, *pair) for i, pair in rows} == expected
    assert found.crossing == len(expected)
    assert found.table().num_rows == found.total
    # a network that ends in the decision says the same
    decided = enumerated(rn.with_decision(network), domain).decision_boundary()
    assert decided.total == found.total


def test_what_has_no_decision_boundary_is_refused() -> None:
    one = enumerated(relu_network(4, 2, 3, 1), rn.Box(-1, 1))
    with pytest.raises(rn.InputError, match="a decision needs two outputs"):
        one.decision_boundary()
    part = enumerated(relu_network(4, 4, 20, 20, 3), rn.Box(-9, 9), max_regions=5)
    with pytest.raises(rn.InputError, match="the result is incomplete"):
        part.decision_boundary()
