"""Recorded witnesses are strictly inside, as exact numbers, or null."""

from fractions import Fraction
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings

import regionenum as rn
from regionenum.domain import Box, Polytope, Slice
from regionenum.engine.interface import Problem
from regionenum.errors import InputError
from regionenum.exact.domains import ExactDomain
from regionenum.exact.inside import Inside
from regionenum.exact.witnesses import Nearest
from regionenum.network.layers import Network
from regionenum.network.units import RELU, PiecewiseLinear, Units
from regionenum.results.claimed import claim_of
from tests.hard_networks import hard_cases
from tests.line import chain, relu_chain


def inside(network: Network, domain: rn.Domain) -> Inside:
    chart = Problem.over(network, domain).chart
    return Inside(network, domain, ExactDomain.of(domain, chart, network.input_shape))


def both(asked, layer, pieces, x):
    """Whether points are inside: as floating point proves it, and in integers."""
    with np.errstate(all="ignore"):
        certain = asked._certain(layer, pieces, x)
    return certain, np.array([asked._evaluated(layer, row, point) for row, point in zip(pieces, x, strict=True)])


@given(hard_cases())
@settings(max_examples=60)
def test_floating_point_proves_only_what_is_true(case):
    _, seed, network, domain = case
    try:
        found = rn.enumerate_regions(network, domain, record="regions")
    except InputError:
        return
    rows = claim_of(found.findings).regions
    if not 0 < found.count < 200:
        return
    random = np.random.default_rng(seed)
    known = np.isfinite(rows.witness).all(axis=1)
    witness = rows.witness.copy()
    witness[~known] = 0.0
    # the witnesses, those of others, and what is next to them
    others = witness[random.permutation(len(witness))]
    points: list[np.ndarray] = [witness, others, np.nextafter(witness, others), (witness + others) / 2]
    for x in points:
        certain, exact = both(
            inside(network, domain), len(network.unit_layers) - 1, rows.pieces, np.asarray(x, np.float64)
        )
        assert not (certain & ~exact).any()
        if x is witness:
            assert (exact | ~known).all()


def test_generic_witnesses_need_no_integers(monkeypatch):
    random = np.random.default_rng(0)
    network = relu_chain(*[(random.normal(size=s), random.normal(size=s[0])) for s in ((6, 2), (5, 6), (1, 5))])
    monkeypatch.setattr(Inside, "_evaluated", None)
    found = rn.enumerate_regions(network, Box(-1, 1), record="tree")
    assert found.cells.column("witness").null_count == 0


def test_windows_that_are_zero_need_no_integers(monkeypatch):
    """ReLU and pooling: the candidates are 0 all over a cell, and the lowest wins."""
    monkeypatch.setattr(Inside, "_evaluated", None)
    network = chain(
        ([[1.0, 0], [0, 1]], [0, 0], Units.pointwise(RELU, 2)),
        (np.eye(2), [0, 0], Units.maxima([[0, 1]])),
        input_shape=(2,),
    )
    found = rn.enumerate_regions(network, Box(-1, 1), record="regions")
    assert found.count == 5
    assert found.regions.column("witness").null_count == 0


@pytest.mark.parametrize(
    ("x", "answer"),
    [([0.5], True), ([2.0**-60], True), ([0.0], False), ([-0.5], False), ([1.0], False), ([np.nan], False)],
)
def test_points_of_a_segment(x, answer):
    asked = inside(relu_chain(([[1.0]], [0.0]), ([[1.0]], [0])), Box(-1, 1))
    assert asked(np.zeros(1, np.int16), np.ones((1, 1), np.uint16), np.array([x])) == [answer]


def test_a_cell_between_two_neighbouring_numbers():
    """1 < x < 1 + 2^-52 holds no float64; 1 + 2^-52 is on its end."""
    low, high = 1.0, 1.0 + 2.0**-52
    asked = inside(relu_chain(([[1.0], [1.0]], [-low, -high]), ([[1.0, 1]], [0])), Box(0, 2))
    pieces = np.tile(np.array([1, 0], np.uint16), (3, 1))
    assert not asked(np.zeros(3, np.int16), pieces, np.array([[low], [high], [np.nextafter(low, 0)]])).any()
    found = rn.enumerate_regions(asked.network, Box(0, 2), record="regions")
    assert (found.count, found.regions.column("witness").null_count) == (3, 1)


