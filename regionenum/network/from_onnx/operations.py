"""What each ONNX operator becomes: an affine map, units that close a layer, or a sentence that refuses it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from regionenum.network.chain import Value
from regionenum.network.from_onnx import affine, moves, units, windows
from regionenum.network.from_onnx.call import Call
from regionenum.network.from_onnx.resize import resize

Result: TypeAlias = Value | np.ndarray | list[Value]
Operation: TypeAlias = Callable[[Call], Result]


def identity(call: Call) -> Value:
    """The tensor itself."""
    return call.x


def dropout(call: Call) -> Value:
    """Dropout outside training: the identity."""
    if call.given(2) and call.constant(2).any():
        raise call.refuse("drops values at random (training_mode); export the model in eval mode")
    return call.x


def shape_of(call: Call) -> np.ndarray:
    """The shape, which is known."""
    attributes, shape = call.node.attributes, call.x.shape
    return np.array(shape[attributes.get("start", 0) : attributes.get("end")], np.int64)


def size_of(call: Call) -> np.ndarray:
    """The number of entries, which is known."""
    return np.array(math.prod(call.x.shape), np.int64)


OPERATIONS: dict[str, Operation] = {
    "Add": affine.add,
    "Sub": affine.subtract,
    "Mul": affine.multiply,
    "Div": affine.divide,
    "Neg": affine.negate,
    "Sum": affine.total,
    "Mean": affine.mean,
    "MatMul": affine.matmul,
    "Gemm": affine.gemm,
    "Conv": windows.conv,
    "ConvTranspose": windows.conv_transpose,
    "BatchNormalization": affine.batch_norm,
    "Relu": units.relu,
    "LeakyRelu": units.leaky,
    "PRelu": units.prelu,
    "Clip": units.clip,
    "Abs": units.absolute,
    "HardSigmoid": units.hard_sigmoid,
    "Shrink": units.shrink,
    "ThresholdedRelu": units.thresholded_relu,
    "Max": units.maximum,
    "Min": units.minimum,
    "MaxPool": windows.max_pool,
    "AveragePool": windows.average_pool,
    "GlobalAveragePool": windows.global_average_pool,
    "GlobalMaxPool": windows.global_max_pool,
    "ReduceSum": affine.reduce_sum,
    "ReduceMean": affine.reduce_mean,
    "ReduceMax": units.reduce_max,
    "ReduceMin": units.reduce_min,
    "Flatten": moves.flatten,
    "Reshape": moves.reshape,
    "Squeeze": moves.squeeze,
    "Unsqueeze": moves.unsqueeze,
    "Transpose": moves.moved(moves.transpose),
    "Slice": moves.moved(moves.slice_),
    "Gather": moves.moved(moves.gather),
    "Pad": moves.pad,
    "Expand": moves.expand,
    "Tile": moves.moved(moves.tile),
    "Split": moves.split,
    "Concat": affine.concat,
    "DepthToSpace": moves.moved(moves.depth_to_space),
    "SpaceToDepth": moves.moved(moves.space_to_depth),
    "Resize": resize,
    "Upsample": resize,
    "Identity": identity,
    "Dropout": dropout,
    "Shape": shape_of,
    "Size": size_of,
    "ArgMax": units.decision,
}

SUPPORTED = ", ".join(sorted([*OPERATIONS, "Cast", "CastLike"]))
