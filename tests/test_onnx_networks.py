"""Whole networks from ONNX files: skip connections, regions, files that torch wrote, ACAS Xu."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


import regionenum as rn
from regionenum.network.from_onnx.load import load_onnx
from regionenum.results.patterns import Packing
from regionenum.results.schema import fixed_array
from tests.onnx_models import Drawing, agrees, f32, model, node, points, runtime, save

ACASXU = Path(os.environ.get("REGIONENUM_ACASXU") or Path(__file__).resolve().parents[2] / "shared/data/acasxu")
normal = Drawing(12)


def residual(width: int = 3) -> tuple[list[Any], dict[str, np.ndarray]]:
    """x -> relu(A x), two branches with a skip connection, a concatenation, the maximum of both."""
    arrays = {"A": normal(2, width), "B": normal(width, width), "c": normal(width)}
    nodes = [
        node("MatMul", ["x", "A"], "a"),
        node("Relu", ["a"], "h"),
        node("MatMul", ["h", "B"], "b"),
        node("Add", ["b", "c"], "bc"),
        node("Relu", ["bc"], "r"),
        node("Add", ["r", "h"], "s"),
        node("Max", ["s", "h", "c"], "m"),
        node("Min", ["m", "s", "r"], "n"),
        node("Concat", ["n", "h"], axis=1),
    ]
    return nodes, arrays


def test_skip_connections_and_maxima_of_several(tmp_path: Path) -> None:
    nodes, arrays = residual()
    network = agrees(model(nodes, ("n", 2), arrays), tmp_path, (2,))
    assert [layer.name for layer in network.unit_layers] == ["n_h", "n_r", "n_m", "n_n"]


def assert_regions(network: rn.Network, box: rn.Box) -> int:
    """Both engines agree, and every pattern of a sampled point is among the regions."""
    found = rn.enumerate_regions(network, box, record="regions")
    assert found.count == rn.enumerate_regions(network, box, engine="highs").count
    packing = Packing.of(network)
    known = {row.tobytes() for row in fixed_array(found.regions.column("pattern"))}
    sampled = packing.pack(network.pattern(np.random.default_rng(3).uniform(-1, 1, (2000, network.n_in))))
    assert {row.tobytes() for row in sampled} <= known
    return found.count


def test_regions_of_a_residual_network(tmp_path: Path) -> None:
    nodes, arrays = residual()
    network = load_onnx(save(model(nodes, ("n", 2), arrays), tmp_path))
    assert assert_regions(network, rn.Box(-1, 1)) > 5


def test_regions_of_a_known_network(tmp_path: Path) -> None:
    """max(-y, min(0, -x)) has 5 regions and 3 maps when it is written with ReLUs, 4 and 3 with Min and Max."""
    arrays = {"x_": f32(-1, 0).reshape(2, 1), "y_": f32(0, -1).reshape(2, 1), "zero": f32(0)}
    nodes = [
        node("MatMul", ["x", "x_"], "minus_x"),
        node("MatMul", ["x", "y_"], "minus_y"),
        node("Min", ["minus_x", "zero"], "m"),
        node("Max", ["minus_y", "m"]),
    ]
    network = load_onnx(save(model(nodes, (1, 2), arrays), tmp_path))
    result = rn.enumerate_regions(network, rn.Box(-1, 1), record="regions")
    assert (result.count, result.distinct_maps()) == (4, 3)


# Files from torch -------------------------------------------------------------------------------------------------------


def convolutional() -> tuple[Any, tuple[int, ...]]:
    from torch import nn

    return (
        nn.Sequential(
            nn.Conv2d(1, 2, 2, padding=1),
            nn.BatchNorm2d(2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.5),
            nn.Linear(8, 3),
            nn.LeakyReLU(0.25),
            nn.Linear(3, 2),
        ),
        (1, 3, 3),
    )


def with_a_skip() -> tuple[Any, tuple[int, ...]]:
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.head = nn.Conv1d(1, 2, 1), nn.Conv1d(2, 2, 3, padding=1), nn.Linear(6, 2)

        def forward(self, x: Any) -> Any:
            x = torch.relu(self.first(x))
            x = torch.relu(self.second(x) + x)
            return self.head(torch.cat([x.flatten(1), x.flatten(1)], 1)[:, 3:9])

    return Block(), (1, 3)


@pytest.mark.parametrize("make", [convolutional, with_a_skip])
@pytest.mark.parametrize("dynamo", [False, True], ids=["legacy", "dynamo"])
@pytest.mark.filterwarnings("ignore")  # the exporters' own deprecations
def test_files_from_torch_count_as_the_module_does(tmp_path: Path, make: Any, dynamo: bool) -> None:
    torch = pytest.importorskip("torch")
    if dynamo:
        pytest.importorskip("onnxscript")
    torch.manual_seed(1)
    module, shape = make()
    module.eval()
    path = tmp_path / "net.onnx"
    x = torch.zeros(1, *shape)
    torch.onnx.export(
        module, (x,), path, dynamo=dynamo, **({} if dynamo else {"dynamic_axes": {"x": {0: "n"}}, "input_names": ["x"]})
    )
    ours = rn.load(path)
    assert ours.input_shape == shape
    at = points(shape)
    with torch.no_grad():
        theirs = module(torch.from_numpy(at)).double().numpy()
    np.testing.assert_allclose(ours.forward(at), theirs, rtol=1e-3, atol=1e-3)
    lower, upper = -np.ones(shape), np.ones(shape)
    upper.reshape(-1)[3:] = -1.0
    box = rn.Box(lower, upper)
    count = rn.enumerate_regions(ours, box).count
    assert count == rn.enumerate_regions(rn.load(module, x), box).count > 3


def test_acas_xu(tmp_path: Path) -> None:
    """The real networks, where their files are at hand."""
    files = sorted(ACASXU.glob("*.onnx"))
    if not files:
        pytest.skip("the weights are not part of the project")
    for path in files:
        network = rn.load(path)
        assert network.input_shape == (1, 1, 5)
        assert [layer.n_out for layer in network.layers] == [50] * 6 + [5]
        assert [layer.name for layer in network.unit_layers] == [f"relu_{k}" for k in range(1, 7)]
        x = points((1, 1, 5))
        np.testing.assert_allclose(network.forward(x), runtime(path, x), rtol=1e-4, atol=1e-3)
    box = rn.Box([0.0, -0.001, 0.4999, 0.3, 0.3], [0.0, 0.001, 0.5, 0.301, 0.3])
    assert rn.enumerate_regions(network, box).complete