def test_the_nearest_point_of_a_slice():
    """The foot of the perpendicular, in rational numbers."""
    network = relu_chain((np.eye(3), np.zeros(3)), ([[1.0, 1, 1]], [0]))
    domain = Slice([0.1, 0.2, 0.3], [[1.0, 2, 0], [0.0, 1, 0.7]], within=Box(-1, 1))
    exact = ExactDomain.of(domain, Problem.over(network, domain).chart)
    x = np.array([0.3, 0.1, -0.2])
    *s, t = Nearest(exact).point(x) or []
    o, d, e = ([Fraction(v) for v in row] for row in ([0.1, 0.2, 0.3], [1.0, 2, 0], [0.0, 1, 0.7]))
    foot = [
        a + Fraction(int(s[0]), int(t)) * b + Fraction(int(s[1]), int(t)) * c for a, b, c in zip(o, d, e, strict=True)
    ]
    away = [Fraction(v) - f for v, f in zip(x.tolist(), foot, strict=True)]
    assert sum(a * b for a, b in zip(away, d, strict=True)) == sum(a * b for a, b in zip(away, e, strict=True)) == 0


def test_an_input_beside_a_fixed_one():
    network = relu_chain(([[1.0, 1]], [0.0]), ([[1.0]], [0]))
    domain = Polytope([[1.0, 0]], [0.5], within=Box([-1, 0.25], [1, 0.25]))
    asked = inside(network, domain)
    pieces = np.ones((4, 1), np.uint16)
    points = np.array([[0.25, 0.25], [0.25, 0.5], [0.5, 0.25], [0.75, 0.25]])
    assert asked(np.zeros(4, np.int16), pieces, points).tolist() == [True, False, False, False]


# What rounding hides ---------------------------------------------------------------------------------------------------------

THIRD = 0.1 * 3.0
OFF = Fraction(0.1) * 3 - Fraction(THIRD)
HIDDEN = PiecewiseLinear((), (0.1,), (-THIRD,))
"""At 3 it is 0 in float64; really it is `OFF`."""
BETWEEN = float(OFF / 2)
NEGATED = PiecewiseLinear((), (-1.0,), (0.0,))
PASSED_ON = PiecewiseLinear((-1.0,), (1.0, 1.0), (0.0, 0.0))


def stepping_at(value):
    """A slope changes there."""
    return PiecewiseLinear((value,), (0.0, 1.0), (value, 0.0))


def claimed_and_true(network, domain, x):
    """The patterns that a point is proved to be inside of in floating point, and those that it is inside of."""
    asked = inside(network, domain)
    counts = [n for layer in network.unit_layers for n in layer.units.n_pieces.tolist()]
    pieces = np.array(list(product(*map(range, counts))), np.uint16)
    certain, exact = both(asked, len(network.unit_layers) - 1, pieces, np.tile(np.asarray(x, float), (len(pieces), 1)))
    return [{tuple(row) for row in pieces[answer].tolist()} for answer in (certain, exact)]


def on_hidden(*layers):
    """Layers of what is 0 in float64, at the input 3."""
    return chain(([[1.0]], [0.0], Units.pointwise(HIDDEN, 1)), *layers)


ROUNDED = {
    "a slope and an intercept": on_hidden(([[1.0]], [0.0], Units.pointwise(stepping_at(BETWEEN), 1))),
    "what a row reads": on_hidden(([[2.0]], [-2.0 * BETWEEN], Units.pointwise(RELU, 1))),
    "what a unit reads": on_hidden(
        ([[1.0]], [0.0], Units.pointwise(PASSED_ON, 1)), ([[2.0]], [-2.0 * BETWEEN], Units.pointwise(RELU, 1))
    ),
    "the winner of a maximum": on_hidden(([[1.0], [0.0]], [0.0, BETWEEN], Units.maxima([[0, 1]]))),
    "the loser of a maximum": on_hidden(([[-1.0], [0.0]], [0.0, -BETWEEN], Units.maxima([[0, 1]]))),
    "what a maximum reads": on_hidden(
        ([[1.0], [0.0]], [0.0, -1.0], Units.maxima([[0, 1]])),
        ([[1.0]], [0.0], Units.pointwise(stepping_at(BETWEEN), 1)),
    ),
}


