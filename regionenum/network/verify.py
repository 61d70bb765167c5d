"""Comparing a network with the program it was read from: at which points, and how large a difference rounding explains."""

from __future__ import annotations

import numpy as np

from regionenum.network.layers import Network
from regionenum.network.units import Floats

SCALES = (0.01, 1.0, 10.0, 100.0)

FACTOR = 256.0
"""Tolerance in estimated rounding errors of the program's precision."""


def points(input_shape: tuple[int, ...], n_random: int) -> Floats:
    """(1 + n_random, *input_shape): zero, and random inputs of several scales; always the same."""
    rng = np.random.default_rng(0)
    scales = np.resize(SCALES, n_random).reshape(-1, *[1] * len(input_shape))
    return np.concatenate([np.zeros((1, *input_shape)), scales * rng.standard_normal((n_random, *input_shape))])


def rounding(network: Network, x: Floats) -> Floats:
    """Estimated rounding error of a forward pass, (n_points, n_out), in units of the machine epsilon.

    The estimate is carried through the layers in quadrature; it is no bound, hence a generous factor. A misread layer
    differs by far more.
    """
    y, error = x, np.zeros_like(x)
    with np.errstate(over="ignore", invalid="ignore"):
        for layer in network.layers:
            magnitude = (abs(layer.weight) @ abs(y).T).T + abs(layer.bias)
            error = np.sqrt(((layer.weight * layer.weight) @ (error**2).T).T) + magnitude
            units = layer.units
            steepest = max((abs(s) for f in units.functions for s in f.slopes), default=1.0)
            error = max(1.0, steepest) * np.maximum.reduceat(error[:, units.rows], units.indptr[:-1], axis=1)
            y = units.apply(layer.preactivations(y))
    return error
