"""Rank of the network's own map on one region: of the last affine layer, after the last units.

An output row is sum_u W[n, u] slope_u row_u over the units u of the last unit layer. Its rank is at most that of the map to the
last units, and at most that of W; reaching the smaller of the two ends the computation, which it nearly always does.

Regions that follow each other differ in few units, so that the linear parts of some outputs are kept (`Ranks.map`), and what a
unit contributes is taken out and put in again where its piece changes. Of a map of rank r as many numbers of each row are
kept, its values along fixed directions c_j with |c_jk| <= 1: if these are independent, so are the rows. With K units, d
coordinates and T changes since the sums were made from the beginning, each is known up to sum_u |W[n, u]| s_u (error_u +
(K + T + d + 8) u |row_u|), where s_u is the steepest slope of the unit and |row_u| the largest 1-norm of the rows that it may
read; and up to LEAST for what underflows. So one bound holds for a whole cell of the layer before.

Gaussian elimination with partial pivoting of A, known up to E, gives P A = L U + F with |F| <= r u |L| |U| (Higham, Accuracy
and Stability of Numerical Algorithms, theorem 9.3), and no entry of L is larger than 1. Let x solve M(U) x = e and y solve
M(L) y = e, where M has the moduli of the entries on the diagonal and their negatives elsewhere, and e is all ones: then x and y
bound the row sums of |U^-1| and |L^-1| (ibid., theorem 8.12). If the largest of x, times that of y, times the norm of E + F is
less than 1, the rows are independent.
"""

from __future__ import annotations

import numpy as np

from regionenum.engine.policy import inlined, kernel
from regionenum.engine.subtree import SEVERAL
from regionenum.engine.tables import IMAGE, ROW, UNIT, UNIT_ROUNDOFF
from regionenum.engine.walk.layer_kernel import HOPELESS, LEAST, SPARE, TINY, norm
from regionenum.engine.walk.rank_kernel import (
    CHANGES,
    IS_KEPT,
    MOST_CHANGES,
    count_independent,
    integer_rank,
    make_unit,
    write_whole,
)


@kernel
def _exchange(weight, along, kept, u, old, new):
    """Put in what unit u contributes to the kept outputs in branch `new`, instead of `old`."""
    for j in range(kept.shape[1]):
        change = along[new, j] - along[old, j]
        for n in range(kept.shape[0]):
            kept[n, j] += weight[n, u] * change


@kernel
def _write_along(image, entry, n_rows, slope, ranks, branch):
    """Write a slope times a row of an image, along the directions, to a branch; returns the 1-norm of the row."""
    along, directions, size = ranks.along, ranks.directions, 0.0
    for j in range(along.shape[1]):
        along[branch, j] = 0.0
    if slope == 0.0:
        return 0.0
    for k in range(directions.shape[1]):
        value = image[entry + k * n_rows]
        size += abs(value)
        if ranks.is_coordinates == 1:
            along[branch, k] = slope * value
        else:
            for j in range(along.shape[1]):
                along[branch, j] += slope * directions[j, k] * value
    return size


