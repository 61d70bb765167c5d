"""Which regions share a facet: whose closures have a common part of dimension d - 1.

Regions with a common key (`exact/facet_keys.py`) share a facet if the set S of that key is not empty. Almost all pairs are
decided at once, in floating point with bounds:

-   Regions that differ in pointwise units of the last layer only: their conditions are the same functions but for the sign on
    H, so that the segment between two points of theirs crosses H in S.
-   The segment between two points of theirs crosses H in a point whose pattern is evaluated, with a bound for how far from it
    float64 is. If all units that do not vanish on H certainly have the pieces of the regions, the point is in S.

What is left is decided in integers: S is not empty if and only if the form of H takes both signs on the cone of all conditions
of one region but those that vanish on H (`exact/predicates.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from regionenum.analysis.centres import inner_points, points
from regionenum.analysis.recorded import Patterns, Recorded, blocks_of
from regionenum.domain import Slice
from regionenum.errors import InputError
from regionenum.exact.cone import Block, Cone, Forms
from regionenum.exact.dyadic import Row, primitive
from regionenum.exact.enclosure import (
    ROUNDING,
    SPARE,
    Enclosure,
    SliceDistance,
    Truths,
    Values,
    certainly_positive,
    jump_of,
)
from regionenum.exact.facet_keys import Conditions, FacetKeys
from regionenum.exact.maps import MapDigests
from regionenum.exact.predicates import Hint, Side, side
from regionenum.exact.witnesses import known
from regionenum.network.units import Floats, Ints

MOST_KEYS = 1 << 24
"""Keys that are sorted at a time; if there are more, parts of them are made one after the other."""


@dataclass
class Work:
    """How pairs with a common key were decided.

    Attributes
    ----------
    keys : keys made
    pairs : pairs with a common key, on two sides of its hyperplane
    by_layer, by_segment, exactly : pairs decided by each of the three ways
    """

    keys: int = 0
    pairs: int = 0
    by_layer: int = 0
    by_segment: int = 0
    exactly: int = 0


@dataclass(frozen=True, eq=False)
class Facets:
    """The facets between recorded regions.

    Attributes
    ----------
    first, second : (m,) regions, first < second
    condition : (m,) a condition of `first` that vanishes on the facet, the first one in order of units
    work : how they were found
    """

    first: Ints
    second: Ints
    condition: Ints
    work: Work = field(default_factory=Work)

    def matrix(self, n: int) -> sp.csr_array:
        """(n, n) bool, symmetric."""
        rows, columns = np.concatenate([self.first, self.second]), np.concatenate([self.second, self.first])
        return sp.csr_array((np.ones(len(rows), np.bool_), (rows, columns)), shape=(n, n))


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Finds the facets between regions."""

    recorded: Recorded
    most_keys: int = MOST_KEYS

    def __post_init__(self) -> None:
        jump = jump_of(self.recorded.problem.network)
        if jump:
            raise InputError(
                f"`{jump[0]}`: a unit jumps by {jump[2]:.3g} at its breakpoint {jump[1]:g}, because its coefficients are "
                "rounded; regions of a network that is not continuous need not meet facet by facet. Use units whose "
                "coefficients are float64 numbers, for example a clamp of a scaled row"
            )

    @cached_property
    def _keys(self) -> FacetKeys:
        return FacetKeys(self.recorded.problem.network, self.recorded.problem.chart)

    @cached_property
    def _points(self) -> Floats:
        return points(self.recorded)

    @cached_property
    def conditions(self) -> Conditions:
        """What the numbers of conditions mean."""
        return self._keys.conditions

    @cached_property
    def _enclosure(self) -> Enclosure:
        return Enclosure(self.recorded.problem.network)

    def __call__(self, wanted: Truths | None = None) -> Facets:
        """The facets between regions.

        Parameters
        ----------
        wanted : (n_conditions,) only those on which one of these conditions vanishes; by default all
        """
        work = Work()
        found = [np.zeros((3, 0), np.int64)]
        for region, other, condition, plain in self._pairs(work, wanted):
            for block in blocks_of(len(region), 4 * len(self.conditions) + self.recorded.witness.shape[1]):
                shared = self._share(region[block], other[block], condition[block], plain[block], work)
                found.append(np.stack([region[block], other[block], condition[block]])[:, shared])
        first, second, condition = np.concatenate(found, axis=1)
        # in order, and each once even if words agreed by chance
        once = np.unique(first * len(self.recorded) + second, return_index=True)[1]
        first, second, condition = first[once], second[once], condition[once]
        return Facets(first, second, condition, work)

    def _pairs(self, work: Work, wanted: Truths | None) -> Iterator[tuple[Ints, Ints, Ints, Truths]]:
        """Pairs of regions with a common key: regions, conditions of the first one, whether nothing else vanishes there."""
        n, c = len(self.recorded), len(self.conditions)
        passes = max(1, -(-n * c // self.most_keys))
        for part in range(passes):
            keys, places, plains = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)], [np.zeros(0, np.bool_)]
            for block in self.recorded.blocks(16 * max(1, c)):
                pieces = self.recorded.pieces(block)
                made = self._keys.keys(pieces, self._keys.classes(pieces), wanted)
                chosen = made.key % np.uint64(passes) == part if passes > 1 else np.ones(len(made.key), np.bool_)
                keys.append(made.key[chosen])
                places.append((made.region[chosen] + block.start) * c + made.condition[chosen])
                plains.append(made.plain[chosen])
            key, place, plain = np.concatenate(keys), np.concatenate(places), np.concatenate(plains)
            work.keys += len(key)
            order = np.argsort(key, kind="stable")
            key, place, plain = key[order], place[order], plain[order]
            # groups of more than two have an empty set S, or a word in common by chance: all pairs of neighbours in them
            for apart in range(1, _largest_group(key)):
                at = np.flatnonzero(key[apart:] == key[:-apart])
                first, second = place[at] // c, place[at + apart] // c
                yield first, second, place[at] % c, plain[at] & plain[at + apart]

    def _share(self, first: Ints, second: Ints, condition: Ints, plain: Truths, work: Work) -> Truths:
        """(m,) whether pairs with a common key share the facet."""
        c = self.conditions
        pieces, others = self.recorded.pieces(first), self.recorded.pieces(second)
        unit = c.unit[condition]
        every = np.arange(len(first))
        here, there = pieces[every, unit], others[every, unit]
        vanishing = np.zeros((len(first), len(c)), np.bool_)
        vanishing[every, condition] = True
        several = np.flatnonzero(~plain)
        if len(several):
            vanishing[several] = self._keys.classes(pieces[several]).vanishing(condition[several])
        # the keys say that restricted patterns agree: look
        touched = np.zeros(pieces.shape, np.bool_)
        pair, what = np.nonzero(vanishing)
        touched[pair, c.unit[what]] = True
        possible = (here != there) & ((pieces == others) | touched).all(axis=1)
        candidate = c.is_candidate[condition]
        # of a maximum, the winner on the other side is one of those that tie
        tied = np.zeros(len(first), np.bool_)
        pair, what = np.nonzero(vanishing & c.is_candidate)
        hit = (c.unit[what] == unit[pair]) & (c.number[what] == there[pair])
        tied[pair[hit]] = True
        possible &= tied | ~candidate
        work.pairs += int(possible.sum())
        differ = pieces != others
        last = c.unit_at[-2] if len(c.unit_at) > 1 else 0
        simple = possible & ~differ[:, :last].any(axis=1) & ~(differ & self.recorded.is_maximum).any(axis=1)
        work.by_layer += int(simple.sum())
        shared = simple.copy()
        left = np.flatnonzero(possible & ~simple)
        # from the points that are known, and then from the middle of the regions
        for middle in (False, True):
            ends = first[left], second[left]
            points = self._middles(*ends) if middle else (self._points[ends[0]], self._points[ends[1]])
            crossed = self._cross(*points, condition[left], pieces[left], there[left], vanishing[left])
            work.by_segment += int(crossed.sum())
            shared[left[crossed]] = True
            left = left[~crossed]
        for k in left.tolist():
            work.exactly += 1
            form = self.form(pieces[k], int(condition[k]), int(there[k]))
            shared[k] = is_needed(self.recorded.forms.cone(pieces[k]), form, self._hint(first[k], second[k]))
        return np.asarray(shared)

    def _middles(self, first: Ints, second: Ints) -> tuple[Floats, Floats]:
        regions, at = np.unique(np.concatenate([first, second]), return_inverse=True)
        found = inner_points(self.recorded, regions)[at.reshape(-1)]
        return found[: len(first)], found[len(first) :]

    def _cross(
        self, p: Floats, q: Floats, condition: Ints, pieces: Patterns, there: Patterns, vanishing: Truths
    ) -> Truths:
        """(m,) whether the segments between points p and q of regions certainly cross the hyperplanes in S."""
        if not len(p):
            return np.zeros(0, np.bool_)
        off_p, off_q = self._distance(p), self._distance(q)
        at_p, wrong_p = self._heights(p, off_p, condition, pieces, there)
        at_q, wrong_q = self._heights(q, off_q, condition, pieces, there)
        with np.errstate(all="ignore"):
            wide = np.abs(at_p) + np.abs(at_q)
            t = (np.abs(at_p) / wide)[:, None]
            # |t - t of the point meant| is at most the errors over what is certain of the width
            slack = (wrong_p + wrong_q) / (wide * (1.0 - 8.0 * ROUNDING) - wrong_p - wrong_q) + 8.0 * ROUNDING
            x = p + t * (q - p)
            error = slack[:, None] * (np.abs(q - p) + (off_p + off_q)[:, None])
            error += 8.0 * ROUNDING * (np.abs(p) + np.abs(q)) + (off_p + off_q)[:, None]
            certain = (np.sign(at_p) * np.sign(at_q) < 0) & (slack > 0) & (slack < 1)
            certain &= certainly_positive(np.abs(at_p), wrong_p) & certainly_positive(np.abs(at_q), wrong_q)
            x, error = np.where(certain[:, None], x, 0.0), np.where(certain[:, None], error, 0.0)
            for k, rows in enumerate(self._enclosure(Values(x, error * SPARE))):
                certain &= self._in_place(k, rows.z, pieces, vanishing)
        return certain

    def _heights(
        self, x: Floats, off: Floats, condition: Ints, pieces: Patterns, there: Patterns
    ) -> tuple[Floats, Floats]:
        """The forms of the hyperplanes at points, and their errors; NaN where there is no point."""
        c, every = self.conditions, np.arange(len(x))
        value, error = np.full(len(x), np.nan), np.zeros(len(x))
        for k, rows in enumerate(self._enclosure(Values(x, np.broadcast_to(off[:, None], x.shape)))):
            of = np.flatnonzero(c.layer[condition] == k)
            chosen = condition[of]
            z, e = rows.z.value[every[of]], rows.z.error[every[of]]
            line = np.arange(len(of))
            first = np.searchsorted(c.unit, c.unit[chosen])
            candidate = c.is_candidate[chosen]
            row = np.where(candidate, c.row[first + np.where(candidate, pieces[of, c.unit[chosen]], 0)], c.row[chosen])
            other = c.row[first + np.where(candidate, there[of], 0)]
            level = np.where(candidate, z[line, other], c.level[chosen])
            value[of] = z[line, row] - level
            error[of] = e[line, row] + np.where(candidate, e[line, other], 0.0) + 2.0 * ROUNDING * np.abs(value[of])
        return value, error

    def _in_place(self, k: int, z: Values, pieces: Patterns, vanishing: Truths) -> Truths:
        """(m,) whether all conditions of a layer that do not vanish certainly hold."""
        c = self.conditions
        of = slice(int(c.at[k]), int(c.at[k + 1]))
        piece, candidate = pieces[:, c.unit[of]].astype(np.int64), c.is_candidate[of]
        first = np.searchsorted(c.unit, c.unit[of])
        value, error = z.value[:, c.row[of]], z.error[:, c.row[of]]
        side_of = np.where(piece > c.number[of], 1.0, -1.0)
        ahead = (value - c.level[of]) * side_of
        if candidate.any():
            winner = c.row[first + np.where(candidate, piece, 0)]
            line = np.arange(len(piece))[:, None]
            ahead = np.where(candidate, z.value[line, winner] - value, ahead)
            error = np.where(candidate, error + z.error[line, winner], error)
        holds = certainly_positive(ahead, error) | vanishing[:, of] | (candidate & (piece == c.number[of]))
        return np.asarray(holds.all(axis=1) & np.isfinite(z.error).all(axis=1))

    @cached_property
    def _slice(self) -> SliceDistance | None:
        domain, n_in = self.recorded.problem.domain, self.recorded.problem.network.n_in
        if not isinstance(domain, Slice):
            return None
        columns = np.asarray(domain.directions, np.float64).reshape(-1, n_in).T
        return SliceDistance(columns, np.asarray(domain.origin, np.float64).reshape(n_in))

    def _distance(self, x: Floats) -> Floats:
        return np.zeros(len(x)) if self._slice is None else self._slice(x)

    def _hint(self, *regions: int) -> Hint:
        """Points of regions, as far as they are known."""
        points = (self.recorded.nearest.point(w) for w in self._points[list(regions)] if known(w))
        return Hint(points=[point for point in points if point is not None])

    def form(self, pieces: Patterns, condition: int, there: int) -> Row:
        """A condition of a region as a primitive form that is positive on it; `there` is the winner beyond it."""
        c = self.conditions
        k, unit = int(c.layer[condition]), int(c.unit[condition])
        u = unit - int(c.unit_at[k])
        forms = self.recorded.forms.of(k, pieces, self.recorded.exact.dim)
        if c.is_candidate[condition]:
            return primitive(forms.difference(u, int(pieces[unit]), there))
        plan = forms.plan
        number = int(c.number[condition])
        at = next(i for i, cut in enumerate(plan.cut_unit) if cut == u and plan.cut_number[i] == number)
        sign = 1 if pieces[unit] > number else -1
        return primitive([sign * value for value in forms.cuts[at]])


