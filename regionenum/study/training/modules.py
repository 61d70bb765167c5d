"""Architectures as torch modules."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable

from torch import nn

from regionenum.study.architecture import Activation, Architecture, Order, blocks

_ACTIVATIONS: dict[Activation, Callable[[], nn.Module]] = {
    Activation.RELU: nn.ReLU,
    Activation.LEAKY_RELU: nn.LeakyReLU,
    Activation.HARDTANH: nn.Hardtanh,
    Activation.RELU6: nn.ReLU6,
    # |x|, which torch has as a function only
    Activation.ABS: lambda: nn.LeakyReLU(-1.0),
}


def make_module(architecture: Architecture, input_shape: tuple[int, ...], n_out: int) -> nn.Sequential:
    """The module, with weights drawn from torch's random state; its layers are called conv1, relu1, pool1, linear2, ...

    Raises
    ------
    InputError
        If the architecture cannot be built on such inputs.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    flat = len(input_shape) == 1
    for k, block in enumerate(blocks(architecture, input_shape, n_out), 1):
        image = len(block.after) == 3
        if not image and not flat:
            layers["flatten"] = nn.Flatten()
            flat = True
        if image:
            layers[f"conv{k}"] = nn.Conv2d(block.before[0], block.size, architecture.kernel)
        else:
            layers[f"linear{k}"] = nn.Linear(math.prod(block.before), block.size)
        if block.last:
            break
        units = _activation(architecture, k)
        if block.pooled != block.after:
            pooling = _pooling(architecture.pool, k, block.size, image=image)
            units = [*pooling, *units] if architecture.order is Order.POOLING else [*units, *pooling]
        layers.update(units)
    return nn.Sequential(layers)


def _activation(architecture: Architecture, k: int) -> list[tuple[str, nn.Module]]:
    if architecture.activation is Activation.NONE:
        return []
    return [(f"{architecture.activation}{k}", _ACTIVATIONS[architecture.activation]())]


def _pooling(pool: int, k: int, size: int, *, image: bool) -> list[tuple[str, nn.Module]]:
    if image:
        return [(f"pool{k}", nn.MaxPool2d(pool))]
    # neighbouring rows as a signal of one channel
    return [
        (f"rows{k}", nn.Unflatten(1, (1, size))),
        (f"pool{k}", nn.MaxPool1d(pool)),
        (f"flat{k}", nn.Flatten()),
    ]
