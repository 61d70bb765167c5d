"""ONNX operators that are affine maps, each against onnxruntime, opset by opset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


from tests.onnx_models import Case, Drawing, case_id, f32, ints, operator_agrees, operator_between_layers

normal = Drawing(7)

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

CASES = LINEAR + ARITHMETIC


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_operators_agree_with_onnxruntime(tmp_path: Path, case: Case) -> None:
    operator_agrees(tmp_path, case)


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_operators_between_layers(tmp_path: Path, case: Case) -> None:
    operator_between_layers(tmp_path, case)
