"""Parts of the tree: subtrees that anybody can go on with, and cells whose children are in several of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

from regionenum.network.units import Floats


@dataclass(frozen=True)
class Subtree:
    """A cell whose splitting is unfinished: what was decided, from which the cell can be rebuilt alone.

    Decisions are those of `engine/tables.py`: sides of cuts (0 negative, 1 positive) and winners of maxima (positions
    in their groups), -1 where open. The layers before `layer` are decided throughout, `layer` in part, later ones are
    absent.

    Attributes
    ----------
    layer : int
        Unit layer that splits the cell.
    sides : (cuts of layers 0 .. layer, without the domain's constraints,) int8
    winners : (units of layers 0 .. layer,) int16
    n_before : (int, int)
        Number of entries of `sides` and of `winners` that belong to the layers before.
    witness : (dim,) float64
        A point strictly inside, in coordinates of the engine's own; empty for the whole domain.
    parent : int
        Number of the cell of the layer before, -1 for the domain.
    """

    layer: int
    sides: npt.NDArray[np.int8]
    winners: npt.NDArray[np.int16]
    n_before: tuple[int, int]
    witness: Floats
    parent: int

    @classmethod
    def undivided(cls) -> Subtree:
        """The whole tree of an engine that cannot split it: it names no decisions."""
        return cls(0, np.zeros(0, np.int8), np.zeros(0, np.int16), (0, 0), np.zeros(0), -1)

    def is_same(self, other: Subtree) -> bool:
        """Whether another subtree is this one: the same decisions, and the same witness."""
        mine, theirs = (
            (s.layer, s.n_before, s.parent, s.sides.tobytes(), s.winners.tobytes(), s.witness.tobytes())
            for s in (self, other)
        )
        return mine == theirs

    @property
    def cell(self) -> bytes:
        """Name of the cell of the layer before that this subtree lies in: a digest of the decisions that made it."""
        return cell_name(self.layer, self.sides[: self.n_before[0]], self.winners[: self.n_before[1]])


def cell_name(layer: int, sides: npt.NDArray[np.int8], winners: npt.NDArray[np.int16]) -> bytes:
    """Name of a cell of the layer before `layer`, from all decisions of the layers before."""
    text = layer.to_bytes(4, "little") + sides.tobytes() + winners.tobytes()
    return hashlib.blake2b(text, digest_size=16).digest()


class OpenCell(msgspec.Struct, array_like=True, frozen=True):
    """A cell of which some children were counted, and others may be: its subtrees are unfinished or elsewhere.

    Attributes
    ----------
    name : bytes
        See `Subtree.cell`.
    level : int
        Row of the statistics it belongs to: 0 the domain, i + 1 the cells after layer i.
    rank : int
    children : int
        Children counted.
    seen : bytes
        (units of the next layer,) int32: the piece that a unit has in all these children, or SEVERAL. Empty without children.
    """

    name: bytes
    level: int
    rank: int
    children: int
    seen: bytes = b""

    @property
    def cut_by(self) -> int:
        """Number of units of the next layer that cut the cell, if these are all children."""
        return int(np.count_nonzero(np.frombuffer(self.seen, np.int32) == SEVERAL))

    def joined(self, other: OpenCell) -> OpenCell:
        """The same cell with the children that were counted elsewhere too."""
        seen = self.seen or other.seen
        if self.seen and other.seen:
            mine, theirs = (np.frombuffer(cell.seen, np.int32) for cell in (self, other))
            seen = np.where(mine == theirs, mine, np.int32(SEVERAL)).tobytes()
        return OpenCell(self.name, self.level, self.rank, self.children + other.children, seen)


SEVERAL = -2
"""Instead of a piece: not the same in all children."""


@dataclass(frozen=True)
class Rest:
    """What an exploration leaves.

    Attributes
    ----------
    subtrees : list of Subtree
        Still to be explored, in the order of a stack: the first is the largest, by a guess.
    open_cells : list of OpenCell
        The cells whose children are not all counted.
    """

    subtrees: list[Subtree]
    open_cells: list[OpenCell]
