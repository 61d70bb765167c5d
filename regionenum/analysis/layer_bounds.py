"""How many children a cell can have: bounds on the cells into which one layer splits one cell.

A unit of a layer *can cut* if it has pieces that can occur: a pointwise unit with breakpoints whose row has a weight that is
not 0, a maximum of which two candidates at least have different weights (of candidates with the same weights only the one
with the largest bias can win). Let q_u be the number of pieces of such a unit, candidates with the same weights counted once:
2 for a ReLU; identity units pass values on and have one. Let a cell have dimension r: the layer reads an affine image
of it, of dimension r. Then it has at most

    B(r) = sum over the sets S of at most r units that can cut of the product of (q_u - 1) over u in S

children; for n ReLUs this is C(n, 0) + ... + C(n, min(n, r)). Proof: children are the parts, by pieces, of an open set of an
affine space of dimension r, and there are no more of them than in the whole space; `network/describe.py` proves the bound there
for parallel hyperplanes (Zaslavsky 1975), and cites it for maxima (Montúfar, Ren, Zhang, arXiv 2104.08135). Where hyperplanes
coincide or meet in special position there are fewer cells, never more.

Only the rows that these units read decide which child a point is in. If their weights have rank k, they map the image of the
cell into an affine space of dimension at most min(r, k), and the children are the parts of an open set there. So there are at
most B(min(r, k)): this is the bound *by rank*.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.sparse as sp

from regionenum.exact.ranks import rank_up_to
from regionenum.network.describe import cells_at_most
from regionenum.network.layers import Layer
from regionenum.network.units import MAXIMUM, Ints


@dataclass(frozen=True)
class LayerBounds:
    """The bounds of one layer.

    Attributes
    ----------
    extra : (n,) q_u - 1 of each unit that can cut
    rank : rank of the rows that these read, no more than was asked for; None where it is too expensive to prove
    most_rank : the same, or an upper bound on it
    """

    extra: Ints
    rank: int | None
    most_rank: int

    @classmethod
    def of(cls, layer: Layer, most: int) -> LayerBounds:
        """The bounds of a layer on cells of dimension at most `most`."""
        extra, rows = _cutting(layer)
        rank = rank_up_to(layer.weight[rows], most) if len(rows) else 0
        return cls(extra, rank, min(most, len(rows), layer.n_in) if rank is None else rank)

    @property
    def units(self) -> int:
        """Number of units that can cut."""
        return len(self.extra)

    def by_units(self, dim: int) -> int:
        """B(dim), exactly."""
        return _cells_at_most(tuple(self.extra.tolist()), dim)

    def by_rank(self, dim: int) -> int:
        """B(min(dim, rank)), exactly."""
        return self.by_units(min(dim, self.most_rank))


@lru_cache(maxsize=256)
def _cells_at_most(extra: tuple[int, ...], dim: int) -> int:
    return cells_at_most(np.array(extra, np.int64), dim)


def _cutting(layer: Layer) -> tuple[Ints, Ints]:
    """Pieces but one of the units that can cut, and the rows that these read, each once."""
    units = layer.units
    weight = sp.csr_array(layer.weight, copy=True)
    weight.sum_duplicates()
    weight.eliminate_zeros()
    extra = units.n_pieces - 1
    constant = np.diff(weight.indptr) == 0
    pointwise = units.function_of != MAXIMUM
    extra[pointwise & constant[units.rows[units.indptr[:-1]]]] = 0
    for unit in np.flatnonzero(~pointwise).tolist():
        candidates = units.rows[units.indptr[unit] : units.indptr[unit + 1]].tolist()
        extra[unit] = len({_weights(weight, row) for row in candidates}) - 1
    cuts = np.flatnonzero(extra)
    read = [units.rows[units.indptr[unit] : units.indptr[unit + 1]] for unit in cuts.tolist()]
    return extra[cuts], np.unique(np.concatenate([np.zeros(0, np.int64), *read]))


def _weights(weight: sp.csr_array, row: int) -> tuple[bytes, bytes]:
    """The weights of a row, equal if and only if all are."""
    entries = slice(weight.indptr[row], weight.indptr[row + 1])
    return weight.indices[entries].tobytes(), weight.data[entries].tobytes()