@kernel
def _begin(at, images, ranks, output, layer):
    """Make the kept outputs from the beginning, with bounds for all cells in the present cell of the layer before."""
    n_rows, start, kept = at[layer + 1, ROW] - at[layer, ROW], at[layer, UNIT], ranks.map
    n_units, first = at[layer + 1, UNIT] - start, at[layer, IMAGE] + n_rows
    rounding = (n_units + MOST_CHANGES + ranks.normal.shape[0] + 8) * UNIT_ROUNDOFF
    ranks.changes[CHANGES], ranks.changes[IS_KEPT] = 0, 1
    for n in range(kept.shape[0]):
        ranks.map_error[n] = 0.0
        for j in range(kept.shape[1]):
            kept[n, j] = 0.0
    for u in range(n_units):
        error, size, steepest = 0.0, 0.0, 0.0
        for branch in range(output.first[u], output.first[u + 1]):
            row, slope = output.row[branch], output.slope[branch]
            size = max(size, _write_along(images.image, first + row, n_rows, slope, ranks, branch))
            if slope != 0.0:
                error = max(error, images.error_linear[at[layer, ROW] + row])
                steepest = max(steepest, abs(slope))
        if not (steepest + 1.0) * (size + error) * output.largest < HOPELESS * UNIT_ROUNDOFF:
            # what may overflow is made for each region, or asked
            ranks.changes[IS_KEPT] = 0
            return
        if size + error == 0.0:
            continue
        # the product of weight and slope may underflow
        rounded = (error + rounding * (size + TINY)) * SPARE
        branch = output.first[u] + images.piece[start + u]
        for n in range(kept.shape[0]):
            weight = output.weight[n, u]
            ranks.map_error[n] += (abs(weight) * steepest + LEAST) * rounded + MOST_CHANGES * LEAST
            if output.slope[branch] != 0.0:
                for j in range(kept.shape[1]):
                    kept[n, j] += weight * ranks.along[branch, j]
    if output.is_exact == 1 and ranks.is_coordinates == 1:
        for n in range(kept.shape[0]):
            ranks.map_error[n] = 0.0


@inlined
def follow_pieces(at, images, ranks, output, seen, last, layer, is_first):
    """Note in which units this cell of `layer` differs from the one before it in the same parent: `seen`, the kept outputs.

    is_first : it is the first in its parent.
    """
    start, end = at[layer, UNIT], at[layer + 1, UNIT]
    is_last = layer == at.shape[0] - 2 and ranks.map.shape[0] > 0
    if is_first:
        for u in range(start, end):
            seen[u] = last[u] = images.piece[u]
        if is_last:
            _begin(at, images, ranks, output, layer)
        return
    is_kept = is_last and ranks.changes[IS_KEPT] == 1
    fixed = ranks.fixed[layer]
    order, pieces, before = ranks.order[start + fixed : end], images.piece[start:end], last[start:end]
    for k in range(order.shape[0]):
        unit = order[k]
        piece = pieces[unit]
        if piece == before[unit]:
            continue
        if is_kept:
            first = output.first[unit]
            _exchange(output.weight, ranks.along, ranks.map, unit, first + before[unit], first + piece)
            ranks.changes[CHANGES] += 2
        before[unit] = piece
        seen[start + unit] = SEVERAL
    if is_kept and ranks.changes[CHANGES] > MOST_CHANGES - 2 * (end - start):
        _begin(at, images, ranks, output, layer)


@kernel
def _eliminated(kept, errors, work, solution, r):
    """Whether r of the kept outputs are proved to be independent, along the first r directions."""
    n, worst = kept.shape[0], 0.0
    for i in range(n):
        worst = max(worst, errors[i])
        for k in range(r):
            work[i, k] = kept[i, k]
    for j in range(r):
        row, size = j, abs(work[j, j])
        for i in range(j + 1, n):
            if abs(work[i, j]) > size:
                row, size = i, abs(work[i, j])
        if size < TINY:
            return False
        if row != j:
            for k in range(r):
                work[j, k], work[row, k] = work[row, k], work[j, k]
        inverse = 1.0 / work[j, j]
        for i in range(j + 1, n):
            factor = work[i, j] * inverse
            work[i, j] = factor
            for k in range(j + 1, r):
                work[i, k] -= factor * work[j, k]
    of_u, of_l, largest = 0.0, 0.0, 0.0
    for i in range(r - 1, -1, -1):
        total, size = 1.0, abs(work[i, i])
        for k in range(i + 1, r):
            total += abs(work[i, k]) * solution[k]
            size += abs(work[i, k])
        solution[i] = total / abs(work[i, i])
        of_u, largest = max(of_u, solution[i]), max(largest, size)
    for i in range(r):
        total = 1.0
        for k in range(i):
            total += abs(work[i, k]) * solution[k]
        solution[i] = total
        of_l = max(of_l, total)
    # the norm of |L| |U| is at most r times that of U; the rest covers what rounds here, and the reciprocals
    wrong = r * worst + (r + 4.0) * (r + 4.0) * UNIT_ROUNDOFF * largest
    return 2.0 * of_u * of_l * wrong < 1.0


