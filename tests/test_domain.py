import numpy as np
import pytest

from regionenum.domain import Box, domain_from
from regionenum.domain.description import KINDS
from regionenum.errors import InputError


@pytest.mark.parametrize(
    ("lower", "upper", "sentence"),
    [
        (float("nan"), 1, "lower bound is nan; bounds must be finite"),
        ([0, -np.inf], 1, "lower bound at coordinate 1 is -inf; bounds must be finite"),
        (0, [[1, 2], [3, np.inf]], r"upper bound at coordinate \(1, 1\) is inf"),
        ("a", 1, "lower bound must be numbers, got 'a'"),
        (0, [[1], [1, 2]], "upper bound must be numbers"),
        (None, 1, "lower bound"),
        ([0, 0], [1, 1, 1], r"lower has shape \(2,\) and upper has shape \(3,\)"),
        ([0, 2], [1, 1], r"lower 2.0 is above upper 1.0 at coordinate 1; swap"),
        (2, 1, "lower 2.0 is above upper 1.0; swap"),
    ],
)
def test_bounds_that_are_refused(lower, upper, sentence):
    with pytest.raises(InputError, match=sentence):
        Box(lower, upper)


@pytest.mark.parametrize(
    ("lower", "upper", "sentence"),
    [
        ([0, 0, 0], 1, r"lower has shape \(3,\), but one input of the network has shape \(2,\)"),
        (0, [[1, 1]], r"upper has shape \(1, 2\)"),
        ([1, 2], [1, 2], "every coordinate is fixed"),
        (3, 3, "single point"),
        ([-1.7e308, 0], [1.7e308, 1], "width of the box at coordinate 0 overflows"),
    ],
)
def test_boxes_that_do_not_fit_a_network(lower, upper, sentence):
    with pytest.raises(InputError, match=sentence):
        Box(lower, upper).chart((2,))


@pytest.mark.parametrize(
    ("lower", "upper"),
    [
        (-1, 2),
        ([-1, -1, -1, -1], 2),
        ([[-1, -1], [-1, -1]], np.full((2, 2), 2)),
        (np.full(4, -1), np.full(4, 2)),
        (-1, np.full((2, 2), 2.0)),
        ([-1, -1, -1, -1], [[2, 2], [2, 2]]),
    ],
)
def test_scalars_flat_and_shaped_bounds_are_the_same_box(lower, upper):
    chart = Box(lower, upper).chart((2, 2))
    assert chart.dim == 4
    np.testing.assert_array_equal(chart.to_input(np.array([[0, 1, 0.5, 0.25]])), [[-1, 2, 0.5, -0.25]])


def test_fixed_coordinates_lose_their_dimension():
    chart = Box([0.0, 5.0, -1.0], [1.0, 5.0, 3.0]).chart((3,))
    assert chart.dim == 2
    np.testing.assert_array_equal(
        chart.to_input(np.array([[0.0, 0.0], [1.0, 1.0], [0.5, 0.5]])), [[0, 5, -1], [1, 5, 3], [0.5, 5, 1]]
    )


def test_bounds_are_copied_and_cannot_be_changed():
    lower = np.zeros(2)
    box = Box(lower, 1)
    lower[0] = 9
    assert np.asarray(box.lower).tolist() == [0, 0]
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(box.lower)[0] = 1


@pytest.mark.parametrize("box", [Box(-1, 1), Box([0.0, 1.0], [2.0, 1.0]), Box(np.zeros((1, 2)), 3)])
def test_a_description_makes_the_domain_again(box):
    again = domain_from(box.describe())
    assert isinstance(again, Box)
    np.testing.assert_array_equal(again.lower, box.lower)
    np.testing.assert_array_equal(again.upper, box.upper)


def test_an_unknown_kind_of_domain_is_refused():
    with pytest.raises(InputError, match=f"invalid enum value 'ball'; use one of {', '.join(KINDS)}"):
        domain_from({"kind": "ball"})
