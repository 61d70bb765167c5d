"""Layers in which nothing is rounded: small integers, and dyadic numbers like them.

Sums and products of multiples of 2^a are multiples of a power of two again, and float64 holds multiples of 2^a exactly up to
2^(a + 53). So if all weights, biases, slopes, intercepts and numbers of the domain are coarse, and no row can get large, every
pulled-back row is exact on every cell, whatever the order of the sums. This depends on the network and the domain alone.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from regionenum.engine.problem import Problem
from regionenum.network.layers import Layer
from regionenum.network.units import Floats

NONE = 1 << 12
"""Lowest exponent of numbers that are all 0."""
BITS = 52


class Grid(NamedTuple):
    """Numbers that are multiples of 2^lowest, and what sums of their magnitudes in a row are bounded by."""

    lowest: int
    size: float
    is_exact: bool


def lowest_of(*arrays: Any) -> int:
    """The largest a such that all numbers are multiples of 2^a; NONE if all are 0."""
    found = NONE
    for array in arrays:
        values = np.asarray(array.data if sp.issparse(array) else array, np.float64).ravel()
        values = values[values != 0.0]
        if len(values):
            mantissa, exponent = np.frexp(values)
            whole = np.abs(np.ldexp(mantissa, 53)).astype(np.int64)
            zeros = np.frexp((whole & -whole).astype(np.float64))[1] - 1
            found = min(found, int((exponent - 53 + zeros).min()))
    return found


def grids_of(problem: Problem) -> list[Grid]:
    """The numbers that the rows of each layer are made of, of the last affine one too, as functions of z (`tables.py`)."""
    layers, chart = problem.network.layers, problem.chart
    lower, width = chart.bounds
    first = layers[0]
    weight, directions = lowest_of(first.weight), lowest_of(chart.directions)
    inputs = directions + min(lowest_of(lower), lowest_of(width))
    lowest = min(weight + min(lowest_of(chart.origin), inputs), lowest_of(first.bias))
    with np.errstate(over="ignore", invalid="ignore"):
        reach = np.asarray(abs(chart.origin) + abs(chart.directions) @ (np.abs(lower) + 3.0 * np.abs(width)))
        size = _largest(first, reach)
        grids = [_grid(problem, first, lowest, size, not chart.rounded)]
        for before, layer in pairwise(layers):
            functions = before.units.functions
            slopes = [s for f in functions for s in f.slopes]
            intercepts = [c for f in functions for c in f.intercepts]
            lowest = min(grids[-1].lowest + min(lowest_of(slopes), 0), lowest_of(intercepts))
            size = grids[-1].size * max([1.0, *map(abs, slopes)]) + max([0.0, *map(abs, intercepts)])
            lowest = min(lowest_of(layer.weight) + lowest, lowest_of(layer.bias))
            grids.append(
                _grid(problem, layer, lowest, _largest(layer, np.full(before.n_out, size)), grids[-1].is_exact)
            )
    return grids


def _largest(layer: Layer, inputs: Floats) -> float:
    """Bound of the magnitudes of a layer's rows, term by term, for inputs of these magnitudes."""
    return float((np.asarray(abs(layer.weight) @ inputs) + np.abs(layer.bias)).max(initial=0.0))


def _grid(problem: Problem, layer: Layer, lowest: int, size: float, so_far: bool) -> Grid:
    """With the breakpoints that are subtracted from rows, differences of rows, and sums of their coefficients."""
    breakpoints = [b for f in layer.units.functions for b in f.breakpoints]
    lowest = min(lowest, lowest_of(breakpoints))
    size += max([0.0, *map(abs, breakpoints)])
    fits = 0.0 < size < 2.0**1000 and math.log2(size * 4 * (problem.dim + 3)) - lowest <= BITS
    return Grid(lowest, size, so_far and -1000 < lowest < 1000 and fits)
