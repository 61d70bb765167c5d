"""Bounds on the number of regions: never below a count, and as small as their formulas say."""

import itertools
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import regionenum as rn
from regionenum.analysis.theory.unit_kinds import Kind, nominal_kinds, weighted_kinds
from regionenum.engine.interface import Problem
from regionenum.errors import InputError
from regionenum.network.layers import Layer, Network
from regionenum.network.units import ABSOLUTE, IDENTITY, MAXIMUM, RELU, Units, leaky_relu
from tests.exact_forms import read_examples
from tests.exploring import ENGINES, explore
from tests.problems import _pool_network, problems
from tests.strategies import HARDTANH, cases

theory: Any = rn.theory
BOUNDS = list(theory.Bound)


def layer(weight, bias, units, name="layer"):
    return Layer(name, np.array(weight, float), np.array(bias, float), units)


def relu_chain(rng, *sizes, bias=True):
    layers = [
        layer(rng.standard_normal((n, m)), bias * rng.standard_normal(n), Units.pointwise(RELU, n), f"relu{k}")
        for k, (m, n) in enumerate(pairwise(sizes))
    ]
    return Network(tuple(layers), sizes[:1])


def cells_by_layer(network, domain):
    """Cells after each unit layer, by the engine."""
    found = explore(ENGINES["compiled"](), Problem.over(network, domain))
    return found.statistics.cells[1:].sum(axis=1).tolist()


def test_known_counts_are_within_all_bounds():
    """Networks with counts that no engine found, layer by layer where they are known so."""
    # poolings of torch are slow to load, and `test_theory_pooling.py` has their counts
    chosen = [known for known in problems() if not known.name.startswith("MaxPool")]
    assert len(chosen) > 150
    for known in chosen:
        network, box = known.build()
        found = theory.bounds(network, box)
        assert all(known.regions <= value for value in found.regions.values()), known.name
        for facts, bound in zip(known.layers, found.layers, strict=False):
            assert sum(facts.ranks.values()) <= min(bound.regions.values()), known.name
            assert max(map(int, facts.ranks), default=0) <= bound.n_units
            most = max((f["max_children"] for f in facts.parents.values()), default=1)
            assert most <= bound.splits, (known.name, bound.name)


@settings(max_examples=40, deadline=None)
@given(cases())
def test_no_network_has_more_cells_than_its_bounds(case):
    network, box = case
    # degenerate networks over the whole space of more inputs ask the engine too many questions
    for domain in (box, rn.WholeSpace()) if network.n_in <= 2 else (box,):
        counts = cells_by_layer(network, domain)
        found = theory.bounds(network, domain)
        for count, bound in zip(counts, found.layers, strict=True):
            assert count <= min(bound.regions.values())
    check_order(found)


@settings(max_examples=25, deadline=None)
@given(cases(max_units=5), st.booleans())
def test_no_network_without_biases_has_more_cells_than_its_bounds(case, sparse):
    """Cones: in the whole space, in a box around 0, and in one beside it."""
    import scipy.sparse as sp

    network, box = case
    functions = (RELU, leaky_relu(0.25), ABSOLUTE, IDENTITY)
    layers = []
    for k, each in enumerate(network.layers):
        old = each.units
        units = Units(
            functions, np.where(old.function_of == MAXIMUM, MAXIMUM, old.function_of % 4), old.indptr, old.rows
        )
        if k + 1 < len(network.layers) and units.is_identity:
            units = Units.pointwise(RELU, each.n_rows)
        weight = np.asarray(each.weight)
        layers.append(Layer(each.name, sp.csr_array(weight) if sparse else weight, np.zeros(each.n_rows), units))
    cones = Network(tuple(layers), network.input_shape)
    for domain in (rn.WholeSpace(), rn.Box(-1, 1), box) if network.n_in <= 3 else (rn.Box(-1, 1), box):
        counts = cells_by_layer(cones, domain)
        found = theory.bounds(cones, domain)
        for count, bound in zip(counts, found.layers, strict=True):
            assert count <= min(bound.regions.values())


def check_order(found):
    for each in found.layers:
        patterns, by_input, widths, active, weights = (each.regions[bound] for bound in BOUNDS)
        assert weights <= active <= widths <= by_input <= patterns
    assert found.best == found.regions[theory.Bound.WEIGHTS]


