"""Subtrees as the driver holds them: sealed.

The driver never looks into a subtree. It needs to know only in which cell it lies, to see when that cell's children are
all counted, and roughly how large it is. So workers seal the subtrees that they give back and open those they are
given, and the driver's work for each is a few microseconds.
"""

from __future__ import annotations

import msgspec
import numpy as np

from regionenum.engine.interface import Subtree


class Parcel(msgspec.Struct, array_like=True, frozen=True):
    """A sealed subtree.

    Attributes
    ----------
    cell : name of its cell (`Subtree.cell`)
    content : what `unseal` opens
    depth : a guess: the subtree is about 2^-depth of the tree. The root has depth 0; of what is left of a subtree
        of depth d, in the order of a stack, the k-th from the bottom (k = 0, 1, ..) has depth d + 1 + k
    """

    cell: bytes
    content: bytes
    depth: int

    @property
    def weight(self) -> float:
        """2^-depth."""
        return float(2.0**-self.depth)


class _Content(msgspec.Struct, array_like=True, frozen=True):
    layer: int
    sides: bytes
    winners: bytes
    n_before: tuple[int, int]
    witness: bytes
    parent: int


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Content).decode


def seal(subtree: Subtree, depth: int = 0) -> Parcel:
    """Seal a subtree; little-endian throughout."""
    content = _Content(
        subtree.layer,
        subtree.sides.astype("<i1").tobytes(),
        subtree.winners.astype("<i2").tobytes(),
        subtree.n_before,
        subtree.witness.astype("<f8").tobytes(),
        subtree.parent,
    )
    return Parcel(subtree.cell, _encode(content), depth)


def unseal(parcel: Parcel) -> Subtree:
    """The subtree in a parcel."""
    content = _decode(parcel.content)
    return Subtree(
        content.layer,
        np.frombuffer(content.sides, "<i1").astype(np.int8),
        np.frombuffer(content.winners, "<i2").astype(np.int16),
        content.n_before,
        np.frombuffer(content.witness, "<f8").astype(np.float64),
        content.parent,
    )
