"""What a network is made of, and how many regions it can have at most.

A unit with q pieces is a pointwise function with q - 1 breakpoints, or a maximum over a group of q rows. Let the units of
a layer have q_1, ..., q_m pieces and read a space of dimension d. Then the layer cuts a convex set into at most

    B(d) = sum over the sets S of at most d units of the product of (q_u - 1) over u in S

cells; for m ReLUs this is C(m, 0) + ... + C(m, d) (Zaslavsky 1975; Pascanu, Montúfar, Bengio, arXiv 1312.6098).

Proof for pointwise units: each of the q_u - 1 parallel hyperplanes of a unit u cuts at most as many cells of the other
units as these leave on it, a space of dimension d - 1, and every cut makes one cell more. So with and without u, B(d) =
B'(d) + (q_u - 1) B'(d - 1), which adds up to the sum above. For maxima the same number, for groups of any sizes, is the
theorem of Montúfar, Ren, Zhang: Sharp bounds for the number of regions of maxout networks, arXiv 2104.08135. Rows in
special position have no more cells, because every open cell survives a small change of the rows.

The bound of a network is the product over its layers (Montúfar, Pascanu, Cho, Bengio, arXiv 1402.1869; Serra,
Tjandraatmadja, Ramalingam, arXiv 1711.02114): on each cell of the layers before it, the map into a layer is affine, and
its image has a dimension d of at most the least of the domain's dimension and all numbers of rows and units passed.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from regionenum.network.filters import Filter
from regionenum.network.units import IDENTITY, MAXIMUM, RELU, Floats, Ints, PiecewiseLinear, Units

SUMMED_DIM = 1000
"""In more dimensions than this B(d) is replaced by its limit, the product of all q_u: the sum has too many digits."""


@dataclass(frozen=True)
class LayerDescription:
    """One layer.

    Attributes
    ----------
    name : name of the layer
    n_rows, n_out : rows (pre-activations) in, outputs out
    units : {kind of unit: number of these}, empty in a layer without units
    stored : "dense" or "sparse"
    n_weights : number of weights that are not zero
    dim : largest dimension the rows can span
    bound : upper bound on the number of cells into which the layer splits one cell
    filter : the filter, where the layer is a convolution and its loader said so
    """

    name: str
    n_rows: int
    n_out: int
    units: dict[str, int]
    stored: str
    n_weights: int
    dim: int
    bound: int
    filter: Filter | None = None

    @classmethod
    def of(
        cls, name: str, weight: Floats | sp.csr_array, units: Units, kept: Filter | None, dim: int
    ) -> LayerDescription:
        """Describe a layer.

        Parameters
        ----------
        name, weight, units : of the layer
        kept : its filter
        dim : largest dimension of what the layer reads
        """
        n_rows = int(weight.shape[0])
        dim = min(dim, n_rows)
        per_row = np.bincount(sp.csr_array(weight).nonzero()[0], minlength=n_rows)
        # A row without weights is constant: a function of it never cuts.
        first_row = units.rows[units.indptr[:-1]]
        constant = (units.function_of != MAXIMUM) & (per_row[first_row] == 0)
        kinds = Counter(_kinds(units)) if not units.is_identity else Counter()
        return cls(
            name=name,
            n_rows=n_rows,
            n_out=units.n_units,
            units=dict(kinds.most_common()),
            stored="sparse" if isinstance(weight, sp.csr_array) else "dense",
            n_weights=int(per_row.sum()),
            dim=dim,
            bound=cells_at_most(np.where(constant, 0, units.n_pieces - 1), dim),
            filter=kept,
        )


@dataclass(frozen=True)
class Description:
    """A network, layer by layer; `print` shows it as a table."""

    input_shape: tuple[int, ...]
    dim: int
    layers: tuple[LayerDescription, ...]
    notes: tuple[str, ...]
    hash: str

    @property
    def bound(self) -> int:
        """Upper bound on the number of regions in a convex domain of dimension `dim`."""
        return math.prod(layer.bound for layer in self.layers)

    def rows(self) -> list[tuple[str, ...]]:
        """The cells of the table, its header first."""
        header = ("layer", "rows", "units", "weights", "dimension at most", "splits a cell into at most")
        return [header, *(_row(layer) for layer in self.layers)]

    def sentences(self) -> list[str]:
        """What is said below the table."""
        shape = " x ".join(map(str, self.input_shape))
        return [
            f"input: {shape}; at most {brief(self.bound)} regions in a domain of dimension {self.dim}",
            *(_filter_sentence(layer.name, layer.filter) for layer in self.layers if layer.filter is not None),
            *(f"note: {note}" for note in self.notes),
        ]

    def __str__(self) -> str:
        rows = self.rows()
        widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([*lines, *self.sentences()])


def cells_at_most(extra: Ints, dim: int) -> int:
    """The bound B(d) of this module, exactly. extra : (n_units,) q_u - 1 for each unit."""
    counts = Counter(int(q) for q in extra if q)
    if dim >= sum(counts.values()) or dim > SUMMED_DIM:
        return math.prod((1 + q) ** m for q, m in counts.items())
    # The coefficients of t^0 .. t^dim in the product of (1 + q t) over all units; their sum is wanted.
    product = [1]
    for q, m in counts.items():
        factor = [math.comb(m, j) * q**j for j in range(min(m, dim) + 1)]
        n = min(len(product) + len(factor) - 2, dim)
        product = [
            sum(product[i] * factor[j - i] for i in range(max(0, j - len(factor) + 1), min(j, len(product) - 1) + 1))
            for j in range(n + 1)
        ]
    return sum(product)


def brief(n: int) -> str:
    """A number for reading, rounded up where it is too long.

    >>> brief(1185921), brief(2**100)
    ('1,185,921', '1.27e+30')
    """
    if n < 10**12:
        return f"{n:,}"
    logarithm = math.log10(n)
    exponent = math.floor(logarithm)
    rounded = math.ceil(100 * 10 ** (logarithm - exponent) + 1e-6)
    hundredths = rounded if exponent > _DIVIDED else -(-n // 10 ** (exponent - 2))
    if hundredths >= 1000:
        hundredths, exponent = 100, exponent + 1
    return f"{hundredths / 100:.2f}e+{exponent}"


_DIVIDED = 10_000
"""Numbers with more digits than this are rounded by their logarithm alone, which leaves more than three digits."""


def _kinds(units: Units) -> list[str]:
    names = [_function_name(f) for f in units.functions]
    sizes = np.diff(units.indptr)
    return [
        f"max of {size}" if k == MAXIMUM else names[k]
        for k, size in zip(units.function_of.tolist(), sizes, strict=True)
    ]


def _function_name(f: PiecewiseLinear) -> str:
    if f == IDENTITY:
        return "identity"
    if f == RELU:
        return "relu"
    if f.breakpoints == (0.0,) and f.intercepts == (0.0, 0.0):
        if f.slopes == (-1.0, 1.0):
            return "abs"
        if f.slopes[1] == 1.0:
            return f"leaky relu ({f.slopes[0]:g})"
    if not f.breakpoints:
        return "affine"
    n = len(f.breakpoints)
    like = "hardtanh-like" if n == 2 and f.slopes[0] == f.slopes[2] == 0.0 else "piecewise linear"
    return f"{like} ({n} breakpoint{'s' if n > 1 else ''})"


def _row(layer: LayerDescription) -> tuple[str, ...]:
    units = ", ".join(f"{n:,} {kind}" for kind, n in layer.units.items()) or "none"
    weights = f"{layer.n_weights:,} ({layer.stored})"
    return layer.name, f"{layer.n_rows:,}", units, weights, f"{layer.dim:,}", brief(layer.bound)


def _filter_sentence(name: str, kept: Filter) -> str:
    c_out, c_in, *kernel = kept.weight.shape
    shape = (
        f"{c_out} x {c_in} channels, kernel {' x '.join(map(str, kernel))}, stride {' x '.join(map(str, kept.stride))}"
    )
    values = f": {np.array2string(kept.weight, separator=', ', precision=6)}" if kept.weight.size <= _SHOWN else ""
    return f"`{name}` is a convolution of {shape}{' '.join(values.split())}"


_SHOWN = 64
"""Values of a filter that are printed; larger ones show their shape only."""
