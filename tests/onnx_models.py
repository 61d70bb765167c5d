"""ONNX models for the tests: made node by node, and run by onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

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