# What the formulas say ----------------------------------------------------------------------------------------------------


def serra(n_in, widths):
    """Theorem 1 of arXiv 1711.02114, as it is written: the sum over all (j_1, ..., j_L)."""
    total = 0
    for j in itertools.product(*(range(n + 1) for n in widths)):
        dims = [n_in]
        fits = True
        for n, jl in zip(widths, j, strict=True):
            fits = fits and jl <= min(*dims, n)
            dims.append(n - jl)
        if fits:
            total += math.prod(math.comb(n, jl) for n, jl in zip(widths, j, strict=True))
    return total


@pytest.mark.parametrize("sizes", [(2, 3), (2, 3, 3), (3, 4, 2, 5), (1, 4, 4, 4), (5, 3, 6, 3), (4, 6, 5, 4, 3)])
def test_networks_of_relus_have_the_published_bounds(sizes):
    n_in, *widths = sizes
    network = relu_chain(np.random.default_rng(0), *sizes)
    found = theory.bounds(network)
    least = [min(sizes[: k + 1]) for k in range(1, len(sizes))]
    assert found.regions[theory.Bound.PATTERNS] == 2 ** sum(widths)
    assert found.regions[theory.Bound.INPUT] == math.prod(theory.arrangement(n_in, n) for n in widths)
    assert found.regions[theory.Bound.WIDTHS] == math.prod(
        theory.arrangement(d, n) for d, n in zip(least, widths, strict=True)
    )
    assert found.regions[theory.Bound.ACTIVE] == serra(n_in, widths)
    assert found.regions[theory.Bound.WIDTHS] == network.describe().bound
    check_order(found)


def test_maxima_have_the_bound_of_their_paper():
    """m maxima of k functions of d inputs: the sum of C(m, j) (k - 1)^j."""
    rng = np.random.default_rng(0)
    units = Units.maxima([range(4 * u, 4 * u + 4) for u in range(3)])
    network = Network((layer(rng.standard_normal((12, 2)), rng.standard_normal(12), units),), (2,))
    assert set(theory.bounds(network).regions.values()) == {64, 37}
    assert theory.bounds(network).best == 1 + 3 * 3 + 3 * 9 == theory.parallel_arrangement(2, [3, 3, 3])


def test_generic_layers_meet_the_bound():
    for n_in, n in [(1, 5), (2, 6), (3, 5)]:
        network = relu_chain(np.random.default_rng(n), n_in, n)
        assert rn.enumerate_regions(network, rn.WholeSpace()).count == theory.bounds(network).best
        cones = relu_chain(np.random.default_rng(n), n_in, n, bias=False)
        found = theory.bounds(cones)
        assert found.best == theory.arrangement(n_in, n, central=True) < found.regions[theory.Bound.ACTIVE] or n_in == 1
        assert rn.enumerate_regions(cones, rn.WholeSpace()).count == found.best
        # on a line beside 0, a cone is nothing special
        if n_in > 1:
            assert theory.bounds(cones, rn.Slice([1.0] * n_in, np.eye(n_in)[:1])).best == n + 1


def test_cones_end_at_the_first_bias():
    """2 sum C(n - 1, j) while there are no biases, sum C(n, j) from the first one on; inactive layers are rays or points."""
    first = relu_chain(np.random.default_rng(1), 2, 4, bias=False).layers[0]
    second = relu_chain(np.random.default_rng(2), 4, 3).layers[0]
    free, biased = layer(second.weight, 0 * second.bias, second.units), second
    without = theory.bounds(Network((first, free), (2,))).layers[1]
    with_bias = theory.bounds(Network((first, biased), (2,))).layers[1]
    assert (without.splits, with_bias.splits) == (6, 7)
    shifted = Network((layer(first.weight, [1, 0, 0, 0], first.units), free), (2,))
    assert theory.bounds(shifted).layers[1].splits == 7
    breakpoints = Network((layer(first.weight, np.zeros(4), Units.pointwise(HARDTANH, 4)), free), (2,))
    assert theory.bounds(breakpoints).layers[1].splits == 7


