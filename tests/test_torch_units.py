"""Torch operations that close a layer: pointwise functions and maxima."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from regionenum.network.units import MAXIMUM, RELU, leaky_relu
from tests.torch_cases import UNITS
from tests.torch_models import (
    Function,
    check_regions,
    check_values,
    inside,
    loaded,
    seeded,
)

POINTWISE = {
    "ReLU": (nn.ReLU(), RELU),
    "ReLU in place": (nn.ReLU(inplace=True), RELU),
    "LeakyReLU": (nn.LeakyReLU(0.25), leaky_relu(0.25)),
    "LeakyReLU, negative slope": (nn.LeakyReLU(-2.0), leaky_relu(-2.0)),
    "LeakyReLU, slope 0": (nn.LeakyReLU(0.0), RELU),
    "F.relu": (Function(F.relu), RELU),
    "torch.relu": (Function(torch.relu), RELU),
    "x.relu()": (Function(lambda x: x.relu()), RELU),
    "x.relu_()": (Function(lambda x: x.relu_()), RELU),
    "F.leaky_relu": (Function(lambda x: F.leaky_relu(x, 0.5)), leaky_relu(0.5)),
    "F.leaky_relu in place": (Function(lambda x: F.leaky_relu_(x, 0.5)), leaky_relu(0.5)),
}


@pytest.mark.parametrize("case", POINTWISE)
def test_pointwise_units(case):
    unit, function = POINTWISE[case]
    linear = nn.Linear(4, 3)
    network = loaded(nn.Sequential(linear, unit), (4,))
    (layer,) = network.layers
    assert layer.units.functions == (function,)
    np.testing.assert_array_equal(layer.weight, linear.weight.detach().double().numpy())
    np.testing.assert_array_equal(layer.bias, linear.bias.detach().double().numpy())


def test_leaky_relu_of_slope_one_is_affine():
    network = loaded(nn.Sequential(nn.Linear(4, 3), nn.LeakyReLU(1.0), nn.Linear(3, 2)), (4,))
    assert [layer.name for layer in network.layers] == ["2"]


POOLINGS = [
    {"kernel_size": k, "stride": s, "padding": p, "dilation": d, "ceil_mode": c}
    for k, s, p, d, c in product((1, 2, 3), (None, 1, 3), (0, 1), (1, 2), (False, True))
    if p <= k // 2
]


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("options", POOLINGS, ids=str)
def test_max_pooling(dim, options):
    shape = (2, 7, 6)[: dim + 1]
    function = (F.max_pool1d, F.max_pool2d)[dim - 1]
    network = loaded((nn.MaxPool1d, nn.MaxPool2d)[dim - 1](**options), shape)
    (layer,) = network.layers
    units = layer.units
    np.testing.assert_array_equal(units.function_of, MAXIMUM)
    n_in = int(np.prod(shape))
    np.testing.assert_array_equal(layer.weight.toarray(), np.eye(n_in))

    # A pixel is a candidate of the windows whose maximum it alone raises.
    raised = function(torch.eye(n_in).reshape(-1, *shape) - 1.0, **options).reshape(n_in, -1) == 0.0
    for unit, column in enumerate(raised.T):
        group = units.rows[units.indptr[unit] : units.indptr[unit + 1]]
        np.testing.assert_array_equal(group, np.flatnonzero(column.numpy()))

    # On an image without ties the piece is torch's winner.
    image = torch.randperm(n_in, generator=torch.Generator().manual_seed(0)).double().reshape(1, *shape)
    _, winners = function(image, **options, return_indices=True)
    plane = np.arange(shape[0]).reshape(-1, *[1] * dim) * (n_in // shape[0])
    ours = units.rows[units.indptr[:-1] + network.pattern(image.numpy())[0]]
    np.testing.assert_array_equal(ours, (winners[0].numpy() + plane).reshape(-1))


def test_max_pooling_after_relu_has_identity_weight():
    network = loaded(nn.Sequential(nn.ReLU(), nn.MaxPool2d(2)), (1, 4, 4))
    relu, pool = network.layers
    assert (relu.name, pool.name) == ("0", "1")
    np.testing.assert_array_equal(pool.weight.toarray(), np.eye(16))
    np.testing.assert_array_equal(pool.units.rows.reshape(4, 4)[0], [0, 1, 4, 5])


@pytest.mark.parametrize("case", UNITS)
def test_units(case: str) -> None:
    make, shape = UNITS[case]
    module = seeded(make)
    alone = check_values(module, shape)
    assert alone.unit_layers
    assert check_regions(alone) >= 1
    assert check_regions(check_values(inside(module, shape), (2,))) > 1
