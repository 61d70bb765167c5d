"""What must not change the answer: order of units, scale of rows, orientation of the input, a cut through the box."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from regionenum.domain import Box
from regionenum.engine.interface import Problem, Record
from regionenum.network.layers import Layer, Network
from regionenum.network.units import RELU, Units
from tests.exploring import ENGINES, Found, explore, same_statistics
from tests.oracles import dense
from tests.strategies import cases

BUDGET = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
MOST = {"compiled": 2000, "highs": 60}
EVERY_ENGINE = pytest.mark.parametrize("engine", ENGINES)

Case = tuple[Network, Box]


def found_in(engine: str, network: Network, box: Box) -> Found:
    return explore(ENGINES[engine](), Problem.over(network, box), Record.REGIONS)


def baseline(engine: str, case: Case) -> Found:
    # The compiled engine says cheaply whether the reference engine can afford the network.
    assume(found_in("compiled", *case).regions <= MOST[engine])
    return found_in(engine, *case)


def matrices(network: Network) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(dense(layer.weight).copy(), layer.bias.copy()) for layer in network.layers]


def rebuilt(network: Network, maps: list[tuple[np.ndarray, np.ndarray]]) -> Network:
    """The same units on other affine maps."""
    layers = [
        dataclasses.replace(layer, weight=np.ascontiguousarray(w), bias=b)
        for layer, (w, b) in zip(network.layers, maps, strict=True)
    ]
    return Network(tuple(layers), network.input_shape)


def relu_network(seed: int, *sizes: int) -> Network:
    """Random small integers."""
    rng = np.random.default_rng(seed)
    layers = [
        Layer(f"layers.{k}", *_integers(rng, n_out, n_in), Units.pointwise(RELU, n_out))
        for k, (n_in, n_out) in enumerate(itertools.pairwise(sizes))
    ]
    return Network(tuple(layers), sizes[:1])


def _integers(rng: np.random.Generator, n_out: int, n_in: int) -> tuple[np.ndarray, np.ndarray]:
    return rng.integers(-5, 6, (n_out, n_in)).astype(float), rng.integers(-5, 6, n_out).astype(float)


def permuted(units: Units, order: np.ndarray) -> Units:
    groups = [units.rows[units.indptr[u] : units.indptr[u + 1]] for u in order]
    indptr = np.cumsum([0, *map(len, groups)])
    return Units(units.functions, units.function_of[order], indptr, np.concatenate(groups))


@EVERY_ENGINE
@BUDGET
@given(case=cases(), seed=st.integers(0, 1000))
def test_order_of_units(engine: str, case: Case, seed: int) -> None:
    network, box = case
    before = baseline(engine, case)
    rng = np.random.default_rng(seed)
    maps, layers, columns = matrices(network), [], np.arange(network.n_in)
    for layer, (w, b) in zip(network.layers, maps, strict=True):
        rows = rng.permutation(len(b))
        units = dataclasses.replace(layer.units, rows=np.argsort(rows)[layer.units.rows])
        last = layer.units.is_identity
        order = np.arange(units.n_units) if last else rng.permutation(units.n_units)
        if last:
            rows, units = np.arange(len(b)), layer.units
        layers.append(Layer(layer.name, w[rows][:, columns], b[rows], permuted(units, order)))
        columns = order
    after = found_in(engine, Network(tuple(layers), network.input_shape), box)
    assert same_statistics(before.statistics, after.statistics)


@EVERY_ENGINE
@pytest.mark.parametrize("largest", [1, 36])
def test_positive_scale_of_rows(engine: str, largest: int) -> None:
    """relu(2^k z) / 2^k = relu(z), compensated in the next layer; zero biases make it degenerate."""
    rng = np.random.default_rng(largest)
    for seed in range(4):
        network = relu_network(seed, 3, 4, 4, 3)
        maps = matrices(network)
        if seed % 2:
            for _, b in maps:
                b[:] = 0.0
        box = Box(-2.0, 2.0)
        before = found_in(engine, rebuilt(network, maps), box)
        scaled = []
        undo: np.ndarray = np.ones(3)
        for w, b in maps:
            scale = 2.0 ** rng.integers(-largest, largest + 1, len(b))
            scaled.append((scale[:, None] * w / undo, scale * b))
            undo = scale
        after = found_in(engine, rebuilt(network, scaled), box)
        assert before.regions > 5
        assert before.layer(2) == after.layer(2)
        assert same_statistics(before.statistics, after.statistics)


@EVERY_ENGINE
@BUDGET
@given(case=cases(), seed=st.integers(0, 1000))
def test_reflections_and_permutations_of_the_input(engine: str, case: Case, seed: int) -> None:
    """x = Q x' with a signed permutation Q, and the box seen from there."""
    network, box = case
    before = baseline(engine, case)
    rng = np.random.default_rng(seed)
    order, sign = rng.permutation(network.n_in), rng.choice([-1.0, 1.0], network.n_in)
    maps = matrices(network)
    maps[0] = maps[0][0][:, order] * sign, maps[0][1]
    lower, upper = np.asarray(box.lower)[order] * sign, np.asarray(box.upper)[order] * sign
    after = found_in(engine, rebuilt(network, maps), Box(np.minimum(lower, upper), np.maximum(lower, upper)))
    depth = len(network.unit_layers) - 1
    assert before.layer(depth) == after.layer(depth)
    assert same_statistics(before.statistics, after.statistics)


