"""Maxima where a bound or a doubt decides: ties, slivers, candidates that are one up to rounding, and losers.

The truth comes from the exact oracle. Every network here is small enough to be followed by hand.
"""

from __future__ import annotations

import numpy as np
import pytest

from regionenum.domain import Box
from regionenum.engine.compiled import CompiledEngine
from regionenum.engine.interface import Problem, Record
from regionenum.network.layers import Network
from regionenum.network.units import MAXIMUM, RELU, Units, clamp
from tests.exact_forms import Example, exact_form
from tests.exact_oracle import enumerate_exactly
from tests.exploring import Found, assert_witnesses, explore
from tests.line import chain
from tests.verdicts import assert_not_silent, assert_right, judge


def maximum_of(rows, bias):
    """A maximum of affine functions of the inputs."""
    return chain((rows, bias, Units.maxima([np.arange(len(bias))])))


def maximum_after(first, bias, second, offset):
    """Units that pass on what is in [-1, 2], as everything here is, and a maximum of affine functions of them."""
    return chain(
        (first, bias, Units.pointwise(clamp(-1.0, 2.0), len(bias))),
        (second, offset, Units.maxima([np.arange(len(offset))])),
    )


def found_and_true(network: Network, domain: Box, exact: bool = True) -> tuple[Found, list[dict[tuple[int, ...], int]]]:
    """What the compiled engine finds, and the true {pattern: rank} after each layer."""
    found = explore(CompiledEngine(), Problem.over(network, domain), Record.TREE, exact)
    return found, enumerate_exactly(*exact_form(network, domain)).cells


def patterns(found: Found, layer: int, n_units: int) -> dict[tuple[int, ...], int]:
    """{pattern: rank} as found after a layer, of the first units."""
    return {pattern[:n_units]: ranks[layer] for pattern, ranks in found.layer(layer).items()}


# --- Doubts


def barely_different(offset: float) -> Network:
    """max(x + b, x + b + 2^-60 (x - 1/2)): the second unit is 2^-60 x, and the third is always 2^-61."""
    first, bias = np.array([[1.0], [2.0**-60], [0.0]]), np.array([0.0, 0.0, 2.0**-61])
    return maximum_after(first, bias, np.array([[1.0, 0.0, 0.0], [1.0, 1.0, -1.0]]), np.full(2, offset))


DOUBTED = {
    "they differ in a constant below its rounding": (barely_different(0.0), Box(0.0, 1.0)),
    "they agree in every bit": (barely_different(0.25), Box(0.0, 1.0)),
    "the third wins in a sliver": (
        maximum_of(np.array([[-1.0], [1.0], [0.0]]), np.array([0.0, 0.0, 2.0**-60])),
        Box(-1.0, 2.0),
    ),
    "the third wins in a point only": (
        maximum_of(np.array([[-1.0], [1.0], [0.0]]), np.zeros(3)),
        Box(-1.0, 2.0),
    ),
    "the third wins in a point only, of rows of many digits": (
        maximum_of(np.array([[-1.0], [1.0], [0.0]]) * (1.0 + 2.0**-40), np.zeros(3)),
        Box(-1.0, 2.0),
    ),
    "the second wins in a corner": (
        maximum_of(np.array([[1.0], [2.0]]), np.array([0.0, 2.0**-53 - 1.0])),
        Box(0.0, 1.0),
    ),
}


each_mode = pytest.mark.parametrize("exact", [True, False], ids=["exact", "believed"])


@pytest.mark.parametrize("name", DOUBTED)
def test_a_winner_that_rounding_hides_is_found(name):
    example = Example.of(name, "group", *DOUBTED[name])
    assert_right(judge(example), example)


@pytest.mark.parametrize("name", [name for name in DOUBTED if name.startswith("they")])
def test_a_winner_that_rounding_hides_has_a_witness(name):
    """In half of the box each."""
    problem = Problem.over(*DOUBTED[name])
    found = explore(CompiledEngine(), problem, Record.TREE)
    assert found.regions == 2
    assert_witnesses(problem, found)


