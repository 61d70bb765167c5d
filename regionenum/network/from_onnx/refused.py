"""ONNX operators that no network can have, and why."""

from __future__ import annotations

_OPERATORS = {
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

REASONS: dict[str, str] = {op: why for why, operators in _OPERATORS.items() for op in operators.split()}
"""By the operator's name: how the sentence goes on that begins with the node."""
