"""All of the input space, and whole affine subspaces of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import scipy.sparse as sp

from regionenum.domain.chart import Chart
from regionenum.network.independent import independent_columns
from regionenum.network.layers import Layer
from regionenum.network.units import MAXIMUM, Floats

REFERS_TO: Final = "rank of the first weight"
"""What the dimension of a whole space is."""


@dataclass(frozen=True)
class WholeSpace:
    """All inputs: R^n_in, or as much of it as the first layer can see.

    If the first weight W has rank r < n_in, inputs that differ by an element of its kernel are not told apart. Then r
    independent columns J of W are chosen, and the domain is the subspace x = e_J z of the inputs that are 0 elsewhere: W x
    takes the same values there, and nothing is rounded. Dimensions are then measured in R^r. The rank is decided exactly.
    A network that ignores its input altogether keeps one input (r = 1), one without units all.

    Examples
    --------
    >>> WholeSpace().chart((2,)).dim
    2
    """

    def chart(self, input_shape: tuple[int, ...], first: Layer | None = None) -> Chart:
        """Coordinates y in R^r: x_j = width_j y_j for the chosen columns j; widths are powers of two."""
        n_in = int(np.prod(input_shape, dtype=np.int64))
        return whole_chart(np.zeros(n_in), sp.eye_array(n_in, format="csr"), first)

    def describe(self) -> dict[str, Any]:
        """The kind alone, and what the dimensions refer to."""
        return {"kind": "whole_space", "dimension": REFERS_TO}


def whole_chart(origin: Floats, directions: sp.csr_array, first: Layer | None) -> Chart:
    """The chart of all x = origin + directions s, with the coordinates s that the first layer can see, and their scale."""
    if first is None:
        return Chart(origin, directions, whole=True)
    identity = directions.shape[0] == directions.shape[1] and (directions != sp.eye_array(len(origin))).nnz == 0
    columns = independent_columns(first.weight, None if identity else directions)
    if not len(columns):
        columns = np.zeros(1, np.int64)
    directions = sp.csr_array(directions[:, columns])
    return Chart(origin, directions, width=_widths(origin, directions, first), whole=True)


def _widths(origin: Floats, directions: sp.csr_array, first: Layer) -> Floats:
    """Powers of two that bring the hyperplanes of the first layer to a distance of about 1 from y = 0.

    They affect no answer but by what is too far away, or too small, for the tolerances of floating point.
    """
    linear = np.asarray(sp.csr_array(first.weight @ directions).toarray())
    levels = [max(map(abs, f.breakpoints), default=0.0) for f in first.units.functions]
    level = np.zeros(first.n_rows)
    pointwise = np.flatnonzero(first.units.function_of != MAXIMUM)
    rows = first.units.rows[first.units.indptr[pointwise]]
    np.maximum.at(level, rows, np.array(levels)[first.units.function_of[pointwise]] if len(rows) else 0.0)
    constant = np.maximum(np.abs(np.asarray(first.weight @ origin) + first.bias), level)
    size = np.abs(linear).max(axis=1, initial=0.0)
    used = (size > 0) & np.isfinite(size) & np.isfinite(constant)
    if not used.any():
        return np.ones(linear.shape[1])
    # lengths of columns of the rows scaled to size 1, and a typical distance
    columns = np.sqrt(np.mean((linear[used] / size[used, None]) ** 2, axis=0))
    distances = constant[used] / size[used]
    distance = np.median(distances[distances > 0]) if (distances > 0).any() else 1.0 / np.median(size[used])
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        exponent = np.round(np.log2(distance / columns))
    return np.asarray(np.ldexp(1.0, np.clip(np.nan_to_num(exponent), -400, 400).astype(np.int64)))
