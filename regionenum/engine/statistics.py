"""Counts of cells by layer and rank."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np

from regionenum.engine.subtree import OpenCell
from regionenum.network.units import Ints

BINS = 64
"""Numbers of children are told apart by powers of two."""

MOST_UNITS = 255
"""Numbers of units are told apart up to this."""


class Shape(NamedTuple):
    """What the sizes of statistics depend on.

    Attributes
    ----------
    depth : number of unit layers
    dim : dimension of the domain
    rank : largest rank after a unit layer
    units : largest number of units that is told apart
    """

    depth: int
    dim: int
    rank: int
    units: int

    @classmethod
    def of(cls, dim: int, n_units: tuple[int, ...]) -> Shape:
        """The shape for a domain of a dimension and layers of so many units."""
        return cls(
            len(n_units), dim, min(dim, *n_units[:1]) if n_units else 0, min(max(n_units, default=0), MOST_UNITS)
        )

    def arrays(self) -> tuple[tuple[int, ...], ...]:
        """The shapes of the arrays of `Statistics`, in order."""
        level, rank = self.depth + 1, self.rank + 1
        by_rank = (level, self.dim + 1)
        return (
            *(by_rank, by_rank, by_rank, by_rank),
            (self.dim + 1,),
            (level, rank, rank),
            (level, rank, BINS),
            (level, rank, self.units + 1),
        )


@lru_cache(maxsize=16)
def _parts(shape: Shape) -> list[tuple[slice, tuple[int, ...]]]:
    """Where each array is among all numbers, and its shape."""
    arrays = shape.arrays()
    ends = [0, *accumulate(map(math.prod, arrays))]
    return [(slice(a, b), array) for (a, b), array in zip(pairwise(ends), arrays, strict=True)]


@dataclass
class Statistics:
    """Counts of cells by layer and rank; the sums of two disjoint explorations are the statistics of both.

    Level 0 is the domain itself, level i + 1 are the cells after unit layer i. In the first four arrays column r holds the
    cells whose map to that layer's output has rank r; in the last three the domain is in column 0. The children of a cell are
    the cells that the next unit layer splits it into; after the last layer all children are 0.

    Attributes
    ----------
    cells : (depth + 1, dim + 1) int64
        Number of cells.
    children : (depth + 1, dim + 1) int64
        Number of children of these cells in all.
    max_children : (depth + 1, dim + 1) int64
        Largest number of children of one cell.
    unsplit : (depth + 1, dim + 1) int64
        Number of cells that have exactly one child.
    output : (dim + 1,) int64
        Number of regions by the rank of the network's own map, after the last affine layer.
    transitions : (depth + 1, rank + 1, rank + 1) int64
        [i, r, s]: cells of level i + 1 with rank s in cells of level i with rank r; at the last level s is the rank of the
        network's own map.
    spread : (depth + 1, rank + 1, 64) int64
        [i, r, j]: cells of level i with rank r that have 2^j up to 2^(j + 1) - 1 children.
    cutting : (depth + 1, rank + 1, units + 1) int64
        [i, r, n]: cells of level i with rank r that n units of the next layer cut: those whose piece is not the same in all
        children. The last column, if it is `MOST_UNITS`, holds all that are cut by more as well.
    """

    cells: Ints
    children: Ints
    max_children: Ints
    unsplit: Ints
    output: Ints
    transitions: Ints
    spread: Ints
    cutting: Ints

    @classmethod
    def zeros(cls, shape: Shape) -> Statistics:
        """No cells yet."""
        return cls.within(shape, np.zeros(cls.size(shape), np.int64))

    @classmethod
    def size(cls, shape: Shape) -> int:
        """How many numbers there are."""
        return sum(math.prod(array) for _, array in _parts(shape))

    @classmethod
    def within(cls, shape: Shape, numbers: Ints) -> Statistics:
        """The arrays as parts of one that holds all numbers, one after the other."""
        return cls(*(numbers[part].reshape(array) for part, array in _parts(shape)))

    @property
    def shape(self) -> Shape:
        """What the sizes depend on."""
        (level, rank, units), dim = self.cutting.shape, len(self.output) - 1
        return Shape(level - 1, dim, rank - 1, units - 1)

    @property
    def numbers(self) -> Ints:
        """All numbers, one after the other."""
        return np.concatenate([getattr(self, f.name).ravel() for f in fields(self)])

    @classmethod
    def at_start(cls, shape: Shape) -> Statistics:
        """Before a whole tree is explored: the domain as a cell, its children not counted.

        Without unit layers the domain is itself the region, and left for the explorer to find.
        """
        statistics = cls.zeros(shape)
        statistics.cells[0, shape.dim] = shape.depth > 0
        return statistics

    def close(self, cell: OpenCell) -> None:
        """Add the children of a cell, all of which have been counted."""
        at = cell.level, cell.rank
        self.children[at] += cell.children
        self.max_children[at] = max(self.max_children[at], cell.children)
        self.unsplit[at] += cell.children == 1
        column = cell.rank if cell.level else 0
        if cell.children:
            self.spread[cell.level, column, cell.children.bit_length() - 1] += 1
            self.cutting[cell.level, column, min(cell.cut_by, self.cutting.shape[2] - 1)] += 1

    def count(self, level: int, before: int, rank: int) -> None:
        """Add a cell of a level with a rank, in a cell of rank `before`; of level depth + 1 a region with its output's rank."""
        if level <= self.shape.depth:
            self.cells[level, rank] += 1
        else:
            self.output[rank] += 1
        if self.shape.depth:
            self.transitions[level - 1, before if level > 1 else 0, rank] += 1

    def add(self, other: Statistics) -> None:
        """Add the cells of another exploration."""
        for f in fields(self):
            mine, theirs = getattr(self, f.name), getattr(other, f.name)
            if f.name == "max_children":
                np.maximum(mine, theirs, out=mine)
            else:
                mine += theirs
