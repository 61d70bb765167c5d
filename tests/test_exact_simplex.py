"""Exact linear programs: against brute force in fractions, against double description, and on programs known to cycle."""

import itertools
import random
from fractions import Fraction
from typing import Any

import pytest
from flint import fmpz
from hypothesis import given, settings
from hypothesis import strategies as st

from regionenum.exact import simplex
from regionenum.exact.basis import Basis, DependentError, completed
from regionenum.exact.cone import Cone, EmptyConeError, Forms, Sides
from regionenum.exact.dyadic import Row, dot, primitive
from regionenum.exact.simplex import Combination, Reached, between, combination, combination_by, interior_point
from tests import exact_cones
from tests.rational import signs_on

BUDGET = settings(max_examples=150, deadline=None)

small = st.integers(-3, 3)
near = st.sampled_from([0, 1, -1, 2**52, 2**52 + 1, 2**52 - 1, -(2**52), 2**300])


def integers(row) -> Row:
    return [fmpz(value) for value in row]


@st.composite
def cones(draw, entries=small, most=9):
    """Rows that are not 0, of a cone that may be empty, or hold lines."""
    n = draw(st.integers(2, 4))
    row = st.lists(entries, min_size=n, max_size=n).filter(any)
    return draw(st.lists(row, min_size=1, max_size=most))


def boxed(rows):
    """The same cone in the box |v_j| <= 2 v_n, so that it holds no line."""
    n = len(rows[0])
    sides = [[sign * (i == j) for i in range(n - 1)] + [2] for j in range(n - 1) for sign in (1, -1)]
    return [*sides, *rows]


def described(rows) -> exact_cones.Cone | None:
    """The cone by double description."""
    cone: exact_cones.Cone | None = exact_cones.Cone.everything(len(rows[0]))
    for row in rows:
        cone = cone.sides(exact_cones.reduced(row))[1] if cone else None
    return cone


def check_empty(cone: Cone, error: EmptyConeError) -> None:
    assert error.multipliers
    assert all(value > 0 for value in error.multipliers.values())
    assert not any(sum(v * cone.row(i)[j] for i, v in error.multipliers.items()) for j in range(cone.n))


def check(cone: Cone, target: Row, found: Combination | Reached) -> bool:
    """Whether the form is a combination; what was found proves it."""
    if isinstance(found, Combination):
        assert found.proves(cone, target)
        return True
    assert all(value >= 0 for value in cone.values(found.point))
    assert dot(target, found.point) < 0
    return False


@BUDGET
@given(cones(), st.data())
def test_combinations_against_brute_force(rows, data) -> None:
    rows = boxed(rows)
    form = data.draw(st.lists(small, min_size=len(rows[0]), max_size=len(rows[0])))
    start = data.draw(st.lists(st.sampled_from(range(len(rows))), unique=True))
    order = data.draw(st.permutations(range(len(rows))))
    cone, truth = Cone.of(rows), signs_on(rows, form)
    if truth is None:
        with pytest.raises(EmptyConeError) as caught:
            interior_point(cone)
        check_empty(cone, caught.value)
        return
    inside = interior_point(cone)
    assert cone.contains(inside)
    for sign in (-1, 1):
        target = integers(-sign * value for value in form)
        found = combination(cone, target, start, order)
        assert check(cone, target, found) == (sign not in truth)
        if isinstance(found, Reached):
            point = between(cone, inside, found.point, integers(sign * value for value in form))
            assert cone.contains(point)
            assert sign * dot(integers(form), point) > 0


@BUDGET
@given(cones(st.one_of(small, near)), st.data())
def test_unbounded_cones_against_double_description(rows, data) -> None:
    n = len(rows[0])
    form = data.draw(st.lists(st.one_of(small, near), min_size=n, max_size=n).filter(any))
    cone, other = Cone.of(rows), described(rows)
    if other is None:
        with pytest.raises(EmptyConeError) as caught:
            interior_point(cone)
        check_empty(cone, caught.value)
        return
    assert cone.contains(interior_point(cone))
    below, above = other.sides(exact_cones.reduced(form))
    for part, sign in ((below, 1), (above, -1)):
        target = integers(sign * value for value in form)
        assert check(cone, target, combination(cone, target)) == (part is None)


@BUDGET
@given(cones(), st.data())
def test_scaling_order_and_copies_change_nothing(rows, data) -> None:
    rows = boxed(rows)
    n = len(rows[0])
    target = integers(data.draw(st.lists(small, min_size=n, max_size=n)))
    factors = data.draw(st.lists(st.sampled_from([1, 3, 2**300]), min_size=len(rows), max_size=len(rows)))
    others = [[factor * value for value in row] for factor, row in zip(factors, rows, strict=True)]
    others = data.draw(st.permutations([*others, rows[-1]]))
    one, two = Cone.of(rows), Cone(n, [Forms([integers(row) for row in others], [(0, 0, 0)] * len(others))])
    assert isinstance(combination(one, target), Combination) == check(two, target, combination(two, target))


