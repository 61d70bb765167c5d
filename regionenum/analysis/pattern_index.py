"""Recorded patterns in order: which region has a pattern, and which regions begin with one."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from regionenum.network.units import Ints
from regionenum.results.patterns import Bytes, Packing


@dataclass(frozen=True, eq=False)
class PatternIndex:
    """Patterns, all different, as packed bytes.

    Packing puts units in layer order and the most significant bit first, so that patterns in the order of their bytes are in
    the order of their pieces, unit by unit: those that begin alike stand together.

    Attributes
    ----------
    packed : (n, n_bytes)
    packing : Packing
    """

    packed: Bytes
    packing: Packing

    @cached_property
    def order(self) -> Ints:
        """The regions in the order of their patterns."""
        return np.argsort(_strings(self.packed), kind="stable")

    @cached_property
    def _sorted(self) -> np.ndarray:
        return _strings(self.packed)[self.order]

    def find(self, packed: Bytes) -> Ints:
        """(m,) the region of each of these patterns (m, n_bytes), -1 if there is none."""
        if not len(self.packed):
            return np.full(len(packed), -1)
        wanted = _strings(packed)
        at = np.minimum(np.searchsorted(self._sorted, wanted), len(self.packed) - 1)
        return np.where(self._sorted[at] == wanted, self.order[at], -1)

    def narrowed(self, within: range, unit: int, pieces: list[int]) -> list[tuple[int, range]]:
        """Of patterns that stand together and agree on all units before one: those with each of some pieces of it.

        Parameters
        ----------
        within : places in `order`
        unit : its number among all units
        pieces : in ascending order

        Returns
        -------
        Each piece that occurs, and the places of the patterns that have it.
        """
        bits, end = int(self.packing.bits[unit]), int(self.packing.ends[unit])

        def piece_at(place: int) -> int:
            return self._piece(place, bits, end)

        found = []
        for piece in pieces:
            low = bisect_left(within, piece, key=piece_at)
            high = bisect_right(within, piece, lo=low, key=piece_at)
            if low < high:
                found.append((piece, within[low:high]))
        return found

    def _piece(self, place: int, bits: int, end: int) -> int:
        first, last = (end - bits) // 8, (end + 7) // 8
        row = self.packed[self.order[place], first:last]
        number = int.from_bytes(row.tobytes(), "big") >> (8 * last - end)
        return number & ((1 << bits) - 1)


def _strings(packed: Bytes) -> np.ndarray:
    """Each row as one string of bytes: rows are equally long, so that zeros at the end do not matter."""
    return np.ascontiguousarray(packed).view(f"S{packed.shape[1]}").ravel()
