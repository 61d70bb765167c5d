"""Questions about forms on exact cells: right answers, proofs that hold, and hints that are wrong."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from flint import fmpz
from hypothesis import given, settings
from hypothesis import strategies as st

from regionenum.exact import guess, simplex
from regionenum.exact.cone import Cone, EmptyConeError
from regionenum.exact.dyadic import Row, dot, dyadic, integers, primitive, to_floats
from regionenum.exact.predicates import Hint, Outcome, Side, interior, meeting_point, proportion, rank, side, sign_at
from regionenum.exact.simplex import Combination
from tests import exact_cones
from tests.rational import null_vector, signs_on, times
from tests.test_exact_simplex import boxed, cones

BUDGET = settings(max_examples=150, deadline=None)

OF_SIGNS = {frozenset({-1}): Side.NEGATIVE, frozenset({1}): Side.POSITIVE, frozenset({-1, 1}): Side.CUTS}

awkward = st.sampled_from([0, 0, 1, -1, 2, 2**52, 2**52 + 1, -(2**52) + 1, 2**300, 2**300 - 1])


def row_of(*values: int) -> Row:
    return [fmpz(value) for value in values]


def ask(cone: Cone, form: Row, hint: Hint | None = None) -> Outcome:
    outcome = side(cone, form, hint)
    assert outcome.holds(cone, form)
    return outcome


@BUDGET
@given(cones(st.one_of(st.integers(-3, 3), awkward), most=5), st.data())
def test_sides_against_brute_force(rows, data) -> None:
    rows = boxed(rows)
    n = len(rows[0])
    form = data.draw(st.lists(st.one_of(st.integers(-3, 3), awkward), min_size=n, max_size=n))
    truth, cone = signs_on(rows, form), Cone.of(rows)
    if truth is None:
        with pytest.raises(EmptyConeError):
            side(cone, row_of(1, *form[1:]))
    else:
        assert ask(cone, row_of(*form)).side == OF_SIGNS.get(frozenset(truth), Side.ZERO)


@BUDGET
@given(cones(st.one_of(st.integers(-3, 3), awkward), most=7), st.data())
def test_sides_in_unbounded_cones(rows, data) -> None:
    n = len(rows[0])
    form = data.draw(st.lists(st.integers(-3, 3), min_size=n, max_size=n).filter(any))
    cone, other = Cone.of(rows), exact_cones.Cone.everything(n)
    for row in rows:
        part = other.sides(exact_cones.reduced(row))[1]
        if part is None:
            with pytest.raises(EmptyConeError):
                interior(cone)
            return
        other = part
    below, above = other.sides(exact_cones.reduced(form))
    expected = Side.CUTS if below and above else Side.NEGATIVE if below else Side.POSITIVE
    assert ask(cone, row_of(*form)).side == expected


@BUDGET
@given(cones(most=5), st.data())
def test_hints_may_be_wrong(rows, data) -> None:
    rows = boxed(rows)
    n = len(rows[0])
    entries = st.lists(st.integers(-3, 3), min_size=n, max_size=n)
    form = row_of(*data.draw(entries))
    if not any(form) or signs_on(rows, form) is None:
        return
    tight = data.draw(st.lists(st.sampled_from(range(len(rows) + n)), max_size=n))
    points = [row_of(*point) for point in data.draw(st.lists(entries, max_size=3))]
    expected = ask(Cone.of(rows), form).side
    assert ask(Cone.of(rows), form, Hint(tight, points)).side == expected


SQUARE = [[1, 0, 0], [-1, 0, 1], [0, 1, 0], [0, -1, 1], [0, 0, 1]]
"""0 < x < t, 0 < y < t, t > 0."""


def no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither floating point nor the simplex method may be asked."""
    for module, name in ((guess, "farthest"), (guess, "deepest"), (simplex, "combination")):
        monkeypatch.setattr(module, name, lambda *_, **__: pytest.fail("the hint was enough"))


@pytest.mark.parametrize(
    ("form", "tight", "points", "answer"),
    [
        ((-1, -1, 0), (0, 2, 4), [(1, 1, 2)], Side.NEGATIVE),  # it touches a corner
        ((1, 0, 0), (0, 2, 4), [(1, 1, 2)], Side.POSITIVE),  # it is a side
        ((1, 1, -2), (1, 3, 4), [(1, 1, 2)], Side.NEGATIVE),
        ((1, -1, 0), (), [(1, 2, 3), (2, 1, 3)], Side.CUTS),
        ((2, 2, -1), (), [(1, 1, 8), (1, 1, 2)], Side.CUTS),
        ((2, 2, -2), (), [(1, 1, 2)], Side.CUTS),  # the point is on it
    ],
)
def test_a_right_hint_is_enough(form, tight, points, answer, monkeypatch: pytest.MonkeyPatch) -> None:
    no_more(monkeypatch)
    assert ask(Cone.of(SQUARE), row_of(*form), Hint(tight, [row_of(*point) for point in points])).side == answer


@pytest.mark.parametrize("exponent", [-300, -52, 0, 52, 300])
@pytest.mark.parametrize(("above", "answer"), [(0, Side.NEGATIVE), (1, Side.CUTS), (-1, Side.NEGATIVE)])
def test_a_corner_missed_by_a_hair(exponent: int, above: int, answer: Side) -> None:
    """x + y - 2 t with the corner (1, 1) of the square moved by 2^-600, in coordinates of very different sizes."""
    up, down = 2 ** max(exponent, 0), 2 ** max(-exponent, 0)
    # x in units of 2^exponent
    rows = [[1, 0, 0], [-up, 0, down], [0, 1, 0], [0, -1, 1], [0, 0, 1]]
    form = row_of(2**600 * up, 2**600 * down, -2 * 2**600 * down + above * down)
    assert ask(Cone.of(rows), form).side == answer


