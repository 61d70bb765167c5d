"""Bounds of rounding errors hold: rows of random hard networks, pulled back by the kernels, against rational arithmetic."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from regionenum.domain import Box, Chart, Polytope, Slice, WholeSpace
from regionenum.engine.grids import Grid
from regionenum.engine.interface import Problem
from regionenum.engine.tables import CUT, ROW, UNIT, Tables, first_image, make_tables
from regionenum.engine.walk.layer_kernel import (
    ALWAYS_ABOVE,
    ALWAYS_BELOW,
    FLAT,
    LEVEL_ZERO,
    Images,
    branch,
    make_images,
    pull_back,
    read_cut,
    read_difference,
    read_row,
    sign_on_cube,
)
from regionenum.engine.walk.rank_kernel import layer_rank, make_ranks
from regionenum.network.units import ABSOLUTE, RELU, PiecewiseLinear, Units, leaky_relu
from tests.hard_networks import FAMILIES, HARDTANH, Case, case_of, chain, gaussians, small
from tests.oracles import dense, fractions, pivots

# a smaller seed is no simpler
BUDGET = settings(max_examples=60, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))

NEVER_FLAT = (
    leaky_relu(0.01),
    leaky_relu(-1.0),
    ABSOLUTE,
    HARDTANH,
    PiecewiseLinear((0.0,), (1.0, 1.0 / 3), (0.1, 0.1)),
)

Form = list[Fraction]
"""A function of z: its constant, and its coefficients."""


def first_rows(problem: Problem) -> list[Form]:
    """Rows of the first layer and of the domain's constraints, as `tables.first_image` means them."""
    layer, chart = problem.network.unit_layers[0], problem.chart
    lower, width = (fractions(values) for values in chart.bounds)
    directions = [fractions(row) for row in chart.directions.toarray()]
    origin = fractions(chart.origin)
    found = []
    for weights, bias in zip(dense(layer.weight), layer.bias, strict=True):
        row = fractions(weights)
        slopes = [sum(map(Fraction.__mul__, row, column), Fraction()) for column in zip(*directions, strict=True)]
        constant = Fraction(bias) + sum(map(Fraction.__mul__, row, origin)) + sum(map(Fraction.__mul__, slopes, lower))
        linear = [a * b for a, b in zip(slopes, width, strict=True)]
        if chart.whole:
            found.append([-sum(linear, Fraction()), *(2 * v for v in linear), constant])
        else:
            found.append([constant, *linear])
    return found


def next_rows(tables: Tables, problem: Problem, images: Images, layer: int, rows: list[Form]) -> list[Form]:
    """Rows of a layer, by the pieces that the units before it have."""
    outputs = []
    for u in range(tables.at[layer - 1, UNIT], tables.at[layer, UNIT]):
        row, slope, intercept = branch(tables.units, images, u)
        form = [Fraction(slope) * v for v in rows[row]]
        form[tables.one] += Fraction(intercept)
        outputs.append(form)
    found = []
    description = problem.network.unit_layers[layer]
    for weights, bias in zip(dense(description.weight), description.bias, strict=True):
        form = [Fraction()] * (tables.dim + 1)
        form[tables.one] = Fraction(bias)
        for w, output in zip(fractions(weights), outputs, strict=True):
            if w:
                form = [a + w * b for a, b in zip(form, output, strict=True)]
        found.append(form)
    return found


def check(one: int, constant: float, normal: np.ndarray, bounds: tuple[float, float], true: Form) -> None:
    """A row is within its bounds of the true one, and of its sign only what is true is said."""
    off = [abs(Fraction(v) - t) for v, t in zip([constant, *normal.tolist()], true, strict=True)]
    for bound, error in zip(bounds, (off[one], sum(off) - off[one]), strict=True):
        assert not np.isfinite(bound) or error <= Fraction(bound)
    check_sign(one, sign_on_cube(one, constant, normal, bounds[0], bounds[1], 0), true)


def check_sign(one: int, sign: int, true: Form) -> None:
    """By the least and the largest value on the cube; in the whole space t > 0 is all that is known to be so."""
    low = true[0] + sum(min(v, Fraction()) for v in true[1:])
    high = true[0] + sum(max(v, Fraction()) for v in true[1:])
    if sign == ALWAYS_ABOVE:
        assert low >= 0 < high
    elif sign == ALWAYS_BELOW:
        assert high <= 0
    elif sign == LEVEL_ZERO:
        assert not any(true)
    elif sign != FLAT:
        assert any(v for k, v in enumerate(true) if k != one)


