"""The one table of problems with known answers, for the tests and for `benchmarks/groundtruth.py`.

The answers come from `tests/data`, never from this program; `tests/data/README.md` says how they were found. A problem
is "large" when it is too long for the test suite.
"""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from regionenum.domain import Box
from regionenum.network.layers import Layer, Network
from regionenum.network.units import RELU, Units, leaky_relu
from tests.arrangements import Rows, arrangement, half_width

DATA = Path(__file__).parent / "data"

LARGE = 20_000
"""Problems with more regions than this are large."""


@dataclass(frozen=True)
class LayerFacts:
    """What is known of one unit layer: {rank after it: cells}, and of the cells before it by rank, their children."""

    ranks: dict[int, int]
    parents: dict[int, dict[str, int]]


@dataclass(frozen=True)
class Known:
    """A problem with known answers.

    Attributes
    ----------
    name : source and parameters
    build : makes the network and its domain
    regions : number of regions
    distinct_maps : number of different affine maps of the whole network, where known
    layers : what is known of each unit layer, where known
    """

    name: str
    build: Callable[[], tuple[Network, Box]] = field(repr=False)
    regions: int
    distinct_maps: int | None = None
    layers: tuple[LayerFacts, ...] = ()

    @property
    def large(self) -> bool:
        """Whether this is too long for the test suite."""
        return self.regions > LARGE


def relu_network(rows: Rows, box: Box) -> tuple[Network, Box]:
    """One ReLU per row (a, b): a.x + b."""
    a = rows[:, :-1].astype(float)
    units = Units.pointwise(RELU, len(a))
    return Network((Layer("relu", a, rows[:, -1].astype(float), units),), (a.shape[1],)), box


def _rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(newline="") as file:
        return list(csv.DictReader(file))


def _golden_network(layers: list[dict[str, Any]], n_in: int, box: Box) -> tuple[Network, Box]:
    """The layers as listed; units that follow units get a layer of their own, with the identity as weight."""
    built: list[Layer] = []
    pending: tuple[np.ndarray, np.ndarray] | None = None
    for k, layer in enumerate([*layers, {"type": "end"}]):
        if layer["type"] == "affine":
            pending = (_floats(layer["W"]), _floats(layer["b"]))
            continue
        if layer["type"] == "end" and pending is None:
            break
        n_before = built[-1].n_out if built else n_in
        weight, bias = pending or (np.eye(n_before), np.zeros(n_before))
        pending = None
        units = _golden_units(layer, len(weight))
        built.append(Layer(f"{k}.{layer['type']}", weight, bias, units))
    return Network(tuple(built), (n_in,)), box


def _golden_units(layer: dict[str, Any], n_rows: int) -> Units:
    match layer["type"]:
        case "relu":
            return Units.pointwise(RELU, n_rows)
        case "leaky_relu":
            return Units.pointwise(leaky_relu(float(Fraction(layer["slope"]))), n_rows)
        case "maxpool_windows":
            return Units.maxima(layer["windows"])
        case "end":
            return Units.identity(n_rows)
    raise ValueError(f"unknown layer type {layer['type']!r}")


def _floats(values: list[Any]) -> np.ndarray:
    array = np.array(values, dtype=object)
    return np.array([float(Fraction(v)) for v in array.ravel()]).reshape(array.shape)


def _golden() -> Iterator[Known]:
    for net in json.loads((DATA / "golden_nets.json").read_text()):
        facts = tuple(
            LayerFacts(
                {int(rank): n for rank, n in layer["rank_hist_after"].items()},
                {int(rank): facts for rank, facts in layer["children_by_parent_rank"].items()},
            )
            for layer in net["per_layer"]
        )
        yield Known(
            f"golden {net['name']}",
            partial(_golden_network, net["layers"], net["input_dim"], Box(*map(float, net["box"]))),
            net["R2_full_dim_activation_regions"],
            net["R6_distinct_affine_maps"],
            facts,
        )


def _arrangement_network(family: str, params: str) -> tuple[Network, Box]:
    rows = arrangement(family, params)
    width = half_width(rows)
    return relu_network(rows, Box(-width, width))


def _arrangements() -> Iterator[Known]:
    for row in _rows("arrangements.csv"):
        family, params = row["family"], row["params"]
        yield Known(
            f"arrangement {family} {params}", partial(_arrangement_network, family, params), int(row["regions"])
        )


def windows(shape: tuple[int, int], size: tuple[int, int], stride: tuple[int, int]) -> list[list[int]]:
    """Flat indices in each pooling window."""
    (rows, cols), (kh, kw), (sh, sw) = shape, size, stride
    return [
        [i * cols + j for i, j in itertools.product(range(top, top + kh), range(left, left + kw))]
        for top in range(0, rows - kh + 1, sh)
        for left in range(0, cols - kw + 1, sw)
    ]


def _pool_network(groups: list[list[int]], shape: tuple[int, ...], relu: str = "") -> tuple[Network, Box]:
    """The maxima of groups of inputs, with a ReLU "before" or "after", on a box around the apex of their fan.

    A ReLU "before" reads the inputs that some window covers: the known counts are of the patterns of these.
    """
    n = int(np.prod(shape))
    covered = sorted({i for group in groups for i in group}) if relu == "before" else list(range(n))
    weight, bias = np.eye(n)[covered], np.zeros(len(covered))
    maxima = Units.maxima([[covered.index(i) for i in group] for group in groups])
    if relu == "before":
        layers = [
            Layer("relu", weight, bias, Units.pointwise(RELU, len(covered))),
            Layer("pool", np.eye(len(covered)), bias, maxima),
        ]
    else:
        layers = [Layer("pool", weight, bias, maxima)]
    if relu == "after":
        n_out = len(groups)
        layers.append(Layer("relu", np.eye(n_out), np.zeros(n_out), Units.pointwise(RELU, n_out)))
    return Network(tuple(layers), shape), Box(-1.0, 1.0)