def shifted(value):
    """A unit that adds a number."""
    return PiecewiseLinear((), (1.0,), (value,))


ROUNDED_LATER = {
    "what never varies": (
        chain(
            ([[1.0]], [0.0], Units.pointwise(stepping_at(3.0), 1)),
            ([[1.0]], [0.0], Units.pointwise(HIDDEN, 1)),
            ([[-1.0]], [0.0], Units.pointwise(RELU, 1)),
        ),
        1.0,
    ),
    "numbers that are added": (
        chain(
            ([[1.0]], [0.0], Units.pointwise(shifted(2.0**52), 1)),
            ([[1.0]], [0.0], Units.pointwise(shifted(-(2.0**52)), 1)),
            ([[1.0]], [0.0], Units.pointwise(stepping_at(0.8), 1)),
        ),
        0.6,
    ),
    "biases": (
        chain(
            ([[1.0]], [2.0**52], Units.pointwise(PASSED_ON, 1)),
            ([[1.0]], [-(2.0**52)], Units.pointwise(PASSED_ON, 1)),
            ([[1.0]], [0.0], Units.pointwise(stepping_at(0.8), 1)),
        ),
        0.6,
    ),
}


@pytest.mark.parametrize("name", ROUNDED_LATER)
def test_what_rounding_hides_of_many_layers_is_not_proved(name):
    network, x = ROUNDED_LATER[name]
    claimed, true = claimed_and_true(network, Box(0.0, 4.0), [x])
    assert not claimed
    assert len(true) == 1


def test_products_round():
    """A number times others, layer by layer: float64 is off by more than one number in the end."""
    factors, value, exact, between = list[float](), 1.0, Fraction(1), 0.0
    for factor in np.random.default_rng(0).uniform(-2.0, -0.5, 100).tolist():
        factors.append(factor)
        value, exact = value * factor, exact * Fraction(factor)
        between = float(np.nextafter(value, np.inf if exact > value else -np.inf))
        if (Fraction(between) - exact) * (Fraction(value) - exact) > 0:
            break
        value, exact = -value, -exact
    *others, last = factors
    layers = [([[factor]], [0.0], Units.pointwise(NEGATED, 1)) for factor in others]
    network = chain(*layers, ([[last]], [0.0], Units.pointwise(stepping_at(between), 1)))
    claimed, true = claimed_and_true(network, Box(0.0, 4.0), [1.0])
    assert not claimed
    assert len(true) == 1


def test_float64_does_not_see_what_is_hidden():
    assert THIRD - 0.1 * 3.0 == 0.0 > BETWEEN > OFF


@pytest.mark.parametrize("name", ROUNDED)
def test_what_rounding_hides_is_not_proved(name):
    """The point is on the other side of the last unit's hyperplane than it is in float64."""
    claimed, true = claimed_and_true(ROUNDED[name], Box(0.0, 4.0), [3.0])
    assert not claimed
    assert len(true) == 1


def test_sums_that_round_prove_nothing():
    """2^53 + 3 - 2^53 - 3.5, in any order of the sum."""
    for order in ([0, 1, 2], [1, 0, 2], [0, 2, 1], [2, 1, 0]):
        network = chain((np.array([[2.0**53, 3.0, -(2.0**53)]])[:, order], [-3.5], Units.pointwise(RELU, 1)))
        claimed, true = claimed_and_true(network, Box(0.0, 2.0), [1.0, 1.0, 1.0])
        assert not claimed
        assert true == {(0,)}


def test_products_that_underflow_prove_nothing():
    """Three times half of the least positive number, minus that."""
    network = chain((np.full((1, 3), 2.0**-540), [-(2.0**-1074)], Units.pointwise(RELU, 1)))
    claimed, true = claimed_and_true(network, Box(-1.0, 1.0), [2.0**-535] * 3)
    assert not claimed
    assert true == {(1,)}


