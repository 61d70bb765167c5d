"""The affine map between two layers of units, composed while a model is read.

Readers (`chain.py`) meet one affine operation after another: a convolution, a folded normalisation, a flatten.
They compose them into one `Affine` and close it with the next units, which gives a `Layer`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp

from regionenum.network.filters import Filter
from regionenum.network.layers import Layer
from regionenum.network.units import Floats, Ints, Units

Matrix: TypeAlias = Floats | sp.csr_array

DENSE_FROM = 0.25
"""A layer's weight is stored dense when more than this fraction of it is non-zero, as CSR otherwise."""


@dataclass(frozen=True)
class Affine:
    """The map x -> matrix x + offset, in float64.

    Attributes
    ----------
    matrix : (n_rows, n_in) dense or CSR; None is the identity, so that the first operation on it is kept bit for bit
    offset : (n_rows,)
    filtered : where the linear part is known to be one convolution, its filter, and the shape of the output; for reading
    """

    matrix: Matrix | None
    offset: Floats
    filtered: tuple[Filter, tuple[int, ...]] | None = field(default=None, compare=False)

    @classmethod
    def identity(cls, n: int) -> Affine:
        """The map that passes n values on."""
        return cls(None, np.zeros(n))

    @classmethod
    def of_columns(cls, data: Floats, columns: Ints, indptr: Ints, n_in: int, offset: Floats) -> Affine:
        """The map with these entries, row by row; the identity is recognised."""
        n = len(offset)
        if n == n_in == len(data) and np.all(data == 1.0) and np.array_equal(columns, np.arange(n)):
            return cls(None, offset)
        return cls(sp.csr_array((data, columns, indptr), shape=(n, n_in)), offset)

    @classmethod
    def picking(cls, columns: Ints, n_in: int) -> Affine:
        """The map that passes on the inputs of these numbers."""
        n = len(columns)
        return cls.of_columns(np.ones(n), columns, np.arange(n + 1), n_in, np.zeros(n))

    @classmethod
    def constant(cls, values: Floats, n_in: int) -> Affine:
        """The map that gives these values whatever the inputs are."""
        return cls(sp.csr_array((len(values), n_in)), values)

    @classmethod
    def stacked(cls, maps: Sequence[Affine]) -> Affine:
        """The outputs of several maps of the same inputs, one after the other."""
        offset = np.concatenate([m.offset for m in maps])
        if all(isinstance(m.matrix, np.ndarray) for m in maps):
            return cls(np.concatenate([np.asarray(m.matrix) for m in maps]), offset)
        return cls(sp.csr_array(sp.vstack([m.sparse() for m in maps], format="csr")), offset)

    @property
    def n_rows(self) -> int:
        """Number of outputs."""
        return len(self.offset)

    @property
    def n_in(self) -> int:
        """Number of inputs."""
        return self.n_rows if self.matrix is None else int(self.matrix.shape[1])

    def sparse(self) -> sp.csr_array:
        """The matrix, without stored zeros, columns in order."""
        if self.matrix is None:
            return sp.csr_array(sp.eye_array(self.n_rows, format="csr"))
        return _canonical(sp.csr_array(self.matrix))

    def unit_rows(self) -> dict[int, int]:
        """{input: row} of the rows that pass an input on unchanged."""
        matrix = self.sparse()
        single = np.flatnonzero((np.diff(matrix.indptr) == 1) & (self.offset == 0.0))
        entry = matrix.indptr[single]
        single, entry = single[matrix.data[entry] == 1.0], entry[matrix.data[entry] == 1.0]
        return dict(zip(matrix.indices[entry].tolist(), single.tolist(), strict=True))

    def plus(self, other: Affine) -> Affine:
        """The sum of two maps of the same inputs."""
        with np.errstate(over="ignore", invalid="ignore"):
            if isinstance(self.matrix, np.ndarray) and isinstance(other.matrix, np.ndarray):
                return Affine(self.matrix + other.matrix, self.offset + other.offset)
            return Affine(sp.csr_array(self.sparse() + other.sparse()), self.offset + other.offset)

    @property
    def is_identity(self) -> bool:
        """Whether the map passes its input on unchanged, by construction."""
        return self.matrix is None and not self.offset.any()

    def then(self, weight: Matrix, bias: Floats | None = None) -> Affine:
        """The map x -> weight (matrix x + offset) + bias."""
        # Infinite products are found, and named, when the layer is made.
        with np.errstate(over="ignore", invalid="ignore"):
            matrix = weight if self.matrix is None else weight @ self.matrix
            # No product for a zero offset: it could only add zeros.
            offset = weight @ self.offset if self.offset.any() else np.zeros(weight.shape[0])
            return Affine(matrix, offset if bias is None else offset + bias)

    def scaled(self, factor: Floats, shift: Floats) -> Affine:
        """The map x -> factor * (matrix x + offset) + shift, value by value."""
        with np.errstate(over="ignore", invalid="ignore"):
            if self.matrix is None:
                matrix: Matrix = sp.diags_array(factor, format="csr")
            elif isinstance(self.matrix, np.ndarray):
                matrix = self.matrix * factor[:, None]
            else:
                m = self.matrix
                data = np.repeat(factor, np.diff(m.indptr))
                data *= m.data
                matrix = sp.csr_array((data, m.indices, m.indptr), shape=m.shape)
            return Affine(matrix, self.offset * factor + shift)

    def shifted(self, shift: Floats) -> Affine:
        """The map x -> matrix x + offset + shift."""
        return Affine(self.matrix, self.offset + shift, self.filtered)

    def select(self, index: Ints, fill: float = 0.0) -> Affine:
        """Rearrange the outputs: row i becomes row index[i], or the constant `fill` where index[i] is -1. Exact."""
        if np.array_equal(index, np.arange(self.n_rows)):
            return self
        chosen = index >= 0
        indptr = np.concatenate([[0], np.cumsum(chosen)])
        selection = sp.csr_array(
            (np.ones(indptr[-1]), index[chosen], indptr), shape=(len(index), self.n_rows), dtype=np.float64
        )
        moved = self.then(selection)
        return moved if chosen.all() or fill == 0.0 else moved.shifted(np.where(chosen, 0.0, fill))

    def layer(self, name: str, units: Units) -> Layer:
        """The layer of this map and the units that read its rows."""
        return Layer(name, self._stored(), self.offset, units, None if self.filtered is None else self.filtered[0])

    def _stored(self) -> Matrix:
        """The matrix, dense or CSR by its density."""
        matrix = sp.eye_array(self.n_rows, format="csr") if self.matrix is None else self.matrix
        n_nonzero = np.count_nonzero(matrix.data if sp.issparse(matrix) else matrix)
        dense = n_nonzero > DENSE_FROM * matrix.shape[0] * matrix.shape[1]
        if isinstance(matrix, np.ndarray):
            return np.ascontiguousarray(matrix) if dense else sp.csr_array(matrix)
        return matrix.toarray() if dense else _canonical(matrix)


def _canonical(matrix: sp.csr_array) -> sp.csr_array:
    """The matrix without stored zeros and duplicates, columns in order; a copy only if it is not so yet.

    Matrices share arrays, so none is changed in place.
    """
    if matrix.has_canonical_format and matrix.data.all():
        return matrix
    matrix = matrix.copy()
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return matrix
