"""Certificates, counting, groups and subtrees: the kernels of the walk that know neither rows nor cells."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regionenum.domain import Box, WholeSpace
from regionenum.engine.compiled import CompiledEngine
from regionenum.engine.counters import DOUBTFUL_RANKS, TESTS
from regionenum.engine.interface import Options, Problem
from regionenum.engine.tables import UNIT, make_tables
from regionenum.engine.walk import certificate_kernel as certificates
from regionenum.engine.walk.certificate_kernel import (
    DECIDED_AT_ENTRY,
    DOUBTFUL_TOO,
    KEPT,
    MINUS,
    PLUS,
    SIDE,
    SLOTS,
    WITHOUT_SLOT,
    forget,
    give_slot,
    implied,
    learn,
    make_certificates,
)
from regionenum.engine.walk.group_kernel import _is_before, _sort
from regionenum.engine.walk.layer_kernel import (
    pull_back,
)
from regionenum.engine.walk.rank_kernel import order_units
from regionenum.engine.walk.state import (
    CELLS,
    CHILDREN,
    CHILDREN_SO_FAR,
    ISSUED,
    MAX_CHILDREN,
    NUMBER,
    OPEN,
    RANK,
    UNSPLIT,
    make_walk,
)
from regionenum.engine.walk.tally_kernel import close_cells, count_cell
from regionenum.network.units import IDENTITY, RELU, Units, leaky_relu
from tests.exploring import explore
from tests.line import chain, relu_chain
from tests.pulled_back import STAIRS
from tests.random_cells import seeds

BUDGET = settings(max_examples=40, deadline=None)


# --- Certificates


def certificate_tables(n):
    """A layer of n ReLUs, and one of 2."""
    network = relu_chain((np.ones((n, 1)), np.zeros(n)), (np.ones((2, n)), np.zeros(2)), (np.ones((1, 2)), np.zeros(1)))
    tables = make_tables(Problem.over(network, Box(-1.0, 1.0)))
    return tables, make_certificates(tables)


def test_cuts_get_slots_while_there_are_any():
    tables, kept = certificate_tables(SLOTS + 3)
    for c in range(SLOTS + 3):
        give_slot(kept, 0, c)
    assert kept.slot[:SLOTS].tolist() == list(range(SLOTS))
    assert (kept.slot[SLOTS : SLOTS + 3] == WITHOUT_SLOT).all()
    assert kept.used.tolist() == [SLOTS, 0]
    kept.learned[:] = 3
    kept.slot[-2:] = 1
    forget(tables.at, kept, 0)
    assert (kept.slot[: SLOTS + 3] == DECIDED_AT_ENTRY).all()
    assert (kept.slot[-2:] == 1).all()
    assert kept.used[0] == 0
    assert not kept.learned[0].any()
    assert kept.learned[1].all()


def test_a_certificate_answers_where_its_cuts_are_on_the_same_sides():
    tables, kept = certificate_tables(SLOTS + 3)
    for c in (0, 1, 2, 3):
        give_slot(kept, 0, c)
    sides = np.zeros(len(kept.slot), np.int8)
    sides[[1, 3]] = 1
    assert implied(kept, 0, 0, -1, -1) == (-1, 0)
    # proved by cut 1 positive and cut 2 negative, a constraint of the domain decided before, and a line of no cut
    learn(tables.at, kept, sides, 0, 0, np.array([1, 2, 4, 900]), 4, 1, 0)
    assert kept.book[0, 0, 0].tolist() == [1 << 1, 1 << 2, 1, 0]
    assert implied(kept, 0, 0, 1 << 1, 1 << 2) == (1, 0)
    assert implied(kept, 0, 0, 1 << 1 | 1 << 3, 1 << 2) == (1, 0)
    for plus, minus in ((1 << 1, 0), (0, 1 << 2), (1 << 1 | 1 << 2, 0), (0, 1 << 1 | 1 << 2)):
        assert implied(kept, 0, 0, plus, minus) == (-1, 0)
    # of another slot, nothing is known
    assert implied(kept, 0, 1, -1, -1) == (-1, 0)
    learn(tables.at, kept, sides, 0, 0, np.array([3]), 1, 0, 1)
    assert kept.book[0, 0, 1, [PLUS, MINUS, SIDE, DOUBTFUL_TOO]].tolist() == [1 << 3, 0, 0, 1]
    assert implied(kept, 0, 0, 1 << 3, 0) == (0, 1)
    # only the first n lines count
    learn(tables.at, kept, sides, 0, 1, np.array([3, 2]), 1, 0, 0)
    assert implied(kept, 0, 1, 1 << 3, 0) == (0, 0)


def test_what_a_cut_without_a_slot_proves_is_not_kept():
    tables, kept = certificate_tables(SLOTS + 3)
    for c in range(SLOTS + 3):
        give_slot(kept, 0, c)
    sides = np.zeros(len(kept.slot), np.int8)
    learn(tables.at, kept, sides, 0, 0, np.array([1, SLOTS + 1]), 2, 1, 0)
    assert kept.learned[0, 0] == 0
    learn(tables.at, kept, sides, 0, 0, np.array([SLOTS - 1]), 1, 1, 0)
    assert implied(kept, 0, 0, 0, 1 << SLOTS - 1) == (1, 0)


def test_the_oldest_certificate_gives_way():
    tables, kept = certificate_tables(SLOTS)
    for c in range(SLOTS):
        give_slot(kept, 0, c)
    sides = np.ones(len(kept.slot), np.int8)
    for c in range(1, KEPT + 2):
        learn(tables.at, kept, sides, 0, 0, np.array([c]), 1, 1, 0)
    assert kept.learned[0, 0] == KEPT + 1
    assert implied(kept, 0, 0, 1 << 1, 0) == (-1, 0)
    for c in range(2, KEPT + 2):
        assert implied(kept, 0, 0, 1 << c, 0) == (1, 0)


def test_a_layer_with_more_open_cuts_than_slots():
    """Lines in the plane, of a pencil and parallel to each other: the closed form, with certificates for some only."""
    n = SLOTS + 14
    slopes = np.arange(1, n // 2 + 1)
    pencil = np.stack([slopes, -np.ones(len(slopes))], axis=1)
    levels = np.arange(n - len(slopes))
    parallel = np.stack([np.zeros(len(levels)), np.ones(len(levels))], axis=1)
    weight, bias = np.concatenate([pencil, parallel]), np.concatenate([np.zeros(len(slopes)), -(levels + 1.0)])
    network = chain((weight, bias, Units.pointwise(RELU, n)))
    # exact answers, of which there would be many at the apex, are not kept
    found = explore(CompiledEngine(), Problem.over(network, WholeSpace()), exact=False)
    # each parallel line meets every line of the pencil in a point of its own
    assert found.regions == 2 * len(slopes) + len(levels) * (len(slopes) + 1)
    assert found.counters.reused > 0
    assert n > certificates.SLOTS


def test_certificates_of_a_layer_forget_the_sides_of_the_one_before():
    """A layer that cuts at 0, and one that cuts each side twice; the first of its cuts implies the second on one of its sides.

    By then the only cut of the layer before is on that side, with the same slot as the first of these.
    """
    first = np.array([[1.0]]), np.zeros(1), Units.pointwise(leaky_relu(0.5), 1)
    second = np.ones((4, 1)), np.array([0.375, 0.125, -0.75, -0.25]), Units.pointwise(RELU, 4)
    found = explore(CompiledEngine(), Problem.over(chain(first, second), Box(-1.0, 1.0)))
    assert found.regions == 6


# --- Counting


def test_children_are_added_up_when_no_more_can_come():
    network = relu_chain((np.eye(2), np.zeros(2)), (np.eye(2), np.zeros(2)), (np.ones((1, 2)), np.zeros(1)))
    problem = Problem.over(network, Box(-1.0, 1.0))
    tables = make_tables(problem)
    walk = make_walk(tables, 0, 4)
    tally, path = walk.tally, walk.tally.path
    path[RANK, 0], path[OPEN, 0] = 2, 1
    order_units(tables.at, tables.units, walk.certificates.slot, walk.ranks, 0)
    order_units(tables.at, tables.units, walk.certificates.slot, walk.ranks, 1)
    images = walk.images

    def cell(layer, *pieces):
        at = tables.at[layer, UNIT]
        images.piece[at : at + 2] = images.cut_side[at : at + 2] = pieces
        if layer:
            pull_back(tables, images, layer)
        assert count_cell(tables.at, tables.units, images, walk.ranks, tables.output, tally, walk.questions, layer)

    cell(0, 1, 1)  # rank 2, with three children
    cell(1, 1, 1)
    cell(1, 0, 1)
    cell(1, 0, 0)
    cell(0, 0, 1)  # rank 1, with one
    assert tally.statistics[CHILDREN, 1].tolist() == [0, 0, 3]
    cell(1, 1, 1)
    cell(0, 0, 0)  # rank 0, not yet closed
    cell(1, 0, 0)
    assert tally.statistics[CELLS].tolist() == [[0, 0, 0], [1, 1, 1], [2, 2, 1]]
    assert path[ISSUED, 0] == 8
    assert path[NUMBER].tolist() == [0, 6, 7]
    assert path[CHILDREN_SO_FAR].tolist() == [3, 1, 0]
    assert path[OPEN].tolist() == [1, 1, 0]
    assert tally.output.tolist() == [2, 3, 0]
    close_cells(tables.at, tally, 1)
    assert tally.statistics[CHILDREN].tolist() == [[0, 0, 0], [1, 1, 3], [0, 0, 0]]
    assert tally.statistics[UNSPLIT].tolist() == [[0, 0, 0], [1, 1, 0], [0, 0, 0]]
    assert path[OPEN].tolist() == [1, 0, 0]
    # the cells after layer 0 by the ranks of their children, and those by the rank of the sum of their units
    assert tally.transitions[1].tolist() == [[1, 0, 0], [0, 1, 0], [1, 1, 1]]
    assert tally.transitions[2].tolist() == [[2, 0, 0], [0, 2, 0], [0, 1, 0]]
    assert tally.spread[1, :, :3].tolist() == [[1, 0, 0], [1, 0, 0], [0, 1, 0]]
    close_cells(tables.at, tally, 0)
    assert tally.statistics[CHILDREN, 0].tolist() == [0, 0, 3]
    assert tally.statistics[MAX_CHILDREN].tolist() == [[0, 0, 3], [1, 1, 3], [0, 0, 0]]
    assert not path[CHILDREN_SO_FAR].any()
    before = tally.statistics.copy()
    close_cells(tables.at, tally, 0)
    np.testing.assert_array_equal(tally.statistics, before)
    assert tally.counters[DOUBTFUL_RANKS] >= 0
    assert tally.counters[TESTS] == 0


def test_a_rank_in_doubt_is_counted_or_asked():
    """Two rows that nearly depend on each other, over a box that rounds."""
    network = relu_chain((np.array([[1.0, 1.0], [1.0, 1.0 + 2.0**-50]]), np.ones(2)), (np.ones((1, 2)), np.zeros(1)))
    problem = Problem.over(network, Box(0.0, 0.7))
    believed, asked = (explore(CompiledEngine(), problem, exact=exact) for exact in (False, True))
    assert believed.counters.doubtful_ranks == 1
    assert asked.counters.resolved == 1
    assert asked.statistics.cells[-1].tolist() == [0, 0, 1]


# --- Groups


@given(keys=st.lists(st.integers(0, 5), min_size=1, max_size=60), seed=seeds)
@BUDGET
def test_candidates_are_sorted_by_value_and_number(keys, seed):
    n = len(keys)
    listed = np.random.default_rng(seed).permutation(n + 3)[:n]
    key = np.array(keys, np.float64) / 3.0
    expected = sorted(zip(key.tolist(), listed.tolist(), strict=True))
    _sort(key, listed, n)
    assert list(zip(key.tolist(), listed.tolist(), strict=True)) == expected
    for a in range(n - 1):
        assert _is_before(key, listed, a, a + 1)
        assert not _is_before(key, listed, a + 1, a)


def maximum_over(rows, bias):
    """A maximum over rows of the plane."""
    return chain((np.asarray(rows, np.float64), np.asarray(bias, np.float64), Units.maxima([np.arange(len(rows))])))


def tents(n):
    """n functions tangent to a parabola over the first coordinate, each largest somewhere in (-1, 1)."""
    at = (np.arange(n) + 0.5) * 2.0 / n - 1.0
    return np.stack([2.0 * at, np.zeros(n)], axis=1), -(at**2)


@pytest.mark.parametrize("copies", [1, 3, 40])
def test_equal_candidates_are_one_from_the_start(copies):
    """7 functions, each of them so many times: as many tests as for 7."""
    rows, bias = tents(7)
    order = np.random.default_rng(1).permutation(7 * copies)
    network = maximum_over(np.tile(rows, (copies, 1))[order], np.tile(bias, copies)[order])
    found = explore(CompiledEngine(), Problem.over(network, Box(-1.0, 1.0)))
    single = explore(CompiledEngine(), Problem.over(maximum_over(rows, bias), Box(-1.0, 1.0)))
    assert found.regions == single.regions == 7
    assert found.counters.tests <= 7 * 7 + 7
    assert not found.counters.doubtful


def test_candidates_that_are_equal_on_a_cell_only_are_one_as_well():
    """They differ as functions of the units before, which are 0 or equal here: 300 rows of 7 functions."""
    rows, bias = tents(7)
    rng = np.random.default_rng(2)
    # units: x_0, x_1, and three that are 0 on the box
    first = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    first_bias = np.array([0.0, 0.0, -1.0, -2.0, -3.0])
    functions = [IDENTITY, IDENTITY, RELU, RELU, RELU]
    second = np.concatenate([np.tile(rows, (43, 1))[:300], rng.integers(-9, 9, (300, 3)) / 2.0], axis=1)
    network = chain(
        (first, first_bias, Units.each(functions)), (second, np.tile(bias, 43)[:300], Units.maxima([np.arange(300)]))
    )
    found = explore(CompiledEngine(), Problem.over(network, Box(-1.0, 1.0)), exact=False)
    assert found.regions == 7
    assert found.counters.tests < 200


# --- Subtrees


@pytest.mark.parametrize("exact", [True, False], ids=["exact", "believed"])
@given(seed=seeds, steps=st.integers(1, 40))
@settings(max_examples=20, deadline=None)
def test_subtrees_loaded_again_give_what_is_left(exact, seed, steps):
    """A walk that is broken off after some tests, and gone on with from the decisions of each subtree alone."""
    rng = np.random.default_rng(seed)
    network = chain(
        (rng.normal(size=(4, 2)), rng.normal(size=4) / 2, Units.pointwise(leaky_relu(0.1), 4)),
        (rng.normal(size=(5, 4)), rng.normal(size=5) / 2, Units.maxima([[0, 1, 2], [3, 4], [0, 4]])),
        (rng.normal(size=(3, 3)), rng.normal(size=3) / 2, Units.pointwise(STAIRS, 3)),
    )
    problem = Problem.over(network, Box(-1.0, 1.0))
    whole = explore(CompiledEngine(), problem, exact=exact)
    explorer = CompiledEngine().explorer(problem, Options(exact=exact))
    waiting, cells, doubts = [explorer.root], np.zeros_like(whole.statistics.cells), 0
    while waiting:
        explorer.start(waiting.pop())
        batch = explorer.step(steps)
        cells += batch.statistics.cells
        doubts += batch.counters.doubtful + batch.counters.doubtful_ranks
        if not explorer.finished:
            waiting += explorer.rest().subtrees
    doubts += whole.counters.doubtful + whole.counters.doubtful_ranks
    assert not (exact and doubts)
    assert doubts or np.array_equal(cells[1:], whole.statistics.cells[1:])
