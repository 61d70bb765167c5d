"""What each ONNX operator becomes: an affine map, units that close a layer, or a sentence that refuses it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp

from regionenum.errors import InputError
from regionenum.network import onnx_move as move
from regionenum.network import onnx_windows as sliding
from regionenum.network import ops
from regionenum.network.chain import Value
from regionenum.network.onnx_node import Call
from regionenum.network.units import ABSOLUTE, IDENTITY, RELU, Floats, PiecewiseLinear, Units, clamp, leaky_relu, soft_shrink

Result: TypeAlias = Value | np.ndarray | list[Value]
Operation: TypeAlias = Callable[[Call], Result]


def _broadcast(call: Call, *shapes: Sequence[int]) -> tuple[int, ...]:
    try:
        return call.sized(np.broadcast_shapes(*map(tuple, shapes)))
    except ValueError as error:
        raise call.refuse(f"combines tensors of shapes {', '.join(map(str, shapes))}, which do not fit") from error


def _two(call: Call) -> tuple[Value | Floats, Value | Floats]:
    """Two operands that broadcast; constants in float64."""
    a, b = (v if isinstance(v, Value) else call.floats(k) for k, v in enumerate(call.inputs))
    _broadcast(call, a.shape, b.shape)
    return a, b


# Arithmetic -----------------------------------------------------------------------------------------------------------


def add(call: Call) -> Value:
    """a + b."""
    return _plus(*_two(call))


def subtract(call: Call) -> Value:
    """a - b."""
    a, b = _two(call)
    return _plus(a, ops.scaled(b, -1.0) if isinstance(b, Value) else -b)


def _plus(a: Value | Floats, b: Value | Floats) -> Value:
    if isinstance(a, Value) and isinstance(b, Value):
        return ops.added(a, b)
    x, c = (a, b) if isinstance(a, Value) else (b, a)
    assert isinstance(x, Value)
    return ops.shifted(x, np.asarray(c))


def multiply(call: Call) -> Value:
    """a * b, one of them constant."""
    a, b = _two(call)
    if isinstance(a, Value) and isinstance(b, Value):
        raise call.refuse("multiplies values that both depend on the input, which is not piecewise affine")
    x, c = (a, b) if isinstance(a, Value) else (b, a)
    assert isinstance(x, Value)
    return ops.scaled(x, np.asarray(c))


def divide(call: Call) -> Value:
    """a / b with a constant b."""
    a, b = _two(call)
    if isinstance(b, Value):
        raise call.refuse("divides by a value that depends on the input, which is not piecewise affine")
    if not np.all(b):
        raise call.refuse("divides by zero; mend or retrain the model")
    assert isinstance(a, Value)
    return ops.scaled(a, 1.0 / b)


def negate(call: Call) -> Value:
    """-x."""
    return ops.scaled(call.x, -1.0)


def total(call: Call) -> Value:
    """The sum of any number of tensors."""
    operands = [v if isinstance(v, Value) else call.floats(k) for k, v in enumerate(call.inputs)]
    _broadcast(call, *(v.shape for v in operands))
    first = next(k for k, v in enumerate(operands) if isinstance(v, Value))
    result = call.inputs[first]
    assert isinstance(result, Value)
    for other in operands[:first] + operands[first + 1 :]:
        result = _plus(result, other)
    return result


def mean(call: Call) -> Value:
    """The mean of any number of tensors."""
    return ops.scaled(total(call), 1.0 / len(call.inputs))


# Linear maps ----------------------------------------------------------------------------------------------------------


def matmul(call: Call) -> Value:
    """A constant matrix on either side, with NumPy's rules for other than two axes."""
    a, b = call.inputs
    if isinstance(a, Value) and isinstance(b, Value):
        raise call.refuse("multiplies values that both depend on the input, which is not piecewise affine")
    if isinstance(a, Value):
        return _times(call, a, call.floats(1))
    assert isinstance(b, Value)
    weight = call.floats(0)
    if b.shape and len(b.shape) > 1 and weight.ndim > 1:
        # W X = (X' W')'
        product = _times(call, _swapped(b), np.swapaxes(weight, -1, -2))
        return _swapped(product)
    return _times(call, b if len(b.shape) < 2 else _swapped(b), weight if weight.ndim < 2 else np.swapaxes(weight, -1, -2))


