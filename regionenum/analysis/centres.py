"""Points inside many regions at once, in floating point; what is claimed of one is checked by whoever needs it.

A region is a polytope normal . y <= level in the chart's coordinates y, with normals of length 1. Newton's method works on a
block of regions at a time, on arrays (n, m, d): nothing is done region by region.
"""

from __future__ import annotations

import numpy as np

from regionenum.analysis.locate import Locator
from regionenum.analysis.pullback import Pullback, sides_of
from regionenum.analysis.recorded import Recorded, blocks_of
from regionenum.domain import HalfSpaces
from regionenum.network.units import Floats, Ints

_NEWTON_STEPS = 30
_PUSHES = 14
_FAR = 2.0**12
"""Where the search for points of a whole space ends, in the chart's coordinates."""


def numbers_each(recorded: Recorded) -> int:
    """Numbers in the arrays of one region."""
    network, dim = recorded.problem.network, recorded.problem.dim
    n_conditions = sum(int(layer.units.n_pieces.sum()) for layer in network.unit_layers)
    return 4 * (n_conditions + 2 * dim + len(recorded.problem.chart.half_spaces)) * (dim + 1)


def polytopes(recorded: Recorded, rows: Ints) -> tuple[Floats, Floats]:
    """Normals (n, m, d) and levels (n, m) of some regions; what says nothing has the normal 0 and the level 1."""
    network, chart = recorded.problem.network, recorded.problem.chart
    n = len(rows)
    far = np.full(chart.dim, _FAR)
    domain = HalfSpaces.cube(-far, far) if chart.whole else sides_of(chart)
    made = [
        (np.broadcast_to(a, (n, chart.dim)), np.full(n, c), np.full(n, e))
        for a, c, e in zip(domain.normal, domain.level, domain.error, strict=True)
    ]
    made += [(s.normal, s.level, s.error) for s in Pullback(network, chart, recorded.pieces(rows))]
    normal, level = np.stack([a for a, _, _ in made], axis=1), np.stack([c for _, c, _ in made], axis=1)
    length = np.linalg.norm(normal, axis=2)
    says = length > np.stack([e for _, _, e in made], axis=1)
    length = np.where(says, length, 1.0)
    return np.where(says[..., None], normal / length[..., None], 0.0), np.where(says, level / length, 1.0)


def points(recorded: Recorded) -> Floats:
    """(n, n_in) a point strictly inside each region: its witness, or one that is found here; NaN where that fails."""
    missing = np.flatnonzero(np.isnan(recorded.witness).any(axis=1))
    if not len(missing):
        return recorded.witness
    found = recorded.witness.copy()
    found[missing] = inner_points(recorded, missing)
    return found


def inner_points(recorded: Recorded, regions: Ints) -> Floats:
    """(m, n_in) points of some regions, far from their sides and certainly inside; NaN where none is found."""
    found = np.full((len(regions), recorded.problem.network.n_in), np.nan)
    locator, chart = Locator(recorded), recorded.problem.chart
    for block in blocks_of(len(regions), numbers_each(recorded)):
        rows = regions[block]
        with np.errstate(all="ignore"):
            x = chart.to_input(inner(*polytopes(recorded, rows)))
        good = np.flatnonzero(np.isfinite(x).all(axis=1))
        good = good[locator.strictly_inside(x[good], rows[good])]
        found[block.start + good] = x[good]
    return found


def inner(normal: Floats, level: Floats) -> Floats:
    """(n, d) points far from all sides of polytopes, where they have an interior.

    Newton steps for  tau r + sum log(level - normal . y - r), with tau doubled after each: from r so small that every y is
    inside, they push r up, and with it the point to where its smallest distance to a side is nearly largest.
    """
    n, m, d = normal.shape
    extended = np.concatenate([normal, np.ones((n, m, 1))], axis=2)
    start = np.full((n, d + 1), 0.5)
    start[:, d] = (level - 0.5 * normal.sum(axis=2)).min(axis=1) - 1.0
    tau = 1.0
    for _ in range(_PUSHES):
        push = np.zeros(d + 1)
        push[d] = tau * m
        start = _ascended(extended, level, start, push, 3)
        tau *= 4.0
    return start[:, :d]


def centres(normal: Floats, level: Floats, start: Floats) -> Floats:
    """(n, d) analytic centres of polytopes, from points inside; NaN where that is not one."""
    return _ascended(normal, level, start.copy(), np.zeros(normal.shape[2]), _NEWTON_STEPS)


def _ascended(normal: Floats, level: Floats, y: Floats, push: Floats, steps: int) -> Floats:
    """Points after damped Newton steps up the function push . y + sum log(level - normal . y)."""
    d = y.shape[1]
    with np.errstate(all="ignore"):
        for _ in range(steps):
            room = level - np.einsum("nmd,nd->nm", normal, y)
            scaled = normal / room[..., None]
            hessian = np.swapaxes(scaled, 1, 2) @ scaled
            hessian += 1e-14 * np.trace(hessian, axis1=1, axis2=2)[:, None, None] * np.eye(d)
            good = np.flatnonzero(np.isfinite(hessian).all(axis=(1, 2)) & (room > 0.0).all(axis=1))
            y[np.setdiff1d(np.arange(len(y)), good)] = np.nan
            gradient, step = push - scaled.sum(axis=1), np.zeros_like(y)
            step[good] = np.linalg.solve(hessian[good], gradient[good][..., None])[..., 0]
            # the Newton decrement: a step of 1 / (1 + decrement) of it stays inside
            decrement = np.sqrt(np.maximum((gradient * step).sum(axis=1), 0.0))
            y += step * np.where(decrement > 0.25, 1.0 / (1.0 + decrement), 1.0)[:, None]
            if not (decrement > 1e-3).any():
                break
    return y
