"""Which region each of many points lies in.

The pattern of a point is computed in floating point, with a bound on the error of every pre-activation (`exact/enclosure.py`),
all points at once, and looked up among the recorded ones. Where a bound leaves a piece open the point is evaluated in integers.
So an answer is that of the network and the point as their float64 numbers say.

A point of the boundary of regions may have a pattern that no region has: exactly at a breakpoint the lower piece is taken, and
of tied candidates the lowest. Such a point goes to the region with the smallest pattern, unit by unit, of those whose closure
contains it. It is found as follows. Let C be a cell of the tree of all patterns whose closure contains the point. The closure
of C is where all its conditions hold, equality included (C is open, convex and not empty). The closures of its parts by the
next unit cover it, so that one of them contains the point: for a pointwise unit one of the pieces whose closed interval has the
pre-activation, for a maximum one of the candidates that are largest. Going down to the lowest of these that was recorded
therefore never fails where all regions were. And where the pattern of the point itself was recorded it is the smallest.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from regionenum.analysis.pattern_index import PatternIndex
from regionenum.analysis.recorded import Recorded, blocks_of
from regionenum.domain import Box, Polytope, Slice
from regionenum.errors import InputError
from regionenum.exact.dyadic import Row
from regionenum.exact.enclosure import Enclosure, SliceDistance, Truths, Values, certainly_positive
from regionenum.exact.forward import ExactForward, LayerAt
from regionenum.exact.inside import Inside
from regionenum.network.units import Floats, Ints

OFF_SLICE = 1e-9
"""An input farther from a slice is not in it; relative to the largest coordinate of the input and of the origin."""

OUTSIDE = -1


@dataclass(frozen=True, eq=False)
class Locator:
    """Locates points among recorded regions."""

    recorded: Recorded

    @cached_property
    def index(self) -> PatternIndex:
        """The recorded patterns."""
        return PatternIndex(self.recorded.packed, self.recorded.packing)

    @cached_property
    def _enclosure(self) -> Enclosure:
        return Enclosure(self.recorded.problem.network)

    @cached_property
    def _forward(self) -> ExactForward:
        return ExactForward(self.recorded.problem.network, self.recorded.exact)

    def __call__(self, points: npt.ArrayLike) -> Ints:
        """(n,) the region of each point; -1 outside of the domain, and where a run that is incomplete found none.

        Raises
        ------
        InputError
            If the points are not finite numbers, or do not have the shape of inputs.
        """
        x = checked(self.recorded, points)
        found = np.full(len(x), OUTSIDE)
        widest = max((layer.n_rows + layer.n_out for layer in self.recorded.problem.network.layers), default=1)
        for block in blocks_of(len(x), x.shape[1] + 4 * widest):
            found[block] = self._located(x[block])
        return found

    def _located(self, x: Floats) -> Ints:
        in_domain, distance = self._in_domain(x)
        found = np.full(len(x), OUTSIDE)
        inside = np.flatnonzero(in_domain)
        x, distance = x[inside], distance[inside]
        packing = self.recorded.packing
        pieces, certain = np.zeros((len(x), len(packing.n_pieces)), np.int64), np.ones(len(x), np.bool_)
        first = 0
        for rows in self._enclosure(Values(x, np.broadcast_to(distance[:, None], x.shape))):
            last = first + rows.pieces.shape[1]
            pieces[:, first:last] = rows.pieces
            certain &= rows.decided.all(axis=1)
            first = last
        known = np.full(len(x), OUTSIDE)
        sure = np.flatnonzero(certain)
        known[sure] = self.index.find(packing.pack(pieces[sure]))
        for k in np.flatnonzero(known == OUTSIDE).tolist():
            point = self.recorded.nearest.point(x[k])
            assert point is not None, "an input of the domain has the values that a box fixes"
            known[k] = self.among_closures(point)
        found[inside] = known
        return found

    def strictly_inside(self, x: Floats, regions: Ints) -> Truths:
        """Whether points are certainly strictly inside regions; no is no proof that one is not."""
        recorded = self.recorded
        return self._inside(np.full(len(x), recorded.problem.depth - 1), recorded.pieces(regions), x)

    @cached_property
    def _inside(self) -> Inside:
        return Inside(self.recorded.problem.network, self.recorded.problem.domain, self.recorded.exact)

    def among_closures(self, point: Row) -> int:
        """The region with the smallest pattern of those whose closure contains a point (s t, t); -1 if there is none."""
        forward, index, t = self._forward, self.index, point[-1]
        if not len(self.recorded) or not forward.depth:
            return len(self.recorded) - 1
        unit_at = np.cumsum([0, *self.recorded.problem.n_units]).tolist()
        # patterns that stand together, agree on the units so far, and have pieces there that the point allows
        waiting: list[tuple[LayerAt, int, range]] = [(forward.start(point), 0, range(len(self.recorded)))]
        while waiting:
            at, unit, within = waiting.pop()
            if unit < len(at.choices):
                parts = index.narrowed(within, unit_at[at.layer] + unit, at.choices[unit])
                # the lowest piece is on top
                waiting += [(at, unit + 1, part) for _, part in reversed(parts)]
                continue
            row = int(index.order[within[0]])
            if at.layer + 1 == forward.depth:
                return row
            chosen = self.recorded.pieces(slice(row, row + 1))[0, unit_at[at.layer] : unit_at[at.layer + 1]].tolist()
            waiting.append((forward.then(at, chosen, t), 0, within))
        return OUTSIDE

    def _in_domain(self, x: Floats) -> tuple[Truths, Floats]:
        """Which inputs are in the domain, its boundary included, and bounds on their distances from what they stand for."""
        problem = self.recorded.problem
        n, none = len(x), np.zeros(len(x))
        match problem.domain:
            case Box() as box:
                return _in_box(box, x, problem.network.input_shape), none
            case Polytope() as polytope:
                inside = np.ones(n, np.bool_)
                if polytope.within is not None:
                    inside = _in_box(polytope.within, x, problem.network.input_shape)
                return self._fulfil(polytope, x, inside), none
            case Slice():
                return self._in_slice(x)
        return np.ones(n, np.bool_), none

    def _fulfil(self, polytope: Polytope, x: Floats, inside: Truths) -> Truths:
        """Of the inputs in the box of a polytope, those that fulfil its inequalities."""
        a, b = np.asarray(polytope.A), np.asarray(polytope.b)
        with np.errstate(all="ignore"):
            room = b - x @ a.T
            error = (a.shape[1] + 3) * 2.0**-53 * (np.abs(x) @ np.abs(a.T) + np.abs(b)) + a.shape[1] * 2.0**-1070
            above, below = certainly_positive(room, error), certainly_positive(-room, error)
        open_ones = inside & ~below.any(axis=1) & ~above.all(axis=1)
        inside = inside & above.all(axis=1)
        for k in np.flatnonzero(open_ones).tolist():
            inside[k] = self._exactly_inside(x[k])
        return inside

    def _exactly_inside(self, x: Floats) -> bool:
        point = self.recorded.nearest.point(x)
        return point is not None and all(v >= 0 for block in self.recorded.exact.blocks for v in block.values(point))

    @cached_property
    def _distance(self) -> SliceDistance:
        domain = self.recorded.problem.domain
        assert isinstance(domain, Slice)
        n_in = self.recorded.problem.network.n_in
        columns = np.asarray(domain.directions, np.float64).reshape(-1, n_in).T
        return SliceDistance(columns, np.asarray(domain.origin, np.float64).reshape(n_in))

    def _in_slice(self, x: Floats) -> tuple[Truths, Floats]:
        domain, n_in = self.recorded.problem.domain, self.recorded.problem.network.n_in
        assert isinstance(domain, Slice)
        distance = self._distance(x)
        size = np.maximum(np.abs(x).max(axis=1), np.abs(np.asarray(domain.origin)).max())
        inside = distance <= OFF_SLICE * np.maximum(size, 2.0**-900)
        if domain.within is None:
            return inside, distance
        lower, upper = domain.within.bounds(self.recorded.problem.network.input_shape)
        moving = np.asarray(domain.directions).reshape(-1, n_in).any(axis=0)
        room = np.minimum(x - lower, upper - x)[:, moving]
        inside &= (room > -2.0 * distance[:, None]).all(axis=1)
        near = inside & ~(room > 2.0 * distance[:, None]).all(axis=1)
        for k in np.flatnonzero(near).tolist():
            inside[k] = self._exactly_inside(x[k])
        return inside, distance


def checked(recorded: Recorded, points: npt.ArrayLike) -> Floats:
    """Points (n, n_in) as float64.

    Raises
    ------
    InputError
        Saying what is wrong with them.
    """
    given = np.asarray(points)
    if given.dtype.kind not in "fiub":
        raise InputError(f"points have dtype {given.dtype}; give real numbers, for example an array of float64")
    x = recorded.problem.network.points(given)
    if given.dtype.kind == "f" and given.dtype.itemsize > 8:
        raise InputError(f"points have dtype {given.dtype}, which is more than float64 holds; round them first")
    if not np.isfinite(x).all():
        k, i = np.argwhere(~np.isfinite(x))[0].tolist()
        raise InputError(f"point {k} has the value {x[k, i]} at input {i}; give finite numbers")
    return x


def _in_box(box: Box, x: Floats, shape: tuple[int, ...]) -> Truths:
    lower, upper = box.bounds(shape)
    return np.asarray(((lower <= x) & (x <= upper)).all(axis=1))