def test_a_maximum_of_cones():
    """Three linear functions of two inputs: 3 regions; two such maxima: 6 of 7, or fewer."""
    rng = np.random.default_rng(5)
    for m, most in [(1, 3), (2, 8)]:
        units = Units.maxima([range(3 * u, 3 * u + 3) for u in range(m)])
        network = Network((layer(rng.standard_normal((3 * m, 2)), np.zeros(3 * m), units),), (2,))
        found = theory.bounds(network)
        assert found.best == most
        assert rn.enumerate_regions(network, rn.WholeSpace()).count <= most


def test_the_rank_of_a_weight_is_used_exactly():
    """Rows in a plane of R^4, as float64 numbers that are not quite: the third combination is rounded."""
    rng = np.random.default_rng(3)
    plane = rng.integers(-9, 10, (6, 2)).astype(float) @ rng.integers(-9, 10, (2, 4)).astype(float)
    flat = Network((layer(plane, rng.standard_normal(6), Units.pointwise(RELU, 6)),), (4,))
    assert theory.bounds(flat).layers[0].dim == 2
    assert theory.bounds(flat).best == theory.arrangement(2, 6)
    assert theory.bounds(flat).regions[theory.Bound.ACTIVE] == theory.arrangement(4, 6)
    nearly = plane.copy()
    nearly[0, 0] = np.nextafter(nearly[0, 0], np.inf)
    assert theory.bounds(Network((layer(nearly, flat.layers[0].bias, flat.layers[0].units),), (4,))).layers[0].dim == 3


def test_rows_that_coincide_and_rows_without_weights():
    weight = [[1, 2], [2, 4], [-1, -2], [0, 0], [1, 2], [3, 1]]
    bias = [1, 2, -1, 5, 1.5, 0]
    units = Units.pointwise(RELU, 6)
    each = layer(weight, bias, units)
    assert sorted(weighted_kinds(each).kinds.items()) == [
        (Kind(0, (1,)), 1),
        (Kind(1, (0, 1)), 2),
        (Kind(1, (1, 2)), 1),
    ]
    assert nominal_kinds(each).kinds == {Kind(1, (0, 1)): 6}
    network = Network((each,), (2,))
    assert theory.bounds(network).best == 1 + 3 + 3
    assert rn.enumerate_regions(network, rn.WholeSpace()).count == 6  # two of the three hyperplanes are parallel
    # breakpoints elsewhere: x = 1 of a hinge at 0, and of one at 1 on x - 0
    hinge = leaky_relu(0.0)
    shifted = Units.each([hinge, HARDTANH, IDENTITY])
    assert weighted_kinds(layer([[1], [1], [1]], [0, 0, 0], shifted)).cuts == {1: 1, 2: 1}


def test_candidates_that_are_one():
    units = Units.maxima([[0, 1, 2], [2, 1, 0], [3, 4, 0], [3, 4]])
    each = layer([[1, 0], [1, 0], [0, 1], [0, 0], [0, 0]], [0, 0, 0, 1, 2], units)
    kinds = weighted_kinds(each)
    assert kinds.kinds == {Kind(1, (0, 0)): 1, Kind(1, (0, 1)): 1, Kind(0, (1,)): 1}
    assert len(kinds.windows) == 2
    assert len(set(kinds.windows[0]) & set(kinds.windows[1])) == 1
    network = Network((each,), (2,))
    assert theory.bounds(network).best == 4
    assert rn.enumerate_regions(network, rn.WholeSpace()).count == 4


def test_inactive_units_take_dimensions_away():
    """Two ReLUs of two inputs, then two: of four cells one has dimension 2, two have 1, and one has 0."""
    found = theory.bounds(relu_chain(np.random.default_rng(0), 2, 2, 2))
    assert found.regions[theory.Bound.ACTIVE] == 4 + 2 * 3 + 1
    assert found.regions[theory.Bound.WIDTHS] == 16
    # a leaky unit is never constant, a hard tanh on both sides
    leaky = Network(
        (
            layer(np.eye(2), [0, 0], Units.pointwise(leaky_relu(0.5), 2)),
            layer(np.eye(2), [1, 1], Units.pointwise(RELU, 2)),
        ),
        (2,),
    )
    assert theory.bounds(leaky).best == 16
    tanh = Network(
        (layer([[1]], [0], Units.pointwise(HARDTANH, 1)), layer([[1], [1]], [0.5, 0.25], Units.pointwise(RELU, 2))),
        (1,),
    )
    assert theory.bounds(tanh).best == 1 + 3 + 1
    assert rn.enumerate_regions(tanh, rn.WholeSpace()).count == 1 + 3 + 1


