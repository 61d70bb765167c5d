"""Every operation that is read from torch: {name: (a function that makes a module, the shape of its input)}."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from tests.torch_models import (
    Function,
    Scale,
    batch_norm,
    constant,
    f,
    with_slopes,
)

IMAGE = (2, 3, 3)
ROW = (2, 4)
CUBE = (1, 2, 2, 3)

Case = tuple[Callable[[], nn.Module], tuple[int, ...]]

CONVOLUTIONS: list[dict[str, Any]] = [
    {},
    {"stride": 2, "padding": 1},
    {"padding": "same", "dilation": 2},
    {"padding": "valid", "groups": 2, "bias": False},
    *({"padding": 1, "padding_mode": mode} for mode in ("zeros", "reflect", "replicate", "circular")),
]

AFFINE: dict[str, Case] = {
    "Linear": (lambda: nn.Linear(4, 3), ROW),
    **{
        f"Conv{d}d {options}": (partial(getattr(nn, f"Conv{d}d"), 2, 4, 2, **options), (2, *[3] * d))
        for d in (1, 2, 3)
        for options in CONVOLUTIONS
    },
    **{
        f"ConvTranspose{d}d {options}": (partial(getattr(nn, f"ConvTranspose{d}d"), 2, 4, 2, **options), (2, *[2] * d))
        for d in (1, 2, 3)
        for options in (
            {},
            {"stride": 2, "output_padding": 1, "padding": 1},
            {"groups": 2, "dilation": 2, "bias": False},
            {"stride": 3, "dilation": 2, "output_padding": 2},
        )
    },
    "BatchNorm1d": (lambda: batch_norm(nn.BatchNorm1d(2)), ROW),
    "BatchNorm2d": (lambda: batch_norm(nn.BatchNorm2d(2)), IMAGE),
    "BatchNorm3d": (lambda: batch_norm(nn.BatchNorm3d(1)), CUBE),
    "InstanceNorm2d with running statistics": (
        lambda: batch_norm(nn.InstanceNorm2d(2, affine=True, track_running_stats=True)),
        IMAGE,
    ),
    "AvgPool1d": (lambda: nn.AvgPool1d(2, 1, 1, ceil_mode=True), ROW),
    "AvgPool2d": (lambda: nn.AvgPool2d(2, 2, 1, ceil_mode=True, count_include_pad=False), IMAGE),
    "AvgPool2d with a divisor": (lambda: nn.AvgPool2d(2, divisor_override=3), IMAGE),
    "AvgPool3d": (lambda: nn.AvgPool3d((1, 2, 2), 1, (0, 1, 1), count_include_pad=True), CUBE),
    "AvgPool3d with a divisor": (lambda: nn.AvgPool3d(2, ceil_mode=True, divisor_override=5), CUBE),
    "AdaptiveAvgPool1d": (lambda: nn.AdaptiveAvgPool1d(3), ROW),
    "AdaptiveAvgPool2d": (lambda: nn.AdaptiveAvgPool2d((2, None)), IMAGE),
    "AdaptiveAvgPool3d": (lambda: nn.AdaptiveAvgPool3d((1, 2, 2)), CUBE),
    "mean": (f(lambda x: x.mean((2, 3))), IMAGE),
    "mean of all": (f(lambda x: x.mean().reshape(1, 1)), IMAGE),
    "sum": (f(lambda x: x.sum(-1, keepdim=True)), IMAGE),
    "sum of all": (f(lambda x: x.sum() + x.flatten(1)), ROW),
    "cumsum": (f(lambda x: x.cumsum(2)), ROW),
    "diff": (f(lambda x: x.diff(dim=2)), ROW),
    "add": (f(lambda x, c: x + c, constant(1, 4)), ROW),
    "add in place": (f(lambda x, c: (x * 2).add_(c), constant(4)), ROW),
    "augmented addition": (f(lambda x: (x * 0.1).__iadd__(x)), ROW),
    "add of activations": (f(lambda x: torch.add(x, x.flip(2), alpha=-0.3)), ROW),
    "add, broadcast to the constant": (f(lambda x, c: x + c, constant(3, 1, 1)), ROW),
    "add of broadcast activations": (f(lambda x: x[:, :1] + x[:, :, :1]), ROW),
    "sub": (f(lambda x, c: c - x, constant(2, 1)), ROW),
    "rsub": (f(lambda x: 0.1 - x), ROW),
    "sub of activations": (f(lambda x: torch.sub(x, x[:, :1], alpha=3)), ROW),
    "mul": (f(lambda x, c: c * x * 0.1, constant(2, 1)), ROW),
    "mul with zero": (f(lambda x: x * torch.tensor([0.0, 1.0, 2.0, -1.0])), ROW),
    "div": (f(lambda x, c: x / c / 3, constant(4)), ROW),
    "neg": (f(lambda x: -x), ROW),
    "lerp": (f(lambda x: torch.lerp(x, x.flip(1), 0.3)), ROW),
    "lerp to a constant": (f(lambda x, c, w: torch.lerp(x, c, w), constant(4), constant(4, seed=5)), ROW),
    "addmm": (f(lambda x, b, w: torch.addmm(b, x[0], w, beta=0.5, alpha=2), constant(3), constant(4, 3)), ROW),
    "addmm onto an activation": (f(lambda x, w: torch.addmm(x[0], w, x[0]), constant(2, 2)), (2, 2)),
    "baddbmm": (f(lambda x, w: torch.baddbmm(x, x, w), constant(1, 4, 4)), ROW),
    "addmv": (f(lambda x, b, v: torch.addmv(b, x[0], v), constant(2), constant(4)), ROW),
    "addcmul": (f(lambda x, a: torch.addcmul(x, a, x, value=0.7), constant(4)), ROW),
    "addcdiv": (f(lambda x, a: torch.addcdiv(a, x, a, value=0.7), constant(4)), ROW),
    "matmul on the right": (f(lambda x, w: x @ w, constant(4, 3)), ROW),
    "matmul on the left": (f(lambda x, w: w @ x, constant(3, 2)), ROW),
    "matmul, batched": (f(lambda x, w: w @ x, constant(3, 3, 2)), ROW),
    "matmul, batched on the right": (f(lambda x, w: x @ w, constant(3, 4, 2)), ROW),
    "matmul with a vector": (f(lambda x, v: x @ v, constant(4)), ROW),
    "vector times matrix": (f(lambda x, w: x[0, 0] @ w, constant(4, 3)), ROW),
    "bmm": (f(lambda x, w: torch.bmm(x, w), constant(1, 4, 3)), ROW),
    "mv, dot": (f(lambda x, v: torch.mv(x[0], v) + torch.dot(v, x[0, 1]), constant(4)), ROW),
    "einsum": (f(lambda x, w: torch.einsum("bij,jk,i->bk", x, w, w[:2, 0]), constant(4, 3)), ROW),
    "tensordot": (f(lambda x, w: torch.tensordot(w, x, ([0], [2])), constant(4, 3)), ROW),
    "outer, kron": (f(lambda x, v: torch.outer(x[0, 0], v) + torch.kron(x[0, 0], v).reshape(4, 3), constant(3)), ROW),
    "trace": (f(lambda x: x[0].trace().reshape(1)), (3, 3)),
    "Upsample bilinear": (lambda: nn.Upsample(scale_factor=2, mode="bilinear"), IMAGE),
    "Upsample linear": (lambda: nn.Upsample(size=7, mode="linear", align_corners=True), ROW),
    "Upsample trilinear": (lambda: nn.Upsample(scale_factor=(1, 2, 1.5), mode="trilinear"), CUBE),
    "Upsample bicubic": (f(lambda x: F.interpolate(x, (4, 5), mode="bicubic")), IMAGE),
    "interpolate by area": (f(lambda x: F.interpolate(x, (2, 2), mode="area")), IMAGE),
    "interpolate with antialiasing": (f(lambda x: F.interpolate(x, (2, 2), mode="bilinear", antialias=True)), IMAGE),
    "Fold": (lambda: nn.Fold((3, 3), 2, padding=1, stride=2), (4, 4)),
}  # fmt: skip

MOVEMENT: dict[str, Case] = {
    **{
        f"pad {mode} {sizes}": (f(partial(F.pad, pad=sizes, mode=mode)), (1, *[3] * (len(sizes) // 2)))
        for mode in ("constant", "reflect", "replicate", "circular")
        for sizes in ((1, 2), (1, 0, 2, 1), (0, 1, 1, 0, 1, 1))
    },
    "pad with a value": (f(lambda x: F.pad(x, (1, 0, -1, 2), value=0.7)), IMAGE),
    "slice": (f(lambda x: x[:, 1:, ::2]), IMAGE),
    "pad with an integer that is a width too": (f(lambda x: torch.constant_pad_nd(x, [1, 2], 1)), IMAGE),
    "index_fill with the number of the axis": (f(lambda x: x.index_fill(1, torch.tensor([0]), 1)), IMAGE),
    "scatter with the number of the axis": (f(lambda x: x.scatter(1, torch.zeros_like(x, dtype=torch.long)[:, :1], 1)), IMAGE),
    "select": (f(lambda x: x[:, 1, :, -1]), IMAGE),
    "index": (f(lambda x: x[:, torch.tensor([1, 0, 1]), :, torch.tensor([0, 2, 2])]), IMAGE),
    "index with a mask": (f(lambda x: x[:, :, torch.tensor([True, False, True])]), IMAGE),
    "index_select": (f(lambda x: x.index_select(2, torch.tensor([2, 0, 0]))), IMAGE),
    "gather": (f(lambda x: x.gather(2, torch.tensor([[[0, 3, 1], [2, 2, 0]]]))), ROW),
    "take_along_dim": (f(lambda x: torch.take_along_dim(x, torch.tensor([[[1], [0]]]), 2)), ROW),
    "take": (f(lambda x: x.take(torch.tensor([[3, 5]]))), ROW),
    "diagonal": (f(lambda x: x.diagonal(dim1=2, dim2=3)), IMAGE),
    "permute": (f(lambda x: x.permute(0, 2, 3, 1)), IMAGE),
    "transpose": (f(lambda x: x.mT.transpose(1, 2)), IMAGE),
    "movedim": (f(lambda x: x.movedim(1, 3).swapaxes(1, 2)), IMAGE),
    "flip": (f(lambda x: x.flip(2, 3)), IMAGE),
    "roll": (f(lambda x: x.roll((1, -1), (2, 3))), IMAGE),
    "rot90": (f(lambda x: x.rot90(1, (2, 3))), IMAGE),
    "stack": (f(lambda x, c: torch.stack([x, 2 * x, c], 1), constant(1, 2, 4)), ROW),
    "cat": (f(lambda x, c: torch.cat([x, c, x.flip(2)], 2), constant(1, 2, 1)), ROW),
    "hstack, vstack": (f(lambda x: torch.vstack([torch.hstack([x, x]), torch.hstack([x, -x])])), ROW),
    "split": (f(lambda x: sum(x.split([1, 2, 1], 2), x[:, :1, :1])[:, :, :1]), (2, 4)),
    "chunk": (f(lambda x: x.chunk(2, 2)[1] - x.chunk(2, 2)[0]), ROW),
    "unbind": (f(lambda x: x.unbind(1)[1] * 2 + x.unbind(1)[0]), ROW),
    "tensor_split": (f(lambda x: torch.tensor_split(x, 3, 2)[0]), ROW),
    "tile": (f(lambda x: x.tile(2, 1)), ROW),
    "repeat": (f(lambda x: x.repeat(1, 2, 1)), ROW),
    "repeat_interleave": (f(lambda x: x.repeat_interleave(2, 1)), ROW),
    "repeat_interleave by a tensor": (f(lambda x: x.repeat_interleave(torch.tensor([2, 0, 1, 1]), 2)), ROW),
    "expand": (f(lambda x: x[:, :1].expand(1, 3, 4)), ROW),
    "squeeze, unsqueeze": (f(lambda x: x[:, :1].squeeze(1).unsqueeze(0).unsqueeze_(3)), ROW),
    "Flatten": (nn.Flatten, IMAGE),
    "Unflatten": (lambda: nn.Unflatten(2, (2, 2)), ROW),
    "view, reshape": (f(lambda x: x.view(-1, 2).reshape(1, 2, 2, 2)), ROW),
    "Dropout": (lambda: nn.Sequential(nn.Dropout(), nn.AlphaDropout(), nn.Identity()), ROW),
    "Dropout1d, 2d, 3d": (lambda: nn.Sequential(nn.Dropout1d(), nn.Unflatten(1, (2, 1)), nn.Dropout2d()), ROW),
    "Dropout3d": (lambda: nn.Sequential(nn.Dropout3d(), nn.FeatureAlphaDropout()), CUBE),
    "Upsample nearest 1d": (lambda: nn.Upsample(scale_factor=1.5), ROW),
    "Upsample nearest 2d": (lambda: nn.Upsample(scale_factor=2), IMAGE),
    "Upsample nearest 3d": (lambda: nn.Upsample(size=(3, 2, 4)), CUBE),
    "interpolate nearest-exact": (f(lambda x: F.interpolate(x, (2, 5), mode="nearest-exact")), IMAGE),
    "PixelShuffle": (lambda: nn.PixelShuffle(2), (4, 1, 2)),
    "PixelUnshuffle": (lambda: nn.PixelUnshuffle(2), (1, 2, 4)),
    "ChannelShuffle": (lambda: nn.ChannelShuffle(2), (4, 1, 2)),
    "Unfold": (lambda: nn.Unfold(2, padding=1, stride=2, dilation=1), IMAGE),
    "Tensor.unfold": (f(lambda x: x.unfold(2, 2, 1)), ROW),
    "tril": (f(lambda x: x.tril()), IMAGE),
    "triu": (f(lambda x: x.triu(1)), IMAGE),
    "where": (f(lambda x, c: torch.where(c > 0, x, c), constant(3, 3)), IMAGE),
    "where of activations": (f(lambda x, c: torch.where(c > 0, x, -x), constant(3, 3)), IMAGE),
    "where with a number": (f(lambda x, c: torch.where(c > 0, 0.7, x), constant(3, 3)), IMAGE),
    "masked_fill": (f(lambda x, c: x.masked_fill(c > 0, 0.7), constant(3, 3)), IMAGE),
    "masked_fill in place": (f(lambda x, c: (x + 0).masked_fill_(c > 0, 0.7), constant(3, 3)), IMAGE),
    "scatter": (f(lambda x: x.scatter(2, torch.tensor([[[1], [2]]]), x[:, :, :1])), ROW),
    "new tensors of its shape": (
        f(lambda x: x + torch.ones_like(x) * x.new_full((4,), 0.7) + torch.zeros_like(x)), ROW,
    ),
    "meshgrid": (f(lambda x: torch.meshgrid(x[0, 0], x[0, 1], indexing="ij")[0].unsqueeze(0)), ROW),
    "broadcast_tensors": (f(lambda x: torch.broadcast_tensors(x[:, :1], x)[0]), ROW),
    "masked_select": (f(lambda x: x.masked_select(torch.tensor([True, False, True, False]))), ROW),
    "detach, contiguous, clone": (f(lambda x: x.mT.contiguous().clone().detach()), ROW),
    "to its own type": (f(lambda x, c: x.to(torch.float64).type_as(c).double(), constant(1)), ROW),
}  # fmt: skip

UNITS: dict[str, Case] = {
    "ReLU": (nn.ReLU, ROW),
    "ReLU in place": (lambda: nn.Sequential(nn.Linear(4, 2), nn.ReLU(inplace=True)), ROW),
    "LeakyReLU": (lambda: nn.LeakyReLU(0.3), ROW),
    "PReLU": (lambda: nn.PReLU(init=-0.4), ROW),
    "PReLU by channel": (lambda: with_slopes(nn.PReLU(4), [-0.5, 1.0, 0.0, 2.0]), (4, 2)),
    "PReLU on a row": (lambda: with_slopes(nn.PReLU(4), [-0.5, 1.0, 0.0, 2.0]), (4,)),
    "RReLU": (lambda: nn.RReLU(0.1, 0.4), ROW),
    "ReLU6": (lambda: nn.Sequential(Scale(9.0), nn.ReLU6()), ROW),
    "F.relu6": (f(lambda x: F.relu6(9 * x)), ROW),
    "Hardtanh": (lambda: nn.Hardtanh(-0.5, 0.8), ROW),
    "Hardsigmoid": (lambda: nn.Sequential(Scale(4.0), nn.Hardsigmoid()), ROW),
    "clamp": (f(lambda x: x.clamp(-0.3, 0.4)), ROW),
    "clamp in place": (f(lambda x: (x * 2).clamp_(max=0.4)), ROW),
    "clamp by tensors": (f(lambda x, c: x.clamp(c, c + 0.5), constant(4)), ROW),
    "clamp by tensors, some crossed": (f(lambda x, c: x.clamp(c, -c), constant(4)), ROW),
    "clamp with crossed bounds": (f(lambda x: x + x.clamp(0.5, -0.5).relu()), ROW),
    "clamp_min": (f(lambda x: x.clamp_min(0.2)), ROW),
    "clamp_max by a tensor": (f(lambda x, c: torch.clamp_max(x, c), constant(2, 1)), ROW),
    "Threshold": (lambda: nn.Threshold(0.3, 0.3), ROW),
    "Softshrink": (lambda: nn.Softshrink(0.4), ROW),
    "Softshrink by 0": (lambda: nn.Sequential(nn.Softshrink(0.0), nn.ReLU()), ROW),
    "abs": (f(lambda x: x.abs()), ROW),
    "abs in place": (f(lambda x: (x + 1).abs_()), ROW),
    "maximum": (f(lambda x: torch.maximum(x, -x.flip(2))), ROW),
    "minimum": (f(lambda x: torch.minimum(x[:, :1], x)), ROW),
    "max of two": (f(lambda x: torch.max(x, 2 * x.flip(1))), ROW),
    "min of two": (f(lambda x: torch.min(x, 2 * x.flip(1))), ROW),
    "maximum and a constant": (f(lambda x, c: torch.maximum(c, x), constant(4)), ROW),
    "minimum and a constant": (f(lambda x, c: torch.minimum(x, c), constant(3, 1, 1)), (2, 2)),
    "fmax, fmin": (f(lambda x, c: torch.fmax(torch.fmin(x, c), x.flip(2)), constant(4)), ROW),
    "amax": (f(lambda x: x.amax(2)), ROW),
    "amax over two axes": (f(lambda x: x.amax((1, 3), keepdim=True)), (2, 2, 2)),
    "amin": (f(lambda x: x.amin(1)), ROW),
    "max of all": (f(lambda x: x.max().reshape(1)), ROW),
    "min of all": (f(lambda x: x.min().reshape(1)), ROW),
    "max over an axis": (f(lambda x: x.max(2, keepdim=True).values), ROW),
    "min over an axis": (f(lambda x: torch.min(x, 1)[0]), ROW),
    **{
        f"MaxPool{d}d {options}": (partial(getattr(nn, f"MaxPool{d}d"), 2, **options), (1, *size))
        for d, size in ((1, (6,)), (2, (3, 4)), (3, (2, 3, 2)))
        for options in ({}, {"stride": 1, "padding": 1, "ceil_mode": True}, {"stride": 2, "padding": 1, "dilation": 2})
    },
    "MaxPool2d, indices unused": (
        lambda: nn.Sequential(nn.MaxPool2d(2, return_indices=True), Function(lambda x: x[0])), (1, 4, 4),
    ),
    "AdaptiveMaxPool1d": (lambda: nn.AdaptiveMaxPool1d(3), ROW),
    "AdaptiveMaxPool2d": (lambda: nn.AdaptiveMaxPool2d((2, 1)), (1, 3, 3)),
    "AdaptiveMaxPool3d": (lambda: nn.AdaptiveMaxPool3d((1, 2, None)), CUBE),
    "maxout": (f(lambda x, w: (x @ w).unflatten(2, (2, 3)).amax(3), constant(4, 6)), ROW),
    "units of a constant": (f(lambda x, c: x + torch.relu(0 * x + c).abs(), constant(4)), ROW),
}  # fmt: skip
