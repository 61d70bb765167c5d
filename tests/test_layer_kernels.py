"""Rows of a layer on a cell: their bounds, their signs on the cube, and what units make of them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regionenum.domain import Box, WholeSpace
from regionenum.engine.tables import ROW
from regionenum.engine.walk.layer_kernel import (
    ALWAYS_ABOVE,
    ALWAYS_BELOW,
    FLAT,
    HOPELESS,
    LEVEL_ZERO,
    STEEP,
    branch,
    decide,
    norm,
    pull_back,
    read_cut,
    read_difference,
    read_row,
    scale_normal,
    sign_on_cube,
)
from regionenum.network.layers import Layer, Network
from regionenum.network.units import ABSOLUTE, IDENTITY, RELU, Units, clamp, leaky_relu
from tests.line import chain, relu_chain
from tests.pulled_back import STAIRS, decided, exact_rows, first_rows, prepare
from tests.random_cells import seeds

BUDGET = settings(max_examples=40, deadline=None)

# --- Rows pulled back


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


def test_errors_of_a_layer_are_handed_on_to_the_next():
    """A row that is 0 but for the order of its sum, and a layer that looks at no more than seven tenths of it."""
    weights = np.array([[0.1, 0.2, 0.3, -0.3, -0.2, -0.1]])
    assert sum(weights[0].tolist()) != 0.0
    network = chain(
        (np.ones((6, 1)), np.ones(6), Units.pointwise(RELU, 6)),
        (weights, np.zeros(1), Units.pointwise(RELU, 1)),
        (np.array([[0.7]]), np.zeros(1), Units.pointwise(RELU, 1)),
    )
    prepared = prepare(network, Box(0.0, 1.0))
    rows = first_rows(network.layers[0], 1, 0, 1)
    for layer in (1, 2):
        branches = decided(prepared, layer - 1, [1])
        pull_back(prepared.tables, prepared.images, layer)
        rows = exact_rows(network.layers[layer], rows, branches)
        assert rows.constants == rows.normals[0] == [0]
        assert_within_bounds(prepared, layer, rows)
    assert prepared.images.image[-1] != 0.0


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
        assert sign_on_cube(tables.one, constant, normal, error_one, error_linear, 0) in (STEEP, FLAT)
    assert images.error_linear[at] >= HOPELESS


def test_what_overflowed_has_no_bound_in_the_next_layer():
    """Nor anything that is made of a unit with it, though its weight be 0: infinity times 0 is no bound."""
    network = relu_chain(
        (np.array([[1e308], [1.0]]), np.zeros(2)),
        (np.array([[0.0, 1.0], [1.0, 1.0]]), np.zeros(2)),
        (np.ones((1, 2)), [0]),
    )
    tables, images, _ = prepare(network, Box(-1e10, 1e10))
    images.piece[:] = images.cut_side[:] = 1
    pull_back(tables, images, 1)
    at = tables.at[1, ROW]
    assert not np.isnan(images.error_one).any()
    assert not np.isnan(images.error_linear).any()
    assert (images.error_linear[at : at + 2] >= HOPELESS).all()


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
    assert sign_on_cube(0, constant, np.array(normal), errors[0], errors[1], 0) == sign


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
    assert sign_on_cube(2, constant, np.array(normal), errors[0], errors[1], 0) == sign


@pytest.mark.parametrize(
    ("constant", "normal", "errors", "sign"),
    [
        (0.0, [1.0, 0.0], (0.0, 0.0), ALWAYS_ABOVE),
        (-2.0, [1.0, 1.0], (0.0, 0.0), ALWAYS_BELOW),
        (1.0, [-1.0, 0.0], (0.0, 0.0), ALWAYS_ABOVE),
        (0.0, [1.0, -1.0], (0.0, 0.0), STEEP),
        # a constraint of the domain, which may be rounded
        (0.0, [1.0, 0.0], (0.0, 2.0**-50), STEEP),
        (-2.0, [1.0, 1.0], (2.0**-50, 0.0), STEEP),
    ],
)
def test_sign_of_a_row_of_a_layer_that_is_not_rounded(constant, normal, errors, sign):
    """It may touch the cube."""
    assert sign_on_cube(0, constant, np.array(normal), errors[0], errors[1], 1) == sign


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
        sign = sign_on_cube(0, float(constant), normal, 0.0, 0.0, 0)
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
