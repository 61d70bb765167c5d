"""Volumes of many regions, in floating point.

In one or two dimensions all regions are clipped at once (`polygons.py`). In three to six, each goes to Qhull (Barber, Dobkin and
Huhdanpaa, The quickhull algorithm for convex hulls, 1996), seen from its analytic centre: the point where the product of the
distances to all its sides is largest, found for a block of regions at once by Newton's method. What Qhull refuses, because a
region is too flat for float64, and regions of a whole space, are computed exactly, one by one (`region.py`).

Volumes are measured in the inputs: d-dimensional, in a slice too.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from scipy.spatial import ConvexHull, HalfspaceIntersection, QhullError

from regionenum.analysis.polygons import region_polygons
from regionenum.analysis.pullback import Pullback, sides_of
from regionenum.analysis.recorded import Recorded
from regionenum.analysis.region import MOST_DIMENSIONS, Region
from regionenum.errors import InputError
from regionenum.network.units import Floats

_NEWTON_STEPS = 30


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
    for rows, normals, levels, centres in _centred(recorded):
        for k, i in enumerate(range(rows.start, rows.stop)):
            volume = _by_qhull(normals[k], levels[k], centres[k])
            found[i] = Region(recorded, i).volume if volume is None else volume * scale
    return found


def _centred(recorded: Recorded) -> Iterator[tuple[slice, Floats, Floats, Floats]]:
    """Blocks of regions: normals (n, m, d), levels (n, m) and centres (n, d), in the chart's coordinates.

    What says nothing about a region has the normal 0 and the level 1. Centres are NaN where none was found.
    """
    network, chart = recorded.problem.network, recorded.problem.chart
    domain = sides_of(chart)
    n_conditions = sum(int(layer.units.n_pieces.sum()) for layer in network.unit_layers) + len(domain)
    for block in recorded.blocks(4 * n_conditions * (chart.dim + 1)):
        n = block.stop - block.start
        made = [(np.broadcast_to(a, (n, chart.dim)), np.full(n, c), np.full(n, e)) for a, c, e in
                zip(domain.normal, domain.level, domain.error, strict=True)]  # fmt: skip
        made += [(s.normal, s.level, s.error) for s in Pullback(network, chart, recorded.pieces(block))]
        normal, level = np.stack([a for a, _, _ in made], axis=1), np.stack([c for _, c, _ in made], axis=1)
        error = np.stack([e for _, _, e in made], axis=1)
        length = np.linalg.norm(normal, axis=2)
        says = length > error
        length = np.where(says, length, 1.0)
        normal = np.where(says[..., None], normal / length[..., None], 0.0)
        level = np.where(says, level / length, 1.0)
        yield block, normal, level, _centres(normal, level, _start(recorded, block))


def _start(recorded: Recorded, rows: slice) -> Floats:
    """Points of regions in the chart's coordinates: recorded witnesses, or points that are found one by one."""
    chart, x = recorded.problem.chart, recorded.witness[rows].copy()
    for i in np.flatnonzero(np.isnan(x).any(axis=1)):
        x[i] = Region(recorded, rows.start + int(i)).witness
    lower, width = chart.bounds
    return ((x - chart.origin) @ np.linalg.pinv(chart.directions.toarray()).T - lower) / width


def _centres(normal: Floats, level: Floats, start: Floats) -> Floats:
    """Analytic centres of polytopes, by damped Newton steps from points inside."""
    y = start.copy()
    d = y.shape[1]
    with np.errstate(all="ignore"):
        for _ in range(_NEWTON_STEPS):
            room = level - np.einsum("nmd,nd->nm", normal, y)
            scaled = normal / room[..., None]
            hessian = np.einsum("nmd,nme->nde", scaled, scaled)
            hessian += 1e-14 * np.trace(hessian, axis1=1, axis2=2)[:, None, None] * np.eye(d)
            good = np.isfinite(hessian).all(axis=(1, 2)) & (room > 0.0).all(axis=1)
            y[~good] = np.nan
            step = np.zeros_like(y)
            step[good] = np.linalg.solve(hessian[good], -scaled[good].sum(axis=1)[..., None])[..., 0]
            # Newton decrement; the step keeps 1 / (1 + decrement) of what is needed to stay inside
            decrement = np.sqrt(np.maximum(-np.einsum("nd,nmd->n", step, scaled), 0.0))
            y += step * np.where(decrement > 0.25, 1.0 / (1.0 + decrement), 1.0)[:, None]
            if not (decrement > 1e-3).any():
                break
    return y


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
