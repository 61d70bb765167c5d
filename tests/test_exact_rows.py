"""Domains and pulled-back rows in integers, against evaluation in fractions; and an enumeration by exact predicates alone."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regionenum.domain import Box, Domain, Polytope, Slice, WholeSpace
from regionenum.engine.interface import Problem
from regionenum.exact.domains import ExactDomain
from regionenum.exact.dyadic import Dyadic, Row, dot, primitive
from regionenum.exact.predicates import Side, interior, side
from regionenum.exact.rows import OPEN, PulledBack
from regionenum.network.layers import Layer, Network
from regionenum.network.units import IDENTITY, MAXIMUM, RELU, PiecewiseLinear, Units, leaky_relu
from tests.exact_forms import Example, as_json, exact_form, read_examples
from tests.exact_oracle import Truth, enumerate_exactly
from tests.exact_walk import ExactWalk
from tests.hard_networks import FAMILIES, HARDTANH, hard_cases
from tests.verdicts import same

DATA = Path(__file__).parent / "data"
EXAMPLES = [*read_examples(DATA / "near_degenerate.json"), *read_examples(DATA / "found_hard.json")]

BUDGET = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def exact_domain(domain: Domain, network: Network) -> ExactDomain:
    return ExactDomain.of(domain, Problem.over(network, domain).chart)


def seeing_all(n_in: int) -> Network:
    """Every input is a row."""
    return Network((Layer("layers.0", np.eye(n_in), np.zeros(n_in), Units.pointwise(RELU, n_in)),), (n_in,))


def at(rows: Dyadic, point: Row) -> list[Fraction]:
    """The values of affine maps at a point."""
    scale = Fraction(2) ** rows.exponent / int(point[-1])
    return [int(dot(row, point)) * scale for row in rows.matrix.tolist()]


def fractions(values) -> list[Fraction]:
    return [Fraction(value) for value in np.asarray(values, float).ravel().tolist()]


def forward(network: Network, x: list[Fraction]) -> list[tuple[list[Fraction], list[int], list[Fraction]]]:
    """Pre-activations, pieces and outputs of all unit layers, in fractions."""
    found = []
    for layer in network.unit_layers:
        weight = layer.weight.toarray() if isinstance(layer.weight, sp.csr_array) else layer.weight
        z = [sum((Fraction(w) * v for w, v in zip(row, x, strict=True)), Fraction(0)) for row in weight.tolist()]
        z = [value + Fraction(b) for value, b in zip(z, layer.bias.tolist(), strict=True)]
        pieces: list[int] = []
        y: list[Fraction] = []
        for u, function in enumerate(layer.units.function_of.tolist()):
            group = [z[i] for i in layer.units.rows[layer.units.indptr[u] : layer.units.indptr[u + 1]]]
            if function == MAXIMUM:
                pieces.append(group.index(max(group)))
                y.append(max(group))
                continue
            f = layer.units.functions[function]
            piece = sum(group[0] > Fraction(b) for b in f.breakpoints)
            pieces.append(piece)
            y.append(Fraction(f.slopes[piece]) * group[0] + Fraction(f.intercepts[piece]))
        found.append((z, pieces, y))
        x = y
    return found


def decisions(network: Network, pieces: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Sides and winners of some pieces."""
    sides, winners = [], []
    for layer, chosen in zip(network.unit_layers, pieces, strict=True):
        for u, (function, piece) in enumerate(zip(layer.units.function_of.tolist(), chosen, strict=True)):
            is_maximum = function == MAXIMUM
            several = layer.units.n_pieces[u] > 1
            winners.append(piece if is_maximum and several else OPEN)
            if not is_maximum:
                sides += [int(k < piece) for k in range(len(layer.units.functions[function].breakpoints))]
    return np.array(sides, np.int8), np.array(winners, np.int16)


def some_network(rng: np.random.Generator, n_in: int, sparse: bool) -> Network:
    """Units of every kind, numbers of very different sizes."""
    layers, n = [], n_in
    for k in range(3):
        w = rng.normal(size=(6, n)) * 2.0 ** rng.integers(-300, 300, (6, 1)) * (rng.random((6, n)) < 0.7)
        b = rng.normal(size=6) * 2.0 ** rng.integers(-300, 300, 6) * (rng.random(6) < 0.5)
        pointwise = Units.each([RELU, leaky_relu(0.01), HARDTANH, IDENTITY, RELU, HARDTANH])
        units = pointwise if k != 1 else Units.maxima([[0, 1, 2], [3], [5, 4], [2, 3]])
        layers.append(Layer(f"layers.{k}", sp.csr_array(w) if sparse else w, b, units))
        n = units.n_units
    return Network(tuple(layers), (n_in,))


