"""The affine map between two layers of units, composed while a model is read.

Readers (`torch_lower.py`) meet one affine operation after another: a convolution, a folded normalisation, a flatten.
They compose them into one `Affine` and close it with the next units, which gives a `Layer`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp

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
    """

    matrix: Matrix | None
    offset: Floats

    @classmethod
    def identity(cls, n: int) -> Affine:
        """The map that passes n values on."""
        return cls(None, np.zeros(n))

    @property
    def n_rows(self) -> int:
        """Number of outputs."""
        return len(self.offset)

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
                matrix = self.matrix.copy()
                matrix.data = matrix.data * np.repeat(factor, np.diff(matrix.indptr))
            return Affine(matrix, self.offset * factor + shift)

    def shifted(self, shift: Floats) -> Affine:
        """The map x -> matrix x + offset + shift."""
        return Affine(self.matrix, self.offset + shift)

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
        return Layer(name, self._stored(), self.offset, units)

    def _stored(self) -> Matrix:
        """The matrix, dense or CSR by its density."""
        matrix = sp.eye_array(self.n_rows, format="csr") if self.matrix is None else self.matrix
        n_nonzero = np.count_nonzero(matrix.data if sp.issparse(matrix) else matrix)
        dense = n_nonzero > DENSE_FROM * matrix.shape[0] * matrix.shape[1]
        if isinstance(matrix, np.ndarray):
            return np.ascontiguousarray(matrix) if dense else sp.csr_array(matrix)
        matrix = matrix.copy()
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
        return matrix.toarray() if dense else matrix
