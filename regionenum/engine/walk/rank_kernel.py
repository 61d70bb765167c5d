"""Dimension of the map to a layer's output on one cell, updated along the walk.

The rank of the rows slope_u normal_u over the layer's units is found by Gram-Schmidt orthogonalisation (twice where it
cancels), unit by unit in `order`, which lists units decided for a whole subtree first. The rank after every unit is
kept: a cell that differs from the last one only in late units starts there. The rank of the map before the layer
bounds it from above, and reaching that bound ends the computation. Where an order proves less than the bound because rows
nearly depend on others, the rows are taken in the order of what is left of them.

Only the domain's own coordinates count, the first `free` of a row.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from regionenum.engine.policy import kernel
from regionenum.engine.tables import CUT, EXACT, LOWEST, ROW, UNIT, UNIT_ROUNDOFF, Tables
from regionenum.engine.walk.certificate_kernel import DECIDED_AT_ENTRY
from regionenum.engine.walk.layer_kernel import branch, norm, read_row
from regionenum.network.units import Floats, Ints

RANK_TOL = 1e-10
"""What is doubtful is taken to be dependent if the part outside the span is no larger than this share of the row."""
LARGEST = 1 << 30
"""Integers up to this are multiplied and subtracted without overflow."""
CHANGES, IS_KEPT = 0, 1
"""Entries of `Ranks.changes`."""
MOST_CHANGES = 1 << 10
"""Changes of a sum of outputs after which it is made from the beginning."""
MARGIN = 4.0
"""How many times its error bound the part outside the span must be, to prove independence."""


PIECE, RANK, DOUBTS_IN, DOUBTS_OUT, KNOWN = 0, 1, 2, 3, 4
"""Lines of `known`: the unit's piece; with the units so far, their rank, and how many of them were taken to be independent, or
dependent, in doubt."""


class Ranks(NamedTuple):
    """State of the rank computation of each layer of the present path."""

    order: Ints  # (sum of n_units,) units of each layer in the order they are taken
    fixed: Ints  # (depth,) how many of these were decided on the whole cell of the layer before
    known: Ints  # (4, sum of n_units) last time, at each position of `order`: see below
    length: Ints  # (depth,) positions for which `known` holds
    basis: Floats  # (depth, free, free) orthonormal rows
    spoilt: Floats  # (depth, free + 1) bound on the angle by which the span of so many basis rows can be wrong
    normal: Floats  # (free,) scratch
    last: Floats  # (free, free) scratch: an orthonormal basis
    rest: Floats  # (largest layer or output, free) scratch: what is left of each row
    error: Floats  # (largest layer,) scratch: its error
    whole: Ints  # (largest layer, free) scratch: rows of integers
    map: Floats  # (some outputs, some directions) linear parts on the last region; see `output_kernel`
    map_error: Floats  # (some outputs,) bounds of the errors of each of these
    along: Floats  # (branches of the last units, some directions) what each branch is along them
    directions: Floats  # (some directions, free)
    is_coordinates: int  # 1 if these are the coordinates
    changes: Ints  # (2,) units changed since they were made from the beginning; whether they were


def make_ranks(tables: Tables) -> Ranks:
    """Empty state."""
    n_units = int(tables.at[-1, UNIT])
    largest = max(int(np.diff(tables.at[:, UNIT]).max(initial=1)), len(tables.output.weight))
    directions = _directions(min(tables.output.most, tables.free), tables.free)
    n_kept = min(len(tables.output.weight), len(directions) + 1)
    return Ranks(
        order=np.zeros(n_units, np.int64),
        fixed=np.zeros(tables.depth, np.int64),
        known=np.zeros((KNOWN, n_units), np.int64),
        length=np.zeros(tables.depth, np.int64),
        basis=np.zeros((tables.depth, tables.free, tables.free)),
        spoilt=np.zeros((tables.depth, tables.free + 1)),
        normal=np.zeros(tables.free),
        last=np.zeros((tables.free, tables.free)),
        rest=np.zeros((largest, tables.free)),
        error=np.zeros(largest),
        whole=np.zeros((largest, tables.free), np.int64),
        map=np.zeros((n_kept, len(directions))),
        map_error=np.zeros(n_kept),
        along=np.zeros((len(tables.output.row), len(directions))),
        directions=directions,
        is_coordinates=int(len(directions) == tables.free),
        changes=np.zeros(2, np.int64),
    )


def _directions(n: int, dim: int) -> Floats:
    """So many directions with entries up to 1: the coordinates if there are as many, else ones that mean nothing."""
    if n == dim:
        return np.eye(dim)
    # multiples of the golden ratio modulo 1 are spread evenly
    return 0.5 + 0.5 * ((np.arange(1.0, n * dim + 1) * (math.sqrt(5.0) - 1.0) / 2.0) % 1.0).reshape(n, dim)


@kernel
def _outside(basis, rank, normal):
    """Subtract from `normal` its projection on the first `rank` rows of the basis; returns the length that is left."""
    for q in range(rank):
        line = basis[q]
        dot = 0.0
        for k in range(normal.shape[0]):
            dot += line[k] * normal[k]
        for k in range(normal.shape[0]):
            normal[k] -= dot * line[k]
    return norm(normal)


@kernel
def layer_rank(at, units, images, ranks, layer, bound):
    """Rank of the map to the output of `layer`, all of whose units are decided; returns (rank, decisions in doubt behind it).

    A row r is known up to |dr| <= e |r|, and the span of the basis up to an angle s. Its part outside the span, of length l
    for |r| = 1, is then known up to about e + s, and the span with it up to s + (e + s) / l (to first order, for which
    MARGIN leaves room). So l > MARGIN (e + s) proves that a row is independent. That one depends on others cannot be proved
    by rounded numbers, only that it is 0: a row whose coefficients are 0 with bounds 0. Where the bound is reached by rows that
    are proved to be independent, it does not matter which others are not.
    """
    start = at[layer, UNIT]
    n_units = at[layer + 1, UNIT] - start
    basis, normal, spoilt = ranks.basis[layer], ranks.normal, ranks.spoilt[layer]
    known = ranks.known[:, start : start + n_units]
    position, rank, doubts_in, doubts_out = 0, 0, 0, 0
    if bound == 0:
        return 0, 0
    while position < ranks.length[layer]:
        if known[PIECE, position] != images.piece[start + ranks.order[start + position]]:
            break
        rank, doubts_in, doubts_out = known[RANK, position], known[DOUBTS_IN, position], known[DOUBTS_OUT, position]
        if rank == bound:
            if doubts_in == 0:
                return rank, 0
            break
        position += 1
    while position < n_units and rank < bound:
        u = start + ranks.order[start + position]
        row, slope, _ = branch(units, images, u)
        if slope != 0.0:
            read_row(at, images.image, layer, row, normal)
            size, noise = norm(normal), images.error_linear[at[layer, ROW] + row]
            if size <= 2.0 * noise:
                doubts_out += size > 0.0 or noise > 0.0
            else:
                for k in range(normal.shape[0]):
                    normal[k] /= size
                left = _outside(basis, rank, normal)
                if left < 0.5:
                    left = _outside(basis, rank, normal)
                error = 2.0 * noise / size + 8.0 * (normal.shape[0] + 2) * UNIT_ROUNDOFF + spoilt[rank]
                certain = left > MARGIN * error
                taken = certain or left > RANK_TOL
                doubts_in += taken and not certain
                doubts_out += not taken
                if taken:
                    for k in range(normal.shape[0]):
                        basis[rank, k] = normal[k] / left
                    rank += 1
                    spoilt[rank] = spoilt[rank - 1] + error / left
        known[PIECE, position], known[RANK, position] = images.piece[u], rank
        known[DOUBTS_IN, position], known[DOUBTS_OUT, position] = doubts_in, doubts_out
        position += 1
    ranks.length[layer] = position
    doubts = doubts_in + (doubts_out if rank < bound else 0)
    if doubts > 0 and _reaches(at, units, images, ranks, layer, bound):
        return bound, 0
    if doubts > 0 and at[layer, EXACT] == 1:
        found = _integer_rank(at, units, images, ranks, layer)
        if found >= 0:
            return found, 0
    return rank, doubts


@kernel
def _integer_rank(at, units, images, ranks, layer):
    """Rank of the rows of a layer in which nothing is rounded; -1 if integers get too large."""
    n = 0
    for u in range(at[layer, UNIT], at[layer + 1, UNIT]):
        row, slope, _ = branch(units, images, u)
        if slope != 0.0:
            read_row(at, images.image, layer, row, ranks.normal)
            n += write_whole(ranks, n, at[layer, LOWEST])
    return integer_rank(ranks, n)


@kernel
def write_whole(ranks, n, lowest):
    """Write `ranks.normal`, multiples of 2^lowest, as row n of integers; False if it is 0."""
    scale = math.ldexp(1.0, -int(lowest))
    for k in range(ranks.normal.shape[0]):
        ranks.whole[n, k] = np.int64(ranks.normal[k] * scale)
    return _made_coprime(ranks.whole[n])


@kernel
def integer_rank(ranks, n):
    """Rank of the first n rows of integers, by elimination; -1 if they get too large."""
    whole, rank = ranks.whole, 0
    dim = ranks.normal.shape[0]
    for column in range(dim):
        place = -1
        for i in range(rank, n):
            if whole[i, column] != 0:
                place = i
                break
        if place < 0:
            continue
        for k in range(dim):
            whole[rank, k], whole[place, k] = whole[place, k], whole[rank, k]
        for i in range(rank + 1, n):
            a, b = whole[rank, column], whole[i, column]
            if b == 0:
                continue
            for k in range(dim):
                if max(abs(whole[i, k]), abs(whole[rank, k])) > LARGEST or max(abs(a), abs(b)) > LARGEST:
                    return -1
                whole[i, k] = a * whole[i, k] - b * whole[rank, k]
            _made_coprime(whole[i])
        rank += 1
    return rank


@kernel
def _made_coprime(row):
    """Divide a row of integers by what divides all of them; False if they are all 0."""
    divisor = np.int64(0)
    for k in range(row.shape[0]):
        other = abs(row[k])
        while other != 0:
            divisor, other = other, divisor % other
    if divisor > 1:
        for k in range(row.shape[0]):
            row[k] //= divisor
    return divisor != 0


@kernel
def _reaches(at, units, images, ranks, layer, bound):
    """Whether `bound` rows are proved to be independent, if they are taken in the order of what is left of them."""
    n = 0
    for u in range(at[layer, UNIT], at[layer + 1, UNIT]):
        row, slope, _ = branch(units, images, u)
        if slope != 0.0:
            read_row(at, images.image, layer, row, ranks.normal)
            n += make_unit(ranks, n, norm(ranks.normal), images.error_linear[at[layer, ROW] + row])
    return count_independent(ranks, n, bound) == bound


@kernel
def make_unit(ranks, n, size, noise):
    """Write `ranks.normal`, of length `size` and known up to `noise`, as row n of `rest`, made of length 1.

    False if it may be 0, so that nothing was written.
    """
    normal = ranks.normal
    if not size > 2.0 * noise:
        return False
    for k in range(normal.shape[0]):
        ranks.rest[n, k] = normal[k] / size
    ranks.error[n] = 2.0 * noise / size + 8.0 * (normal.shape[0] + 2) * UNIT_ROUNDOFF
    return True


@kernel
def count_independent(ranks, n, bound):
    """How many of the first n rows of `rest`, at most `bound`, are proved to be independent.

    They are taken in the order of what is left of them. The rows, of length 1, lose their part in the span row by row (modified
    Gram-Schmidt), so that each step adds the rounding of one projection to the error of all; else as in `layer_rank`.
    """
    rest, error, basis, normal = ranks.rest, ranks.error, ranks.last, ranks.normal
    dim = normal.shape[0]
    rounding = 8.0 * (dim + 2) * UNIT_ROUNDOFF
    spoilt = 0.0
    for rank in range(bound):
        best, left = -1, 0.0
        for i in range(n):
            size = norm(rest[i])
            if size - MARGIN * error[i] > left:
                best, left = i, size - MARGIN * error[i]
        if best < 0:
            return rank
        for k in range(dim):
            normal[k] = rest[best, k]
        left = _outside(basis, rank, normal)
        wrong = error[best] + rounding * rank + spoilt
        if left <= MARGIN * wrong:
            return rank
        for k in range(dim):
            basis[rank, k] = normal[k] / left
        spoilt += wrong / left
        for i in range(n):
            dot = 0.0
            for k in range(dim):
                dot += basis[rank, k] * rest[i, k]
            for k in range(dim):
                rest[i, k] -= dot * basis[rank, k]
    return bound


@kernel
def order_units(at, units, slot, ranks, layer):
    """Units decided on the whole cell come first in the rank computation, then those with pending cuts, then groups.

    `slot` : the certificates' slots, which say which cuts were decided on entry.
    """
    start, n_units = at[layer, UNIT], at[layer + 1, UNIT] - at[layer, UNIT]
    n_decided, n_cut = 0, 0
    for unit in range(n_units):
        kind = _kind(at, units, slot, layer, start + unit)
        n_decided += kind == 0
        n_cut += kind == 1
    place_0, place_1, place_2 = start, start + n_decided, start + n_decided + n_cut
    for unit in range(n_units):
        kind = _kind(at, units, slot, layer, start + unit)
        if kind == 0:
            ranks.order[place_0] = unit
            place_0 += 1
        elif kind == 1:
            ranks.order[place_1] = unit
            place_1 += 1
        else:
            ranks.order[place_2] = unit
            place_2 += 1
    ranks.length[layer] = 0
    ranks.fixed[layer] = n_decided


@kernel
def _kind(at, units, slot, layer, u):
    """0 if unit u was decided on entry, 1 if it has a cut that was not, 2 for a maximum."""
    function = units.function[u]
    if function < 0:
        return 2 if units.member[u + 1] - units.member[u] > 1 else 0
    first = at[layer, CUT] + units.cut[u]
    for c in range(first, first + units.function_at[function + 1] - units.function_at[function] - 1):
        if slot[c] != DECIDED_AT_ENTRY:
            return 1
    return 0