@pytest.mark.parametrize("sparse", [False, True])
@BUDGET
@given(st.integers(0, 10**6))
def test_rows_against_fractions(sparse: bool, seed: int) -> None:
    """At a point, pieces and values of the rows are those of a forward pass; the point is in the cone of its decisions."""
    rng = np.random.default_rng(seed)
    network = some_network(rng, 3, sparse)
    domain = (
        Box(-1.0, [1.0, 2.0, 1e-3])
        if seed % 2
        else Slice([0.5, 0.0, 0.1], [[1.0, 0.3, 0.0], [0.0, 1.0, 0.7]], Box(-1, 1))
    )
    exact = exact_domain(domain, network)
    point = exact.point(rng.uniform(0.2, 0.8, exact.dim))
    x = at(exact.inputs, point)
    passed = forward(network, x)
    sides, winners = decisions(network, [pieces for _, pieces, _ in passed])
    pulled = PulledBack(network, exact)
    for k, (z, pieces, y) in enumerate(passed):
        assert at(pulled.rows(k, sides, winners), point) == z
        assert pulled.pieces(k, sides, winners) == pieces
        assert at(pulled.outputs(k, sides, winners), point) == y
        assert pulled.linear(k, sides, winners) == [r[:-1] for r in pulled.outputs(k, sides, winners).matrix.tolist()]
    cone = pulled.cone(2, sides, winners)
    values = dict(zip(cone.index, cone.values(point), strict=True))
    assert all(value >= 0 for label, value in values.items() if label[0] >= 0)
    units = network.unit_layers[0].units
    for number, (u, k) in enumerate((i, k) for i in range(6) for k in range(units.n_pieces[i] - 1)):
        value = dot(pulled.cut(0, number, sides, winners), point)
        level = passed[0][0][u] - Fraction(units.functions[units.function_of[u]].breakpoints[k])
        assert (value > 0) - (value < 0) == (level > 0) - (level < 0)
    a, b = passed[1][0][0], passed[1][0][2]
    value = dot(pulled.difference(1, 0, 0, 2, sides, winners), point)
    assert (value > 0) - (value < 0) == (a > b) - (a < b)


@pytest.mark.parametrize(
    ("weight", "bias", "value", "form"),
    [(1.0, 1.0, 0.25, [4, 3]), (1.0, 0.0, 0.25, [4, -1]), (0.5, 0.25, 2.0, [2, -7]), (3.0, 1.0, 4.0, [1, -1])],
)
def test_breakpoints_of_any_size(weight: float, bias: float, value: float, form: list[int]) -> None:
    """Finer than the row, coarser, and as fine as it is."""
    step = PiecewiseLinear((value,), (0.0, 1.0), (value, 0.0))
    network = Network((Layer("0", np.array([[weight]]), np.array([bias]), Units.pointwise(step, 1)),), (1,))
    pulled, (sides, winners) = PulledBack(network, exact_domain(Box(0.0, 1.0), network)), decisions(network, [[0]])
    assert pulled.cut(0, 0, sides, winners) == form
    assert [primitive(row) for row in pulled.cuts(0, sides, winners)] == [form]


def test_winners_beside_slopes_that_are_fractions() -> None:
    units = Units((leaky_relu(0.25),), np.array([0, MAXIMUM]), np.array([0, 1, 3]), np.array([0, 1, 2]))
    network = Network((Layer("0", np.array([[1.0], [3.0], [-1.0]]), np.zeros(3), units),), (1,))
    exact = exact_domain(Box(-1.0, 1.0), network)
    for y, pieces in ((0.25, [0, 1]), (0.75, [1, 0])):
        point = exact.point(np.array([y]))
        ((_, found, outputs),) = forward(network, at(exact.inputs, point))
        assert found == pieces
        assert at(PulledBack(network, exact).outputs(0, *decisions(network, [pieces])), point) == outputs