def _swapped(x: Value) -> Value:
    return ops.rearranged(x, np.swapaxes(x.positions(), -1, -2))


def _times(call: Call, x: Value, weight: Floats) -> Value:
    """x @ weight."""
    if not x.shape or not weight.ndim:
        raise call.refuse("multiplies matrices, and meets a number; supported: one axis or more")
    rows = x.positions() if len(x.shape) > 1 else x.positions()[None]
    matrix = weight if weight.ndim > 1 else weight[:, None]
    if rows.shape[-1] != matrix.shape[-2]:
        raise call.refuse(f"multiplies tensors of shapes {x.shape} and {weight.shape}, which do not fit")
    batch = _broadcast(call, rows.shape[:-2], matrix.shape[:-2])
    shape = call.sized((*batch, rows.shape[-2], matrix.shape[-1]))
    final = [*batch, *shape[-2:][: 2 - (weight.ndim == 1)]]
    if len(x.shape) == 1:
        del final[len(batch)]
    call.connected(math.prod(shape) * rows.shape[-1])
    if matrix.ndim == 2:
        flat = ops.reshaped(x, rows.shape)
        return ops.reshaped(ops.linear(flat, np.ascontiguousarray(matrix.T)), final)
    full = (*shape, rows.shape[-1])
    columns = np.broadcast_to(rows[..., :, None, :], full).reshape(-1)
    data = np.broadcast_to(np.swapaxes(matrix, -1, -2)[..., None, :, :], full).reshape(-1)
    indptr = np.arange(0, len(data) + 1, full[-1])
    return ops.mapped(x, sp.csr_array((data, columns, indptr), shape=(math.prod(shape), x.affine.n_rows)), final)


def gemm(call: Call) -> Value:
    """alpha A' B' + beta C, where A or B is a constant matrix."""
    attributes = call.node.attributes
    alpha, beta = float(attributes["alpha"]), float(attributes["beta"])
    a, b = call.inputs[:2]
    if isinstance(a, Value) and isinstance(b, Value):
        raise call.refuse("multiplies values that both depend on the input, which is not piecewise affine")
    sides = [v if isinstance(v, Value) else call.floats(k) for k, v in enumerate((a, b))]
    if any(len(v.shape) != 2 for v in sides):
        raise call.refuse(f"takes matrices, and meets shapes {sides[0].shape} and {sides[1].shape}")
    for k, name in enumerate(("transA", "transB")):
        if attributes[name]:
            side = sides[k]
            sides[k] = _swapped(side) if isinstance(side, Value) else side.T
    left, right = sides
    if isinstance(left, Value):
        product = _times(call, left, np.asarray(right) * alpha)
    elif isinstance(right, Value):
        product = _swapped(_times(call, _swapped(right), left.T * alpha))
    else:
        product = ops.constant(_any_value(call), (left @ right) * alpha)
    if not call.given(2) or beta == 0.0:
        return product
    c = call.inputs[2]
    shape = _broadcast(call, product.shape, c.shape) if c is not None else product.shape
    if shape != product.shape:
        raise call.refuse(f"adds a tensor of shape {shape} to one of shape {product.shape}, which does not fit")
    return _plus(product, ops.scaled(c, beta) if isinstance(c, Value) else call.floats(2) * beta)


def _any_value(call: Call) -> Value:
    return next(v for v in call.inputs if isinstance(v, Value))


def batch_norm(call: Call) -> Value:
    """(x - mean) / sqrt(var + eps) * scale + shift, channel by channel, folded in float64."""
    x, attributes = call.x, call.node.attributes
    if attributes.get("training_mode", 0) or attributes.get("spatial", 1) != 1:
        raise call.refuse("uses the statistics of the batch, or one for each pixel; export the model in eval mode")
    scale, shift, average, variance = (call.floats(k) for k in range(1, 5))
    channels = (x.shape[1],) if len(x.shape) > 1 else ()
    if any(v.shape != channels for v in (scale, shift, average, variance)):
        raise call.refuse(f"meets a tensor of shape {x.shape}, but has statistics of shape {scale.shape}")
    spread = variance + float(attributes["epsilon"])
    if not np.all(spread > 0):
        raise call.refuse("has a variance that is not positive; mend or retrain the model")
    factor = scale / np.sqrt(spread)
    return ops.normalised(x, factor, -average * factor + shift)


