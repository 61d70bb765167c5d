"""All of the input space, and whole affine subspaces of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import scipy.sparse as sp

from regionenum.domain.chart import Chart
from regionenum.network.layers import Layer
from regionenum.network.units import MAXIMUM, Floats, Ints

REFERS_TO: Final = "rank of the first weight"
"""What the dimension of a whole space is."""


@dataclass(frozen=True)
class WholeSpace:
    """All inputs: R^n_in, or as much of it as the first layer of a network can see (`seen_by`).

    Examples
    --------
    >>> WholeSpace().chart((2,)).dim
    2
    """

    def chart(self, input_shape: tuple[int, ...]) -> Chart:
        """The inputs themselves as coordinates."""
        n_in = int(np.prod(input_shape, dtype=np.int64))
        return Chart(np.zeros(n_in), sp.eye_array(n_in, format="csr"), whole=True)

    def describe(self) -> dict[str, Any]:
        """The kind alone, and what the dimensions refer to."""
        return {"kind": "whole_space", "dimension": REFERS_TO}


def seen_by(first: Layer, chart: Chart, columns: Ints) -> Chart:
    """The part of a whole chart that the first layer of a network can see.

    If the first weight W has rank r < d on the coordinates s, inputs that differ by an element of its kernel are not told
    apart. Then r independent columns J of W D are chosen, D being the directions, and the domain is the subspace of the
    inputs whose other coordinates are 0: W x takes the same values there, and nothing is rounded. Dimensions are then
    measured in R^r: s_j = width_j y_j for the chosen columns j. A network that ignores its input altogether keeps one
    coordinate (r = 1).

    Parameters
    ----------
    first : the network's first layer
    chart : of all x = origin + D s
    columns : (r,) the numbers J, a basis of the columns of W D
    """
    kept = columns if len(columns) else np.zeros(1, np.int64)
    directions = sp.csr_array(chart.directions[:, kept])
    return Chart(chart.origin, directions, width=_widths(chart.origin, directions, first), whole=True)


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
