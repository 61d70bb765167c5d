"""One convolution followed by ReLUs: how many regions its hyperplanes have, with the weights shared as they are.

Xiong, Huang, Yu, Liu, Zhu, Shao: On the number of linear regions of convolutional neural networks (ICML 2020, arXiv
2006.00978) count the sets of units whose windows satisfy Hall's condition. These are the independent sets of normals if
every unit has weights and a bias of its own on its window (a locally connected layer): with biases in general position,
hyperplanes meet if and only if their normals are independent, and an arrangement has one region for each set that meets.
With shared weights it is an upper bound only, since rows in special position have no more regions, and it is not sharp in
two axes: on 3 x 3 inputs, the shifts of 2 x 2 filters p and q of two channels, as polynomials, satisfy q p - p q = 0, a
relation between all eight. So the eight hyperplanes do not meet, unless their biases satisfy it too, while any seven do:
2^8 - 1 = 255 regions, where the formula has 256.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from regionenum.analysis.theory.arguments import whole, wholes
from regionenum.analysis.theory.arrangements import arrangement
from regionenum.analysis.theory.hyperplanes import hyperplane_regions
from regionenum.errors import InputError

BITS = 62
"""Weights of the draw have so many random bits, and a sign."""

MOST_VECTORS = 1_000_000
"""Numbers of channels by position that the formula adds up, at most."""


@dataclass(frozen=True)
class ConvolutionRegions:
    """Regions of one convolution and ReLU over the whole input space.

    Attributes
    ----------
    shared : int
        With shared weights: exact for one draw of the weights, and so reached; the number for almost all weights, and the
        largest there is, unless the draw was in special position. For m units the chance of that is below m 2^(m + 1) /
        2^62.
    locally_connected : int
        The formula of Xiong et al.: an upper bound, sharp for weights and biases that are not shared.
    fully_connected : int
        `arrangement` of as many hyperplanes: an upper bound.
    """

    shared: int
    locally_connected: int
    fully_connected: int


def convolution_layer(
    size: Sequence[int],
    kernel: Sequence[int],
    channels: int,
    stride: int | Sequence[int] = 1,
    channels_in: int = 1,
    *,
    bias: bool = True,
    seed: int = 0,
) -> ConvolutionRegions:
    """How many regions one convolution without padding, followed by ReLUs, has over the whole input space.

    Parameters
    ----------
    size : whole numbers
        Of the input, along each axis.
    kernel : whole numbers
        Of the filters, along each axis.
    channels, channels_in : int
        Filters, and channels of the input.
    stride : int or whole numbers
        For all axes, or for each.
    bias : bool
        Whether each filter has a bias. Without, all hyperplanes pass through 0, and the bounds are those with bias but for
        `fully_connected`.
    seed : int
        Of the draw.

    Raises
    ------
    InputError
        If a number is not as it should be, no window fits, or the formula would have more than a million terms.

    Examples
    --------
    >>> found = convolution_layer((3, 3), (2, 2), 2)
    >>> found.shared, found.locally_connected
    (255, 256)
    """
    name = "convolution_layer"
    sizes = wholes(name, "size", size, 1)
    kernels = wholes(name, "kernel", kernel, 1, len(sizes))
    strides = wholes(name, "stride", [stride] * len(sizes) if isinstance(stride, int) else stride, 1, len(sizes))
    channels, channels_in = whole(name, "channels", channels, 1), whole(name, "channels_in", channels_in, 1)
    for n, k in zip(sizes, kernels, strict=True):
        if k > n:
            raise InputError(f"{name}: kernel {k} does not fit size {n}; give a kernel of {n} or less")
    windows = _windows(sizes, kernels, strides)
    locally_connected = _locally_connected(windows, channels, channels_in)
    n_pixels, n_in = math.prod(sizes), channels_in * math.prod(sizes)
    rows, constants = [], []
    draw = random.Random(seed)
    for _ in range(channels):
        weights = [[_number(draw) for _ in windows[0]] for _ in range(channels_in)]
        constant = _number(draw) if bias else 0
        for window in windows:
            row = [0] * n_in
            for channel, values in enumerate(weights):
                for pixel, value in zip(window, values, strict=True):
                    row[channel * n_pixels + pixel] = value
            rows.append(row)
            constants.append(constant)
    return ConvolutionRegions(
        hyperplane_regions(rows, constants),
        locally_connected,
        arrangement(n_in, len(rows), central=not bias),
    )


def _number(draw: random.Random) -> int:
    return (1 + draw.getrandbits(BITS)) * draw.choice((-1, 1))


def _windows(sizes: tuple[int, ...], kernels: tuple[int, ...], strides: tuple[int, ...]) -> list[list[int]]:
    """The pixels in each window, in row-major order."""
    found = []
    for corner in itertools.product(*(range(0, n - k + 1, s) for n, k, s in zip(sizes, kernels, strides, strict=True))):
        window = []
        for offset in itertools.product(*map(range, kernels)):
            pixel = 0
            for n, at, step in zip(sizes, corner, offset, strict=True):
                pixel = pixel * n + at + step
            window.append(pixel)
        found.append(window)
    return found


def _locally_connected(windows: list[list[int]], channels: int, channels_in: int) -> int:
    """The sum over t of the product of C(channels, t_p), over all t with t_p <= channels units at each position p such that
    any positions together have at least as many inputs in their windows as units in t.
    """
    n = len(windows)
    if (channels + 1) ** n > MOST_VECTORS or n > 16:
        raise InputError(
            f"convolution_layer: {channels} channels at {n} positions give the formula too many terms; give a smaller layer"
        )
    inputs = [0] * 2**n
    for subset in range(1, 2**n):
        inputs[subset] = channels_in * len({i for p in range(n) if subset >> p & 1 for i in windows[p]})
    return _extended(inputs, channels, [0], 0, n)


def _extended(inputs: list[int], channels: int, units: list[int], p: int, n: int) -> int:
    """The sum over t_p, t_(p + 1), ...; units : those of t so far in each subset of the positions before p."""
    if p == n:
        return 1
    found = 0
    for t in range(channels + 1):
        fresh = [t + count for count in units]
        if any(count > inputs[subset | 1 << p] for subset, count in enumerate(fresh)):
            break
        found += math.comb(channels, t) * _extended(inputs, channels, units + fresh, p + 1, n)
    return found