@pytest.mark.parametrize("name", DOUBTED)
def test_a_winner_that_rounding_hides_is_a_doubt(name):
    """Nothing else in these networks is doubtful: without the doubt about this one decision the answer would be a lie."""
    example = Example.of(name, "group", *DOUBTED[name])
    assert_not_silent(judge(example, exact=False), example)


# --- Candidates that are one


def same_but_for_rounding(order: list[int], others: list[float]) -> Network:
    """Maxima of 0.1 x + 0.2 x + 0.3 x, summed in two orders, of which the first is larger in float64, and of constants."""
    sums = np.array([[0.1, 0.2, 0.3], [0.3, 0.2, 0.1]])
    assert (0.1 + 0.2) + 0.3 > (0.3 + 0.2) + 0.1
    second = np.concatenate([sums[order], np.zeros((len(others), 3))])
    return maximum_after(np.ones((3, 1)), np.zeros(3), second, np.array([0.0, 0.0, *others]))


@each_mode
@pytest.mark.parametrize("order", [[0, 1], [1, 0]], ids=["lower leads", "upper leads"])
@pytest.mark.parametrize("others", [[], [0.5]], ids=["they lead", "another leads"])
def test_of_candidates_that_are_one_up_to_rounding_the_lower_wins(order, others, exact):
    """As if they were equal in float64 as well; it is a doubt if nobody is asked, and right."""
    network = same_but_for_rounding(order, others)
    found, true = found_and_true(network, Box(0.0, 1.0), exact)
    assert len(true[1]) == 1 + len(others)
    assert patterns(found, 1, 4) == true[1]
    assert (found.counters.doubtful == 0) == exact == (found.counters.resolved > 0)


def test_a_row_that_is_rounded_is_its_own_copy():
    """Equal weights are found before anything is rounded, so that there is nothing to doubt."""
    rows = np.array([[0.1, 0.7], [-0.3, 0.2], [0.1, 0.7], [0.1, 0.7], [-0.3, 0.2]])
    network = maximum_of(rows, np.array([0.1, 0.3, 0.1, 0.1, 0.3]))
    found, true = found_and_true(network, Box(np.array([0.1, 0.3]), np.array([0.8, 1.7])), exact=False)
    assert set(true[0]) == {(0,), (1,)}
    assert patterns(found, 0, 1) == true[0]
    assert found.counters.doubtful == 0


# --- Winners and losers


def test_a_leader_by_rounding_alone_loses():
    """At x > 15/16, 2^54 + 2.1 x is 2^54 + 4 in float64, like its rival that is 2^54 + 4 and really larger.

    The first unit, max(15/16 - x, 0), is there to make the cell; it is 0 on it, and so the rank is that of the winner.
    """
    rows, bias = np.array([[-1.0], [2.1], [0.0]]), np.array([0.9375, 2.0**54, 2.0**54 + 4.0])
    units = Units((RELU,), np.array([0, MAXIMUM]), np.array([0, 1, 3]), np.array([0, 1, 2]))
    found, true = found_and_true(chain((rows, bias, units)), Box(0.0, 1.0), exact=False)
    assert true[0] == {(0, 1): 0, (1, 1): 1}
    assert patterns(found, 0, 2) == true[0]
    assert found.counters.doubtful == 0


def test_losers_are_compared_with_the_leader_only():
    """x, and -x - i for i < 30, one test for each where x > 1/2 and where x < 1/2, two for the two that win there.

    The unit before them, max(x - 1/2, 0), makes these cells by two tests; without it some of the losers win at x < -1/2.
    """
    n = 30
    rows, bias = np.full((n + 2, 1), -1.0), np.append([-0.5, 0.0], -np.arange(n))
    rows[:2] = 1.0
    units = Units((RELU,), np.array([0, MAXIMUM]), np.array([0, 1, n + 2]), np.arange(n + 2))
    found, true = found_and_true(chain((rows, bias, units)), Box(-20.0, 20.0))
    assert patterns(found, 0, 2) == true[0] == {(0, 0): 1, (0, 1): 1, (1, 0): 1}
    assert found.counters.tests <= 2 + 2 * n + 2
