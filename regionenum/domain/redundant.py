"""Which of many half-spaces matter."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from regionenum.domain.half_spaces import HalfSpaces
from regionenum.domain.polyhedron import Polyhedron
from regionenum.network.units import Floats, Ints

_MOST_TESTED = 1500
"""Half-spaces that get a linear program of their own; if there are more the rest is kept."""

_CORNERS_KNOWN = 5
"""Dimensions in which a polytope has few enough corners to list them."""

_SEED = 5


def needed(spaces: HalfSpaces, centre: Floats, lower: Floats, upper: Floats) -> Ints:
    """Half-spaces that matter, and perhaps a few more; those left out are implied by the rest with some room to spare.

    Parameters
    ----------
    spaces : with normals of length 1
    centre : (d,) a point strictly inside
    lower, upper : (d,) a box around the polytope that the half-spaces leave

    Returns
    -------
    Their numbers, in ascending order.
    """
    room = spaces.slack(centre)
    margin = 1e-7 * np.abs(upper - lower).max()
    middle, half = (lower + upper) / 2, (upper - lower) / 2
    reach = spaces.normal @ middle + np.abs(spaces.normal) @ half
    rows = np.flatnonzero(reach > spaces.level - margin)
    rows = rows[np.unique(np.column_stack([spaces.normal, spaces.level])[rows], axis=0, return_index=True)[1]]
    first = _first_hit(spaces.normal[rows], room[rows])
    kept, rest = rows[first], np.delete(rows, first)
    if 1 < len(centre) <= _CORNERS_KNOWN:
        around = HalfSpaces.joined(spaces.take(kept), HalfSpaces.cube(lower, upper))
        rest = rest[_beyond_corners(around, spaces.take(rest), centre, margin)]
    polyhedron = Polyhedron(spaces.take(kept), lower, upper)
    for row in rest[:_MOST_TESTED]:
        # left out only if the bound proves it
        if polyhedron.farthest(spaces.normal[row]).bound > spaces.level[row] - margin:
            polyhedron.add(spaces.take(slice(row, row + 1)))
            kept = np.append(kept, row)
    return np.asarray(np.sort(np.concatenate([kept, rest[_MOST_TESTED:]])))


def _first_hit(a: Floats, room: Floats) -> Ints:
    """Half-spaces that some ray from the centre leaves first."""
    k = a.shape[1]
    random = np.random.default_rng(_SEED)
    hit: set[int] = set()
    for _ in range(20):
        rays = random.normal(size=(k, 100))
        speed = a @ rays
        with np.errstate(divide="ignore"):
            times = np.where(speed > 0, room[:, None] / speed, np.inf)
        hit.update(np.argmin(times, axis=0).tolist())
    return np.array(sorted(hit), np.int64)


def _beyond_corners(around: HalfSpaces, rest: HalfSpaces, centre: Floats, margin: float) -> npt.NDArray[np.bool_]:
    """(n,) which half-spaces of `rest` cut off a corner of the polytope in those `around` it; or come near one."""
    from scipy.spatial import HalfspaceIntersection, QhullError

    everything = np.ones(len(rest), bool)
    try:
        with np.errstate(divide="ignore", invalid="ignore"):
            found = HalfspaceIntersection(
                np.column_stack([around.normal, -around.slack(centre)]), np.zeros(len(centre))
            )
    except QhullError:
        # nearly degenerate: linear programs decide
        return everything
    # as seen from the centre
    corners = found.intersections
    if not np.isfinite(corners).all() or not (found.dual_equations[:, -1] < 0).all():
        return everything
    room = rest.slack(centre)
    for chunk in np.array_split(np.arange(len(rest)), 1 + len(rest) * len(corners) // (1 << 22)):
        everything[chunk] = np.max(rest.normal[chunk] @ corners.T, axis=1) > room[chunk] - margin
    return everything