@pytest.mark.parametrize("k", [30, 52, 53, 100, 1000])
def test_a_sliver(k: int) -> None:
    """Between two lines through the origin at an angle of 2^-k: the diagonal of the sliver cuts, what is outside does not."""
    rows = [*SQUARE, [2**k, -(2**k) + 1, 0], [-(2**k), 2**k + 1, 0]]
    assert ask(Cone.of(rows), row_of(1, -1, 0)).side == Side.CUTS
    assert ask(Cone.of(rows), row_of(2**k, -(2**k) + 2, 0)).side == Side.POSITIVE
    assert ask(Cone.of(rows), row_of(2**k, -(2**k) - 1, 0)).side == Side.NEGATIVE


def test_the_border_of_a_cone_is_outside() -> None:
    cone = Cone.of(SQUARE)
    assert cone.contains(row_of(1, 1, 2))
    for border in (row_of(0, 1, 2), row_of(1, 2, 2), row_of(0, 0, 0)):
        assert not cone.contains(border)


def test_an_empty_cell_is_found_out_in_spite_of_the_hint() -> None:
    rows = [*SQUARE, [2**60, 2**60, -(2**61)]]
    with pytest.raises(EmptyConeError) as caught:
        side(Cone.of(rows), row_of(1, 0, 0), Hint(points=[row_of(1, 1, 1)]))
    multipliers = caught.value.multipliers
    cone = Cone.of(rows)
    assert not any(sum(value * cone.row(i)[j] for i, value in multipliers.items()) for j in range(3))


def test_proofs_that_prove_nothing() -> None:
    cone, form = Cone.of(SQUARE), row_of(1, 1, -2)
    good = side(cone, form)
    assert good.holds(cone, form)
    assert good.combination is not None
    less = dict(list(good.combination.multipliers.items())[1:])
    for bad in (
        replace(good, side=Side.POSITIVE),
        replace(good, side=Side.CUTS),
        replace(good, side=Side.ZERO),
        replace(good, combination=None),
        replace(good, combination=Combination(less, good.combination.divisor)),
        replace(good, below=None),
        replace(good, below=row_of(0, 0, 1)),
    ):
        assert not bad.holds(cone, form)
    cut = side(cone, row_of(1, -1, 0))
    assert not replace(cut, below=cut.above, above=cut.below).holds(cone, row_of(1, -1, 0))


@BUDGET
@given(st.data())
def test_signs_where_hyperplanes_meet(data) -> None:
    d = data.draw(st.integers(1, 4))
    entries = st.one_of(st.integers(-3, 3), st.sampled_from([2**52, 2**52 + 1]))
    forms = [row_of(*data.draw(st.lists(entries, min_size=d + 1, max_size=d + 1))) for _ in range(d + 1)]
    *forms, form = forms
    vector = null_vector(forms, d + 1)
    if vector is None or not vector[-1]:
        assert sign_at(forms, form) is None
        assert meeting_point(forms) is None
        return
    value = times(form, vector) / vector[-1]
    assert sign_at(forms, form) == (value > 0) - (value < 0)
    point = meeting_point(forms)
    assert point is not None
    assert [Fraction(int(p), int(point[-1])) for p in point] == [v / vector[-1] for v in vector]
    assert point[-1] > 0


def test_proportions() -> None:
    assert proportion(row_of(2, -4, 0), row_of(3, -6, 0)) == 1
    assert proportion(row_of(2, -4, 0), row_of(-3, 6, 0)) == -1
    assert proportion(row_of(2**53, 1), row_of(2**53 + 1, 1)) == 0


def test_ranks() -> None:
    prime = 2**31 - 1
    assert rank([]) == rank([row_of(0, 0)]) == 0
    assert rank([row_of(1, 2), row_of(2, 4)]) == 1
    # dependent modulo the prime only
    assert rank([row_of(1, 1), row_of(1, 1 + prime)]) == 2
    assert rank([row_of(prime, 0, 0), row_of(0, prime, 0), row_of(prime, prime, 0)]) == 2


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=64), min_size=1, max_size=6))
def test_floats_are_integers_times_a_power_of_two(values) -> None:
    numbers, exponent = integers(values)
    assert [Fraction(n) * Fraction(2) ** exponent for n in numbers] == [Fraction(v) for v in values]
    column = dyadic(np.array(values))
    assert [int(v) for v in column.matrix.entries()] == numbers
    assert any(numbers) == any(n % 2 for n in numbers)


def test_the_ends_of_the_range_of_floats() -> None:
    numbers, exponent = integers([5e-324, -1.7976931348623157e308, 0.0, 2.0**62])
    assert exponent == -1074
    assert numbers == [1, -(2**53 - 1) << 2045, 0, 1 << 1136]


def test_rows_as_floats() -> None:
    rows = [row_of(3, -1), row_of(0, 1), row_of(2**2000, 3 * 2**1999)]
    assert to_floats(rows).tolist() == [[0.75, -0.25], [0.0, 0.5], [0.5, 0.75]]
    assert primitive(row_of(6, -9)) == [2, -3]
    assert dot(row_of(1, 2), row_of(3, 4)) == 11
