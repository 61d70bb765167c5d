"""ONNX operators that close a layer: pointwise functions and maxima."""

from __future__ import annotations

import math

import numpy as np

from regionenum.network import ops, unit_ops
from regionenum.network.chain import Value
from regionenum.network.from_onnx.call import Call
from regionenum.network.units import ABSOLUTE, RELU, clamp, leaky_relu, soft_shrink


def relu(call: Call) -> Value:
    """max(x, 0)."""
    return unit_ops.pointwise(call, call.x, RELU)


def absolute(call: Call) -> Value:
    """|x|."""
    return unit_ops.pointwise(call, call.x, ABSOLUTE)


def leaky(call: Call) -> Value:
    """max(x, 0) + alpha min(x, 0)."""
    return unit_ops.pointwise(call, call.x, leaky_relu(call.finite("alpha")))


def prelu(call: Call) -> Value:
    """max(x, 0) + slope min(x, 0) with one slope for each entry, channel or tensor."""
    x, slope = call.x, call.floats(1)
    if call.broadcast(x.shape, slope.shape) != x.shape:
        raise call.refuse(f"has slopes of shape {slope.shape}, which do not fit a tensor of shape {x.shape}")
    return unit_ops.each(call, x, leaky_relu, slope)


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
    return unit_ops.clamped(call, call.x, lower, upper)


def hard_sigmoid(call: Call) -> Value:
    """max(0, min(1, alpha x + beta)): the affine map belongs to the layer, so that the pieces meet exactly."""
    alpha, beta = call.finite("alpha"), call.finite("beta")
    return unit_ops.pointwise(call, ops.shifted(ops.scaled(call.x, alpha), beta), clamp(0.0, 1.0))


def shrink(call: Call) -> Value:
    """Soft shrinkage; with a jump, it is refused."""
    bias, threshold = (float(call.node.attributes[name]) for name in ("bias", "lambd"))
    if bias != threshold or not 0.0 <= threshold < math.inf:
        raise call.refuse(f"with bias {bias} and lambd {threshold} is not continuous; supported: bias equal to lambd")
    return unit_ops.pointwise(call, call.x, soft_shrink(threshold))


def thresholded_relu(call: Call) -> Value:
    """x above alpha, 0 below: continuous for alpha 0 only."""
    alpha = float(call.node.attributes["alpha"])
    if alpha != 0.0:
        raise call.refuse(f"with alpha {alpha} is not continuous; supported: alpha 0, or ReLU")
    return unit_ops.pointwise(call, call.x, RELU)


def maximum(call: Call) -> Value:
    """The maximum of any number of tensors."""
    return _extremum(call, 1.0)


def minimum(call: Call) -> Value:
    """The minimum of any number of tensors."""
    return _extremum(call, -1.0)


def _extremum(call: Call, sign: float) -> Value:
    """Constants may hold the infinity that is no bound."""
    operands = [v if isinstance(v, Value) else call.floats(k, finite=False) for k, v in enumerate(call.inputs)]
    call.broadcast(*(v.shape for v in operands))
    return unit_ops.extremum(call, operands, sign)


def reduce_max(call: Call) -> Value:
    """Maxima."""
    return _reduced(call, 1.0)


def reduce_min(call: Call) -> Value:
    """Minima."""
    return _reduced(call, -1.0)


def _reduced(call: Call, sign: float) -> Value:
    axes, keep = call.reduced(), bool(call.node.attributes["keepdims"])
    return unit_ops.extremum_over(call, call.x, axes, keep=keep, sign=sign) if axes else call.x


def decision(call: Call) -> Value:
    """ArgMax as the last operation: the winner is the decision, and the network's output is the maximum."""
    x = call.x
    axis = call.axis(len(x.shape))
    if x.shape[axis] != math.prod(x.shape):
        raise call.refuse(f"over axis {axis} of a tensor of shape {x.shape} makes several decisions; supported: one")
    return ops.reshaped(unit_ops.extremum_over(call, x, [], keep=False, sign=1.0), (1,))
