"""Patterns as bytes: the pieces of all units packed with the least number of bits.

Unit u with n pieces takes ceil(log2 n) bits, the most significant first; units follow in layer order and the last byte
is filled with zeros. A ReLU takes one bit, the maximum of four rows two, a unit with one piece none.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from regionenum.errors import InputError
from regionenum.network.layers import Network
from regionenum.network.units import Ints

Pieces = npt.NDArray[np.uint16]
Bytes = npt.NDArray[np.uint8]

_CHUNK_BITS = 1 << 22
"""Bits unpacked at a time: bounds the memory beside input and output to some 30 MiB, however wide the network."""


@dataclass(frozen=True, eq=False)
class Packing:
    """How the pieces of a network's units are laid out in bytes.

    Attributes
    ----------
    n_pieces : (n_units,) number of pieces of each unit of all unit layers, in layer order
    """

    n_pieces: Ints

    @classmethod
    def of(cls, network: Network) -> Packing:
        """The layout of a network's patterns."""
        return cls(np.concatenate([np.zeros(0, np.int64), *(layer.units.n_pieces for layer in network.unit_layers)]))

    @property
    def text(self) -> str:
        """The numbers of pieces, runs of equal ones together: "2x40,4x9" are 40 ReLUs and nine maxima of four."""
        starts = np.flatnonzero(np.diff(self.n_pieces, prepend=-1))
        lengths = np.diff(np.append(starts, len(self.n_pieces)))
        return ",".join(f"{self.n_pieces[at]}x{n}" for at, n in zip(starts, lengths, strict=True))

    @classmethod
    def from_text(cls, text: str) -> Packing:
        """The inverse of `text`."""
        runs = [tuple(map(int, run.split("x"))) for run in text.split(",") if run]
        return cls(np.repeat(*np.array(runs, np.int64).reshape(-1, 2).T))

    def __post_init__(self) -> None:
        if len(self.n_pieces) and self.n_pieces.max() > 1 << 16:
            raise InputError(
                f"a unit has {self.n_pieces.max()} pieces, but patterns hold at most {1 << 16}; split its group in two"
            )

    @cached_property
    def bits(self) -> Ints:
        """(n_units,) bits of each unit: the least b with 2^b >= n_pieces."""
        exact = np.arange(17)
        return np.searchsorted(1 << exact, self.n_pieces).astype(np.int64)

    @cached_property
    def ends(self) -> Ints:
        """(n_units,) the bit behind the last one of each unit."""
        return np.cumsum(self.bits)

    @cached_property
    def n_bytes(self) -> int:
        """Bytes of one pattern; at least one."""
        return max(1, (int(self.bits.sum()) + 7) // 8)

    @cached_property
    def _planes(self) -> list[tuple[int, Ints, Ints]]:
        """(shift, units, positions): where bit `shift` of the pieces of these units is stored."""
        ends = self.ends
        planes = []
        for shift in range(int(self.bits.max(initial=0))):
            units = np.flatnonzero(self.bits > shift)
            planes.append((shift, units, ends[units] - 1 - shift))
        return planes

    def pack(self, pieces: npt.NDArray[np.integer]) -> Bytes:
        """Bytes (n, n_bytes) of the pieces (n, n_units).

        Raises
        ------
        ValueError
            If the shape does not fit, or a piece is not below its unit's number of pieces.
        """
        if pieces.ndim != 2 or pieces.shape[1] != len(self.n_pieces):
            raise ValueError(f"pieces have shape {pieces.shape}, expected (n, {len(self.n_pieces)})")
        packed = np.zeros((len(pieces), self.n_bytes), np.uint8)
        for rows in self._chunks(len(pieces)):
            chunk = pieces[rows]
            if np.any(chunk < 0) or np.any(chunk >= self.n_pieces):
                raise ValueError("a piece is outside its unit's number of pieces")
            bits = np.zeros((len(chunk), 8 * self.n_bytes), np.uint8)
            for shift, units, positions in self._planes:
                bits[:, positions] = (chunk[:, units] >> shift) & 1
            packed[rows] = np.packbits(bits, axis=1)
        return packed

    def unpack(self, packed: Bytes) -> Pieces:
        """Pieces (n, n_units) of the bytes (n, n_bytes); the inverse of `pack`."""
        if packed.ndim != 2 or packed.shape[1] != self.n_bytes:
            raise ValueError(f"packed patterns have shape {packed.shape}, expected (n, {self.n_bytes})")
        pieces = np.zeros((len(packed), len(self.n_pieces)), np.uint16)
        for rows in self._chunks(len(packed)):
            bits = np.unpackbits(packed[rows], axis=1)
            for shift, units, positions in self._planes:
                pieces[rows, units] |= bits[:, positions].astype(np.uint16) << np.uint16(shift)
        return pieces

    def _chunks(self, n: int) -> list[slice]:
        size = max(1, _CHUNK_BITS // (8 * self.n_bytes + len(self.n_pieces)))
        return [slice(start, start + size) for start in range(0, n, size)]
