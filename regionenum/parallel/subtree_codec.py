"""Subtrees as bytes: how they travel, how the driver holds them, and how a journal keeps them.

The driver never looks into a subtree. It needs to know only in which cell it lies, to see when that cell's children are
all counted, and roughly how large it is. So workers encode the subtrees that they give back and decode those they are
given, and the driver's work for each is a few microseconds.
"""

from __future__ import annotations

import msgspec
import numpy as np

from regionenum.engine.interface import Subtree


class EncodedSubtree(msgspec.Struct, array_like=True, frozen=True):
    """A subtree as the driver holds it.

    Attributes
    ----------
    cell : bytes
        Name of its cell (`Subtree.cell`).
    content : bytes
        What `decode_subtree` reads.
    halvings : int
        A guess of its size: it is about 2^-halvings of the tree. The root has 0; of what is left of a subtree with h, in
        the order of a stack, the k-th from the bottom (k = 0, 1, ..) has h + 1 + k.
    """

    cell: bytes
    content: bytes
    halvings: int

    @property
    def weight(self) -> float:
        """2^-halvings."""
        return float(2.0**-self.halvings)


class _Content(msgspec.Struct, array_like=True, frozen=True):
    layer: int
    sides: bytes
    winners: bytes
    n_before: tuple[int, int]
    witness: bytes
    parent: int


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Content).decode


def encode_subtree(subtree: Subtree, halvings: int = 0) -> EncodedSubtree:
    """A subtree as bytes, little-endian throughout; `halvings` as in `EncodedSubtree`."""
    content = _Content(
        subtree.layer,
        subtree.sides.astype("<i1").tobytes(),
        subtree.winners.astype("<i2").tobytes(),
        subtree.n_before,
        subtree.witness.astype("<f8").tobytes(),
        subtree.parent,
    )
    return EncodedSubtree(subtree.cell, _encode(content), halvings)


def decode_subtree(encoded: EncodedSubtree) -> Subtree:
    """The inverse of `encode_subtree`."""
    content = _decode(encoded.content)
    return Subtree(
        content.layer,
        np.frombuffer(content.sides, "<i1").astype(np.int8),
        np.frombuffer(content.winners, "<i2").astype(np.int16),
        content.n_before,
        np.frombuffer(content.witness, "<f8").astype(np.float64),
        content.parent,
    )
