"""Arrays of float64 as integers times one power of two.

A finite float64 is m 2^e with an integer m, so that an array of them is an array of integers times 2^e for the smallest such e.
Sums and products of arrays are then sums and products of integers: nothing is rounded, nothing overflows, and subnormal
numbers are like all others. Only the sizes of the integers follow the range of the exponents: 2,100 bits at worst.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from flint import fmpz, fmpz_mat

from regionenum.network.units import Floats

Integer = Any
"""An `fmpz` of python-flint, or an int."""

Row = list[Integer]
"""The coefficients of a linear form: those of the coordinates, then that of the number 1."""


class Dyadic(NamedTuple):
    """The matrix `matrix` 2^exponent."""

    matrix: fmpz_mat
    exponent: int

    def __matmul__(self, other: Dyadic) -> Dyadic:
        return Dyadic(self.matrix * other.matrix, self.exponent + other.exponent)

    def over(self, exponent: int) -> fmpz_mat:
        """The integers of the same matrix over a smaller exponent, or the same."""
        return self.matrix if exponent == self.exponent else self.matrix * fmpz(1 << (self.exponent - exponent))


def integers(x: npt.ArrayLike) -> tuple[list[int], int]:
    """Integers n and an exponent e with x = n 2^e, entry by entry in C order; e is the largest, and 0 where all are 0.

    Parameters
    ----------
    x : finite numbers of any shape, subnormal ones included
    """
    fraction, exponent = np.frexp(np.asarray(x, np.float64).ravel())
    mantissa = np.ldexp(fraction, 53).astype(np.int64)
    lowest = np.frexp((mantissa & -mantissa).astype(np.float64))[1] - 1
    nonzero = mantissa != 0
    if not nonzero.any():
        return [0] * len(mantissa), 0
    lowest[~nonzero] = 0
    mantissa >>= lowest
    place = exponent.astype(np.int64) - 53 + lowest
    least = int(place[nonzero].min())
    shift = np.where(nonzero, place - least, 0)
    bits = np.frexp(np.abs(mantissa).astype(np.float64))[1] + shift
    if int(bits.max()) < 63:
        return (mantissa << shift).tolist(), least
    return [m << s for m, s in zip(mantissa.tolist(), shift.tolist(), strict=True)], least


def dyadic(x: Floats | sp.csr_array) -> Dyadic:
    """A matrix of float64, dense or sparse, or a vector as a column."""
    dense = np.asarray(x.toarray() if isinstance(x, sp.csr_array) else x, np.float64)
    dense = dense[:, None] if dense.ndim == 1 else dense
    entries, exponent = integers(dense)
    return Dyadic(fmpz_mat(*dense.shape, entries), exponent)


def primitive(row: Row) -> Row:
    """A row divided by the largest number that divides it; it points where it pointed."""
    divisor = fmpz(0)
    for value in row:
        divisor = divisor.gcd(value)
        if divisor == 1:
            return row
    return [value // divisor for value in row] if divisor else row


def dot(row: Row, point: Row) -> Integer:
    """The product of two vectors of integers."""
    return sum((a * b for a, b in zip(row, point, strict=True)), fmpz(0))


def to_floats(rows: list[Row]) -> Floats:
    """Rows as float64, each scaled so that its largest entry is about 1; each entry has a relative error below 2^-52.

    What is below 2^-1000 of the largest entry may become 0.
    """
    found = np.zeros((len(rows), len(rows[0]) if rows else 0))
    for k, row in enumerate(rows):
        values = [int(value) for value in row]
        bits = max(value.bit_length() for value in values)
        if bits < 900:
            found[k] = values
            found[k] *= 2.0**-bits
        else:
            found[k] = [value / (1 << bits) for value in values]
    return found
