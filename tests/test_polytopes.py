"""Polytopes and balls, against closed forms, exact oracles and HiGHS."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from regionenum.domain import Box, Polytope, l1_ball, linf_ball
from regionenum.engine.interface import Problem, Record
from regionenum.network.layers import Layer, Network
from regionenum.network.units import RELU, Units
from tests.domains import BUDGET, EVERY_ENGINE, MOST, assert_engines_agree, count, random_relu
from tests.exploring import ENGINES, assert_witnesses, explore, same_statistics
from tests.oracles import Row, exact_cells, fractions
from tests.problems import relu_network
from tests.strategies import cases


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