@EVERY_ENGINE
@BUDGET
@given(case=cases(), seed=st.integers(0, 1000))
def test_a_cut_through_the_box(engine: str, case: Case, seed: int) -> None:
    """Regions of the halves are those of the box: no pattern is lost, none is new, ranks stay."""
    network, box = case
    lower, upper = np.array(box.lower), np.array(box.upper)
    rng = np.random.default_rng(seed)
    k = int(rng.choice(np.flatnonzero(lower < upper)))
    middle = lower[k] + (upper[k] - lower[k]) * rng.choice([0.25, 0.5, 0.75])
    whole = baseline(engine, case)
    left, right = upper.copy(), lower.copy()
    left[k] = right[k] = middle
    depth = len(network.unit_layers) - 1
    below, above = (found_in(engine, network, half).layer(depth) for half in (Box(lower, left), Box(right, upper)))
    assert below | above == whole.layer(depth)
    assert len(below) + len(above) - len(below.keys() & above.keys()) == whole.regions


@EVERY_ENGINE
@pytest.mark.parametrize("scale", [2.0**-36, 2.0**36])
def test_scale_of_the_first_layer(engine: str, scale: float) -> None:
    """Only the first layer has biases, so that all pre-activations scale.

    By a power of two: times 1e-11 the weights are rounded, and this network has one region more, as the exact oracle says too.
    """
    network = relu_network(8, 3, 7, 5)
    maps = matrices(network)
    maps[1][1][:] = 0.0
    before = found_in(engine, rebuilt(network, maps), Box(-3.0, 3.0))
    maps[0] = maps[0][0] * scale, maps[0][1] * scale
    after = found_in(engine, rebuilt(network, maps), Box(-3.0, 3.0))
    assert before.regions > 50
    assert before.layer(1) == after.layer(1)
    assert same_statistics(before.statistics, after.statistics)


@EVERY_ENGINE
def test_scale_of_input_and_box(engine: str) -> None:
    """A box of width 2^-30 with weights of 2^30 is the same network."""
    network = relu_network(9, 3, 6, 4)
    before = found_in(engine, network, Box(-2.0, 2.0))
    maps = matrices(network)
    maps[0] = maps[0][0] * 2.0**30, maps[0][1]
    after = found_in(engine, rebuilt(network, maps), Box(-2.0 * 2.0**-30, 2.0 * 2.0**-30))
    assert before.regions > 30
    assert before.layer(1) == after.layer(1)
    assert same_statistics(before.statistics, after.statistics)
