"""The whole space, against closed forms, exact oracles and HiGHS."""

from __future__ import annotations

import itertools
from dataclasses import replace
from math import comb

import numpy as np
import pytest
from hypothesis import assume, given

from regionenum.domain import Box, Polytope, Slice, WholeSpace, linf_ball
from regionenum.engine.interface import Problem, Record
from regionenum.network.layers import Layer, Network
from regionenum.network.units import RELU, Units
from tests.domains import BUDGET, EVERY_ENGINE, MOST, assert_engines_agree, count, random_relu, torch_mlp
from tests.exploring import ENGINES, assert_witnesses, explore, same_statistics
from tests.line import chain, relu_chain
from tests.oracles import exact_cells, pivots
from tests.problems import problems, relu_network
from tests.strategies import HARDTANH, cases


@pytest.mark.parametrize(("n_in", "widths", "regions"), [(2, (20, 20), 897), (3, (12, 12), 2050), (4, (12, 12), 10501)])
def test_known_counts_of_the_whole_space(n_in, widths, regions):
    assert count(torch_mlp(n_in, widths), WholeSpace()) == regions


@EVERY_ENGINE
@pytest.mark.parametrize(("n", "d"), [(1, 1), (7, 1), (6, 2), (9, 2), (3, 3), (7, 3), (6, 4), (3, 6), (5, 5)])
def test_generic_arrangements(engine, n, d):
    """n generic hyperplanes cut R^d into sum_(i <= d) C(n, i) cells (Buck), whatever d and n are."""
    rng = np.random.default_rng([n, d])
    network, _ = relu_network(rng.normal(size=(n, d + 1)), Box(-1, 1))
    assert count(network, WholeSpace(), engine) == sum(comb(n, i) for i in range(d + 1))


@EVERY_ENGINE
@pytest.mark.parametrize(("n", "d"), [(1, 1), (4, 1), (1, 2), (7, 2), (5, 3), (7, 3), (6, 4), (3, 5)])
def test_central_arrangements(engine, n, d):
    """Without biases there are 2 sum_(i < d) C(n - 1, i) cones (Cover), in R^d as in any box around 0."""
    rng = np.random.default_rng([d, n])
    rows = np.column_stack([rng.integers(-50, 51, (n, d)), np.zeros(n)])
    network, _ = relu_network(rows, Box(-1, 1))
    if d == 1:
        # all hyperplanes are the one point 0
        assert count(network, WholeSpace(), engine) == 2
        return
    assert all(
        len(pivots(rows[list(chosen), :-1].tolist())) == min(n, d)
        for chosen in itertools.combinations(range(n), min(n, d))
    )
    expected = 2 * sum(comb(n - 1, i) for i in range(d))
    assert count(network, WholeSpace(), engine) == expected
    assert count(network, Box(-1, 1), engine) == expected


KNOWN = [
    problem
    for problem in problems()
    if problem.name.startswith("arrangement") and problem.regions <= 3000 and "generic_biased d=6" not in problem.name
]


@pytest.mark.parametrize("known", KNOWN, ids=lambda problem: problem.name)
def test_named_arrangements_have_the_same_regions_without_the_box(known):
    """Their boxes meet every region (`tests/arrangements.py`), so the count of the table is that of the whole space."""
    network, _ = known.build()
    assert count(network, WholeSpace()) == known.regions


@EVERY_ENGINE
@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
def test_tents(engine, depth):
    """The tent map, depth times: 2^depth linear pieces on [0, 1] (Telgarsky), and the two rays beside it.

    tent(x) = 2 relu(x) - 4 relu(x - 1/2) is 0 for x < 0 and negative for x > 1. So the iterates are constant on x < 0, one
    region; and on x > 1 the second layer's units are off and all later values 0, one region from the second layer on.
    """
    first = ([[1.0], [1.0]], [0.0, -0.5])
    later = ([[2.0, -4.0], [2.0, -4.0]], [0.0, -0.5])
    network = relu_chain(first, *[later] * (depth - 1), ([[2.0, -4.0]], [0.0]))
    # on x > 1 the first layer is as on 1/2 < x < 1
    rays = 1 if depth == 1 else 2
    assert count(network, WholeSpace(), engine) == 2**depth + rays
    assert count(network, Box(0.0, 1.0), engine) == 2**depth


@BUDGET
@given(cases(max_units=5))
def test_random_degenerate_networks_over_the_whole_space(case):
    """Bias-free networks, breakpoints on both sides, maxima, duplicated and dead units."""
    assert_engines_agree(case[0], WholeSpace(), MOST)


@EVERY_ENGINE
@BUDGET
@given(case=cases(max_in=2, max_units=6))
def test_the_whole_plane_is_exact(engine, case):
    network = case[0]
    problem = Problem.over(network, WholeSpace())
    cells, statistics = exact_cells(problem)
    assume(len(cells[-1]) <= MOST)
    found = explore(ENGINES[engine](), problem, Record.TREE)
    starts = np.cumsum(problem.n_units)
    for depth, expected in enumerate(cells):
        assert {p[: starts[depth]]: r[depth] for p, r in found.layer(depth).items()} == expected
    assert same_statistics(found.statistics, statistics)
    assert_witnesses(problem, found)


