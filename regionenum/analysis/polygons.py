"""The regions of a run as intervals or convex polygons, in the domain's coordinates.

Every region starts as the whole domain and is clipped by the conditions of its units, one after another, all regions at once
(Sutherland, Hodgman: Reentrant polygon clipping, 1974). A polygon that a condition does not cut is left as it is, and
few are cut by any one, so the work is nearly that of evaluating all conditions at all corners.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regionenum.analysis.pullback import ROUNDING, Pieces, Pullback, blocks, sides_of
from regionenum.domain import Chart, HalfSpaces
from regionenum.network.layers import Network
from regionenum.network.units import Floats, Ints

_SAME = 1e-15
"""Points closer than this are one corner."""


@dataclass(eq=False)
class Polygons:
    """Convex polygons in the plane, corners in cyclic order; or, in dimension 1, intervals.

    `clip` changes them in place.

    Attributes
    ----------
    corners : (n, n_corners, d) float64, d = 1 or 2; the last corner is repeated where a polygon has fewer
    size : (n,) number of corners of each; 0 if nothing is left
    """

    corners: Floats
    size: Ints

    def __len__(self) -> int:
        return len(self.size)

    @classmethod
    def domain(cls, chart: Chart, n: int) -> Polygons:
        """The whole domain, n times."""
        d = chart.dim
        square = np.array([[0.0], [1.0]]) if d == 1 else np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
        one = cls(square[None], np.array([len(square)]))
        sides = sides_of(chart)
        for k in range(len(sides)):
            one.clip(sides.take(slice(k, k + 1)))
        return one.take(np.zeros(n, np.int64))

    @classmethod
    def joined(cls, parts: list[Polygons], dim: int) -> Polygons:
        """Several families as one."""
        width = max([part.corners.shape[1] for part in parts], default=2)
        padded = [np.pad(p.corners, ((0, 0), (0, width - p.corners.shape[1]), (0, 0)), mode="edge") for p in parts]
        return cls(
            np.concatenate([np.zeros((0, width, dim)), *padded]),
            np.concatenate([np.zeros(0, np.int64), *(part.size for part in parts)]),
        )

    def take(self, index: Ints) -> Polygons:
        """The polygons of these numbers."""
        return Polygons(self.corners[index], self.size[index])

    def values(self, forms: Floats) -> Floats:
        """Values (..., n, n_corners) of affine forms (..., d + 1, n) at the corners."""
        values = np.broadcast_to(forms[..., -1, :, None], (*forms.shape[:-2], *self.corners.shape[:2]))
        for axis in range(self.corners.shape[2]):
            values = values + forms[..., axis, :, None] * self.corners[..., axis]
        return values

    def clip(self, sides: HalfSpaces) -> None:
        """Keep of each polygon the part in its half-space: the k-th of `sides` for polygon k."""
        values = self.values(sides.forms.T)
        outside = values < -sides.error[:, None]
        cut = np.flatnonzero(outside.any(axis=1))
        if not len(cut):
            return
        clipped = _clip_interval if self.corners.shape[2] == 1 else _clip_polygon
        corners, self.size[cut] = clipped(self.corners[cut], self.size[cut], values[cut], ~outside[cut])
        short = corners.shape[1] - self.corners.shape[1]
        if short > 0:
            self.corners = np.pad(self.corners, ((0, 0), (0, short), (0, 0)), mode="edge")
        elif short < 0:
            corners = np.pad(corners, ((0, 0), (0, -short), (0, 0)), mode="edge")
        self.corners[cut] = corners

    @property
    def areas(self) -> Floats:
        """(n,) areas, or lengths in dimension 1, in the domain's coordinates."""
        if self.corners.shape[2] == 1:
            return np.where(self.size > 0, np.ptp(self.corners[..., 0], axis=1), 0.0)
        # relative to a corner of each polygon, where rounding is smallest
        x, y = np.moveaxis(self.corners - self.corners[:, :1], 2, 0)
        twice = (x * np.roll(y, -1, axis=1) - np.roll(x, -1, axis=1) * y).sum(axis=1)
        return np.where(self.size > 0, np.abs(twice) / 2, 0.0)

    def contain(self, points: Floats, slack: float) -> npt.NDArray[np.bool_]:
        """(n,) whether each polygon contains its point (n, d), or is nearer to it than the slack."""
        if self.corners.shape[2] == 1:
            ends = self.corners[..., 0]
            low, high = ends.min(axis=1) - slack, ends.max(axis=1) + slack
            return np.asarray((low <= points[:, 0]) & (points[:, 0] <= high))
        along = np.roll(self.corners, -1, axis=1) - self.corners
        to = points[:, None] - self.corners
        # corners run counter-clockwise, so the inside is on the left of an edge
        left = along[..., 0] * to[..., 1] - along[..., 1] * to[..., 0]
        return np.asarray((left >= -slack * np.linalg.norm(along, axis=2)).all(axis=1))

    def edges(self) -> tuple[Ints, Floats, Floats]:
        """The edges of all polygons: their polygons (m,), and both ends (m, d). An interval has its two ends."""
        k = np.arange(self.corners.shape[1])
        owner, first = np.nonzero(k < self.size[:, None])
        second = (first + 1) % self.size[owner]
        return owner, self.corners[owner, first], self.corners[owner, second]


