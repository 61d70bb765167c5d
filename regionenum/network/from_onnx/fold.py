"""Nodes that do not depend on the input: they are run by onnx's reference evaluator, in their own types.

Only operators whose results cannot be larger than foreseen are run, and not before their size is known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper
from onnx.reference import ReferenceEvaluator

from regionenum.errors import InputError, first_line
from regionenum.network.from_onnx.call import MOST_ENTRIES
from regionenum.network.from_onnx.graph import Node

_BROADCASTING = (
    "Add And Div Equal Expand Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod Mul Or Pow Sub Sum Where Xor"
)
_NOT_GROWING = (
    "Abs Cast CastLike Ceil Clip Concat Cos Erf Exp Flatten Floor Identity LeakyRelu Log Neg Not ReduceL2 ReduceMax "
    "ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Reciprocal Relu Reshape Round Shape Sigmoid Sign Sin Size "
    "Slice Softplus Split Sqrt Squeeze Tanh Transpose Unsqueeze"
)


def constants(node: Node, inputs: Sequence[np.ndarray | None], opset: int) -> list[np.ndarray]:
    """The outputs of a node whose inputs are constants.

    Raises
    ------
    InputError
        If the operator is not run, its result would be too large, or it fails.
    """
    if node.op == "Constant":
        return [_stored(node)]
    size = _size(node, inputs)
    if not 0 <= size <= MOST_ENTRIES:
        raise InputError(f"{node.where} makes a constant of {size} entries; supported: {MOST_ENTRIES} at most")
    if node.op == "ConstantOfShape":
        value = node.attributes.get("value", np.zeros(1, np.float32))
        return [np.full([int(n) for n in _required(node, inputs, 0)], value.reshape(-1)[0])]
    try:
        with np.errstate(all="ignore"):
            found = _evaluator(node, inputs, opset).run(None, _feeds(node, inputs))
    except Exception as error:
        raise InputError(f"{node.where} cannot be computed from its constants ({first_line(error)})") from error
    return [np.asarray(array) for array in found]


def _stored(node: Node) -> np.ndarray:
    """The value of a `Constant`."""
    for name, value in node.attributes.items():
        if name in ("value", "value_float", "value_floats", "value_int", "value_ints"):
            dtype = {"value_f": np.float32, "value_i": np.int64}.get(name[:7])
            return np.asarray(value, dtype)
    raise InputError(f"{node.where} holds no numbers; supported: dense tensors of numbers")


def _required(node: Node, inputs: Sequence[np.ndarray | None], index: int) -> np.ndarray:
    array = inputs[index] if index < len(inputs) else None
    if array is None:
        raise InputError(f"{node.where} lacks its argument number {index}; export the model again")
    return array.reshape(-1)


def _size(node: Node, inputs: Sequence[np.ndarray | None]) -> int:
    """A bound on the number of entries of the results."""
    given = [array for array in inputs if array is not None]
    shapes = [array.shape for array in given]
    total = sum(math.prod(shape) for shape in shapes)
    try:
        if node.op == "ConstantOfShape":
            return math.prod(int(n) for n in _required(node, inputs, 0))
        if node.op == "Tile":
            return total * math.prod(int(n) for n in _required(node, inputs, 1))
        if node.op == "Range":
            start, limit, delta = (float(_required(node, inputs, k)[0]) for k in range(3))
            return max(math.ceil((limit - start) / delta), 0)
        if node.op == "Expand":
            shapes[1] = tuple(int(n) for n in given[1].reshape(-1))
        if node.op in _BROADCASTING.split():
            return math.prod(np.broadcast_shapes(*shapes))
        if node.op == "Gather":
            return math.prod(shapes[0]) * max(math.prod(shapes[1]), 1)
        if node.op in ("MatMul", "Gemm") and len(shapes[0]) == len(shapes[1]) == 2:
            return int(max(shapes[0]) * max(shapes[1]))
    except (ValueError, IndexError, ZeroDivisionError, OverflowError) as error:
        raise InputError(f"{node.where} has arguments of shapes {shapes}, which do not fit ({error})") from error
    if node.op not in _NOT_GROWING.split():
        raise InputError(f"{node.where} computes a constant, which is not supported for this operator; fold it first")
    return total


def _feeds(node: Node, inputs: Sequence[np.ndarray | None]) -> dict[str, np.ndarray]:
    return {name: array for name, array in zip(node.inputs, inputs, strict=True) if array is not None}


def _evaluator(node: Node, inputs: Sequence[np.ndarray | None], opset: int) -> Any:
    feeds = _feeds(node, inputs)
    return evaluator([node], list(feeds), [name for name in node.outputs if name], opset, {})


def evaluator(
    nodes: Sequence[Node],
    inputs: Sequence[str],
    outputs: Sequence[str],
    opset: int,
    arrays: dict[str, np.ndarray],
    replaced: Sequence[type] = (),
) -> Any:
    """onnx's reference evaluator for some nodes.

    arrays : constants that they read; replaced : operators to be run instead of onnx's own
    """

    def values(names: Sequence[str]) -> list[Any]:
        return [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names]

    stored = [onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = helper.make_graph([node.proto for node in nodes], "part", values(inputs), values(outputs), stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    return ReferenceEvaluator(model, new_ops=list(replaced))
