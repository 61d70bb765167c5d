"""Torch operations that close a layer: pointwise piecewise-linear functions, and maxima."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from regionenum.network import ops, unit_ops
from regionenum.network.chain import Value
from regionenum.network.from_torch.call import Call, Result, numpy
from regionenum.network.units import ABSOLUTE, RELU, PiecewiseLinear, leaky_relu, soft_shrink


def fixed(function: PiecewiseLinear) -> Callable[[Call], Result]:
    """A function without parameters."""

    def lower(call: Call) -> Value:
        (x,) = call.values
        return unit_ops.pointwise(call, x, function)

    return lower


relu = fixed(RELU)
absolute = fixed(ABSOLUTE)


def leaky(call: Call) -> Value:
    """max(x, 0) + slope min(x, 0)."""
    return unit_ops.pointwise(call, call.values[0], leaky_relu(call.finite("negative_slope")))


def prelu(call: Call) -> Value:
    """Leaky ReLU with a slope for every channel, or one for all."""
    x, weight = call.the("self"), numpy(call.constant("weight"))
    return unit_ops.each(call, x, leaky_relu, weight.reshape(-1, *[1] * (len(x.shape) - 2)))


def rrelu(call: Call) -> Value:
    """Leaky ReLU with the mean of the slopes it draws in training."""
    if call.args["training"]:
        raise call.refuse("draws its slopes at random (training=True); call model.eval(), or pass training=False")
    slope = (call.finite("lower") + call.finite("upper")) / 2.0
    return unit_ops.pointwise(call, call.values[0], leaky_relu(slope))


def clamped(call: Call) -> Value:
    """clamp, clamp_min, clamp_max, hardtanh: bounds are numbers, tensors, or absent."""
    args = call.args
    bounds = []
    for names, absent in ((("min", "min_val"), -math.inf), (("max", "max_val"), math.inf)):
        bound = next((args[name] for name in names if args.get(name) is not None), absent)
        if isinstance(bound, Value):
            raise call.refuse("has bounds that depend on the input; use torch.maximum and torch.minimum")
        bounds.append(numpy(bound) if isinstance(bound, torch.Tensor) else float(bound))
    return unit_ops.clamped(call, call.the("self"), *bounds)


def relu6(call: Call) -> Value:
    """min(max(x, 0), 6)."""
    return unit_ops.clamped(call, call.values[0], 0.0, 6.0)


def hard_sigmoid(call: Call) -> Value:
    """min(max(x + 3, 0), 6) / 6."""
    y = unit_ops.clamped(call, ops.shifted(call.values[0], 3.0), 0.0, 6.0)
    return ops.scaled(y, 1.0 / 6.0)


def threshold(call: Call) -> Value:
    """x above the threshold, a value below; continuous when they are equal."""
    at, value = call.finite("threshold"), call.finite("value")
    if at != value:
        raise call.refuse(
            f"is not continuous: it jumps from {value:g} to {at:g} at the threshold; choose value equal to threshold"
        )
    return unit_ops.clamped(call, call.values[0], at, math.inf)


def shrink(call: Call) -> Value:
    """Soft shrinkage."""
    return unit_ops.pointwise(call, call.values[0], soft_shrink(call.finite("lambd")))


def larger(call: Call) -> Value:
    """The maximum (or minimum) of two tensors, one of them perhaps a constant."""
    sign = -1.0 if call.operation in ("min", "minimum", "fmin") else 1.0
    return unit_ops.extremum(call, [call.operand("self"), call.operand("other")], sign)


def extreme(call: Call) -> Result:
    """amax, amin, and max and min over one axis or over all: the values, not the indices."""
    if "other" in call.args:
        return larger(call)
    sign = 1.0 if call.operation in ("max", "amax") else -1.0
    y = unit_ops.extremum_over(call, call.the("self"), call.axes("dim"), keep=bool(call.args.get("keepdim")), sign=sign)
    return call.with_indices(y)


def winner(call: Call) -> Value:
    """argmax, argmin at the end of a network: its pieces are the winners; the network's output is the maximum."""
    sign = 1.0 if call.operation == "argmax" else -1.0
    return unit_ops.extremum_over(call, call.the("self"), call.axes("dim"), keep=call.args["keepdim"], sign=sign)
