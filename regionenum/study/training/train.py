"""Training, in torch: deterministic on one machine, looked at after every epoch.

Weights are float32 while they are trained, on scaled samples. The network that is enumerated takes the data in its own
units: a copy in float64 has the scaling folded into its first layer.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from regionenum.network.layers import Network
from regionenum.network.load import load
from regionenum.study.architecture import Architecture
from regionenum.study.training.data import Data
from regionenum.study.training.modules import make_module


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes
    ----------
    batch : samples in a step; 0 for all
    rate, decay : of the optimiser
    optimiser : "adam" or "sgd"
    test : share of the samples that are kept for the test
    """

    batch: int
    rate: float
    decay: float
    optimiser: str
    test: float


def random_network(architecture: Architecture, input_shape: tuple[int, ...], n_out: int, seed: int) -> Network:
    """A network with the weights that torch gives it at the beginning."""
    with _deterministic(seed):
        return _network(make_module(architecture, input_shape, n_out), input_shape)


def trained_networks(
    architecture: Architecture,
    input_shape: tuple[int, ...],
    n_out: int,
    data: Data,
    recipe: Recipe,
    seed: int,
    epochs: list[int],
    tick: Callable[[int], None],
) -> Iterator[tuple[int, Network]]:
    """Train once, and yield the network as it is after each of some epochs.

    Parameters
    ----------
    seed : of the first weights, and of the order of the samples in every epoch
    epochs : in ascending order; 0 is before the training
    tick : called with the number of every epoch that begins; what it raises ends the training
    """
    kept, _ = data.split(recipe.test)
    scaled = ((data.x - data.centre) / data.scale)[kept].reshape(len(kept), *input_shape)
    x, y = torch.from_numpy(scaled).float(), torch.from_numpy(data.y[kept]).long()
    with _deterministic(seed):
        module = make_module(architecture, input_shape, n_out)
        order = torch.Generator().manual_seed(seed)
        optimiser = _optimiser(module, recipe)
        done = 0
        for wanted in epochs:
            for epoch in range(done, wanted):
                tick(epoch)
                _epoch(module, optimiser, x, y, recipe.batch or len(x), order)
            done = wanted
            yield wanted, _network(_in_own_units(module, data), input_shape)


def _optimiser(module: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    kind = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[recipe.optimiser]
    return kind(module.parameters(), lr=recipe.rate, weight_decay=recipe.decay)


def _epoch(
    module: nn.Module,
    optimiser: torch.optim.Optimizer,
    x: torch.Tensor,
    y: torch.Tensor,
    batch: int,
    order: torch.Generator,
) -> None:
    for chosen in torch.randperm(len(x), generator=order).split(batch):
        optimiser.zero_grad()
        nn.functional.cross_entropy(module(x[chosen]), y[chosen]).backward()
        optimiser.step()


def _in_own_units(module: nn.Sequential, data: Data) -> nn.Sequential:
    """A copy in float64 that takes unscaled data: W (x - c) / s + b = (W / s) x + (b - (W / s) c).

    The sum over a convolution's window is the same at every place only if c and s are, as those of pixels.
    """
    own = copy.deepcopy(module).double()
    first = own[0]
    with torch.no_grad():
        if isinstance(first, nn.Conv2d):
            first.weight /= float(data.scale[0])
            first.bias -= first.weight.sum(dim=(1, 2, 3)) * float(data.centre[0])
        else:
            first.weight /= torch.from_numpy(data.scale)
            first.bias -= (first.weight * torch.from_numpy(data.centre)).sum(dim=1)
    return own


def _network(module: nn.Module, input_shape: tuple[int, ...]) -> Network:
    return load(module.eval(), torch.zeros(1, *input_shape))


@contextmanager
def _deterministic(seed: int) -> Iterator[None]:
    """Torch with a seed, on one thread (sums over several may come out in another order), and as it was afterwards."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
