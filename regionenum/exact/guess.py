"""What floating point says of a linear program over a cone: a basis and a point, of which nothing is believed.

The bounded dual simplex method on a dense table, with steps past coordinates that can go to their other ends (Wagner, The
dual simplex algorithm for bounded variables, Naval Res. Logist. Quart. 5, 1958; Maros 2003, section 10.2), in the coordinates
of the cone's frame, in which cells are not too far from the size 1. It begins at the best corner of the frame's box, so that
a program over many coordinates and few forms takes few pivots, of few rows each. It ends after `_MOST` pivots at the latest,
wherever it is then.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from flint import fmpz_mat

from regionenum.exact.cone import Cone, Frame
from regionenum.exact.dyadic import Row, integers, primitive, to_floats
from regionenum.network.units import Floats

_VIOLATED = 1e-11
"""How far outside a variable counts as outside; forms have entries of at most 1."""

_SMALLEST_PIVOT = 1e-11

_MOST = 500

_UNBOUNDED = 1e100

_SEED = 9


class Guess(NamedTuple):
    """An end of the simplex method.

    Attributes
    ----------
    tight : forms of the cone that are 0 there, perhaps fewer than there are coordinates
    point : w, in the frame's coordinates
    value : of the objective, whose largest coefficient is about 1
    """

    tight: list[int]
    point: Floats
    value: float


class _Table(NamedTuple):
    """basic = table nonbasic + constants; variables 0 .. n - 1 are coordinates, the others forms."""

    table: Floats
    cost: Floats
    basic: np.ndarray
    at_basic: Floats
    nonbasic: np.ndarray
    at_nonbasic: Floats


def farthest(cone: Cone, form: Row) -> Guess:
    """Where a form is largest in the closed cone and the frame's box."""
    frame = cone.frame
    forms, numbers = cone.seen
    objective = to_floats((fmpz_mat(1, cone.n, form) * frame.matrix).tolist())[0]
    linear, constant = _split(frame, forms)
    cost, offset = _split(frame, objective[None, :])
    end = _solve(linear, constant, cost[0], frame.lower, frame.upper)
    point, names = _read(end, frame, numbers)
    tight = [i for i in names if i >= 0]
    if frame.affine:
        tight.append(0)
        point = np.append(point, 1.0)
    return Guess(tight, point, float(cost[0] @ point[: cost.shape[1]] + offset[0]))


def deepest(cone: Cone, margin: float) -> Floats:
    """A point w, in the frame's coordinates, far from the hyperplanes of the forms and by a margin inside the frame's box."""
    frame = cone.frame
    linear, constant = _split(frame, cone.seen[0])
    length = np.linalg.norm(linear, axis=1)
    linear = np.column_stack([linear, -np.where(length > 0, length, 1.0)])
    # without some cost of the coordinates all of them are as good as any other
    cost = np.append(-1e-6 * np.random.default_rng(_SEED).uniform(1.0, 2.0, linear.shape[1] - 1), 1.0)
    end = _solve(linear, constant, cost, np.append(frame.lower + margin, -4.0), np.append(frame.upper - margin, 1.0))
    point = _read(end, None, [])[0][:-1]
    return np.append(point, 1.0) if frame.affine else point


def exactly(frame: Frame, point: Floats) -> Row:
    """The point of a cone that stands for a float64 point of its frame."""
    values, _ = integers(point)
    return primitive((frame.matrix * fmpz_mat(len(point), 1, values)).entries())


def _split(frame: Frame, forms: Floats) -> tuple[Floats, Floats]:
    return (forms[:, :-1], forms[:, -1]) if frame.affine else (forms, np.zeros(len(forms)))


def _solve(linear: Floats, constant: Floats, cost: Floats, lower: Floats, upper: Floats) -> _Table:
    """Maximise cost . z over linear z + constant >= 0 and lower <= z <= upper."""
    m, d = linear.shape
    at_nonbasic = np.where(cost > 0, upper, lower)
    lower, upper = np.concatenate([lower, np.zeros(m)]), np.concatenate([upper, np.full(m, _UNBOUNDED)])
    table, cost = linear.copy(), cost.copy()
    basic, nonbasic = np.arange(d, d + m), np.arange(d)
    at_basic = linear @ at_nonbasic + constant
    is_up = at_nonbasic == upper[:d]
    low, high = lower[basic], upper[basic]
    span = upper[:d] - lower[:d]
    for _ in range(_MOST if m else 0):
        outside = np.maximum(low - at_basic, at_basic - high)
        i = int(outside.argmax())
        if outside[i] <= _VIOLATED:
            break
        below = at_basic[i] < low[i]
        row = table[i]
        # coordinates that move the variable inwards, in the order in which their costs change sign
        able = np.where(is_up == below, -row, row)
        ratio = np.where(able > _SMALLEST_PIVOT, np.abs(cost) / np.maximum(able, _SMALLEST_PIVOT), np.inf)
        order = np.argsort(ratio)
        k = int(np.searchsorted(np.cumsum(np.maximum(able[order], 0.0) * span[order]), outside[i]))
        if k == d or ratio[order[k]] == np.inf:
            break
        if k:
            # these reach their other ends before the variable is inside
            flipped = order[:k]
            move = np.where(is_up[flipped], -span[flipped], span[flipped])
            at_basic += table[:, flipped] @ move
            at_nonbasic[flipped] += move
            is_up[flipped] = ~is_up[flipped]
        # of those that are as good, the largest pivot
        ties = np.where(ratio <= ratio[order[k]] * (1.0 + 1e-9) + 1e-14, able, 0.0)
        ties[order[:k]] = 0.0
        j = int(ties.argmax())
        goal = low[i] if below else high[i]
        step = (goal - at_basic[i]) / row[j]
        column = table[:, j].copy()
        at_basic += column * step
        at_basic[i] = at_nonbasic[j] + step
        at_nonbasic[j] = goal
        span[j] = high[i] - low[i]
        is_up[j] = not below
        pivot = row[j]
        new = row / -pivot
        new[j] = 1.0 / pivot
        column[i] = 0.0
        table[:, j] = 0.0
        table += column[:, None] * new
        table[i] = new
        at_cost = cost[j]
        cost[j] = 0.0
        cost += at_cost * new
        basic[i], nonbasic[j] = nonbasic[j], basic[i]
        low[i], high[i] = lower[basic[i]], upper[basic[i]]
    return _Table(table, cost, basic, at_basic, nonbasic, at_nonbasic)


def _read(end: _Table, frame: Frame | None, numbers: list[int]) -> tuple[Floats, list[int]]:
    """The coordinates, and the forms that are nonbasic; -1 for a side of the box that is none."""
    d = len(end.nonbasic)
    values = np.zeros(d)
    for variables, at in ((end.basic, end.at_basic), (end.nonbasic, end.at_nonbasic)):
        inner = variables < d
        values[variables[inner]] = at[inner]
    if frame is None:
        return values, []
    found = []
    for variable, value in zip(end.nonbasic.tolist(), end.at_nonbasic.tolist(), strict=True):
        if variable >= d:
            found.append(numbers[variable - d])
        else:
            found.append(frame.sides[variable][int(value == frame.upper[variable])])
    return values, found