@pytest.mark.parametrize("sizes", [(2, 8, 8), (3, 6, 6), (4, 5, 5), (2, 4, 4, 4)])
def test_a_box_has_no_more_regions_than_the_whole_space(sizes):
    network = random_relu(sum(sizes), *sizes)
    whole = explore(ENGINES["compiled"](), Problem.over(network, WholeSpace()), Record.REGIONS)
    depth = len(sizes) - 2
    patterns = [
        set(explore(ENGINES["compiled"](), Problem.over(network, Box(-w, w)), Record.REGIONS).layer(depth))
        for w in (1.0, 30.0, 1e4)
    ]
    assert patterns[0] < patterns[1] <= patterns[2] == set(whole.layer(depth))


@pytest.mark.parametrize("scale", [2.0**-40, 1e-6, 1e9])
def test_the_unit_of_the_input_does_not_matter(scale):
    network = random_relu(5, 3, 6, 5)
    first = network.layers[0]
    scaled = Network((replace(first, weight=first.weight * scale), *network.layers[1:]), (3,))
    before, after = (
        explore(ENGINES["compiled"](), Problem.over(n, WholeSpace()), Record.REGIONS) for n in (network, scaled)
    )
    assert before.layer(1) == after.layer(1)


@pytest.mark.parametrize("n_in", [3, 40, 784])
def test_wide_inputs_are_reduced_to_the_row_space(n_in):
    """With r = 2 rows the regions are those of the network behind, over R^2."""
    rng = np.random.default_rng(n_in)
    tail = random_relu(1, 2, 6, 4)
    w, b = rng.normal(size=(2, n_in)), rng.normal(size=2)
    front = Layer("front", w, b, Units.pointwise(RELU, 2))
    wide = Network((front, *tail.layers), (n_in,))
    square = Network((replace(front, weight=np.eye(2)), *tail.layers), (2,))
    problem = Problem.over(wide, WholeSpace())
    assert problem.dim == 2
    found = explore(ENGINES["compiled"](), problem, Record.REGIONS)
    expected = explore(ENGINES["compiled"](), Problem.over(square, WholeSpace()), Record.REGIONS)
    assert found.layer(2) == expected.layer(2)
    assert same_statistics(found.statistics, expected.statistics)
    assert_witnesses(problem, found)


def test_rank_deficient_first_layers_agree_with_the_reference():
    rng = np.random.default_rng(8)
    for n_in, r in ((4, 2), (3, 1), (5, 3)):
        w = rng.integers(-3, 4, (6, r)) @ rng.integers(-3, 4, (r, n_in))
        network = relu_chain(
            (w, rng.integers(-3, 4, 6)), (rng.integers(-3, 4, (4, 6)), rng.integers(-3, 4, 4)), (np.eye(4), np.zeros(4))
        )
        assert Problem.over(network, WholeSpace()).dim == len(pivots(w.tolist()))
        assert_engines_agree(network, WholeSpace())


def test_a_network_that_ignores_its_input_is_one_region():
    network = relu_chain((np.zeros((3, 4)), [1.0, 0.0, -1.0]), (np.ones((1, 3)), [0.0]))
    problem = Problem.over(network, WholeSpace())
    assert problem.dim == 1
    assert assert_engines_agree(network, WholeSpace()).regions == 1


def test_a_network_without_units_over_every_domain():
    last = Layer("last", np.ones((1, 3)), np.zeros(1), Units.identity(1))
    for domain in (
        WholeSpace(),
        Polytope([[1.0, 1.0, 1.0]], [0.1], within=Box(0, 1)),
        Slice(np.zeros(3), np.eye(3)[:2]),
    ):
        for engine in ENGINES.values():
            found = explore(engine(), Problem.over(Network((last,), (3,)), domain), Record.REGIONS)
            assert found.regions == 1


@EVERY_ENGINE
@pytest.mark.parametrize(("n", "d"), [(4, 1), (5, 2), (4, 3)])
def test_units_with_two_breakpoints_are_pairs_of_parallel_hyperplanes(engine, n, d):
    """n generic directions with 2 parallel hyperplanes each: sum over i <= d of 2^i C(n, i) cells (Whitney's theorem).

    A set of i hyperplanes meets, for i <= d, if its directions differ, and then each such set counts once.
    """
    rng = np.random.default_rng([n, d])
    network = chain((rng.normal(size=(n, d)), rng.normal(size=n), Units.pointwise(HARDTANH, n)))
    assert count(network, WholeSpace(), engine) == sum(2**i * comb(n, i) for i in range(d + 1))


@EVERY_ENGINE
@pytest.mark.parametrize("d", [1, 2, 3])
def test_a_maximum_has_a_region_for_every_corner_of_its_hull(engine, d):
    """max_k a_k . x has a region for every a_k that is a corner of the hull of all; the a_k in the middle never win."""
    corners = np.vstack([np.eye(d), -np.eye(d)])
    inner = np.zeros((1, d))
    network = chain((np.vstack([corners, inner, corners / 2]), np.zeros(4 * d + 1), Units.maxima([range(4 * d + 1)])))
    assert count(network, WholeSpace(), engine) == 2 * d
    # raised by 1 the middle wins around 0, where |x|_inf < 1
    biased = chain((np.vstack([corners, inner]), np.append(np.zeros(2 * d), 1.0), Units.maxima([range(2 * d + 1)])))
    assert count(biased, WholeSpace(), engine) == 2 * d + 1
    assert count(biased, linf_ball(np.zeros(d), 0.5), engine) == 1


def test_few_decisions_are_doubtful_in_the_whole_space():
    """All hyperplanes of the homogenised problem meet in one point; that alone makes no decision doubtful."""
    found = explore(ENGINES["compiled"](), Problem.over(random_relu(0, 3, 10, 8), WholeSpace()))
    assert found.counters.resolved <= found.counters.tests / 100
    assert not found.counters.doubtful
