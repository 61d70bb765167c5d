"""ONNX operators that rearrange tensors, each against onnxruntime, opset by opset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import onnx

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
)

normal = Drawing(8)

IMAGE = (1, 4, 6, 5)

CASES: list[Case] = [
    ("Flatten", 13, IMAGE, "x", {}, {}),
    ("Flatten", 13, IMAGE, "x", {"axis": -1}, {}),
    ("Flatten", 9, IMAGE, "x", {"axis": 0}, {}),
    ("Reshape", 13, IMAGE, "x s", {}, {"s": ints(0, -1, 5)}),
    ("Reshape", 14, IMAGE, "x s", {"allowzero": 1}, {"s": ints(20, -1)}),
    ("Squeeze", 11, (1, 1, 4, 1), "x", {"axes": [1, -1]}, {}),
    ("Squeeze", 13, (1, 1, 4, 1), "x a", {}, {"a": ints(1)}),
    ("Squeeze", 13, (1, 1, 4, 1), "x", {}, {}),
    ("Unsqueeze", 11, (1, 4), "x", {"axes": [0, 3]}, {}),
    ("Unsqueeze", 13, (1, 4), "x a", {}, {"a": ints(-1, 1)}),
    ("Transpose", 13, IMAGE, "x", {"perm": [0, 2, 3, 1]}, {}),
    ("Transpose", 13, IMAGE, "x", {}, {}),
    ("Concat", 13, (1, 4), "x c x", {"axis": -1}, {"c": normal(1, 2)}),
    ("Slice", 9, IMAGE, "x", {"starts": [1, -2], "ends": [100, 5], "axes": [1, 3]}, {}),
    ("Slice", 11, IMAGE, "x s e", {}, {"s": ints(0, 1), "e": ints(1, 3)}),
    (
        "Slice",
        13,
        IMAGE,
        "x s e a t",
        {},
        {"s": ints(-1, 4), "e": ints(-(2**63), 0), "a": ints(2, 3), "t": ints(-2, -1)},
    ),
    ("Gather", 13, IMAGE, "x i", {"axis": 1}, {"i": ints(2, -1, 0, 0)}),
    ("Gather", 13, IMAGE, "x i", {"axis": 2}, {"i": np.array(3, np.int64)}),
    ("Gather", 13, IMAGE, "x i", {"axis": -1}, {"i": np.array([[0, 1], [4, 2]], np.int32)}),
    ("Pad", 10, (1, 1, 4), "x", {"pads": [0, 0, 1, 0, 0, 2], "value": 3.5}, {}),
    ("Pad", 11, IMAGE, "x p v", {}, {"p": ints(0, 0, 1, -1, 0, 1, 2, 0), "v": np.array(-2.5, np.float32)}),
    ("Pad", 13, IMAGE, "x p", {"mode": "reflect"}, {"p": ints(0, 0, 2, 1, 0, 0, 1, 2)}),
    ("Pad", 13, IMAGE, "x p", {"mode": "edge"}, {"p": ints(0, 0, 2, 1, 0, 0, 9, 2)}),
    ("Pad", 19, IMAGE, "x p", {"mode": "wrap"}, {"p": ints(0, 0, 2, 1, 0, 0, 1, 2)}),
    ("Pad", 18, IMAGE, "x p  a", {}, {"p": ints(1, 2, 0, 1), "a": ints(-1, 1)}),
    ("Identity", 13, (1, 4), "x", {}, {}),
    ("Dropout", 12, (1, 4), "x", {}, {}),
    ("Dropout", 7, (1, 4), "x", {"ratio": 0.3}, {}),
    ("Expand", 13, (1, 1, 4), "x s", {}, {"s": ints(3, 1)}),
    ("Tile", 13, (1, 3, 2), "x r", {}, {"r": ints(1, 2, 3)}),
    ("DepthToSpace", 13, (1, 8, 2, 3), "x", {"blocksize": 2}, {}),
    ("DepthToSpace", 11, (1, 8, 2, 3), "x", {"blocksize": 2, "mode": "CRD"}, {}),
    ("SpaceToDepth", 13, (1, 2, 4, 6), "x", {"blocksize": 2}, {}),
    ("Upsample", 7, (1, 2, 3, 2), "x", {"scales": [1.0, 1.0, 2.0, 3.0]}, {}),
    ("Upsample", 9, (1, 2, 3, 2), "x s", {}, {"s": f32(1, 1, 2, 1.5)}),
    ("Resize", 10, (1, 2, 3, 2), "x s", {}, {"s": f32(1, 1, 2, 2.5)}),
    ("Resize", 13, (1, 2, 4, 3), "x   z", {"mode": "nearest"}, {"z": ints(1, 2, 7, 2)}),
    *(
        ("Resize", 13, (1, 2, 4, 3), "x  s", {"coordinate_transformation_mode": c, "nearest_mode": r}, {"s": scales})
        for c in ("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners")
        for r in ("round_prefer_floor", "floor", "ceil", "round_prefer_ceil")
        for scales in (f32(1, 1, 2, 2), f32(1, 1, 0.5, 2.5))
    ),
    (
        "Resize",
        11,
        (1, 2, 3, 2),
        "x r s",
        {"coordinate_transformation_mode": "tf_half_pixel_for_nn"},
        {"r": f32(), "s": f32(1, 1, 2, 3)},
    ),
    ("Cast", 13, (1, 4), "x", {"to": onnx.TensorProto.FLOAT}, {}),
    ("Cast", 13, (1, 4), "x", {"to": onnx.TensorProto.DOUBLE}, {}),
    ("CastLike", 15, (1, 4), "x c", {}, {"c": normal(1)}),
]


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_operators_agree_with_onnxruntime(tmp_path: Path, case: Case) -> None:
    operator_agrees(tmp_path, case)


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_operators_between_layers(tmp_path: Path, case: Case) -> None:
    if case[4].get("to") == onnx.TensorProto.DOUBLE:
        pytest.skip("the types of the other nodes would not fit")
    operator_between_layers(tmp_path, case)


@pytest.mark.parametrize(
    ("opset", "attributes", "arrays"),
    [
        (11, {"axis": 1, "split": [1, 3]}, {}),
        (13, {"axis": -1}, {"n": ints(3, 1)}),
        (11, {"axis": 1}, {}),
        (18, {"axis": 1, "num_outputs": 2}, {}),
    ],
)
def test_split(tmp_path: Path, opset: int, attributes: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    inputs = ["h", *arrays]
    nodes = [
        node("Relu", ["x"], "h"),
        node("Split", inputs, ["p", "q"], **attributes),
        node("Abs", ["p"], "a"),
        node("Concat", ["q", "a", "q"], axis=1),
    ]
    agrees(model(nodes, (1, 4), arrays, opset=opset), tmp_path, (4,))


def test_uneven_split(tmp_path: Path) -> None:
    nodes = [node("Split", ["x"], ["p", "q"], axis=1, num_outputs=2), node("Concat", ["q", "p"], axis=1)]
    agrees(model(nodes, (1, 5)), tmp_path, (5,))
