"""Volumes of many regions, in floating point.

In one or two dimensions all regions are clipped at once (`polygons.py`). In three to six, each goes to Qhull (Barber, Dobkin
and Huhdanpaa, The quickhull algorithm for convex hulls, 1996), seen from its analytic centre, where the product of the
distances to all its sides is largest (`centres.py`). What Qhull refuses, because a region is too flat for float64, and
regions of a whole space, are computed exactly, one by one (`region.py`).

Volumes are measured in the inputs: d-dimensional, in a slice too.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from scipy.spatial import ConvexHull, HalfspaceIntersection, QhullError

from regionenum.analysis.centres import centres, numbers_each, points, polytopes
from regionenum.analysis.polygons import region_polygons
from regionenum.analysis.recorded import Recorded
from regionenum.analysis.region import MOST_DIMENSIONS, Region
from regionenum.errors import InputError
from regionenum.network.units import Floats


def volumes(recorded: Recorded) -> Floats:
    """(n,) volumes of all recorded regions; infinite where a region of a whole space is not bounded.

    Raises
    ------
    InputError
        If the domain has more than `MOST_DIMENSIONS` dimensions.
    """
    problem = recorded.problem
    if problem.dim > MOST_DIMENSIONS:
        raise InputError(
            f"the domain has {problem.dim} dimensions, and volumes are computed in up to {MOST_DIMENSIONS}; use a Slice, or a "
            "Box that fixes inputs"
        )
    if problem.chart.whole:
        return np.array([Region(recorded, i).volume for i in range(len(recorded))])
    # from the chart's coordinates y to inputs
    columns = problem.chart.directions.toarray() * problem.chart.bounds[1]
    scale = abs(float(np.prod(np.diag(np.linalg.qr(columns, mode="r")))))
    if problem.dim <= 2:
        return region_polygons(problem.network, problem.chart, recorded.pieces(slice(None))).areas * scale
    found = np.zeros(len(recorded))
    start = points(recorded)
    lower, width = problem.chart.bounds
    back = np.linalg.pinv(problem.chart.directions.toarray()).T
    for block in recorded.blocks(numbers_each(recorded)):
        normals, levels = polytopes(recorded, np.arange(block.start, block.stop))
        middle = centres(normals, levels, ((start[block] - problem.chart.origin) @ back - lower) / width)
        for k, i in enumerate(range(block.start, block.stop)):
            volume = _by_qhull(normals[k], levels[k], middle[k])
            found[i] = Region(recorded, i).volume if volume is None else volume * scale
    return found


def _by_qhull(normal: Floats, level: Floats, centre: Floats) -> float | None:
    """The volume of a polytope around a point inside; None where float64 does not do."""
    room = level - normal @ centre
    if not (room > 0.0).all():
        return None
    used = normal.any(axis=1)
    normal, room = normal[used], room[used]
    # the centre is 0, and the sides are about 1 away
    unit = float(np.exp(np.log(room).mean()))
    sides = np.column_stack([normal, -room / unit])
    try:
        corners = HalfspaceIntersection(sides, np.zeros(len(centre))).intersections
        if not np.isfinite(corners).all():
            return None
        return float(ConvexHull(corners).volume) * unit ** len(centre)
    except QhullError:
        return None


def by_dimension(recorded: Recorded, layer: int, measured: Floats) -> pa.Table:
    """Regions and their volumes by the dimension of the map to the output of a unit layer.

    Returns
    -------
    Table
        `dimension`, `regions` (int64), `volume`, `share` (float64).
    """
    ranks = recorded.ranks[:, layer].astype(np.int64)
    counts = np.bincount(ranks)
    sums = np.bincount(ranks, weights=measured)
    present = np.flatnonzero(counts)
    with np.errstate(invalid="ignore"):
        share = sums[present] / measured.sum()
    return pa.table({"dimension": present, "regions": counts[present], "volume": sums[present], "share": share})