def test_passing_a_row_on_keeps_its_dimension():
    units = Units.each([RELU, IDENTITY])
    network = Network((layer(np.eye(2), [0, 0], units), layer(np.eye(2), [1, 1], Units.pointwise(RELU, 2))), (2,))
    assert theory.bounds(network).best == 4 + 3


def test_overlapping_windows_are_counted():
    """Max-pooling alone: the bound is the count."""
    for groups in (theory.windows_1d(5, 3, 1), theory.windows_2d((2, 3), 2, 1), [[0, 1], [1, 2], [2, 0]]):
        network, box = _pool_network(list(map(list, groups)), (6,))
        found = theory.bounds(network, box)
        assert found.best == theory.max_pool(groups) < found.regions[theory.Bound.PATTERNS]
        assert explore(ENGINES["compiled"](), Problem.over(network, box)).regions == found.best


def test_large_layers_are_fast_and_bounded():
    """What would be slow is left out: dimensions beyond 256, units beyond 4,096."""
    import scipy.sparse as sp

    wide = Network(
        (
            Layer("a", sp.eye_array(4100, format="csr"), np.zeros(4100), Units.pointwise(RELU, 4100)),
            Layer("b", sp.csr_array(np.ones((2, 4100))), np.ones(2), Units.pointwise(RELU, 2)),
        ),
        (4100,),
    )
    found = theory.bounds(wide)
    assert found.regions[theory.Bound.ACTIVE] == 2**4102
    assert found.best == 2**4101  # the two last rows are one
    pair = rn.Slice(np.zeros(4100), np.eye(4100)[:2])
    assert theory.bounds(wide, pair).layers[1].regions[theory.Bound.WIDTHS] == theory.arrangement(2, 4100) * 4


def test_networks_without_units():
    plain = Network((layer([[1, 2]], [0], Units.identity(1)),), (2,))
    found = theory.bounds(plain)
    assert (found.best, found.layers, found.reached) == (1, (), None)


# What some network reaches ------------------------------------------------------------------------------------------------


def test_what_an_architecture_can_reach():
    """2 x 2 folds of the plane, then four lines; and a sawtooth with 4^3 pieces, three ReLUs wide (golden: serra3_L3_1d)."""
    assert theory.reached_by(2, [4, 4]) == 4 * 11
    assert theory.reached_by(1, [3, 3, 3]) == 3 * 3 * 4
    saw = next(known for known in problems() if known.name == "golden serra3_L3_1d")
    network, _ = saw.build()
    found = theory.bounds(network)
    assert found.reached == 36 <= saw.regions == 64 == found.best
    for sizes in [(2, 2), (2, 5, 4), (3, 3, 7, 4)]:
        found = theory.bounds(relu_chain(np.random.default_rng(0), *sizes))
        assert found.reached is not None
        assert found.reached <= found.best
    assert theory.bounds(relu_chain(np.random.default_rng(0), 3, 2)).reached is None
    assert theory.bounds(Network((layer([[1]], [0], Units.pointwise(ABSOLUTE, 1)),), (1,))).reached is None
    with pytest.raises(InputError, match=r"^reached_by: widths\[1\] is 1; give a whole number, 2 or more$"):
        theory.reached_by(2, [2, 1])
    with pytest.raises(InputError, match=r"^reached_by: widths is empty; give the width of one layer or more$"):
        theory.reached_by(2, [])


def test_a_domain_that_does_not_fit_is_refused():
    with pytest.raises(InputError, match="2"):
        theory.bounds(relu_chain(np.random.default_rng(0), 3, 2), rn.Box([0, 0], [1, 1]))


@pytest.mark.parametrize("name", ["near_degenerate.json", "found_hard.json"])
def test_networks_that_were_hard_are_within_the_bounds(name):
    examples = read_examples(Path(__file__).parent / "data" / name)
    assert examples
    for example in examples:
        found = theory.bounds(example.network, example.domain)
        for layer_, bound in zip(example.truth["layers"], found.layers, strict=True):
            assert layer_["regions"] <= min(bound.regions.values()), example.name
            assert max(map(int, layer_["by_rank"]), default=0) <= bound.n_units
