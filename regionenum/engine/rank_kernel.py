"""Dimension of the map to a layer's output on one cell, updated along the walk.

The rank of the rows slope_u normal_u over the layer's units is found by Gram-Schmidt orthogonalisation (twice where it
cancels), unit by unit in `order`, which lists units decided for a whole subtree first. The rank after every unit is
kept: a cell that differs from the last one only in late units starts there. The rank of the map before the layer
bounds it from above, and reaching that bound ends the computation.

Only the domain's own coordinates count, the first `free` of a row.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from regionenum.engine.layer_kernel import branch, norm, piece, read_row
from regionenum.engine.policy import kernel
from regionenum.engine.tables import ROW, UNIT, Tables
from regionenum.network.units import Floats, Ints

RANK_TOL = 1e-10
"""A row whose part outside the span is smaller than this share of its length is dependent."""
RANK_DOUBT = 1e-7
"""Below this share the decision is counted as doubtful."""


class Ranks(NamedTuple):
    """State of the rank computation of each layer of the present path."""

    order: Ints  # (sum of n_units,) units of each layer in the order they are taken
    known: Ints  # (2, sum of n_units) piece of the unit at each position of `order` last time, and the rank after it
    length: Ints  # (depth,) positions for which `known` holds
    basis: Floats  # (depth, free, free) orthonormal rows
    normal: Floats  # (free,) scratch


def make_ranks(tables: Tables) -> Ranks:
    """Empty state."""
    n_units = int(tables.at[-1, UNIT])
    return Ranks(
        order=np.zeros(n_units, np.int64),
        known=np.zeros((2, n_units), np.int64),
        length=np.zeros(tables.depth, np.int64),
        basis=np.zeros((tables.depth, tables.free, tables.free)),
        normal=np.zeros(tables.free),
    )


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
    """Rank of the map to the output of `layer`, all of whose units are decided; returns (rank, doubtful decisions)."""
    start = at[layer, UNIT]
    n_units = at[layer + 1, UNIT] - start
    basis, normal = ranks.basis[layer], ranks.normal
    position, rank, doubtful = 0, 0, 0
    if bound == 0:
        return 0, 0
    while position < ranks.length[layer]:
        if ranks.known[0, start + position] != piece(at, units, images, layer, ranks.order[start + position]):
            break
        rank = ranks.known[1, start + position]
        if rank == bound:
            return rank, 0
        position += 1
    while position < n_units and rank < bound:
        unit = ranks.order[start + position]
        row, slope, _ = branch(at, units, images, layer, unit)
        if slope != 0.0:
            read_row(at, images, layer, row, normal)
            size = norm(normal)
            noise = images.error[at[layer, ROW] + row]
            if size > 2.0 * noise:
                for k in range(normal.shape[0]):
                    normal[k] /= size
                left = _outside(basis, rank, normal)
                if left < 0.5:
                    left = _outside(basis, rank, normal)
                tolerance = RANK_TOL + 4.0 * noise / size
                if left > tolerance:
                    for k in range(normal.shape[0]):
                        basis[rank, k] = normal[k] / left
                    rank += 1
                if 0.0 < left < tolerance + RANK_DOUBT:
                    doubtful += 1
        ranks.known[0, start + position] = piece(at, units, images, layer, unit)
        ranks.known[1, start + position] = rank
        position += 1
    ranks.length[layer] = position
    return rank, doubtful
