"""Random small networks of all kinds for hypothesis, with dyadic weights so that degenerate cases really occur.

Products and sums of these weights are exact in float64, so zero, equal and proportional rows are what they seem.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from regionenum.domain import Box
from regionenum.network.layers import Layer, Network
from regionenum.network.units import IDENTITY, MAXIMUM, RELU, PiecewiseLinear, Units, leaky_relu

HARDTANH = PiecewiseLinear((-1.0, 1.0), (0.0, 1.0, 0.0), (-1.0, 0.0, 1.0))
STAIRS = PiecewiseLinear((-1.0, 0.0, 0.5), (1.0, 0.0, -2.0, 1.0), (0.0, -1.0, -1.0, -2.5))
FUNCTIONS = (RELU, leaky_relu(0.25), leaky_relu(-1.0), leaky_relu(0.0), HARDTANH, STAIRS, IDENTITY)

MAX_UNITS = 5

numbers = st.integers(-6, 6).map(lambda k: k / 2.0)
positive_powers = st.sampled_from([0.5, 1.0, 2.0])


def integers(low: int, high: int) -> st.SearchStrategy[int]:
    """Short for `st.integers`."""
    return st.integers(low, high)


@st.composite
def affine_maps(draw: Any, n_in: int, n_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Weight and bias; rows may be fresh, zero, the identity's, or a multiple of an earlier one (bias included)."""
    rows: list[list[float]] = []
    biased = draw(st.booleans())
    for _ in range(n_rows):
        kind = draw(st.sampled_from(["fresh", "fresh", "fresh", "fresh", "multiple", "zero", "identity"]))
        row = [draw(numbers) for _ in range(n_in)] + [draw(numbers) if biased else 0.0]
        if kind == "multiple" and rows:
            factor = draw(positive_powers) * draw(st.sampled_from([1, -1]))
            row = [factor * v for v in draw(st.sampled_from(rows))]
        elif kind == "zero":
            row[:-1] = [0.0] * n_in
        elif kind == "identity":
            row = list(np.eye(n_in + 1)[draw(integers(0, n_in - 1))])
        rows.append(row)
    matrix = np.array(rows) + 0.0
    return np.ascontiguousarray(matrix[:, :-1]), np.ascontiguousarray(matrix[:, -1])


@st.composite
def unit_lists(draw: Any, n_rows: int) -> Units:
    """Pointwise units, maxima over overlapping groups, or a mixture of both."""
    kind = draw(st.sampled_from(["relu", "pointwise", "maxima", "mixed"]))
    if kind == "relu":
        return Units.pointwise(RELU, n_rows)
    function_of: list[int] = []
    groups: list[list[int]] = []
    if kind in ("pointwise", "mixed"):
        for row in range(n_rows):
            function_of.append(draw(integers(0, len(FUNCTIONS) - 1)))
            groups.append([row])
    if kind in ("maxima", "mixed"):
        for _ in range(draw(integers(1, 3))):
            size = draw(integers(1, min(n_rows, 4)))
            function_of.append(MAXIMUM)
            groups.append(draw(st.permutations(range(n_rows)))[:size])
    indptr = np.cumsum([0, *map(len, groups)])
    return Units(FUNCTIONS, np.array(function_of, np.int64), indptr, np.concatenate(groups).astype(np.int64))


@st.composite
def boxes(draw: Any, n_in: int) -> Box:
    """Dyadic bounds around or beside 0; one coordinate may be fixed."""
    lower = [draw(integers(-4, 1)) / 2.0 for _ in range(n_in)]
    width = [draw(integers(1, 8)) / 2.0 for _ in range(n_in)]
    if n_in > 1 and draw(integers(0, 4)) == 0:
        width[draw(integers(0, n_in - 1))] = 0.0
    return Box(np.array(lower), np.array(lower) + np.array(width))


@st.composite
def networks(draw: Any, max_in: int = 4, max_layers: int = 3, max_units: int = MAX_UNITS) -> Network:
    """A chain of 1 to `max_layers` unit layers on 1 to `max_in` inputs; with or without an affine layer at the end."""
    n_in = n = draw(integers(1, max_in))
    layers = []
    for k in range(draw(integers(1, max_layers))):
        n_rows = draw(integers(1, max_units))
        if k and draw(integers(0, 3)) == 0:
            n_rows, weight, bias = n, np.eye(n), np.zeros(n)
        else:
            weight, bias = draw(affine_maps(n, n_rows))
        units = draw(unit_lists(n_rows))
        if units.is_identity:
            units = Units.pointwise(RELU, n_rows)
        layers.append(Layer(f"layers.{k}", weight, bias, units))
        n = units.n_units
    if draw(st.booleans()):
        weight, bias = draw(affine_maps(n, 2))
        layers.append(Layer("last", weight, bias, Units.identity(2)))
    return Network(tuple(layers), (n_in,))


@st.composite
def cases(draw: Any, max_in: int = 4, max_layers: int = 3, max_units: int = MAX_UNITS) -> tuple[Network, Box]:
    """A network and a box in its input space."""
    network = draw(networks(max_in, max_layers, max_units))
    return network, draw(boxes(network.n_in))
