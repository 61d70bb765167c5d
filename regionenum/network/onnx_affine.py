"""ONNX operators that are affine maps: arithmetic with constants, matrix products, sums, normalisation."""

from __future__ import annotations

import math

import numpy as np
import scipy.sparse as sp

from regionenum.network import ops
from regionenum.network.chain import Value
from regionenum.network.onnx_node import Call
from regionenum.network.units import Floats


def _two(call: Call) -> tuple[Value | Floats, Value | Floats]:
    """Two operands that broadcast; constants in float64."""
    a, b = (v if isinstance(v, Value) else call.floats(k) for k, v in enumerate(call.inputs))
    call.broadcast(a.shape, b.shape)
    return a, b


# Arithmetic -----------------------------------------------------------------------------------------------------------


def add(call: Call) -> Value:
    """a + b."""
    return _plus(*_two(call))


def subtract(call: Call) -> Value:
    """a - b."""
    a, b = _two(call)
    return _plus(a, ops.scaled(b, -1.0) if isinstance(b, Value) else -b)


def _plus(a: Value | Floats, b: Value | Floats) -> Value:
    if isinstance(a, Value) and isinstance(b, Value):
        return ops.added(a, b)
    x, c = (a, b) if isinstance(a, Value) else (b, a)
    assert isinstance(x, Value)
    return ops.shifted(x, np.asarray(c))


def multiply(call: Call) -> Value:
    """a * b, one of them constant."""
    a, b = _two(call)
    if isinstance(a, Value) and isinstance(b, Value):
        raise call.refuse("multiplies values that both depend on the input, which is not piecewise affine")
    x, c = (a, b) if isinstance(a, Value) else (b, a)
    assert isinstance(x, Value)
    return ops.scaled(x, np.asarray(c))


def divide(call: Call) -> Value:
    """a / b with a constant b."""
    a, b = _two(call)
    if isinstance(b, Value):
        raise call.refuse("divides by a value that depends on the input, which is not piecewise affine")
    if not np.all(b):
        raise call.refuse("divides by zero; mend or retrain the model")
    assert isinstance(a, Value)
    return ops.scaled(a, 1.0 / b)


def negate(call: Call) -> Value:
    """-x."""
    return ops.scaled(call.x, -1.0)


def total(call: Call) -> Value:
    """The sum of any number of tensors."""
    operands = [v if isinstance(v, Value) else call.floats(k) for k, v in enumerate(call.inputs)]
    call.broadcast(*(v.shape for v in operands))
    first = next(k for k, v in enumerate(operands) if isinstance(v, Value))
    result = call.inputs[first]
    assert isinstance(result, Value)
    for other in operands[:first] + operands[first + 1 :]:
        result = _plus(result, other)
    return result


def mean(call: Call) -> Value:
    """The mean of any number of tensors."""
    return ops.scaled(total(call), 1.0 / len(call.inputs))


# Linear maps ----------------------------------------------------------------------------------------------------------


def matmul(call: Call) -> Value:
    """A constant matrix on either side, with NumPy's rules for other than two axes."""
    a, b = call.inputs
    if isinstance(a, Value) and isinstance(b, Value):
        raise call.refuse("multiplies values that both depend on the input, which is not piecewise affine")
    if isinstance(a, Value):
        return _times(call, a, call.floats(1))
    assert isinstance(b, Value)
    weight = call.floats(0)
    if b.shape and len(b.shape) > 1 and weight.ndim > 1:
        # W X = (X' W')'
        product = _times(call, _swapped(b), np.swapaxes(weight, -1, -2))
        return _swapped(product)
    return _times(
        call, b if len(b.shape) < 2 else _swapped(b), weight if weight.ndim < 2 else np.swapaxes(weight, -1, -2)
    )


def _swapped(x: Value) -> Value:
    return ops.rearranged(x, np.swapaxes(x.positions(), -1, -2))


def _times(call: Call, x: Value, weight: Floats) -> Value:
    """x @ weight."""
    if not x.shape or not weight.ndim:
        raise call.refuse("multiplies matrices, and meets a number; supported: one axis or more")
    rows = x.positions() if len(x.shape) > 1 else x.positions()[None]
    matrix = weight if weight.ndim > 1 else weight[:, None]
    if rows.shape[-1] != matrix.shape[-2]:
        raise call.refuse(f"multiplies tensors of shapes {x.shape} and {weight.shape}, which do not fit")
    batch = call.broadcast(rows.shape[:-2], matrix.shape[:-2])
    shape = call.sized((*batch, rows.shape[-2], matrix.shape[-1]))
    final = [*batch, *shape[-2:][: 2 - (weight.ndim == 1)]]
    if len(x.shape) == 1:
        del final[len(batch)]
    call.connected(math.prod(shape) * rows.shape[-1])
    if matrix.ndim == 2:
        flat = ops.reshaped(x, rows.shape)
        return ops.reshaped(ops.linear(flat, np.ascontiguousarray(matrix.T)), final)
    full = (*shape, rows.shape[-1])
    columns = np.broadcast_to(rows[..., :, None, :], full).reshape(-1)
    data = np.broadcast_to(np.swapaxes(matrix, -1, -2)[..., None, :, :], full).reshape(-1)
    indptr = np.arange(0, len(data) + 1, full[-1])
    return ops.mapped(x, sp.csr_array((data, columns, indptr), shape=(math.prod(shape), x.affine.n_rows)), final)


