"""Operations on the values of a chain, whatever the file they come from: affine maps, and units that close a layer.

Front ends (`torch_ops.py`, `onnx_ops.py`) read the arguments of their operations and call these. Arrays are float64,
tensors are flattened in row-major order, and every shape has a batch axis of size 1 in front.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from regionenum.network.affine import Affine, Matrix
from regionenum.network.chain import Value
from regionenum.network.filters import Filter, fuse
from regionenum.network.units import MAXIMUM, Floats, Ints, Units
from regionenum.network.windows import Windows, convolution

NO_VALUE = -1
"""In a table of positions: a constant, or a candidate that does not exist."""


def rearranged(x: Value, positions: Ints, fill: float = 0.0) -> Value:
    """The tensor whose entry i is the entry of x at row positions[i], or `fill` where that is `NO_VALUE`.

    positions : what the same rearrangement makes of `x.positions()`; its shape is the new shape
    """
    return Value(x.affine.select(positions.reshape(-1).astype(np.int64), fill), positions.shape)


def reshaped(x: Value, shape: Sequence[int]) -> Value:
    """The same entries in another shape."""
    return Value(x.affine, tuple(shape))


def broadcast(x: Value, shape: Sequence[int]) -> Value:
    """x, repeated along axes of size 1 as NumPy does."""
    return rearranged(x, np.broadcast_to(x.positions(), tuple(shape)))


def scaled(x: Value, factor: Floats | float) -> Value:
    """factor * x, entry by entry; both are broadcast."""
    factor = np.asarray(factor, np.float64)
    shape = np.broadcast_shapes(x.shape, factor.shape)
    x = broadcast(x, shape)
    factors = np.broadcast_to(factor, shape).reshape(-1)
    return x if np.all(factors == 1.0) else Value(x.affine.scaled(factors, np.zeros_like(factors)), shape)


def shifted(x: Value, shift: Floats | float) -> Value:
    """x + shift, entry by entry; both are broadcast."""
    shift = np.asarray(shift, np.float64)
    shape = np.broadcast_shapes(x.shape, shift.shape)
    return Value(broadcast(x, shape).affine.shifted(np.broadcast_to(shift, shape).reshape(-1)), shape)


def normalised(x: Value, factor: Floats, shift: Floats) -> Value:
    """factor * x + shift with one entry of both for each channel (axis 1), as of a folded batch normalisation."""
    per_channel = (-1, *[1] * (len(x.shape) - 2))
    factors, shifts = (np.broadcast_to(v.reshape(per_channel), x.shape).reshape(-1) for v in (factor, shift))
    return Value(x.affine.scaled(factors, shifts), x.shape)


def added(x: Value, y: Value) -> Value:
    """x + y; both are broadcast."""
    shape = np.broadcast_shapes(x.shape, y.shape)
    return Value(broadcast(x, shape).affine.plus(broadcast(y, shape).affine), shape)


def constant(like: Value, values: Floats) -> Value:
    """Constants, as a value that can be joined to others; `like` is any value of the same chain at this moment."""
    return Value(Affine.constant(values.reshape(-1).astype(np.float64), like.affine.n_in), values.shape)


def joined(parts: Sequence[Value], axis: int) -> Value:
    """The parts, one behind the other along an axis."""
    starts = np.cumsum([0, *(part.affine.n_rows for part in parts)])
    positions = np.concatenate([p.positions() + start for p, start in zip(parts, starts, strict=False)], axis=axis)
    return rearranged(_beside(parts), positions)


def _beside(parts: Sequence[Value]) -> Value:
    """All entries of all parts, flat."""
    affine = Affine.stacked([part.affine for part in parts])
    return Value(affine, (affine.n_rows,))


def linear(x: Value, weight: Matrix, bias: Floats | None = None) -> Value:
    """W x + b along the last axis; weight : (n_out, n_in)."""
    n = math.prod(x.shape[:-1])
    offset = None if bias is None else np.tile(bias, n)
    return Value(x.affine.then(_blocks(n, weight), offset), (*x.shape[:-1], int(weight.shape[0])))


def mapped(x: Value, matrix: Matrix, shape: Sequence[int]) -> Value:
    """The matrix times all entries of x, flat; for whatever has no operation of its own. matrix : (n_out, n_entries)"""
    return Value(x.affine.then(matrix), tuple(shape))


def convolved(x: Value, weight: Floats, bias: Floats | None, windows: Windows, groups: int) -> Value:
    """Convolution (correlation) with zero padding.

    x : (..., n_channels_in, *windows.size); weight : (n_channels_out, n_channels_in / groups, *windows.kernel)
    """
    y = _every_sample(x, convolution(windows, weight, groups), bias, (weight.shape[0], *windows.out))
    known = _filter(x, weight, windows, groups)
    return y if known is None else Value(replace(y.affine, filtered=(known, y.shape)), y.shape)


def _filter(x: Value, weight: Floats, windows: Windows, groups: int) -> Filter | None:
    """The filter from the state to what a convolution makes of x, or None if it is not one convolution without padding."""
    size = [
        (o - 1) * s + (k - 1) * d + 1
        for o, s, k, d in zip(windows.out, windows.stride, windows.kernel, windows.dilation, strict=True)
    ]
    if any(windows.padding) or any(n > m for n, m in zip(size, windows.size, strict=True)) or x.shape[0] != 1:
        return None
    n_out, n_group = weight.shape[:2]
    full = np.zeros(
        (n_out, groups * n_group, *((k - 1) * d + 1 for k, d in zip(windows.kernel, windows.dilation, strict=True)))
    )
    for out in range(n_out):
        first = out // (n_out // groups) * n_group
        at: Any = (out, slice(first, first + n_group), *(slice(None, None, d) for d in windows.dilation))
        full[at] = weight[out]
    this = Filter(full, tuple(windows.stride))
    if x.affine.matrix is None:
        return this
    before, shape = x.affine.filtered or (None, ())
    return fuse(before, this) if before is not None and shape == x.shape else None


def transposed_convolved(x: Value, weight: Floats, bias: Floats | None, windows: Windows, groups: int) -> Value:
    """Transposed convolution: the transpose of the convolution with these windows, from windows.out to windows.size.

    x : (..., n_channels_in, *windows.out); weight : (n_channels_in, n_channels_out / groups, *windows.kernel);
    windows : of the convolution that this one transposes
    """
    matrix = sp.csr_array(convolution(windows, weight, groups).T)
    return _every_sample(x, matrix, bias, (weight.shape[1] * groups, *windows.size))


def _every_sample(x: Value, matrix: sp.csr_array, bias: Floats | None, image: tuple[int, ...]) -> Value:
    """The matrix of a convolution applied to every sample; image : shape of one result."""
    outer = x.shape[: len(x.shape) - len(image)]
    n = math.prod(outer)
    offset = None if bias is None else np.tile(np.repeat(bias, math.prod(image[1:])), n)
    return Value(x.affine.then(_blocks(n, matrix), offset), (*outer, *image))


def averaged(x: Value, windows: Windows, divisors: Floats) -> Value:
    """Average pooling over the last axes: sums over the windows, divided by divisors (n_out_pixels,)."""
    outer = x.shape[: len(x.shape) - len(windows.size)]
    n = math.prod(outer)
    return mean_over(x, windows_table(windows, n), (*outer, *windows.out), np.tile(divisors, n))


def summed(x: Value, axes: Sequence[int], *, keep: bool, factor: float = 1.0) -> Value:
    """factor times the sum over some axes."""
    table = gathered(x, axes)
    n = table.shape[1]
    indptr = np.arange(0, table.size + 1, n)
    matrix = sp.csr_array((np.full(table.size, factor), table.reshape(-1), indptr), shape=(len(table), x.affine.n_rows))
    return Value(x.affine.then(matrix), reduced_shape(x.shape, axes, keep=keep))


def gathered(x: Value, axes: Sequence[int]) -> Ints:
    """(n_out, n) rows of x that a reduction over these axes brings together, in row-major order."""
    axes = [a % len(x.shape) for a in axes] if len(axes) else list(range(len(x.shape)))
    rest = [a for a in range(len(x.shape)) if a not in axes]
    n = math.prod(x.shape[a] for a in axes)
    return x.positions().transpose(*rest, *sorted(axes)).reshape(-1, n)


def reduced_shape(shape: Sequence[int], axes: Sequence[int], *, keep: bool) -> tuple[int, ...]:
    """What is left of a shape when these axes (all, if none is given) are reduced."""
    chosen = {a % len(shape) for a in axes} if len(axes) else set(range(len(shape)))
    return tuple(1 if a in chosen else size for a, size in enumerate(shape) if keep or a not in chosen)


def maxima(table: Ints) -> Units:
    """One maximum for every row of a table of candidates; `NO_VALUE` is none.

    Raises
    ------
    ValueError
        If a row has no candidate: its maximum would be minus infinity.
    """
    present = table >= 0
    if not present.any(axis=1).all():
        raise ValueError("a pooling window lies entirely in the padding, so its maximum is minus infinity")
    indptr = np.concatenate([[0], np.cumsum(np.count_nonzero(present, axis=1))]).astype(np.int64)
    return Units((), np.full(len(table), MAXIMUM, np.int64), indptr, table[present].astype(np.int64))


def pairs(x: Value, y: Value) -> tuple[Value, Units]:
    """What `maximum(x, y)` reads, and its units: the entries of both, broadcast, and one group for every pair.

    The shape of the units' outputs is that of x and y broadcast.
    """
    shape = np.broadcast_shapes(x.shape, y.shape)
    both = _beside([broadcast(x, shape), broadcast(y, shape)])
    n = math.prod(shape)
    return both, maxima(np.stack([np.arange(n), n + np.arange(n)], axis=1))


def windows_table(windows: Windows, n_images: int) -> Ints:
    """(n_images * n_out_pixels, n_kernel) rows under every window of a pooling, `NO_VALUE` in the padding."""
    return _every_image(windows.table(), n_images, windows.n_pixels)


def adaptive_table(size: Sequence[int], out: Sequence[int], n_images: int) -> Ints:
    """The same for adaptive pooling: along an axis, output o covers the inputs floor(o s / n) .. ceil((o + 1) s / n) - 1."""
    table = np.zeros((1, 1), np.int64)
    for n_in, n_out in zip(size, out, strict=True):
        o = np.arange(n_out)
        start, end = o * n_in // n_out, -(-(o + 1) * n_in // n_out)
        position = start[:, None] + np.arange(int((end - start).max()))
        valid = position < end[:, None]
        shape = (len(table) * n_out, table.shape[1] * position.shape[1])
        inside = ((table >= 0)[:, None, :, None] & valid[None, :, None, :]).reshape(shape)
        table = np.where(inside, (table[:, None, :, None] * n_in + position[None, :, None, :]).reshape(shape), NO_VALUE)
    return _every_image(table, n_images, math.prod(size))


def mean_over(x: Value, table: Ints, shape: Sequence[int], divisors: Floats | None = None) -> Value:
    """The sum over each row of a table, divided by the number of its entries or by `divisors` (n_out,)."""
    present = table >= 0
    counts = np.count_nonzero(present, axis=1)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    data = np.repeat(1.0 / (counts if divisors is None else divisors), counts)
    return mapped(x, sp.csr_array((data, table[present], indptr), shape=(len(table), x.affine.n_rows)), shape)


def _every_image(table: Ints, n_images: int, n_pixels: int) -> Ints:
    moved = table[None] + (np.arange(n_images) * n_pixels)[:, None, None]
    return np.where(table[None] >= 0, moved, NO_VALUE).reshape(-1, table.shape[1])


def _blocks(n: int, matrix: Matrix) -> Matrix:
    """The block-diagonal matrix of n copies."""
    return matrix if n == 1 else sp.csr_array(sp.kron(sp.eye_array(n), matrix, format="csr"))
