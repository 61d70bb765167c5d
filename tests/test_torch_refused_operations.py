"""What is not read from torch, each with its one sentence."""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytest.importorskip("torch")

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from regionenum.errors import InputError
from regionenum.network.from_torch.operations import OPERATIONS, SUPPORTED
from regionenum.network.from_torch.refused import REASONS
from regionenum.network.load import load
from tests.torch_cases import IMAGE, ROW
from tests.torch_models import Function, constant, f, seeded

CURVED = "is not piecewise affine; use"
STATISTICS = "depends on the statistics of the sample, so it is not piecewise affine; use BatchNorm instead"
PRODUCT = "multiplies values that both depend on the input, which is not piecewise affine"
MASK = "is not continuous; use relu, maximum or clamp, if it makes a mask for one of these instead"
SCORES = "is not piecewise affine; load the model without it, so that its output are the scores"
IN_PLACE = "which is used again; write it without the in-place operation"


def with_variance(module: nn.BatchNorm1d, value: float) -> nn.BatchNorm1d:
    assert module.running_var is not None
    module.running_var.fill_(value)
    return module


REFUSED: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], str]] = {
    "Tanh": (nn.Tanh, ROW, f"`tanh` (Tanh) {CURVED} Hardtanh instead"),
    "Sigmoid": (nn.Sigmoid, ROW, f"`sigmoid` (Sigmoid) {CURVED} Hardsigmoid instead"),
    "GELU": (lambda: nn.Sequential(nn.Linear(4, 4), nn.GELU()), ROW, f"`1` (GELU) {CURVED} ReLU or LeakyReLU instead"),
    "ELU": (nn.ELU, ROW, f"`elu` (ELU) {CURVED} ReLU or LeakyReLU instead"),
    "SiLU": (nn.SiLU, ROW, f"`silu` (SiLU) {CURVED} ReLU or LeakyReLU instead"),
    "Softplus": (nn.Softplus, ROW, f"`softplus` (Softplus) {CURVED} ReLU or LeakyReLU instead"),
    "Hardswish": (nn.Hardswish, ROW, f"`hardswish` (Hardswish) {CURVED} ReLU6 instead"),
    "Softmax": (lambda: nn.Softmax(1), ROW, f"`softmax` (Softmax) {SCORES}"),
    "LogSoftmax": (lambda: nn.LogSoftmax(1), ROW, f"`log_softmax` (LogSoftmax) {SCORES}"),
    "LPPool": (lambda: nn.LPPool1d(2, 2), ROW, f"`pow_1` (LPPool1d) {CURVED} ReLU or LeakyReLU instead"),
    "norm": (f(lambda x: x.norm(dim=1)), ROW, f"`linalg_vector_norm` (linalg_vector_norm) {CURVED} abs and sum instead"),
    "std": (f(lambda x: x.std(1)), ROW, f"`std` (std) {CURVED} a mean of absolute values instead"),
    "reciprocal": (f(lambda x: 1 / x), ROW, f"`reciprocal` (reciprocal) {CURVED} ReLU or LeakyReLU instead"),
    "LayerNorm": (lambda: nn.LayerNorm(4), ROW, f"`layer_norm` (LayerNorm) {STATISTICS}"),
    "GroupNorm": (lambda: nn.GroupNorm(1, 2), ROW, f"`group_norm` (GroupNorm) {STATISTICS}"),
    "RMSNorm": (lambda: nn.RMSNorm(4), ROW, f"`rms_norm` (RMSNorm) {STATISTICS}"),
    "InstanceNorm": (
        lambda: nn.InstanceNorm2d(2), IMAGE,
        "`instance_norm` (InstanceNorm2d) depends on the statistics of the sample, so it is not piecewise affine; use "
        "BatchNorm, or set track_running_stats=True",
    ),
    "square": (f(lambda x: x * x), ROW, f"`mul` (mul) {PRODUCT}"),
    "attention": (f(lambda x: x @ x.mT), ROW, f"`matmul` (matmul) {PRODUCT}"),
    "einsum of activations": (f(lambda x: torch.einsum("bij,bij->b", x, x)), ROW, f"`einsum` (einsum) {PRODUCT}"),
    "addcmul of activations": (f(lambda x: torch.addcmul(x, x, x)), ROW, f"`addcmul` (addcmul) {PRODUCT}"),
    "lerp by an activation": (f(lambda x: torch.lerp(x, x, x)), ROW, f"`lerp` (lerp) {PRODUCT}"),
    "quotient": (
        f(lambda x: x / x.sum()), ROW,
        "`div` (div) divides by a value that depends on the input, which is not piecewise affine; only divide by constants",
    ),
    "division by zero": (
        f(lambda x, c: x / c, torch.tensor([1.0, 0.0, 1.0, 1.0])), ROW,
        "`div` (div) divides by zero; mend or retrain the model",
    ),
    "a negative variance": (
        lambda: with_variance(nn.BatchNorm1d(2), -1.0), ROW,
        "`batch_norm` (BatchNorm1d) has a variance that is not positive; mend or retrain the model",
    ),
    "rounded quotient": (
        f(lambda x: torch.div(x, 2.0, rounding_mode="floor")), ROW,
        "`div` (div) is not continuous, because it rounds; only plain division by a constant is supported",
    ),
    "bilinear": (
        f(lambda x, w: F.bilinear(x, x, w), constant(3, 4, 4)), ROW, f"`bilinear` (bilinear) {CURVED} Linear instead",
    ),
    "Hardshrink": (nn.Hardshrink, ROW, "`hardshrink` (Hardshrink) is not continuous; use Softshrink instead"),
    "sign": (f(lambda x: x.sign()), ROW, "`sign` (sign) is not continuous; use Hardtanh instead"),
    "heaviside": (
        f(lambda x, c: torch.heaviside(x, c), constant(1)), ROW,
        "`heaviside` (heaviside) is not continuous; use Hardtanh instead",
    ),
    "round": (f(lambda x: x.round()), ROW, "`round_1` (round) is not continuous; use the value unrounded instead"),
    "remainder": (f(lambda x: x % 2), ROW, "`remainder` (remainder) is not continuous; use the value unrounded instead"),
    "comparison": (f(lambda x: torch.where(x > 0, x, 0 * x)), ROW, f"`gt` (gt) {MASK}"),
    "Threshold": (
        lambda: nn.Threshold(0.1, 20), ROW,
        "`threshold` (Threshold) is not continuous: it jumps from 20 to 0.1 at the threshold; choose value equal to "
        "threshold",
    ),
    "RReLU in training": (
        f(lambda x: F.rrelu(x, training=True)), ROW,
        "`rrelu` (rrelu) draws its slopes at random (training=True); call model.eval(), or pass training=False",
    ),
    "bounds from the input": (
        f(lambda x: x.clamp(x.flip(2), None)), ROW,
        "`clamp` (clamp) has bounds that depend on the input; use torch.maximum and torch.minimum",
    ),
    "infinite bounds": (
        f(lambda x: x.clamp_min(float("inf"))), ROW,
        "`clamp_min` (clamp_min) has an infinite result; the bounds must leave finite values",
    ),
    "slopes from the input": (
        f(lambda x: F.prelu(x, x[0, 0, :1])), ROW,
        "`prelu` (prelu) has a weight that depends on the input; the weight must be a constant",
    ),
    "kernel from the input": (
        f(lambda x, c: F.conv1d(c, x), constant(1, 4, 9)), (4, 2),
        "`conv1d` (conv1d) has a weight that depends on the input; the weight must be a constant",
    ),
    "sort": (
        f(lambda x: x.sort(2).values), ROW,
        "`sort` (sort) compares all entries with each other, which is not supported; use amax or max pooling",
    ),
    "topk": (
        f(lambda x: x.topk(2).values), ROW,
        "`topk` (topk) compares all entries with each other, which is not supported; use amax or max pooling",
    ),
    "FractionalMaxPool": (
        lambda: nn.FractionalMaxPool2d(2, 2), IMAGE,
        "`rand` (FractionalMaxPool2d) draws random numbers; a network must be a function of its input alone",
    ),
    "random numbers of its shape": (
        f(lambda x: x + torch.rand_like(x)), ROW,
        "`rand_like` (rand_like) draws random numbers; a network must be a function of its input alone",
    ),
    "indices": (
        lambda: Function(lambda x: F.max_unpool1d(*F.max_pool1d(x, 2, return_indices=True), 2)), ROW,
        "`max_pool1d_with_indices` (max_pool1d_with_indices) returns the winners' indices, which is not supported; use "
        "its values alone",
    ),
    "indices as the output": (
        f(lambda x: x.max(2).indices), ROW,
        "`max_1` (max) returns the winners' indices, which is not supported; use its values alone",
    ),
    "argmax inside": (
        f(lambda x: F.one_hot(x.argmax(2), 4) * 1.0), ROW,
        "`argmax` (argmax) is not continuous; it can only be the last operation of a network",
    ),
    "complex numbers": (
        f(lambda x: torch.fft.fft(x).real), ROW,
        "`fft_fft` (fft_fft) gives complex numbers; a network must compute with real numbers",
    ),
    "conversion inside a sum": (
        f(lambda x: x.sum(2, dtype=torch.float32)), ROW,
        "`sum_1` (sum) converts to torch.float32, which is not affine; remove the conversion",
    ),
    "write through a view": (
        f(lambda x: (lambda y: (y[:, 0].mul_(2), y)[1])(x + 0)), ROW,
        f"`mul_` (mul_) writes in place through a view of `add` (add), {IN_PLACE}",
    ),
    "write into a base": (
        f(lambda x: (lambda y: (lambda view: (F.relu_(y), view)[1])(y[:, 0]))(x + 0)), ROW,
        f"`relu_` (relu_) writes in place through a view of `select` (select), {IN_PLACE}",
    ),
    "assignment to a slice": (
        f(lambda x: (lambda y: (y.__setitem__((0, 0), 0.0), y)[1])(x + 0)), ROW,
        f"`fill_` (fill_) writes in place through a view of `add` (add), {IN_PLACE}",
    ),
    "activations written into a constant": (
        f(lambda x: (lambda z: (z[:, 0].copy_(x[:, 0]), z)[1])(torch.zeros(1, 2, 4, dtype=torch.float64))), ROW,
        f"`copy_` (copy_) writes in place through a view of `zeros` (zeros), {IN_PLACE}",
    ),
    "accumulation": (
        f(lambda x, c: torch.index_put(c, (torch.tensor([0, 0]),), x[0, :, 0], accumulate=True), constant(3)), ROW,
        "`index_put` (index_put) adds up entries that meet, which is not supported; use a matrix product",
    ),
    "unknown": (
        f(lambda x: torch.special.i0e(x)), ROW,
        f"`special_i0e` (special_i0e) is not supported; supported: {SUPPORTED}",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_are_one_exact_sentence(case: str) -> None:
    make, shape, sentence = REFUSED[case]
    with pytest.raises(InputError) as caught:
        load(seeded(make), torch.ones(1, *shape, dtype=torch.float64))
    assert str(caught.value) == sentence


def test_the_tables_name_every_operation() -> None:
    assert not OPERATIONS.keys() & REASONS.keys()
    packets = torch.ops.aten
    for name in (*OPERATIONS, *REASONS):
        assert hasattr(packets, name), name
