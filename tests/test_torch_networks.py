"""Whole torch models: names, precisions, storage, what is passed on, and graphs of every kind."""

from __future__ import annotations

import tracemalloc
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

pytest.importorskip("torch")

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from regionenum.network.from_torch.load import load_with_report
from regionenum.network.load import load
from tests.torch_models import (
    Function,
    batch_norm,
    check_regions,
    check_values,
    loaded,
    points,
    seeded,
    torch_outputs,
)
from tests.torch_networks import NETWORKS, Cnn, Tangled


def test_names_of_a_nested_model():
    network = loaded(Cnn(), (1, 6, 6))
    assert [layer.name for layer in network.layers] == [
        "features.2", "features.3", "block.0.1", "relu", "max_pool1d", "head",
    ]  # fmt: skip
    assert network.layers[-1].units.is_identity


def test_functions_in_a_submodule_carry_its_path():
    network = loaded(nn.Sequential(Function(F.relu), nn.Linear(3, 3), Function(F.relu)), (3,))
    assert [layer.name for layer in network.layers] == ["0.relu", "2.relu_1"]


def test_shared_modules_form_a_chain_with_distinct_names():
    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.act = nn.Linear(3, 3), nn.ReLU()

        def forward(self, x):
            for _ in range(3):
                x = self.act(self.fc(x))
            return x

    network = loaded(Shared(), (3,))
    assert len({layer.name for layer in network.layers}) == 3
    np.testing.assert_array_equal(network.layers[0].weight, network.layers[2].weight)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_every_precision_is_read_exactly(dtype):
    model = Cnn().to(dtype).eval()
    network, report = load_with_report(model, torch.ones(1, 1, 6, 6))
    assert report.dtype == str(dtype).removeprefix("torch.")
    assert report.difference < 1e-10
    x = points((1, 6, 6))
    np.testing.assert_allclose(network.forward(x.numpy()), torch_outputs(model, x), rtol=1e-10, atol=1e-10)


def test_density_decides_the_storage():
    dense = nn.Linear(10, 10)
    sparse = nn.Linear(10, 10)
    with torch.no_grad():
        sparse.weight[:, 2:] = 0.0
    network = loaded(nn.Sequential(dense, nn.ReLU(), sparse), (10,))
    assert isinstance(network.layers[0].weight, np.ndarray)
    assert isinstance(network.layers[1].weight, sp.csr_array)
    assert network.layers[1].weight.nnz == 20


def test_a_large_convolutional_network_loads_in_memory_of_its_connections():
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()
    )
    network = load(model.eval(), torch.ones(1, 1, 112, 112))
    assert sum(layer.n_out for layer in network.layers) > 100_000
    assert [sp.csr_array(layer.weight).nnz for layer in network.layers] == [
        8 * 334**2,
        8 * 112**2,
        64 * 166**2,
    ]


def test_the_caller_s_module_input_and_random_state_are_left_alone():
    model = nn.Sequential(nn.ReLU(inplace=True), batch_norm(nn.BatchNorm1d(3)), nn.Dropout(), nn.Linear(3, 2)).eval()
    before = deepcopy(model.state_dict())
    x = torch.tensor([[-1.0, 2.0, -3.0]], dtype=torch.float64)
    state = torch.get_rng_state()
    load(model, x)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(x, torch.tensor([[-1.0, 2.0, -3.0]], dtype=torch.float64))
    assert not any(module.training for module in model.modules())
    for name, value in model.state_dict().items():
        assert value.dtype == before[name].dtype
        assert torch.equal(value, before[name])


def test_example_input_may_be_an_array_and_only_its_first_sample_counts():
    model = nn.Linear(3, 2).eval()
    assert load(model, np.ones((5, 3))).hash == load(model, torch.zeros(1, 3)).hash


# Graphs ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_that_branch(name: str) -> None:
    make, shape, layers = NETWORKS[name]
    network = check_values(seeded(make), shape)
    assert [(layer.name, layer.n_out) for layer in network.layers] == layers
    assert sum(check_regions(network, seed) for seed in range(3)) > 3


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
