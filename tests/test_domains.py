"""Domains beyond the box: the whole space, polytopes, slices and balls, against closed forms, exact oracles and HiGHS."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction
from math import comb

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from regionenum.domain import Box, Domain, Polytope, Slice, WholeSpace, l1_ball, linf_ball
from regionenum.engine.interface import Problem, Record
from regionenum.engine.reference import HighsEngine
from regionenum.network.independent import independent_columns
from regionenum.network.layers import Layer, Network
from regionenum.network.units import RELU, Units
from tests.exploring import ENGINES, Found, assert_witnesses, explore, same_statistics
from tests.line import chain, relu_chain
from tests.oracles import Row, exact_cells, fractions, pivots
from tests.problems import problems, relu_network
from tests.strategies import HARDTANH, cases

BUDGET = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
EVERY_ENGINE = pytest.mark.parametrize("engine", ENGINES)
MOST = 120
"""Regions that the reference engine can afford in a random test."""


def assert_engines_agree(network: Network, domain: Domain, most: int | None = None) -> Found:
    """Both engines find the same cells with the same ranks, and their witnesses are what they should be."""
    problem = Problem.over(network, domain)
    compiled = explore(ENGINES["compiled"](), problem, Record.TREE)
    if most is not None:
        assume(compiled.regions <= most)
    reference = explore(HighsEngine(), problem, Record.TREE)
    for depth in range(problem.depth):
        assert compiled.layer(depth) == reference.layer(depth)
    assert same_statistics(compiled.statistics, reference.statistics)
    assert_witnesses(problem, compiled)
    assert_witnesses(problem, reference)
    return compiled


def count(network: Network, domain: Domain, engine: str = "compiled") -> int:
    return explore(ENGINES[engine](), Problem.over(network, domain)).regions


def torch_mlp(n_in: int, widths: tuple[int, ...]) -> Network:
    """torch's default initialisation with seed 0, drawn in float32 as torch does by default, then taken as float64."""
    torch = pytest.importorskip("torch")
    from regionenum.network.load import load

    torch.manual_seed(0)
    layers, n = [], n_in
    for width in widths:
        layers += [torch.nn.Linear(n, width, dtype=torch.float32), torch.nn.ReLU()]
        n = width
    layers.append(torch.nn.Linear(n, 1, dtype=torch.float32))
    return load(torch.nn.Sequential(*layers).double().eval(), torch.zeros(1, n_in, dtype=torch.float64))


def random_relu(seed: int, *sizes: int) -> Network:
    """Gaussian weights and biases: generic."""
    rng = np.random.default_rng(seed)
    maps = [(rng.normal(size=(n_out, n_in)), rng.normal(size=n_out)) for n_in, n_out in itertools.pairwise(sizes)]
    return relu_chain(*maps, (np.eye(sizes[-1]), np.zeros(sizes[-1])))


# The whole space


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


# Rank-deficient first layers


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


@BUDGET
@given(st.integers(0, 2**32 - 1))
def test_independent_columns_are_a_basis(seed):
    rng = np.random.default_rng(seed)
    m, n, r = rng.integers(1, 7, 3)
    w = (rng.integers(-4, 5, (m, r)) @ rng.integers(-4, 5, (r, n))) / 8.0
    chosen = independent_columns(w)
    rank = len(pivots([fractions(row) for row in w]))
    assert len(chosen) == rank == len(pivots([fractions(row) for row in w[:, chosen]] or [[]]))
    assert np.array_equal(independent_columns(sp.csr_array(w)), chosen)
    d = rng.integers(-2, 3, (n, 3)) / 2.0
    assert len(independent_columns(w, sp.csr_array(d))) == len(pivots([fractions(row) for row in w @ d]))


def test_rank_is_exact_where_floating_point_is_not():
    """1 + 2^-52 is not 1; 2^-1000 is not 0; and 3 * 0.1 is not 0.3 when the weights are 0.1 and 0.3."""
    assert len(independent_columns(np.array([[1.0, 1.0], [1.0, 1.0 + 2.0**-52]]))) == 2
    assert len(independent_columns(np.array([[1.0, 1.0], [1.0, 1.0]]))) == 1
    assert len(independent_columns(np.array([[1.0, 0.0], [0.0, 2.0**-1000]]))) == 2
    assert len(independent_columns(np.array([[0.1, 0.3], [1.0, 3.0]]))) == 2
    assert len(independent_columns(np.zeros((2, 2)))) == 0


