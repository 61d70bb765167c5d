"""ONNX models for the tests: made node by node, and run by onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from regionenum.network.from_onnx.load import load_onnx
from regionenum.network.layers import Network

FLOAT = TensorProto.FLOAT


def node(op: str, inputs: list[str], outputs: list[str] | str = "y", **attributes: Any) -> Any:
    """A node, named after its first output."""
    names = [outputs] if isinstance(outputs, str) else outputs
    return helper.make_node(op, inputs, names, name=f"n_{names[0]}", **attributes)


def model(
    nodes: list[Any],
    shape: tuple[Any, ...],
    arrays: dict[str, np.ndarray] | None = None,
    *,
    opset: int = 18,
    output: str = "y",
    kind: int = FLOAT,
    out_kind: int | None = None,
) -> Any:
    """A model from `x` with the given shape, batch axis included, to `output`."""
    constants = [numpy_helper.from_array(np.asarray(array), name) for name, array in (arrays or {}).items()]
    ends = [
        helper.make_tensor_value_info("x", kind, shape),
        helper.make_tensor_value_info(output, out_kind or kind, None),
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], constants)
    # an IR version that older runtimes know too
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def save(proto: Any, folder: Path) -> Path:
    """Write a model."""
    path = folder / "net.onnx"
    onnx.save(proto, path)
    return path


def runtime(path: Path, x: np.ndarray) -> np.ndarray:
    """What onnxruntime gives at points (n, *input_shape), flat; one at a time."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.stack([session.run(None, {name: point[None]})[0].reshape(-1).astype(np.float64) for point in x])


def points(shape: tuple[int, ...], n: int = 20) -> np.ndarray:
    """Random float32 points, and small integer ones, where ties and zeros happen."""
    rng = np.random.default_rng(0)
    normal = rng.standard_normal((n, *shape)) * 10.0 ** rng.integers(-1, 2, (n, *[1] * len(shape)))
    return np.concatenate([normal, rng.integers(-2, 3, (n, *shape))]).astype(np.float32)


# Operators, each against onnxruntime ------------------------------------------------------------------------------------

# (operator, opset, shape with the batch axis, names of the inputs, attributes, constants); x is the network's input
Case = tuple[str, int, tuple[int, ...], str, dict[str, Any], dict[str, np.ndarray]]


class Drawing:
    """Draws constants, always the same."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def __call__(self, *shape: int) -> np.ndarray:
        return self.rng.standard_normal(shape).astype(np.float32)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def f32(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def names(inputs: str) -> list[str]:
    """Names separated by single blanks; two blanks enclose an input that is left out."""
    return inputs.split(" ")


def case_id(case: Case) -> str:
    op, opset, shape, inputs, attributes, _ = case
    return f"{op}-{opset}-{shape}-{inputs}-{attributes}"


def agrees(proto: Any, folder: Path, shape: tuple[int, ...], **options: Any) -> Network:
    """Load, and compare with onnxruntime to rounding."""
    path = save(proto, folder)
    network = load_onnx(path, **options)
    assert network.input_shape == shape
    x = points(shape)
    theirs = runtime(path, x)
    np.testing.assert_allclose(network.forward(x), theirs, rtol=2e-4, atol=2e-4 * np.abs(theirs).max(initial=1.0))
    return network


def operator_agrees(folder: Path, case: Case) -> None:
    """The operator alone."""
    op, opset, shape, inputs, attributes, arrays = case
    wide = attributes.get("to") == TensorProto.DOUBLE
    proto = model(
        [node(op, names(inputs), **attributes)],
        ("n", *shape[1:]) if op not in ("Gemm", "Reshape", "ReduceMean", "Flatten", "Transpose") else shape,
        arrays,
        opset=opset,
        out_kind=TensorProto.DOUBLE if wide else None,
    )
    agrees(proto, folder, shape[1:])


def operator_between_layers(folder: Path, case: Case) -> None:
    """The operator between an affine map with units, which is needed again later, and a maximum."""
    op, opset, shape, inputs, attributes, arrays = case
    normal = Drawing(11)
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
    agrees(model(nodes, shape, arrays | first, opset=opset), folder, shape[1:])
