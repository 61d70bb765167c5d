"""What is refused as a domain: one sentence that names the value, the place and the mend."""

import numpy as np
import pytest

from regionenum.domain import Box, Polytope, Slice, l1_ball, linf_ball
from regionenum.errors import InputError

UNIT = Box(0.0, 1.0)
LINE = Box([0.0, 0.5], [1.0, 0.5])
FLAT = (
    "polytope: it has no interior, up to 1e-08 of the box's width; relax an inequality, give a smaller box if the polytope is "
    "that small, or use a Slice for an equation"
)
EMPTY = "polytope: no input in the box fulfils all inequalities; relax one, or widen the box"
MISSED = "slice: it passes the box by or only touches it, up to 1e-08 of its width; move the origin or widen the box"
NOWHERE = (
    "polytope: inequality 0 holds nowhere in the box, whose free inputs it does not name; correct the inequality or "
)
NOWHERE += "the box"


def many_dependent():
    """64 directions in 784 inputs, of which the last is twice the first less the second."""
    directions = np.random.default_rng(0).integers(-(2**50), 2**50, (64, 784)).astype(float)
    directions[-1] = 2 * directions[0] - directions[1]
    return directions


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Polytope([[1, np.nan]], [1], UNIT), "polytope: A at coordinate (0, 1) is nan; give finite numbers"),
        (lambda: Polytope([[1, 1]], [np.inf], UNIT), "polytope: b at coordinate 0 is inf; give finite numbers"),
        (
            lambda: Polytope([1, 1], [1], UNIT),
            "polytope: A has shape (2,) and b has shape (1,); give a matrix with a row for each inequality, and a list",
        ),
        (
            lambda: Polytope([[1, 1]], [1, 2], UNIT),
            "polytope: A has 1 rows and b has 2 numbers; give one number for each row",
        ),
        (lambda: Polytope("x", [1], UNIT), "polytope: A must be an array of numbers"),
        (lambda: Polytope([[1, 1]], [1], within=3), "polytope: within is 3; give a Box, or None"),  # type: ignore[arg-type]
        (
            lambda: Polytope([[1, 1, 1]], [1], UNIT),
            "polytope: A has 3 columns, but one input of the network has 2 values; give one column for each",
        ),
        (lambda: Polytope([[0, 0]], [-1], UNIT), NOWHERE),
        (lambda: Polytope([[0, 1]], [0.25], LINE), NOWHERE),
        (
            lambda: Polytope([[0, 0]], [-1]),
            "polytope: inequality 0 is 0 <= -1.0, which holds nowhere; remove or correct it",
        ),
        (lambda: Polytope([[1, 1]], [0], UNIT), FLAT),
        (lambda: Polytope([[1, 0], [-1, 0]], [0.5, -0.5], UNIT), FLAT),
        (lambda: Polytope([[1, 0], [-1, 0], [0, 1], [0, -1]], [1, -1, 1, 1]), FLAT),
        (lambda: Polytope([[1, 1]], [-1], UNIT), EMPTY),
        (lambda: Polytope([[1, 0], [-1, 0]], [0.25, -0.75], UNIT), EMPTY),
        (
            lambda: Polytope([[1, 1]], [1]),
            "polytope: the inequalities do not bound input 0; give within=Box(lower, upper)",
        ),
        (
            lambda: Polytope([[1, 0], [-1, 0]], [1, 1]),
            "polytope: the inequalities do not bound input 1; give within=Box(lower, upper)",
        ),
        (
            lambda: Polytope([[1e308, 1e308]], [1], Box(-1e3, 1e3)),
            "polytope: products of A and the bounds of the box overflow; scale the inequalities",
        ),
        (lambda: Slice([0, np.nan], [[1, 0]]), "slice: the origin at coordinate 1 is nan; give finite numbers"),
        (
            lambda: Slice([0, 0], [[1, 0, 0]]),
            "slice: the origin has shape (2,) and directions have shape (1, 3); give a list of arrays like the origin",
        ),
        (
            lambda: Slice([0, 0], []),
            "slice: the origin has shape (2,) and directions have shape (0,); give a list of arrays like the origin",
        ),
        (lambda: Slice([0, 0], [[1, 0], [0, 0]]), "slice: direction 1 is zero; remove it"),
        (
            lambda: Slice([0, 0], [[1, 2], [2, 4]]),
            "slice: the 2 directions span only 1 dimension; give linearly independent ones",
        ),
        (
            lambda: Slice(np.zeros(784), many_dependent()),
            "slice: the 64 directions span only 63 dimensions; give linearly independent ones",
        ),
        (
            lambda: Slice([0, 0, 0], [[1, 2, 0]]),
            "slice: the origin has shape (3,), but one input of the network has shape (2,); give an array of that shape",
        ),
        (
            lambda: Slice([0, 5], [[1, 0]], UNIT),
            "slice: input 1 is 5.0 all over the slice, outside the box's [0.0, 1.0]; move the origin or widen the box",
        ),
        (lambda: Slice([0, 0], [[1, -1]], UNIT), MISSED),
        (lambda: Slice([-1, -1], [[1, -1]], UNIT), MISSED),
        (
            lambda: Slice([0.5, 0.5], [[1, 1]], LINE),
            "slice: the box fixes input 1, which a direction moves; set that entry of the directions to 0, or widen the box",
        ),
        (lambda: Slice([0, 0], [[1, 1]], within="box"), "slice: within is 'box'; give a Box, or None"),  # type: ignore[arg-type]
        (
            lambda: Slice([1e308, 0], [[1, 1]], Box(-1e308, 1)),
            "slice: the distance of the origin to the bounds of the box overflows; use smaller numbers",
        ),
        (lambda: Slice.through([[0, 0]]), "slice: points have shape (1, 2); give a list of two inputs or more"),
        (lambda: Slice.through([0, 1]), "slice: points have shape (2,); give a list of two inputs or more"),
        (
            lambda: Slice.through([[0, 0], [1, 1], [2, 2]]),
            "slice: the 3 points span only 1 dimension; leave out points",
        ),
        (lambda: Slice.through([[1, 2], [1, 2]]), "slice: the 2 points span only 0 dimensions; leave out points"),
        (
            lambda: Slice.through(np.array([[0, 0], [1, np.inf]])),
            "slice: points at coordinate (1, 1) is inf; give finite numbers",
        ),
        (lambda: linf_ball(0, 0), "linf_ball: the radius is 0; give a positive number"),
        (lambda: linf_ball(0, np.nan), "linf_ball: the radius is nan; give finite numbers"),
        (lambda: linf_ball([0, 0], [1, 1]), "linf_ball: the radius is [1, 1]; give a positive number"),  # type: ignore[arg-type]
        (
            lambda: linf_ball([5, 0], 1, UNIT),
            "linf_ball: the ball and the box do not meet at coordinate 0; move the center or widen the box",
        ),
        (
            lambda: linf_ball([5, 0], 1, Box([0, 0, 0], 1)),
            "linf_ball: the center has shape (2,) and the box has bounds of shape (3,); give both the shape of one input",
        ),
        (lambda: l1_ball(0, 1), "l1_ball: the center is a single number; give one number for each input"),
        (
            lambda: l1_ball(np.zeros(15), 1),
            "l1_ball: 15 inputs are free, and the ball has 2^15 sides; at most 12 free inputs are accepted: fix the others "
            "with within=Box, or use linf_ball",
        ),
        (
            lambda: l1_ball([5, 0], 1, UNIT),
            "l1_ball: the ball and the box do not meet at coordinate 0; move the center or widen the box",
        ),
        (lambda: l1_ball([1.75, 1.75], 1, UNIT), EMPTY),
        (lambda: l1_ball(["a"], 1), "l1_ball: the center must be an array of numbers"),
    ],
)
def test_domains_that_are_refused(make, sentence):
    with pytest.raises(InputError) as caught:
        make().chart((2,))
    assert str(caught.value) == sentence
