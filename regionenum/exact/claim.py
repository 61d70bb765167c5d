"""What a run claims, as plain arrays: the patterns, ranks and witnesses of its regions, and its counts.

The checker (`checker.py`) is given this, the network and the domain, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from regionenum.network.layers import Network
from regionenum.network.units import Floats, Ints

Numbers = npt.NDArray[Any]


class RefutedError(Exception):
    """A claim that is wrong, or that cannot be shown to be right; the text names the place."""


@dataclass(frozen=True)
class Rows:
    """Recorded cells.

    Attributes
    ----------
    pieces : (n, sum of n_units) pieces of all units of the layers so far
    ranks : (n, depth)
    output_rank : (n,) of the network's own map, on regions
    witness : (n, n_in), NaN where there is none
    """

    pieces: Numbers
    ranks: Numbers
    output_rank: Numbers
    witness: Floats

    def __len__(self) -> int:
        return len(self.pieces)


@dataclass(frozen=True)
class TreeRows:
    """The cells of all unit layers, regions included, where the tree was recorded.

    Attributes
    ----------
    layer, cell, parent : (n,)
    rows : the cells
    """

    layer: Numbers
    cell: Ints
    parent: Ints
    rows: Rows


@dataclass(frozen=True)
class Claim:
    """What a run claims of a network over a domain.

    Attributes
    ----------
    regions : one row each
    statistics : name -> counts, see `counted`; empty if nothing is said
    tree : the cells of all layers, where they were recorded
    """

    network: Network
    regions: Rows
    statistics: Mapping[str, Ints]
    tree: TreeRows | None = None

    @cached_property
    def unit_at(self) -> list[int]:
        """Number of units of the layers before each unit layer, and of all."""
        return [0, *np.cumsum([layer.n_out for layer in self.network.unit_layers]).tolist()]

    @cached_property
    def _order(self) -> Ints:
        """The regions in the order of their patterns."""
        pieces = self.regions.pieces
        if not pieces.shape[1]:
            return np.arange(len(pieces))
        return np.lexsort(pieces.T[::-1]).astype(np.int64)

    @cached_property
    def fresh(self) -> npt.NDArray[np.bool_]:
        """(depth + 1, n) for each region, in the order of patterns, whether it is the first one of its cell after each layer.

        Row 0 is about the domain, row k + 1 about the cells after unit layer k.
        """
        pieces = self.regions.pieces[self._order]
        found = np.zeros((len(self.unit_at), len(pieces)), np.bool_)
        found[:, :1] = True
        for k, (first, last) in enumerate(zip(self.unit_at, self.unit_at[1:], strict=False)):
            found[k + 1] = found[k]
            found[k + 1, 1:] |= (pieces[1:, first:last] != pieces[:-1, first:last]).any(axis=1)
        return found

    def check_patterns(self) -> None:
        """Refute patterns that are no patterns of the network, or not distinct.

        Raises
        ------
        RefutedError
        """
        n_pieces = np.concatenate([np.zeros(0, np.int64), *(u.units.n_pieces for u in self.network.unit_layers)])
        wrong = np.argwhere(self.regions.pieces >= n_pieces)
        if len(wrong):
            i, u = wrong[0].tolist()
            raise RefutedError(
                f"region {i}: {self.unit(u)} has {n_pieces[u]} pieces, and none is {self.regions.pieces[i, u]}"
            )
        again = np.flatnonzero(~self.fresh[-1])
        if len(again):
            i, j = sorted(self._order[again[0] - 1 : again[0] + 1].tolist())
            raise RefutedError(f"regions {i} and {j} have one pattern: a region is there twice")

    def check_statistics(self, dim: int) -> None:
        """Refute statistics that are not those of the patterns and ranks of the regions.

        Raises
        ------
        RefutedError
        """
        found = self.counted(dim)
        names = ["input", *(layer.name for layer in self.network.unit_layers)]
        for name, claimed in self.statistics.items():
            wrong = np.argwhere(found[name] != claimed)
            if len(wrong):
                at = tuple(wrong[0].tolist())
                where = f"of layer `{names[at[0]]}`, dimension {at[1]}" if len(at) > 1 else f"of dimension {at[0]}"
                more = f", entry {at[2]}" if len(at) > 2 else ""
                raise RefutedError(
                    f"statistic `{name}` {where}{more}, is {claimed[at]}, but the regions say {found[name][at]}"
                )

    def counted(self, dim: int) -> dict[str, Ints]:
        """As of patterns and ranks, what `engine/statistics.py` describes.

        By layer and rank: cells, children, max_children, unsplit. Regions by the rank of the output. By layer and rank again:
        the cells of each rank in these (of the last layer: outputs), cells by powers of two of their children, cells by the
        number of units that cut them; of these three the domain is in column 0.
        """
        depth, widths = len(self.unit_at) - 1, np.diff(self.unit_at)
        most_rank = min(dim, *widths[:1]) if depth else 0
        most_units = min(widths.max(initial=0), MOST_UNITS)
        found = {name: np.zeros((depth + 1, dim + 1), np.int64) for name in STATISTICS}
        found["output"] = np.bincount(self.regions.output_rank, minlength=dim + 1)
        for name, size in (("transitions", most_rank + 1), ("spread", BINS), ("cutting", most_units + 1)):
            found[name] = np.zeros((depth + 1, most_rank + 1, size), np.int64)
        ranks = self.regions.ranks[self._order].astype(np.int64)
        pieces, outputs = self.regions.pieces[self._order], self.regions.output_rank[self._order]
        for k in range(depth + 1):
            first = np.flatnonzero(self.fresh[k])
            rank = ranks[first, k - 1] if k else np.full(len(first), dim)
            np.add.at(found["cells"][k], rank, 1)
            if k < depth:
                number = np.cumsum(self.fresh[k]) - 1
                children = np.bincount(number[self.fresh[k + 1]], minlength=len(first))
                np.add.at(found["children"][k], rank, children)
                np.maximum.at(found["max_children"][k], rank, children)
                np.add.at(found["unsplit"][k], rank, children == 1)
                column = rank if k else np.zeros_like(rank)
                np.add.at(found["transitions"][k], (column[number[self.fresh[k + 1]]], ranks[self.fresh[k + 1], k]), 1)
                np.add.at(found["spread"][k], (column, np.frexp(children)[1] - 1), 1)
                layer = pieces[:, self.unit_at[k] : self.unit_at[k + 1]]
                cut_by = (np.minimum.reduceat(layer, first) != np.maximum.reduceat(layer, first)).sum(axis=1)
                np.add.at(found["cutting"][k], (column, np.minimum(cut_by, most_units)), 1)
            elif depth:
                np.add.at(found["transitions"][k], (rank, outputs[first]), 1)
        return found

    def check_tree(self) -> None:
        """Refute cells of a recorded tree that are not those that the regions lie in, each once and in its parent.

        Raises
        ------
        RefutedError
        """
        if self.tree is None or not len(self.unit_at[1:]):
            return
        tree, pieces = self.tree, self.tree.rows.pieces
        parents: dict[int, bytes] = {-1: b""}
        for k, last in enumerate(self.unit_at[1:]):
            expected = {row.tobytes() for row in self.regions.pieces[self._order[self.fresh[k + 1]], :last]}
            rows = np.flatnonzero(tree.layer == k)
            named: dict[int, bytes] = {}
            for i in rows.tolist():
                cell, parent = int(tree.cell[i]), int(tree.parent[i])
                prefix = pieces[i, :last].tobytes()
                if cell in named:
                    raise RefutedError(f"row {i} of the tree: another cell of that layer has the number {cell} too")
                if prefix not in expected:
                    raise RefutedError(f"row {i} of the tree is no cell that a region lies in, or there twice")
                expected.discard(prefix)
                if parents.get(parent) != pieces[i, : self.unit_at[k]].tobytes():
                    raise RefutedError(f"row {i} of the tree: its parent {parent} is not the cell that it lies in")
                if pieces[i, last:].any() or tree.rows.ranks[i, k + 1 :].any():
                    raise RefutedError(f"row {i} of the tree: its pattern goes beyond its layer")
                named[cell] = prefix
            if expected:
                raise RefutedError(
                    f"the tree misses {len(expected)} cells of layer `{self.network.unit_layers[k].name}`"
                )
            parents = named
        if (tree.layer < 0).any() or (tree.layer >= len(self.unit_at) - 1).any():
            raise RefutedError("the tree has cells of layers that the network does not have")

    @cached_property
    def inner(self) -> list[dict[bytes, int]]:
        """Rows of the tree by pattern, for each unit layer."""
        found: list[dict[bytes, int]] = [{} for _ in self.unit_at[1:]]
        if self.tree is not None:
            for i, k in enumerate(self.tree.layer.tolist()):
                if 0 <= k < len(found):
                    found[k][self.tree.rows.pieces[i, : self.unit_at[k + 1]].tobytes()] = i
        return found

    def unit(self, number: int) -> str:
        """A unit by its number among all units, in words."""
        k = int(np.searchsorted(self.unit_at, number, side="right")) - 1
        return self.unit_of(k, number - self.unit_at[k])

    def unit_of(self, layer: int, unit: int) -> str:
        """A unit by its layer and its number there, in words."""
        return f"unit {unit} of layer `{self.network.unit_layers[layer].name}`"


STATISTICS = ("cells", "children", "max_children", "unsplit")
BINS = 64
MOST_UNITS = 255
