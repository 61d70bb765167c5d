"""Comparing a network with the program it was read from: at which points, and how large a difference rounding explains."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp

from regionenum.errors import InputError
from regionenum.network.affine import Matrix
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
            magnitude = (_entrywise(np.abs, layer.weight) @ abs(y).T).T + abs(layer.bias)
            error = np.sqrt((_entrywise(np.square, layer.weight) @ (error**2).T).T) + magnitude
            units = layer.units
            steepest = max((abs(s) for f in units.functions for s in f.slopes), default=1.0)
            # Breakpoints and constant pieces are rounded to the precision as well.
            sizes = [max(map(abs, (*f.intercepts, *f.breakpoints))) for f in units.functions]
            rounded = np.array([*sizes, 0.0])[units.function_of]
            error = np.maximum.reduceat(error[:, units.rows], units.indptr[:-1], axis=1) + rounded
            error *= max(1.0, steepest)
            y = units.apply(layer.preactivations(y))
    return error


def same_shape(ours: Floats, theirs: np.ndarray, model: str, program: str) -> None:
    """Refuse a network that has another number of outputs, (n_points, n_out); the names as in `largest_difference`."""
    if ours.shape != theirs.shape:
        raise InputError(
            f"the network read from {model} has {ours.shape[1]} outputs, {program} gives {theirs.shape[1]}; please report "
            "the model"
        )


def largest_difference(ours: Floats, theirs: Floats, tolerance: Floats, model: str, program: str) -> float:
    """The largest difference between a network and a program.

    Parameters
    ----------
    ours, theirs, tolerance : of the same shape; NaN never agrees
    model, program : what the network was read from, and what gives `theirs`, as an error names them

    Raises
    ------
    InputError
        If a difference is larger than its tolerance.
    """
    difference = np.abs(ours - theirs)
    largest = float(difference.max(initial=0.0))
    if not np.all(difference <= tolerance):
        raise InputError(
            f"the network read from {model} differs from {program} by {largest:.3g}, more than rounding explains; please "
            "report the model, and do not use the network"
        )
    return largest


def _entrywise(function: Callable[[Floats], Floats], weight: Matrix) -> Matrix:
    """A function of all entries that is 0 at 0; a sparse matrix shares its structure with the result."""
    if isinstance(weight, np.ndarray):
        return function(weight)
    return sp.csr_array((function(weight.data), weight.indices, weight.indptr), shape=weight.shape)