@inlined
def output_rank(at, images, ranks, output, layer, bound):
    """Rank of the map to the outputs on a cell of the last layer, on which the map to its units has rank `bound`.

    Returns (rank, decisions in doubt behind it). Without a last affine layer the units are the outputs.
    """
    if output.weight.shape[0] == 0:
        return bound, 0
    bound = min(bound, output.most)
    if bound == 0:
        return 0, 0
    if ranks.changes[IS_KEPT] == 0:
        return _careful_rank(at, images, ranks, output, layer, bound)
    if bound == 1:
        for n in range(ranks.map.shape[0]):
            for k in range(ranks.map.shape[1]):
                if abs(ranks.map[n, k]) > ranks.map_error[n]:
                    return 1, 0
    elif bound <= ranks.map.shape[1] and _eliminated(ranks.map, ranks.map_error, ranks.rest, ranks.normal, bound):
        return bound, 0
    return _careful_rank(at, images, ranks, output, layer, bound)


@kernel
def _output_row(at, images, ranks, output, layer, n):
    """Write the linear part of output n to `ranks.normal`; returns the bound of its error."""
    n_rows, start, normal = at[layer + 1, ROW] - at[layer, ROW], at[layer, UNIT], ranks.normal
    error, size, terms = 0.0, 0.0, 0
    for k in range(normal.shape[0]):
        normal[k] = 0.0
    for u in range(at[layer + 1, UNIT] - start):
        branch = output.first[u] + images.piece[start + u]
        factor = output.weight[n, u] * output.slope[branch]
        if output.slope[branch] == 0.0 or output.weight[n, u] == 0.0:
            continue
        entry, total = at[layer, IMAGE] + n_rows + output.row[branch], 0.0
        for k in range(normal.shape[0]):
            value = images.image[entry + k * n_rows]
            normal[k] += factor * value
            total += abs(value)
        row_error = images.error_linear[at[layer, ROW] + output.row[branch]]
        if not (abs(factor) + 1.0) * (total + row_error) < HOPELESS:
            size = np.inf
            break
        if total + row_error > 0.0:
            size += abs(factor) * total + TINY
            # the factor itself may have underflowed
            error += abs(factor) * row_error + LEAST * (total + row_error)
        terms += 1
    if not size < HOPELESS:
        for k in range(normal.shape[0]):
            normal[k] = 0.0
        return np.inf
    if output.is_exact == 1:
        return 0.0
    return (error + (terms + 4) * UNIT_ROUNDOFF * size) * SPARE + (terms * LEAST if error + size > 0.0 else 0.0)


@kernel
def _careful_rank(at, images, ranks, output, layer, bound):
    """The same from all outputs, each made afresh and of length 1."""
    n_outputs, rank, possible = output.weight.shape[0], 0, 0
    # a few rows are likely to do
    for wanted in (bound, n_outputs):
        n, possible = 0, 0
        for k in range(n_outputs):
            noise = _output_row(at, images, ranks, output, layer, k)
            size = norm(ranks.normal)
            if size == 0.0 and noise == 0.0:
                continue
            possible += 1
            n += make_unit(ranks, n, size, noise)
            if n == wanted:
                break
        rank = count_independent(ranks, n, bound)
        if rank == bound:
            return rank, 0
    if rank == possible:
        return rank, 0
    if output.is_exact == 1:
        n = 0
        for k in range(n_outputs):
            _output_row(at, images, ranks, output, layer, k)
            n += write_whole(ranks, n, output.lowest)
        found = integer_rank(ranks, n)
        if found >= 0:
            return found, 0
    return rank, 1
