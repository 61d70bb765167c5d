"""What was once wrong, or slow, and is not to come back; each of these failed before the engine proved its decisions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import regionenum as rn
from regionenum.domain import Box
from regionenum.engine.compiled import CompiledEngine
from regionenum.engine.interface import Options, Problem, Subtree
from regionenum.network.units import IDENTITY, RELU, Units
from tests.exploring import explore
from tests.line import chain, relu_chain
from tests.random_cells import seeds
from tests.verdicts import doubts


def found(network, domain, exact=True):
    return explore(CompiledEngine(), Problem.over(network, domain), exact=exact)


each_mode = pytest.mark.parametrize("exact", [True, False], ids=["exact", "believed"])


@each_mode
def test_a_vertex_beyond_a_hyperplane_by_next_to_nothing(exact):
    """The first hyperplane cuts the unit square; a vertex of the dictionary is beyond it by 2^-31 only."""
    first = np.array([[-(2.0**-10), 1.0], [1.0, 0.0]]), np.array([-(2.0**-31), 0.0]), Units.each([RELU, IDENTITY])
    network = chain(first, (np.array([[0.0, 1.0]]), np.array([2.0**-22]), Units.pointwise(RELU, 1)))
    result = rn.enumerate_regions(network, Box(0.0, 1.0), exact=exact)
    assert result.count == 2 or (not exact and doubts(result))
    assert result.count != 4


@each_mode
def test_a_function_that_is_nearly_constant_far_away(exact):
    """x_1 + x_2 = 3.4e14 + 1.75 cuts the corner of a unit square, far from the origin; half the domain was lost."""
    network = relu_chain((np.ones((1, 2)), np.array([-(3.4e14 + 1.75)])), (np.ones((1, 1)), np.zeros(1)))
    result = rn.enumerate_regions(network, Box(1.7e14, 1.7e14 + 1.0), exact=exact)
    assert result.count == 2 or (not exact and doubts(result))


def test_a_row_below_its_noise_has_a_rank():
    """relu(x + 2^52) on [-1, 1] is x + 2^52, of rank 1."""
    network = relu_chain((np.ones((1, 1)), np.array([2.0**52])), (np.ones((1, 1)), np.zeros(1)))
    result = found(network, Box(-1.0, 1.0), exact=False)
    assert result.statistics.cells[1].tolist() == [0, 1]
    assert not result.counters.doubtful_ranks


@each_mode
@pytest.mark.parametrize("last", [1.0, 3e-200])
def test_units_that_overflow_or_underflow_are_never_wrong_without_a_doubt(last, exact):
    """A copy of a unit too large to be pulled back was 0 without an error, and so was a product that underflows."""
    if last == 1.0:
        layers = (np.full((1, 2), 1e200), np.full(1, 1e200)), (np.array([[2.0**498], [1.0]]), np.zeros(2))
    else:
        layers = (np.full((1, 2), 1e-200), np.full(1, 1e-200)), (np.full((1, 1), last), np.zeros(1))
    n = len(layers[1][0])
    network = relu_chain(*layers, (np.ones((1, n)), np.zeros(1)))
    with np.errstate(over="ignore"):  # where kernels are not compiled
        result = found(network, Box(0.0, 1.0), exact)
    is_right = result.statistics.cells[1:].tolist() == [[0, 1, 0], [0, 1, 0]]
    has_doubts = result.counters.doubtful or result.counters.doubtful_ranks
    assert is_right if exact else is_right or has_doubts
    assert not exact or not has_doubts


@each_mode
def test_a_hyperplane_of_small_integers_that_touches_is_certain(exact):
    """x_1 + x_2 = 2 and the unit square; x_1 = x_3 where x_1 >= x_2 >= x_3."""
    for rows, bias in (([[1.0, 1.0]], [-2.0]), ([[1.0, -1.0, 0.0], [0.0, 1.0, -1.0], [1.0, 0.0, -1.0]], [0.0] * 3)):
        network = relu_chain((np.array(rows), np.array(bias)), (np.ones((1, len(bias))), np.zeros(1)))
        result = found(network, Box(0.0, 1.0), exact)
        assert result.regions == (1 if len(bias) == 1 else 6)
        assert not result.counters.doubtful + result.counters.resolved


@each_mode
@pytest.mark.parametrize(
    ("first", "second", "box"),
    [
        (2.0**-800, 2.0**-400, Box(0.0, 1.0)),
        (2.0**-1000, 1.0, Box(0.0, 2.0**-100)),
        (0.3 * 2.0**-1000, 1.0, Box(0.0, 3.0 * 2.0**-100)),
        (2.0**-600, 1.0, Box(2.0**-600, 2.0**-599)),
    ],
    ids=["copy", "width", "rounded width", "corner"],
)
def test_what_underflows_is_not_taken_for_0(first, second, box, exact):
    """Two units, each of them positive on the whole box: a slope that is 0 in float64 has no error of its own."""
    network = relu_chain(
        (np.array([[first]]), np.zeros(1)), (np.array([[second]]), np.zeros(1)), (np.ones((1, 1)), np.zeros(1))
    )
    result = found(network, box, exact)
    is_right = result.statistics.cells[1:].tolist() == [[0, 1], [0, 1]]
    has_doubts = result.counters.doubtful or result.counters.doubtful_ranks
    assert is_right or (not exact and has_doubts)


@each_mode
def test_lines_through_a_point_are_asked_or_counted_as_doubtful(exact):
    """Of the parts that some of them make of the unit square, the others cut two and touch the rest."""
    normals = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, -1.0], [2.0, 1.0], [1.0, 2.0]]) * (1.0 + 2.0**-40)
    network = relu_chain((normals, -normals.sum(axis=1) / 2), (np.ones((1, 6)), np.zeros(1)))
    result = found(network, Box(0.0, 1.0), exact)
    assert result.regions == 12
    assert (result.counters.doubtful > 0) != exact == (result.counters.resolved > 0)


@each_mode
def test_a_hyperplane_that_touches_a_corner_is_asked_or_counted_as_doubtful(exact):
    """0.1 x_1 + 0.1 x_2 = 0.2 meets the unit square in a corner: nothing but exact arithmetic can tell."""
    network = relu_chain((np.full((1, 2), 0.1), np.array([-0.2])), (np.ones((1, 1)), np.zeros(1)))
    result = found(network, Box(0.0, 1.0), exact)
    assert result.regions == 1
    assert (result.counters.doubtful, result.counters.resolved, result.counters.overturned) == (not exact, exact, 0)


@each_mode
@pytest.mark.parametrize("name", ["known", "sliver"])
def test_no_doubt_arises_while_a_cell_is_rebuilt(name, exact):
    """A sliver between a row that is known well and one that is not: that it is there was decided when it was split off."""
    first = np.array([[1.0], [1.0]]), np.array([2.0**30, 0.0])
    second = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([-(2.0**30) - 0.5, -0.5 - 1e-8])
    third = np.array([[1.0, 1.0]]), np.array([10.0])
    network = relu_chain(first, second, third, (np.ones((1, 1)), np.zeros(1)))
    explorer = CompiledEngine().explorer(Problem.over(network, Box(0.0, 1.0)), Options(exact=exact))
    decided, inside = {"known": ([1, 1, 1, 1], 0.9), "sliver": ([1, 1, 1, 0], 0.5 + 2**-28)}[name]
    subtree = Subtree(2, np.array([*decided, -1], np.int8), np.full(5, -1, np.int16), (4, 4), np.array([inside]), 0)
    explorer.start(subtree)
    batch = explorer.step(1000)
    assert explorer.finished
    assert batch.statistics.cells[-1].sum() == 1
    assert not batch.counters.doubtful
    assert not batch.counters.resolved


@each_mode
@pytest.mark.parametrize(
    ("row", "bias"),
    [([-(2.0**900)], 2.0**-1074), ([-(2.0**900), 2.0**-1074], 0.0), ([-(2.0**900), 2.0**-1070], 0.0)],
    ids=["constant", "slope", "error"],
)
def test_what_vanishes_beside_a_huge_slope_is_not_taken_for_0(row, bias, exact):
    """A row that is positive in next to nothing of the unit cube, and was said to be nowhere, by numbers that do not round."""
    network = relu_chain((np.array([row]), np.array([bias])), (np.ones((1, 1)), np.zeros(1)))
    upper = np.ones(len(row))
    if bias == 0.0 and row[1] > 2.0**-1074:
        # the slope underflows already as the row is made
        upper[1] = 2.0**-20
    result = found(network, Box(0.0, upper), exact)
    assert result.regions == 2 or (not exact and result.counters.doubtful)


def tents(n, copies):
    """A maximum over n tangents of a parabola, each so many times, in any order; each is largest somewhere in (-1, 1)."""
    at = (np.arange(n) + 0.5) * 2.0 / n - 1.0
    order = np.random.default_rng(0).permutation(n * copies)
    rows = np.tile(np.stack([2.0 * at, np.zeros(n)], axis=1), (copies, 1))[order]
    return chain((rows, np.tile(-(at**2), copies)[order], Units.maxima([np.arange(n * copies)])))


def test_a_maximum_of_very_many_candidates_that_are_few_functions():
    """4,000 rows, 7 functions: not 16 million tests but a few dozen."""
    result = found(tents(7, 4000 // 7), Box(-1.0, 1.0))
    assert result.regions == 7
    assert result.counters.tests < 100
    assert not result.counters.doubtful


def test_a_limit_is_heard_inside_a_maximum():
    """100 different candidates take thousands of tests before the first cell is there; every step makes about one."""
    explorer = CompiledEngine().explorer(Problem.over(tents(100, 1), Box(-1.0, 1.0)), Options())
    explorer.start(explorer.root)
    tests = []
    while not explorer.progressed:
        tests.append(explorer.step(1).counters.tests)
    assert len(tests) > 100
    assert max(tests) <= 2
    regions = 0
    while not explorer.finished:
        regions += explorer.step(1 << 20).statistics.cells[-1].sum()
    assert regions == 100


def test_a_maximum_that_is_broken_off_goes_on_where_it_was():
    """`rest` gives the same subtree back; starting it again in the same explorer does not begin again."""
    explorer = CompiledEngine().explorer(Problem.over(tents(60, 1), Box(-1.0, 1.0)), Options())
    subtree, tests = explorer.root, 0
    for _ in range(100_000):
        explorer.start(subtree)
        tests += explorer.step(5).counters.tests
        if explorer.progressed:
            break
        (subtree,) = explorer.rest().subtrees
    assert explorer.progressed
    assert tests < 60 * 60 + 200


@each_mode
@given(seed=seeds, dim=st.integers(3, 4))
@settings(max_examples=6, deadline=None)
def test_the_order_of_units_does_not_matter_to_old_dictionaries(exact, seed, dim):
    """Wide layers, in which dictionaries are pivoted hundreds of times; counts and ranks stay, or a doubt may be counted."""
    rng = np.random.default_rng(seed)
    n = 40 if dim == 3 else 20
    # bundles of hyperplanes that nearly meet in points
    normals = rng.normal(size=(n, dim))
    points = rng.uniform(-0.8, 0.8, (4, dim))
    bias = -np.einsum("ij,ij->i", normals, points[rng.integers(4, size=n)]) + 1e-11 * rng.normal(size=n)
    second, last = (rng.normal(size=(2, n)), rng.normal(size=2)), (np.ones((1, 2)), np.zeros(1))
    results = []
    for order in (np.arange(n), rng.permutation(n)):
        network = relu_chain((normals[order], bias[order]), (second[0][:, order], second[1]), last)
        results.append(found(network, Box(-1.0, 1.0), exact))
    one, other = results
    if exact or not any(r.counters.doubtful or r.counters.doubtful_ranks for r in results):
        np.testing.assert_array_equal(one.statistics.cells, other.statistics.cells)
    assert one.counters.pivots > 500
