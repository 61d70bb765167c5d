"""Loading ONNX files: every operator against onnxruntime, opset by opset, alone and between other layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import onnx

import regionenum as rn
from regionenum.network.onnx_load import load_onnx
from tests.onnx_models import model, node, points, runtime, save

ACASXU = Path(__file__).resolve().parents[2] / "shared" / "data" / "acasxu"
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
