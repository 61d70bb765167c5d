"""Kernels of the walk, one by one: rows pulled back, signs, ranks, groups, certificates, counting, subtrees."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regionenum.domain import Box, WholeSpace
from regionenum.engine.compiled import CompiledEngine
from regionenum.engine.counters import DOUBTFUL, DOUBTFUL_RANKS, TESTS
from regionenum.engine.interface import Options, Problem
from regionenum.engine.tables import CUT, ROW, UNIT, make_tables
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
    ALWAYS_ABOVE,
    ALWAYS_BELOW,
    FLAT,
    HOPELESS,
    LEVEL_ZERO,
    STEEP,
    branch,
    decide,
    make_images,
    norm,
    pull_back,
    read_cut,
    read_difference,
    read_row,
    scale_normal,
    sign_on_cube,
)
from regionenum.engine.walk.rank_kernel import layer_rank, make_ranks, order_units
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
from regionenum.network.layers import Layer, Network
from regionenum.network.units import ABSOLUTE, IDENTITY, RELU, PiecewiseLinear, Units, clamp, leaky_relu
from tests.exploring import explore
from tests.line import chain, relu_chain
from tests.oracles import fractions, pivots
from tests.random_cells import seeds

BUDGET = settings(max_examples=40, deadline=None)
STAIRS = PiecewiseLinear((-1.0, 0.3, 0.7), (1.0, 0.1, -2.0, 0.7), (0.3, -0.6, 0.03, -1.86))


class Prepared(NamedTuple):
    """A problem in tables, with the state that kernels change."""

    tables: object
    images: object
    ranks: object


def prepare(network, domain):
    tables = make_tables(Problem.over(network, domain))
    return Prepared(tables, make_images(tables), make_ranks(tables))


# --- Rows pulled back


class Exact(NamedTuple):
    """Rows as exact functions constant + normal . z."""

    constants: list[Fraction]
    normals: list[list[Fraction]]


def first_rows(layer, dim, lower, width):
    """Rows of the first layer in the coordinates of the unit cube."""
    constants, normals = [], []
    for w, b in zip(map(fractions, layer.weight), fractions(layer.bias), strict=True):
        normals.append([c * Fraction(width) for c in w])
        constants.append(b + sum(c * Fraction(lower) for c in w))
    return Exact(constants, normals)


def exact_rows(layer, rows, branches):
    """Rows of the next layer, given (row, slope, intercept) of every unit."""
    dim = len(rows.normals[0])
    constants, normals = [], []
    for w, b in zip(map(fractions, layer.weight), fractions(layer.bias), strict=True):
        total, normal = b, [Fraction(0)] * dim
        for c, (row, slope, intercept) in zip(w, branches, strict=True):
            s = Fraction(slope)
            total += c * (s * rows.constants[row] + Fraction(intercept))
            normal = [n + c * s * m for n, m in zip(normal, rows.normals[row], strict=True)]
        constants.append(total)
        normals.append(normal)
    return Exact(constants, normals)


def assert_within_bounds(prepared, layer, rows):
    """Both bounds hold for every row, and are no larger than rounding could be by far; returns the largest relative one."""
    tables, images = prepared.tables, prepared.images
    for n, (constant, normal) in enumerate(zip(rows.constants, rows.normals, strict=True)):
        found = np.zeros(tables.dim)
        level = read_row(tables.at, images.image, layer, n, found)
        error_one = Fraction(images.error_one[tables.at[layer, ROW] + n])
        error_linear = Fraction(images.error_linear[tables.at[layer, ROW] + n])
        assert abs(Fraction(level) - constant) <= error_one
        assert sum(abs(Fraction(a) - b) for a, b in zip(found, normal, strict=True)) <= error_linear


def decided(prepared, layer, sides):
    """Decide all cuts of a layer by chance; returns the exact branches."""
    tables, images = prepared.tables, prepared.images
    for c in range(tables.at[layer, CUT], tables.at[layer + 1, CUT]):
        if tables.cuts.unit[c] >= 0:
            decide(tables.cuts, images.cut_side, images.piece, c, int(sides[c % len(sides)]))
    return [branch(tables.units, images, u) for u in range(tables.at[layer, UNIT], tables.at[layer + 1, UNIT])]


FUNCTIONS = (RELU, leaky_relu(0.1), STAIRS, ABSOLUTE, IDENTITY, clamp(-0.3, 0.7), leaky_relu(-1.7))


@given(
    seed=seeds,
    dim=st.integers(1, 4),
    widths=st.lists(st.integers(1, 6), min_size=2, max_size=4),
    scale=st.sampled_from([1.0, 1e-9, 1e9, 1e40]),
    biased=st.booleans(),
    sparse=st.booleans(),
)
@BUDGET
def test_pulled_back_rows_are_within_their_bounds(seed, dim, widths, scale, biased, sparse):
    """Weights that are not exact in products, and slopes like 0.1: without the bounds, every row here is wrong."""
    rng = np.random.default_rng(seed)
    layers, n_in = [], dim
    for k, width in enumerate(widths):
        weight = rng.normal(size=(width, n_in)) * scale ** rng.choice([-1, 0, 1])
        if sparse:
            weight *= rng.random(size=weight.shape) < 0.3
        bias = rng.normal(size=width) * biased
        functions = [FUNCTIONS[i] for i in rng.integers(0, len(FUNCTIONS), width)]
        functions[0] = leaky_relu(0.1)
        layers.append(Layer(f"{k}", weight, bias, Units.each(functions)))
        n_in = width
    network = Network(tuple(layers), (dim,))
    lower, upper = -0.7, 1.1
    width = upper - lower
    prepared = prepare(network, Box(lower, upper))
    rows = first_rows(layers[0], dim, lower, width)
    assert_within_bounds(prepared, 0, rows)
    for layer in range(1, len(layers)):
        branches = decided(prepared, layer - 1, rng.integers(0, 2, 7))
        pull_back(prepared.tables, prepared.images, layer)
        rows = exact_rows(layers[layer], rows, branches)
        assert_within_bounds(prepared, layer, rows)


def test_the_bounds_are_needed_and_not_wasteful():
    """Rounding happens, by a share of the bound that is neither 0 nor 1."""
    rng = np.random.default_rng(5)
    network = chain(
        (rng.normal(size=(30, 3)), rng.normal(size=30), Units.pointwise(leaky_relu(0.1), 30)),
        (rng.normal(size=(30, 30)), rng.normal(size=30), Units.pointwise(RELU, 30)),
    )
    prepared = prepare(network, Box(0.0, 1.0))
    branches = decided(prepared, 0, rng.integers(0, 2, 31))
    pull_back(prepared.tables, prepared.images, 1)
    rows = exact_rows(network.layers[1], first_rows(network.layers[0], 3, 0.0, 1.0), branches)
    tables, images = prepared.tables, prepared.images
    shares = []
    for n in range(30):
        normal = np.zeros(3)
        constant = read_row(tables.at, images.image, 1, n, normal)
        off = sum(abs(Fraction(a) - b) for a, b in zip(normal, rows.normals[n], strict=True))
        shares.append(float(off) / images.error_linear[tables.at[1, ROW] + n])
        shares.append(float(abs(Fraction(constant) - rows.constants[n])) / images.error_one[tables.at[1, ROW] + n])
    assert 1e-4 < max(shares) <= 1.0
    assert images.error_one.max() < 1e-10


def test_a_row_that_copies_a_unit_is_as_exact_as_that():
    rng = np.random.default_rng(2)
    weight = rng.normal(size=(3, 2))
    copies = np.array([[1.0, 0.0, 0.0], [0.0, -4.0, 0.0], [0.0, 0.0, 0.5], [1.0, 1.0, 0.0], [0.0, 3.0, 0.0]])
    network = relu_chain((weight, np.zeros(3)), (copies, np.zeros(5)), (np.ones((1, 5)), np.zeros(1)))
    # over [0, 1]^2 nothing of the first layer is rounded
    prepared = prepare(network, Box(0.0, 1.0))
    tables, images = prepared.tables, prepared.images
    at = tables.at[1, ROW]
    assert not images.error_one[:at].any()
    assert not images.error_linear[:at].any()
    images.piece[:3] = images.cut_side[:3] = 1
    pull_back(tables, images, 1)
    assert not images.error_linear[at : at + 3].any()
    assert (images.error_linear[at + 3 : at + 5] > 0).all()
    # without biases the constant is exact
    assert not images.error_one[at : at + 5].any()
    # over a box that is rounded, the error comes along with the factor
    prepared = prepare(network, Box(0.0, 0.7))
    tables, images = prepared.tables, prepared.images
    images.piece[:3] = images.cut_side[:3] = 1
    pull_back(tables, images, 1)
    assert (images.error_linear[:3] > 0).all()
    np.testing.assert_array_equal(images.error_linear[at : at + 3], images.error_linear[:3] * np.array([1.0, 4.0, 0.5]))
    # a unit that is 0 is copied as 0
    images.piece[:3] = images.cut_side[:3] = 0
    pull_back(tables, images, 1)
    assert not images.error_linear[at : at + 3].any()


def test_copies_are_not_exact_under_a_slope_that_rounds():
    network = chain(
        (np.array([[1.0]]), np.zeros(1), Units.pointwise(leaky_relu(0.1), 1)),
        (np.array([[1.0]]), np.zeros(1), Units.pointwise(RELU, 1)),
    )
    tables, images, _ = prepare(network, Box(-1.0, 1.0))
    for side, exact in ((0, False), (1, True)):
        images.piece[0] = images.cut_side[0] = side
        pull_back(tables, images, 1)
        assert (images.error_linear[1] == 0.0) == exact
        assert (images.error_one[1] == 0.0) == exact or side == 1


def test_rows_that_could_overflow_are_hopeless():
    network = relu_chain(
        (np.array([[1e200, 1e200]]), np.zeros(1)),
        (np.array([[1e200], [1.0]]), np.zeros(2)),
        (np.ones((1, 2)), np.zeros(1)),
    )
    tables, images, _ = prepare(network, Box(0.0, 1.0))
    images.piece[0] = images.cut_side[0] = 1
    with np.errstate(over="ignore"):
        pull_back(tables, images, 1)
    at = tables.at[1, ROW]
    normal = np.zeros(2)
    # the second row copies the unit, and is no better for it
    for n in range(2):
        constant, error_one, error_linear = read_cut(tables.at, tables.one, tables.cuts, images, 1, 1 + n, normal)
        assert np.isfinite(normal).all()
        assert error_linear >= HOPELESS
        assert sign_on_cube(tables.one, constant, normal, error_one, error_linear) in (STEEP, FLAT)
    assert images.error_linear[at] >= HOPELESS


def test_what_underflows_has_a_bound_that_is_not_zero():
    network = relu_chain(
        (np.array([[1e-200]]), np.zeros(1)), (np.array([[3e-200]]), np.zeros(1)), (np.ones((1, 1)), np.zeros(1))
    )
    tables, images, _ = prepare(network, Box(0.0, 1.0))
    images.piece[0] = images.cut_side[0] = 1
    pull_back(tables, images, 1)
    normal = np.zeros(1)
    read_row(tables.at, images.image, 1, 0, normal)
    truth = Fraction(1e-200) * Fraction(3e-200)
    assert abs(Fraction(normal[0]) - truth) <= Fraction(images.error_linear[1])
    assert images.error_linear[1] > 0


@given(seed=seeds, dim=st.integers(1, 4))
@BUDGET
def test_rows_minus_a_value_or_a_row_are_within_their_bounds(seed, dim):
    """Of breakpoints like 0.3, and of maxima."""
    rng = np.random.default_rng(seed)
    weight, bias = rng.normal(size=(3, dim)), rng.normal(size=3)
    network = chain((weight, bias, Units.pointwise(STAIRS, 3)), (np.ones((1, 3)), np.zeros(1), None))
    for domain, lower, width in ((Box(-0.7, 1.1), -0.7, 1.1 - -0.7), (WholeSpace(), 0.0, 1.0)):
        tables, images, _ = prepare(network, domain)
        normal = np.zeros(tables.dim)
        if isinstance(domain, Box):
            exact = first_rows(network.layers[0], dim, lower, width)
            for c in range(9):
                constant, error_one, error_linear = read_cut(tables.at, tables.one, tables.cuts, images, 0, c, normal)
                row, value = tables.cuts.row[c], Fraction(tables.cuts.value[c])
                assert abs(Fraction(constant) - (exact.constants[row] - value)) <= Fraction(error_one)
                off = sum(abs(Fraction(a) - b) for a, b in zip(normal, exact.normals[row], strict=True))
                assert off <= Fraction(error_linear)
            constant, error_one, error_linear = read_difference(tables.at, tables.one, images, 0, 0, 2, normal)
            assert abs(Fraction(constant) - (exact.constants[0] - exact.constants[2])) <= Fraction(error_one)
            off = sum(
                abs(Fraction(a) - b + c) for a, b, c in zip(normal, exact.normals[0], exact.normals[2], strict=True)
            )
            assert off <= Fraction(error_linear)
        else:
            # homogeneous: the value belongs to the coefficient of t, the last of the normal
            for c in range(9):
                constant, error_one, error_linear = read_cut(tables.at, tables.one, tables.cuts, images, 0, c, normal)
                row, value = tables.cuts.row[c], Fraction(tables.cuts.value[c])
                assert abs(Fraction(normal[tables.free]) - (Fraction(bias[row]) - value)) <= Fraction(error_one)


# --- Signs


@pytest.mark.parametrize(
    ("constant", "normal", "errors", "sign"),
    [
        (-0.5, [1.0, 0.0], (0.0, 0.0), STEEP),
        (-1.5, [1.0, 0.25], (0.0, 0.0), ALWAYS_BELOW),
        (-1.5, [1.0, 0.25], (0.5, 0.0), STEEP),
        (-1.5, [1.0, 0.25], (0.0, 0.5), STEEP),
        (0.5, [1.0, -0.25], (0.0, 0.0), ALWAYS_ABOVE),
        (0.5, [1.0, -0.25], (0.5, 0.0), STEEP),
        (0.0, [0.0, 0.0], (0.0, 0.0), LEVEL_ZERO),
        (2.0**-1000, [0.0, 0.0], (0.0, 0.0), ALWAYS_ABOVE),
        (-(2.0**-1000), [0.0, 0.0], (0.0, 0.0), ALWAYS_BELOW),
        (2.0**-60, [0.0, 0.0], (2.0**-60, 0.0), FLAT),
        (0.0, [0.0, 0.0], (2.0**-60, 0.0), FLAT),
        (0.0, [0.0, 0.0], (0.0, 2.0**-60), FLAT),
        (0.0, [2.0**-60, 0.0], (0.0, 2.0**-60), FLAT),
        (0.0, [2.0**-58, 0.0], (0.0, 2.0**-60), STEEP),
        (1.0, [2.0**-60, 0.0], (0.0, 2.0**-60), ALWAYS_ABOVE),
        (-(2.0**-1000), [2.0**-1000, 2.0**-1000], (0.0, 0.0), STEEP),
    ],
)
def test_sign_on_the_unit_cube(constant, normal, errors, sign):
    assert sign_on_cube(0, constant, np.array(normal), *errors) == sign


@pytest.mark.parametrize(
    ("constant", "normal", "errors", "sign"),
    [
        # a . y' + b t with a = 0: the sign of b, however small
        (0.0, [0.0, 2.0**-900], (0.0, 0.0), ALWAYS_ABOVE),
        (0.0, [0.0, -(2.0**-900)], (0.0, 0.0), ALWAYS_BELOW),
        (0.0, [0.0, 0.0], (0.0, 0.0), LEVEL_ZERO),
        (0.0, [0.0, 1.0], (2.0, 0.0), FLAT),
        # a slope, however small, matters far out
        (-(2.0**-40), [2.0**-39, 1.0], (0.0, 0.0), STEEP),
        (-(2.0**-40), [2.0**-39, 1.0], (0.0, 2.0**-38), FLAT),
        (-(2.0**-40), [2.0**-39, 1.0], (2.0**-38, 0.0), STEEP),
        (-1.0, [2.0, 0.0], (0.0, 0.0), STEEP),
    ],
)
def test_sign_in_the_whole_space(constant, normal, errors, sign):
    """One input: z = ((y' + 1) / 2, t), and t is the last coordinate, line 2."""
    assert sign_on_cube(2, constant, np.array(normal), *errors) == sign


@given(seed=seeds, dim=st.integers(1, 5))
@BUDGET
def test_a_sign_on_the_cube_is_true_of_all_corners(seed, dim):
    """Also for functions that miss a corner by a bit in the last place."""
    rng = np.random.default_rng(seed)
    normal = rng.normal(size=dim)
    top = float(sum(map(Fraction, np.maximum(normal, 0.0))))
    for constant in (-top, np.nextafter(-top, -9.0), np.nextafter(-top, 9.0), -2.0 * top, 0.5):
        highest = Fraction(constant) + sum(map(Fraction, np.maximum(normal, 0.0)))
        lowest = Fraction(constant) + sum(map(Fraction, np.minimum(normal, 0.0)))
        sign = sign_on_cube(0, float(constant), normal, 0.0, 0.0)
        if sign == ALWAYS_BELOW:
            assert highest <= 0
        elif sign == ALWAYS_ABOVE:
            assert lowest >= 0
        else:
            assert sign == STEEP


def test_norms_of_tiny_and_huge_vectors():
    assert norm(np.array([3e-200, 4e-200])) == pytest.approx(5e-200)
    assert norm(np.array([3e200, -4e200])) == pytest.approx(5e200)
    assert norm(np.zeros(3)) == 0.0
    normal = np.array([1.0, -2.0])
    assert scale_normal(3.0, normal, -1.0) == -3.0
    assert normal.tolist() == [-1.0, 2.0]


# --- Decisions


def test_a_unit_of_several_breakpoints_counts_its_cuts():
    network = chain((np.ones((3, 1)), np.zeros(3), Units.each([STAIRS, IDENTITY, clamp(-1.0, 1.0)])))
    tables, images, _ = prepare(network, Box(-2.0, 2.0))
    # cuts 0, 1, 2 are those of the stairs, 3 and 4 of the clamp; decided in any order
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0)):
        images.cut_side[:] = 0
        images.piece[:] = 0
        for n, c in enumerate(order, 1):
            decide(tables.cuts, images.cut_side, images.piece, c, 1)
            assert images.piece.tolist() == [n, 0, 0]
        assert branch(tables.units, images, 0) == (0, 0.7, -1.86)
        decide(tables.cuts, images.cut_side, images.piece, 2, 0)
        assert branch(tables.units, images, 0) == (0, -2.0, 0.03)
    decide(tables.cuts, images.cut_side, images.piece, 4, 0)
    decide(tables.cuts, images.cut_side, images.piece, 3, 1)
    assert images.piece.tolist() == [2, 0, 1]
    assert branch(tables.units, images, 1) == (1, 1.0, 0.0)
    assert branch(tables.units, images, 2) == (2, 1.0, 0.0)


