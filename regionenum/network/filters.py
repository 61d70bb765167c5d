"""Filters of convolutions, and their composition.

A linear convolutional network, convolutions one after another without units between them, is one convolution (Kohn,
Merkh, Montúfar, Trager: Geometry of linear convolutional networks, arXiv 2108.01538). The enumerator sees its matrix;
its filter is kept beside the layer for reading.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from types import EllipsisType

import numpy as np

from regionenum.errors import InputError
from regionenum.network.units import Floats


@dataclass(frozen=True, eq=False)
class Filter:
    """The filter of a convolution without padding or dilation, in any number of axes.

    With weight w and stride s the convolution takes x (c_in, *size) to
    y[o, p] = sum over i and a of w[o, i, a] x[i, s p + a].

    Attributes
    ----------
    weight : (c_out, c_in, *kernel) float64
    stride : one positive integer for each axis of the kernel

    Raises
    ------
    InputError
        If the stride does not have one positive integer for each axis, or a size is zero.
    """

    weight: Floats
    stride: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", np.asarray(self.weight, np.float64))
        object.__setattr__(self, "stride", tuple(int(s) for s in self.stride))
        if self.weight.ndim != len(self.stride) + 2 or min(self.stride, default=1) < 1 or 0 in self.weight.shape:
            raise InputError(
                f"filter: weight has shape {self.weight.shape} and stride is {self.stride}; give a weight of shape "
                "(c_out, c_in, *kernel) and one positive stride for each axis of the kernel"
            )

    @property
    def kernel(self) -> tuple[int, ...]:
        """Size of the window along each axis."""
        return self.weight.shape[2:]


def fuse(first: Filter, second: Filter) -> Filter:
    """The filter of the composition: `first`, then `second`.

    Write a filter along one axis as a polynomial w(t) = sum of w[a] t^a, a matrix of channels for each a. The composition of
    (w1, s1) and (w2, s2) is w(t) = w2(t^s1) w1(t): kernel k1 + (k2 - 1) s1, stride s1 s2; the same holds axis by axis.
    Sums are taken in float64.

    Raises
    ------
    InputError
        If the channels or the numbers of axes do not fit.
    """
    if first.weight.shape[0] != second.weight.shape[1] or len(first.stride) != len(second.stride):
        raise InputError(
            f"filters of shapes {first.weight.shape} and {second.weight.shape} cannot follow each other; the output "
            "channels and axes of the first must be the input channels and axes of the second"
        )
    axes = list(zip(first.kernel, second.kernel, first.stride, strict=True))
    weight = np.zeros((second.weight.shape[0], first.weight.shape[1], *(k1 + (k2 - 1) * s for k1, k2, s in axes)))
    for b in itertools.product(*(range(k2) for k2 in second.kernel)):
        window: tuple[EllipsisType | slice, ...] = (
            ...,
            *(slice(j * s, j * s + k1) for j, (k1, _, s) in zip(b, axes, strict=True)),
        )
        at: tuple[EllipsisType | int, ...] = (..., *b)
        weight[window] += np.tensordot(second.weight[at], first.weight, axes=1)
    return Filter(weight, tuple(s * t for s, t in zip(first.stride, second.stride, strict=True)))
