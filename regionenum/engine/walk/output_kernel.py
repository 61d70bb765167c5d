"""Rank of the network's own map on one region: of the last affine layer, after the last units.

An output row is sum_u W[n, u] slope_u row_u over the units u of the last unit layer. Its rank is at most that of the map to the
last units, and at most that of W; reaching the smaller of the two ends the computation, which it nearly always does. One row is
independent as soon as one of its coefficients is not 0.

A row is a sum of K products of rounded numbers, so that it is known up to sum_u |W[n, u] slope_u| (error_u + (K + 4) u |row_u|)
in the 1-norm, and by LEAST for each product that underflows, as in `layer_kernel.pull_back`. In a layer in which nothing is
rounded (`engine/grids.py`) this is 0.
"""

from __future__ import annotations

from regionenum.engine.policy import inlined, kernel
from regionenum.engine.tables import IMAGE, ROW, UNIT, UNIT_ROUNDOFF
from regionenum.engine.walk.layer_kernel import LEAST, SPARE, TINY, branch, norm
from regionenum.engine.walk.rank_kernel import count_independent, integer_rank, make_unit, write_whole


@kernel
def _read_branches(at, units, images, ranks, layer):
    """Write the row and the slope of every unit of the layer: one look at its piece for all outputs."""
    start = at[layer, UNIT]
    for u in range(start, at[layer + 1, UNIT]):
        ranks.row[u - start], ranks.slope[u - start], _ = branch(units, images, u)


@inlined
def _bound(output, terms, error, size):
    """What a sum of so many terms errs by, if they have this error and this size in all."""
    if output.is_exact == 1:
        return 0.0
    return (error + (terms + 4) * UNIT_ROUNDOFF * size) * SPARE + (terms * LEAST if error + size > 0.0 else 0.0)


@kernel
def _output_row(at, images, ranks, output, layer, n, normal):
    """Write the linear part of output n; returns the bound of its error."""
    n_rows, dim = at[layer + 1, ROW] - at[layer, ROW], normal.shape[0]
    first = at[layer, IMAGE] + n_rows
    error, size, terms = 0.0, 0.0, 0
    for k in range(dim):
        normal[k] = 0.0
    for e in range(output.ptr[n], output.ptr[n + 1]):
        u = output.unit[e]
        factor = output.weight[e] * ranks.slope[u]
        if factor == 0.0 and (ranks.slope[u] == 0.0 or output.weight[e] == 0.0):
            continue
        row = ranks.row[u]
        entry = first + row
        total = 0.0
        for k in range(dim):
            value = images.image[entry + k * n_rows]
            normal[k] += factor * value
            total += abs(value)
        row_error = images.error_linear[at[layer, ROW] + row]
        if total + row_error > 0.0:
            size += abs(factor) * total + TINY
            # the factor itself may have underflowed
            error += abs(factor) * row_error + LEAST * (total + row_error)
        terms += 1
    return _bound(output, terms, error, size)


@kernel
def _has_slope(at, images, ranks, output, layer, dim):
    """Whether an output is proved not to be constant, by one of its coefficients."""
    n_rows = at[layer + 1, ROW] - at[layer, ROW]
    for n in range(output.ptr.shape[0] - 1):
        for k in range(dim):
            line = at[layer, IMAGE] + (k + 1) * n_rows
            value, error, size, terms = 0.0, 0.0, 0.0, 0
            for e in range(output.ptr[n], output.ptr[n + 1]):
                u = output.unit[e]
                factor = output.weight[e] * ranks.slope[u]
                entry, row_error = images.image[line + ranks.row[u]], images.error_linear[at[layer, ROW] + ranks.row[u]]
                term = factor * entry
                value += term
                size += abs(term) + TINY
                error += abs(factor) * row_error + LEAST * (abs(entry) + row_error)
                terms += 1
            if abs(value) > _bound(output, terms, error, size):
                return True
    return False


@kernel
def output_rank(at, units, images, ranks, output, layer, bound):
    """Rank of the map to the outputs on a cell of the last layer, on which the map to its units has rank `bound`.

    Returns (rank, decisions in doubt behind it). Without a last affine layer the units are the outputs.
    """
    n_outputs, dim = output.ptr.shape[0] - 1, ranks.normal.shape[0]
    if n_outputs == 0:
        return bound, 0
    bound = min(bound, output.most)
    if bound == 0:
        return 0, 0
    _read_branches(at, units, images, ranks, layer)
    if bound == 1 and _has_slope(at, images, ranks, output, layer, dim):
        return 1, 0
    rank, possible = 0, 0
    # a few rows are likely to do
    for limit in (bound, n_outputs):
        n, possible, wanted = 0, 0, min(limit, n_outputs)
        for k in range(n_outputs):
            noise = _output_row(at, images, ranks, output, layer, k, ranks.normal)
            size = norm(ranks.normal)
            if size == 0.0 and noise == 0.0:
                continue
            possible += 1
            if make_unit(ranks, n, size, noise):
                n += 1
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
            _output_row(at, images, ranks, output, layer, k, ranks.normal)
            n += write_whole(ranks, n, output.lowest)
        found = integer_rank(ranks, n)
        if found >= 0:
            return found, 0
    return rank, 1
