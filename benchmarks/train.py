"""Train the small networks of `configs/` on real data: `python -m benchmarks.train [--only iris]`.

The data sets come with scikit-learn. Every run writes the same bytes on one machine: fixed seeds, float64, one thread,
all samples in every step. Inputs are scaled for training only; the scaling is folded into the first affine layer, so
that the written networks take the data in its own units and a domain is a box in these units.
"""

from __future__ import annotations

import argparse
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn import datasets
from sklearn.model_selection import train_test_split
from torch import nn

import regionenum as rn
from regionenum.network.storage import save_npz

CONFIGS = Path(__file__).resolve().parent.parent / "configs"


@dataclass(frozen=True)
class Data:
    """A data set in its own units, and how to scale it: (x - centre) / scale has entries of order one.

    Attributes
    ----------
    x : (n_samples, *input_shape)
    y : (n_samples,) classes
    centre, scale : broadcast against one input
    """

    x: np.ndarray
    y: np.ndarray
    centre: np.ndarray
    scale: np.ndarray


@dataclass(frozen=True)
class Recipe:
    """How one network of `configs/` is made.

    Attributes
    ----------
    title : the first line of the configuration
    data : loads the data set
    module : makes the untrained network for scaled inputs; its first child is the affine layer that takes the scaling
    domain : the bounds of the domain, from the samples x (n_samples, *input_shape)
    domain_title : what that domain is
    steps, rate, decay : of Adam
    """

    title: str
    data: Callable[[], Data]
    module: Callable[[], nn.Sequential]
    domain: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    domain_title: str
    steps: int
    rate: float = 0.01
    decay: float = 1e-3


@dataclass(frozen=True)
class Trained:
    """A trained network with the scaling folded in, its domain, and the share of samples it classifies correctly."""

    module: nn.Sequential
    lower: np.ndarray
    upper: np.ndarray
    train_accuracy: float
    test_accuracy: float


def mlp(*widths: int) -> nn.Sequential:
    """Linear layers with a ReLU between each two of them.

    >>> list(dict(mlp(4, 3, 2).named_children()))
    ['linear1', 'relu1', 'linear2']
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for k in range(1, len(widths)):
        layers[f"linear{k}"] = nn.Linear(widths[k - 1], widths[k])
        if k < len(widths) - 1:
            layers[f"relu{k}"] = nn.ReLU()
    return nn.Sequential(layers)


def cnn() -> nn.Sequential:
    """A small network for images of 8 x 8 pixels: convolution, ReLU, max-pooling, and two linear layers."""
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(1, 4, 3),
            conv_relu=nn.ReLU(),
            pool=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            linear1=nn.Linear(36, 12),
            linear1_relu=nn.ReLU(),
            linear2=nn.Linear(12, 10),
        )
    )


def standardised(load: Callable[..., tuple[np.ndarray, np.ndarray]]) -> Data:
    """A table of measurements, every column scaled to mean 0 and deviation 1."""
    x, y = load(return_X_y=True)
    return Data(x, y, x.mean(axis=0), x.std(axis=0))


def digits(*input_shape: int) -> Data:
    """Images of 8 x 8 pixels with values 0 .. 16, scaled to 0 .. 1."""
    x, y = datasets.load_digits(return_X_y=True)
    return Data(x.reshape(-1, *input_shape), y, np.zeros(1), np.full(1, 16.0))


def bounding_box(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The smallest box that contains all samples."""
    return x.min(axis=0), x.max(axis=0)


