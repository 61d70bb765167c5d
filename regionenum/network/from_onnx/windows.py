"""ONNX operators that slide a window: convolutions and poolings, with all their paddings."""

from __future__ import annotations

import math

import numpy as np

from regionenum.network import ops, unit_ops
from regionenum.network.chain import Value
from regionenum.network.from_onnx.call import Call
from regionenum.network.units import Floats
from regionenum.network.windows import Windows


def _options(call: Call, dim: int, name: str, default: int, lowest: int, n: int = 1) -> tuple[int, ...]:
    """n numbers for each of `dim` axes."""
    values = call.ints(name) or (default,) * (n * dim)
    if len(values) != n * dim or min(values) < lowest:
        raise call.refuse(f"has {name} {values}; it takes {n * dim} numbers from {lowest} on")
    return values


def _image(call: Call, dim: int | None = None) -> Value:
    """The input (1, n_channels, *size), with so many axes behind the channels."""
    x = call.x
    spatial = len(x.shape) - 2
    if spatial < 1 or x.shape[0] != 1 or (dim is not None and spatial != dim):
        wanted = f"(1, channels, {dim} sizes)" if dim else "(1, channels, one size or more)"
        raise call.refuse(f"meets a tensor of shape {x.shape}; supported: {wanted}")
    return x


