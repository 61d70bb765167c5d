"""Torch operations that are affine in the activation: products with constants, sums, normalisations, interpolation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from regionenum.network import ops
from regionenum.network.affine import Affine
from regionenum.network.chain import Value
from regionenum.network.from_torch.call import Call, numpy
from regionenum.network.ops import Term


def passed_on(call: Call) -> Value:
    """The identity."""
    return call.values[0]


def converted(call: Call) -> Value:
    """A conversion to where and what the activation already is; `to(x, dtype)`, `type_as`, `double`."""
    kinds = [v if isinstance(v, torch.dtype) else v.dtype for v in call.args.values() if hasattr(v, "dtype")]
    kinds += [v for v in call.args.values() if isinstance(v, torch.dtype)]
    for kind in kinds:
        call.refuse_conversion(kind)
    return call.values[0]


def dropout(call: Call) -> Value:
    """Dropout outside training: the identity."""
    if call.args["train"]:
        raise call.refuse("drops values at random (training=True); call model.eval(), or pass training=self.training")
    return call.values[0]


def linear(call: Call) -> Value:
    """y = W x + b along the last axis."""
    x, weight, bias = call.the("input"), call.constant("weight"), call.args["bias"]
    y = ops.linear(x, numpy(torch.atleast_2d(weight)), None if bias is None else numpy(torch.atleast_1d(bias)))
    return ops.reshaped(y, call.shape())


def _multiple(call: Call, number: float, x: Term) -> Term:
    """number * x; a factor of 1 changes nothing."""
    return x if number == 1 else ops.times(call, x, np.asarray(number, np.float64))


def arithmetic(call: Call) -> Term:
    """Sums, differences, products and quotients of an activation and a constant; sums and differences of activations."""
    name = call.operation
    x, alpha = call.operand("self"), call.args.get("alpha", 1)
    if name in ("neg", "negative"):
        return _multiple(call, -1.0, x)
    y = call.operand("other")
    if call.args.get("rounding_mode") is not None:
        raise call.refuse("is not continuous, because it rounds; only plain division by a constant is supported")
    if name in ("mul", "multiply"):
        return ops.times(call, x, y)
    if name in ("div", "divide", "true_divide"):
        return ops.divided(call, x, y)
    if name == "rsub":
        return ops.plus(_multiple(call, -alpha, x), y)
    return ops.plus(x, _multiple(call, alpha if name == "add" else -alpha, y))


def with_product(call: Call) -> Term:
    """addcmul, addcdiv: self + value * t1 * t2, or self + value * t1 / t2."""
    first, second = call.operand("tensor1"), call.operand("tensor2")
    product = (ops.times if call.operation == "addcmul" else ops.divided)(call, first, second)
    return ops.plus(call.operand("self"), _multiple(call, call.args["value"], product))


def lerp(call: Call) -> Term:
    """start + weight (end - start)."""
    start, end, weight = (call.operand(name) for name in ("self", "end", "weight"))
    return ops.plus(start, ops.times(call, ops.plus(end, _multiple(call, -1.0, start)), weight))


_FACTORS = {
    "mm": ("self", "mat2"), "matmul": ("self", "other"), "bmm": ("self", "mat2"), "mv": ("self", "vec"),
    "dot": ("self", "tensor"), "addmm": ("mat1", "mat2"), "addmv": ("mat", "vec"), "baddbmm": ("batch1", "batch2"),
}  # fmt: skip


def matmul(call: Call) -> Term:
    """Matrix products, and those with a summand: beta self + alpha a b."""
    product = ops.product(call, *(call.operand(name) for name in _FACTORS[call.operation]))
    if "beta" not in call.args:
        return product
    summand = _multiple(call, call.args["beta"], call.operand("self"))
    return ops.plus(_multiple(call, call.args["alpha"], product), summand)


def by_basis(x: Value, function: Callable[[torch.Tensor], torch.Tensor]) -> Value:
    """A linear function of x, whose matrix is what it makes of the unit vectors, in float64."""
    unit = torch.zeros(math.prod(x.shape), dtype=torch.float64)
    shape = tuple(function(unit.reshape(x.shape)).shape)
    columns, rows, data = [], [], []
    for k in range(len(unit)):
        unit[k] = 1.0
        y = numpy(function(unit.reshape(x.shape)).reshape(-1))
        unit[k] = 0.0
        rows.append(np.flatnonzero(y))
        data.append(y[rows[-1]])
        columns.append(np.full(len(rows[-1]), k))
    entries = (np.concatenate(data), (np.concatenate(rows), np.concatenate(columns)))
    return ops.mapped(x, sp.csr_array(sp.coo_array(entries, shape=(math.prod(shape), len(unit)))), shape)


def linear_in_one(call: Call) -> Value:
    """Operations that are linear in the activation: einsum, tensordot, cumsum, diff, trace, kron, outer, ..."""
    if len(call.values) > 1:
        raise ops.not_affine(call)
    (x,) = call.values
    call.refuse_conversion(call.args.get("dtype"))

    def at(point: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(
            call.run(
                lambda a: (
                    point if a is x else a.double() if isinstance(a, torch.Tensor) and a.is_floating_point() else a
                )
            )
        )

    if at(torch.zeros(x.shape, dtype=torch.float64)).any():
        raise call.refuse("adds constants to the activation in a way that is not supported; use torch.cat first")
    return by_basis(x, at)


def interpolation(call: Call) -> Value:
    """Linear, bilinear, bicubic, trilinear interpolation: the same matrix for every channel."""
    x = call.the("input", "self")
    dim = len(x.shape) - 2
    image = math.prod(x.shape[2:])
    channel = Value(Affine.identity(image), (1, 1, *x.shape[2:]))
    matrix = by_basis(channel, lambda point: call.run(lambda a: point if a is x else a)).affine.sparse()
    y = ops.linear(ops.reshaped(x, (math.prod(x.shape[:2]), image)), matrix)
    return ops.reshaped(y, call.shape()[: 2 + dim])


def reduction(call: Call) -> Value:
    """Sum and mean over some axes, or over all."""
    x = call.the("self")
    call.refuse_conversion(call.args.get("dtype"))
    reduced = ops.mean if call.operation == "mean" else ops.summed
    return reduced(x, call.axes("dim"), keep=bool(call.args.get("keepdim")))


def batch_norm(call: Call) -> Value:
    """y = (x - mean) / sqrt(var + eps) * gamma + beta, channel by channel, folded in float64."""
    args = call.args
    if args.get("training"):
        raise call.refuse("uses the statistics of the batch; call model.eval(), and set track_running_stats=True")
    if args.get("use_input_stats"):
        raise call.refuse(
            "depends on the statistics of the sample, so it is not piecewise affine; use BatchNorm, or set "
            "track_running_stats=True"
        )
    x = call.the("input")
    mean, variance = numpy(args["running_mean"]), numpy(args["running_var"])
    scale = np.ones_like(mean) if args["weight"] is None else numpy(args["weight"])
    shift = np.zeros_like(mean) if args["bias"] is None else numpy(args["bias"])
    return ops.batch_normalised(call, x, mean=mean, variance=variance, epsilon=args["eps"], scale=scale, shift=shift)


def batch_norm_of_three(call: Call) -> tuple[Value, Any, Any]:
    """The same, as decompositions have it, with two results that nothing reads."""
    return batch_norm(call), None, None
