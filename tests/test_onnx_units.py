"""ONNX operators that close a layer, and poolings, each against onnxruntime, opset by opset."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import onnx

from regionenum.network.from_onnx.load import load_onnx
from tests.onnx_models import (
    Case,
    Drawing,
    agrees,
    case_id,
    f32,
    ints,
    model,
    node,
    operator_agrees,
    operator_between_layers,
    save,
)

normal = Drawing(9)

IMAGE = (1, 4, 6, 5)

CASES: list[Case] = [
    ("Relu", 13, (1, 4), "x", {}, {}),
    ("Relu", 7, IMAGE, "x", {}, {}),
    ("LeakyRelu", 13, (1, 4), "x", {"alpha": 0.25}, {}),
    ("LeakyRelu", 7, (1, 4), "x", {}, {}),
    ("PRelu", 13, IMAGE, "x s", {}, {"s": normal(4, 1, 1)}),
    ("PRelu", 9, (1, 4), "x s", {}, {"s": normal(1)}),
    ("PRelu", 16, (1, 4), "x s", {}, {"s": f32(1, 0, -1, 0.5)}),
    ("Clip", 7, (1, 4), "x", {"min": -1.0, "max": 0.5}, {}),
    ("Clip", 10, (1, 4), "x", {"min": 0.0}, {}),
    ("Clip", 13, (1, 4), "x a b", {}, {"a": np.array(-0.5, np.float32), "b": np.array(2, np.float32)}),
    ("Clip", 13, (1, 4), "x  b", {}, {"b": np.array(2, np.float32)}),
    ("Clip", 13, (1, 4), "x", {}, {}),
    ("Clip", 13, (1, 4), "x a b", {}, {"a": np.array(1, np.float32), "b": np.array(1, np.float32)}),
    ("Abs", 13, (1, 4), "x", {}, {}),
    ("HardSigmoid", 13, (1, 4), "x", {}, {}),
    ("HardSigmoid", 6 + 1, (1, 4), "x", {"alpha": 1 / 6, "beta": 0.5}, {}),
    ("HardSigmoid", 13, (1, 4), "x", {"alpha": -0.5, "beta": 0.25}, {}),
    ("Shrink", 13, (1, 4), "x", {"lambd": 0.5, "bias": 0.5}, {}),
    ("ThresholdedRelu", 13, (1, 4), "x", {"alpha": 0.0}, {}),
    ("Max", 13, (1, 4), "x c", {}, {"c": normal(4)}),
    ("Max", 8, (1, 4), "c x d", {}, {"c": normal(3, 1), "d": f32(-np.inf)}),
    ("Max", 13, (1, 4), "x", {}, {}),
    ("Min", 13, (1, 4), "x c", {}, {"c": normal(4)}),
    ("MaxPool", 12, IMAGE, "x", {"kernel_shape": [2, 2]}, {}),
    ("MaxPool", 12, IMAGE, "x", {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]}, {}),
    ("MaxPool", 12, IMAGE, "x", {"kernel_shape": [2, 2], "dilations": [2, 3], "pads": [1, 1, 1, 1]}, {}),
    ("MaxPool", 12, IMAGE, "x", {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}, {}),
    ("MaxPool", 12, IMAGE, "x", {"kernel_shape": [2, 2], "strides": [3, 3], "ceil_mode": 1, "pads": [1, 1, 1, 1]}, {}),
    ("MaxPool", 8, IMAGE, "x", {"kernel_shape": [2, 2], "auto_pad": "SAME_UPPER"}, {}),
    ("MaxPool", 8, IMAGE, "x", {"kernel_shape": [3, 2], "auto_pad": "SAME_LOWER", "strides": [2, 2]}, {}),
    ("MaxPool", 8, (1, 3, 7), "x", {"kernel_shape": [3], "strides": [2]}, {}),
    ("MaxPool", 12, (1, 1, 3, 4, 3), "x", {"kernel_shape": [2, 2, 2]}, {}),
    ("GlobalMaxPool", 13, IMAGE, "x", {}, {}),
    ("ReduceMax", 13, IMAGE, "x", {"axes": [1], "keepdims": 0}, {}),
    ("ReduceMax", 18, IMAGE, "x a", {}, {"a": ints(2, 3)}),
    ("ReduceMin", 13, IMAGE, "x", {}, {}),
    ("ReduceMin", 18, IMAGE, "x a", {}, {"a": ints(-1)}),
]


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_operators_agree_with_onnxruntime(tmp_path: Path, case: Case) -> None:
    operator_agrees(tmp_path, case)


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_operators_between_layers(tmp_path: Path, case: Case) -> None:
    operator_between_layers(tmp_path, case)


@pytest.mark.parametrize("bound", [[0.5, -np.inf, 1.0], [-np.inf] * 3])
def test_maximum_without_some_bounds(tmp_path: Path, bound: list[float]) -> None:
    nodes = [node("Neg", ["x"], "z"), node("Max", ["x", "z", "c"])]
    agrees(model(nodes, (1, 3), {"c": f32(*bound)}), tmp_path, (3,))


def test_bounds_beyond_float32_bound_float64_only(tmp_path: Path) -> None:
    largest = float(np.finfo(np.float32).max)
    for kind, n_pieces in ((onnx.TensorProto.FLOAT, 2), (onnx.TensorProto.DOUBLE, 3)):
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind)
        arrays = {"a": np.array(0, dtype), "b": np.array(largest, dtype)}
        network = load_onnx(save(model([node("Clip", ["x", "a", "b"])], (1, 2), arrays, kind=kind), tmp_path))
        assert network.layers[0].units.n_pieces.tolist() == [n_pieces] * 2


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize("kernel", [[2, 2], [3, 2]])
def test_all_paddings_of_poolings(tmp_path: Path, op: str, kernel: list[int]) -> None:
    """Every file is compared with onnx's reference evaluator and with onnxruntime."""
    all_pads = ([0] * 4, [0, 0, 1, 1], [1, 1, 0, 0], [1, 0, 1, 1])
    for strides, pads, ceil, dilations in product(([1, 1], [2, 3]), all_pads, (0, 1), ([1, 1], [2, 2])):
        options: dict[str, Any] = {"strides": strides, "pads": pads, "ceil_mode": ceil, "dilations": dilations}
        agrees(model([node(op, ["x"], kernel_shape=kernel, **options)], (1, 2, 6, 5), opset=19), tmp_path, (2, 6, 5))