# Polytopes


def exact_constraints(domain: Polytope, problem: Problem) -> list[Row]:
    """b - A x > 0 as functions of y, in rational arithmetic from the polytope's own numbers."""
    assert domain.within is not None
    lower, upper = domain.within.bounds(problem.network.input_shape)
    free = np.flatnonzero(lower < upper)
    found = []
    for a, b in zip(np.asarray(domain.A), fractions(domain.b), strict=True):
        row, low = fractions(a), fractions(lower)
        width = fractions((upper - lower)[free])
        constant = b - sum((p * q for p, q in zip(row, low, strict=True)), Fraction(0))
        found.append((*(-row[i] * w for i, w in zip(free, width, strict=True)), constant))
    return found


@EVERY_ENGINE
@BUDGET
@given(case=cases(max_in=2, max_units=6), seed=st.integers(0, 2**32 - 1))
def test_polytopes_in_the_plane_are_exact(engine, case, seed):
    """Half-spaces with small integers around the middle of the box: through corners, parallel, redundant and all."""
    network, box = case
    rng = np.random.default_rng(seed)
    lower, upper = box.bounds(network.input_shape)
    n = int(rng.integers(1, 4))
    A = rng.integers(-2, 3, (n, network.n_in)).astype(float)
    b = A @ (lower + upper) / 2 + rng.integers(1, 5, n) / 2.0
    domain = Polytope(A, b, within=box)
    problem = Problem.over(network, domain)
    cells, statistics = exact_cells(problem, [row for row in exact_constraints(domain, problem) if any(row[:-1])])
    assume(len(cells[-1]) <= MOST)
    found = explore(ENGINES[engine](), problem, Record.TREE)
    starts = np.cumsum(problem.n_units)
    for depth, expected in enumerate(cells):
        assert {p[: starts[depth]]: r[depth] for p, r in found.layer(depth).items()} == expected
    assert same_statistics(found.statistics, statistics)
    assert_witnesses(problem, found)


@BUDGET
@given(case=cases(max_units=5), seed=st.integers(0, 2**32 - 1))
def test_polytopes_agree_with_the_reference(case, seed):
    network, box = case
    rng = np.random.default_rng(seed)
    lower, upper = box.bounds(network.input_shape)
    n = int(rng.integers(1, 5))
    A = rng.integers(-3, 4, (n, network.n_in)).astype(float)
    b = A @ (lower + upper) / 2 + rng.integers(1, 7, n) / 2.0
    assert_engines_agree(network, Polytope(A, b, within=box), MOST)


@BUDGET
@given(case=cases(max_units=5), seed=st.integers(0, 2**32 - 1))
def test_the_parts_of_a_split_box_have_the_regions_of_the_box(case, seed):
    """A region that the hyperplane cuts is in both parts, every other in one."""
    network, box = case
    rng = np.random.default_rng(seed)
    lower, upper = box.bounds(network.input_shape)
    a = rng.integers(-3, 4, network.n_in).astype(float)
    assume(np.any(a[lower < upper]))
    b = a @ (lower + upper) / 2
    depth = len(network.unit_layers) - 1
    whole, *parts = (
        explore(ENGINES["compiled"](), Problem.over(network, domain), Record.REGIONS).layer(depth)
        for domain in (box, Polytope([a], [b], within=box), Polytope([-a], [-b], within=box))
    )
    assert parts[0] | parts[1] == whole
    # a unit for the hyperplane, which is a layer's own cut: its regions are those of the two parts
    first = network.layers[0]
    if all(layer.units.functions == (RELU,) and len(layer.units.rows) == layer.n_rows for layer in network.unit_layers):
        weight = np.vstack([first.weight, a])
        marked = Layer("marked", weight, np.append(first.bias, -b), Units.pointwise(RELU, len(weight)))
        later = network.layers[1:]
        if later:
            later = (replace(later[0], weight=np.hstack([later[0].weight, np.zeros((later[0].n_rows, 1))])), *later[1:])
        assert count(Network((marked, *later), network.input_shape), box) == len(parts[0]) + len(parts[1])


