"""Pulled-back rows: the pre-activations of a layer as integer forms of the domain's coordinates, on one cell.

On a cell the pieces of all units of the earlier layers are decided, so that the map from the coordinates to a layer is affine:

    Z_0 = W_0 X + b_0 t,      X the inputs as forms of (s, t)
    Y_k = slope Z_k + intercept t, unit by unit, or the winner's row of Z_k,      Z_(k+1) = W_(k+1) Y_k + b_(k+1) t

All of these are matrices of integers over one power of two (`dyadic.py`). They depend on the decisions before layer k only,
so that neighbouring cells share them, and are kept for those decisions that were asked for last.

Decisions are those of a subtree (`sides` and `winners` over the layers up to some layer; -1 where open): for each breakpoint
of each pointwise unit whether the cell is on its negative (0) or positive side (1), and for each unit the position of its
winner.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from flint import fmpz, fmpz_mat

from regionenum.exact.cone import Cone, Forms, Label
from regionenum.exact.domains import ExactDomain
from regionenum.exact.dyadic import Dyadic, Integer, Row, dyadic, integers, primitive
from regionenum.network.layers import Layer, Network
from regionenum.network.units import MAXIMUM

OPEN = -1

Decisions = npt.NDArray[Any]

T = TypeVar("T")
KEPT = 512
"""Matrices that are kept; each layer of a path has two."""


class _Recent:
    """What was computed last, by what it was computed from."""

    def __init__(self, size: int) -> None:
        self._size, self._found = size, OrderedDict[tuple[Any, ...], Any]()

    def __call__(self, key: tuple[Any, ...], compute: Callable[[], T]) -> T:
        if key in self._found:
            self._found.move_to_end(key)
        else:
            self._found[key] = compute()
            if len(self._found) > self._size:
                self._found.popitem(last=False)
        found: T = self._found[key]
        return found


class _Weight:
    """A weight, dense or by rows."""

    def __init__(self, weight: Any) -> None:
        self._n_in = weight.shape[1]
        self._dense: Dyadic | None = None
        if isinstance(weight, sp.csr_array):
            entries, self._exponent = integers(weight.data)
            self._rows = [
                (weight.indices[a:b].tolist(), entries[a:b])
                for a, b in zip(weight.indptr, weight.indptr[1:], strict=False)
            ]
        else:
            self._dense = dyadic(weight)

    def __matmul__(self, other: Dyadic) -> Dyadic:
        if self._dense is not None:
            return self._dense @ other
        rows, n = other.matrix.tolist(), other.matrix.ncols()
        found: list[Row] = []
        for columns, entries in self._rows:
            used = [rows[j] for j in columns]
            product = fmpz_mat(1, len(columns), entries) * fmpz_mat(used) if used else None
            found.append([fmpz(0)] * n if product is None else product.entries())
        return Dyadic(fmpz_mat(found), self._exponent + other.exponent)


@dataclass(frozen=True)
class _Cuts:
    """The breakpoints of a layer, one entry each: unit, number in its unit, row, value = numerator 2^exponent."""

    unit: list[int]
    number: list[int]
    row: list[int]
    value: list[int]
    exponent: int


class ExactLayer:
    """A layer in integers."""

    def __init__(self, layer: Layer) -> None:
        units = layer.units
        self.weight, self.bias = _Weight(layer.weight), dyadic(layer.bias)
        self.has_bias = bool(layer.bias.any())
        self.n_units, self.n_rows = units.n_units, layer.n_rows
        self.function_of = units.function_of.tolist()
        self.members = [units.rows[a:b].tolist() for a, b in pairwise(units.indptr)]
        self.cuts = _cuts(layer)
        # slopes and intercepts of all functions, each over one power of two
        counts = np.cumsum([0, *(f.n_pieces for f in units.functions)])
        slopes, self.slope_exponent = integers([s for f in units.functions for s in f.slopes])
        intercepts, self.intercept_exponent = integers([c for f in units.functions for c in f.intercepts])
        self.slopes = [slopes[a:b] for a, b in pairwise(counts)]
        self.intercepts = [intercepts[a:b] for a, b in pairwise(counts)]
        self.has_intercepts = any(intercepts)

    def rows(self, inputs: Dyadic) -> Dyadic:
        """Z of the inputs Y."""
        product = self.weight @ inputs
        return shifted(product, self.bias) if self.has_bias else product

    def outputs(self, z: Dyadic, pieces: list[int]) -> Dyadic:
        """Y of the rows Z, on the cell of these pieces."""
        least = z.exponent + min(self.slope_exponent, 0)
        if self.has_intercepts:
            least = min(least, self.intercept_exponent)
        # a winner's row, and a slope's integer, over 2^least
        up = fmpz(1) << (z.exponent - least)
        steep = fmpz(1) << (z.exponent + self.slope_exponent - least)
        flat = fmpz(1) << (self.intercept_exponent - least) if self.has_intercepts else None
        rows, found = z.matrix.tolist(), []
        zero = [fmpz(0)] * z.matrix.ncols()
        for function, members, piece in zip(self.function_of, self.members, pieces, strict=True):
            if function == MAXIMUM:
                found.append(_multiple(rows[members[piece]], up))
                continue
            slope = self.slopes[function][piece]
            row = _multiple(rows[members[0]], steep * slope) if slope else zero
            intercept = self.intercepts[function][piece]
            if intercept and flat is not None:
                row = [*row[:-1], row[-1] + flat * intercept]
            found.append(row)
        return Dyadic(fmpz_mat(found) if found else fmpz_mat(0, z.matrix.ncols()), least)


def _cuts(layer: Layer) -> _Cuts:
    units = layer.units
    found: list[tuple[int, int, int, float]] = []
    for u, function in enumerate(units.function_of.tolist()):
        if function != MAXIMUM:
            row = int(units.rows[units.indptr[u]])
            found += [(u, k, row, b) for k, b in enumerate(units.functions[function].breakpoints)]
    values, exponent = integers([b for *_, b in found])
    return _Cuts([c[0] for c in found], [c[1] for c in found], [c[2] for c in found], values, exponent)


def _multiple(row: Row, factor: Integer) -> Row:
    return row if factor == 1 else [value * factor for value in row]


def shifted(product: Dyadic, bias: Dyadic) -> Dyadic:
    """A product with a bias added to its constants."""
    least = min(product.exponent, bias.exponent)
    matrix, last = fmpz_mat(product.over(least)), product.matrix.ncols() - 1
    for i, value in enumerate(bias.over(least).entries()):
        if value:
            matrix[i, last] += value
    return Dyadic(matrix, least)


def _minus(row: Row, exponent: int, value: int, at: int) -> Row:
    """A row over 2^exponent minus the constant value 2^at, over whatever is smaller."""
    if not value:
        return row
    if at >= exponent:
        return [*row[:-1], row[-1] - (value << (at - exponent))]
    up = fmpz(1) << (exponent - at)
    return [*(entry * up for entry in row[:-1]), row[-1] * up - value]


class PulledBack:
    """The rows of a network's layers on the cells of a domain; the last may be one without units.

    Parameters
    ----------
    network : Network
    domain : ExactDomain
    kept : how many matrices are remembered

    Attributes
    ----------
    depth : number of unit layers
    """

    def __init__(self, network: Network, domain: ExactDomain, kept: int = KEPT) -> None:
        self.domain, self.depth = domain, len(network.unit_layers)
        self._layers = [ExactLayer(layer) for layer in network.layers]
        self._cut_at = np.cumsum([0, *(len(layer.cuts.row) for layer in self._layers)]).tolist()
        self._unit_at = np.cumsum([0, *(layer.n_units for layer in self._layers)]).tolist()
        self._recent = _Recent(kept)

    def starts(self, layer: int) -> tuple[int, int]:
        """Numbers of cuts and of units of the layers before a layer."""
        return self._cut_at[layer], self._unit_at[layer]

    def _before(self, layer: int, sides: Decisions, winners: Decisions) -> tuple[Any, ...]:
        n_cuts, n_units = self.starts(layer)
        return layer, sides[:n_cuts].tobytes(), winners[:n_units].tobytes()

    def rows(self, layer: int, sides: Decisions, winners: Decisions) -> Dyadic:
        """Z of a layer, (n_rows, d + 1), on the cell of the decisions before it, which has to be decided throughout.

        Raises
        ------
        ValueError
            If a decision of the layers before is open.
        """
        key = ("rows", *self._before(layer, sides, winners))

        def compute() -> Dyadic:
            inputs = self.domain.inputs if layer == 0 else self.outputs(layer - 1, sides, winners)
            return self._layers[layer].rows(inputs)

        return self._recent(key, compute)

    def outputs(self, layer: int, sides: Decisions, winners: Decisions) -> Dyadic:
        """Y of a layer, (n_units, d + 1), on the cell of the decisions of it and of those before."""
        z = self.rows(layer, sides, winners)
        return self._layers[layer].outputs(z, self.pieces(layer, sides, winners))

    def pieces(self, layer: int, sides: Decisions, winners: Decisions) -> list[int]:
        """The pieces of a layer's units.

        Raises
        ------
        ValueError
            If one is open.
        """
        exact, (cut, unit) = self._layers[layer], self.starts(layer)
        found = [0] * exact.n_units
        for u, side in zip(exact.cuts.unit, sides[cut:].tolist(), strict=False):
            if side == OPEN:
                raise ValueError(f"unit {u} of layer {layer} is not decided")
            found[u] += side
        for u, members in enumerate(exact.members):
            if exact.function_of[u] == MAXIMUM and len(members) > 1:
                found[u] = int(winners[unit + u])
                if found[u] == OPEN:
                    raise ValueError(f"unit {u} of layer {layer} is not decided")
        return found

    def cut(self, layer: int, number: int, sides: Decisions, winners: Decisions) -> Row:
        """The form row - breakpoint of cut `number` of a layer, primitive."""
        z, cuts = self.rows(layer, sides, winners), self._layers[layer].cuts
        row = _row(z.matrix, cuts.row[number])
        return primitive(_minus(row, z.exponent, cuts.value[number], cuts.exponent))

    def cuts(self, layer: int, sides: Decisions, winners: Decisions) -> list[Row]:
        """The forms of all cuts of a layer, row - breakpoint, as positive multiples of themselves."""
        z, cuts = self.rows(layer, sides, winners), self._layers[layer].cuts
        rows = z.matrix.tolist()
        values = zip(cuts.row, cuts.value, strict=True)
        return [_minus(rows[row], z.exponent, value, cuts.exponent) for row, value in values]

    def difference(self, layer: int, unit: int, first: int, second: int, sides: Decisions, winners: Decisions) -> Row:
        """The form of one candidate of a maximum minus another, primitive; candidates by their positions."""
        z, members = self.rows(layer, sides, winners), self._layers[layer].members[unit]
        pair = (_row(z.matrix, members[k]) for k in (first, second))
        return primitive([a - b for a, b in zip(*pair, strict=True)])

    def linear(self, layer: int, sides: Decisions, winners: Decisions) -> list[Row]:
        """The linear part of Y of a layer, as rows without their constants."""
        return [row[:-1] for row in self.outputs(layer, sides, winners).matrix.tolist()]

    def cone(self, layer: int, sides: Decisions, winners: Decisions, matters: Decisions | None = None) -> Cone:
        """The cone over the cell of all decisions of the layers before `layer`, and of those of `layer` that are not open.

        Parameters
        ----------
        matters : for each cut whether it is to be a form of the cone, if it is decided; by default all
        """
        matters = np.ones(len(sides), np.bool_) if matters is None else matters
        blocks = list(self.domain.blocks)
        for k in range(layer + 1):
            cuts = slice(self.starts(k)[0], self.starts(k + 1)[0])
            key = ("forms", *self._before(k + 1, sides, winners), matters[cuts].tobytes())
            blocks.append(self._recent(key, partial(self._forms, k, sides, winners, matters)))
        return Cone(self.domain.dim + 1, blocks, self.domain.frame)

    def _forms(self, layer: int, sides: Decisions, winners: Decisions, matters: Decisions) -> Forms:
        """The forms that are positive by the decisions of one layer, each once."""
        exact, (cut, unit) = self._layers[layer], self.starts(layer)
        z, cuts = self.rows(layer, sides, winners), exact.cuts
        made: dict[tuple[int, ...], Row] = self._recent(("made", *self._before(layer, sides, winners)), dict)
        found: dict[tuple[Integer, ...], tuple[Row, Label]] = {}

        def add(name: tuple[int, ...], label: Label, make: Callable[[], Row]) -> None:
            if name not in made:
                made[name] = primitive(make())
            found.setdefault(tuple(made[name]), (made[name], label))

        for k in np.flatnonzero(matters[cut : cut + len(cuts.row)]).tolist():
            side = int(sides[cut + k])
            if side != OPEN:
                add((k, side), (layer, cuts.unit[k], cuts.number[k]), partial(_side, z, cuts, k, side))
        for u, winner in enumerate(winners[unit : unit + exact.n_units].tolist()):
            members = exact.members[u]
            if winner == OPEN or exact.function_of[u] != MAXIMUM:
                continue
            for k, other in enumerate(members):
                if k != winner:
                    add((u, winner, k), (layer, u, k), partial(_difference, z, members[winner], other))
        return Forms.of((row for row, _ in found.values()), (label for _, label in found.values()))


def _side(z: Dyadic, cuts: _Cuts, k: int, side: int) -> Row:
    """The form that is positive on one side of a cut."""
    form = _minus(_row(z.matrix, cuts.row[k]), z.exponent, cuts.value[k], cuts.exponent)
    return form if side else [-value for value in form]


def _difference(z: Dyadic, row: int, other: int) -> Row:
    return [a - b for a, b in zip(_row(z.matrix, row), _row(z.matrix, other), strict=True)]


def _row(matrix: fmpz_mat, i: int) -> Row:
    return [matrix[i, j] for j in range(matrix.ncols())]