def free_patch(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first image, with the 2 x 2 pixels in its middle free in 0 .. 16 and every other pixel fixed."""
    lower, upper = x[0].copy(), x[0].copy()
    lower[..., 3:5, 3:5], upper[..., 3:5, 3:5] = 0.0, 16.0
    return lower, upper


RECIPES = {
    "iris": Recipe(
        "iris: 4 measurements in cm, 3 species; 4-32-16-8-3 with ReLU",
        lambda: standardised(datasets.load_iris),
        lambda: mlp(4, 32, 16, 8, 3),
        bounding_box,
        "the bounding box of the data",
        steps=400,
    ),
    "wine": Recipe(
        "wine: 13 measurements, 3 cultivars; 13-12-12-3 with ReLU",
        lambda: standardised(datasets.load_wine),
        lambda: mlp(13, 12, 12, 3),
        bounding_box,
        "the bounding box of the data",
        steps=300,
    ),
    "cancer": Recipe(
        "breast cancer: 30 measurements, 2 classes; 30-10-10-2 with ReLU",
        lambda: standardised(datasets.load_breast_cancer),
        lambda: mlp(30, 10, 10, 2),
        bounding_box,
        "the bounding box of the data",
        steps=300,
    ),
    "digits_mlp": Recipe(
        "digits: 64 pixels, 10 classes; 64-12-12-10 with ReLU",
        lambda: digits(64),
        lambda: mlp(64, 12, 12, 10),
        bounding_box,
        "the bounding box of the data, in which three pixels are always 0",
        steps=600,
    ),
    "digits_cnn": Recipe(
        "digits: images of 8 x 8 pixels, 10 classes; convolution, ReLU, max-pooling, 36-12-10 with ReLU",
        lambda: digits(1, 8, 8),
        cnn,
        free_patch,
        "the first image, with the 2 x 2 pixels in its middle free",
        steps=400,
    ),
}


def train(recipe: Recipe) -> Trained:
    """Train one network, from the same seed every time."""
    data = recipe.data()
    scaled = (data.x - data.centre) / data.scale
    parts = train_test_split(scaled, data.y, test_size=0.25, random_state=0, stratify=data.y)
    x_train, x_test, y_train, y_test = (torch.from_numpy(part) for part in parts)
    torch.manual_seed(0)
    module = recipe.module().double()
    optimiser = torch.optim.Adam(module.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
    for _ in range(recipe.steps):
        optimiser.zero_grad()
        nn.functional.cross_entropy(module(x_train), y_train).backward()
        optimiser.step()
    module.eval()
    accuracies = (accuracy(module, x_train, y_train), accuracy(module, x_test, y_test))
    fold_scaling(module, data)
    return Trained(module, *recipe.domain(data.x), *accuracies)


@torch.no_grad()
def accuracy(module: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    """Share of the samples whose largest output is their class."""
    return float((module(x).argmax(dim=1) == y).double().mean())


@torch.no_grad()
def fold_scaling(module: nn.Sequential, data: Data) -> None:
    """Fold the scaling into the first layer: W (x - c) / s + b = (W / s) x + (b - (W / s) c).

    The sum over a convolution's window is the same at every place only if c and s are, so these must be numbers there.
    """
    first = module[0]
    if isinstance(first, nn.Conv2d):
        first.weight /= float(data.scale.item())
        first.bias -= first.weight.sum(dim=(1, 2, 3)) * float(data.centre.item())
    else:
        first.weight /= torch.from_numpy(data.scale)
        first.bias -= (first.weight * torch.from_numpy(data.centre)).sum(dim=1)


def write(name: str, recipe: Recipe, trained: Trained, folder: Path) -> None:
    """Write the network and its run configuration."""
    example = torch.from_numpy(trained.lower)[None]
    save_npz(rn.load(trained.module, example), folder / f"{name}.npz")
    lines = [
        f"# {recipe.title}.",
        f"# Domain: {recipe.domain_title}. Inputs are in the data's own units.",
        f"# Accuracy: {trained.train_accuracy:.3f} on the training samples, {trained.test_accuracy:.3f} on the others.",
        "# Written by `python -m benchmarks.train`.",
        f'model = "{name}.npz"',
        'record = "none"',
        "",
        "[domain]",
        'kind = "box"',
        f"lower = {trained.lower.tolist()}",
        f"upper = {trained.upper.tolist()}",
    ]
    (folder / f"{name}.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main(argv: list[str] | None = None) -> int:
    """Train, write, and print accuracies."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--only", choices=RECIPES, help="train only this network")
    parser.add_argument(
        "--out", type=Path, default=CONFIGS, metavar="DIR", help="folder to write to (default: configs)"
    )
    options = parser.parse_args(argv)
    # sums over several threads may come out in another order in the next run
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for name in [options.only] if options.only else RECIPES:
        trained = train(RECIPES[name])
        write(name, RECIPES[name], trained, options.out)
        size = (options.out / f"{name}.npz").stat().st_size
        print(
            f"{name}: accuracy {trained.train_accuracy:.3f} (training), {trained.test_accuracy:.3f} (test); "
            f"{size:,} bytes of weights"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
