"""Which cell lies in which, layer by layer, from recorded rows.

With `record="tree"` every cell names its parent. With `record="regions"` cells are the prefixes of the regions' patterns: two
regions lie in one cell after a layer if and only if all pieces up to there agree. Packed patterns (`results/patterns.py`) hold
the pieces in layer order, so sorted as bytes they stand cell by cell, and the first bit in which neighbours differ says at
which layer they part. Nothing is unpacked, and no step works cell by cell in Python. Memory is that of the packed patterns and
the ranks, a few times over, not of the witnesses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from regionenum.choices import Record
from regionenum.engine.interface import Problem
from regionenum.errors import InputError
from regionenum.network.units import Ints
from regionenum.results.findings import Findings
from regionenum.results.patterns import Bytes, Packing
from regionenum.results.schema import fixed_array

_LEADING_ZEROS = np.array([8 - int(byte).bit_length() for byte in range(256)], np.int64)
"""Number of zero bits before the first one, of each byte."""


@dataclass(frozen=True)
class Ancestry:
    """Cells by level: level 0 is the domain, level k + 1 are the cells after unit layer k, the last level are the regions.

    Attributes
    ----------
    ranks : one (n_k,) array for each level: the dimension of each cell
    parents : one (n_k,) array for each level: the position of each cell's parent in the level before; of level 0 all are 0
    numbers : one (n_k,) array for each level: the recorded numbers of cells (-1: the domain); empty if they have none
    output_ranks : (n,) of each region, the dimension of the network's own map
    """

    ranks: tuple[Ints, ...]
    parents: tuple[Ints, ...]
    numbers: tuple[Ints, ...]
    output_ranks: Ints

    @classmethod
    def of(cls, found: Findings) -> Ancestry:
        """The ancestry of all recorded cells; of an incomplete run, of those found so far.

        Raises
        ------
        InputError
            If a part cannot be read, or the rows contradict each other.
        """
        problem = found.subject.problem
        if not problem.depth:
            outputs = np.concatenate([np.zeros(0, np.int64), *(_outputs(table) for table in found.rows.tables())])
            whole = np.full(len(outputs), problem.dim)
            numbers = (np.full_like(whole, -1),) if found.subject.record is Record.TREE else ()
            return cls((whole,), (np.zeros_like(whole),), numbers, outputs)
        return _of_tree(found, problem) if found.subject.record is Record.TREE else _of_regions(found, problem)

    @property
    def depth(self) -> int:
        """Number of unit layers."""
        return len(self.ranks) - 1

    @property
    def n_regions(self) -> int:
        """Number of regions of the whole network."""
        return len(self.ranks[-1])

    @cached_property
    def children(self) -> tuple[Ints, ...]:
        """(n_k,) number of children of each cell, for each level but the last."""
        levels = zip(self.ranks, self.parents[1:], strict=False)
        return tuple(np.bincount(parents, minlength=len(ranks)) for ranks, parents in levels)

    @cached_property
    def final_regions(self) -> tuple[Ints, ...]:
        """(n_k,) number of regions of the whole network in each cell, for each level."""
        found = [np.ones(self.n_regions, np.int64)]
        for ranks, parents in zip(self.ranks[-2::-1], self.parents[:0:-1], strict=True):
            # sums of weights are made in float64, and exact up to 2^53
            found.append(np.bincount(parents, found[-1], len(ranks)).astype(np.int64))
        return tuple(found[::-1])

    @cached_property
    def last_split(self) -> Ints:
        """(n,) for each region, the last layer at which its cell has siblings; -1 if there is none."""
        found = np.full(len(self.ranks[0]), -1)
        for k, (parents, children) in enumerate(zip(self.parents[1:], self.children, strict=True)):
            found = np.where(children[parents] > 1, k, found[parents])
        return found


def _of_tree(found: Findings, problem: Problem) -> Ancestry:
    columns = [_tree_columns(table) for table in found.rows.tables()]
    empty = np.zeros(0, np.int64)
    layer, cell, parent, rank, output = (np.concatenate([empty, *parts]) for parts in _transposed(columns, 5))
    ranks, parents, numbers = [np.array([problem.dim])], [np.zeros(1, np.int64)], [np.array([-1])]
    for k in range(problem.depth):
        rows = np.flatnonzero(layer == k)
        at = _positions(numbers[-1], parent[rows])
        strays = np.flatnonzero(at < 0)
        if len(strays):
            raise InputError(
                f"cell {cell[rows[strays[0]]]} of layer {k} lies in cell {parent[rows[strays[0]]]} of the layer before, which "
                "was not recorded; restore the parts of the run from a copy"
            )
        ranks.append(rank[rows])
        parents.append(at)
        numbers.append(cell[rows])
        outputs = output[rows]
    return Ancestry(tuple(ranks), tuple(parents), tuple(numbers), outputs)


def _positions(numbers: Ints, wanted: Ints) -> Ints:
    """Where each of the wanted numbers is among some, -1 if it is not."""
    if not len(numbers):
        return np.full(len(wanted), -1)
    order = np.argsort(numbers, kind="stable")
    at = order[np.minimum(np.searchsorted(numbers, wanted, sorter=order), len(order) - 1)]
    return np.where(numbers[at] == wanted, at, -1)


def _tree_columns(table: pa.Table) -> tuple[Ints, ...]:
    """layer, cell, parent, rank after that layer, rank of the output."""
    layer, cell, parent = (np.asarray(table.column(name).to_numpy(), np.int64) for name in ("layer", "cell", "parent"))
    ranks = fixed_array(table.column("ranks"))
    return layer, cell, parent, ranks[np.arange(len(ranks)), layer].astype(np.int64), _outputs(table)


def _of_regions(found: Findings, problem: Problem) -> Ancestry:
    packing, empty = Packing.of(problem.network), np.zeros(0, np.int64)
    columns = [
        (fixed_array(table.column("pattern")), fixed_array(table.column("ranks")), _outputs(table))
        for table in found.rows.tables()
    ]
    patterns, all_ranks, outputs = _transposed(columns, 3)
    packed = np.concatenate([np.zeros((0, packing.n_bytes), np.uint8), *patterns])
    order = _sorted(packed)
    parted = _parted_at(packed[order], packing, problem)
    del packed, patterns
    ranks_of = np.concatenate([np.zeros((0, problem.depth), np.uint16), *all_ranks])[order]
    output = np.concatenate([empty, *outputs])[order]
    ranks, parents = [np.array([problem.dim])], [np.zeros(1, np.int64)]
    for level in range(1, problem.depth + 1):
        first = np.flatnonzero(parted <= level)
        above = np.cumsum(parted < level) - 1
        ranks.append(ranks_of[first, level - 1].astype(np.int64))
        parents.append(above[first])
    return Ancestry(tuple(ranks), tuple(parents), (), output)


def _sorted(packed: Bytes) -> Ints:
    """The order of rows of bytes, compared from the first byte on."""
    n, width = packed.shape
    words = np.zeros((n, -(-width // 8) * 8), np.uint8)
    words[:, :width] = packed
    return np.lexsort(words.view(">u8").astype(np.uint64).T[::-1]).astype(np.int64)


def _parted_at(packed: Bytes, packing: Packing, problem: Problem) -> Ints:
    """(n,) the first level at which each of the sorted patterns is in another cell than the one before; 0 for the first.

    Raises
    ------
    InputError
        If a pattern is there twice.
    """
    parted = np.zeros(len(packed), np.int64)
    if len(packed) < 2:
        return parted
    differ = packed[1:] ^ packed[:-1]
    byte = (differ != 0).argmax(axis=1)
    value = differ[np.arange(len(differ)), byte]
    if not value.all():
        raise InputError("two recorded regions have one pattern; restore the parts of the run from a copy")
    bit = 8 * byte + _LEADING_ZEROS[value]
    bits, ends = np.concatenate([[0], np.cumsum(packing.bits)]), np.cumsum(problem.n_units)
    parted[1:] = np.searchsorted(bits[ends], bit, side="right") + 1
    return parted


def _outputs(table: pa.Table) -> Ints:
    return np.asarray(table.column("output_rank").to_numpy(), np.int64)


def _transposed(rows: Sequence[tuple[Any, ...]], width: int) -> Iterator[tuple[Any, ...]]:
    """The columns of a list of rows, also if there are none."""
    return iter(zip(*rows, strict=True)) if rows else iter([()] * width)
