"""Colours for maps of regions: neighbours differ, and colour-blind readers can tell them apart."""

from __future__ import annotations

import numpy as np

from regionenum.analysis.polygons import Polygons
from regionenum.analysis.pullback import Pieces
from regionenum.domain import Chart
from regionenum.network.layers import Network
from regionenum.network.units import Floats, Ints

LIGHT = ("#77AADD", "#EE8866", "#EEDD88", "#FFAABB", "#99DDFF", "#44BB99", "#BBCC33", "#AAAA00", "#DDDDDD")
"""The scheme "light" of Paul Tol (Introduction to colour schemes, SRON/EPS/TN/09-002), safe for colour-blind readers."""

CLASSES = (*LIGHT, "#994455", "#004488", "#777777")
"""Colours of classes: those above, then darker ones."""

DIMENSIONS = ("#DDDDDD", "#EECC66", "#6699CC")
"""Colours of dimensions 0, 1 and 2, from Tol's scheme "medium contrast": they differ in lightness as well."""

_STEP = 1e-7
"""How far beyond an edge its neighbour is looked for, in the domain's coordinates."""

_BLOCK_POINTS = 1 << 14


def neighbours(network: Network, chart: Chart, pieces: Pieces, polygons: Polygons) -> tuple[Ints, Ints]:
    """Pairs of regions that share an edge, (m,) and (m,): either order, perhaps more than once.

    Two edges with one midpoint are the two sides of one edge. For the others, where a region ends between two that are one
    for its neighbour, the network says which region lies a small step beyond the midpoint. Meant for drawing: rounding,
    and regions thinner than the step, can hide a pair.
    """
    owner, start, end = polygons.edges()
    # Rounding leaves edges of no length, whose other side is anywhere around the corner.
    real = np.abs(end - start).max(axis=1) > _STEP / 100
    owner, start, along = owner[real], start[real], (end - start)[real]
    if chart.dim == 1:
        middle, outward = start, -np.sign(along)
    else:
        # corners run counter-clockwise, so the outside is on the right of an edge
        middle, outward = start + along / 2, np.stack([along[:, 1], -along[:, 0]], axis=1)
    first, second = _twins(middle)
    length = np.linalg.norm(outward, axis=1, keepdims=True)
    points = middle + _STEP * outward / np.where(length > 0.0, length, 1.0)
    alone = np.ones(len(points), bool)
    alone[first] = alone[second] = False
    rest = np.flatnonzero(alone)
    beyond = _regions_at(network, chart, pieces, points[rest])
    # Where a unit is constant rounding can choose its piece, and with it the pattern of a region elsewhere.
    known = (beyond >= 0) & (beyond != owner[rest]) & polygons.take(beyond).contain(points[rest], _STEP / 100)
    pairs = owner[first], owner[second]
    return np.concatenate([pairs[0], owner[rest][known]]), np.concatenate([pairs[1], beyond[known]])


def _twins(points: Floats) -> tuple[Ints, Ints]:
    """Pairs of points (numbers, each once) that are equal up to rounding, with no third one there."""
    cells = np.round(points / _STEP * 100).astype(np.int64)
    order = np.lexsort(cells.T)
    same = (cells[order[1:]] == cells[order[:-1]]).all(axis=1)
    padded = np.concatenate([[False], same, [False]])
    pair = np.flatnonzero(same & ~padded[:-2] & ~padded[2:])
    return order[pair], order[pair + 1]


def _regions_at(network: Network, chart: Chart, pieces: Pieces, points: Floats) -> Ints:
    """(n,) the region that each point of the domain lies in, -1 if none has its pattern."""
    number = {p.tobytes(): k for k, p in enumerate(pieces.astype(np.uint16))}
    found = [np.zeros(0, np.int64)]
    for begin in range(0, len(points), _BLOCK_POINTS):
        patterns = network.pattern(chart.to_input(points[begin : begin + _BLOCK_POINTS])).astype(np.uint16)
        found.append(np.array([number.get(p.tobytes(), -1) for p in patterns], np.int64))
    return np.concatenate(found)


def coloured(n: int, pairs: tuple[Ints, Ints], n_colours: int = len(LIGHT)) -> Ints:
    """(n,) colours, different for neighbours where `n_colours` allow it, each used about equally often.

    Greedy, in the order of the regions; more colours than the six that suffice for planar maps, so conflicts are rare.
    """
    first, second = (np.concatenate(both) for both in (pairs, pairs[::-1]))
    order = np.argsort(first, kind="stable")
    bounds = np.searchsorted(first[order], np.arange(n + 1)).tolist()
    others = second[order].tolist()
    colours, uses = [-1] * n, [0] * n_colours
    for k in range(n):
        taken = {colours[other] for other in others[bounds[k] : bounds[k + 1]]}
        free = [c for c in range(n_colours) if c not in taken]
        colours[k] = min(free or range(n_colours), key=uses.__getitem__)
        uses[colours[k]] += 1
    return np.array(colours, np.int64)
