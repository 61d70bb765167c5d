"""Every operation that is read from torch: its values against torch, and its regions against sampling and HiGHS."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from regionenum.domain import Box
from regionenum.engine.compiled import CompiledEngine
from regionenum.engine.interface import Problem, Record
from regionenum.engine.reference import HighsEngine
from regionenum.network.from_torch.operations import OPERATIONS
from regionenum.network.from_torch.refused import REASONS
from regionenum.network.layers import Network
from regionenum.network.load import load
from tests.exploring import explore, same_statistics
from tests.test_load_torch import Function, batch_norm, points, torch_outputs

torch.set_num_threads(1)

FREE = 2
"""Dimensions of the box in which regions are enumerated; the other inputs are fixed."""
N_SAMPLES = 2000


def check_values(module: nn.Module, shape: tuple[int, ...]) -> Network:
    """Load a module, and compare it with torch at random points."""
    network = load(module, torch.ones(1, *shape, dtype=torch.float64))
    x = points(shape, n=20)
    np.testing.assert_allclose(network.forward(x.numpy()), torch_outputs(module, x), rtol=1e-10, atol=1e-10)
    return network


def check_regions(network: Network, seed: int = 0) -> int:
    """Enumerate with both engines; no sampled pattern may be missing. Returns the number of regions."""
    rng = np.random.default_rng(seed)
    centre = rng.normal(size=network.n_in)
    width = np.where(np.isin(np.arange(network.n_in), rng.permutation(network.n_in)[:FREE]), 1.5, 0.0)
    problem = Problem.over(network, Box(centre - width, centre + width))
    found, reference = (explore(e(), problem, Record.REGIONS) for e in (CompiledEngine, HighsEngine))
    assert same_statistics(found.statistics, reference.statistics)
    patterns = found.layer(problem.depth - 1)
    assert patterns.keys() == reference.layer(problem.depth - 1).keys()
    y = rng.uniform(size=(N_SAMPLES, problem.dim))
    x = np.tile(centre, (N_SAMPLES, 1))
    x[:, width > 0] += (2.0 * y - 1.0) * 1.5
    sampled = set(map(tuple, network.pattern(x).tolist()))
    assert sampled <= patterns.keys()
    return found.regions


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    return make().double().eval()


def inside(module: nn.Module, shape: tuple[int, ...]) -> nn.Module:
    """The operation inside a network with two inputs and a ReLU behind."""
    n = int(np.prod(shape))
    before = nn.Sequential(nn.Linear(2, n), nn.Unflatten(1, shape))
    n_out = module(torch.ones(1, *shape, dtype=torch.float64)).numel()
    return nn.Sequential(before, module, nn.Flatten(0), nn.Linear(n_out, 3), nn.ReLU()).double().eval()


def constant(*shape: int, seed: int = 3) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def f(function: Callable[..., Any], *tensors: torch.Tensor) -> Callable[[], nn.Module]:
    """A module of a function of the input and of constants."""

    class WithConstants(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for k, tensor in enumerate(tensors):
                self.register_buffer(f"c{k}", tensor)

        def forward(self, x: torch.Tensor) -> Any:
            return function(x, *(getattr(self, f"c{k}") for k in range(len(tensors))))

    return WithConstants


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


class Scale(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.factor * x


def with_slopes(module: nn.PReLU, slopes: list[float]) -> nn.PReLU:
    with torch.no_grad():
        module.weight.copy_(torch.tensor(slopes))
    return module


@pytest.mark.parametrize("case", AFFINE | MOVEMENT)
def test_affine_operations(case: str) -> None:
    make, shape = (AFFINE | MOVEMENT)[case]
    module = seeded(make)
    alone = check_values(module, shape)
    assert len(alone.layers) <= 1
    assert not alone.unit_layers
    network = check_values(inside(module, shape), (2,))
    assert [layer.name for layer in network.layers] == ["4"]
    check_regions(network)


@pytest.mark.parametrize("case", UNITS)
def test_units(case: str) -> None:
    make, shape = UNITS[case]
    module = seeded(make)
    alone = check_values(module, shape)
    assert alone.unit_layers
    assert check_regions(alone) >= 1
    assert check_regions(check_values(inside(module, shape), (2,))) > 1


def test_the_tables_name_every_operation() -> None:
    assert not OPERATIONS.keys() & REASONS.keys()
    packets = torch.ops.aten
    for name in (*OPERATIONS, *REASONS):
        assert hasattr(packets, name), name


# Networks -------------------------------------------------------------------------------------------------------------


class ResNet(nn.Module):
    """Two basic blocks, the second with a projection, as in torchvision: in-place ReLUs and additions."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 1, 2), batch_norm(nn.BatchNorm2d(1))
        self.conv2, self.bn2 = nn.Conv2d(1, 1, 3, padding=1), batch_norm(nn.BatchNorm2d(1))
        self.conv3, self.conv4, self.down = nn.Conv2d(1, 2, 2), nn.Conv2d(2, 2, 1), nn.Conv2d(1, 2, 2)
        self.relu = nn.ReLU(inplace=True)
        self.fc = nn.Linear(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(x))
        y += x
        x = self.relu(y)
        y = self.conv4(self.relu(self.conv3(x)))
        y += self.down(x)
        return self.fc(self.relu(y).mean((2, 3)))


class DenseNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Sequential(nn.ReLU(), nn.Linear(3 + 2 * k, 2)) for k in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = [x]
        for layer in self.layers:
            found.append(layer(torch.cat(found, 1)))
        return torch.cat(found, 1)


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2 = nn.Conv1d(1, 1, 3, padding=1), nn.Conv1d(1, 2, 3, padding=1)
        self.pool, self.up = nn.MaxPool1d(2), nn.ConvTranspose1d(2, 1, 2, stride=2)
        self.last = nn.Conv1d(2, 1, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = F.relu(self.down1(x))
        b = F.relu(self.down2(self.pool(a)))
        return F.relu(self.last(torch.cat([a, self.up(b)], 1)))


class Inception(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.three = nn.Conv1d(1, 1, 1), nn.Conv1d(1, 1, 3, padding=1)
        self.reduce, self.pool = nn.Conv1d(1, 1, 1), nn.MaxPool1d(3, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([F.relu(self.one(x)), F.relu(self.three(F.relu(self.reduce(x)))), self.pool(x)], 1)


class Cells(nn.Module):
    """An S-cell adds what its inputs share, a C-cell takes the largest of shifted copies (neocognitron)."""

    def __init__(self) -> None:
        super().__init__()
        self.excite, self.inhibit = nn.Conv1d(1, 2, 2), nn.Conv1d(1, 2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        s = F.relu(self.excite(x) - self.inhibit(x).abs())
        return torch.maximum(s, torch.roll(s, 1, 2)).amax(1)


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc, self.act = nn.Linear(2, 2), nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(3):
            x = x + self.act(self.fc(x))
        return x


class Mixed(nn.Module):
    """In-place ReLU of a tensor that is used before and after, through the same name."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.fc(x)
        before = 2 * y
        after = F.relu_(y)
        return before + after + y


def network_in_network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 2, 2), nn.ReLU(), nn.Conv2d(2, 2, 1), nn.ReLU(), nn.Conv2d(2, 2, 1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    )  # fmt: skip


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], list[tuple[str, int]]]] = {
    "ResNet": (ResNet, (1, 3, 3), [("relu", 4), ("relu@1", 4), ("relu@2", 6), ("relu@3", 2), ("fc", 2)]),
    "DenseNet": (DenseNet, (3,), [("layers.0.0", 6), ("layers.1.0", 10), ("layers.2.0", 14), ("cat_3", 9)]),
    "U-Net": (UNet, (1, 4), [("relu", 4), ("pool", 6), ("relu_1", 8), ("relu_2", 4)]),
    "Inception": (Inception, (1, 4), [("relu", 8), ("relu_1", 12), ("relu_2", 12), ("pool", 12), ("cat", 12)]),
    "network in network": (network_in_network, (1, 3, 3), [("1", 8), ("3", 8), ("5", 8), ("7", 2)]),
    "S-cells and C-cells": (Cells, (1, 4), [("abs_1", 10), ("relu", 6), ("maximum", 6), ("amax", 3)]),
    "shared modules": (Shared, (2,), [("act", 4), ("act@1", 4), ("act@2", 4), ("add_2", 2)]),
    "in place, before and after": (Mixed, (3,), [("relu_", 6), ("add_1", 3)]),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_that_branch(name: str) -> None:
    make, shape, layers = NETWORKS[name]
    network = check_values(seeded(make), shape)
    assert [(layer.name, layer.n_out) for layer in network.layers] == layers
    assert sum(check_regions(network, seed) for seed in range(3)) > 3


class Tangled(nn.Module):
    """A random graph: every step reads values of any age."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.seed, self.fc = seed, nn.ModuleList(nn.Linear(4, 4) for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        draw = random.Random(self.seed)
        steps: list[Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = [
            lambda a, b: F.relu(a),
            lambda a, b: draw.choice(list(self.fc))(a),
            lambda a, b: a - 0.5 * b,
            lambda a, b: torch.maximum(a, b),
            lambda a, b: torch.cat([a[:, 2:], b.chunk(2, 1)[0]], 1),
            lambda a, b: torch.stack([a, b.flip(1)], 1).max(1).values,
            lambda a, b: a.view(2, 2).clamp(-1, 0.7).view(1, 4),
            lambda a, b: (a + b).relu_() + a.sum(1, keepdim=True),
            lambda a, b: (a * 1.5).add_(b).abs_(),
            lambda a, b: F.max_pool1d(a.unsqueeze(1), 3, 1, 1).squeeze(1),
        ]
        pool = [x]
        for _ in range(draw.randint(4, 12)):
            pool.append(draw.choice(steps)(draw.choice(pool), draw.choice(pool)))
        return torch.cat(pool[-draw.randint(1, 4) :], 1)


@pytest.mark.parametrize("seed", range(40))
def test_random_graphs(seed: int) -> None:
    check_values(seeded(lambda: Tangled(seed)), (4,))


def test_large_convolutions_stay_sparse() -> None:
    def make() -> nn.Module:
        block = Function(lambda m, x: F.relu(x + m.c(F.relu(x))), c=nn.Conv2d(8, 8, 3, padding=1))
        return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), block, nn.MaxPool2d(2), nn.Conv2d(8, 16, 3), nn.ReLU())

    torch.manual_seed(0)
    tracemalloc.start()
    network = load(make().eval(), torch.zeros(1, 3, 32, 32))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    sizes = [layer.weight.nnz for layer in network.layers if not isinstance(layer.weight, np.ndarray)]
    windows = (32 * 3 - 2) ** 2  # pairs of a pixel and a pixel under its window
    assert sizes == [8 * 3 * windows, 8 * 8 * windows + 8 * 1024, 8 * 1024, 16 * 14 * 14 * 9 * 8]
    assert peak < 100 * sum(sizes)


def test_what_is_needed_later_is_passed_on_and_nothing_else() -> None:
    network = check_values(seeded(lambda: nn.Sequential(nn.Linear(3, 4), Function(lambda x: F.relu(x) + x))), (3,))
    relu, add = network.layers
    assert relu.weight.shape == (4, 3)  # the rows that are passed on are those that the units read
    assert [len(f.breakpoints) for f in relu.units.functions] == [1, 0]
    np.testing.assert_array_equal(relu.units.rows, [0, 1, 2, 3, 0, 1, 2, 3])
    np.testing.assert_array_equal(add.weight if isinstance(add.weight, np.ndarray) else add.weight.toarray(),
                                  np.hstack([np.eye(4), np.eye(4)]))  # fmt: skip
    wide = check_values(
        seeded(lambda: Function(lambda m, x: x.sum(1) + F.relu(m.fc(x)).sum(1), fc=nn.Linear(9, 2))), (9,)
    )
    assert [layer.n_out for layer in wide.layers] == [3, 1]  # the sum alone is passed on, not the nine inputs
    split = check_values(seeded(lambda: Function(lambda x: (lambda a, b: F.relu(a) + b)(*x.split(2, 1)))), (4,))
    assert split.layers[0].n_out == 4


def test_what_the_output_does_not_need_is_left_out() -> None:
    def function(m: Any, x: torch.Tensor) -> torch.Tensor:
        y = m.fc(x)
        _ = (torch.softmax(y, 1), F.relu(y), y.argmax(1), F.relu(y)[:, torch.tensor([True, False])].reshape(1, -1))
        return y.abs()

    network = check_values(seeded(lambda: Function(function, fc=nn.Linear(3, 2))), (3,))
    assert [(layer.name, layer.n_out) for layer in network.layers] == [("abs_1", 2)]


@pytest.mark.parametrize("operation", ["argmax", "argmin"])
def test_a_final_argmax_is_one_maximum_over_the_outputs(operation: str) -> None:
    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 4))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return getattr(self.body(x), operation)(1)

    module = seeded(Classifier)
    network = load(module, torch.ones(1, 3, dtype=torch.float64))
    assert [layer.name for layer in network.unit_layers] == ["body.1", operation]
    x = points((3,))
    with torch.no_grad():
        scores = module.body(x)
        np.testing.assert_array_equal(network.pattern(x.numpy())[:, -1], module(x).numpy())
    best = scores.amax(1) if operation == "argmax" else scores.amin(1)
    np.testing.assert_allclose(network.forward(x.numpy())[:, 0], best.numpy(), rtol=1e-10)
    assert check_regions(network) > 1
    load(Classifier().eval(), torch.ones(1, 3))


def test_argmax_per_pixel() -> None:
    network = load(Function(lambda x: x.argmax(1)).eval(), torch.ones(1, 2, 2, 2))
    np.testing.assert_array_equal(network.layers[0].units.rows.reshape(4, 2), [[0, 4], [1, 5], [2, 6], [3, 7]])


def test_functions_of_functions() -> None:
    def block(m: Any, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return F.leaky_relu(m(x), 0.2)

    network = check_values(seeded(lambda: Function(lambda m, x: block(m.a, block(m.a, x)), a=nn.Linear(3, 3))), (3,))
    assert [layer.name for layer in network.layers] == ["leaky_relu", "leaky_relu_1"]


# Refusals -------------------------------------------------------------------------------------------------------------