def is_needed(cone: Cone, form: Row, hint: Hint | None = None) -> bool:
    """Whether the hyperplane of a form, one of those of a unit in a cone, bounds it in a facet.

    Without all its multiples the cone has points beyond, and so a part of the hyperplane that is open in it.
    """
    blocks: list[Block] = []
    for block in cone.blocks:
        if isinstance(block, Forms):
            kept = [i for i, row in enumerate(block.rows) if row != form]
            block = Forms([block.rows[i] for i in kept], [block.labels[i] for i in kept])
        blocks.append(block)
    return side(Cone(cone.n, blocks, cone.frame), form, hint).side is Side.CUTS


def connected(recorded: Recorded, facets: Facets) -> Ints:
    """(n,) labels from 0, in the order of the lowest region: regions that are merged across facets where the map is the same.

    Maps are compared modulo primes (`exact/maps.py`).
    """
    problem = recorded.problem
    digests_of = MapDigests(problem.network, problem.chart)
    n = len(recorded)
    digests = np.zeros((n, 2), np.uint64)
    for block in recorded.blocks(64 + sum(problem.n_units)):
        digests[block] = digests_of(recorded.pieces(block))
    same = (digests[facets.first] == digests[facets.second]).all(axis=1)
    first, second = facets.first[same], facets.second[same]
    graph = sp.csr_array((np.ones(len(first), np.bool_), (first, second)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def _largest_group(key: np.ndarray) -> int:
    """The size of the largest group of equal entries in a sorted array."""
    starts = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]])) if len(key) else np.zeros(0, np.int64)
    return int(np.diff(np.append(starts, len(key))).max(initial=1))
