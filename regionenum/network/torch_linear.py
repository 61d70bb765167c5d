"""Torch operations that are affine in the activation: products with constants, sums, normalisations, interpolation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
import torch

from regionenum.network import ops
from regionenum.network.affine import Affine
from regionenum.network.chain import Value
from regionenum.network.torch_call import Call, numpy

Term: TypeAlias = Value | torch.Tensor
"""A summand or a factor: an activation, or a constant."""


def passed_on(call: Call) -> Value:
    """The identity."""
    return call.values[0]


def converted(call: Call) -> Value:
    """A conversion to where and what the activation already is; `to(x, dtype)`, `type_as`, `double`."""
    kinds = [v if isinstance(v, torch.dtype) else v.dtype for v in call.args.values() if hasattr(v, "dtype")]
    kinds += [v for v in call.args.values() if isinstance(v, torch.dtype)]
    other = next((kind for kind in kinds if kind != torch.float64), None)
    if other is not None:
        raise call.refuse(f"converts to {other}, which is not affine; remove the conversion")
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


def plus(x: Term, y: Term) -> Term:
    """x + y."""
    if isinstance(x, Value):
        return ops.added(x, y) if isinstance(y, Value) else ops.shifted(x, numpy(y))
    return ops.shifted(y, numpy(x)) if isinstance(y, Value) else x + y


def times(call: Call, x: Term, y: Term) -> Term:
    """x y, entry by entry, unless both are activations."""
    if isinstance(x, Value):
        if isinstance(y, Value):
            raise call.refuse("multiplies activations with each other, which is not piecewise affine")
        return ops.scaled(x, numpy(y))
    return ops.scaled(y, numpy(x)) if isinstance(y, Value) else x * y


def divided(call: Call, x: Term, y: Term) -> Term:
    """x / y with a constant y."""
    if isinstance(y, Value):
        raise call.refuse("divides by an activation, which is not piecewise affine; only divide by constants")
    return times(call, x, 1.0 / y.double())


def _term(arg: Any) -> Term:
    # A number is one of float64; torch's default precision would round it.
    return arg if isinstance(arg, Value | torch.Tensor) else _factor(arg)


def _factor(number: Any) -> torch.Tensor:
    return torch.as_tensor(number, dtype=torch.float64)


def _multiple(call: Call, number: Any, x: Term) -> Term:
    """number * x; a factor of 1 changes nothing."""
    return x if number == 1 else times(call, x, _factor(number))


def arithmetic(call: Call) -> Term:
    """Sums, differences, products and quotients of an activation and a constant; sums and differences of activations."""
    name = call.operation
    x, alpha = _term(call.args["self"]), call.args.get("alpha", 1)
    if name in ("neg", "negative"):
        return times(call, x, _factor(-1.0))
    y = _term(call.args["other"])
    if call.args.get("rounding_mode") is not None:
        raise call.refuse("is not continuous, because it rounds; only plain division by a constant is supported")
    if name in ("mul", "multiply"):
        return times(call, x, y)
    if name in ("div", "divide", "true_divide"):
        return divided(call, x, y)
    if name == "rsub":
        return plus(_multiple(call, -alpha, x), y)
    return plus(x, _multiple(call, alpha if name == "add" else -alpha, y))


def with_product(call: Call) -> Term:
    """addcmul, addcdiv: self + value * t1 * t2, or self + value * t1 / t2."""
    first, second = _term(call.args["tensor1"]), _term(call.args["tensor2"])
    product = times(call, first, second) if call.operation == "addcmul" else divided(call, first, second)
    return plus(_term(call.args["self"]), _multiple(call, call.args["value"], product))


def lerp(call: Call) -> Term:
    """start + weight (end - start)."""
    start, end, weight = _term(call.args["self"]), _term(call.args["end"]), _term(call.args["weight"])
    return plus(start, times(call, plus(end, _multiple(call, -1, start)), weight))


def product(call: Call, a: Term, b: Term) -> Term:
    """The matrix product of an activation and a constant."""
    if isinstance(a, Value) and isinstance(b, Value):
        raise call.refuse("multiplies activations with each other, which is not piecewise affine")
    if isinstance(a, Value) and isinstance(b, torch.Tensor):
        if b.ndim == 2:
            return ops.linear(a, np.ascontiguousarray(numpy(b).T))
        constant = b.double()
        return by_basis(a, lambda x: torch.matmul(x, constant))
    if isinstance(b, Value) and isinstance(a, torch.Tensor):
        constant = a.double()
        if a.ndim == 2 and len(b.shape) >= 2:
            turned = ops.rearranged(b, np.swapaxes(b.positions(), -1, -2))
            y = ops.linear(turned, numpy(a))
            return ops.rearranged(y, np.swapaxes(y.positions(), -1, -2))
        return by_basis(b, lambda x: torch.matmul(constant, x))
    raise AssertionError("a product without activations is a constant")


_FACTORS = {
    "mm": ("self", "mat2"), "matmul": ("self", "other"), "bmm": ("self", "mat2"), "mv": ("self", "vec"),
    "dot": ("self", "tensor"), "addmm": ("mat1", "mat2"), "addmv": ("mat", "vec"), "baddbmm": ("batch1", "batch2"),
}  # fmt: skip


def matmul(call: Call) -> Term:
    """Matrix products, and those with a summand: beta self + alpha a b."""
    a, b = (_term(call.args[name]) for name in _FACTORS[call.operation])
    if "beta" not in call.args:
        return product(call, a, b)
    result = product(call, a, b) if isinstance(a, Value) or isinstance(b, Value) else torch.matmul(a, b)
    summand = _multiple(call, call.args["beta"], _term(call.args["self"]))
    return plus(_multiple(call, call.args["alpha"], result), summand)


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
        raise call.refuse("multiplies activations with each other, which is not piecewise affine")
    (x,) = call.values
    if call.args.get("dtype") not in (None, torch.float64):
        raise call.refuse(f"converts to {call.args['dtype']}, which is not affine; remove the conversion")

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
    if call.args.get("dtype") not in (None, torch.float64):
        raise call.refuse(f"converts to {call.args['dtype']}, which is not affine; remove the conversion")
    axes = call.args.get("dim")
    axes = [] if axes is None else [axes] if isinstance(axes, int) else list(axes)
    n = ops.gathered(x, axes).shape[1]
    return ops.summed(x, axes, keep=bool(call.args.get("keepdim")), factor=1.0 / n if call.operation == "mean" else 1.0)


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
    gamma = 1.0 if args["weight"] is None else args["weight"].double()
    factor = gamma / torch.sqrt(args["running_var"].double() + args["eps"])
    shift = -args["running_mean"].double() * factor
    if args["bias"] is not None:
        shift = shift + args["bias"].double()
    return ops.normalised(x, numpy(factor), numpy(shift))


def batch_norm_of_three(call: Call) -> tuple[Value, Any, Any]:
    """The same, as decompositions have it, with two results that nothing reads."""
    return batch_norm(call), None, None
