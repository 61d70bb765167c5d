"""Torch operations that close a layer: pointwise piecewise-linear functions, and maxima."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from regionenum.network import ops
from regionenum.network.chain import Value
from regionenum.network.torch_call import Call, Indices, Result, numpy
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


def pointwise(call: Call, x: Value, make: Callable[..., PiecewiseLinear], *parameters: Floats | float) -> Value:
    """The function `make(*parameters)`; the parameters are broadcast against x. Without a breakpoint it is affine."""
    shape = np.broadcast_shapes(x.shape, *(np.shape(p) for p in parameters))
    x = ops.broadcast(x, shape)
    table = np.stack([np.broadcast_to(np.asarray(p, np.float64), shape).reshape(-1) for p in parameters])
    if np.isnan(table).any():
        raise call.refuse("has a parameter that is NaN; retrain the model or mend the value")
    distinct, function_of = np.unique(table, axis=1, return_inverse=True)
    functions = tuple(make(*p) for p in distinct.T.tolist())
    function_of = function_of.reshape(-1)
    if not any(f.breakpoints for f in functions):
        slopes, intercepts = (np.array([getattr(f, key)[0] for f in functions]) for key in ("slopes", "intercepts"))
        y = ops.scaled(x, slopes[function_of].reshape(shape))
        return ops.shifted(y, intercepts[function_of].reshape(shape)) if intercepts.any() else y
    n = x.affine.n_rows
    return call.close(x, Units(functions, function_of, np.arange(n + 1), np.arange(n)), shape)


def fixed(function: PiecewiseLinear) -> Callable[[Call], Result]:
    """A function without parameters."""

    def lower(call: Call) -> Value:
        (x,) = call.values
        return call.close(x, Units.pointwise(function, x.affine.n_rows), x.shape)

    return lower


relu = fixed(RELU)
absolute = fixed(ABSOLUTE)


def _finite(call: Call, name: str) -> float:
    value = float(call.args[name])
    if not math.isfinite(value):
        raise call.refuse(f"has {name} {value}; it must be finite")
    return value


def leaky(call: Call) -> Value:
    """max(x, 0) + slope min(x, 0)."""
    slope = _finite(call, "negative_slope")
    return pointwise(call, call.values[0], leaky_relu, slope)


def prelu(call: Call) -> Value:
    """Leaky ReLU with a slope for every channel, or one for all."""
    x, weight = call.the("self"), numpy(call.constant("weight"))
    return pointwise(call, x, leaky_relu, weight.reshape(-1, *[1] * (len(x.shape) - 2)))


def rrelu(call: Call) -> Value:
    """Leaky ReLU with the mean of the slopes it draws in training."""
    if call.args["training"]:
        raise call.refuse("draws its slopes at random (training=True); call model.eval(), or pass training=False")
    slope = (_finite(call, "lower") + _finite(call, "upper")) / 2.0
    return pointwise(call, call.values[0], leaky_relu, slope)


def _clamp(lower: float, upper: float) -> PiecewiseLinear:
    """min(max(z, lower), upper), the constant `upper` if the bounds are the wrong way round, as torch has it."""
    return clamp(lower, upper) if lower < upper else PiecewiseLinear((), (0.0,), (upper,))


def clamped(call: Call) -> Value:
    """clamp, clamp_min, clamp_max, hardtanh: bounds are numbers, tensors, or absent."""
    args = call.args
    bounds = []
    for names, absent in ((("min", "min_val"), -math.inf), (("max", "max_val"), math.inf)):
        bound = next((args[name] for name in names if args.get(name) is not None), absent)
        if isinstance(bound, Value):
            raise call.refuse("has bounds that depend on the input; use torch.maximum and torch.minimum")
        bounds.append(numpy(bound) if isinstance(bound, torch.Tensor) else float(bound))
    return _between(call, call.the("self"), *bounds)


def _between(call: Call, x: Value, lower: Floats | float, upper: Floats | float) -> Value:
    if np.any(np.equal(lower, math.inf)) or np.any(np.equal(upper, -math.inf)):
        raise call.refuse("has an infinite result; the bounds must leave finite values")
    return pointwise(call, x, _clamp, lower, upper)


def relu6(call: Call) -> Value:
    """min(max(x, 0), 6)."""
    return _between(call, call.values[0], 0.0, 6.0)


def hard_sigmoid(call: Call) -> Value:
    """min(max(x + 3, 0), 6) / 6."""
    y = _between(call, ops.shifted(call.values[0], 3.0), 0.0, 6.0)
    return ops.scaled(y, 1.0 / 6.0)


def threshold(call: Call) -> Value:
    """x above the threshold, a value below; continuous when they are equal."""
    at, value = _finite(call, "threshold"), _finite(call, "value")
    if at != value:
        raise call.refuse(
            f"is not continuous: it jumps from {value:g} to {at:g} at the threshold; choose value equal to threshold"
        )
    return _between(call, call.values[0], at, math.inf)


def shrink(call: Call) -> Value:
    """Soft shrinkage."""
    width = _finite(call, "lambd")
    return pointwise(call, call.values[0], lambda w: soft_shrink(w) if w > 0.0 else IDENTITY, width)


def larger(call: Call) -> Value:
    """The maximum (or minimum) of two tensors; of a tensor and a constant, entry by entry."""
    x, y = call.args["self"], call.args["other"]
    minimum = call.operation in ("min", "minimum", "fmin")
    if isinstance(x, Value) and isinstance(y, Value):
        sign = -1.0 if minimum else 1.0
        both, units = ops.pairs(ops.scaled(x, sign), ops.scaled(y, sign))
        return ops.scaled(call.close(both, units, np.broadcast_shapes(x.shape, y.shape)), sign)
    x, constant = (x, y) if isinstance(x, Value) else (y, x)
    bound = numpy(constant)
    return _between(call, x, -math.inf, bound) if minimum else _between(call, x, bound, math.inf)


def _over_axes(call: Call, x: Value, axes: Any, *, keep: bool, sign: float) -> Value:
    axes = [] if axes is None else [axes] if isinstance(axes, int) else list(axes)
    units = ops.maxima(ops.gathered(x, axes))
    y = call.close(ops.scaled(x, sign), units, ops.reduced_shape(x.shape, axes, keep=keep))
    return ops.scaled(y, sign)


def extreme(call: Call) -> Result:
    """amax, amin, and max and min over one axis or over all: the values, not the indices."""
    if "other" in call.args:
        return larger(call)
    sign = 1.0 if call.operation in ("max", "amax") else -1.0
    y = _over_axes(call, call.the("self"), call.args.get("dim"), keep=bool(call.args.get("keepdim")), sign=sign)
    return (y, Indices(call.where)) if len(call.target._schema.returns) > 1 else y


def winner(call: Call) -> Value:
    """argmax, argmin at the end of a network: its pieces are the winners; the network's output is the maximum."""
    sign = 1.0 if call.operation == "argmax" else -1.0
    return _over_axes(call, call.the("self"), call.args["dim"], keep=call.args["keepdim"], sign=sign)
