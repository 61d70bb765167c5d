"""Architectures: what a grid varies, how many parameters each has, and widths that meet a number of parameters.

An architecture is a chain of blocks. A convolutional block is a convolution with `channels[k]` filters, without padding,
then the units; a dense block is a linear layer with `widths[k]` rows, then the units; a last linear layer makes the
outputs. The units of a block are an activation, max-pooling, or both in the given order. Where there are convolutions
their windows are squares of pixels and dense blocks are not pooled; elsewhere windows are neighbouring rows. Activation
"none" with pooling is a maxout layer; without, the block is affine.

Nothing here needs torch.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from regionenum.errors import InputError


class Activation(enum.StrEnum):
    """What is applied to every row of a block."""

    RELU = "relu"
    LEAKY_RELU = "leaky_relu"
    HARDTANH = "hardtanh"
    RELU6 = "relu6"
    ABS = "abs"
    NONE = "none"


class Order(enum.StrEnum):
    """Which of activation and pooling comes first."""

    ACTIVATION = "activation"
    POOLING = "pooling"


TOLERANCE = 0.1
"""Largest relative difference between the parameters that were asked for and those of the nearest architecture."""


@dataclass(frozen=True)
class Architecture:
    """An architecture, but for its inputs and outputs.

    Attributes
    ----------
    channels : filters of each convolutional block
    widths : rows of each dense block
    activation : of all blocks
    pool : size of a window, along each axis; 1 is no pooling
    order : which comes first
    kernel : size of a filter, along each axis
    """

    channels: tuple[int, ...] = ()
    widths: tuple[int, ...] = ()
    activation: Activation = Activation.RELU
    pool: int = 1
    order: Order = Order.ACTIVATION
    kernel: int = 3

    @property
    def sizes(self) -> tuple[int, ...]:
        """Channels and widths, one after the other."""
        return self.channels + self.widths

    def with_sizes(self, sizes: tuple[int, ...]) -> Architecture:
        """The same with other channels and widths."""
        k = len(self.channels)
        return replace(self, channels=sizes[:k], widths=sizes[k:])

    def with_order(self, order: Order = Order.ACTIVATION) -> Architecture:
        """The same with another order of activation and pooling."""
        return replace(self, order=order)

    @property
    def steps(self) -> tuple[int, ...]:
        """Of what each size is a multiple: windows of rows have to fill a layer."""
        return (1,) * len(self.channels) + (1 if self.channels else self.pool,) * len(self.widths)

    def __str__(self) -> str:
        """A short name, without the parts that are as by default.

        >>> str(Architecture(widths=(16, 16))), str(Architecture((4,), (12,), Activation.RELU, 2))
        ('16-16-relu', 'c4-12-relu-max2')
        """
        sizes = [f"c{size}" for size in self.channels] + [str(size) for size in self.widths]
        units = [] if self.activation is Activation.NONE else [str(self.activation)]
        if self.pool > 1:
            units.insert(0 if self.order is Order.POOLING else 1, f"max{self.pool}")
        return "-".join(sizes + (units or ["linear"]))


@dataclass(frozen=True)
class Block:
    """One affine layer of an architecture between given inputs and outputs.

    Attributes
    ----------
    before : shape of what it reads: (n,) for a linear layer, (channels, height, width) for a convolution
    size : rows, or filters
    after : shape of what the layer makes, before units
    pooled : shape behind pooling; equal to `after` where there is none
    last : whether this layer makes the outputs, which have no units
    """

    before: tuple[int, ...]
    size: int
    after: tuple[int, ...]
    pooled: tuple[int, ...]
    last: bool = False

    def n_parameters(self, kernel: int) -> int:
        """Weights and biases."""
        per_row = self.before[0] * kernel**2 if len(self.before) == 3 else self.before[0]
        return self.size * (per_row + 1)


def blocks(architecture: Architecture, input_shape: tuple[int, ...], n_out: int) -> Iterator[Block]:
    """The affine layers, in order.

    Raises
    ------
    InputError
        If convolutions are asked for inputs that are no images, an image becomes too small, or windows do not fill a layer.
    """
    shape = input_shape
    if architecture.channels and len(shape) != 3:
        raise InputError(
            f"channels {list(architecture.channels)}: inputs of shape {shape} are no images (channels, height, width); "
            "use images, for example data digits, or leave `channels` out"
        )
    for size in architecture.channels:
        after = (size, *(side - architecture.kernel + 1 for side in shape[1:]))
        pooled = (size, *(side // architecture.pool for side in after[1:]))
        if min(after + pooled) < 1:
            raise InputError(
                f"channels {list(architecture.channels)}: an image of {shape[1]} x {shape[2]} is too small for a kernel "
                f"of {architecture.kernel} and windows of {architecture.pool}; use fewer blocks, or smaller ones"
            )
        yield Block(shape, size, after, pooled)
        shape = pooled
    n = math.prod(shape)
    for size, step in zip(architecture.widths, architecture.steps[len(architecture.channels) :], strict=True):
        if size % step:
            raise InputError(
                f"widths {list(architecture.widths)}: windows of {step} do not fill a layer of {size}; use multiples of {step}"
            )
        yield Block((n,), size, (size,), (size // step,))
        n = size // step
    yield Block((n,), n_out, (n_out,), (n_out,), last=True)


def n_parameters(architecture: Architecture, input_shape: tuple[int, ...], n_out: int) -> int:
    """Number of weights and biases.

    >>> n_parameters(Architecture(widths=(16, 16)), (4,), 3)  # 5 * 16 + 17 * 16 + 17 * 3
    403
    """
    return sum(block.n_parameters(architecture.kernel) for block in blocks(architecture, input_shape, n_out))


def fitted(architecture: Architecture, input_shape: tuple[int, ...], n_out: int, wanted: int) -> Architecture:
    """The architecture with its sizes scaled to the number of parameters nearest to the one wanted.

    All sizes grow by one factor and are rounded down to whole steps, one step at least, and of layers that would grow at
    one moment the first grows first. The parameters grow with every step, so that the nearest is one of two.

    Raises
    ------
    InputError
        If the nearest is farther from what is wanted than `TOLERANCE`, or the architecture cannot be built.
    """
    if not architecture.sizes:
        raise InputError(
            f"parameters = {wanted}: an architecture without widths and channels cannot be scaled; give one of them"
        )
    steps, weights = architecture.steps, architecture.sizes
    sizes = list(steps)
    count = n_parameters(architecture.with_sizes(tuple(sizes)), input_shape, n_out)
    best = (count, tuple(sizes))
    while count < wanted:
        # the layer whose next step comes at the smallest factor
        k = min(range(len(sizes)), key=lambda k: ((sizes[k] + steps[k]) / weights[k], k))
        sizes[k] += steps[k]
        count = n_parameters(architecture.with_sizes(tuple(sizes)), input_shape, n_out)
        # of two that are equally near the smaller one
        best = min(best, (count, tuple(sizes)), key=lambda found: abs(found[0] - wanted))
    if abs(best[0] - wanted) > TOLERANCE * wanted:
        raise InputError(
            f"parameters = {wanted}: {architecture} comes no nearer than {best[0]:,} parameters; ask for another number, or "
            "give another shape"
        )
    return architecture.with_sizes(best[1])
