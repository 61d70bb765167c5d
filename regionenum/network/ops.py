"""Affine operations on the values of a chain, whatever the file they come from; those that close a layer: `unit_ops.py`.

Front ends (`from_torch/`, `from_onnx/`) read the arguments of their operations and call these. Arrays are float64,
tensors are flattened in row-major order, and every shape has a batch axis of size 1 in front.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias, overload

import numpy as np
import scipy.sparse as sp

from regionenum.errors import InputError
from regionenum.network.affine import Affine, Matrix
from regionenum.network.call import AnyCall
from regionenum.network.chain import Value
from regionenum.network.filters import Filter, fuse
from regionenum.network.units import MAXIMUM, Floats, Ints, Units
from regionenum.network.windows import Windows, convolution

NO_VALUE = -1
"""In a table of positions: a constant, or a candidate that does not exist."""

Term: TypeAlias = Value | Floats
"""An operand: a tensor that depends on the input, or a constant."""


# Entries ----------------------------------------------------------------------------------------------------------------


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


def batch_normalised(
    call: AnyCall, x: Value, *, mean: Floats, variance: Floats, epsilon: float, scale: Floats, shift: Floats
) -> Value:
    """(x - mean) / sqrt(variance + epsilon) * scale + shift, channel by channel (axis 1), folded in float64.

    Raises
    ------
    InputError
        If a variance is not positive even with epsilon.
    """
    spread = variance + epsilon
    if not np.all(spread > 0):
        raise call.refuse("has a variance that is not positive; mend or retrain the model")
    factor = scale / np.sqrt(spread)
    per_channel = (-1, *[1] * (len(x.shape) - 2))
    channels = (factor, shift - mean * factor)
    factors, shifts = (np.broadcast_to(v.reshape(per_channel), x.shape).reshape(-1) for v in channels)
    return Value(x.affine.scaled(factors, shifts), x.shape)


def added(x: Value, y: Value) -> Value:
    """x + y; both are broadcast."""
    shape = np.broadcast_shapes(x.shape, y.shape)
    return Value(broadcast(x, shape).affine.plus(broadcast(y, shape).affine), shape)


@overload
def plus(x: Value, y: Term) -> Value: ...
@overload
def plus(x: Term, y: Value) -> Value: ...
@overload
def plus(x: Term, y: Term) -> Term: ...
def plus(x: Term, y: Term) -> Term:
    """x + y; both are broadcast."""
    if isinstance(x, Value):
        return added(x, y) if isinstance(y, Value) else shifted(x, y)
    return shifted(y, x) if isinstance(y, Value) else x + y


def times(call: AnyCall, x: Term, y: Term) -> Term:
    """x y, entry by entry, unless both are values; both are broadcast."""
    if isinstance(x, Value):
        if isinstance(y, Value):
            raise not_affine(call)
        return scaled(x, y)
    return scaled(y, x) if isinstance(y, Value) else x * y


def divided(call: AnyCall, x: Term, y: Term) -> Term:
    """x / y with a constant y that is nowhere 0."""
    if isinstance(y, Value):
        raise call.refuse(
            "divides by a value that depends on the input, which is not piecewise affine; only divide by constants"
        )
    if not np.all(y):
        raise call.refuse("divides by zero; mend or retrain the model")
    return times(call, x, 1.0 / y)


def not_affine(call: AnyCall) -> InputError:
    """The error that refuses a product of two values."""
    return call.refuse("multiplies values that both depend on the input, which is not piecewise affine")


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


# Linear maps ------------------------------------------------------------------------------------------------------------


def linear(x: Value, weight: Matrix, bias: Floats | None = None) -> Value:
    """W x + b along the last axis; weight : (n_out, n_in)."""
    n = math.prod(x.shape[:-1])
    offset = None if bias is None else np.tile(bias, n)
    return Value(x.affine.then(_blocks(n, weight), offset), (*x.shape[:-1], int(weight.shape[0])))


def mapped(x: Value, matrix: Matrix, shape: Sequence[int]) -> Value:
    """The matrix times all entries of x, flat; for whatever has no operation of its own. matrix : (n_out, n_entries)"""
    return Value(x.affine.then(matrix), tuple(shape))


def product(call: AnyCall, a: Term, b: Term) -> Term:
    """a @ b with NumPy's rules for vectors and stacks of matrices, unless both are values."""
    if isinstance(a, Value):
        if isinstance(b, Value):
            raise not_affine(call)
        return _times_matrix(a, b)
    if not isinstance(b, Value):
        return np.asarray(a @ b)
    if a.ndim == 1 or len(b.shape) == 1:
        return _times_matrix(b if len(b.shape) == 1 else transposed(b), a if a.ndim == 1 else np.swapaxes(a, -1, -2))
    # W X = (X' W')'
    return transposed(_times_matrix(transposed(b), np.swapaxes(a, -1, -2)))


def product_shape(a: Sequence[int], b: Sequence[int]) -> tuple[int, ...]:
    """The shape of a @ b.

    Raises
    ------
    ValueError
        If the shapes do not fit, or one of them is that of a number.
    """
    if not len(a) or not len(b):
        raise ValueError("a number is no matrix")
    if a[-1] != b[-2 if len(b) > 1 else -1]:
        raise ValueError("the inner sizes differ")
    return (*np.broadcast_shapes(tuple(a[:-2]), tuple(b[:-2])), *a[-2:-1], *(b[-1:] if len(b) > 1 else ()))


def transposed(x: Value) -> Value:
    """x with its last two axes exchanged."""
    return rearranged(x, np.swapaxes(x.positions(), -1, -2))


def _times_matrix(x: Value, weight: Floats) -> Value:
    """x @ weight, with a row of the matrix for each entry of the result."""
    shape = product_shape(x.shape, weight.shape)
    matrix = weight if weight.ndim > 1 else weight[:, None]
    if matrix.ndim == 2:
        return reshaped(linear(x, np.ascontiguousarray(matrix.T)), shape)
    rows = x.positions() if len(x.shape) > 1 else x.positions()[None]
    stack = np.broadcast_shapes(rows.shape[:-2], matrix.shape[:-2])
    full = (*stack, rows.shape[-2], matrix.shape[-1], rows.shape[-1])
    columns = np.broadcast_to(rows[..., :, None, :], full).reshape(-1)
    data = np.broadcast_to(np.swapaxes(matrix, -1, -2)[..., None, :, :], full).reshape(-1)
    indptr = np.arange(0, len(data) + 1, full[-1])
    return mapped(x, sp.csr_array((data, columns, indptr), shape=(math.prod(full[:-1]), x.affine.n_rows)), shape)


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
        at: tuple[int | slice, ...] = (
            out,
            slice(first, first + n_group),
            *(slice(None, None, d) for d in windows.dilation),
        )
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


def mean(x: Value, axes: Sequence[int], *, keep: bool) -> Value:
    """The mean over some axes."""
    return summed(x, axes, keep=keep, factor=1.0 / gathered(x, axes).shape[1])


# Tables of positions ----------------------------------------------------------------------------------------------------


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
