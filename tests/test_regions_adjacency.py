"""Which regions share a facet, against rational arithmetic on every pair; connected linear regions of known networks."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

import regionenum as rn
from regionenum.analysis.adjacency import Neighbours, connected
from regionenum.analysis.recorded import Recorded
from regionenum.domain import Domain
from regionenum.exact import facet_keys
from regionenum.network.layers import Layer, Network
from regionenum.network.units import ABSOLUTE, RELU, PiecewiseLinear, Units
from tests import strategies
from tests.arrangements import arrangement
from tests.hard_networks import FAMILIES, case_of
from tests.planes import relu_network as gaussian_network
from tests.problems import DATA, _pool_network, problems, relu_network, windows
from tests.region_cells import adjacency, region_cell, space_of

MOST = 45
"""Regions of a network up to which all pairs are compared."""


def enumerated(network: Network, domain: Domain, **settings: object) -> Recorded:
    return Recorded.of(rn.enumerate_regions(network, domain, record="regions", **settings).findings)  # type: ignore[arg-type]


def check(network: Network, domain: Domain) -> bool:
    """Compare with the brute force, unless the regions are too many."""
    result = rn.enumerate_regions(network, domain, record="regions", max_regions=2000)
    chart = result.findings.subject.problem.chart
    if not result.complete or result.count > MOST or (chart.whole and chart.dim < network.n_in):
        return False
    recorded = Recorded.of(result.findings)
    found = Neighbours(recorded)()
    pairs = list(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)
    space = space_of(domain, network.n_in)
    cells = [region_cell(network, space, p) for p in recorded.pieces(slice(None)).tolist()]
    expected = adjacency(cells)
    assert set(pairs) == expected
    same = np.array([pair for pair in sorted(expected) if cells[pair[0]].map == cells[pair[1]].map]).reshape(-1, 2)
    graph = sp.csr_array((np.ones(len(same)), (same[:, 0], same[:, 1])), shape=(len(cells), len(cells)))
    assert np.array_equal(connected(recorded, found), connected_components(graph, directed=False)[1])
    return True


@pytest.mark.parametrize("seed", range(24))
def test_facets_of_degenerate_networks_are_those_of_the_brute_force(seed: int) -> None:
    rng = np.random.default_rng([7, seed])
    n_in = 1 + seed % 4
    sizes = rng.integers(2, 6, rng.integers(1, 4)).tolist()
    check(strategies._network(rng, n_in, sizes), strategies._box(rng, n_in))


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - {"gaussian"}))
def test_facets_in_families_of_hard_networks(family: str) -> None:
    assert sum(check(*case_of(family, seed)) for seed in range(3)) > 0


def test_facets_where_a_relu_is_pooled() -> None:
    """Whole windows at 0 are one region, and a unit that is 0 on one side of a facet may be anything on the other."""
    for relu in ("before", "after", ""):
        assert check(*_pool_network([[0, 1], [1, 2]], (3,), relu))


def test_regions_that_differ_in_one_unit_need_not_share_a_facet() -> None:
    """|x| > 1/2 on both sides of 0: the regions beyond 1/2 differ in the sign of x only."""
    first = Layer("abs", np.eye(1), np.zeros(1), Units.pointwise(ABSOLUTE, 1))
    second = Layer("relu", np.eye(1), np.array([-0.5]), Units.pointwise(RELU, 1))
    result = rn.enumerate_regions(Network((first, second), (1,)), rn.Box(-1, 1), record="regions")
    order = np.argsort([w[0] for w in result.regions.column("witness").to_pylist()])
    expected = {tuple(sorted(pair)) for pair in pairwise(order.tolist())}
    matrix = result.adjacency().tocoo()
    assert {(i, j) for i, j in zip(*matrix.coords, strict=True) if i < j} == expected
    assert result.connected_regions().max() + 1 == 3  # 0 between -1/2 and 1/2, twice a region


GOLDEN = json.loads((DATA / "golden_nets.json").read_text())


@pytest.mark.parametrize("net", GOLDEN, ids=lambda net: net["name"])
def test_connected_linear_regions_and_distinct_maps_of_golden_networks(net: dict) -> None:
    (problem,) = (p for p in problems() if p.name == f"golden {net['name']}")
    result = rn.enumerate_regions(*problem.build(), record="regions")
    assert result.count == net["R2_full_dim_activation_regions"]
    assert result.distinct_maps() == net["R6_distinct_affine_maps"]
    labels = result.connected_regions()
    assert len(set(labels.tolist())) == labels.max() + 1 == net["R4_open_connected"]


@pytest.mark.parametrize(("dim", "n"), [(2, 9), (3, 7), (4, 6)])
def test_a_generic_arrangement_has_at_most_2d_facets_for_a_region(dim: int, n: int) -> None:
    """On average, over the whole space (Fukuda, Saito, Tamura and Tokuyama 1991); a line of n points has 2 n ends."""
    rng = np.random.default_rng(dim)
    rows = np.column_stack([rng.integers(-50, 51, (n, dim)), rng.integers(-50, 51, n)])
    network, _ = relu_network(rows, rn.Box(-1, 1))
    result = rn.enumerate_regions(network, rn.WholeSpace(), record="regions")
    degrees = np.diff(result.adjacency().indptr)
    assert degrees.mean() <= 2 * dim
    # every facet of the whole space has two sides
    assert degrees.tolist() == [len(result.region(i).facets) for i in range(result.count)]


def test_facets_of_a_braid_arrangement() -> None:
    """Orders of four numbers: neighbours are those by a swap of two that follow each other, three for each."""
    rows = arrangement("braid", "n=4")
    network, box = relu_network(rows, rn.Box(-1, 1))
    result = rn.enumerate_regions(network, box, record="regions")
    assert result.count == 24
    assert np.diff(result.adjacency().indptr).tolist() == [3] * 24


def test_adjacency_is_symmetric_and_a_graph() -> None:
    result = rn.enumerate_regions(gaussian_network(1, 2, 8, 6, 2), rn.Box(-1, 1), record="regions")
    matrix = result.adjacency()
    assert matrix.shape == (result.count, result.count)
    assert (matrix != matrix.T).nnz == 0
    assert not matrix.diagonal().any()
    graph = result.graph()
    assert graph.number_of_nodes() == result.count
    assert 2 * graph.number_of_edges() == matrix.nnz > 0


def test_keys_in_parts_and_blocks_give_the_same_facets(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = enumerated(gaussian_network(2, 3, 8, 8, 2), rn.Box(-1, 1))
    whole = Neighbours(recorded)()
    monkeypatch.setattr("regionenum.analysis.recorded._BLOCK_NUMBERS", 3000)
    parts = Neighbours(recorded, most_keys=500)()
    assert parts.work.keys == whole.work.keys
    pairs = [set(zip(f.first.tolist(), f.second.tolist(), strict=True)) for f in (whole, parts)]
    assert pairs[0] == pairs[1]
    assert len(pairs[0]) == len(whole.first) == len(parts.first)


def test_words_in_common_by_chance_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys only bring pairs together; that the patterns agree is looked up."""
    recorded = enumerated(gaussian_network(3, 2, 6, 6, 2), rn.Box(-1, 1))
    expected = Neighbours(recorded)()
    keys = facet_keys.FacetKeys.keys

    def few(self: facet_keys.FacetKeys, *arguments: object) -> facet_keys.Keys:
        made = keys(self, *arguments)  # type: ignore[arg-type]
        return facet_keys.Keys(made.region, made.condition, made.key % np.uint64(5), made.plain)

    monkeypatch.setattr(facet_keys.FacetKeys, "keys", few)
    found = Neighbours(recorded)()
    assert found.work.pairs > expected.work.pairs
    assert len(found.first) == len(expected.first)
    assert set(zip(found.first, found.second, strict=True)) == set(zip(expected.first, expected.second, strict=True))


