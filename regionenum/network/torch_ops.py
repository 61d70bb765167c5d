"""What each ATen operation of a torch graph means: an affine map of its input, or units that read it.

One short function per family of operations, found by the operation's name in `OPERATIONS`. Affine operations return the
composed `Affine`; non-linear ones return the `Units` that close the layer.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from regionenum.errors import InputError
from regionenum.network.affine import Affine, Matrix
from regionenum.network.units import RELU, Floats, Units, leaky_relu
from regionenum.network.windows import Windows, average, convolution, maxima

SUPPORTED = (
    "Linear, Conv1d, Conv2d, BatchNorm1d, BatchNorm2d, ReLU, LeakyReLU, MaxPool1d, MaxPool2d, AvgPool1d, AvgPool2d, "
    "Flatten, Dropout, Identity, reshaping, padding, and arithmetic with constants"
)

ACTIVATION = object()
"""Stands for the tensor that flows through the network among a call's arguments."""


@dataclass(frozen=True)
class Call:
    """One operation of the graph.

    Attributes
    ----------
    where : the operation as an error names it, for example "`features.3` (GELU)"
    target : the ATen overload
    args : its arguments by name: constants, and `ACTIVATION` once
    x : the activation, as an affine map of the last units' outputs
    shape_in, shape_out : shapes of the activation before and after, with the batch axis
    """

    where: str
    target: Any
    args: dict[str, Any]
    x: Affine
    shape_in: tuple[int, ...]
    shape_out: tuple[int, ...]

    def refuse(self, why: str) -> InputError:
        """The error that refuses this operation."""
        return InputError(f"{self.where} {why}")

    def run(self, tensor: torch.Tensor, **changed: Any) -> torch.Tensor:
        """Run the operation on another tensor in place of the activation."""
        args = {name: tensor if value is ACTIVATION else value for name, value in (self.args | changed).items()}
        given = [(argument, args[argument.name]) for argument in self.target._schema.arguments]
        return self.target(*[v for a, v in given if not a.kwarg_only], **{a.name: v for a, v in given if a.kwarg_only})


def _numpy(tensor: torch.Tensor) -> Floats:
    return tensor.detach().to(torch.float64).numpy()


def _blocks(n: int, matrix: Matrix) -> Matrix:
    """The block-diagonal matrix of n copies."""
    return matrix if n == 1 else sp.csr_array(sp.kron(sp.eye_array(n), matrix, format="csr"))


def passed_on(call: Call) -> Affine:
    """The identity."""
    return call.x


def moved(call: Call) -> Affine:
    """Data movement: run the operation on the image of positions, and read off where every value went."""
    # Positions are float64 because torch pads no integer images by reflection; they are exact far beyond any real size.
    positions = torch.arange(math.prod(call.shape_in), dtype=torch.float64).reshape(call.shape_in)
    pads = "value" in call.args and call.args.get("mode", "constant") == "constant"
    index = call.run(positions, value=-1.0) if pads else call.run(positions)
    return call.x.select(index.reshape(-1).numpy().astype(np.int64), float(call.args["value"] or 0.0) if pads else 0.0)


def dropout(call: Call) -> Affine:
    """Dropout outside training: the identity."""
    if call.args["train"]:
        raise call.refuse("drops values at random (training=True); call model.eval(), or pass training=self.training")
    return call.x


def linear(call: Call) -> Affine:
    """y = W x + b along the last axis."""
    weight, bias = call.args["weight"], call.args["bias"]
    if call.args["input"] is not ACTIVATION:
        raise call.refuse("has a weight that depends on the input; the weight must be a constant")
    n = math.prod(call.shape_in[:-1])
    if bias is not None:
        bias = np.tile(_numpy(bias), n)
    return call.x.then(_blocks(n, _numpy(torch.atleast_2d(weight))), bias)


def matmul(call: Call) -> Affine:
    """y = x W with a constant matrix W on the right."""
    weight: Any = call.args.get("mat2", call.args.get("other"))
    if weight is ACTIVATION or weight.ndim != 2:
        raise call.refuse("multiplies by something other than a constant matrix on the right; write it as F.linear")
    return call.x.then(_blocks(math.prod(call.shape_in[:-1]), np.ascontiguousarray(_numpy(weight).T)))


def batch_norm(call: Call) -> Affine:
    """y = (x - mean) / sqrt(var + eps) * gamma + beta, channel by channel, folded in float64."""
    args = call.args
    if args["training"]:
        raise call.refuse("uses the statistics of the batch; call model.eval(), and set track_running_stats=True")
    gamma = 1.0 if args["weight"] is None else args["weight"].double()
    factor = gamma / torch.sqrt(args["running_var"].double() + args["eps"])
    shift = -args["running_mean"].double() * factor
    if args["bias"] is not None:
        shift = shift + args["bias"].double()
    shape = (1, -1, *[1] * (len(call.shape_in) - 2))
    per_value = [_numpy(v.reshape(shape).expand(call.shape_in).reshape(-1)) for v in (factor, shift)]
    return call.x.scaled(*per_value)


