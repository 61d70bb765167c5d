"""Columns of a weight that are linearly independent over the rationals and span the others.

Weights are float64 numbers and are read as the dyadic rationals they are. Columns that are independent modulo an odd
prime are independent. For the converse, let r be the largest rank met modulo any prime so far. Were the rank larger, some
minor of order r + 1 would not be 0, and would still be divisible by all these primes. Scaled to integers, it is at most
the product of the r + 1 largest Euclidean lengths of rows (Hadamard), so enough primes refute it.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from flint import nmod_mat

from regionenum.exact.residues import ModularMatrix, primes, residues
from regionenum.network.units import Floats, Ints


def independent_columns(weight: Floats | sp.csr_array, directions: sp.csr_array | None = None) -> Ints:
    """A basis of the columns of W, or of W D: as far as floating point can tell, the best-conditioned one.

    Parameters
    ----------
    weight : (n_rows, n_in)
    directions : (n_in, n) the matrix D, the identity by default

    Returns
    -------
    (r,) column numbers, increasing; r is the rank, exactly.
    """
    if directions is not None and _is_identity(directions):
        directions = None
    product = _dense(weight) if directions is None else _dense(weight @ directions)
    order = _best_first(product)
    n_columns = product.shape[1]
    bits: Floats | None = None
    found = np.zeros(0, np.int64)
    proved = 0.0
    for prime in primes():
        matrix = _residues(weight, directions, prime)[:, order]
        pivots = _pivots(matrix[matrix.any(axis=1)], prime)
        if len(pivots) > len(found):
            found = pivots
        proved += np.log2(prime)
        if len(found) < n_columns and bits is None:
            bits = np.sort(_bits(weight, directions))[::-1]
        if bits is None or len(found) == len(bits) or proved > bits[: len(found) + 1].sum():
            return np.sort(order[found])
    raise AssertionError("there are enough primes")


def rank_up_to(weight: Floats | sp.csr_array, most: int) -> int | None:
    """The rank of W, or `most` if that is smaller, exactly; None where this would take too long.

    The rank modulo a prime is a lower bound, and so is that of some of the rows, taken at random: it mostly meets one of the
    upper bounds `most`, the number of rows that are not 0, and that of columns. Otherwise all minors are tried.

    Parameters
    ----------
    weight : (n_rows, n_in)
    most : 0 or more
    """
    entries = sp.csr_array(weight, copy=True)
    entries.eliminate_zeros()
    rows, columns = np.flatnonzero(np.diff(entries.indptr)), np.unique(entries.indices)
    upper = min(most, len(rows), len(columns))
    if not upper:
        return 0
    some = np.random.default_rng(0).permutation(rows)[: 4 * upper + 16]
    if _rank_of_combinations(entries[some], upper) == upper:
        return upper
    if len(rows) * len(columns) > _MOST_ENTRIES:
        return None
    return min(upper, len(independent_columns(entries[rows][:, columns])))


_MOST_ENTRIES = 1 << 20
"""Entries of a matrix that is not refused by `rank_up_to`: every prime takes a tenth of a second then."""


def _rank_of_combinations(weight: sp.csr_array, n: int) -> int:
    """The rank modulo a prime of W V for n random columns V: at most the rank of W, and mostly that, or n."""
    prime = next(primes())
    used = weight[:, np.unique(weight.indices)]
    image = ModularMatrix.modulo(prime, used)(np.random.default_rng(1).integers(0, prime, (n, used.shape[1])))
    return int(nmod_mat(*image.shape, image.ravel().tolist(), prime).rank())


def _best_first(matrix: Floats) -> Ints:
    """Columns in the order of a pivoted QR decomposition of the rows scaled to length 1."""
    largest = np.abs(matrix).max(axis=1, keepdims=True, initial=0.0)
    used = np.isfinite(largest[:, 0]) & (largest[:, 0] > 0)
    if not used.any():
        return np.arange(matrix.shape[1])
    scaled = matrix[used] / largest[used]
    _, _, order = scipy.linalg.qr(scaled, mode="raw", pivoting=True)
    return np.asarray(order, np.int64)


def _pivots(matrix: Ints, prime: int) -> Ints:
    """The first columns that are independent modulo a prime: those in which a row of the reduced form begins."""
    n_rows, n_columns = matrix.shape
    reduced, rank = nmod_mat(n_rows, n_columns, matrix.ravel().tolist(), prime).rref()
    found: list[int] = []
    for j in range(n_columns):
        if len(found) < rank and reduced[len(found), j]:
            found.append(j)
    return np.array(found, np.int64)


def _residues(weight: Floats | sp.csr_array, directions: sp.csr_array | None, prime: int) -> Ints:
    if directions is None:
        return residues(_dense(weight), prime)
    return np.ascontiguousarray(ModularMatrix.modulo(prime, weight)(residues(directions.toarray().T, prime)).T)


def _bits(weight: Floats | sp.csr_array, directions: sp.csr_array | None) -> Floats:
    """log2 of a bound on the length of each row that is not 0, of the product scaled to integers row by row."""
    dense = _dense(weight)
    dense = dense[dense.any(axis=1)]
    n_columns = dense.shape[1] if directions is None else directions.shape[1]
    bits = np.array([_spread(row) for row in dense], np.float64) + np.log2(max(n_columns, 1)) / 2
    if directions is not None:
        bits += _spread(directions.data) + np.log2(max(dense.shape[1], 1))
    return np.asarray(bits)


def _spread(values: Floats) -> int:
    """Bits from the highest bit of any of the numbers down to the lowest, both included."""
    values = values[values != 0]
    if not len(values):
        return 0
    fraction, exponent = np.frexp(values)
    mantissa = np.ldexp(np.abs(fraction), 53).astype(np.int64)
    lowest = np.log2((mantissa & -mantissa).astype(np.float64)).astype(np.int64) + exponent - 53
    return int(exponent.max() - lowest.min())


def _is_identity(matrix: sp.csr_array) -> bool:
    n_rows, n_columns = matrix.shape
    return n_rows == n_columns and not (matrix != sp.eye_array(n_rows, format="csr")).nnz


def _dense(matrix: Floats | sp.csr_array) -> Floats:
    return np.asarray(matrix.toarray() if isinstance(matrix, sp.csr_array) else matrix, np.float64)
