"""Convolutional networks on two-dimensional slices: `python -m benchmarks.slices resnet|vgg [--plot FILE]`.

resnet : a residual network trained on the digits (8 x 8 pixels, scikit-learn), on the slice through three test images.
    Counted, checked against the patterns of random points, the area of all polygons, and, near the first image, the
    HiGHS engine; drawn by output class.
vgg : nine layers of units, 128,000 of them, with random weights and biases on images of 32 x 32 pixels, on a slice
    through three random images, inside a small cube around the first. Counted on one core; prints time and memory.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections import OrderedDict

import numpy as np
import torch
from torch import nn

import regionenum as rn
from benchmarks import machine
from benchmarks.train import Recipe, digits, free_patch, train
from regionenum.network.layers import Network

SAMPLES = 20_000
NEAR = 3.0
"""How far from the first image, in grey levels of 0 .. 16, regions are compared with those of HiGHS."""


class Residual(nn.Module):
    """x + conv(relu(conv(x))), and a ReLU behind it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.relu2 = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The block."""
        return self.relu2(x + self.conv2(self.relu1(self.conv1(x))))


def residual_network() -> nn.Sequential:
    """Two residual blocks between a strided convolution and a linear layer."""
    return nn.Sequential(
        OrderedDict(
            stem=nn.Conv2d(1, 6, 3, stride=2, padding=1),
            stem_relu=nn.ReLU(),
            block1=Residual(6),
            block2=Residual(6),
            pool=nn.AdaptiveAvgPool2d(2),
            flatten=nn.Flatten(),
            linear=nn.Linear(24, 10),
        )
    )


def vgg(channels: tuple[int, ...] = (32, 64, 128), size: int = 32) -> nn.Sequential:
    """Twice convolution and ReLU, then max-pooling, for each number of channels; and a linear layer."""
    torch.manual_seed(0)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    before = 3
    for k, after in enumerate(channels, 1):
        for j in (1, 2):
            layers[f"conv{k}_{j}"] = nn.Conv2d(before, after, 3, padding=1)
            layers[f"relu{k}_{j}"] = nn.ReLU()
            before = after
        layers[f"pool{k}"] = nn.MaxPool2d(2)
    layers["flatten"] = nn.Flatten()
    layers["linear"] = nn.Linear(before * (size >> len(channels)) ** 2, 10)
    return nn.Sequential(layers).double().eval()


def main(argv: list[str] | None = None) -> int:
    """Count and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("network", choices=("resnet", "vgg"))
    parser.add_argument("--plot", metavar="FILE", help="draw the regions of the residual network")
    parser.add_argument("--radius", type=float, default=0.001, help="of the cube of the VGG network (default: 0.001)")
    options = parser.parse_args(argv)
    print(machine.summary())
    if options.network == "resnet":
        return resnet(options.plot)
    return big(options.radius)


def resnet(picture: str | None) -> int:
    """Train, count, check, draw."""
    recipe = Recipe(
        "digits, residual", lambda: digits(1, 8, 8), residual_network, free_patch, "unused", steps=300, rate=0.01
    )
    trained = train(recipe)
    data = recipe.data()
    print(f"accuracy on training images {trained.train_accuracy:.3f}, on test images {trained.test_accuracy:.3f}")
    net = rn.load(trained.module, torch.zeros(1, 1, 8, 8))
    print(net.describe())
    test = test_images(data.x, data.y)
    domain = rn.Slice.through(test, within=rn.Box(0.0, 16.0))
    found = rn.enumerate_regions(net, domain, record="regions")
    print(f"{found.count:,} regions in {found.seconds:.2f} s; by dimension {_dimensions(found)}")
    missing = _missing(net, domain, found)
    print(f"{SAMPLES:,} random points of the slice: {missing} in regions that were not found")
    covered = _covered(net, domain, found)
    print(f"their polygons cover the slice {covered:.12f} times")
    part = rn.Slice.through(test, within=rn.linf_ball(test[0], NEAR, within=rn.Box(0.0, 16.0)))
    near = rn.enumerate_regions(net, part, record="regions")
    reference = rn.enumerate_regions(net, part, record="regions", engine="highs")
    same = _patterns(near) == _patterns(reference)
    print(f"near the first image: {near.count:,} regions, HiGHS {reference.count:,}; the same patterns: {same}")
    if picture:
        found.plot("class", path=picture)
        print(f"drawn: {picture}")
    return int(not same or missing > 0 or abs(covered - 1.0) > 1e-9)


def test_images(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Three images of the test part, of three classes."""
    from sklearn.model_selection import train_test_split

    _, images, _, classes = train_test_split(x, y, test_size=0.25, random_state=0, stratify=y)
    return np.stack([images[classes == k][0] for k in (0, 1, 2)])


def big(radius: float) -> int:
    """Load and count the VGG network."""
    module = vgg()
    start = time.monotonic()
    net = rn.load(module, torch.zeros(1, 3, 32, 32))
    units = sum(layer.n_out for layer in net.unit_layers)
    entries = sum(layer.weight.size for layer in net.layers)
    print(f"{units:,} units, {entries:,} connections; loaded in {time.monotonic() - start:.1f} s, {_memory()}")
    images = np.random.default_rng(0).uniform(0.0, 1.0, (3, 3, 32, 32))
    domain = rn.Slice.through(images, within=rn.linf_ball(images[0], radius))
    found = rn.enumerate_regions(net, domain)
    print(f"{found.count:,} regions in {found.seconds:.1f} s, {_memory()}")
    for layer in found.layers:
        print(f"  {layer.name}: {layer.regions:,}")
    return 0


def _memory() -> str:
    return f"at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB"


def _patterns(result: rn.Result) -> set[bytes]:
    return set(result.regions.column("pattern").to_pylist())


def _dimensions(result: rn.Result) -> dict[int, int]:
    return {rank: summary.regions for rank, summary in result.layers[-1].by_rank.items()}


def _covered(net: Network, domain: rn.Slice, found: rn.Result) -> float:
    """Area of the regions' polygons, over that of the slice."""
    from regionenum.analysis.picture import picture
    from regionenum.analysis.polygons import Polygons

    whole = Polygons.domain(domain.chart(net.input_shape), 1).areas.sum()
    return float(picture(found.findings).polygons.areas.sum() / whole)


def _missing(net: Network, domain: rn.Slice, found: rn.Result) -> int:
    """Random points of the slice whose pattern is that of no region."""
    from regionenum.analysis.picture import pieces_of

    chart = domain.chart(net.input_shape)
    y = np.random.default_rng(1).uniform(size=(SAMPLES, chart.dim))
    y = y[(chart.half_spaces.slack(y) > 0).all(axis=1)]
    known = {row.tobytes() for row in pieces_of(found.findings).astype(np.int64)}
    return sum(row.tobytes() not in known for row in net.pattern(chart.to_input(y)).astype(np.int64))


if __name__ == "__main__":
    raise SystemExit(main())