# Units ----------------------------------------------------------------------------------------------------------------


def _pointwise(call: Call, x: Value, function: PiecewiseLinear) -> Value:
    return call.close(x, Units.pointwise(function, x.affine.n_rows))


def _each(call: Call, x: Value, make: Callable[[float], PiecewiseLinear], parameters: Floats) -> Value:
    """A function with its own parameter for each entry."""
    known = {value: make(value) for value in np.unique(parameters).tolist()}
    return call.close(x, Units.each([known[value] for value in parameters.reshape(-1).tolist()]))


def relu(call: Call) -> Value:
    """max(x, 0)."""
    return _pointwise(call, call.x, RELU)


def absolute(call: Call) -> Value:
    """|x|."""
    return _pointwise(call, call.x, ABSOLUTE)


def leaky(call: Call) -> Value:
    """max(x, 0) + alpha min(x, 0)."""
    alpha = float(call.node.attributes["alpha"])
    if not math.isfinite(alpha):
        raise call.refuse(f"has alpha {alpha}; it must be finite")
    return _pointwise(call, call.x, leaky_relu(alpha))


def prelu(call: Call) -> Value:
    """max(x, 0) + slope min(x, 0) with one slope for each entry, channel or tensor."""
    x, slope = call.x, call.floats(1)
    if _broadcast(call, x.shape, slope.shape) != x.shape:
        raise call.refuse(f"has slopes of shape {slope.shape}, which do not fit a tensor of shape {x.shape}")
    return _each(call, x, leaky_relu, np.broadcast_to(slope, x.shape))


def clip(call: Call) -> Value:
    """min(max(x, lower), upper); a bound that no float32 exceeds is none."""
    attributes = call.node.attributes
    lower, upper = (
        float(attributes[name]) if name in attributes else call.number(k, default, finite=False)
        for k, name, default in ((1, "min", -math.inf), (2, "max", math.inf))
    )
    if call.single:
        largest = float(np.finfo(np.float32).max)
        lower, upper = (-math.inf if lower <= -largest else lower), (math.inf if upper >= largest else upper)
    if math.isnan(lower) or math.isnan(upper) or lower == math.inf or upper == -math.inf:
        raise call.refuse(f"has bounds {lower} and {upper}; they must be numbers")
    if lower >= upper:
        return ops.constant(call.x, np.full(call.x.shape, upper))
    return _pointwise(call, call.x, clamp(lower, upper))


def hard_sigmoid(call: Call) -> Value:
    """max(0, min(1, alpha x + beta)): the affine map belongs to the layer, so that the pieces meet exactly."""
    alpha, beta = (float(call.node.attributes[name]) for name in ("alpha", "beta"))
    if not (math.isfinite(alpha) and math.isfinite(beta)):
        raise call.refuse(f"has alpha {alpha} and beta {beta}; they must be finite")
    return _pointwise(call, ops.shifted(ops.scaled(call.x, alpha), beta), clamp(0.0, 1.0))


def shrink(call: Call) -> Value:
    """Soft shrinkage; with a jump, it is refused."""
    bias, threshold = (float(call.node.attributes[name]) for name in ("bias", "lambd"))
    if bias != threshold or not 0.0 <= threshold < math.inf:
        raise call.refuse(f"with bias {bias} and lambd {threshold} is not continuous; supported: bias equal to lambd")
    return _pointwise(call, call.x, soft_shrink(threshold) if threshold else IDENTITY)


def thresholded_relu(call: Call) -> Value:
    """x above alpha, 0 below: continuous for alpha 0 only."""
    alpha = float(call.node.attributes["alpha"])
    if alpha != 0.0:
        raise call.refuse(f"with alpha {alpha} is not continuous; supported: alpha 0, or ReLU")
    return _pointwise(call, call.x, RELU)