def test_open_decisions_are_refused() -> None:
    network = some_network(np.random.default_rng(0), 2, False)
    pulled = PulledBack(network, exact_domain(Box(0.0, 1.0), network))
    sides, winners = decisions(network, [[0] * 6, [0] * 4, [0] * 6])
    for array, where in ((sides, 0), (winners, 6)):
        before = array[where]
        array[where] = OPEN
        with pytest.raises(ValueError, match="not decided"):
            pulled.rows(2, sides, winners)
        array[where] = before
    pulled.rows(2, sides, winners)


def test_few_matrices_are_kept_and_forgotten_ones_come_back() -> None:
    network = some_network(np.random.default_rng(1), 2, False)
    exact = exact_domain(Box(0.0, 1.0), network)
    few, many = PulledBack(network, exact, kept=2), PulledBack(network, exact)
    rng = np.random.default_rng(2)
    chosen = [
        decisions(network, [rng.integers(0, layer.units.n_pieces).tolist() for layer in network.unit_layers])
        for _ in range(20)
    ]
    for sides, winners in [*chosen, *chosen]:
        one, two = few.rows(2, sides, winners), many.rows(2, sides, winners)
        assert one.matrix == two.matrix
        assert one.exponent == two.exponent


# Domains ---------------------------------------------------------------------------------------------------------------------


def inside(exact: ExactDomain, x: list[Fraction]) -> bool:
    """Whether coordinates are in the closed domain."""
    cone = PulledBack(seeing_all(exact.inputs.matrix.nrows()), exact).cone(
        0, np.zeros(0, np.int8), np.zeros(0, np.int16)
    )
    divisor = int(np.lcm.reduce([value.denominator for value in x], dtype=object))
    return all(value >= 0 for value in cone.values([*(int(v * divisor) for v in x), divisor]))


def test_a_box_has_the_bounds_that_were_given() -> None:
    """Widths that are no float64 numbers; a fixed input is where it is."""
    domain = Box([-1e-20, 3.0, 2.0**51], [1.0, 3.0, 2.0**51 + 0.5])
    exact = exact_domain(domain, seeing_all(3))
    assert exact.dim == 2
    low, high = Fraction(-1e-20), Fraction(1)
    far = Fraction(2**51)
    hair = Fraction(1, 2**300)
    for x, expected in ((low, True), (high, True), (low - hair, False), (high + hair, False)):
        assert inside(exact, [x, far]) == expected
    for y, expected in ((far, True), (far + Fraction(1, 2) + hair, False), (far - hair, False)):
        assert inside(exact, [Fraction(0), y]) == expected
    assert at(exact.inputs, exact.point(np.array([0.5, 0.0]))) == [low + Fraction(1.0 + 1e-20) / 2, 3, far]


def test_the_width_of_a_box_is_not_rounded() -> None:
    """Lower bound and float64 width do not add up to the upper bound, in any rounding."""
    low, high = -0.7, 0.1
    assert low + (high - low) != high
    exact = exact_domain(Box([low], [high]), seeing_all(1))
    assert inside(exact, [Fraction(high)])
    assert not inside(exact, [Fraction(high) + Fraction(1, 2**300)])


def test_a_box_of_even_numbers() -> None:
    """Shift and scale are integers times a power of two above 1."""
    exact = exact_domain(Box([4.0, -8.0], [12.0, 16.0]), seeing_all(2))
    assert at(exact.inputs, exact.point(np.array([0.25, 0.5]))) == [6, 4]
    assert at(exact.inputs, exact.point(np.array([1.0, 0.0]))) == [12, -8]


def test_a_polytope_has_the_inequalities_that_were_given() -> None:
    """The level of a row in an engine's chart is rounded, here it is not."""
    A, b = [[0.1, 0.2], [0.0, 1.0]], [0.3, 0.7]
    hair = Fraction(1, 2**300)
    corner = [(Fraction(0.3) - Fraction(0.2) * Fraction(0.7)) / Fraction(0.1), Fraction(0.7)]
    for within in (Box(-7.1, 9.3), None):
        rows = A if within else [*A, [-1.0, 0.0], [0.0, -1.0]]
        exact = exact_domain(Polytope(rows, b if within else [*b, 1.0, 1.0], within=within), seeing_all(2))
        assert inside(exact, corner)
        assert not inside(exact, [corner[0] + hair, corner[1]])
        assert not inside(exact, [corner[0], corner[1] + hair])
        # beyond the box, or the rows that are there in its place
        assert not inside(exact, [Fraction(-8), Fraction(0)])
    assert inside(exact, [Fraction(-1), Fraction(-1)])
    assert not inside(exact, [Fraction(-1) - hair, Fraction(-1)])