def arithmetic(call: Call) -> Affine:
    """x + c, c - x, x * c, x / c, -x with constants c that broadcast against x."""
    name = call.target.overloadpacket.__name__.rstrip("_")
    left, right = call.args["self"], call.args.get("other", 0.0)
    alpha = float(call.args.get("alpha", 1.0))
    if call.args.get("rounding_mode") is not None or (name == "div" and right is ACTIVATION):
        raise call.refuse("is not an affine function of its input; only division by a constant is supported")
    positions = torch.arange(math.prod(call.shape_in)).reshape(call.shape_in).expand(call.shape_out)
    x = call.x.select(positions.reshape(-1).numpy())
    constant = torch.as_tensor(right if left is ACTIVATION else left).double().expand(call.shape_out)
    c = _numpy(constant.reshape(-1))
    zero = np.zeros_like(c)
    if name in ("mul", "div"):
        return x.scaled(c if name == "mul" else _numpy(1.0 / constant.reshape(-1)), zero)
    if name == "neg":
        return x.scaled(zero - 1.0, zero)
    # add: left + alpha right; sub: left - alpha right; rsub: right - alpha left
    first, second = {"add": (1.0, alpha), "sub": (1.0, -alpha), "rsub": (-alpha, 1.0)}[name]
    of_x, of_c = (first, second) if left is ACTIVATION else (second, first)
    return (x if of_x == 1.0 else x.scaled(zero + of_x, zero)).shifted(of_c * c)


def _windows(call: Call, kernel: list[int], padding: Any) -> tuple[int, Windows]:
    """The windows over the last axes, and the number of images (batch times channels, in a pooling)."""
    dim = len(kernel)

    def per_axis(name: str, default: list[int]) -> list[int]:
        value = call.args.get(name) or default
        return list(value) if len(value) == dim else list(value) * dim

    stride, dilation = per_axis("stride", kernel), per_axis("dilation", [1] * dim)
    if padding == "same":
        # torch pads one more behind than before when the total is odd.
        before = [d * (k - 1) // 2 for d, k in zip(dilation, kernel, strict=True)]
    else:
        before = [0] * dim if padding == "valid" else per_axis("padding", [0] * dim)
    size, out = call.shape_in[-dim:], call.shape_out[-dim:]
    return math.prod(call.shape_in[:-dim]), Windows(size, out, kernel, stride, before, dilation)


def conv(call: Call) -> Affine:
    """Convolution (in torch's sense: correlation) with zero padding."""
    if call.args["input"] is not ACTIVATION:
        raise call.refuse("has a weight that depends on the input; the weight must be a constant")
    weight, bias = _numpy(call.args["weight"]), call.args["bias"]
    groups = call.args["groups"]
    n_images, windows = _windows(call, list(weight.shape[2:]), call.args["padding"])
    n = n_images // (groups * weight.shape[1])
    if bias is not None:
        bias = np.tile(np.repeat(_numpy(bias), math.prod(windows.out)), n)
    return call.x.then(_blocks(n, convolution(windows, weight, groups)), bias)


def _kernel(call: Call, dim: int) -> list[int]:
    kernel = list(call.args["kernel_size"])
    return kernel if len(kernel) == dim else kernel * dim


def avg_pool(dim: int) -> Callable[[Call], Affine]:
    """Average pooling over the last `dim` axes."""

    def lower(call: Call) -> Affine:
        n_images, windows = _windows(call, _kernel(call, dim), call.args["padding"])
        divisors = windows.areas(count_padding=call.args["count_include_pad"])
        if call.args.get("divisor_override") is not None:
            divisors = np.full_like(divisors, call.args["divisor_override"])
        return call.x.then(average(windows, n_images, divisors))

    return lower


def max_pool(dim: int) -> Callable[[Call], Units]:
    """Max pooling over the last `dim` axes."""

    def lower(call: Call) -> Units:
        n_images, windows = _windows(call, _kernel(call, dim), call.args["padding"])
        try:
            return maxima(windows, n_images)
        except ValueError as error:
            raise call.refuse(f"cannot be used: {error}; choose a smaller padding") from error

    return lower


def max_pool_with_indices(call: Call) -> Units:
    """Refused: the indices are a second output, and no piecewise-affine function."""
    raise call.refuse("returns the winners' indices, which is not supported; set return_indices=False")


def relu(call: Call) -> Units:
    """max(x, 0)."""
    return Units.pointwise(RELU, call.x.n_rows)


def leaky(call: Call) -> Affine | Units:
    """max(x, 0) + slope min(x, 0); with slope 1 the identity, which is affine."""
    slope = float(call.args["negative_slope"])
    if not math.isfinite(slope):
        raise call.refuse(f"has negative_slope {slope}; the slope must be finite")
    return call.x if slope == 1.0 else Units.pointwise(leaky_relu(slope), call.x.n_rows)


_MOVEMENT = (
    *("view", "reshape", "_unsafe_view", "flatten", "unflatten", "squeeze", "unsqueeze", "permute", "transpose", "t"),
    *(
        "swapaxes",
        "swapdims",
        "movedim",
        "contiguous",
        "clone",
        "detach",
        "alias",
        "lift_fresh_copy",
        "select",
        "slice",
    ),
    *("narrow", "expand", "repeat", "flip", "roll", "pad", "constant_pad_nd", "reflection_pad1d", "reflection_pad2d"),
    *("replication_pad1d", "replication_pad2d"),
)

OPERATIONS: dict[str, Callable[[Call], Affine | Units]] = {
    **dict.fromkeys(_MOVEMENT, moved),
    **dict.fromkeys(["dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout"], dropout),
    **dict.fromkeys(["add", "sub", "rsub", "mul", "div", "neg"], arithmetic),
    **dict.fromkeys(["mm", "matmul"], matmul),
    **dict.fromkeys(["max_pool1d_with_indices", "max_pool2d_with_indices"], max_pool_with_indices),
    "to": passed_on,
    "linear": linear,
    "conv1d": conv,
    "conv2d": conv,
    "batch_norm": batch_norm,
    "avg_pool1d": avg_pool(1),
    "avg_pool2d": avg_pool(2),
    "max_pool1d": max_pool(1),
    "max_pool2d": max_pool(2),
    "relu": relu,
    "leaky_relu": leaky,
}