def maximum(call: Call) -> Value:
    """The maximum of any number of tensors."""
    return _extremum(call, 1.0)


def minimum(call: Call) -> Value:
    """The minimum, as the negated maximum of the negated tensors."""
    return _extremum(call, -1.0)


def _extremum(call: Call, sign: float) -> Value:
    """sign * max(sign * v): units with a breakpoint if all but one tensor are constants, else a group for each entry."""
    values = [v for v in call.inputs if isinstance(v, Value)]
    constants = [sign * call.floats(k, finite=False) for k, v in enumerate(call.inputs) if not isinstance(v, Value)]
    shape = _broadcast(call, *(v.shape for v in (*values, *constants)))
    bound = np.full(shape, -math.inf)
    for constant in constants:
        bound = np.maximum(bound, constant)
    if np.any(bound == math.inf):
        raise call.refuse("has an infinite bound, so that its result is infinite; mend the model")
    if len(values) == 1:
        x = ops.broadcast(values[0], shape)
        if sign > 0:
            return _each(call, x, lambda b: clamp(b, math.inf), bound)
        return _each(call, x, lambda b: clamp(-math.inf, b), -bound)
    n = math.prod(shape)
    parts = [ops.reshaped(ops.scaled(ops.broadcast(v, shape), sign), (n,)) for v in values]
    table = np.arange(len(parts) * n).reshape(len(parts), n).T
    finite = np.isfinite(bound).reshape(-1)
    if finite.any():
        parts.append(ops.constant(values[0], np.where(finite, bound.reshape(-1), 0.0)))
        extra = np.where(finite, len(parts) * n - n + np.arange(n), ops.NO_VALUE)
        table = np.concatenate([table, extra[:, None]], axis=1)
    return ops.scaled(call.close(ops.joined(parts, 0), ops.maxima(table), shape), sign)


# Reductions -----------------------------------------------------------------------------------------------------------


def _reduced(call: Call) -> list[int]:
    """The axes that a reduction brings together; none at all leaves the tensor as it is."""
    rank, given = len(call.x.shape), call.ints("axes", 1)
    if not given:
        return [] if call.node.attributes.get("noop_with_empty_axes", 0) else list(range(rank))
    return call.axes(given, rank)


def reduce_sum(call: Call) -> Value:
    """Sums."""
    axes = _reduced(call)
    return ops.summed(call.x, axes, keep=bool(call.node.attributes["keepdims"])) if axes else call.x


def reduce_mean(call: Call) -> Value:
    """Means."""
    axes, x = _reduced(call), call.x
    n = math.prod(x.shape[a] for a in axes)
    return ops.summed(x, axes, keep=bool(call.node.attributes["keepdims"]), factor=1.0 / n) if axes else x


def reduce_max(call: Call) -> Value:
    """Maxima."""
    return _reduce_extremum(call, 1.0)


def reduce_min(call: Call) -> Value:
    """Minima, as negated maxima."""
    return _reduce_extremum(call, -1.0)


def _reduce_extremum(call: Call, sign: float) -> Value:
    axes, x = _reduced(call), call.x
    if not axes:
        return x
    shape = ops.reduced_shape(x.shape, axes, keep=bool(call.node.attributes["keepdims"]))
    return ops.scaled(call.close(ops.scaled(x, sign), ops.maxima(ops.gathered(x, axes)), shape), sign)


def decision(call: Call) -> Value:
    """ArgMax as the last operation: the winner is the decision, and the network's output is the maximum."""
    x = call.x
    axis = call.axis(len(x.shape))
    if x.shape[axis] != math.prod(x.shape):
        raise call.refuse(f"over axis {axis} of a tensor of shape {x.shape} makes several decisions; supported: one")
    return call.close(x, ops.maxima(ops.gathered(x, [])), (1,))


# The rest -------------------------------------------------------------------------------------------------------------


