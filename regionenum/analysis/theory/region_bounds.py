"""Upper bounds on the number of regions of a network, after each layer.

Five bounds, each at most the one before it in the list from the second on, and all of them at most the first:

`patterns`
    The product of the numbers of pieces of all units: 2^N for N ReLUs (Montúfar, Pascanu, Cho, Bengio, arXiv 1402.1869).
`input`
    The product over the layers of B(d), d being the dimension of the domain, where B(d) is the most cells that the units of
    the layer can cut a space of dimension d into: for m ReLUs C(m, 0) + ... + C(m, d). (Pascanu, Montúfar, Bengio, arXiv
    1312.6098; Raghu et al., arXiv 1606.05336.) For maxima it is the bound of Montúfar, Ren, Zhang, arXiv 2104.08135. Formula
    and proof are in `network/describe.py`.
`widths`
    The same with the least number of rows and units passed as dimension (Montúfar: Notes on the number of linear regions of
    deep neural networks, SampTA 2017).
`active`
    On a cell, the image of a layer has at most as many dimensions as there are units that are not constant there. Of the
    cells of a layer of m ReLUs in dimension d, at most min(B(d), C(m, 0) + ... + C(m, k)) have k inactive units or fewer:
    there are B(d) cells and so many patterns. The bound of Serra, Tjandraatmadja, Ramalingam, arXiv 1711.02114, theorem 1,
    in the form of Hinz and van de Geer, arXiv 1806.01918: for each layer a matrix T of how many cells of dimension t a cell
    of dimension d gives at most, and the bound is the sum of the entries of the product of these matrices with a unit
    vector. Here for all kinds of units.
`weights`
    The same with what can be read from the weights: their exact ranks, rows without weights, rows that coincide
    (`unit_kinds.py`), and
    - *cones*: if no layer has biases so far, cells are cones. A cone meets one of the two hyperplanes w x = 1 and
      w x = -1, on which the unit of w has a piece less, and the space a dimension less: at most 2 B'(d - 1) cells, B' with
      that unit reduced. (For n ReLUs it is Cover's 2 (C(n - 1, 0) + ... + C(n - 1, d - 1)).)
    - *windows*: maxima over overlapping windows have at most the regions that they have on free inputs (arXiv 2209.14978;
      `winners.py` counts them, where that is quick).

Why a matrix of bounds gives a bound (Hinz, van de Geer, and by partial summation): let G(t) be the most regions that a cell
of dimension t can have in the end. If the number of children of dimension t or more is at most N(t), non-increasing in t,
the sum of G over the children is at most the sum over t of (N(t) - N(t + 1)) G(t), as G increases; and the right side
increases in d, as every N(t) here does. Rows in special position have no more cells than others (`network/describe.py`),
and the restriction to a convex domain takes cells away. So all five hold for the regions that this program counts, whatever
the weights are.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from flint import fmpz_poly

from regionenum.analysis.theory.arguments import whole, wholes
from regionenum.analysis.theory.arrangements import arrangement
from regionenum.analysis.theory.unit_kinds import LayerKinds, nominal_kinds, weighted_kinds
from regionenum.analysis.theory.winners import max_pool
from regionenum.domain import Domain
from regionenum.engine.problem import Problem
from regionenum.errors import InputError
from regionenum.exact.ranks import independent_columns
from regionenum.network.describe import cells_at_most
from regionenum.network.layers import Layer, Network
from regionenum.network.units import MAXIMUM, RELU

MOST_DIMS = 256
"""In more dimensions than this, cells are not told apart by dimension."""

MOST_UNITS = 4096
"""Patterns of more units than this are not told apart by how many are flat."""

MOST_ENTRIES = 1_000_000
"""Ranks of larger weights are taken to be what their shape allows."""

MOST_WINDOWS = 400
"""More overlapping windows than this are not counted."""

WINDOW_STATES = 2_000
"""Partial orders that counting windows may need."""


class Bound(StrEnum):
    """The bounds, by the name under which they are explained in this module."""

    PATTERNS = "patterns"
    INPUT = "input"
    WIDTHS = "widths"
    ACTIVE = "active"
    WEIGHTS = "weights"


SOURCES: Mapping[Bound, str] = {
    Bound.PATTERNS: "all patterns; Montufar et al., arXiv 1402.1869",
    Bound.INPUT: "input dimension; Raghu et al., arXiv 1606.05336",
    Bound.WIDTHS: "least width; Montufar, SampTA 2017; maxima: arXiv 2104.08135",
    Bound.ACTIVE: "active units; Serra et al., arXiv 1711.02114; Hinz, arXiv 1806.01918",
    Bound.WEIGHTS: "ranks, coinciding rows, cones, windows; see rn.theory.bounds",
}
"""What each bound uses, and where it comes from."""


@dataclass(frozen=True)
class LayerBounds:
    """Bounds of one unit layer.

    Attributes
    ----------
    name : str
        Of the layer.
    n_units : int
        Units, those that only pass a row on included.
    dim : int
        The most dimensions in which a cell can reach the layer.
    splits : int
        Into how many cells the layer splits one cell at most.
    regions : {Bound: int}
        Bounds on the number of regions after this layer.
    """

    name: str
    n_units: int
    dim: int
    splits: int
    regions: Mapping[Bound, int]


@dataclass(frozen=True)
class Bounds:
    """Bounds of a network over a domain; made by `bounds`.

    Attributes
    ----------
    dim : int
        Dimension of the domain.
    layers : tuple of LayerBounds
        The unit layers.
    reached : int or None
        Some network of these widths has this many regions or more (`reached_by`); None if it has other units than ReLUs, or
        a layer narrower than the domain.
    """

    dim: int
    layers: tuple[LayerBounds, ...]
    reached: int | None

    @cached_property
    def regions(self) -> Mapping[Bound, int]:
        """Bounds on the number of regions of the network."""
        return self.layers[-1].regions if self.layers else dict.fromkeys(Bound, 1)

    @property
    def best(self) -> int:
        """The smallest of them."""
        return min(self.regions.values())


def bounds(network: Network, domain: Domain | None = None) -> Bounds:
    """Upper bounds on the number of regions of a network after each of its unit layers, as exact integers.

    Parameters
    ----------
    network : Network
    domain : Domain, optional
        Any convex domain; the whole space by default. Only its dimension matters, and for a network without biases whether
        it is full-dimensional, or a linear subspace.

    Returns
    -------
    Bounds

    Raises
    ------
    InputError
        If the domain does not fit the network.

    Notes
    -----
    The bounds and their proofs are listed at the head of `analysis/theory/region_bounds.py`. Beyond 256 dimensions, 4,096
    units or 200,000 weights of a layer, steps that would be slow are left out, which makes the bounds larger, and not
    wrong.
    """
    dim, linear = _of_domain(network, domain)
    found = []
    products = dict.fromkeys((Bound.PATTERNS, Bound.INPUT, Bound.WIDTHS), 1)
    by_width = dim
    active: Counter[int] = Counter({dim: 1})
    weighted: Counter[int] = Counter({dim: 1})
    for layer in network.unit_layers:
        linear = linear and _is_linear(layer)
        nominal, exact = _Cutter(nominal_kinds(layer)), _Cutter(weighted_kinds(layer), linear, windows=True)
        by_width = min(by_width, layer.n_rows)
        products[Bound.PATTERNS] *= nominal.patterns
        products[Bound.INPUT] *= nominal.cells(dim)
        products[Bound.WIDTHS] *= nominal.cells(by_width)
        by_width = min(by_width, layer.n_out)
        rank = _rank(layer)
        reach = min(max(weighted), rank)
        active, weighted = nominal.children(active, layer.n_rows), exact.children(weighted, rank)
        regions = {**products, Bound.ACTIVE: active.total(), Bound.WEIGHTS: weighted.total()}
        found.append(LayerBounds(layer.name, layer.n_out, reach, exact.cells(reach), regions))
    return Bounds(dim, tuple(found), _reached(network, dim))


def _of_domain(network: Network, domain: Domain | None) -> tuple[int, bool]:
    """The dimension of the domain, and whether its affine hull contains 0 for sure."""
    if domain is None:
        return network.n_in, True
    chart = Problem.over(network, domain).chart
    return chart.dim, chart.dim == network.n_in or (chart.whole and not chart.origin.any())


def _is_linear(layer: Layer) -> bool:
    """Whether the layer commutes with positive factors: no bias, and no breakpoint or value but 0 at 0."""
    used = [layer.units.functions[k] for k in np.unique(layer.units.function_of) if k != MAXIMUM]
    zero = all(not any(f.intercepts) and not any(f.breakpoints) for f in used)
    return zero and not layer.bias.any()


def _rank(layer: Layer) -> int:
    if layer.n_rows * layer.n_in <= MOST_ENTRIES:
        return len(independent_columns(layer.weight))
    weight = sp.csr_array(layer.weight)
    rows, columns = weight.nonzero()
    return min(len(np.unique(rows)), len(np.unique(columns)))


class _Cutter:
    """How many cells the units of one layer can cut a cell into.

    Parameters
    ----------
    kinds : the units
    linear : whether all layers so far, this one included, commute with positive factors
    windows : whether to count overlapping windows
    """

    def __init__(self, kinds: LayerKinds, linear: bool = False, *, windows: bool = False) -> None:
        self.kinds = kinds
        self.linear = linear
        self.patterns: int = math.prod((1 + cuts) ** count for cuts, count in kinds.cuts.items())
        self._known: dict[int, int] = {}
        self._most = self._windows() if windows else self.patterns

    def cells(self, dim: int) -> int:
        """The most cells in dimension `dim`."""
        if dim not in self._known:
            found = min(_cells(self.kinds.cuts, dim), self._most)
            if self.linear and dim and self.kinds.cuts:
                found = min(found, *(2 * _cells(less, dim - 1) for less in self._reduced()))
            self._known[dim] = found
        return self._known[dim]

    def _reduced(self) -> list[Counter[int]]:
        """The cuts with one less, of a kind with each number of cuts."""
        return [
            self.kinds.cuts - Counter({cuts: 1}) + Counter({cuts - 1: 1} if cuts > 1 else {})
            for cuts in self.kinds.cuts
        ]

    def _windows(self) -> int:
        """All patterns that the windows allow."""
        windows = self.kinds.windows
        disjoint = sum(map(len, windows)) == len({e for window in windows for e in window})
        if disjoint or len(windows) > MOST_WINDOWS:
            return self.patterns
        try:
            return max_pool(windows, WINDOW_STATES) * self.patterns // math.prod(map(len, windows))
        except InputError:  # too many states
            return self.patterns

    def children(self, cells: Counter[int], rank: int) -> Counter[int]:
        """The cells by dimension after the layer, of those before it, at most.

        Parameters
        ----------
        cells : {dimension: number} before the layer
        rank : of the weight, or a number that is not smaller
        """
        before: Counter[int] = Counter()
        for dim, count in cells.items():
            before[min(dim, rank)] += count
        top = max(before)
        if top > MOST_DIMS:
            return Counter({min(top, self.kinds.n_units): self.cells(top) * before.total()})
        after: Counter[int] = Counter()
        for dim, count in before.items():
            or_more = [self._of_dim_or_more(t, dim) for t in range(dim + 1)] + [0]
            for t in range(dim + 1):
                if or_more[t] > or_more[t + 1]:
                    after[t] += count * (or_more[t] - or_more[t + 1])
        return after

    def _of_dim_or_more(self, t: int, dim: int) -> int:
        """The most children of dimension t or more of a cell of dimension `dim`."""
        n_flat = self.kinds.n_units - t
        if n_flat < 0:
            return 0
        return min(self.cells(dim), self._with_flat(n_flat))

    @cached_property
    def _by_flat(self) -> list[int]:
        """Patterns with 0, 1, 2, ... flat units or fewer; [] if there are too many units."""
        if self.kinds.n_units > MOST_UNITS:
            return []
        product = fmpz_poly([1])
        for kind, count in self.kinds.kinds.items():
            n_flat = Counter(kind.flat)
            product *= fmpz_poly([n_flat[k] for k in range(max(n_flat) + 1)]) ** count
        sums, total = [], 0
        for value in product.coeffs():
            total += int(value)
            sums.append(total)
        return sums

    def _with_flat(self, most: int) -> int:
        """Patterns with `most` flat units or fewer."""
        return self._by_flat[min(most, len(self._by_flat) - 1)] if self._by_flat else self.patterns


def _cells(cuts: Counter[int], dim: int) -> int:
    numbers = np.repeat(np.array(list(cuts), np.int64), np.array(list(cuts.values()), np.int64))
    return cells_at_most(numbers, dim)


def _reached(network: Network, dim: int) -> int | None:
    widths = []
    for layer in network.unit_layers:
        numbers = np.unique(layer.units.function_of)
        if MAXIMUM in numbers or any(layer.units.functions[k] != RELU for k in numbers):
            return None
        widths.append(layer.n_out)
    return reached_by(dim, widths) if widths and min(widths) >= dim >= 1 else None


def reached_by(dim: int, widths: Sequence[int]) -> int:
    """Some network of ReLUs with these widths has at least this many regions (Montúfar et al., arXiv 1402.1869, theorem 4).

    The product over all layers but the last of floor(n_l / dim)^dim, times `arrangement(dim, n_L)`: each layer folds its
    input along `dim` axes, and the last cuts the one image of all folds.

    Parameters
    ----------
    dim : int
        Inputs, 1 or more.
    widths : sequence of int
        ReLUs in each layer, each `dim` or more.

    Raises
    ------
    InputError
        If there is no layer, or one is narrower than the input.
    """
    whole("reached_by", "dim", dim, 1)
    sizes = wholes("reached_by", "widths", widths, dim)
    if not sizes:
        raise InputError("reached_by: widths is empty; give the width of one layer or more")
    return int(math.prod((n // dim) ** dim for n in sizes[:-1])) * arrangement(dim, sizes[-1])