def gemm(call: Call) -> Value:
    """alpha A' B' + beta C, where A or B is a constant matrix."""
    attributes = call.node.attributes
    alpha, beta = float(attributes["alpha"]), float(attributes["beta"])
    a, b = call.inputs[:2]
    if isinstance(a, Value) and isinstance(b, Value):
        raise call.refuse("multiplies values that both depend on the input, which is not piecewise affine")
    sides = [v if isinstance(v, Value) else call.floats(k) for k, v in enumerate((a, b))]
    if any(len(v.shape) != 2 for v in sides):
        raise call.refuse(f"takes matrices, and meets shapes {sides[0].shape} and {sides[1].shape}")
    for k, name in enumerate(("transA", "transB")):
        if attributes[name]:
            side = sides[k]
            sides[k] = _swapped(side) if isinstance(side, Value) else side.T
    left, right = sides
    if left.shape[1] != right.shape[0]:
        raise call.refuse(f"multiplies matrices of shapes {left.shape} and {right.shape}, which do not fit")
    if isinstance(left, Value):
        product = _times(call, left, np.asarray(right) * alpha)
    elif isinstance(right, Value):
        product = _swapped(_times(call, _swapped(right), left.T * alpha))
    else:
        product = ops.constant(_any_value(call), (left @ right) * alpha)
    if not call.given(2) or beta == 0.0:
        return product
    c = call.inputs[2]
    shape = call.broadcast(product.shape, c.shape) if c is not None else product.shape
    if shape != product.shape:
        raise call.refuse(f"adds a tensor of shape {shape} to one of shape {product.shape}, which does not fit")
    return _plus(product, ops.scaled(c, beta) if isinstance(c, Value) else call.floats(2) * beta)


def batch_norm(call: Call) -> Value:
    """(x - mean) / sqrt(var + eps) * scale + shift, channel by channel, folded in float64."""
    x, attributes = call.x, call.node.attributes
    if attributes.get("training_mode", 0) or attributes.get("spatial", 1) != 1:
        raise call.refuse("uses the statistics of the batch, or one for each pixel; export the model in eval mode")
    scale, shift, average, variance = (call.floats(k) for k in range(1, 5))
    channels = (x.shape[1],) if len(x.shape) > 1 else ()
    if any(v.shape != channels for v in (scale, shift, average, variance)):
        raise call.refuse(f"meets a tensor of shape {x.shape}, but has statistics of shape {scale.shape}")
    spread = variance + float(attributes["epsilon"])
    if not np.all(spread > 0):
        raise call.refuse("has a variance that is not positive; mend or retrain the model")
    factor = scale / np.sqrt(spread)
    return ops.normalised(x, factor, -average * factor + shift)


# Several tensors, several axes ----------------------------------------------------------------------------------------


def _any_value(call: Call) -> Value:
    return next(v for v in call.inputs if isinstance(v, Value))


def concat(call: Call) -> Value:
    """One tensor behind the other, constants among them."""
    like = _any_value(call)
    parts = [v if isinstance(v, Value) else ops.constant(like, call.floats(k)) for k, v in enumerate(call.inputs)]
    rank = len(parts[0].shape)
    axis = call.axis(rank)
    if len({(*p.shape[:axis], *p.shape[axis + 1 :], len(p.shape)) for p in parts}) != 1:
        raise call.refuse(f"joins tensors of shapes {', '.join(str(p.shape) for p in parts)}, which do not fit")
    return ops.joined(parts, axis)


def reduce_sum(call: Call) -> Value:
    """Sums."""
    axes = call.reduced()
    return ops.summed(call.x, axes, keep=bool(call.node.attributes["keepdims"])) if axes else call.x


def reduce_mean(call: Call) -> Value:
    """Means."""
    axes, x = call.reduced(), call.x
    n = math.prod(x.shape[a] for a in axes)
    return ops.summed(x, axes, keep=bool(call.node.attributes["keepdims"]), factor=1.0 / n) if axes else x
