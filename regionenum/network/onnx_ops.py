"""What each ONNX operator becomes: an affine map, units that close a layer, or a sentence that refuses it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from regionenum.errors import InputError
from regionenum.network import onnx_affine as affine
from regionenum.network import onnx_move as move
from regionenum.network import onnx_units as units
from regionenum.network import onnx_windows as sliding
from regionenum.network.chain import Value
from regionenum.network.onnx_node import Call
from regionenum.network.onnx_resize import resize

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
    "Conv": sliding.conv,
    "ConvTranspose": sliding.conv_transpose,
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
    "MaxPool": sliding.max_pool,
    "AveragePool": sliding.average_pool,
    "GlobalAveragePool": sliding.global_average_pool,
    "GlobalMaxPool": sliding.global_max_pool,
    "ReduceSum": affine.reduce_sum,
    "ReduceMean": affine.reduce_mean,
    "ReduceMax": units.reduce_max,
    "ReduceMin": units.reduce_min,
    "Flatten": move.flatten,
    "Reshape": move.reshape,
    "Squeeze": move.squeeze,
    "Unsqueeze": move.unsqueeze,
    "Transpose": move.moved(move.transpose),
    "Slice": move.moved(move.slice_),
    "Gather": move.moved(move.gather),
    "Pad": move.pad,
    "Expand": move.expand,
    "Tile": move.moved(move.tile),
    "Split": move.split,
    "Concat": affine.concat,
    "DepthToSpace": move.moved(move.depth_to_space),
    "SpaceToDepth": move.moved(move.space_to_depth),
    "Resize": resize,
    "Upsample": resize,
    "Identity": identity,
    "Dropout": dropout,
    "Shape": shape_of,
    "Size": size_of,
    "ArgMax": units.decision,
}

_REFUSED = {
    "is not piecewise affine; supported: ReLU and its relatives, maxima, affine operators": (
        "Acos Acosh Asin Asinh Atan Atanh Attention Celu Cos Cosh CumProd Det DFT Einsum Elu Erf Exp GRU Gelu "
        "GlobalLpPool GroupNormalization HardSwish InstanceNormalization LRN LSTM LayerNormalization Log LogSoftmax "
        "LpNormalization LpPool MeanVarianceNormalization Mish Pow RMSNormalization RNN Reciprocal ReduceL2 "
        "ReduceLogSum ReduceLogSumExp ReduceProd ReduceSumSquare Selu Sigmoid Sin Sinh Softmax Softplus Softsign Sqrt "
        "Swish Tan Tanh"
    ),
    "is not continuous; supported: continuous piecewise-affine operators": (
        "And ArgMin BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Ceil Equal Floor Greater GreaterOrEqual "
        "Hardmax IsInf IsNaN Less LessOrEqual Mod NonZero Not OneHot Or Round Sign TopK Unique Where Xor"
    ),
    "draws random numbers; a network must be a function of its input alone": (
        "Bernoulli Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike"
    ),
    "is quantised, which is not continuous; export the model without quantisation": (
        "ConvInteger DequantizeLinear DynamicQuantizeLinear MatMulInteger QLinearConv QLinearMatMul QuantizeLinear"
    ),
}
_WHY = {op: why for why, names in _REFUSED.items() for op in names.split()}


def refusal(call: Call) -> InputError:
    """Why there is no operation for a node."""
    known = ", ".join(sorted([*OPERATIONS, "Cast", "CastLike"]))
    return call.refuse(_WHY.get(call.node.op, f"is not supported; supported: {known}"))
