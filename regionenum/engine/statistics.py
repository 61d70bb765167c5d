"""Counts of cells by layer and rank."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from regionenum.engine.subtree import OpenCell
from regionenum.network.units import Ints


@dataclass
class Statistics:
    """Counts of cells by layer and rank; the sums of two disjoint explorations are the statistics of both.

    Every array has shape (depth + 1, dim + 1). Row 0 is the domain itself, row i + 1 the cells after unit layer i;
    column r holds the cells whose map to that layer's output has rank r. The children of a cell are the cells that the
    next unit layer splits it into; after the last layer all children are 0.

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
    """

    cells: Ints
    children: Ints
    max_children: Ints
    unsplit: Ints

    @classmethod
    def zeros(cls, depth: int, dim: int) -> Statistics:
        """No cells yet."""
        return cls(*(np.zeros((depth + 1, dim + 1), np.int64) for _ in fields(cls)))

    @classmethod
    def at_start(cls, depth: int, dim: int) -> Statistics:
        """Before a whole tree is explored: the domain as a cell, its children not counted.

        Without unit layers the domain is itself the region, and left for the explorer to find.
        """
        statistics = cls.zeros(depth, dim)
        statistics.cells[0, dim] = depth > 0
        return statistics

    def close(self, cell: OpenCell) -> None:
        """Add the children of a cell, all of which have been counted."""
        at = cell.level, cell.rank
        self.children[at] += cell.children
        self.max_children[at] = max(self.max_children[at], cell.children)
        self.unsplit[at] += cell.children == 1

    def add(self, other: Statistics) -> None:
        """Add the cells of another exploration."""
        self.cells += other.cells
        self.children += other.children
        np.maximum(self.max_children, other.max_children, out=self.max_children)
        self.unsplit += other.unsplit
