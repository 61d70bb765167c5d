"""Balls around an input: boxes and polytopes that remember how they were given."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from regionenum.domain.box import Box, at_coordinate
from regionenum.domain.polytope import Polytope, check_within, numbers
from regionenum.errors import InputError
from regionenum.network.units import Floats

MOST_FREE = 12
"""Largest number of free inputs of an l1 ball, which has a side for every choice of their signs."""


def linf_ball(center: npt.ArrayLike, radius: float, within: Box | None = None) -> Box:
    """The inputs x with max_i |x_i - center_i| <= radius, inside a box if one is given: a box.

    Parameters
    ----------
    center : array_like
        A number, or an array shaped like one input.
    radius : float
        Positive, in the units of the inputs.
    within : Box, optional
        The box; by default the whole ball.

    Returns
    -------
    Box
        Its description is that of the ball.

    Raises
    ------
    InputError
        If the radius is not a positive number, or the ball and the box have no point in common.

    Examples
    --------
    >>> linf_ball([0.0, 0.9], 0.25, within=Box(0.0, 1.0)).upper
    array([0.25, 1.  ])
    """
    c, r = _checked(center, radius, within, "linf_ball")
    given_as = _given_as("linf_ball", c, r, within)
    if within is None:
        return Box(c - r, c + r, given_as=given_as)
    low, high = _like(c, within, "linf_ball")
    lower, upper = np.broadcast_arrays(np.maximum(c - r, low), np.minimum(c + r, high))
    _refuse_apart(lower, upper, "linf_ball")
    return Box(lower, upper, given_as=given_as)


def l1_ball(center: npt.ArrayLike, radius: float, within: Box | None = None) -> Polytope:
    """The inputs x with sum_i |x_i - center_i| <= radius, inside a box if one is given: a polytope.

    It has 2^d sides for d free inputs, so d is at most `MOST_FREE`.

    Parameters
    ----------
    center : array_like
        Shaped like one input.
    radius : float
        Positive, in the units of the inputs.
    within : Box, optional
        The box; by default the whole ball.

    Returns
    -------
    Polytope
        Its description is that of the ball.

    Raises
    ------
    InputError
        If the center is a single number, the radius is not a positive number, or too many inputs are free.

    Examples
    --------
    >>> len(l1_ball([0.0, 0.0, 0.0], 1.0).b)
    8
    """
    c, r = _checked(center, radius, within, "l1_ball")
    if c.ndim == 0:
        raise InputError("l1_ball: the center is a single number; give one number for each input")
    # a box that touches the ball in no corner
    lower, upper = c.ravel() - 2.0 * r, c.ravel() + 2.0 * r
    if within is not None:
        low, high = _like(c, within, "l1_ball")
        low, high = (np.broadcast_to(bound, c.shape).ravel() for bound in (low, high))
        lower, upper = np.maximum(lower, low), np.minimum(upper, high)
        _refuse_apart(lower, upper, "l1_ball")
    free = np.flatnonzero(lower < upper)
    if len(free) > MOST_FREE:
        raise InputError(
            f"l1_ball: {len(free)} inputs are free, and the ball has 2^{len(free)} sides; at most {MOST_FREE} free inputs "
            "are accepted: fix the others with within=Box, or use linf_ball"
        )
    # a fixed input has a part of the radius for itself
    signs = np.tile(np.where(lower >= c.ravel(), 1.0, -1.0), (2 ** len(free), 1))
    signs[:, free] = list(itertools.product((-1.0, 1.0), repeat=len(free)))
    b = [math.fsum([r, *(row * c.ravel())]) for row in signs]
    return Polytope(signs, b, within=Box(lower, upper), given_as=_given_as("l1_ball", c, r, within))


def _checked(center: npt.ArrayLike, radius: float, within: Box | None, name: str) -> tuple[Floats, float]:
    """Center and radius as numbers."""
    c, r = numbers(center, f"{name}: the center"), numbers(radius, f"{name}: the radius")
    if r.ndim or not r > 0:
        raise InputError(f"{name}: the radius is {radius}; give a positive number")
    check_within(within, name)
    return c, float(r)


def _given_as(kind: str, center: Floats, radius: float, within: Box | None) -> dict[str, Any]:
    return {
        "kind": kind,
        "center": center.tolist(),
        "radius": radius,
        "within": within and within.describe_bounds(),
    }


def _refuse_apart(lower: Floats, upper: Floats, name: str) -> None:
    """Refuse an intersection of a ball and a box that is empty in some coordinate."""
    if (lower > upper).any():
        k = tuple(int(i) for i in np.argwhere(lower > upper)[0])
        raise InputError(
            f"{name}: the ball and the box do not meet{at_coordinate(k)}; move the center or widen the box"
        )


def _like(center: Floats, within: Box, name: str) -> tuple[Floats, Floats]:
    """The bounds of the box, flat where the center is."""
    found = []
    for bound in (np.asarray(within.lower), np.asarray(within.upper)):
        if bound.ndim and center.ndim and bound.size != center.size:
            raise InputError(
                f"{name}: the center has shape {center.shape} and the box has bounds of shape {bound.shape}; "
                "give both the shape of one input"
            )
        found.append(bound.reshape(center.shape) if bound.ndim and center.ndim else bound)
    return found[0], found[1]
