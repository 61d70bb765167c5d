"""Ranks of layers on a cell: right, or doubtful."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from regionenum.domain import Box
from regionenum.engine.tables import CUT, UNIT
from regionenum.engine.walk.certificate_kernel import (
    DECIDED_AT_ENTRY,
    WITHOUT_SLOT,
)
from regionenum.engine.walk.layer_kernel import (
    pull_back,
)
from regionenum.engine.walk.rank_kernel import _integer_rank, _reaches, layer_rank, order_units
from regionenum.network.layers import Layer, Network
from regionenum.network.units import IDENTITY, RELU, Units
from tests.line import chain
from tests.oracles import pivots
from tests.pulled_back import STAIRS, decided, exact_rows, first_rows, prepare
from tests.random_cells import seeds

BUDGET = settings(max_examples=40, deadline=None)


@given(seed=seeds, dim=st.integers(1, 5), widths=st.lists(st.integers(1, 6), min_size=2, max_size=3))
@BUDGET
def test_ranks_are_those_of_rational_elimination(seed, dim, widths):
    """Small integers, so that dependent rows are dependent. A wrong rank has a doubt; kept ranks are the same again."""
    rng = np.random.default_rng(seed)
    layers, n_in = [], dim
    for k, width in enumerate(widths):
        weight = rng.integers(-2, 3, (width, n_in)).astype(float)
        layers.append(Layer(f"{k}", weight, rng.integers(-4, 5, width) / 4, Units.pointwise(RELU, width)))
        n_in = width
    prepared = prepare(Network(tuple(layers), (dim,)), Box(0, 1))
    tables, images, ranks = prepared
    rows = first_rows(layers[0], dim, 0, 1)
    bound = dim
    branches: list[tuple[int, float, float]] = []
    for layer, description in enumerate(layers):
        if layer:
            pull_back(tables, images, layer)
            rows = exact_rows(description, rows, branches)
        branches = decided(prepared, layer, rng.integers(0, 2, 7))
        matrix = [[Fraction(s) * v for v in rows.normals[row]] for row, s, _ in branches]
        truth = len(pivots(matrix))
        start, n = tables.at[layer, UNIT], description.n_out
        ranks.order[start : start + n] = rng.permutation(n)
        rank, doubtful = layer_rank(tables.at, tables.units, images, ranks, layer, bound)
        assert rank == truth or doubtful
        assert layer_rank(tables.at, tables.units, images, ranks, layer, bound)[0] == rank
        # another piece of a late unit: what was kept of the others is used, and is right
        last = start + ranks.order[start + n - 1]
        images.piece[last] = images.cut_side[last] = 1 - images.piece[last]
        again, _ = layer_rank(tables.at, tables.units, images, ranks, layer, bound)
        ranks.length[layer] = 0
        assert layer_rank(tables.at, tables.units, images, ranks, layer, bound)[0] == again
        images.piece[last] = images.cut_side[last] = 1 - images.piece[last]
        ranks.length[layer] = 0
        bound, branches = truth, decided(prepared, layer, images.cut_side[tables.at[layer, CUT] :][:1].repeat(7))
        matrix = [[Fraction(s) * v for v in rows.normals[row]] for row, s, _ in branches]
        bound = len(pivots(matrix))


def relus(*weights):
    """ReLUs throughout, without biases."""
    return chain(*((w, np.zeros(len(w)), Units.pointwise(RELU, len(w))) for w in weights))


def rank_of(rows, domain=None):
    """(rank, doubts) of the rows of one layer, all of them passed on."""
    rows = np.array(rows, np.float64)
    tables, images, ranks = prepare(relus(rows), domain or Box(0, 1))
    images.piece[:] = images.cut_side[:] = 1
    ranks.order[:] = np.arange(len(rows))
    return layer_rank(tables.at, tables.units, images, ranks, 0, tables.free)


def test_ranks_that_are_proved_have_no_doubt():
    assert rank_of([[1.0, 0.0], [0.0, 1.0]]) == (2, 0)
    assert rank_of([[1.0, 1.0], [1.0, 1.0 + 2.0**-20]]) == (2, 0)
    assert rank_of([[0.0, 0.0], [0.0, 0.0]]) == (0, 0)
    assert rank_of([[1e-200, 0.0], [0.0, 1e200]]) == (2, 0)
    assert rank_of([[3.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 2.0, 1.0]])[0] == 2


ROUNDED = Box(0.0, 0.7)
"""Rows are rounded over this."""


def test_nearly_parallel_rows_are_doubtful():
    """Whatever float64 says of them; a row that depends on others cannot be proved to."""
    for spread in (2.0**-50, 2.0**-51, 2.0**-52, 0.0):
        assert rank_of([[1.0, 1.0], [1.0, 1.0 + spread]], ROUNDED)[1] > 0
    assert rank_of([[1.0, 1.0, 0.0], [1.0, -1.0, 0.0], [3.0, 1.0, 0.0]], ROUNDED)[1] > 0


def test_ranks_of_rows_that_are_not_rounded_are_found_in_integers():
    assert rank_of([[1.0, 1.0], [1.0, 1.0 + 2.0**-25]]) == (2, 0)
    assert rank_of([[1.0, 1.0], [-3.0, -3.0]]) == (1, 0)
    assert rank_of([[1.0, 1.0, 0.0], [1.0, -1.0, 0.0], [3.0, 1.0, 0.0]]) == (2, 0)
    assert rank_of([[0.5, 0.25, 0.0], [0.0, 0.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 7.0]]) == (2, 0)
    assert rank_of([[0.5, 0.25, 0.0], [0.25, -0.5, 0.0], [0.75, -0.25, 0.0]]) == (2, 0)
    # too large for the integers of a processor
    rows = [[float(2**29 + 1), 2.0**20 + 1, 1.0], [2.0**29 - 1, 2.0**21 + 3, 5.0], [2.0**28 + 7, 2.0**19 + 5, 3.0]]
    rows.append([sum(column) for column in zip(*rows[:2], strict=True)])
    assert rank_of(rows[:2] + rows[3:])[1] > 0


def test_elimination_in_integers():
    """Rows that have to change places; columns without a pivot; what the integers of a processor cannot hold."""
    for rows, rank in (
        ([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]], 2),
        ([[0.0, 0.0, 1.0], [0.0, 0.0, 3.0], [0.0, 2.0, 1.0]], 2),
        ([[0.0, 3.0, 5.0], [2.0, 7.0, 1.0], [4.0, 17.0, 7.0]], 2),
        ([[float(2**31 - 1), 1.0], [1.0, 1.0]], -1),
    ):
        tables, images, ranks = prepare(relus(np.array(rows)), Box(0, 1))
        images.piece[:] = 1
        assert _integer_rank(tables.at, tables.units, images, ranks, 0) == rank


def test_a_rank_that_reaches_its_bound_has_no_doubt():
    """The rows that follow need not be looked at."""
    assert rank_of([[1.0], [1.0], [3.0]]) == (1, 0)
    rows = np.array([[1.0, 0.0], [0.0, 1.0], [0.1, 0.3]])
    tables, images, ranks = prepare(relus(rows), Box(0, 1))
    images.piece[:] = images.cut_side[:] = 1
    ranks.order[:] = np.arange(3)
    assert layer_rank(tables.at, tables.units, images, ranks, 0, 0) == (0, 0)
    assert layer_rank(tables.at, tables.units, images, ranks, 0, 2) == (2, 0)
    assert ranks.length[0] == 2


def test_a_row_below_its_noise_is_counted():
    """0.1 a - 0.1 b over a rounded box, where a and b are nearly one: its slope is mostly rounding."""
    network = relus(np.array([[1.0], [1.0 + 2.0**-52]]), np.array([[0.1, -0.1]]))
    tables, images, ranks = prepare(network, Box(0.0, 0.7))
    images.piece[:] = images.cut_side[:] = 1
    pull_back(tables, images, 1)
    rank, doubtful = layer_rank(tables.at, tables.units, images, ranks, 1, 1)
    assert doubtful == 1
    assert rank in (0, 1)


def test_the_noise_of_rows_counts_where_they_are_nearly_parallel():
    """The second row is x + y and 2^30 times what is 0 but for the order of its sum, so it is x + y; in float64 it is not."""
    rounded = np.array([0.1, 0.2, 0.3, -0.3, -0.2, -0.1]) * 2.0**30
    assert sum(rounded.tolist()) > 1e-9
    first = np.array([[1.0, 0.0]] * 7 + [[0.0, 1.0]])
    second = np.array([[0.0] * 6 + [1.0, 1.0], [*rounded, 1.0, 1.0]])
    tables, images, ranks = prepare(relus(first, second), Box(0.0, 1.0))
    images.piece[:] = images.cut_side[:] = 1
    ranks.order[:] = [*range(8), 0, 1]
    pull_back(tables, images, 1)
    for _ in range(2):
        # the second time it is remembered
        rank, doubtful = layer_rank(tables.at, tables.units, images, ranks, 1, 2)
        assert rank == 1 or doubtful


def test_doubts_are_remembered_with_the_rank():
    """The same cell once more, and cells that differ in a late unit only."""
    rows = np.array([[1.0, 1.0], [1.0, 1.0 + 2.0**-40], [0.0, 0.0]])
    for spread, rank in ((0.0, 1), (2.0**-50, 1), (2.0**-30, 2)):
        rows[1, 1] = 1.0 + spread
        tables, images, ranks = prepare(relus(rows), ROUNDED)
        images.piece[:] = images.cut_side[:] = 1
        ranks.order[:] = np.arange(3)
        first = layer_rank(tables.at, tables.units, images, ranks, 0, 2)
        assert first[0] == rank
        assert (first[1] > 0) == (rank == 1)
        assert layer_rank(tables.at, tables.units, images, ranks, 0, 2) == first
        images.piece[2] = images.cut_side[2] = 0
        assert layer_rank(tables.at, tables.units, images, ranks, 0, 2)[0] == rank
        assert (layer_rank(tables.at, tables.units, images, ranks, 0, 2)[1] > 0) == (rank == 1)


def reaches(weights, bound, domain):
    """Whether the rows of the last of some layers, all of them passed on, are proved to have so large a rank."""
    tables, images, ranks = prepare(relus(*weights), domain)
    images.piece[:] = images.cut_side[:] = 1
    last = len(weights) - 1
    for layer in range(1, len(weights)):
        pull_back(tables, images, layer)
    return _reaches(tables.at, tables.units, images, ranks, last, bound)


def test_an_order_of_rows_proves_what_is_clear():
    assert reaches([np.eye(3)], 3, Box(0, 1))
    assert not reaches([np.eye(3)[:2]], 3, Box(0, 1))
    # in the order given, 2^-30 is lost in what the second row leaves of the first
    rows = np.array([[1.0, 0.0, 0.0], [1.0, 2.0**-30, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
    assert reaches([rows], 3, Box(0, 1))
    assert not reaches([rows[:3]], 3, Box(0, 1))


NEARLY_ONE = [[1.0, 0.0, 0.0, 0.0], [1.0, 2.0**-44, 0.0, 0.0]]
OTHERS = [[0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.1], [0.0, 1.0, 0.0, 0.0]]


def test_another_order_of_rows_ends_a_doubt():
    """In the order given, so little is left of the second row that the others are in doubt; the last one can replace it."""
    assert rank_of(NEARLY_ONE + OTHERS) == (4, 0)
    assert rank_of(NEARLY_ONE + OTHERS[:2])[1] > 0


def test_rows_are_taken_in_the_order_of_what_is_left_of_them():
    for rows in (NEARLY_ONE + OTHERS, OTHERS + NEARLY_ONE, [NEARLY_ONE[0], *OTHERS, NEARLY_ONE[1]]):
        assert reaches([np.array(rows)], 4, Box(0, 1))


@given(seed=seeds, dim=st.integers(2, 5))
@settings(max_examples=150, deadline=None)
def test_an_order_of_rows_proves_nothing_within_its_errors(seed, dim):
    """Rows that depend on others, in numbers that round as they are orthogonalised."""
    rng = np.random.default_rng(seed)
    basis = rng.integers(-9, 10, (dim - 1, dim)) * 2.0 ** rng.integers(-8, 9, (dim - 1, 1)).astype(float)
    basis[-1] = basis[0] + basis[-1] * 2.0 ** -rng.integers(0, 40)
    rows = np.concatenate([basis, rng.integers(-5, 6, (2, dim - 1)) @ basis])
    truth = len(pivots([[Fraction(v) for v in row] for row in rows.tolist()]))
    for bound in range(truth + 1, dim + 1):
        assert not reaches([rows[rng.permutation(len(rows))]], bound, Box(0, 1))


@given(seed=seeds, dim=st.integers(2, 4))
@settings(max_examples=60, deadline=None)
def test_an_order_of_rows_proves_nothing_within_their_noise(seed, dim):
    """A row, and the same with terms that cancel; in float64 they leave something, by the order of the sum."""
    rng = np.random.default_rng(seed)
    large = rng.standard_normal(3) * 2.0 ** rng.integers(10, 40)
    nothing = rng.permutation(np.append(large, -large))
    first = np.concatenate([np.eye(dim), np.repeat(np.eye(dim)[:1], 6, axis=0)])
    weights = rng.standard_normal((dim - 1, dim))
    rows = np.concatenate([np.pad(weights, ((0, 0), (0, 6))), np.append(weights[0], nothing)[None, :]])
    assert not reaches([first, rows], dim, Box(0, 1))


def test_an_order_of_rows_proves_nothing_within_their_bounds():
    """The second row is off by 300 roundings; it has an error of 32, as has the first, and another for its projection."""
    for n, clear in ((300, False), (2000, True)):
        assert reaches([np.array([[1.0, 0.0], [1.0, n * 2.0**-53]])], 2, Box(0, 1)) == clear


def test_units_are_ordered_by_when_they_are_decided():
    network = chain(
        (
            np.ones((6, 1)),
            np.zeros(6),
            Units(
                (RELU, STAIRS, IDENTITY),
                np.array([0, -1, 1, 2, 0, 1]),
                np.array([0, 1, 3, 4, 5, 6, 7]),
                np.array([0, 1, 2, 2, 3, 4, 5]),
            ),
        )
    )
    tables, _, ranks = prepare(network, Box(-1.0, 1.0))
    # cuts: 0 | 1 2 3 | 4 | 5 6 7 of units 0, 2, 4, 5
    slot = np.full(8, DECIDED_AT_ENTRY)
    slot[[0, 6]] = 3, WITHOUT_SLOT
    ranks.length[0] = 5
    order_units(tables.at, tables.units, slot, ranks, 0)
    assert ranks.order.tolist() == [2, 3, 4, 0, 5, 1]
    assert ranks.length[0] == 0