@pytest.mark.parametrize(
    ("a", "b", "x"),
    [([-0.1, 1.0], float(-OFF / 2), [3.0, THIRD]), ([2.0**-540] * 3, 2.0**-1074, [2.0**-535] * 3)],
    ids=["rounded", "underflows"],
)
def test_a_constraint_that_rounding_hides_is_not_fulfilled(a, b, x):
    """It is, in float64, by as much as it is not."""
    network = chain((np.ones((1, len(a))), [9.0], Units.pointwise(RELU, 1)))
    claimed, true = claimed_and_true(network, Polytope([a], [b], within=Box(-4.0, 4.0)), x)
    assert not claimed
    assert not true


def test_a_constraint_whose_sum_rounds_is_not_fulfilled():
    """1 + 1 + 2^53 - 2^53 <= 1.5, in every order."""
    network = chain((np.ones((1, 4)), [9.0], Units.pointwise(RELU, 1)))
    for a in sorted(set(permutations([1.0, 1.0, 2.0**53, -(2.0**53)]))):
        domain = Polytope([a], [1.5], within=Box(-4.0, 4.0))
        assert claimed_and_true(network, domain, [1.0] * 4) == [set(), set()]


def test_an_input_beside_a_slice_stands_for_another_point():
    """The nearest point of the slice is outside of the box, or on the other side of a hyperplane; or neither."""
    network = chain(([[1.0, 0.0]], [-0.47], Units.pointwise(RELU, 1)))
    diagonal, steep = (Slice([0.0, 0.0], [direction], within=Box(-1.0, 1.0)) for direction in ([1.0, 1.0], [1.0, 2.0]))
    assert claimed_and_true(network, diagonal, [0.5, 0.4]) == [set(), {(0,)}]
    assert claimed_and_true(network, diagonal, [0.75, 0.7]) == [{(1,)}, {(1,)}]
    far = chain(([[1.0, 0.0]], [-5.0], Units.pointwise(RELU, 1)))
    assert claimed_and_true(far, steep, [0.9, 0.9]) == [set(), set()]
    assert claimed_and_true(far, steep, [0.3, 0.59]) == [{(0,)}, {(0,)}]


LEVEL = {
    "a point on a hyperplane": (chain(([[1.0]], [0.0], Units.pointwise(RELU, 1))), set()),
    "a unit that is 0 everywhere": (chain(([[0.0]], [0.0], Units.pointwise(RELU, 1))), {(0,)}),
    "a tie in a point": (chain(([[1.0], [-1.0]], [0.0, 0.0], Units.maxima([[0, 1]]))), set()),
    "a tie everywhere": (chain(([[0.0], [0.0]], [1.0, 1.0], Units.maxima([[0, 1]]))), {(0,)}),
    "a tie with what varies": (chain(([[1.0], [0.0]], [0.0, 0.0], Units.maxima([[0, 1]]))), set()),
    "a maximum that is on a hyperplane": (
        chain(([[1.0], [0.0]], [0.0, -5.0], Units.maxima([[0, 1]])), ([[1.0]], [0.0], Units.pointwise(RELU, 1))),
        set(),
    ),
    "a tie of what varies": (chain(([[0.0], [1.0]], [0.0, 0.0], Units.maxima([[0, 1]]))), set()),
}


@pytest.mark.parametrize("name", LEVEL)
def test_what_is_level_takes_the_lower_piece(name):
    """At 0; a point that is on a hyperplane is in no cell."""
    network, patterns = LEVEL[name]
    assert claimed_and_true(network, Box(-1.0, 1.0), [0.0]) == [patterns, patterns]


@pytest.mark.parametrize("x", [[1.0, 0.25], [-1.0, 0.25], [1.5, 0.25], [0.5, 0.3]])
def test_a_point_on_or_outside_of_a_box(x):
    network = chain(([[1.0, 1.0]], [9.0], Units.pointwise(RELU, 1)))
    assert claimed_and_true(network, Box([-1.0, 0.25], [1.0, 0.25]), x) == [set(), set()]
    assert claimed_and_true(network, Box([-1.0, 0.25], [1.0, 0.25]), [0.5, 0.25]) == [{(1,)}, {(1,)}]