def program(objective, rows, value) -> tuple[Cone, Row]:
    """Whether max objective . x over rows x <= levels, x >= 0 is at most a value: is value t - objective a combination?"""
    n = len(objective)
    forms = [[*(Fraction(i == j) for i in range(n)), Fraction(0)] for j in range(n)]
    forms += [[*(-Fraction(v) for v in row[:-1]), Fraction(row[-1])] for row in rows]
    scaled = [[int(v * 1000) for v in row] for row in forms]
    target = [int(-Fraction(v) * 10**6) for v in objective] + [int(Fraction(value) * 10**6)]
    return Cone.of([*scaled, [0] * n + [1]]), integers(target)


CYCLING: dict[str, tuple[tuple[Any, ...], list[tuple[Any, ...]], Any]] = {
    "Beale 1955": (
        ("3/4", -150, "1/50", -6),
        [("1/4", -60, "-1/25", 9, 0), ("1/2", -90, "-1/50", 3, 0), (0, 0, 1, 0, 1)],
        "1/20",
    ),
    "Chvatal 1983": (
        (10, -57, -9, -24),
        [("1/2", "-11/2", "-5/2", 9, 0), ("1/2", "-3/2", "-1/2", 1, 0), (1, 0, 0, 0, 1)],
        1,
    ),
}
"""Programs on which the simplex method with the largest coefficient cycles at x = 0, and their maxima."""