def concat(call: Call) -> Value:
    """One tensor behind the other, constants among them."""
    like = _any_value(call)
    parts = [v if isinstance(v, Value) else ops.constant(like, call.floats(k)) for k, v in enumerate(call.inputs)]
    rank = len(parts[0].shape)
    axis = call.axis(rank)
    if len({(*p.shape[:axis], *p.shape[axis + 1 :], len(p.shape)) for p in parts}) != 1:
        raise call.refuse(f"joins tensors of shapes {', '.join(str(p.shape) for p in parts)}, which do not fit")
    return ops.joined(parts, axis)


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
    **{"Add": add, "Sub": subtract, "Mul": multiply, "Div": divide, "Neg": negate, "Sum": total, "Mean": mean},
    **{"MatMul": matmul, "Gemm": gemm, "Conv": sliding.conv, "ConvTranspose": sliding.conv_transpose},
    **{"BatchNormalization": batch_norm, "Relu": relu, "LeakyRelu": leaky, "PRelu": prelu, "Clip": clip},
    **{"Abs": absolute, "HardSigmoid": hard_sigmoid, "Shrink": shrink, "ThresholdedRelu": thresholded_relu},
    **{"Max": maximum, "Min": minimum, "MaxPool": sliding.max_pool, "AveragePool": sliding.average_pool},
    **{"GlobalAveragePool": sliding.global_average_pool, "GlobalMaxPool": sliding.global_max_pool},
    **{"ReduceSum": reduce_sum, "ReduceMean": reduce_mean, "ReduceMax": reduce_max, "ReduceMin": reduce_min},
    **{"Flatten": move.flatten, "Reshape": move.reshape, "Squeeze": move.squeeze, "Unsqueeze": move.unsqueeze},
    **{"Transpose": move.moved(move.transpose), "Slice": move.moved(move.slice_), "Gather": move.moved(move.gather)},
    **{"Pad": move.pad, "Expand": move.expand, "Tile": move.moved(move.tile), "Split": move.split, "Concat": concat},
    **{"DepthToSpace": move.moved(move.depth_to_space), "SpaceToDepth": move.moved(move.space_to_depth)},
    **{"Resize": move.resize, "Upsample": move.resize, "Identity": identity, "Dropout": dropout},
    **{"Shape": shape_of, "Size": size_of, "ArgMax": decision},
}

_SMOOTH = frozenset(
    "Acos Acosh Asin Asinh Atan Atanh Attention Celu Cos Cosh CumProd Det DFT Einsum Elu Erf Exp GRU Gelu "
    "GlobalLpPool GroupNormalization HardSwish InstanceNormalization LRN LSTM LayerNormalization Log LogSoftmax "
    "LpNormalization LpPool MeanVarianceNormalization Mish Pow RMSNormalization RNN Reciprocal ReduceL2 ReduceLogSum "
    "ReduceLogSumExp ReduceProd ReduceSumSquare Selu Sigmoid Sin Sinh Softmax Softplus Softsign Sqrt Swish Tan Tanh".split()
)
_JUMPS = frozenset(
    "And ArgMin BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Ceil Equal Floor Greater GreaterOrEqual Hardmax IsInf "
    "IsNaN Less LessOrEqual Mod NonZero Not OneHot Or Round Sign TopK Unique Where Xor".split()
)
_RANDOM = frozenset("Bernoulli Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike".split())
_QUANTISED = frozenset("ConvInteger DequantizeLinear DynamicQuantizeLinear MatMulInteger QLinearConv QLinearMatMul".split())


def refusal(call: Call) -> InputError:
    """Why there is no operation for a node."""
    op = call.node.op
    if op in _SMOOTH:
        return call.refuse("is not piecewise affine; supported: ReLU and its relatives, maxima, affine operators")
    if op in _JUMPS:
        return call.refuse("is not continuous; supported: continuous piecewise-affine operators")
    if op in _RANDOM:
        return call.refuse("draws random numbers; a network must be a function of its input alone")
    if op in _QUANTISED or op == "QuantizeLinear":
        return call.refuse("is quantised, which is not continuous; export the model without quantisation")
    return call.refuse(f"is not supported; supported: {', '.join(sorted([*OPERATIONS, 'Cast', 'CastLike']))}")