def test_a_slice_has_the_sides_of_its_box() -> None:
    domain = Slice([0.1, 0.2, 0.3], [[0.1, 0.7, 0.0], [0.3, -0.1, 0.0]], within=Box([-1.0, -1.0, 0.0], [1.0, 0.9, 0.5]))
    exact = exact_domain(domain, seeing_all(3))
    a, b = Fraction(0.9) - Fraction(0.2), Fraction(0.7)
    assert inside(exact, [a / b, Fraction(0)])
    assert not inside(exact, [a / b + Fraction(1, 2**300), Fraction(0)])
    low = (Fraction(-1) - Fraction(0.1)) / Fraction(0.1)
    assert not inside(exact, [low - Fraction(1, 2**300), Fraction(0)])
    assert at(exact.inputs, exact.point(np.array([0.5, 0.5])))[2] == Fraction(0.3)


@pytest.mark.parametrize("domain", [WholeSpace(), Slice([1.0, 2.0, 3.0], [[1.0, 1.0, 1.0], [0.0, 1.0, 2.0]])])
def test_a_whole_space_is_as_large_as_the_first_layer_sees(domain: Domain) -> None:
    w = np.array([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]])
    network = Network((Layer("layers.0", w, np.array([1.0, 1e30]), Units.pointwise(RELU, 2)),), (3,))
    exact = exact_domain(domain, network)
    assert exact.dim == 1
    cone = PulledBack(network, exact).cone(0, np.zeros(0, np.int8), np.zeros(0, np.int16))
    assert len(cone) == 1
    sides = [side(cone, PulledBack(network, exact).cut(0, k, *decisions(network, [[0, 0]]))).side for k in (0, 1)]
    assert sides == [Side.CUTS, Side.CUTS]


@pytest.mark.parametrize(
    "domain",
    [
        Box([-1e-20, 3.0, -0.7], [1.0, 3.0, 2.3]),
        Polytope([[1.0, 1.0, 1.0]], [0.5], within=Box(-1.0, 1.7)),
        Slice([0.1, 0.2, 0.3], [[0.1, 0.7, 0.0], [0.3, -0.1, 0.0]], within=Box(-1.0, 1.0)),
        WholeSpace(),
    ],
    ids=lambda domain: type(domain).__name__,
)
def test_points_of_a_chart(domain: Domain) -> None:
    """There, to the input, and back; up to rounding, as an engine has it."""
    network = seeing_all(3)
    chart = Problem.over(network, domain).chart
    exact = ExactDomain.of(domain, chart)
    y = np.random.default_rng(3).uniform(0.1, 0.9, exact.dim)
    point = exact.point(y * 0.5, 0.5) if chart.whole else exact.point(y)
    assert np.allclose(exact.to_chart(point), y, rtol=1e-13)
    assert np.allclose(exact.to_input(point), chart.to_input(y[None, :])[0], rtol=1e-13)
    inner = interior(PulledBack(network, exact).cone(0, np.zeros(0, np.int8), np.zeros(0, np.int16)))
    assert np.allclose(exact.to_input(inner), [float(value) for value in at(exact.inputs, inner)], rtol=1e-15)


# An enumeration --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_near_degenerate_networks(example: Example) -> None:
    """Every decision by an exact predicate, and every proof checked: the truth, layer by layer and rank by rank."""
    walk = ExactWalk(example.network, example.domain, verify=True)
    truth = Truth(len(walk.cells[-1]), walk.facts(), walk.cells)
    assert same(as_json(truth), example.truth)


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_hard_networks(family: str, data: st.DataObject) -> None:
    """Pattern by pattern, against double description."""
    _, _, network, domain = data.draw(hard_cases([family]))
    truth = enumerate_exactly(*exact_form(network, domain), 2000)
    walk = ExactWalk(network, domain, verify=True)
    assert walk.cells == truth.cells
    assert walk.facts() == truth.layers