def _torch_network(kind: str, arguments: tuple[Any, ...], shape: tuple[int, ...]) -> tuple[Network, Box]:
    """A real module of torch.nn on an input of a shape without the batch axis."""
    import torch

    from regionenum.network.load import load

    module = getattr(torch.nn, kind)(*arguments).eval()
    return load(module, torch.zeros(1, *shape)), Box(-1.0, 1.0)


def _max_pools() -> Iterator[Known]:
    for row in _rows("maxpool_1d.csv") + _rows("maxpool_1d_padded.csv"):
        n, *sizes = (int(row.get(key, 0)) for key in ("n", "k", "s", "padding"))
        build = partial(_torch_network, "MaxPool1d", tuple(sizes), (1, n))
        yield Known(f"MaxPool1d({sizes[0]}, {sizes[1]}, {sizes[2]}) on {n}", build, int(row["regions"]))
    for row in _rows("maxpool_2d.csv"):
        shape, size, stride = _pairs(row)
        build = partial(_torch_network, "MaxPool2d", (size, stride), (1, *shape))
        yield Known(f"MaxPool2d({size}, {stride}) on {shape}", build, int(row["regions"]))


def _pairs(row: dict[str, str]) -> list[tuple[int, int]]:
    """Shape, window and stride of a row."""
    return [(int(row[a]), int(row[b])) for a, b in (("rows", "cols"), ("kh", "kw"), ("sh", "sw"))]


def _max_pools_with_relu() -> Iterator[Known]:
    """A row of a 1-d pooling has the sizes in the first of each pair of columns, and 1 in the second."""
    for row in _rows("maxpool_relu.csv"):
        shape, size, stride = _pairs(row)
        groups = windows(shape, size, stride)
        for order, column in (("before", "patterns_relu_then_pool"), ("after", "patterns_pool_then_relu")):
            if row[column]:
                yield Known(
                    f"ReLU {order} max-pool {size}, {stride} on {shape}",
                    partial(_pool_network, groups, (1, *shape), order),
                    int(row[column]),
                    int(row["distinct_affine(relu.pool==pool.relu)"]),
                )
    # Disjoint windows are independent: four windows of 2 x 2 have the fourth powers of the counts of one.
    groups = windows((4, 4), (2, 2), (2, 2))
    for order, regions in (("before", 33**4), ("after", 8**4)):
        build = partial(_pool_network, groups, (1, 4, 4), order)
        yield Known(f"ReLU {order} max-pool (2, 2), (2, 2) on (4, 4)", build, regions, 5**4)


def _convolution(spec: dict[str, int], biased: bool) -> tuple[Network, Box]:
    """One convolution + ReLU with random integer weights.

    Almost all weights are generic, and no weights have more regions than generic ones: each region of an arrangement
    survives a small change of its hyperplanes. So a draw with the generic count proves itself. Entries are not 0, and
    the seed is the first whose small integers have no coincidences (1 has two).
    """
    rng = np.random.default_rng(2)
    s, f1, f2 = spec["stride"], spec["f1"], spec["f2"]
    shape = spec["d1"], spec["d0"], f1, f2
    filters = rng.integers(1, 10, shape) * rng.choice([-1, 1], shape)
    biases = rng.integers(1, 10, spec["d1"]) * rng.choice([-1, 1], spec["d1"]) * biased
    found = []
    for channel, bias in zip(filters, biases, strict=True):
        for i in range(0, spec["n1"] - f1 + 1, s):
            for j in range(0, spec["n2"] - f2 + 1, s):
                normal = np.zeros((spec["d0"], spec["n1"], spec["n2"]), np.int64)
                normal[:, i : i + f1, j : j + f2] = channel
                found.append([*normal.ravel(), bias])
    rows = np.array(found)
    assert rows.shape == (spec["hidden"], spec["input_dim"] + 1)
    width = half_width(rows)
    return relu_network(rows, Box(-width, width))


def _convolutions() -> Iterator[Known]:
    for row in _rows("cnn_one_layer.csv"):
        spec = {key: int(number) for key, number in row.items()}
        assert spec["exact_seed5"] == spec["exact_seed6"], "the two draws are generic only if they agree"
        name = (
            f"{spec['n1']}x{spec['n2']}x{spec['d0']}, {spec['d1']} filters {spec['f1']}x{spec['f2']}/{spec['stride']}"
        )
        yield Known(f"convolution {name}", partial(_convolution, spec, True), spec["exact_seed5"])
        yield Known(f"convolution without bias {name}", partial(_convolution, spec, False), spec["exact_biasfree"])


@cache
def problems() -> tuple[Known, ...]:
    """All problems."""
    sources = (_golden, _arrangements, _max_pools, _max_pools_with_relu, _convolutions)
    found = tuple(itertools.chain.from_iterable(source() for source in sources))
    assert len({problem.name for problem in found}) == len(found)
    return found
