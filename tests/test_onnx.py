"""Loading ONNX files: every operator against onnxruntime, opset by opset, alone and between other layers."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import onnx

import regionenum as rn
from regionenum.network.from_onnx import operations as onnx_ops
from regionenum.network.from_onnx.load import load_onnx
from regionenum.results.patterns import Packing
from regionenum.results.schema import fixed_array
from tests.onnx_models import model, node, points, runtime, save

ACASXU = Path(os.environ.get("REGIONENUM_ACASXU") or Path(__file__).resolve().parents[2] / "shared/data/acasxu")
rng = np.random.default_rng(7)


def normal(*shape: int) -> np.ndarray:
    return rng.standard_normal(shape).astype(np.float32)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def f32(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


# (operator, opset, shape with the batch axis, names of the inputs, attributes, constants); x is the network's input
Case = tuple[str, int, tuple[int, ...], str, dict[str, Any], dict[str, np.ndarray]]

W46, B6 = normal(4, 6), normal(6)
IMAGE = (1, 4, 6, 5)
KERNEL, BIAS = normal(6, 4, 3, 3), normal(6)
GROUPED = normal(6, 2, 3, 3)
UP = normal(4, 3, 3, 3)
STATISTICS = {"s": normal(4), "b": normal(4), "m": normal(4), "v": np.abs(normal(4)) + f32(0.1)}

LINEAR: list[Case] = [
    ("Gemm", 13, (1, 4), "x w b", {}, {"w": W46, "b": B6}),
    ("Gemm", 7, (1, 4), "x w b", {"transB": 1, "alpha": 0.5, "beta": 2.0}, {"w": W46.T.copy(), "b": B6}),
    ("Gemm", 11, (1, 4), "x w", {}, {"w": W46}),
    ("Gemm", 13, (1, 4), "w x b", {"transA": 1, "transB": 1}, {"w": W46, "b": normal(6, 1)}),
    ("Gemm", 13, (1, 4), "x w b", {"transA": 1, "beta": 0.25}, {"w": normal(1, 3), "b": normal(4, 1)}),
    ("Gemm", 13, (1, 4), "w x b", {}, {"w": normal(3, 1), "b": normal(1)}),
    ("Gemm", 13, (1, 4), "u w x", {"beta": 0.5}, {"u": normal(3, 2), "w": normal(2, 4)}),
    ("MatMul", 13, (1, 4), "x w", {}, {"w": W46}),
    ("MatMul", 13, (1, 4), "x w", {}, {"w": normal(4)}),
    ("MatMul", 13, (1, 3, 4), "x w", {}, {"w": normal(4, 2)}),
    ("MatMul", 13, (1, 3, 4), "w x", {}, {"w": normal(5, 3)}),
    ("MatMul", 13, (1, 3, 4), "w x", {}, {"w": normal(3)}),
    ("MatMul", 9, (1, 2, 3, 4), "x w", {}, {"w": normal(2, 4, 5)}),
    ("MatMul", 9, (1, 2, 3, 4), "w x", {}, {"w": normal(6, 1, 5, 3)[:1]}),
    ("MatMul", 9, (1, 1, 3, 4), "x w", {}, {"w": normal(3, 4, 5)}),
    ("Conv", 11, IMAGE, "x w b", {}, {"w": KERNEL, "b": BIAS}),
    ("Conv", 11, IMAGE, "x w", {"pads": [1, 0, 2, 1], "strides": [2, 1], "kernel_shape": [3, 3]}, {"w": KERNEL}),
    ("Conv", 11, IMAGE, "x w b", {"group": 2, "dilations": [2, 1], "pads": [2, 1, 2, 1]}, {"w": GROUPED, "b": BIAS}),
    ("Conv", 11, IMAGE, "x w", {"auto_pad": "SAME_UPPER", "strides": [2, 2]}, {"w": KERNEL[..., :2, :2].copy()}),
    ("Conv", 11, IMAGE, "x w", {"auto_pad": "SAME_LOWER", "strides": [2, 1]}, {"w": KERNEL[..., :2, :2].copy()}),
    ("Conv", 11, IMAGE, "x w", {"auto_pad": "VALID"}, {"w": KERNEL}),
    ("Conv", 7, (1, 2, 7), "x w b", {"pads": [1, 2]}, {"w": normal(3, 2, 3), "b": normal(3)}),
    ("Conv", 22, (1, 2, 3, 4, 3), "x w", {"pads": [1] * 6}, {"w": normal(2, 2, 2, 3, 2)}),
    ("ConvTranspose", 11, IMAGE, "x w b", {}, {"w": UP, "b": normal(3)}),
    (
        "ConvTranspose",
        11,
        IMAGE,
        "x w",
        {"strides": [2, 3], "pads": [1, 0, 2, 1], "output_padding": [1, 2], "dilations": [1, 2]},
        {"w": UP},
    ),
    ("ConvTranspose", 11, IMAGE, "x w", {"strides": [2, 2], "auto_pad": "SAME_UPPER"}, {"w": UP}),
    ("ConvTranspose", 11, IMAGE, "x w", {"strides": [2, 2], "auto_pad": "SAME_LOWER"}, {"w": UP}),
    ("ConvTranspose", 11, IMAGE, "x w", {"strides": [2, 2], "output_shape": [12, 10]}, {"w": UP}),
    ("ConvTranspose", 11, IMAGE, "x w b", {"group": 2, "strides": [2, 1]}, {"w": normal(4, 2, 2, 2), "b": normal(4)}),
    ("ConvTranspose", 7, (1, 2, 4), "x w", {"strides": [2]}, {"w": normal(2, 3, 3)}),
    ("BatchNormalization", 9, IMAGE, "x s b m v", {}, STATISTICS),
    ("BatchNormalization", 7, IMAGE, "x s b m v", {"epsilon": 0.01}, STATISTICS),
    ("BatchNormalization", 15, (1, 4), "x s b m v", {"epsilon": 0.1}, STATISTICS),
    ("AveragePool", 11, IMAGE, "x", {"kernel_shape": [2, 3]}, {}),
    ("AveragePool", 11, IMAGE, "x", {"kernel_shape": [3, 3], "pads": [1, 0, 1, 2], "strides": [2, 2]}, {}),
    ("AveragePool", 11, IMAGE, "x", {"kernel_shape": [3, 3], "pads": [1, 0, 1, 2], "count_include_pad": 1}, {}),
    ("AveragePool", 11, IMAGE, "x", {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}, {}),
    ("AveragePool", 7, IMAGE, "x", {"kernel_shape": [3, 2], "auto_pad": "SAME_UPPER"}, {}),
    ("AveragePool", 19, IMAGE, "x", {"kernel_shape": [2, 2], "dilations": [2, 2], "pads": [1] * 4}, {}),
    ("GlobalAveragePool", 13, IMAGE, "x", {}, {}),
    ("ReduceMean", 13, IMAGE, "x", {"axes": [2, -1]}, {}),
    ("ReduceMean", 18, IMAGE, "x a", {"keepdims": 0}, {"a": ints(1)}),
    ("ReduceMean", 18, IMAGE, "x", {}, {}),
    ("ReduceSum", 11, IMAGE, "x", {"axes": [1], "keepdims": 0}, {}),
    ("ReduceSum", 13, IMAGE, "x a", {}, {"a": ints(-1, 1)}),
    ("ReduceSum", 13, IMAGE, "x", {"noop_with_empty_axes": 1}, {}),
]

ARITHMETIC: list[Case] = [
    ("Add", 7, IMAGE, "x c", {}, {"c": normal(4, 1, 1)}),
    ("Add", 13, (1, 1, 4), "c x", {}, {"c": normal(3, 1)}),
    ("Add", 13, (1, 4), "x x", {}, {}),
    ("Sub", 13, (1, 4), "x c", {}, {"c": normal(4)}),
    ("Sub", 13, (1, 4), "c x", {}, {"c": normal(1)}),
    ("Sub", 13, (1, 4), "x x", {}, {}),
    ("Mul", 13, (1, 4), "x c", {}, {"c": normal(4)}),
    ("Mul", 13, (1, 4), "c x", {}, {"c": normal(3, 1)}),
    ("Div", 13, (1, 4), "x c", {}, {"c": normal(4)}),
    ("Neg", 13, (1, 4), "x", {}, {}),
    ("Sum", 13, (1, 4), "c x x", {}, {"c": normal(4)}),
    ("Mean", 13, (1, 4), "x c x", {}, {"c": normal(4)}),
]

MOVES: list[Case] = [
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

UNITS: list[Case] = [
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

CASES = LINEAR + ARITHMETIC + MOVES + UNITS


def names(inputs: str) -> list[str]:
    """Names separated by single blanks; two blanks enclose an input that is left out."""
    return inputs.split(" ")


def case_id(case: Case) -> str:
    op, opset, shape, inputs, attributes, _ = case
    return f"{op}-{opset}-{shape}-{inputs}-{attributes}"


def agrees(proto: Any, folder: Path, shape: tuple[int, ...], **options: Any) -> rn.Network:
    """Load, and compare with onnxruntime to rounding."""
    path = save(proto, folder)
    network = load_onnx(path, **options)
    assert network.input_shape == shape
    x = points(shape)
    theirs = runtime(path, x)
    np.testing.assert_allclose(network.forward(x), theirs, rtol=2e-4, atol=2e-4 * np.abs(theirs).max(initial=1.0))
    return network


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_operators_agree_with_onnxruntime(tmp_path: Path, case: Case) -> None:
    op, opset, shape, inputs, attributes, arrays = case
    wide = attributes.get("to") == onnx.TensorProto.DOUBLE
    proto = model(
        [node(op, names(inputs), **attributes)],
        ("n", *shape[1:]) if op not in ("Gemm", "Reshape", "ReduceMean", "Flatten", "Transpose") else shape,
        arrays,
        opset=opset,
        out_kind=onnx.TensorProto.DOUBLE if wide else None,
    )
    agrees(proto, tmp_path, shape[1:])


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_operators_between_layers(tmp_path: Path, case: Case) -> None:
    """The operator between an affine map with units, which is needed again later, and a maximum."""
    op, opset, shape, inputs, attributes, arrays = case
    if attributes.get("to") == onnx.TensorProto.DOUBLE:
        pytest.skip("the types of the other nodes would not fit")
    size = int(np.prod(shape))
    first = {"_scale": normal(*shape), "_shift": normal(*shape), "_weight": normal(size, 3)}
    inner = ["_h" if name == "x" else name for name in names(inputs)]
    nodes = [
        node("Mul", ["x", "_scale"], "_a"),
        node("Add", ["_a", "_shift"], "_c"),
        node("Relu", ["_c"], "_h"),
        node(op, inner, "_o", **attributes),
        node("LeakyRelu", ["_o"], "_p"),
        node("ReduceSum", ["_p"], "_q", keepdims=0),
        node("Flatten", ["_h"], "_f", axis=0 if shape[0] != 1 else 1),
        node("MatMul", ["_f", "_weight"], "_g"),
        node("Add", ["_g", "_q"], "y"),
    ]
    agrees(model(nodes, shape, arrays | first, opset=opset), tmp_path, shape[1:])


# Graphs -----------------------------------------------------------------------------------------------------------------


def test_weights_are_read_exactly(tmp_path: Path) -> None:
    w, b = normal(3, 4), normal(3)
    proto = model([node("Gemm", ["x", "w", "b"], "h", transB=1), node("Relu", ["h"])], (1, 4), {"w": w, "b": b})
    (layer,) = load_onnx(save(proto, tmp_path)).layers
    np.testing.assert_array_equal(layer.weight, w.astype(np.float64))
    np.testing.assert_array_equal(layer.bias, b.astype(np.float64))
    assert layer.name == "n_y"


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


@pytest.mark.parametrize("bound", [[0.5, -np.inf, 1.0], [-np.inf] * 3])
def test_maximum_without_some_bounds(tmp_path: Path, bound: list[float]) -> None:
    nodes = [node("Neg", ["x"], "z"), node("Max", ["x", "z", "c"])]
    agrees(model(nodes, (1, 3), {"c": f32(*bound)}), tmp_path, (3,))


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


def test_shapes_and_constants_are_computed(tmp_path: Path) -> None:
    """What exporters write for x.view(x.shape[0], -1), and weights that come out of other constants."""
    nodes = [
        node("Shape", ["x"], "shape"),
        node("Constant", [], "zero", value_int=0),
        node("Gather", ["shape", "zero"], "batch", axis=0),
        node("Constant", [], "front", value_ints=[0]),
        node("Unsqueeze", ["batch", "front"], "first"),
        node("Constant", [], "rest", value=onnx.numpy_helper.from_array(ints(-1))),
        node("Concat", ["first", "rest"], "wanted", axis=0),
        node("Reshape", ["x", "wanted"], "flat"),
        node("Transpose", ["w"], "turned"),
        node("Mul", ["turned", "two"], "weight"),
        node("MatMul", ["flat", "weight"], "h"),
        node("ConstantOfShape", ["size"], "ones", value=onnx.numpy_helper.from_array(f32(1.0))),
        node("Add", ["h", "ones"], "c"),
        node("Relu", ["c"]),
    ]
    arrays = {"w": normal(3, 8), "two": f32(2.0), "size": ints(3)}
    agrees(model(nodes, ("n", 2, 4), arrays), tmp_path, (2, 4))


def test_a_decision_is_the_maximum(tmp_path: Path) -> None:
    nodes = [node("MatMul", ["x", "w"], "h"), node("ArgMax", ["h"], axis=1)]
    path = save(model(nodes, (1, 4), {"w": normal(4, 3)}, out_kind=onnx.TensorProto.INT64), tmp_path)
    network = load_onnx(path)
    x = points((4,))
    np.testing.assert_array_equal(network.pattern(x), runtime(path, x))
    assert network.n_out == 1


def test_an_input_that_is_an_initializer_is_a_constant(tmp_path: Path) -> None:
    proto = model([node("MatMul", ["x", "w"], "h"), node("Relu", ["h"])], (1, 4), {"w": W46})
    proto.graph.input.append(onnx.helper.make_tensor_value_info("w", onnx.TensorProto.FLOAT, (4, 6)))
    agrees(proto, tmp_path, (4,))


def test_nodes_that_the_output_does_not_need_are_not_read(tmp_path: Path) -> None:
    nodes = [node("Relu", ["x"]), node("Sigmoid", ["x"], "unused")]
    assert len(load_onnx(save(model(nodes, (1, 4)), tmp_path)).layers) == 1


@pytest.mark.parametrize("kind", [onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16])
def test_other_precisions(tmp_path: Path, kind: int) -> None:
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind)
    w = normal(4, 6).astype(dtype)
    nodes = [node("MatMul", ["x", "w"], "h"), node("Relu", ["h"], "r"), node("Cast", ["r"], to=onnx.TensorProto.DOUBLE)]
    network = load_onnx(save(model(nodes, (1, 4), {"w": w}, kind=kind, out_kind=onnx.TensorProto.DOUBLE), tmp_path))
    np.testing.assert_array_equal(network.layers[0].weight, w.T.astype(np.float64))


def test_bounds_beyond_float32_bound_float64_only(tmp_path: Path) -> None:
    largest = float(np.finfo(np.float32).max)
    for kind, n_pieces in ((onnx.TensorProto.FLOAT, 2), (onnx.TensorProto.DOUBLE, 3)):
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind)
        arrays = {"a": np.array(0, dtype), "b": np.array(largest, dtype)}
        network = load_onnx(save(model([node("Clip", ["x", "a", "b"])], (1, 2), arrays, kind=kind), tmp_path))
        assert network.layers[0].units.n_pieces.tolist() == [n_pieces] * 2


def test_open_sizes_are_given(tmp_path: Path) -> None:
    proto = model([node("GlobalMaxPool", ["x"])], ("n", 2, "h", "w"))
    agrees(proto, tmp_path, (2, 3, 4), input_shape=(2, 3, 4))
    with pytest.raises(rn.InputError, match="leaves sizes open; give input_shape"):
        rn.load(tmp_path / "net.onnx")
    with pytest.raises(rn.InputError, match=r"to which input_shape \(3, 3, 4\) does not fit"):
        rn.load(tmp_path / "net.onnx", input_shape=(3, 3, 4))


def test_external_data_beside_the_model(tmp_path: Path) -> None:
    w = normal(4, 6)
    proto = model([node("MatMul", ["x", "w"], "h"), node("Relu", ["h"])], (1, 4), {"w": w})
    path = tmp_path / "net.onnx"
    onnx.save(proto, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    np.testing.assert_array_equal(load_onnx(path).layers[0].weight, w.T.astype(np.float64))


def test_torch_is_not_imported(tmp_path: Path) -> None:
    path = save(model([node("Relu", ["x"])], (1, 4)), tmp_path)
    code = f"import sys, regionenum as rn; rn.load({str(path)!r}); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# Regions ----------------------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize("kernel", [[2, 2], [3, 2]])
def test_all_paddings_of_poolings(tmp_path: Path, op: str, kernel: list[int]) -> None:
    """Every file is compared with onnx's reference evaluator and with onnxruntime."""
    all_pads = ([0] * 4, [0, 0, 1, 1], [1, 1, 0, 0], [1, 0, 1, 1])
    for strides, pads, ceil, dilations in product(([1, 1], [2, 3]), all_pads, (0, 1), ([1, 1], [2, 2])):
        options: dict[str, Any] = {"strides": strides, "pads": pads, "ceil_mode": ceil, "dilations": dilations}
        agrees(model([node(op, ["x"], kernel_shape=kernel, **options)], (1, 2, 6, 5), opset=19), tmp_path, (2, 6, 5))


def test_what_the_reference_cannot_judge_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    options: dict[str, Any] = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    proto = model([node("Resize", ["x", "", "s"], **options)], (1, 1, 2, 2), {"s": f32(1, 1, 2, 2)})
    load_onnx(save(proto, tmp_path))
    assert "not compared with onnx's reference evaluator, which is unreliable for node `n_y` (Resize)" in caplog.text


def test_a_network_that_differs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(onnx_ops.OPERATIONS, "Relu", onnx_ops.OPERATIONS["Abs"])
    with pytest.raises(rn.InputError, match=r"differs from onnx's reference evaluator by .*; please report the model"):
        load_onnx(save(model([node("Relu", ["x"])], (1, 4)), tmp_path))


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