def test_the_side_of_a_constraint_is_no_piece():
    half_plane = Box(-1.0, 1.0)
    network = chain((np.ones((1, 1)), np.zeros(1), Units.pointwise(RELU, 1)))
    tables, images, _ = prepare(network, half_plane)
    cuts = tables.cuts._replace(unit=np.array([-1]))
    images.piece[0] = 7
    decide(cuts, images.cut_side, images.piece, 0, 1)
    assert images.cut_side[0] == 1
    assert images.piece[0] == 7


# --- Ranks


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
    for layer, description in enumerate(layers):
        if layer:
            pull_back(tables, images, layer)
            rows = exact_rows(description, rows, branches)  # noqa: F821  (of the layer before)
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


def test_nearly_parallel_rows_are_doubtful():
    """Whatever float64 says of them; a row that depends on others cannot be proved to."""
    for spread in (2.0**-50, 2.0**-51, 2.0**-52, 0.0):
        assert rank_of([[1.0, 1.0], [1.0, 1.0 + spread]])[1] > 0
    assert rank_of([[1.0, 1.0, 0.0], [1.0, -1.0, 0.0], [3.0, 1.0, 0.0]])[1] > 0


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


def test_a_layer_with_more_open_cuts_than_slots(monkeypatch):
    """Lines in the plane, of a pencil and parallel to each other: the closed form, with certificates for some only."""
    n = SLOTS + 14
    slopes = np.arange(1, n // 2 + 1)
    pencil = np.stack([slopes, -np.ones(len(slopes))], axis=1)
    levels = np.arange(n - len(slopes))
    parallel = np.stack([np.zeros(len(levels)), np.ones(len(levels))], axis=1)
    weight, bias = np.concatenate([pencil, parallel]), np.concatenate([np.zeros(len(slopes)), -(levels + 1.0)])
    network = chain((weight, bias, Units.pointwise(RELU, n)))
    found = explore(CompiledEngine(), Problem.over(network, WholeSpace()))
    # each parallel line meets every line of the pencil in a point of its own
    assert found.regions == 2 * len(slopes) + len(levels) * (len(slopes) + 1)
    assert found.counters.reused > 0
    assert n > certificates.SLOTS


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
        count_cell(tables.at, tables.units, images, walk.ranks, tally, layer)

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
    assert path[OPEN].tolist() == [1, 1, 1]
    close_cells(tally, 1)
    assert tally.statistics[CHILDREN].tolist() == [[0, 0, 0], [1, 1, 3], [0, 0, 0]]
    assert tally.statistics[UNSPLIT].tolist() == [[0, 0, 0], [1, 1, 0], [0, 0, 0]]
    assert path[OPEN].tolist() == [1, 0, 0]
    close_cells(tally, 0)
    assert tally.statistics[CHILDREN, 0].tolist() == [0, 0, 3]
    assert tally.statistics[MAX_CHILDREN].tolist() == [[0, 0, 3], [1, 1, 3], [0, 0, 0]]
    assert not path[CHILDREN_SO_FAR].any()
    before = tally.statistics.copy()
    close_cells(tally, 0)
    np.testing.assert_array_equal(tally.statistics, before)
    assert tally.counters[DOUBTFUL_RANKS] >= 0
    assert tally.counters[TESTS] == 0


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
    found = explore(CompiledEngine(), Problem.over(network, Box(-1.0, 1.0)))
    assert found.regions == 7
    assert found.counters.tests < 200


# --- Subtrees


@given(seed=seeds, steps=st.integers(1, 40))
@settings(max_examples=20, deadline=None)
def test_subtrees_loaded_again_give_what_is_left(seed, steps):
    """A walk that is broken off after some tests, and gone on with from the decisions of each subtree alone."""
    rng = np.random.default_rng(seed)
    network = chain(
        (rng.normal(size=(4, 2)), rng.normal(size=4) / 2, Units.pointwise(leaky_relu(0.1), 4)),
        (rng.normal(size=(5, 4)), rng.normal(size=5) / 2, Units.maxima([[0, 1, 2], [3, 4], [0, 4]])),
        (rng.normal(size=(3, 3)), rng.normal(size=3) / 2, Units.pointwise(STAIRS, 3)),
    )
    problem = Problem.over(network, Box(-1.0, 1.0))
    whole = explore(CompiledEngine(), problem)
    explorer = CompiledEngine().explorer(problem, Options())
    waiting, cells, doubts = [explorer.root], np.zeros_like(whole.statistics.cells), 0
    while waiting:
        explorer.start(waiting.pop())
        batch = explorer.step(steps)
        cells += batch.statistics.cells
        doubts += batch.counters.doubtful + batch.counters.doubtful_ranks
        if not explorer.finished:
            waiting += explorer.rest().subtrees
    assert doubts or whole.counters.doubtful or np.array_equal(cells[1:], whole.statistics.cells[1:])
    assert DOUBTFUL != DOUBTFUL_RANKS
