"""ONNX operators that are affine maps: arithmetic with constants, matrix products, sums, normalisation."""

from __future__ import annotations

import math

from regionenum.network import ops
from regionenum.network.chain import Value
from regionenum.network.from_onnx.call import Call
from regionenum.network.ops import Term


def _two(call: Call) -> tuple[Term, Term]:
    """Two operands that broadcast."""
    a, b = call.operand(0), call.operand(1)
    call.broadcast(a.shape, b.shape)
    return a, b


def _value(call: Call, term: Term) -> Value:
    """A result as a value; one operand at least is a value, and its results are."""
    return term if isinstance(term, Value) else ops.constant(_any_value(call), term)


def _any_value(call: Call) -> Value:
    return next(v for v in call.inputs if isinstance(v, Value))


# Arithmetic -----------------------------------------------------------------------------------------------------------


def add(call: Call) -> Value:
    """a + b."""
    return _value(call, ops.plus(*_two(call)))


def subtract(call: Call) -> Value:
    """a - b."""
    a, b = _two(call)
    return _value(call, ops.plus(a, ops.scaled(b, -1.0) if isinstance(b, Value) else -b))


def multiply(call: Call) -> Value:
    """a * b, one of them constant."""
    return _value(call, ops.times(call, *_two(call)))


def divide(call: Call) -> Value:
    """a / b with a constant b."""
    return _value(call, ops.divided(call, *_two(call)))


def negate(call: Call) -> Value:
    """-x."""
    return ops.scaled(call.x, -1.0)


def total(call: Call) -> Value:
    """The sum of any number of tensors."""
    operands = [call.operand(k) for k in range(len(call.inputs))]
    call.broadcast(*(v.shape for v in operands))
    result = operands.pop(next(k for k, v in enumerate(operands) if isinstance(v, Value)))
    for other in operands:
        result = ops.plus(result, other)
    return _value(call, result)


def mean(call: Call) -> Value:
    """The mean of any number of tensors."""
    return ops.scaled(total(call), 1.0 / len(call.inputs))


# Linear maps ----------------------------------------------------------------------------------------------------------


def matmul(call: Call) -> Value:
    """A constant matrix on either side, with NumPy's rules for other than two axes."""
    return _product(call, call.operand(0), call.operand(1))


def _product(call: Call, a: Term, b: Term) -> Value:
    """a @ b, if it is not too large."""
    if isinstance(a, Value) and isinstance(b, Value):
        raise ops.not_affine(call)
    if not len(a.shape) or not len(b.shape):
        raise call.refuse("multiplies matrices, and meets a number; supported: one axis or more")
    try:
        shape = ops.product_shape(a.shape, b.shape)
    except ValueError as error:
        raise call.refuse(f"multiplies tensors of shapes {a.shape} and {b.shape}, which do not fit") from error
    call.connected(math.prod(call.sized(shape)) * a.shape[-1])
    return _value(call, ops.product(call, a, b))


def gemm(call: Call) -> Value:
    """alpha A' B' + beta C, where A or B is a constant matrix."""
    attributes = call.node.attributes
    alpha, beta = float(attributes["alpha"]), float(attributes["beta"])
    sides = [call.operand(0), call.operand(1)]
    if any(len(v.shape) != 2 for v in sides):
        raise call.refuse(f"takes matrices, and meets shapes {sides[0].shape} and {sides[1].shape}")
    for k, name in enumerate(("transA", "transB")):
        if attributes[name]:
            side = sides[k]
            sides[k] = ops.transposed(side) if isinstance(side, Value) else side.T
    if any(isinstance(v, Value) for v in sides):
        product = _product(call, *(v if isinstance(v, Value) else v * alpha for v in sides))
    else:
        product = ops.scaled(_product(call, *sides), alpha)
    if not call.given(2) or beta == 0.0:
        return product
    c = call.operand(2)
    shape = call.broadcast(product.shape, c.shape)
    if shape != product.shape:
        raise call.refuse(f"adds a tensor of shape {shape} to one of shape {product.shape}, which does not fit")
    return ops.plus(product, ops.scaled(c, beta) if isinstance(c, Value) else c * beta)


def batch_norm(call: Call) -> Value:
    """(x - mean) / sqrt(var + eps) * scale + shift, channel by channel, folded in float64."""
    x, attributes = call.x, call.node.attributes
    if attributes.get("training_mode", 0) or attributes.get("spatial", 1) != 1:
        raise call.refuse("uses the statistics of the batch, or one for each pixel; export the model in eval mode")
    scale, shift, average, variance = (call.floats(k) for k in range(1, 5))
    channels = (x.shape[1],) if len(x.shape) > 1 else ()
    if any(v.shape != channels for v in (scale, shift, average, variance)):
        raise call.refuse(f"meets a tensor of shape {x.shape}, but has statistics of shape {scale.shape}")
    epsilon = float(attributes["epsilon"])
    return ops.batch_normalised(call, x, mean=average, variance=variance, epsilon=epsilon, scale=scale, shift=shift)


# Several tensors, several axes ----------------------------------------------------------------------------------------


def concat(call: Call) -> Value:
    """One tensor behind the other, constants among them."""
    like = _any_value(call)
    operands = (call.operand(k) for k in range(len(call.inputs)))
    parts = [v if isinstance(v, Value) else ops.constant(like, v) for v in operands]
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
    axes = call.reduced()
    return ops.mean(call.x, axes, keep=bool(call.node.attributes["keepdims"])) if axes else call.x
