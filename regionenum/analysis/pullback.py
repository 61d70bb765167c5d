"""The rows of a network on known regions, pulled back to the domain's coordinates.

On a region with known pieces every row is an affine form a.y + c of the coordinates y of the domain; a *form* here is the
vector (a, c) of length d + 1, and the regions are the last axis of every array of forms. All regions of a block are
pulled back at once, layer by layer, by one matrix product for each layer, dense or sparse.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from regionenum.domain import Chart, HalfSpaces
from regionenum.network.layers import Layer, Network
from regionenum.network.units import MAXIMUM, Floats, Ints, Units

Pieces = npt.NDArray[np.integer]

ROUNDING = 1e-13
"""Size of rounding errors, relative to the sum of the magnitudes that went into a form."""

_BLOCK_NUMBERS = 1 << 22
"""Numbers in the forms of one layer of a block, at most; the regions of a block follow from it."""


def coordinates(chart: Chart) -> Floats:
    """The forms (n_in, d + 1) of the input values."""
    origin = chart.to_input(np.zeros((1, chart.dim)))[0]
    columns = chart.to_input(np.eye(chart.dim)) - origin
    return np.concatenate([columns, origin[None]]).T


def sides_of(chart: Chart) -> HalfSpaces:
    """The sides of the domain, those of the unit cube included: all that plots need to know of its shape."""
    sides = HalfSpaces.joined(HalfSpaces.cube(np.zeros(chart.dim), np.ones(chart.dim)), chart.half_spaces)
    return HalfSpaces(sides.normal, sides.level, ROUNDING * np.abs(sides.forms).max(axis=1))


def blocks(network: Network, dim: int, n: int) -> Iterator[slice]:
    """Blocks of n regions that are small enough for `Pullback`."""
    widest = max((layer.n_rows for layer in network.layers), default=1)
    size = max(1, _BLOCK_NUMBERS // (widest * (dim + 1)))
    yield from (slice(start, min(n, start + size)) for start in range(0, n, size))


class Pullback:
    """The forms of a block of regions, layer by layer.

    Iterating yields the conditions of all units that make these regions, one after another, each as n half-spaces: the k-th is
    that of region k. A value of at least -error counts as inside, and a half-space whose normal and level are within the error
    says nothing. After that `outputs` holds the forms of the network's outputs.

    Parameters
    ----------
    chart : the domain's coordinates; None for the inputs themselves as coordinates
    pieces : (n, n_units) pieces of the units of all unit layers

    Attributes
    ----------
    outputs : (n_out, d + 1, n) forms
    """

    def __init__(self, network: Network, chart: Chart | None, pieces: Pieces) -> None:
        self._network, self._pieces = network, pieces
        start = np.eye(network.n_in, network.n_in + 1) if chart is None else coordinates(chart)
        self.outputs = np.broadcast_to(start[..., None], (*start.shape, len(pieces)))

    def __iter__(self) -> Iterator[HalfSpaces]:
        for units, pieces, forms, slack in self._layers():
            yield from _conditions(units, pieces, forms, slack)

    def to_outputs(self) -> Floats:
        """The forms (n_out, d + 1, n) of the outputs, without the conditions."""
        for _ in self._layers():
            pass
        return self.outputs

    def _layers(self) -> Iterator[tuple[Units, Ints, Floats, Floats]]:
        start = 0
        for layer in self._network.layers:
            forms, slack = _rows(layer, self.outputs)
            if layer.units.is_identity:
                self.outputs = forms
                continue
            pieces = self._pieces[:, start : start + layer.n_out].T.astype(np.int64)
            start += layer.n_out
            yield layer.units, pieces, forms, slack
            self.outputs = _outputs(layer.units, pieces, forms)


def _rows(layer: Layer, forms: Floats) -> tuple[Floats, Floats]:
    """The forms (n_rows, d + 1, n) of a layer's rows, and their slack (n_rows, n)."""
    n_in, width, n = forms.shape
    rows = np.asarray(layer.weight @ forms.reshape(n_in, width * n)).reshape(layer.n_rows, width, n)
    rows[:, -1] += layer.bias[:, None]
    weights = np.asarray(abs(layer.weight).sum(axis=1)).reshape(-1)
    largest = np.abs(forms).max(axis=(0, 1), initial=0.0)
    return rows, ROUNDING * (weights[:, None] * largest + np.abs(layer.bias)[:, None])


def _conditions(units: Units, pieces: Pieces, forms: Floats, slack: Floats) -> Iterator[HalfSpaces]:
    everywhere = np.arange(forms.shape[2])
    for u in range(units.n_units):
        rows = units.rows[units.indptr[u] : units.indptr[u + 1]]
        if units.function_of[u] == MAXIMUM:
            winner = rows[pieces[u]]
            best = forms[winner, :, everywhere].T
            for row in rows if len(rows) > 1 else ():
                yield HalfSpaces.positive((best - forms[row]).T, slack[winner, everywhere] + slack[row])
            continue
        for k, breakpoint in enumerate(units.functions[units.function_of[u]].breakpoints):
            moved = forms[rows[0]].copy()
            moved[-1] -= breakpoint
            moved *= np.where(pieces[u] > k, 1.0, -1.0)
            yield HalfSpaces.positive(moved.T, slack[rows[0]] + ROUNDING * abs(breakpoint))


def _outputs(units: Units, pieces: Pieces, forms: Floats) -> Floats:
    """The forms (n_units, d + 1, n) of the units' outputs."""
    out = np.empty((units.n_units, *forms.shape[1:]))
    for k, function in enumerate(units.functions):
        chosen = np.flatnonzero(units.function_of == k)
        piece = pieces[chosen]
        out[chosen] = np.asarray(function.slopes)[piece][:, None] * forms[units.rows[units.indptr[chosen]]]
        out[chosen, -1] += np.asarray(function.intercepts)[piece]
    maxima = np.flatnonzero(units.function_of == MAXIMUM)
    winners = units.rows[units.indptr[maxima][:, None] + pieces[maxima]]
    axes = np.ogrid[: forms.shape[1], : forms.shape[2]]
    out[maxima] = forms[winners[:, None], *axes]
    return out
