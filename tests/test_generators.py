"""Cones by generators, against another double description and against linear programs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regionenum.exact.cone import Cone, EmptyConeError
from regionenum.exact.generators import Generators
from regionenum.exact.predicates import Side, interior, side
from tests import exact_cones

SIGNS = {Side.NEGATIVE: -1, Side.POSITIVE: 1, Side.CUTS: None}


def forms(n, largest):
    row = st.lists(st.integers(-largest, largest), min_size=n, max_size=n).filter(any)
    return st.lists(row, min_size=1, max_size=9)


def built(rows):
    found: Generators | None = Generators.everything(len(rows[0]))
    for row in rows:
        found = found and found.part(row, 1)
    return found


@pytest.mark.parametrize("largest", [1, 5])
@pytest.mark.parametrize("n", [2, 3, 4])
def test_signs_are_those_of_linear_programs(n, largest):
    @given(forms(n, largest), forms(n, largest))
    def check(rows, asked):
        cone, found = Cone.of(rows), built(rows)
        try:
            interior(cone)
        except EmptyConeError:
            assert found is None
            return
        assert found is not None
        assert cone.contains(found.interior())
        assert found.signs(asked) == [SIGNS[side(cone, row).side] for row in asked]

    check()


@given(forms(3, 2))
def test_rays_are_those_of_another_description(rows):
    other, found = exact_cones.Cone.everything(3), built(rows)
    for row in rows:
        _, above = other.sides(tuple(row))
        if above is None:
            assert found is None
            return
        other = above
    assert found is not None
    assert len(found.lines) == len(other.lines)
    if not found.lines:
        assert {tuple(map(int, ray)) for ray in found.rays} == {primitive(point) for point, _ in other.rays}


def primitive(point):
    return tuple(int(value) for value in np.array(point, object) // np.gcd.reduce(np.array(point, object)))


def test_the_two_parts_of_a_square():
    """x and y between -t and t; x > y is a triangle."""
    square = built([[1, 0, 1], [-1, 0, 1], [0, 1, 1], [0, -1, 1]])
    assert len(square.rays) == 4
    assert len(square.part([1, -1, 0], 1).rays) == len(square.part([1, -1, 0], -1).rays) == 3
    assert square.signs([[1, 0, 2], [1, 0, 1], [-1, 0, -1], [1, 0, 0], [0, 0, 1]]) == [1, 1, -1, None, 1]
    assert square.part([1, 0, -1], 1) is None


@pytest.mark.parametrize("bottoms", [1, 2], ids=["once", "twice"])
def test_rays_of_a_pyramid(bottoms):
    """Cut through its top. If the bottom is there twice, opposite corners are on as many forms as neighbours are."""
    pyramid = built([[1, 0, -1, 1], [-1, 0, -1, 1], [0, 1, -1, 1], [0, -1, -1, 1], *([[0, 0, 1, 0]] * bottoms)])
    assert len(pyramid.rays) == 5
    for form in ([1, 2, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0]):
        for sign in (1, -1):
            half = pyramid.part(form, sign)
            assert len(half.rays) == (4 if form == [1, 1, 0, 0] else 5)
            assert half.signs([form]) == [sign]
