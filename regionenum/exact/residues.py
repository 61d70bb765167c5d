"""Residues of float64 numbers and matrices modulo primes.

Every float64 is a dyadic rational m 2^e and therefore has a residue modulo every odd prime. Residues are computed without
any rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from flint import fmpz

from regionenum.network.units import Floats, Ints

PRIMES = (2147483629, 2147483587)
"""Two primes just below 2^31 for which 2 is a primitive root, so that no two powers of two that occur in float64 are
confused. (2^31 - 1 is unfit: there 2^31 = 1, and a map and its multiple by 2^31 would be one.)"""

_SMALLEST_EXPONENT = -1200
"""Below the exponent of the last bit of every float64, which is at least -1126 as written by `frexp`."""


def primes() -> Iterator[int]:
    """The primes below 2^31 from `PRIMES[0]` down."""
    for n in range(PRIMES[0], 3, -2):
        if fmpz(n).is_prime():
            yield n


def residues(x: npt.ArrayLike, prime: int) -> Ints:
    """Residues in [0, prime) of finite float64 numbers read as dyadic rationals.

    Parameters
    ----------
    x : finite numbers of any shape, subnormal ones included
    prime : an odd prime below 2^31
    """
    fraction, exponent = np.frexp(np.asarray(x, np.float64))
    mantissa = np.ldexp(fraction, 53).astype(np.int64)
    return np.asarray(mantissa % prime * _powers_of_two(prime)[exponent - 53 - _SMALLEST_EXPONENT] % prime)


@lru_cache
def _powers_of_two(prime: int) -> Ints:
    powers = np.array([pow(2, k, prime) for k in range(_SMALLEST_EXPONENT, 1024)], np.int64)
    powers.setflags(write=False)
    return powers


@dataclass(frozen=True)
class ModularMatrix:
    """A matrix W modulo p, in 16-bit limbs W = low + 2^16 high and in blocks of columns.

    A block is so narrow that products of a limb (16 bits) and a residue (31 bits) sum up exactly: 2^6 of them in the 53
    bits of float64 (which is what a fast dense product needs), 2^16 in the 63 bits of int64 (used for CSR).
    """

    prime: int
    blocks: tuple[tuple[slice, Floats | sp.csr_array, Floats | sp.csr_array], ...]
    n_rows: int

    @classmethod
    def modulo(cls, prime: int, weight: Floats | sp.csr_array) -> ModularMatrix:
        n_rows, n_in = weight.shape
        width = 1 << (16 if isinstance(weight, sp.csr_array) else 6)
        blocks = []
        for start in range(0, n_in, width):
            columns = slice(start, min(start + width, n_in))
            block = weight[:, columns]
            values = residues(block.data if isinstance(block, sp.csr_array) else block, prime)
            blocks.append((columns, _like(block, values & 0xFFFF), _like(block, values >> 16)))
        return cls(prime, tuple(blocks), n_rows)

    def __call__(self, v: Ints) -> Ints:
        """The products W v modulo p of the residue vectors v (..., n_in)."""
        flat = v.reshape(-1, v.shape[-1])
        total = np.zeros((len(flat), self.n_rows), np.int64)
        for columns, low, high in self.blocks:
            part = flat[:, columns]
            high_part = self._product(part, high) % self.prime
            total += (self._product(part, low) + (high_part << 16)) % self.prime
        return (total % self.prime).reshape(*v.shape[:-1], self.n_rows)

    @staticmethod
    def _product(v: Ints, limb: Floats | sp.csr_array) -> Ints:
        if isinstance(limb, sp.csr_array):
            return np.asarray((limb @ np.ascontiguousarray(v.T)).T)
        return (v.astype(np.float64) @ limb).astype(np.int64)


def _like(block: Floats | sp.csr_array, limb: Ints) -> Floats | sp.csr_array:
    """A limb in the form in which `ModularMatrix` multiplies: int64 CSR, or the float64 transpose."""
    if isinstance(block, sp.csr_array):
        return sp.csr_array((limb, block.indices, block.indptr), shape=block.shape)
    return np.ascontiguousarray(limb.T, np.float64)
