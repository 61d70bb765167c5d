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


def _affine_map(rng: np.random.Generator, n_in: int, n_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Weight and bias; rows may be fresh, zero, the identity's, or a multiple of an earlier one (bias included)."""
    rows: list[np.ndarray] = []
    biased = rng.random() < 0.7
    for _ in range(n_rows):
        kind = rng.choice(["fresh", "multiple", "zero", "identity"], p=[0.75, 0.12, 0.05, 0.08])
        row = rng.integers(-6, 7, n_in + 1) / 2.0
        row[-1] *= biased
        if kind == "multiple" and rows:
            row = rng.choice([0.5, 1.0, 2.0]) * rng.choice([-1, 1]) * rows[rng.integers(len(rows))]
        elif kind == "zero":
            row[:-1] = 0.0
        elif kind == "identity":
            row = np.eye(n_in + 1)[rng.integers(n_in)]
        rows.append(row)
    # Adding 0 turns -0 into 0.
    matrix = np.array(rows) + 0.0
    return np.ascontiguousarray(matrix[:, :-1]), np.ascontiguousarray(matrix[:, -1])


def _units(rng: np.random.Generator, n_rows: int) -> Units:
    """Pointwise units, maxima over overlapping groups, or a mixture of both."""
    kind = rng.choice(["relu", "pointwise", "maxima", "mixed"], p=[0.4, 0.25, 0.15, 0.2])
    if kind == "relu":
        return Units.pointwise(RELU, n_rows)
    function_of: list[int] = []
    groups: list[np.ndarray] = []
    if kind in ("pointwise", "mixed"):
        function_of += rng.integers(0, len(FUNCTIONS), n_rows).tolist()
        groups += [np.array([row]) for row in range(n_rows)]
    if kind in ("maxima", "mixed"):
        for _ in range(rng.integers(1, 4)):
            function_of.append(MAXIMUM)
            groups.append(rng.permutation(n_rows)[: rng.integers(1, 5)])
    indptr = np.cumsum([0, *map(len, groups)])
    return Units(FUNCTIONS, np.array(function_of, np.int64), indptr, np.concatenate(groups).astype(np.int64))


def _box(rng: np.random.Generator, n_in: int) -> Box:
    """Dyadic bounds around or beside 0; one coordinate may be fixed."""
    lower = rng.integers(-6, 1, n_in) / 2.0
    width = rng.integers(2, 13, n_in) / 2.0
    if n_in > 1 and rng.random() < 0.2:
        width[rng.integers(n_in)] = 0.0
    return Box(lower, lower + width)


def _network(rng: np.random.Generator, n_in: int, sizes: list[int]) -> Network:
    """A chain of one unit layer per size; with or without an affine layer at the end."""
    layers, n = [], n_in
    for k, size in enumerate(sizes):
        if k and rng.random() < 0.25:
            weight, bias = np.eye(n), np.zeros(n)
        else:
            weight, bias = _affine_map(rng, n, size)
        units = _units(rng, len(weight))
        if units.is_identity:
            units = Units.pointwise(RELU, len(weight))
        layers.append(Layer(f"layers.{k}", weight, bias, units))
        n = units.n_units
    if rng.random() < 0.5:
        layers.append(Layer("last", *_affine_map(rng, n, 2), Units.identity(2)))
    return Network(tuple(layers), (n_in,))


@st.composite
def cases(draw: Any, max_in: int = 4, max_layers: int = 3, max_units: int = 6) -> tuple[Network, Box]:
    """A network of 1 to `max_layers` unit layers on 1 to `max_in` inputs, and a box.

    Only inputs and depth are drawn, and shrink; sizes and numbers come from a drawn seed. Weights drawn one by one
    would be so small and so often equal that most networks would have one region.
    """
    n_in = draw(st.sampled_from(range(max_in, 0, -1)))
    depth = draw(st.integers(1, max_layers))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sizes = rng.integers(2, max_units + 1, depth).tolist()
    return _network(rng, n_in, sizes), _box(rng, n_in)
