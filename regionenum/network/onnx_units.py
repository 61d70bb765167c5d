"""ONNX operators that close a layer: pointwise functions and maxima."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from regionenum.network import ops
from regionenum.network.chain import Value
from regionenum.network.onnx_node import Call
from regionenum.network.units import (
    ABSOLUTE,
    IDENTITY,
    RELU,
    Floats,
    PiecewiseLinear,
    Units,
    clamp,
    leaky_relu,
    soft_shrink,
)


def _pointwise(call: Call, x: Value, function: PiecewiseLinear) -> Value:
    return call.close(x, Units.pointwise(function, x.affine.n_rows))


def _each(call: Call, x: Value, make: Callable[[float], PiecewiseLinear], parameters: Floats) -> Value:
    """A function with its own parameter for each entry."""
    known = {value: make(value) for value in np.unique(parameters).tolist()}
    return call.close(x, Units.each([known[value] for value in parameters.reshape(-1).tolist()]))


def relu(call: Call) -> Value:
    """max(x, 0)."""
    return _pointwise(call, call.x, RELU)


def absolute(call: Call) -> Value:
    """|x|."""
    return _pointwise(call, call.x, ABSOLUTE)


def leaky(call: Call) -> Value:
    """max(x, 0) + alpha min(x, 0)."""
    alpha = float(call.node.attributes["alpha"])
    if not math.isfinite(alpha):
        raise call.refuse(f"has alpha {alpha}; it must be finite")
    return _pointwise(call, call.x, leaky_relu(alpha))


def prelu(call: Call) -> Value:
    """max(x, 0) + slope min(x, 0) with one slope for each entry, channel or tensor."""
    x, slope = call.x, call.floats(1)
    if call.broadcast(x.shape, slope.shape) != x.shape:
        raise call.refuse(f"has slopes of shape {slope.shape}, which do not fit a tensor of shape {x.shape}")
    return _each(call, x, leaky_relu, np.broadcast_to(slope, x.shape))


def clip(call: Call) -> Value:
    """min(max(x, lower), upper); a bound that no float32 exceeds is none."""
    attributes = call.node.attributes
    lower, upper = (
        float(attributes[name]) if name in attributes else call.number(k, default, finite=False)
        for k, name, default in ((1, "min", -math.inf), (2, "max", math.inf))
    )
    if call.single:
        largest = float(np.finfo(np.float32).max)
        lower, upper = (-math.inf if lower <= -largest else lower), (math.inf if upper >= largest else upper)
    if math.isnan(lower) or math.isnan(upper) or lower == math.inf or upper == -math.inf:
        raise call.refuse(f"has bounds {lower} and {upper}; they must be numbers")
    if lower >= upper:
        return ops.constant(call.x, np.full(call.x.shape, upper))
    return _pointwise(call, call.x, clamp(lower, upper))


def hard_sigmoid(call: Call) -> Value:
    """max(0, min(1, alpha x + beta)): the affine map belongs to the layer, so that the pieces meet exactly."""
    alpha, beta = (float(call.node.attributes[name]) for name in ("alpha", "beta"))
    if not (math.isfinite(alpha) and math.isfinite(beta)):
        raise call.refuse(f"has alpha {alpha} and beta {beta}; they must be finite")
    return _pointwise(call, ops.shifted(ops.scaled(call.x, alpha), beta), clamp(0.0, 1.0))


def shrink(call: Call) -> Value:
    """Soft shrinkage; with a jump, it is refused."""
    bias, threshold = (float(call.node.attributes[name]) for name in ("bias", "lambd"))
    if bias != threshold or not 0.0 <= threshold < math.inf:
        raise call.refuse(f"with bias {bias} and lambd {threshold} is not continuous; supported: bias equal to lambd")
    return _pointwise(call, call.x, soft_shrink(threshold) if threshold else IDENTITY)


def thresholded_relu(call: Call) -> Value:
    """x above alpha, 0 below: continuous for alpha 0 only."""
    alpha = float(call.node.attributes["alpha"])
    if alpha != 0.0:
        raise call.refuse(f"with alpha {alpha} is not continuous; supported: alpha 0, or ReLU")
    return _pointwise(call, call.x, RELU)


def maximum(call: Call) -> Value:
    """The maximum of any number of tensors."""
    return _extremum(call, 1.0)


def minimum(call: Call) -> Value:
    """The minimum, as the negated maximum of the negated tensors."""
    return _extremum(call, -1.0)


def _extremum(call: Call, sign: float) -> Value:
    """sign * max(sign * v): units with a breakpoint if all but one tensor are constants, else a group for each entry."""
    values = [v for v in call.inputs if isinstance(v, Value)]
    constants = [sign * call.floats(k, finite=False) for k, v in enumerate(call.inputs) if not isinstance(v, Value)]
    shape = call.broadcast(*(v.shape for v in values), *(c.shape for c in constants))
    bound = np.full(shape, -math.inf)
    for constant in constants:
        bound = np.maximum(bound, constant)
    if np.any(bound == math.inf):
        raise call.refuse("has an infinite bound, so that its result is infinite; mend the model")
    if len(values) == 1:
        x = ops.broadcast(values[0], shape)
        if sign > 0:
            return _each(call, x, lambda b: clamp(b, math.inf), bound)
        return _each(call, x, lambda b: clamp(-math.inf, b), -bound)
    n = math.prod(shape)
    parts = [ops.reshaped(ops.scaled(ops.broadcast(v, shape), sign), (n,)) for v in values]
    table = np.arange(len(parts) * n).reshape(len(parts), n).T
    finite = np.isfinite(bound).reshape(-1)
    if finite.any():
        parts.append(ops.constant(values[0], np.where(finite, bound.reshape(-1), 0.0)))
        extra = np.where(finite, len(parts) * n - n + np.arange(n), ops.NO_VALUE)
        table = np.concatenate([table, extra[:, None]], axis=1)
    return ops.scaled(call.close(ops.joined(parts, 0), ops.maxima(table), shape), sign)


def reduce_max(call: Call) -> Value:
    """Maxima."""
    return _reduce_extremum(call, 1.0)


def reduce_min(call: Call) -> Value:
    """Minima, as negated maxima."""
    return _reduce_extremum(call, -1.0)


def _reduce_extremum(call: Call, sign: float) -> Value:
    axes, x = call.reduced(), call.x
    if not axes:
        return x
    shape = ops.reduced_shape(x.shape, axes, keep=bool(call.node.attributes["keepdims"]))
    return ops.scaled(call.close(ops.scaled(x, sign), ops.maxima(ops.gathered(x, axes)), shape), sign)


def decision(call: Call) -> Value:
    """ArgMax as the last operation: the winner is the decision, and the network's output is the maximum."""
    x = call.x
    axis = call.axis(len(x.shape))
    if x.shape[axis] != math.prod(x.shape):
        raise call.refuse(f"over axis {axis} of a tensor of shape {x.shape} makes several decisions; supported: one")
    return call.close(x, ops.maxima(ops.gathered(x, [])), (1,))