@pytest.mark.parametrize("name", CYCLING)
def test_programs_that_cycle_end(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the vertex at which they cycle, in every order of some forms, and no basis comes twice."""
    objective, rows, maximum = CYCLING[name]
    seen: list[frozenset[int]] = []

    class Counted(Basis):
        def __init__(self, cone: Cone, forms) -> None:
            super().__init__(cone, forms)
            assert frozenset(forms) not in seen, "a basis came twice"
            seen.append(frozenset(forms))

    monkeypatch.setattr(simplex, "Basis", Counted)
    n = len(objective)
    for value in (Fraction(maximum), Fraction(maximum) - Fraction(1, 10**6)):
        cone, target = program(objective, rows, value)
        for order in itertools.islice(itertools.permutations(range(len(cone))), 0, None, 97):
            seen.clear()
            is_bounded = check(cone, target, combination(cone, target, [*range(n), len(cone) - 1], order))
            assert is_bounded == (value == Fraction(maximum))


def test_a_start_may_be_wrong() -> None:
    """Dependent, too long, too short, or far from the end: the answer is the same."""
    rows = boxed([[1, 1, 0], [1, -1, 0], [2, 2, 0]])
    cone, target = Cone.of(rows), integers([1, 0, 0])
    for size in range(6):
        for start in itertools.permutations(range(len(rows)), min(size, 4)):
            assert check(cone, target, combination(cone, target, start))


def test_a_basis_with_unit_vectors_proves_only_what_needs_none_of_them() -> None:
    """y is no combination of x and t, though one of the basis x, e_2, t."""
    cone = Cone.of([[1, 0, 0], [0, 0, 1]])
    assert combination_by(cone, integers([0, 1, 0]), [0, 3, 1]) is None
    assert combination_by(cone, integers([1, 0, 2]), [0, 3, 1]) == Combination({0: fmpz(1), 1: fmpz(2)}, fmpz(1))
    assert combination_by(cone, integers([1, 0, -2]), [0, 3, 1]) is None


def test_the_right_basis_needs_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Basis, "direction", lambda *_: pytest.fail("a step"))
    rows = boxed([[1, 1, 0], [1, -1, 0]])
    assert check(Cone.of(rows), integers([1, 0, 0]), combination(Cone.of(rows), integers([1, 0, 0]), [4, 5, 1]))


@given(st.integers(0, 10**6))
@BUDGET
def test_systems_of_a_basis(seed: int) -> None:
    """Forms with one coordinate and others, mixed; unit vectors where there are not enough."""
    random_ = random.Random(seed)
    n = random_.randint(1, 6)
    rows = [integers(random_.randint(-3, 3) for _ in range(n)) for _ in range(random_.randint(0, 6))]
    sides = [
        (random_.randrange(n - 1), fmpz(random_.choice([-4, -2, 1, 2, 3])), fmpz(random_.randint(-5, 5)))
        for _ in range(random_.randint(0, 6) if n > 1 else 0)
    ]
    cone = Cone(n, [Forms(rows, [(0, 0, 0)] * len(rows)), Sides(n, sides, [(1, 0, 0)] * len(sides))])
    chosen = random_.sample(range(len(cone)), random_.randint(0, len(cone)))
    basis = completed(cone, chosen, range(len(cone)))
    target = integers(random_.randint(-9, 9) for _ in range(n))
    multipliers, divisor = Basis(cone, basis).multipliers(target)
    assert divisor > 0
    assert [sum(multipliers[i] * cone.row(i)[j] for i in basis) for j in range(n)] == [divisor * v for v in target]
    for i in basis:
        values = {k: dot(cone.row(k), Basis(cone, basis).direction(i)) for k in basis}
        assert values.pop(i) > 0
        assert not any(values.values())
    if n > 1:
        with pytest.raises(DependentError):
            Basis(cone, [*basis[:-1], basis[0]]).multipliers(target)


@pytest.mark.parametrize("n", [20, 40])
def test_large_systems(n: int) -> None:
    """By elimination, and by lifting."""
    random_ = random.Random(n)
    rows = [integers(random_.getrandbits(60) - 2**59 for _ in range(n)) for _ in range(n)]
    cone, target = Cone.of(rows), integers(random_.getrandbits(60) for _ in range(n))
    multipliers, divisor = Basis(cone, range(n)).multipliers(target)
    for j in range(n):
        assert sum(multipliers[i] * cone.row(i)[j] for i in range(n)) == divisor * target[j]
    with pytest.raises(DependentError):
        Basis(Cone.of([*rows[:-1], [sum(column) for column in zip(*rows[:-1], strict=True)]]), range(n)).multipliers(
            target
        )


def test_a_combination_that_is_none_proves_nothing() -> None:
    cone = Cone.of([[1, 0], [0, 1]])
    target = integers([2, 3])
    good = {0: fmpz(2), 1: fmpz(3)}
    assert Combination(good, fmpz(1)).proves(cone, target)
    for bad, divisor in (({0: 2}, 1), ({0: 2, 1: 4}, 1), ({0: 2, 1: 3}, 2), ({0: -2, 1: -3}, -1), ({0: 2, 2: 3}, 1)):
        assert not Combination({i: fmpz(v) for i, v in bad.items()}, fmpz(divisor)).proves(cone, target)
    assert not Combination({0: fmpz(2), 1: fmpz(-3)}, fmpz(1)).proves(cone, integers([2, -3]))
    # nor does a multiple of its negative, or none of it
    assert not Combination(good, fmpz(-1)).proves(cone, integers([-2, -3]))
    assert not Combination({}, fmpz(0)).proves(cone, integers([-2, -3]))


def test_sides_keep_a_point_off_the_box() -> None:
    """The forms bind, and the point has to be inside the box too, which is eliminated."""
    sides = Sides(3, [(0, fmpz(1), fmpz(0)), (0, fmpz(-1), fmpz(1)), (1, fmpz(1), fmpz(0))], [(0, 0, 0)] * 3)
    forms = Forms([integers([0, 0, 1]), integers([-(2**60), 1, 0]), integers([2**61, -1, 0])], [(1, 0, 0)] * 3)
    assert Cone(3, [forms, sides]).contains(interior_point(Cone(3, [forms, sides])))
    flat = Forms([integers([1, 1, -1]), integers([-1, -1, 1])], [(1, 0, 0)] * 2)
    with pytest.raises(EmptyConeError) as caught:
        interior_point(Cone(3, [flat, sides]))
    check_empty(Cone(3, [flat, sides]), caught.value)
    shut = Sides(2, [(0, fmpz(1), fmpz(0)), (0, fmpz(-1), fmpz(0))], [(0, 0, 0)] * 2)
    assert shut.middle is None
    with pytest.raises(EmptyConeError):
        interior_point(Cone(2, [shut]))


def test_blocks_of_a_cone() -> None:
    """x between 1 / 2 and 1, and above 0 twice; at t = 4."""
    sides = Sides(2, [(0, fmpz(1), fmpz(0)), (0, fmpz(2), fmpz(-1)), (0, fmpz(-1), fmpz(1))], [(0, 0, 0)] * 3)
    middle = sides.middle
    assert middle is not None
    assert Fraction(int(middle[0]), int(middle[1])) == Fraction(3, 4)
    assert sides.values(integers([3, 4])) == [3, 2, 1]
    cone = Cone(2, [Forms([integers([1, 0])], [(1, 0, 0)]), sides])
    assert cone.values(integers([3, 4])) == [3, 3, 2, 1]
    assert [cone.contains(integers([x, 4])) for x in (1, 2, 3, 4, 5)] == [False, False, True, False, False]


def test_primitive_rows_point_where_they_pointed() -> None:
    assert primitive(integers([-4, 6])) == [-2, 3]
    assert primitive(integers([0, 0])) == [0, 0]
