"""Torch operations that are affine, alone and inside networks."""

from __future__ import annotations

from copy import deepcopy
from itertools import product

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn
from torch.nn.utils import prune

from regionenum.network.load import load
from tests.torch_cases import AFFINE
from tests.torch_models import (
    Function,
    batch_norm,
    check_affine,
    loaded,
    points,
    seeded,
    weight_of,
)

CONVOLUTIONS = [
    *({"stride": s, "padding": p, "dilation": d} for s, p, d in product((1, 2), (0, 2), (1, 2))),
    *({"padding": "same", "dilation": d, "kernel_size": k} for d, k in product((1, 2), (2, 3))),
    {"padding": "valid", "stride": 2},
    {"groups": 2},
    {"groups": 2, "stride": 2, "padding": 1, "bias": False},
    *({"padding": 1, "padding_mode": mode} for mode in ("reflect", "replicate", "circular")),
]


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("options", CONVOLUTIONS, ids=str)
def test_convolution_is_its_matrix_bit_for_bit(dim, options):
    conv = (nn.Conv1d, nn.Conv2d)[dim - 1](4, 6, **({"kernel_size": 3} | options))
    shape = (4, 6, 5)[: dim + 1]
    weight = weight_of(loaded(conv, shape))
    if "padding_mode" not in options:  # other paddings add weights where pixels coincide
        basis = torch.eye(int(np.prod(shape)), dtype=torch.float64).reshape(-1, *shape)
        double = deepcopy(conv).double()
        if double.bias is not None:
            nn.init.zeros_(double.bias)
        with torch.no_grad():
            columns = double(basis).reshape(len(basis), -1).numpy()
        np.testing.assert_array_equal(weight, columns.T)


@pytest.mark.parametrize("options", [{"kernel_size": (3, 2), "stride": (1, 2), "padding": (0, 1), "dilation": (2, 1)}])
def test_options_may_differ_by_axis(options):
    loaded(nn.Conv2d(2, 3, **options), (2, 6, 5))
    loaded(nn.MaxPool2d(**options), (2, 6, 5))
    loaded(nn.AvgPool2d(**{k: v for k, v in options.items() if k != "dilation"}), (2, 6, 5))


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize(
    ("ceil_mode", "padding", "count", "stride"), list(product((False, True), (0, 1), (False, True), (None, 1, 3)))
)
def test_average_pooling(dim, ceil_mode, padding, count, stride):
    pool = (nn.AvgPool1d, nn.AvgPool2d)[dim - 1](3, stride, padding, ceil_mode, count)
    network = loaded(pool, (2, 7, 6)[: dim + 1])
    assert not network.unit_layers


def test_average_pooling_with_a_given_divisor():
    loaded(nn.AvgPool2d(2, divisor_override=3, ceil_mode=True, padding=1), (2, 5, 5))


MODULES = {
    "linear": (lambda: nn.Linear(5, 3), (5,)),
    "linear without bias": (lambda: nn.Linear(5, 3, bias=False), (5,)),
    "linear on the last axis": (lambda: nn.Linear(5, 3), (2, 3, 5)),
    "batch norm 1d": (lambda: batch_norm(nn.BatchNorm1d(4)), (4,)),
    "batch norm 1d on sequences": (lambda: batch_norm(nn.BatchNorm1d(4)), (4, 3)),
    "batch norm 2d": (lambda: batch_norm(nn.BatchNorm2d(3)), (3, 2, 2)),
    "batch norm without affine": (lambda: batch_norm(nn.BatchNorm2d(3, affine=False, eps=0.1)), (3, 2, 2)),
    "weight norm": (lambda: nn.utils.parametrizations.weight_norm(nn.Linear(4, 3)), (4,)),
    "F.linear": (lambda: Function(lambda m, x: F.linear(x, m.fc.weight, m.fc.bias), fc=nn.Linear(4, 3)), (4,)),
    "F.conv1d": (lambda: Function(lambda m, x: F.conv1d(x, m.c.weight, padding=1), c=nn.Conv1d(2, 3, 2)), (2, 5)),
    "matmul": (lambda: Function(lambda m, x: x @ m.fc.weight.T + m.fc.bias, fc=nn.Linear(4, 3)), (4,)),
    "normalised input": (lambda: Function(lambda x: (x - x.new_tensor([0.5, 1.0])) / 4), (3, 2)),
    "constant minus input": (lambda: Function(lambda x: 1 - x * 2), (3,)),
    "negation, scaled sum": (lambda: Function(lambda x: torch.add(x.new_tensor([2.0]), -x, alpha=3)), (3,)),
    "convolution on a second batch axis": (
        lambda: Function(
            lambda m, x: m.b(m.c(x.reshape(-1, 1, 3, 3))), c=nn.Conv2d(1, 2, 2), b=batch_norm(nn.BatchNorm2d(2))
        ),
        (18,),
    ),
    "linear after linear": (lambda: nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 3)), (4,)),
    "convolution, flatten, linear": (
        lambda: nn.Sequential(nn.Conv2d(1, 2, 2), nn.Flatten(), nn.Linear(8, 2)),
        (1, 3, 3),
    ),
}


@pytest.mark.parametrize("case", MODULES)
def test_affine_modules_become_one_layer_without_units(case):
    make, shape = MODULES[case]
    network = loaded(make(), shape)
    assert len(network.layers) == 1
    assert network.unit_layers == ()


def old_weight_norm():
    with pytest.warns(FutureWarning, match="weight_norm"):
        return nn.utils.weight_norm(nn.Linear(4, 3))


@pytest.mark.parametrize("make", [old_weight_norm, lambda: prune.l1_unstructured(nn.Linear(4, 3), "weight", 0.5)])
def test_weights_that_are_computed_before_each_pass(make):
    module = make().eval()
    network = load(module, torch.ones(1, 4))
    x = points((4,))
    with torch.no_grad():
        np.testing.assert_allclose(network.forward(x.numpy()), module.double()(x).numpy(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("case", AFFINE)
def test_affine_operations(case: str) -> None:
    make, shape = AFFINE[case]
    check_affine(seeded(make), shape)
