"""Torch operations with sliding windows: convolutions, transposed convolutions, average and max pooling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from regionenum.network import ops, unit_ops
from regionenum.network.chain import Value
from regionenum.network.from_torch.call import Call, Result, numpy
from regionenum.network.windows import Windows


def _dim(call: Call) -> int:
    """The number of axes that the operation's name ends on: 2 for `max_pool2d_with_indices`."""
    name = call.operation
    return int(name[name.index("d", name.index("conv" if "conv" in name else "pool")) - 1])


def _per_axis(value: Any, default: Sequence[int], dim: int) -> list[int]:
    sizes: list[int] = [value] if isinstance(value, int) else list(value or default)
    return sizes if len(sizes) == dim else sizes * dim


def _windows(call: Call, x: Value, kernel: Sequence[int], out: Sequence[int]) -> Windows:
    dim = len(kernel)
    stride = _per_axis(call.args.get("stride"), kernel if "kernel_size" in call.args else [1], dim)
    dilation = _per_axis(call.args.get("dilation"), [1], dim)
    padding = call.args["padding"]
    if padding == "same":
        # torch pads one more behind than before when the total is odd.
        before = [d * (k - 1) // 2 for d, k in zip(dilation, kernel, strict=True)]
    else:
        before = [0] * dim if padding == "valid" else _per_axis(padding, [0], dim)
    return Windows(x.shape[-dim:], out, kernel, stride, before, dilation)


def convolution(call: Call) -> Value:
    """Convolution (in torch's sense: correlation) with zero padding."""
    if call.args.get("transposed"):
        return transposed_convolution(call)
    x, weight, bias = call.the("input"), numpy(call.constant("weight")), call.args["bias"]
    windows = _windows(call, x, weight.shape[2:], call.shape()[2 - weight.ndim :])
    return ops.convolved(x, weight, None if bias is None else numpy(bias), windows, call.args["groups"])


def transposed_convolution(call: Call) -> Value:
    """Transposed convolution: the transpose of the convolution that goes from its output to its input."""
    x, weight, bias = call.the("input"), numpy(call.constant("weight")), call.args["bias"]
    dim = weight.ndim - 2
    stride, padding, dilation = (_per_axis(call.args[name], [1], dim) for name in ("stride", "padding", "dilation"))
    windows = Windows(call.shape()[-dim:], x.shape[-dim:], weight.shape[2:], stride, padding, dilation)
    return ops.transposed_convolved(x, weight, None if bias is None else numpy(bias), windows, call.args["groups"])


def average_pooling(call: Call) -> Value:
    """Average pooling over the last axes."""
    x, dim = call.the("self"), _dim(call)
    windows = _windows(call, x, _per_axis(call.args["kernel_size"], [], dim), call.shape()[-dim:])
    divisors = windows.areas(count_padding=call.args["count_include_pad"])
    if call.args.get("divisor_override") is not None:
        divisors = np.full_like(divisors, call.args["divisor_override"])
    return ops.averaged(x, windows, divisors)


def max_pooling(call: Call) -> Result:
    """Max pooling over the last axes."""
    x, dim = call.the("self"), _dim(call)
    shape = call.shape()
    windows = _windows(call, x, _per_axis(call.args["kernel_size"], [], dim), shape[-dim:])
    table = ops.windows_table(windows, math.prod(x.shape[:-dim]))
    return call.with_indices(unit_ops.maximum_of_windows(call, x, table, shape))


def adaptive_average_pooling(call: Call) -> Value:
    """Averages over windows whose number is given."""
    x, dim, shape = call.the("self"), _dim(call), call.shape()
    table = ops.adaptive_table(x.shape[-dim:], shape[-dim:], math.prod(x.shape[:-dim]))
    return ops.mean_over(x, table, shape)


def adaptive_max_pooling(call: Call) -> Result:
    """Maxima over windows whose number is given."""
    x, dim, shape = call.the("self"), _dim(call), call.shape()
    table = ops.adaptive_table(x.shape[-dim:], shape[-dim:], math.prod(x.shape[:-dim]))
    return call.with_indices(unit_ops.maximum_of_windows(call, x, table, shape))