def region_polygons(network: Network, chart: Chart, pieces: Pieces) -> Polygons:
    """The polygons of the regions with these pieces (n, n_units of all unit layers)."""
    return Polygons.joined([polygons for polygons, _, _ in _walk(network, chart, pieces)], chart.dim)


def class_polygons(network: Network, chart: Chart, pieces: Pieces) -> tuple[Polygons, Ints]:
    """The regions, each split by its largest output: the polygons, and the number of that output (n,).

    Of outputs that are the same function on a region the first counts.
    """
    parts, labels = [], []
    for polygons, outputs, _ in _walk(network, chart, pieces):
        for k, part in _largest(polygons, outputs):
            parts.append(part)
            labels.append(np.full(len(part), k))
    return Polygons.joined(parts, chart.dim), np.concatenate([np.zeros(0, np.int64), *labels])


def output_values(network: Network, chart: Chart, pieces: Pieces) -> tuple[Polygons, Floats]:
    """The polygons of the regions, and the outputs (n, n_corners, n_out) at their corners."""
    parts, values = [], []
    for polygons, outputs, _ in _walk(network, chart, pieces):
        parts.append(polygons)
        values.append(np.moveaxis(polygons.values(outputs), 0, 2))
    joined = Polygons.joined(parts, chart.dim)
    width = joined.corners.shape[1]
    padded = [np.pad(v, ((0, 0), (0, width - v.shape[1]), (0, 0)), mode="edge") for v in values]
    return joined, np.concatenate([np.zeros((0, width, network.n_out)), *padded])


def _walk(network: Network, chart: Chart, pieces: Pieces) -> Iterator[tuple[Polygons, Floats, slice]]:
    """Block by block: the polygons of the regions, and the forms (n_out, d + 1, n) of the outputs."""
    for block in blocks(network, chart.dim, len(pieces)):
        pullback = Pullback(network, chart, pieces[block])
        polygons = Polygons.domain(chart, block.stop - block.start)
        for sides in pullback:
            polygons.clip(sides)
        yield polygons, pullback.outputs, block


def _largest(polygons: Polygons, outputs: Floats) -> Iterator[tuple[int, Polygons]]:
    """For each output that is the largest somewhere: the parts of the polygons where it is."""
    slack = ROUNDING * np.abs(outputs).max(axis=(0, 1), initial=0.0)
    values = polygons.values(outputs)
    for k in range(len(outputs)):
        # beaten at every corner by another output, or equalled by an earlier one
        ahead = values - values[k]
        beaten = np.concatenate([ahead[:k] >= -slack[:, None], ahead[k + 1 :] > slack[:, None]]).all(axis=2).any(axis=0)
        possible = np.flatnonzero(~beaten)
        part = polygons.take(possible)
        for j in range(len(outputs)):
            forms = outputs[k][:, possible] - outputs[j][:, possible]
            part.clip(HalfSpaces.positive(forms.T, slack[possible]))
        yield k, part.take(np.flatnonzero(part.areas > 0.0))


def _clip_interval(corners: Floats, size: Ints, values: Floats, inside: np.ndarray) -> tuple[Floats, Ints]:
    """Intervals of which an end, or both, are outside."""
    ends = corners.copy()
    for i, j in ((0, 1), (1, 0)):
        moved = ~inside[:, i] & inside[:, j]
        ends[moved, i] = _crossing(corners[moved, j], corners[moved, i], values[moved, j], values[moved, i])
    return ends, np.where(inside.any(axis=1), size, 0)


def _clip_polygon(corners: Floats, size: Ints, values: Floats, inside: np.ndarray) -> tuple[Floats, Ints]:
    """Polygons of which a corner, or all, are outside."""
    n, width, d = corners.shape
    k = np.arange(width)
    valid = k < size[:, None]
    following = np.where(k + 1 < size[:, None], k + 1, 0)
    crossed = valid & (inside != np.take_along_axis(inside, following, axis=1))
    i, j = np.nonzero(crossed)
    after = following[i, j]
    crossings = _crossing(corners[i, j], corners[i, after], values[i, j], values[i, after])
    # A corner that is kept is not repeated where it lies on the line itself.
    kept_end = np.where(inside[i, j], j, after)
    crossed[i, j] = np.abs(crossings - corners[i, kept_end]).max(axis=1, initial=0.0) > _SAME
    # Each corner is followed by the point where the edge after it crosses the line.
    kept = np.stack([valid & inside, crossed], axis=2).reshape(n, 2 * width)
    points = np.empty((n, width, 2, d))
    points[:, :, 0] = corners
    points[i, j, 1] = crossings
    count = kept.sum(axis=1)
    out = np.zeros((n, max(2, count.max(initial=0)), d))
    position = np.cumsum(kept, axis=1) - 1
    i, j = np.nonzero(kept)
    out[i, position[i, j]] = points.reshape(n, 2 * width, d)[i, j]
    repeated = np.minimum(np.arange(out.shape[1]), np.maximum(count, 1)[:, None] - 1)
    return np.take_along_axis(out, repeated[..., None], axis=1), count


def _crossing(a: Floats, b: Floats, value_a: Floats, value_b: Floats) -> Floats:
    """The points between a and b (m, d) where the value is 0."""
    t = np.clip(value_a / (value_a - value_b), 0.0, 1.0)[:, None]
    return a + t * (b - a)
