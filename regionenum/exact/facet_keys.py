"""Keys of facets: two regions that share a facet have a common key there, whichever of its sides they are on.

A *condition* of a region is a form that is positive on it and may bound it: a pre-activation minus a breakpoint next to the
piece, or the winner of a maximum minus another candidate. Let H be the hyperplane where a condition vanishes. The
*restricted pattern* of the region on H says of every unit whether its condition vanishes all over H (because it is a multiple
of that one, or 0 on the whole region), and of all others their piece; of a maximum, which candidates equal the winner all
over H.

The network is continuous, so that on H its values are determined by restricted patterns: a unit that vanishes on H has the
value at its breakpoint there, from either side. Let S be the set of the points of H at which all conditions that do not vanish
on H hold strictly. If S is not empty it is the relative interior of a facet of the region, with H as its hull, and near each
point of S, on the other side of H, the pattern is the same: units that do not vanish keep their pieces, and the rows of units
that do are multiples of one form there, with one sign. So exactly one other region has this facet, its restricted pattern on H
is the same, and no third region has that one (inside the domain). Conversely, regions on two sides of H with one restricted
pattern share the facet S if S is not empty, and no facet otherwise.

Whether conditions are multiples of each other, or 0, is found out modulo primes, at three random points of the homogeneous
coordinates: multiples have equal ratios there. Different forms are taken for multiples with a probability of about 2^-62 for
each pair and prime; what the first prime says is confirmed by a second one. Keys are sums of random words of 64 bits, and what
they bring together is compared unit by unit afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regionenum.domain import Chart
from regionenum.exact.maps import ModularNetwork
from regionenum.exact.residues import PRIMES, residues
from regionenum.network.layers import Network
from regionenum.network.units import MAXIMUM, Ints

Words = npt.NDArray[np.uint64]
Truths = npt.NDArray[np.bool_]
Pieces = npt.NDArray[np.uint16]

_N_POINTS = 3
_NOT_A_CLASS = np.uint64(1) << np.uint64(63)


@dataclass(frozen=True)
class Conditions:
    """All that can be a condition of some region: breakpoints of pointwise units, candidates of maxima, in order of units.

    Attributes
    ----------
    unit : (n,) number among all units of the network
    number : (n,) of the breakpoint, or the position of the candidate
    row : (n,) row of its layer
    layer : (n,)
    level : (n,) the breakpoint; 0 for candidates
    is_candidate : (n,)
    unit_at : (depth + 1,) number of units before each layer
    at : (depth + 1,) number of conditions before each layer
    """

    unit: Ints
    number: Ints
    row: Ints
    layer: Ints
    level: npt.NDArray[np.float64]
    is_candidate: Truths
    unit_at: Ints
    at: Ints

    @classmethod
    def of(cls, network: Network) -> Conditions:
        """Those of a network."""
        unit, number, row, of_layer = list[int](), list[int](), list[int](), list[int]()
        level, is_candidate = list[float](), list[bool]()
        unit_at, at = [0], [0]
        for k, layer in enumerate(network.unit_layers):
            units = layer.units
            for u, function in enumerate(units.function_of.tolist()):
                members = units.rows[units.indptr[u] : units.indptr[u + 1]].tolist()
                if function == MAXIMUM:
                    entries = [(i, r, 0.0) for i, r in enumerate(members)]
                else:
                    entries = [(i, members[0], b) for i, b in enumerate(units.functions[function].breakpoints)]
                for i, r, b in entries:
                    unit.append(unit_at[-1] + u)
                    number.append(i)
                    row.append(r)
                    of_layer.append(k)
                    level.append(b)
                    is_candidate.append(function == MAXIMUM)
            unit_at.append(unit_at[-1] + layer.n_out)
            at.append(len(unit))
        return cls(
            unit=np.array(unit, np.int64),
            number=np.array(number, np.int64),
            row=np.array(row, np.int64),
            layer=np.array(of_layer, np.int64),
            level=np.array(level, np.float64),
            is_candidate=np.array(is_candidate, np.bool_),
            unit_at=np.array(unit_at, np.int64),
            at=np.array(at, np.int64),
        )

    def __len__(self) -> int:
        return len(self.unit)

    def may_bound(self, pieces: npt.NDArray[np.integer]) -> Truths:
        """(n_regions, n) which are conditions of the regions with these pieces: the breakpoints next to a piece, the losers."""
        piece = pieces[:, self.unit].astype(np.int64)
        beside = (piece == self.number) | (piece == self.number + 1)
        return np.asarray(np.where(self.is_candidate, piece != self.number, beside))


@dataclass(frozen=True)
class Classes:
    """The conditions of some regions, those with a common hyperplane together.

    Attributes
    ----------
    hyperplane : (n, n_conditions) words that are equal for multiples; those that are no condition, or 0 all over the region,
        have words of their own
    zero : (n, n_conditions) conditions that are 0 all over the region
    """

    hyperplane: Words
    zero: Truths

    def vanishing(self, conditions: Ints) -> Truths:
        """(n, n_conditions) what vanishes where the condition given for each region does, itself included."""
        at = np.take_along_axis(self.hyperplane, conditions[:, None], axis=1)
        return np.asarray(self.zero | (self.hyperplane == at))


@dataclass(frozen=True)
class Keys:
    """The keys of some regions, for each hyperplane of its conditions one; at the first condition that vanishes there.

    Attributes
    ----------
    region, condition : (m,) position in the block, and number of the condition
    key : (m,)
    plain : (m,) whether nothing else vanishes there
    """

    region: Ints
    condition: Ints
    key: Words
    plain: Truths


class FacetKeys:
    """Keys of the facets that regions may have."""

    def __init__(self, network: Network, chart: Chart) -> None:
        self.conditions = Conditions.of(network)
        random = np.random.default_rng(31103)
        self._modular = [
            (ModularNetwork.modulo(p, network, chart), random.integers(1, p, (_N_POINTS, chart.dim + 1)))
            for p in PRIMES
        ]
        self._levels = [residues(self.conditions.level, p) for p in PRIMES]
        n_pieces = np.concatenate([np.zeros(0, np.int64), *(layer.units.n_pieces for layer in network.unit_layers)])
        self._piece_at = np.concatenate([[0], np.cumsum(n_pieces)])[:-1]
        self._of_piece = random.integers(0, 1 << 63, int(n_pieces.sum()), np.uint64)
        self._of_condition = random.integers(0, 1 << 63, len(self.conditions), np.uint64)
        self._is_maximum = np.zeros(len(n_pieces), np.bool_)
        self._is_maximum[self.conditions.unit[self.conditions.is_candidate]] = True

    def classes(self, pieces: Pieces) -> Classes:
        """The conditions of the regions with these pieces (n, n_units)."""
        bounds = self.conditions.may_bound(pieces)
        words, zero = self._hyperplanes(0, pieces, bounds)
        doubted = np.flatnonzero(zero.any(axis=1) | _some_equal(words))
        if len(doubted):
            others, again = self._hyperplanes(1, pieces[doubted], bounds[doubted])
            mixed = words[doubted] * np.uint64(0x9E3779B97F4A7C15) + others
            zero[doubted] &= again
            words[doubted] = np.where(bounds[doubted] & ~zero[doubted], mixed >> np.uint64(1), words[doubted])
            # a form that is 0 modulo one prime only
            words[doubted] = np.where(zero[doubted], _own_words(words.shape[1]), words[doubted])
        return Classes(words, zero)

    def keys(self, pieces: Pieces, classes: Classes, wanted: Truths | None = None) -> Keys:
        """The keys of regions.

        Parameters
        ----------
        wanted : (n_conditions,) only of hyperplanes on which one of these conditions vanishes; by default of all
        """
        words, zero, conditions = classes.hyperplane, classes.zero, self.conditions
        is_form = words < _NOT_A_CLASS
        pattern = self._of_piece[self._piece_at + pieces]
        # a maximum is described by all candidates that equal its winner; its winner is no condition
        winner = conditions.is_candidate & (pieces[:, conditions.unit] == conditions.number)
        pattern[:, self._is_maximum] = 0
        base = pattern.sum(axis=1, dtype=np.uint64)
        change = np.where(conditions.is_candidate, self._of_condition, self._of_condition - pattern[:, conditions.unit])
        base += np.where(zero | winner, change, np.uint64(0)).sum(axis=1, dtype=np.uint64)
        untouched: Truths = np.logical_not(zero.any(axis=1))
        equal = np.flatnonzero(_some_equal(words))
        single = np.ones(len(pieces), np.bool_)
        single[equal] = False
        key = base[:, None] + change
        first = is_form & single[:, None]
        plain = first & untouched[:, None]
        ask: Truths = np.ones(words.shape, np.bool_) if wanted is None else np.broadcast_to(wanted, words.shape).copy()
        if wanted is not None:
            # what is 0 all over the region vanishes on every hyperplane
            ask |= np.any(zero & wanted, axis=1, keepdims=True)
        if len(equal):
            order = np.argsort(words[equal], axis=1, kind="stable")
            ordered = np.take_along_axis(words[equal], order, axis=1)
            begins = np.ones(ordered.shape, np.bool_)
            begins[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
            ends = np.ones(ordered.shape, np.bool_)
            ends[:, :-1] = begins[:, 1:]
            begins &= ordered < _NOT_A_CLASS
            ends &= ordered < _NOT_A_CLASS
            sums = np.cumsum(np.take_along_axis(change[equal], order, axis=1), axis=1, dtype=np.uint64)
            asked = np.cumsum(np.take_along_axis(ask[equal], order, axis=1), axis=1)
            row, begin = np.nonzero(begins)
            end = np.nonzero(ends)[1]
            before = np.where(begin > 0, sums[row, begin - 1], np.uint64(0))
            total = sums[row, end] - before
            any_asked = asked[row, end] - np.where(begin > 0, asked[row, begin - 1], 0) > 0
            where = equal[row], order[row, begin]
            key[where] = base[where[0]] + total
            first[where] = True
            ask[where] = any_asked
            plain[where] = untouched[where[0]] & (begin == end)
        region, condition = np.nonzero(first & ask)
        return Keys(region, condition, key[region, condition], plain[region, condition])

    def _hyperplanes(self, which: int, pieces: Pieces, bounds: Truths) -> tuple[Words, Truths]:
        """A word for the hyperplane of each condition modulo a prime, and which are 0 there."""
        modular, points = self._modular[which]
        p, c = modular.prime, self.conditions
        at = np.zeros((_N_POINTS, *bounds.shape), np.int64)
        t = points[:, None, -1:]
        for k, (z, chosen) in enumerate(modular.rows(pieces, points)):
            of = slice(int(c.at[k]), int(c.at[k + 1]))
            values = np.broadcast_to(z[:, :, c.row[of]], (_N_POINTS, *bounds[:, of].shape)).copy()
            values -= self._levels[which][of] * t % p
            candidate = np.flatnonzero(c.is_candidate[of])
            if len(candidate):
                unit = c.unit[of][candidate] - c.unit_at[k]
                first = np.searchsorted(c.unit[of], c.unit[of][candidate])
                winner = c.row[of][first + chosen[:, unit]]
                where = np.arange(len(chosen))[:, None] if z.shape[1] > 1 else 0
                values[:, :, candidate] -= z[:, where, winner]
            at[:, :, of] = values % p
        zero = bounds & ~at.any(axis=0)
        pivot = np.where(at[0] != 0, at[0], np.where(at[1] != 0, at[1], at[2]))
        inverse = _inverses(np.where(pivot != 0, pivot, 1), p)
        ratios = (at[1] * inverse % p).astype(np.uint64) << np.uint64(31) | (at[2] * inverse % p).astype(np.uint64)
        ratios |= (at[0] == 0).astype(np.uint64) << np.uint64(62)
        return np.where(bounds & ~zero, ratios, _own_words(bounds.shape[1])), zero


def _own_words(n: int) -> Words:
    return _NOT_A_CLASS + np.arange(n, dtype=np.uint64)


def _some_equal(words: Words) -> Truths:
    """(n,) whether a row has two equal entries."""
    ordered = np.sort(words, axis=1)
    return np.asarray((ordered[:, 1:] == ordered[:, :-1]).any(axis=1))


def _inverses(values: Ints, p: int) -> Ints:
    """Inverses modulo p of residues (n, m) that are not 0: one power for each row (Montgomery's trick)."""
    n, m = values.shape
    if not m:
        return values.copy()
    products = np.empty((m, n), np.int64)
    products[0] = values[:, 0]
    for j in range(1, m):
        products[j] = products[j - 1] * values[:, j] % p
    inverse = _power(products[-1], p - 2, p)
    found = np.empty_like(values)
    for j in range(m - 1, 0, -1):
        found[:, j] = inverse * products[j - 1] % p
        inverse = inverse * values[:, j] % p
    found[:, 0] = inverse
    return found


def _power(base: Ints, exponent: int, p: int) -> Ints:
    found = np.ones_like(base)
    while exponent:
        if exponent & 1:
            found = found * base % p
        base = base * base % p
        exponent >>= 1
    return found