def _sliding(call: Call, size: tuple[int, ...], kernel: tuple[int, ...]) -> Windows:
    """The windows of a convolution or pooling over an image."""
    dim, attributes = len(size), call.node.attributes
    stride, dilation = _options(call, dim, "strides", 1, 1), _options(call, dim, "dilations", 1, 1)
    pads, auto = _options(call, dim, "pads", 0, 0, 2), attributes.get("auto_pad", "NOTSET")
    before, behind, out = [0] * dim, [0] * dim, [0] * dim
    for k in range(dim):
        extent = dilation[k] * (kernel[k] - 1) + 1
        if auto in ("SAME_UPPER", "SAME_LOWER"):
            out[k] = -(-size[k] // stride[k])
            total = max((out[k] - 1) * stride[k] + extent - size[k], 0)
            less, more = total // 2, total - total // 2
            before[k], behind[k] = (less, more) if auto == "SAME_UPPER" else (more, less)
            continue
        if auto == "NOTSET":
            before[k], behind[k] = pads[k], pads[k + dim]
        elif auto != "VALID":
            raise call.refuse(f"has auto_pad {auto!r}; supported: NOTSET, SAME_UPPER, SAME_LOWER, VALID")
        steps = size[k] + before[k] + behind[k] - extent
        if attributes.get("ceil_mode", 0):
            out[k] = -(-steps // stride[k]) + 1
            # no window may begin behind the image and the padding in front of it
            out[k] -= (out[k] - 1) * stride[k] >= size[k] + before[k]
        else:
            out[k] = steps // stride[k] + 1
        if steps < 0:
            raise call.refuse(
                f"has a window of {extent} pixels, larger than its image of shape {size} with its padding"
            )
    if auto != "NOTSET":
        call.explicit.update(auto_pad="NOTSET", pads=(*before, *behind))
    call.connected(math.prod(out) * math.prod(kernel))
    return Windows(size, tuple(out), kernel, stride, tuple(before), dilation, tuple(behind))


def _weight(call: Call) -> tuple[Floats, Floats | None, int]:
    """Weight, bias and groups of a convolution."""
    weight, groups = call.floats(1), int(call.node.attributes["group"])
    bias = call.floats(2) if call.given(2) else None
    if not 3 <= weight.ndim <= 5 or not weight.size:
        raise call.refuse(f"has a weight of shape {weight.shape}; supported: convolutions over 1 to 3 axes")
    if call.ints("kernel_shape") not in (None, weight.shape[2:]):
        raise call.refuse(f"has kernel_shape {call.ints('kernel_shape')}, but a weight of shape {weight.shape}")
    return weight, bias, groups


def _check_channels(call: Call, groups: int, found: tuple[int, ...], needed: tuple[int, ...], bias: object) -> None:
    if found != needed or (isinstance(bias, np.ndarray) and bias.shape != (needed[-1],)):
        shape = getattr(bias, "shape", None)
        raise call.refuse(
            f"meets a tensor of shape {call.x.shape} with a weight of shape {call.floats(1).shape}, {groups} groups and "
            f"{'no bias' if shape is None else f'a bias of shape {shape}'}, which do not fit together"
        )


def conv(call: Call) -> Value:
    """Convolution (correlation) over 1 to 3 axes."""
    weight, bias, groups = _weight(call)
    x = _image(call, weight.ndim - 2)
    n_out = len(weight)
    ok = groups >= 1 and n_out % groups == 0
    _check_channels(call, groups, (x.shape[1], n_out), (weight.shape[1] * groups, n_out if ok else -1), bias)
    windows = _sliding(call, x.shape[2:], weight.shape[2:])
    call.sized((n_out, *windows.out))
    call.connected(math.prod(windows.out) * weight.size)
    return ops.convolved(x, weight, bias, windows, groups)


def conv_transpose(call: Call) -> Value:
    """Transposed convolution over 1 to 3 axes."""
    weight, bias, groups = _weight(call)
    dim, kernel = weight.ndim - 2, weight.shape[2:]
    x = _image(call, dim)
    ok = groups >= 1 and len(weight) % groups == 0
    _check_channels(
        call,
        groups,
        (x.shape[1], weight.shape[1] * groups),
        (len(weight) if ok else -1, weight.shape[1] * groups),
        bias,
    )
    stride, dilation = _options(call, dim, "strides", 1, 1), _options(call, dim, "dilations", 1, 1)
    pads, extra = _options(call, dim, "pads", 0, 0, 2), _options(call, dim, "output_padding", 0, 0)
    auto, wanted = call.node.attributes["auto_pad"], call.ints("output_shape")
    size, before = [0] * dim, [0] * dim
    if wanted is not None:
        wanted = wanted[-dim:] if len(wanted) == dim + 2 else wanted
    elif auto in ("SAME_UPPER", "SAME_LOWER"):
        wanted = tuple(n * s for n, s in zip(x.shape[2:], stride, strict=True))
    elif auto not in ("NOTSET", "VALID"):
        raise call.refuse(f"has auto_pad {auto!r}; supported: NOTSET, SAME_UPPER, SAME_LOWER, VALID")
    if wanted is not None and len(wanted) != dim:
        raise call.refuse(f"has output_shape {wanted} for {dim} axes")
    for k in range(dim):
        natural = stride[k] * (x.shape[2 + k] - 1) + extra[k] + dilation[k] * (kernel[k] - 1) + 1
        if wanted is None:
            before[k] = pads[k] if auto == "NOTSET" else 0
            size[k] = natural - (pads[k] + pads[k + dim] if auto == "NOTSET" else 0)
            continue
        size[k], total = wanted[k], natural - wanted[k]
        if total < 0:
            raise call.refuse(f"has output size {wanted[k]} along axis {k + 2}, but its windows reach {natural} only")
        before[k] = total // 2 if auto == "SAME_UPPER" else total - total // 2
    call.sized((weight.shape[1] * groups, *size))
    call.connected(math.prod(x.shape[2:]) * weight.size)
    windows = Windows(tuple(size), x.shape[2:], kernel, stride, tuple(before), dilation)
    return ops.transposed_convolved(x, weight, bias, windows, groups)


def _pooling(call: Call) -> tuple[Value, Windows]:
    x = _image(call, len(call.ints("kernel_shape") or ()))
    kernel = _options(call, len(x.shape) - 2, "kernel_shape", 1, 1)
    windows = _sliding(call, x.shape[2:], kernel)
    call.sized((x.shape[1], *windows.out))
    call.connected(x.shape[1] * math.prod(windows.out) * math.prod(kernel))
    return x, windows


def max_pool(call: Call) -> Value:
    """Maxima over windows; the padding is no candidate."""
    x, windows = _pooling(call)
    table = ops.windows_table(windows, x.shape[1])
    return unit_ops.maximum_of_windows(call, x, table, (1, x.shape[1], *windows.out))


def average_pool(call: Call) -> Value:
    """Means over windows, of the pixels or with the padding."""
    x, windows = _pooling(call)
    divisors = windows.areas(count_padding=bool(call.node.attributes["count_include_pad"]))
    if not divisors.all():
        raise call.refuse("has a window that lies entirely in the padding; choose a smaller padding")
    return ops.averaged(x, windows, divisors)


def global_average_pool(call: Call) -> Value:
    """The mean of each channel."""
    x = _image(call)
    return ops.mean(x, range(2, len(x.shape)), keep=True)


def global_max_pool(call: Call) -> Value:
    """The maximum of each channel."""
    x = _image(call)
    return unit_ops.extremum_over(call, x, range(2, len(x.shape)), keep=True, sign=1.0)