def test_exact_arithmetic_alone_finds_the_same_facets(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = enumerated(gaussian_network(4, 3, 6, 6, 2), rn.Box(-1, 1))
    expected = Neighbours(recorded)()
    assert expected.work.by_segment > 0
    monkeypatch.setattr(Neighbours, "_cross", lambda self, p, *_: np.zeros(len(p), np.bool_))
    found = Neighbours(recorded)()
    assert found.work.exactly > expected.work.exactly
    assert np.array_equal(found.matrix(len(recorded)).toarray(), expected.matrix(len(recorded)).toarray())


def test_regions_of_a_pooling_layer() -> None:
    """Two windows of a 2x2 image each: the winner changes, one at a time."""
    network, box = _pool_network(windows((2, 2), (1, 2), (1, 2)), (2, 2))
    result = rn.enumerate_regions(network, box, record="regions")
    assert np.diff(result.adjacency().indptr).tolist() == [2] * 4


def test_a_function_that_jumps_by_its_rounding_is_refused() -> None:
    """A hard sigmoid: 1/6 is no float64 number."""
    jump = PiecewiseLinear((-3.0, 3.0), (0.0, 1 / 6, 0.0), (0.0, 0.5, 1.0))
    network = Network((Layer("hard", np.eye(1), np.zeros(1), Units.pointwise(jump, 1)),), (1,))
    result = rn.enumerate_regions(network, rn.Box(-9, 9), record="regions")
    with pytest.raises(rn.InputError, match=r"`hard`: a unit jumps by .* at its breakpoint -3"):
        result.adjacency()


def test_facets_need_recorded_regions() -> None:
    result = rn.enumerate_regions(gaussian_network(5, 2, 3, 2), rn.Box(-1, 1))
    with pytest.raises(rn.InputError, match="regions were not recorded"):
        result.adjacency()


def test_an_incomplete_result_has_the_facets_between_what_was_found() -> None:
    network = gaussian_network(6, 2, 10, 10, 2)
    whole = rn.enumerate_regions(network, rn.Box(-1, 1), record="regions")
    some = Recorded.of(whole.findings)
    rows = np.arange(0, len(some), 2)
    part = Recorded(some.problem, False, some.packed[rows], some.ranks[rows], some.witness[rows])
    expected = whole.adjacency()[rows][:, rows].toarray()
    assert np.array_equal(Neighbours(part)().matrix(len(rows)).toarray(), expected)
