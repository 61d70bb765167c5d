"""Pooling before its activation, and decisions: the same function, with the regions it should have."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import regionenum as rn
from regionenum.domain import Box
from regionenum.engine.interface import Problem, Record
from regionenum.errors import InputError
from regionenum.network.filters import Filter
from regionenum.network.layers import Layer, Network
from regionenum.network.transform import relu_after_pooling, with_decision
from regionenum.network.units import IDENTITY, MAXIMUM, RELU, PiecewiseLinear, Units, leaky_relu
from tests.exploring import ENGINES, explore
from tests.problems import problems
from tests.strategies import HARDTANH, STAIRS, cases

POINTS = np.random.default_rng(0).standard_normal((500, 9)) * 3
RISING = (RELU, HARDTANH, leaky_relu(0.25), leaky_relu(0.0))


def pooled(units, groups, weight=None, bias=None, n_in=4):
    """Units on random rows, then maxima of their outputs by groups."""
    rng = np.random.default_rng(1)
    n = int(units.rows.max()) + 1
    first = Layer("act", rng.standard_normal((n, n_in)), rng.standard_normal(n), units)
    weight = np.eye(units.n_units) if weight is None else weight
    bias = np.zeros(weight.shape[0]) if bias is None else bias
    return Network((first, Layer("pool", weight, bias, Units.maxima(groups))), (n_in,))


def regions(network, box):
    return explore(ENGINES["compiled"](), Problem.over(network, box), Record.NONE).regions


def test_known_counts_of_relu_then_pool_become_those_of_pool_then_relu():
    """The counts of both orders, and of the distinct maps, come from tests/data."""
    known = {p.name: p for p in problems()}
    before = [p for p in known.values() if p.name.startswith("ReLU before")]
    found = 0
    for problem in before:
        other = known.get(problem.name.replace("before", "after"))
        if other is None or other.large:
            continue
        network, box = problem.build()
        result = rn.enumerate_regions(relu_after_pooling(network), box, record="regions")
        assert (result.count, result.distinct_maps()) == (other.regions, problem.distinct_maps), problem.name
        found += 1
    assert found >= 5


def test_two_by_two_windows_of_a_four_by_four_input():
    (problem,) = [p for p in problems() if p.name == "ReLU before max-pool (2, 2), (2, 2) on (4, 4)"]
    assert problem.regions == 1_185_921
    network, box = problem.build()
    result = rn.enumerate_regions(relu_after_pooling(network), box, record="regions")
    assert (result.count, result.distinct_maps()) == (4096, 625)
    assert [layer.name for layer in result.layers] == ["pool", "relu"]
    assert result.network.notes == ("`pool` is taken before `relu`: the same function, cut into other regions",)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_function_stays_the_same_bit_by_bit(seed):
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(2, 8)), int(rng.integers(1, 6))
    # units may read any row, outputs may be selected more than once, and each group has one function
    functions = (*RISING, HARDTANH)
    function_of = rng.integers(0, len(functions), n)
    units = Units(functions, function_of, np.arange(n + 1), rng.integers(0, n, n))
    sources = rng.integers(0, n, 2 * n)
    of_row = np.array([functions.index(functions[k]) for k in function_of[sources]])
    groups = []
    for _ in range(m):
        alike = np.flatnonzero(of_row == of_row[rng.integers(2 * n)])
        groups.append(rng.permutation(alike)[: rng.integers(1, 5)])
    weight = np.eye(n)[sources]
    network = pooled(units, groups, sp.csr_array(weight) if rng.random() < 0.5 else weight)
    x = POINTS[:, :4]
    changed = relu_after_pooling(network)
    assert [layer.name for layer in changed.layers] == (["pool", "act"] if len(changed.notes) else ["act", "pool"])
    np.testing.assert_array_equal(changed.forward(x), network.forward(x))


def test_rows_that_are_passed_on_beside_the_maxima():
    """A skip connection: two outputs are passed on by identities, one of them of another function."""
    units = Units((RELU, HARDTANH), np.array([0, 0, 1]), np.arange(4), np.arange(3))
    network = pooled(units, [[0]])
    groups = Units((IDENTITY,), np.array([MAXIMUM, 0, 0]), np.array([0, 2, 3, 4]), np.array([0, 1, 2, 0]))
    network = replace(network, layers=(network.layers[0], replace(network.layers[1], units=groups)))
    changed = relu_after_pooling(network)
    assert len(changed.notes) == 1
    np.testing.assert_array_equal(changed.forward(POINTS[:, :4]), network.forward(POINTS[:, :4]))


def test_pairs_after_one_another():
    """An activation passes two poolings, and a note says so for each."""
    network = pooled(Units.pointwise(RELU, 8), [[0, 1], [2, 3], [4, 5], [6, 7]])
    twice = Layer("pool2", np.eye(4), np.zeros(4), Units.maxima([[0, 1], [2, 3]]))
    head = Layer("head", np.ones((1, 2)), np.ones(1), Units.identity(1))
    network = replace(network, layers=(*network.layers, twice, head))
    changed = relu_after_pooling(network)
    assert [layer.name for layer in changed.layers] == ["pool", "pool2", "act", "head"]
    assert len(changed.notes) == 2
    np.testing.assert_array_equal(changed.forward(POINTS[:, :4]), network.forward(POINTS[:, :4]))


FALLING_STEP = PiecewiseLinear((0.1,), (1.0, 1.0), (0.0, -1e-17))


@pytest.mark.parametrize(
    "network",
    [
        pooled(Units.pointwise(leaky_relu(-0.5), 4), [[0, 1], [2, 3]]),
        pooled(Units.pointwise(STAIRS, 4), [[0, 1], [2, 3]]),
        pooled(Units.pointwise(FALLING_STEP, 4), [[0, 1], [2, 3]]),
        pooled(Units((RELU, HARDTANH), np.arange(2), np.arange(3), np.arange(2)), [[0, 1]]),
        pooled(Units.maxima([[0, 1], [2, 3]]), [[0, 1]]),
        pooled(Units.pointwise(RELU, 4), [[0, 1], [2, 3]], np.eye(4) * 2),
        pooled(Units.pointwise(RELU, 4), [[0, 1], [2, 3]], np.eye(4), np.array([0.0, 0.0, 0.0, 1.0])),
        pooled(Units.pointwise(RELU, 4), [[0, 1], [2, 3]], np.ones((4, 4))),
        pooled(Units.pointwise(RELU, 4), [[0, 1], [2, 3]], np.eye(4) * [1, 1, 1, 0]),
    ],
    ids=[
        "falls",
        "partly falls",
        "falls at a step",
        "two functions",
        "maxima",
        "scaled",
        "shifted",
        "sums",
        "zero row",
    ],
)
def test_other_pairs_are_left_as_they_are(network):
    assert relu_after_pooling(network) is network


@settings(max_examples=40, deadline=None)
@given(cases(max_in=2, max_layers=2, max_units=4))
def test_decisions_of_random_networks(case):
    network, box = case
    if network.n_out < 2:
        with pytest.raises(InputError, match=r"^the network has 1 output; a decision needs two outputs or more$"):
            with_decision(network)
        return
    decided = with_decision(network)
    assert decided.layers[-1].name == "argmax"
    assert len(decided.unit_layers) == len(network.unit_layers) + 1
    x = POINTS[:, : network.n_in]
    np.testing.assert_array_equal(decided.pattern(x)[:, -1], np.argmax(network.forward(x), axis=1))
    np.testing.assert_array_equal(decided.forward(x)[:, 0], network.forward(x).max(axis=1))
    assert regions(decided, box) >= regions(network, box)


def test_a_last_layer_without_units_is_fused_with_the_decision():
    network = Network((Layer("head", np.eye(3), np.zeros(3), Units.identity(3), Filter(np.ones((1, 1)), ())),), (3,))
    (layer,) = with_decision(network).layers
    assert layer.filter is not None
    assert regions(with_decision(network), Box(-1, 1)) == 3
    assert with_decision(Network((), (3,))).pattern([[0.0, 2.0, 1.0]]).tolist() == [[1]]
    assert "argmax" in with_decision(network).notes[0]


def test_maxima_move_before_every_layer_that_feeds_them():
    """Two layers of pointwise units before a maximum: it comes first, and nothing is left to do."""
    group = Units.maxima([[0, 1], [2, 3]])
    eye, zero = np.eye(4), np.zeros(4)
    layers = (
        Layer("a", np.random.default_rng(0).normal(size=(4, 3)), np.ones(4), Units.pointwise(RELU, 4)),
        Layer("b", eye, zero, Units.pointwise(leaky_relu(0.5), 4)),
        Layer("p", eye, zero, group),
    )
    net = Network(layers, (3,))
    moved = relu_after_pooling(net)
    assert [layer.name for layer in moved.layers] == ["p", "a", "b"]
    assert len(moved.notes) == 2
    assert relu_after_pooling(moved) is moved
    x = np.random.default_rng(1).normal(size=(100, 3))
    np.testing.assert_array_equal(moved.forward(x), net.forward(x))


def test_a_decision_has_a_name_of_its_own():
    net = Network((Layer("argmax", np.eye(2), np.zeros(2), Units.pointwise(RELU, 2)),), (2,))
    assert [layer.name for layer in with_decision(net).layers] == ["argmax", "argmax@1"]