def never_flat(seed: int) -> Case:
    """Deep networks no branch of which is 0, that cancel large constants, copy units, and copy with a factor or a bias."""
    rng = np.random.default_rng(seed)
    n_in, n = int(rng.integers(1, 4)), 3
    w, b = gaussians(rng, n, n_in)
    b = b + 2.0 ** rng.integers(0, 40, n)
    layers = []
    for _ in range(rng.integers(2, 6)):
        layers.append(((w, b), Units.pointwise(NEVER_FLAT[rng.integers(len(NEVER_FLAT))], n)))
        before = b
        kind = rng.choice(["copies", "cancels", "sums"])
        if kind == "copies":
            w = np.eye(n)[rng.permutation(n)] * rng.choice([1.0, -2.0, 0.25, 2.0**20, 0.3], n)[:, None]
            b = rng.standard_normal(n) * rng.choice([0.0, 0.0, 1.0], n)
        else:
            w, b = gaussians(rng, n, n) if kind == "sums" else small(rng, n, n)
            if kind == "cancels":
                b = -(w @ before)
    lower = rng.standard_normal(n_in)
    domain = WholeSpace() if rng.random() < 0.3 else Box(lower, lower + 1.0 + rng.random(n_in))
    return chain(*layers), domain


@pytest.mark.parametrize("family", ["never_flat", *FAMILIES])
@BUDGET
@given(seed=st.integers(0, 2**32 - 1))
def test_rows_are_within_their_bounds(family: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    problem = Problem.over(*(never_flat(seed) if family == "never_flat" else case_of(family, seed)))
    tables = make_tables(problem)
    images, normal, one = make_images(tables), np.zeros(tables.dim), tables.one
    rows = first_rows(problem)
    for layer, description in enumerate(problem.network.unit_layers):
        if layer:
            pull_back(tables, images, layer)
            rows = next_rows(tables, problem, images, layer, rows)
        start = tables.at[layer, ROW]
        for n, true in enumerate(rows):
            constant = read_row(tables.at, images.image, layer, n, normal)
            check(one, constant, normal, (images.error_one[start + n], images.error_linear[start + n]), true)
        for c in range(tables.at[layer, CUT], tables.at[layer + 1, CUT]):
            if tables.cuts.unit[c] < 0:
                continue
            true = rows[tables.cuts.row[c]].copy()
            true[one] -= Fraction(tables.cuts.value[c])
            constant, *bounds = read_cut(tables.at, one, tables.cuts, images, layer, c, normal)
            check(one, constant, normal, tuple(bounds), true)
        for n, other in rng.integers(0, len(rows), (4, 2)):
            true = [a - b for a, b in zip(rows[n], rows[other], strict=True)]
            constant, *bounds = read_difference(tables.at, one, images, layer, n, other, normal)
            check(one, constant, normal, tuple(bounds), true)
        n_pieces = description.units.n_pieces
        units = slice(tables.at[layer, UNIT], tables.at[layer + 1, UNIT])
        images.piece[units] = rng.integers(0, n_pieces)


def constraints(problem: Problem, domain: Polytope | Slice) -> list[Form]:
    """The constraints of a domain as functions of y that are positive inside, exactly."""
    chart = problem.chart
    lower, width = (fractions(values) for values in chart.bounds)
    columns = [fractions(column) for column in chart.directions.toarray().T]
    origin = fractions(chart.origin)
    # inputs as functions of y
    inputs = [
        [x + sum(map(Fraction.__mul__, row, lower)), *map(Fraction.__mul__, row, width)]
        for x, row in zip(origin, zip(*columns, strict=True), strict=True)
    ]
    if isinstance(domain, Polytope):
        normals, levels = [fractions(row) for row in np.asarray(domain.A)], fractions(domain.b)
    else:
        assert domain.within is not None
        bounds = [fractions(side) for side in domain.within.bounds((len(origin),))]
        normals = [
            [Fraction(sign * (i == k)) for i in range(len(origin))] for sign in (1, -1) for k in range(len(origin))
        ]
        levels = [*bounds[1], *(-v for v in bounds[0])]
    found = []
    for normal, level in zip(normals, levels, strict=True):
        row = [sum(map(Fraction.__mul__, normal, column), Fraction()) for column in zip(*inputs, strict=True)]
        if any(row[1:]):
            found.append([level - row[0], *(-v for v in row[1:])])
    return found


ODD = 1.0 + 2.0**-52


def check_last_layer(problem: Problem, pieces: list[int]) -> None:
    """The rows of the last layer, on the cell with these pieces of the units before, are within their bounds."""
    tables = make_tables(problem)
    images, normal, rows = make_images(tables), np.zeros(tables.dim), first_rows(problem)
    images.piece[: len(pieces)] = pieces
    last = tables.depth - 1
    for layer in range(1, tables.depth):
        pull_back(tables, images, layer)
        rows = next_rows(tables, problem, images, layer, rows)
    for n, true in enumerate(rows):
        constant = read_row(tables.at, images.image, last, n, normal)
        row = tables.at[last, ROW] + n
        check(tables.one, constant, normal, (images.error_one[row], images.error_linear[row]), true)


def relus(*maps: tuple[list[list[float]], list[float]]) -> list[tuple[tuple[np.ndarray, np.ndarray], Units]]:
    return [((np.array(w), np.array(b)), Units.pointwise(RELU, len(b))) for w, b in maps]


@pytest.mark.parametrize(
    ("size", "slope", "factor"),
    [(1.0, 2.0**-600, ODD * 2.0**-460), (2.0**900, 2.0**-1074, 1.3)],
    ids=["product", "quotient"],
)
def test_a_bound_does_not_vanish_before_what_it_bounds(size: float, slope: float, factor: float) -> None:
    """ODD (x - 2), on the branch of a leaky ReLU that makes it much smaller than the scale of its unit."""
    first = (np.array([[ODD * size]]), np.array([-2.0 * ODD * size])), Units.pointwise(leaky_relu(slope), 1)
    check_last_layer(Problem.over(chain(first, *relus(([[factor]], [0.0]))), Box(0.0, 1.0)), [0])


def test_a_product_that_vanishes_before_it_is_enlarged_has_a_bound() -> None:
    first = (np.array([[2.0**-600]]), np.array([-(2.0**-600)])), Units.pointwise(leaky_relu(2.0**-600), 1)
    check_last_layer(Problem.over(chain(first, *relus(([[1.3 * 2.0**900]], [0.0]))), Box(0.0, 1.0)), [0])


@pytest.mark.parametrize(
    ("weight", "factor", "box"),
    [
        ([[2.0**-800]], 2.0**-400, Box(0.0, 1.0)),
        ([[1.0, 2.0**-1000]], 2.0**-400, Box(np.zeros(2), np.array([1.0, 2.0**-100]))),
        ([[2.0**-600]], 2.0**-100, Box(2.0**-600, 2.0**-599)),
    ],
    ids=["product", "slope", "constant"],
)
def test_a_copy_of_what_vanishes_has_a_bound(weight: list[list[float]], factor: float, box: Box) -> None:
    check_last_layer(Problem.over(chain(*relus((weight, [0.0]), ([[factor]], [0.0]))), box), [1])


def test_a_unit_times_what_is_no_power_of_two_is_no_copy() -> None:
    check_last_layer(Problem.over(chain(*relus(([[ODD]], [0.0]), ([[0.3]], [0.0]))), Box(0.0, 1.0)), [1])


def test_what_could_overflow_has_no_bound() -> None:
    layers = relus(([[1e200]], [1e200]), ([[2.0**498]], [0.0]))
    check_last_layer(Problem.over(chain(*layers), Box(0.0, 1.0)), [1])


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_difference_has_the_errors_of_both(order: tuple[int, int]) -> None:
    """x, and x beside terms that cancel: in float64 they leave something, by the order of the sum."""
    large = np.array([0.1, 0.2, 0.3, -0.3, -0.2, -0.1]) * 2.0**30
    assert large.sum() != 0.0
    second = np.array([[0.0] * 6 + [1.0], [*large, 1.0]])[list(order)]
    network = chain(((np.ones((7, 1)), np.zeros(7)), Units.pointwise(RELU, 7)), *relus((second.tolist(), [0.0, 0.0])))
    tables = make_tables(Problem.over(network, Box(0.0, 1.0)))
    images, normal = make_images(tables), np.zeros(1)
    images.piece[:7] = 1
    pull_back(tables, images, 1)
    constant, *bounds = read_difference(tables.at, 0, images, 1, 0, 1, normal)
    check(0, constant, normal, tuple(bounds), [Fraction(), Fraction()])


@pytest.mark.parametrize(
    ("directions", "width"),
    [([[1.0], [1.0]], [1.0]), ([[1.0, 0.0], [0.0, 1.0]], [0.3, 1.0]), ([[0.1, 0.0], [0.0, 1.0]], [1.0, 1.0])],
    ids=["sum", "width", "factor"],
)
def test_directions_that_round_have_bounds(directions: list[list[float]], width: list[float]) -> None:
    """In the first layer, of a chart that is at the origin: a direction of two inputs, a width, a length."""
    weight = np.array([[0.1, 0.7], [0.3, 0.1], [1.0 / 3.0, 0.3]])
    network = chain(((weight, np.zeros(3)), Units.pointwise(RELU, 3)))
    d = len(width)
    chart = Chart(np.zeros(2), sp.csr_array(np.array(directions)), np.zeros(d), np.array(width))
    problem = replace(Problem.over(network, Box(0.0, 1.0)), chart=chart)
    image, error = first_image(problem, Grid(0, 0.0, False))
    true = first_rows(problem)
    off = [
        sum(abs(Fraction(a) - b) for a, b in zip(column[1:].tolist(), form[1:], strict=True))
        for column, form in zip(image.T, true, strict=True)
    ]
    assert any(off)
    assert all(value <= Fraction(bound) for value, bound in zip(off, error[1], strict=True))


@BUDGET
@given(seed=st.integers(0, 2**32 - 1), dim=st.integers(1, 3))
def test_rows_of_slices_are_within_their_bounds(seed: int, dim: int) -> None:
    """Along the axes, so that nothing is rounded but by the width of the slice."""
    rng = np.random.default_rng(seed)
    bounds = rng.standard_normal((2, dim))
    domain = Slice(np.zeros(dim), np.eye(dim), within=Box(-np.abs(bounds[0]) - 0.1, np.abs(bounds[1]) + 0.1))
    problem = Problem.over(chain((gaussians(rng, 3, dim), Units.pointwise(RELU, 3))), domain)
    tables = make_tables(problem)
    images, normal = make_images(tables), np.zeros(tables.dim)
    for n, true in enumerate(first_rows(problem)):
        constant = read_row(tables.at, images.image, 0, n, normal)
        check(tables.one, constant, normal, (images.error_one[n], images.error_linear[n]), true)


@pytest.mark.parametrize("kind", [Polytope, Slice])
@BUDGET
@given(seed=st.integers(0, 2**32 - 1), dim=st.integers(1, 3))
def test_constraints_are_within_their_bounds(kind: type, seed: int, dim: int) -> None:
    """Each row of a constraint is one of those of the domain, up to its bound anywhere in the cube."""
    rng = np.random.default_rng(seed)
    n = dim + int(rng.integers(0, 3))
    lower = rng.standard_normal(n) * 2.0 ** rng.integers(0, 12)
    box = Box(lower, lower + 1.0 + rng.random(n))
    middle = (np.asarray(box.lower) + np.asarray(box.upper)) / 2
    domain: Polytope | Slice
    if kind is Polytope:
        normals = rng.standard_normal((3, n))
        domain = Polytope(normals, normals @ middle + rng.random(3), within=box)
    else:
        domain = Slice(middle + 0.1 * rng.random(n), rng.standard_normal((dim, n)), within=box)
    network = chain((gaussians(rng, 2, n), Units.pointwise(RELU, 2)))
    problem = Problem.over(network, domain)
    tables = make_tables(problem)
    true, images, normal = constraints(problem, domain), make_images(tables), np.zeros(tables.dim)
    first = network.unit_layers[0].n_rows
    for row in range(first, tables.at[1, ROW]):
        constant = read_row(tables.at, images.image, 0, row, normal)
        bound = Fraction(images.error_one[row]) + Fraction(images.error_linear[row])
        values = [Fraction(constant), *map(Fraction, normal.tolist())]
        nearest = min(sum(abs(a - b) for a, b in zip(values, form, strict=True)) for form in true)
        # the sum of the coefficients' errors is what a value in the cube can be wrong by
        assert nearest <= bound


@BUDGET
@given(seed=st.integers(0, 2**32 - 1), dim=st.integers(1, 4), whole=st.booleans())
def test_signs_on_the_cube_are_true_whatever_the_errors_were(seed: int, dim: int, whole: bool) -> None:
    rng = np.random.default_rng(seed)
    one = dim if whole else 0
    for _ in range(30):
        form = rng.choice([0.0, 1.0, rng.standard_normal()], dim + 1) * rng.standard_normal(dim + 1)
        if whole:
            form[0] = -form[1:-1].sum() / 2
        else:
            # the least or the largest value is about 0
            form[0] = -(np.minimum(form[1:], 0) if rng.random() < 0.5 else np.maximum(form[1:], 0)).sum()
        bounds = rng.choice([0.0, 2.0**-50, 2.0**-20], 2)
        form[rng.integers(dim + 1)] += rng.choice([-1.0, 0.0, 1.0]) * rng.choice([*bounds, 2.0**-53]) * rng.random()
        if rng.random() < 0.2:
            form[np.arange(dim + 1) != one] *= rng.choice([0.0, bounds[1]])
        true = [Fraction(v) for v in form]
        k = rng.integers(dim + 1)
        true[one] += int(rng.integers(-1, 2)) * Fraction(bounds[0])
        if k != one:
            true[k] += int(rng.integers(-1, 2)) * Fraction(bounds[1])
        check_sign(one, sign_on_cube(one, form[0], form[1:].copy(), bounds[0], bounds[1], 0), true)


@BUDGET
@given(seed=st.integers(0, 2**32 - 1), dim=st.integers(3, 12))
def test_signs_of_long_sums_are_true(seed: int, dim: int) -> None:
    """The least value on the cube is 0 up to one rounding; the sum that finds it has many."""
    rng = np.random.default_rng(seed)
    for _ in range(30):
        normal = -rng.random(dim) * 2.0 ** rng.integers(-8, 1, dim)
        exact = -sum(map(Fraction, normal.tolist()))
        for constant in (float(exact), float(np.nextafter(float(exact), 0.0))):
            true = [Fraction(constant), *map(Fraction, normal.tolist())]
            check_sign(0, sign_on_cube(0, constant, normal, 0.0, 0.0, 0), true)
            check_sign(0, sign_on_cube(0, -constant, -normal, 0.0, 0.0, 0), [-v for v in true])


def nearly_dependent(rng: np.random.Generator) -> np.ndarray:
    """Rows of which each is a combination of those before, or off by a little, or the little by which two differ."""
    dim, n = int(rng.integers(2, 5)), int(rng.integers(2, 5))
    rows = rng.integers(-3, 4, (n, dim)).astype(float)
    for k in range(1, n):
        kind = rng.choice(["new", "combined", "off", "difference"])
        if kind == "combined":
            rows[k] = rng.integers(-2, 3, k) @ rows[:k]
        elif kind == "off":
            rows[k] = rows[k - 1]
            rows[k, rng.integers(dim)] += 2.0 ** -rng.integers(8, 45)
        elif kind == "difference":
            rows[k] = rows[k - 1] - rows[k - 2]
    return rows * 2.0 ** rng.integers(-60, 61, n)[:, None]


@pytest.mark.parametrize("noisy", [False, True])
@BUDGET
@given(seed=st.integers(0, 2**32 - 1))
def test_ranks_without_a_doubt_are_exact(noisy: bool, seed: int) -> None:
    """On the positive side of every unit; with a box in no special place the rows themselves are rounded."""
    rng = np.random.default_rng(seed)
    for _ in range(10):
        rows = nearly_dependent(rng)
        n, dim = rows.shape
        lower = rng.standard_normal(dim)
        box = Box(lower, lower + 1.0 + rng.random(dim)) if noisy else Box(0.0, 1.0)
        problem = Problem.over(chain(((rows, np.zeros(n)), Units.pointwise(RELU, n))), box)
        tables = make_tables(problem)
        images, ranks = make_images(tables), make_ranks(tables)
        images.piece[:] = 1
        ranks.order[:] = rng.permutation(n)
        found, doubtful = layer_rank(tables.at, tables.units, images, ranks, 0, dim)
        assert doubtful or found == len(pivots([row[1:] for row in first_rows(problem)]))
