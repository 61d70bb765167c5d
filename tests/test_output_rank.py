"""The rank of the network's own map, where rounding, cancellation and size stand in the way."""

from __future__ import annotations

import numpy as np
import pytest

import regionenum as rn
from regionenum.domain import Box
from regionenum.exact.checker import Checker
from regionenum.exact.domains import ExactDomain
from regionenum.network.layers import Layer, Network
from regionenum.network.units import MAXIMUM, RELU, Units, leaky_relu
from regionenum.results.claimed import claim_of
from tests.line import relu_chain

BOX = Box(-0.9, 0.7)
"""Its width is no number of few bits, so that products with it round: 3 fl(w) is not fl(3 w)."""

SIGNS = np.array([[1.0, 0.0], [0.0, 1.0], [3.0, 3.0]])
"""relu(x), relu(y), relu(3 (x + y)): six regions around the origin, by the signs of x, y and x + y."""

LONG = np.array([[9_437_189.0, 3_145_739.0], [-5_767_169.0, 12_582_917.0]])
FACTORS = np.array([7_340_033.0, 11_534_351.0])
MIXED = np.vstack([LONG, FACTORS @ LONG])
"""The same six regions in other coordinates. The last row is exact, but not its product with a width."""


def output_of(hidden, output, box=BOX, exact=True):
    zeros = np.zeros(len(hidden)), np.zeros(len(output))
    found = rn.enumerate_regions(relu_chain((hidden, zeros[0]), (np.array(output), zeros[1])), box, exact=exact)
    assert found.exact is exact
    return found


@pytest.mark.parametrize(("hidden", "factors"), [(SIGNS, [3.0, 3.0]), (MIXED, FACTORS)], ids=["short", "long"])
def test_what_cancels_has_rank_0(hidden, factors):
    """a relu(u) + b relu(v) - relu(a u + b v) is 0 where all are positive, and where none is."""
    found = output_of(hidden, [[*factors, -1.0]])
    assert found.output.by_rank == {0: 2, 1: 4}
    # the third line touches two of the four parts that the others make, and one rank is in doubt
    assert found.counters.resolved == 3
    believed = output_of(hidden, [[*factors, -1.0]], exact=False)
    assert (believed.counters.doubtful, believed.counters.doubtful_ranks) == (2, 1)


@pytest.mark.parametrize(("hidden", "factors"), [(SIGNS, [3.0, 3.0]), (MIXED, FACTORS)], ids=["short", "long"])
def test_outputs_that_are_multiples_of_each_other_where_all_units_are_active(hidden, factors):
    found = output_of(hidden, [[*factors, 0.0], [0.0, 0.0, 1.0]])
    assert found.output.by_rank == {0: 1, 1: 3, 2: 2}
    assert found.counters.resolved == 3
    assert [s.regions for _, s in sorted(found.layers[-1].by_rank.items())] == [1, 2, 3]


def test_an_output_of_which_little_is_left():
    """(a + 1) relu(u) + b relu(v) - relu(a u + b v) beside relu(u): both are u where all are positive."""
    found = output_of(MIXED, [[FACTORS[0] + 1.0, FACTORS[1], -1.0], [1.0, 0.0, 0.0]])
    assert found.output.by_rank == {0: 1, 1: 4, 2: 1}


@pytest.mark.parametrize("power", [-300, -200, 200, 300])
def test_weights_of_any_size(power):
    """Scaled by powers of two nothing changes, as long as nothing overflows; what does is asked."""
    tiny, huge = np.ldexp(SIGNS, -power), np.ldexp(np.array([[3.0, 3.0, 0.0], [0.0, 0.0, 1.0]]), power)
    assert output_of(tiny, huge).output.by_rank == {0: 1, 1: 3, 2: 2}
    assert output_of(SIGNS, huge).output.by_rank == {0: 1, 1: 3, 2: 2}


def test_what_overflows_is_asked():
    hidden = np.ldexp(SIGNS, 500)
    assert output_of(hidden, np.ldexp(np.array([[3.0, 3.0, 0.0], [0.0, 0.0, 1.0]]), 520)).output.by_rank == {
        0: 1,
        1: 3,
        2: 2,
    }


def test_a_slope_that_only_an_underflowing_product_has():
    """The weight times the slope is below the smallest float64 number, the row is huge."""
    units = Units.pointwise(leaky_relu(2.0**-600), 1)
    layers = (
        Layer("a", np.array([[2.0**900]]), np.zeros(1), units),
        Layer("b", np.array([[2.0**-600]]), np.zeros(1), Units.identity(1)),
    )
    found = rn.enumerate_regions(Network(layers, (1,)), Box(-1.0, 1.0))
    assert found.output.by_rank == {1: 2}


def certified(network, domain):
    found = rn.enumerate_regions(network, domain, record="regions")
    claim = claim_of(found.findings)
    exact = ExactDomain.of(domain, found.findings.subject.problem.chart, network.input_shape)
    checker = Checker(claim, exact)
    for _ in checker.check(checker.root()):
        pass
    claim.check_statistics(exact.dim)
    assert checker.work.regions == found.count
    return found


@pytest.mark.parametrize("n_out", [1, 2, 3, 5, 9])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_random_outputs_are_certified(n_out, rank):
    """Weights of full and of small rank, whose products round, after ReLU and after maxima."""
    rng = np.random.default_rng(n_out * 10 + rank)
    output = rng.normal(size=(n_out, rank)) @ rng.integers(-3, 4, (rank, 5))
    layers = relu_chain((rng.normal(size=(5, 3)), rng.normal(size=5)), (output, np.zeros(n_out)))
    found = certified(layers, Box(-1.0, 1.3))
    assert sum(found.output.by_rank.values()) == found.count
    assert max(found.output.by_rank) <= min(n_out, 3)
    units = Units((RELU,), np.array([MAXIMUM, 0, MAXIMUM]), np.array([0, 2, 3, 5]), np.array([0, 1, 2, 3, 4]))
    weight = rng.normal(size=(n_out, 3))
    pooled = Network(
        (
            Layer("pool", rng.normal(size=(5, 3)), rng.normal(size=5), units),
            Layer("out", weight, np.zeros(n_out), Units.identity(n_out)),
        ),
        (3,),
    )
    assert max(certified(pooled, Box(-1.0, 1.3)).output.by_rank) <= min(n_out, 3)


def test_many_regions_of_one_cell_keep_their_sums():
    """More changes of pieces within one cell than sums are kept for; every rank is known: 0 where nothing is active."""
    n = 40
    hidden = np.column_stack([np.cos(np.arange(n) * np.pi / n), np.sin(np.arange(n) * np.pi / n)])
    network = relu_chain(
        (hidden, np.linspace(-0.5, 0.5, n)), (np.random.default_rng(0).normal(size=(2, n)), np.zeros(2))
    )
    found = certified(network, Box(-1.0, 1.0))
    assert found.count > 600
