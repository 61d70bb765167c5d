"""Layers in which nothing is rounded: which those are, that each of their numbers matters, and that their rows are exact."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings

from regionenum.domain import Box, Chart, Domain, Slice, WholeSpace
from regionenum.engine.grids import NONE, grids_of, lowest_of
from regionenum.engine.interface import Problem
from regionenum.engine.tables import EXACT, LOWEST, make_tables
from regionenum.engine.walk.layer_kernel import pull_back, read_difference, read_row
from regionenum.network.layers import Network
from regionenum.network.units import ABSOLUTE, RELU, PiecewiseLinear, Units, leaky_relu
from tests.line import chain
from tests.pulled_back import decided, exact_rows, first_rows, prepare
from tests.random_cells import seeds

FINE, HUGE = 1.0 + 2.0**-52, 2.0**60


def shifted(value: float) -> PiecewiseLinear:
    """max(x, 0) + value."""
    return PiecewiseLinear((0.0,), (0.0, 1.0), (value, value))


def beyond(value: float) -> PiecewiseLinear:
    """max(x, value) - value."""
    return PiecewiseLinear((value,), (0.0, 1.0), (0.0, -value))


def network(
    w: float = 1.0, b: float = 0.0, f: PiecewiseLinear = RELU, v: float = 1.0, c: float = 0.0, g: PiecewiseLinear = RELU
) -> Network:
    """Two layers of two units, one number of each as given."""
    return chain(
        ([[w, 1.0], [1.0, -3.0]], [b, 1.0], Units.pointwise(f, 2)),
        ([[v, 2.0], [1.0, 1.0]], [c, -1.0], Units.pointwise(g, 2)),
    )


def exact_layers(net: Network, domain: Domain | None = None) -> list[bool]:
    tables = make_tables(Problem.over(net, domain or Box(-1.0, 1.0)))
    return [bool(tables.at[k, EXACT]) for k in range(tables.depth)]


def test_small_integers_are_not_rounded() -> None:
    for domain in (Box(-1.0, 1.0), Box([-3.0, 0.5], [5.0, 2.0]), WholeSpace()):
        assert exact_layers(network(), domain) == [True, True]
    small = network(w=0.75, b=-2.5, f=leaky_relu(0.5), v=-6.0, c=0.125, g=ABSOLUTE)
    assert exact_layers(small) == [True, True]


@pytest.mark.parametrize("value", [FINE, HUGE], ids=["fine", "huge"])
def test_each_number_of_a_layer_matters(value: float) -> None:
    """One that is too fine for the others, or too large, is enough."""
    assert exact_layers(network(w=value)) == [False, False]
    assert exact_layers(network(b=value)) == [False, False]
    assert exact_layers(network(f=beyond(value))) == [False, False]
    assert exact_layers(network(f=leaky_relu(value))) == [True, False]
    assert exact_layers(network(f=shifted(value))) == [True, False]
    assert exact_layers(network(v=value)) == [True, False]
    assert exact_layers(network(c=value)) == [True, False]
    assert exact_layers(network(g=beyond(value))) == [True, False]
    assert exact_layers(network(g=shifted(value))) == [True, True]


@pytest.mark.parametrize(
    ("domain", "exact"),
    [
        (Box([2.0**-52, 0.0], [1.0 + 2.0**-52, 1.0]), False),
        (Box([0.0, 0.0], [FINE, 1.0]), False),
        (Box([0.0, 0.0], [HUGE, 1.0]), False),
        (Box([HUGE, 0.0], [HUGE + 2.0**20, 1.0]), False),
        # the width is rounded
        (Box([-1.0, 0.0], [2.0**-60, 1.0]), False),
        (Box([FINE, 0.0], [FINE, 1.0]), False),
        (Box([HUGE, 0.0], [HUGE, 1.0]), False),
        (Box([3.0, 0.0], [3.0, 1.0]), True),
        (Slice([0.0, 0.0], [[1.0, FINE]]), False),
        (Slice([FINE, 0.0], [[1.0, 1.0]]), False),
        (Slice([1.0, 0.0], [[1.0, 3.0]]), True),
    ],
    ids=[
        "lower",
        "width",
        "wide",
        "far",
        "rounded",
        "fixed",
        "fixed far away",
        "fixed, small",
        "direction",
        "origin",
        "slice, small",
    ],
)
def test_each_number_of_a_domain_matters(domain: Domain, exact: bool) -> None:
    assert exact_layers(network(), domain) == [exact, exact]


@pytest.mark.parametrize(
    ("lower", "width", "exact"),
    [
        ([-3.0, 0.5], [2.0, 4.0], True),
        ([2.0**-52, 0.0], [1.0, 1.0], False),
        ([HUGE, 0.0], [1.0, 1.0], False),
        ([0.0, 0.0], [FINE, 1.0], False),
        ([0.0, 0.0], [1.0, HUGE], False),
    ],
    ids=["small", "lower", "far", "width", "wide"],
)
def test_each_number_of_a_chart_matters(lower: list[float], width: list[float], exact: bool) -> None:
    """A slice is in a box of its own."""
    chart = Chart(np.zeros(2), sp.csr_array(np.eye(2)), np.array(lower), np.array(width))
    problem = replace(Problem.over(network(), Box(0.0, 1.0)), chart=chart)
    assert [grid.is_exact for grid in grids_of(problem)] == [exact, exact]


@pytest.mark.parametrize("exponent", [-1010, 1010])
def test_numbers_near_the_ends_of_the_range_are_left_alone(exponent: int) -> None:
    scale = 2.0**exponent
    weight = np.array([[1.0, 3.0], [2.0, -1.0]]) * scale
    assert exact_layers(chain((weight, [0.0, 0.0], Units.pointwise(RELU, 2)))) == [False]


def test_the_lowest_bit() -> None:
    assert lowest_of([0.0], np.zeros(0)) == NONE
    assert lowest_of([12.0]) == 2
    assert lowest_of([12.0], [0.0, -0.375]) == lowest_of([0.0, -0.375], [12.0]) == -3
    assert lowest_of([FINE]) == -52
    assert lowest_of([5e-324, 1.0]) == -1074


@settings(max_examples=60, deadline=None)
@given(seed=seeds)
def test_rows_of_exact_layers_are_exact(seed: int) -> None:
    """With about as many bits as there may be: rows and their differences, sums of coefficients, and multiples of LOWEST."""
    rng = np.random.default_rng(seed)
    dim, n = int(rng.integers(1, 4)), 3
    bits = int(rng.integers(2, 28))

    def some(*shape: int) -> np.ndarray:
        return np.asarray(rng.integers(-(2**bits), 2**bits + 1, shape) * 2.0 ** rng.integers(-5, 6))

    layers, n_in = [], dim
    for _ in range(3):
        layers.append((some(n, n_in), some(n), Units.each([RELU, leaky_relu(0.5), ABSOLUTE])))
        n_in = n
    net = chain(*layers)
    prepared = prepare(net, Box(-1.0, 1.0))
    tables, images = prepared.tables, prepared.images
    rows = first_rows(net.layers[0], dim, -1.0, 2.0)
    for layer in range(3):
        if layer:
            branches = decided(prepared, layer - 1, rng.integers(0, 2, 7))
            pull_back(tables, images, layer)
            rows = exact_rows(net.layers[layer], rows, branches)
        if not tables.at[layer, EXACT]:
            return
        assert_exact(tables, images, layer, rows)


@pytest.mark.parametrize("bits", range(40, 54))
def test_as_many_bits_as_there_are(bits: int) -> None:
    """Of sums of coefficients, too; 2^bits + 1 is odd."""
    net = chain(([[2.0**bits + 1.0], [1.0 - 2.0**bits]], [0.0, 0.0], Units.pointwise(RELU, 2)))
    tables, images, _ = prepare(net, Box(-1.0, 1.0))
    if bits < 44:
        assert tables.at[0, EXACT]
    if tables.at[0, EXACT]:
        assert_exact(tables, images, 0, first_rows(net.layers[0], 1, -1.0, 2.0))


def assert_exact(tables, images, layer, rows):
    unit = Fraction(2) ** int(tables.at[layer, LOWEST])
    normal = np.zeros(tables.dim)
    for k, (constant, true) in enumerate(zip(rows.constants, rows.normals, strict=True)):
        found = read_row(tables.at, images.image, layer, k, normal)
        assert [Fraction(found), *map(Fraction, normal.tolist())] == [constant, *true]
        assert all((value / unit).denominator == 1 for value in (constant, *true))
        assert abs(constant) + sum(map(abs, true)) <= unit * 2**53
        for other in range(k):
            found, *errors = read_difference(tables.at, tables.one, images, layer, k, other, normal)
            exact = [a - b for a, b in zip(true, rows.normals[other], strict=True)]
            assert [Fraction(found), *map(Fraction, normal.tolist())] == [constant - rows.constants[other], *exact]
            assert errors == [0.0, 0.0]
            assert abs(constant - rows.constants[other]) + sum(map(abs, exact)) <= unit * 2**53
