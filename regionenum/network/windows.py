"""Sliding windows: the connections of convolutions and poolings, as index tables and sparse matrices.

An image is an array of shape (n_channels, *size), flattened in row-major order; `n_pixels` is the product of its size.
A *window table* lists, for every output position, the pixels under the window. Pixels of the padding are -1, so zero
padding is a connection that does not exist, and minus-infinity padding is a candidate that does not exist. All memory
is proportional to the number of connections.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from regionenum.network.units import Floats, Ints


@dataclass(frozen=True)
class Windows:
    """The windows of a convolution or pooling, axis by axis.

    Along each axis, output o covers the input positions o * stride - padding + j * dilation, j = 0 .. kernel - 1.

    Attributes
    ----------
    size, out : input and output size (`out` is given, because rounding it up is the caller's option)
    kernel, stride, padding, dilation : per axis; `padding` is that before the first pixel
    behind : per axis, the padding after the last pixel; by default as before the first. Only averages ask for it
    """

    size: Sequence[int]
    out: Sequence[int]
    kernel: Sequence[int]
    stride: Sequence[int]
    padding: Sequence[int]
    dilation: Sequence[int]
    behind: Sequence[int] | None = None

    @property
    def n_pixels(self) -> int:
        """Number of pixels of one input channel."""
        return math.prod(self.size)

    def table(self) -> Ints:
        """(n_out_pixels, n_kernel) input pixel of each window position, -1 in the padding; increasing along a row."""
        table = np.zeros((1, 1), np.int64)
        inside = np.ones((1, 1), bool)
        for axis, size in enumerate(self.size):
            starts = np.arange(self.out[axis]) * self.stride[axis] - self.padding[axis]
            position = starts[:, None] + np.arange(self.kernel[axis]) * self.dilation[axis]
            shape = (len(table) * len(position), table.shape[1] * position.shape[1])
            table = (table[:, None, :, None] * size + position[None, :, None, :]).reshape(shape)
            valid = (position >= 0) & (position < size)
            inside = (inside[:, None, :, None] & valid[None, :, None, :]).reshape(shape)
        return np.where(inside, table, -1)

    def areas(self, *, count_padding: bool) -> Floats:
        """(n_out_pixels,) number of pixels under each window, for averaging.

        The padding counts if `count_padding`; what lies beyond the padding (size rounded up) never does.
        """
        areas = np.ones(1)
        behind = self.padding if self.behind is None else self.behind
        for axis, size in enumerate(self.size):
            start = np.arange(self.out[axis]) * self.stride[axis] - self.padding[axis]
            position = start[:, None] + np.arange(self.kernel[axis]) * self.dilation[axis]
            first, last = (-self.padding[axis], size + behind[axis]) if count_padding else (0, size)
            covered = np.count_nonzero((position >= first) & (position < last), axis=1)
            areas = (areas[:, None] * covered).reshape(-1)
        return areas


def convolution(windows: Windows, weight: Floats, groups: int) -> sp.csr_array:
    """The matrix of a convolution.

    weight : (n_channels_out, n_channels_in / groups, *kernel). Returns CSR (n_channels_out * n_out_pixels,
    n_channels_in * n_pixels), with one entry per connection, equal to its weight.
    """
    n_out, n_in_group = weight.shape[:2]
    table = windows.table()
    n_kernel = table.shape[1]
    # For one output channel: the connections of all windows, in row order, as (input pixel, position in the weight).
    n_in = groups * n_in_group * windows.n_pixels
    kind = np.int32 if max(n_in, n_out * n_in_group * table.size) <= np.iinfo(np.int32).max else np.int64
    columns = (np.arange(n_in_group)[:, None] * windows.n_pixels + table[:, None, :]).astype(kind)
    present = np.broadcast_to(table[:, None, :] >= 0, columns.shape)
    position = np.broadcast_to(np.arange(n_in_group * n_kernel).reshape(n_in_group, n_kernel), columns.shape)[present]
    columns = columns[present]
    group = np.arange(n_out) // (n_out // groups)
    indices = (columns + (group * n_in_group * windows.n_pixels).astype(kind)[:, None]).reshape(-1)
    data = np.take(weight.reshape(n_out, -1), position, axis=1).reshape(-1)
    counts = np.tile(np.count_nonzero(present, axis=(1, 2)), n_out)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(kind)
    return sp.csr_array((data, indices, indptr), shape=(len(counts), n_in))
