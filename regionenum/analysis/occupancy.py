"""Which regions hold the points of a data set, and which hold none."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from regionenum.network.units import Ints


@dataclass(frozen=True, eq=False)
class Occupancy:
    """A data set among regions.

    Attributes
    ----------
    region : (n_points,) the region of each point, -1 outside of the domain
    n_regions : number of regions
    """

    region: Ints
    n_regions: int

    @cached_property
    def counts(self) -> Ints:
        """(n_regions,) points in each region."""
        return np.bincount(self.region[self.region >= 0], minlength=self.n_regions)

    @property
    def outside(self) -> int:
        """Points outside of the domain."""
        return int(np.count_nonzero(self.region < 0))

    @property
    def occupied(self) -> int:
        """Regions with points."""
        return int(np.count_nonzero(self.counts))

    @property
    def empty(self) -> Ints:
        """The regions without points."""
        return np.flatnonzero(self.counts == 0)

    def sharing(self) -> list[Ints]:
        """Points that share a region: their numbers, region by region in ascending order, where there are two or more."""
        order = np.argsort(self.region, kind="stable")
        order = order[np.searchsorted(self.region[order], 0) :]
        if not len(order):
            return []
        starts = np.flatnonzero(np.diff(self.region[order])) + 1
        return [points for points in np.split(order, starts) if len(points) > 1]

    def table(self) -> pa.Table:
        """The regions with points: `region` and `points` (both int64), the fullest first."""
        rows = np.flatnonzero(self.counts)
        rows = rows[np.argsort(-self.counts[rows], kind="stable")]
        return pa.table({"region": rows, "points": self.counts[rows]})