@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_a_simplex_needs_no_box(d):
    """x >= 0 and sum x <= 1, cut by the d (d - 1) / 2 hyperplanes x_i = x_j: the d! orders."""
    A, b = np.vstack([-np.eye(d), np.ones((1, d))]), np.append(np.zeros(d), 1.0)
    pairs = list(itertools.combinations(range(d), 2))
    normals = np.array([np.eye(d)[i] - np.eye(d)[j] for i, j in pairs]).reshape(-1, d)
    network, _ = relu_network(
        np.column_stack([np.vstack([normals, np.ones((1, d))]), np.append(np.zeros(len(pairs)), 1.0)]), Box(0, 1)
    )
    expected = int(np.prod(np.arange(1, d + 1)))
    for scale in (1.0, 2.0**-30, 1e7):
        assert count(network, Polytope(A, b * scale)) == expected
    assert count(network, Polytope(A, b, within=Box(-3.0, 2.0)), "highs") == expected


@pytest.mark.parametrize("d", [2, 3, 6])
def test_the_coordinate_hyperplanes_cut_an_l1_ball_in_orthants(d):
    network, _ = relu_network(np.hstack([np.eye(d), np.zeros((d, 1))]), Box(-1, 1))
    assert count(network, l1_ball(np.zeros(d), 0.7)) == 2**d
    assert count(network, l1_ball(np.full(d, 0.1), 0.05)) == 1
    assert count(network, l1_ball(np.zeros(d), 0.7, within=Box(-1.0, 0.0))) == 1
    fixed = Box([0.25, *[-1.0] * (d - 1)], [0.25, *[1.0] * (d - 1)])
    # x_0 = 1/4 takes that much of the radius: x_1 = 1/3 is met with 0.6 and not with 0.5
    shifted, _ = relu_network(np.hstack([np.eye(d), np.full((d, 1), -1 / 3)]), Box(-1, 1))
    assert [count(shifted, l1_ball(np.zeros(d), r, within=fixed)) for r in (0.5, 0.6)] == [1, d]


def test_an_l1_ball_agrees_with_the_reference():
    network = random_relu(3, 3, 6, 5)
    assert assert_engines_agree(network, l1_ball([0.1, -0.2, 0.3], 1.5)).regions > 20
    assert count(network, l1_ball(np.zeros(3), 1.5)) <= count(network, linf_ball(np.zeros(3), 1.5))


def test_linf_balls_are_boxes():
    assert linf_ball(0.0, 0.5).describe_bounds() == Box(-0.5, 0.5).describe()
    box = linf_ball([[0.5, 1.0]], 0.25, within=Box(0.0, [1.0, 1.0]))
    assert box.describe_bounds() == {"kind": "box", "lower": [[0.25, 0.75]], "upper": [[0.75, 1.0]]}


def test_fixed_inputs_take_their_part_of_an_inequality():
    """x + y <= 1 with y fixed at 1/2 is x <= 1/2, and says nothing about z."""
    network, _ = relu_network(
        np.array([[1.0, 0.0, 0.0, -0.4], [1.0, 0.0, 0.0, -0.6], [0.0, 0.0, 1.0, -0.5]]), Box(0, 1)
    )
    box = Box([0.0, 0.5, 0.0], [1.0, 0.5, 1.0])
    for engine in ENGINES:
        assert count(network, Polytope([[1.0, 1.0, 0.0]], [1.0], within=box), engine) == 4
        assert count(network, Polytope([[1.0, 1.0, 0.0], [0.0, 2.0, 0.0]], [1.0, 1.0], within=box), engine) == 4


# Slices


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


# Units with two breakpoints, and maxima, over the whole space


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
    assert found.counters.doubtful <= found.counters.tests / 100


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
