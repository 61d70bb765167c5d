"""Torch modules for the tests, and the comparison of a loaded network with its module."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import nn

from regionenum.domain import Box
from regionenum.engine.compiled import CompiledEngine
from regionenum.engine.interface import Problem, Record
from regionenum.engine.reference import HighsEngine
from regionenum.network.layers import Network
from regionenum.network.load import load
from tests.exploring import explore, same_statistics

# Tiny convolutions on several threads spend their time waiting for each other on a busy machine.
torch.set_num_threads(1)

FREE = 2
"""Dimensions of the box in which regions are enumerated; the other inputs are fixed."""
N_SAMPLES = 2000


class Function(nn.Module):
    """A module whose forward pass is a given function of the input."""

    def __init__(self, function, **children):
        super().__init__()
        self.function = function
        for name, child in children.items():
            setattr(self, name, child)

    def forward(self, x):
        return self.function(self, x) if self._modules else self.function(x)


def points(shape, n=40, seed=0):
    """Random points of several scales and small integer points, where ties and zeros happen."""
    g = torch.Generator().manual_seed(seed)
    normal = torch.randn((n, *shape), generator=g, dtype=torch.float64)
    scale = 10.0 ** torch.randint(-2, 3, (n, *[1] * len(shape)), generator=g)
    return torch.cat([normal * scale, torch.randint(-2, 3, (n, *shape), generator=g).double()])


def torch_outputs(module, x):
    double = deepcopy(module).double()
    with torch.no_grad():
        return np.stack([double(point[None].clone()).reshape(-1).numpy() for point in x])


def loaded(module, shape):
    """Load an eval-mode module and compare it with torch at many points."""
    module = module.eval()
    network = load(module, torch.ones(2, *shape))
    assert network.input_shape == tuple(shape)
    x = points(shape)
    theirs = torch_outputs(module, x)
    np.testing.assert_allclose(network.forward(x.numpy()), theirs, rtol=1e-10, atol=1e-10)
    return network


def batch_norm(module, seed=1):
    """Give a normalisation statistics and weights unlike the initial ones."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        module.running_mean.copy_(torch.randn(module.num_features, generator=g))
        module.running_var.copy_(torch.rand(module.num_features, generator=g) + 0.1)
        if module.affine:
            module.weight.copy_(torch.randn(module.num_features, generator=g))
            module.bias.copy_(torch.randn(module.num_features, generator=g))
    return module


def weight_of(network):
    (layer,) = network.layers
    assert layer.units.is_identity
    return layer.weight if isinstance(layer.weight, np.ndarray) else layer.weight.toarray()


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


def check_affine(module: nn.Module, shape: tuple[int, ...]) -> None:
    """The operation is one affine layer alone, and inside a network, whose regions are enumerated."""
    alone = check_values(module, shape)
    assert len(alone.layers) <= 1
    assert not alone.unit_layers
    network = check_values(inside(module, shape), (2,))
    assert [layer.name for layer in network.layers] == ["4"]
    check_regions(network)
