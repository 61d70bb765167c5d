"""Torch operations that no network can have, and what to use instead."""

from __future__ import annotations

_CURVED = {
    "tanh": "Hardtanh",
    "sigmoid": "Hardsigmoid",
    "logsumexp": "amax",
    "glu": "maximum",
    "hardswish": "ReLU6",
    "norm": "abs and sum",
    "linalg_vector_norm": "abs and sum",
    "cdist": "abs and sum",
    "prod": "sum",
    "embedding": "the vectors of the embedding as input",
    "scaled_dot_product_attention": "a matrix product with a constant",
    "bilinear": "Linear",
    "lstm": "Linear and ReLU",
    "gru": "Linear and ReLU",
    "rnn_tanh": "Linear and ReLU",
    **dict.fromkeys(
        ["gelu", "elu", "selu", "celu", "silu", "mish", "softplus", "log_sigmoid"],
        "ReLU or LeakyReLU",
    ),
    **dict.fromkeys(
        ["exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "rsqrt", "square", "pow", "reciprocal", "sin", "cos",
         "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "asinh", "acosh", "atanh", "erf", "erfc", "exp2",
         "hypot", "logit", "float_power"],
        "ReLU or LeakyReLU",
    ),
    **dict.fromkeys(["std", "var", "std_mean", "var_mean", "cov", "corrcoef"], "a mean of absolute values"),
}  # fmt: skip

_JUMPING = {
    **dict.fromkeys(["sign", "sgn", "heaviside", "signbit"], "Hardtanh"),
    **dict.fromkeys(
        ["round", "floor", "ceil", "trunc", "fix", "frac", "floor_divide", "fmod", "remainder"], "the value unrounded"
    ),
    "hardshrink": "Softshrink",
    **dict.fromkeys(
        ["gt", "ge", "lt", "le", "eq", "ne", "isclose", "logical_and", "logical_or", "logical_not", "nonzero",
         "count_nonzero", "searchsorted", "bucketize"],
        "relu, maximum or clamp, if it makes a mask for one of these",
    ),
}  # fmt: skip

_STATISTICS = ("layer_norm", "group_norm", "rms_norm", "native_layer_norm", "native_group_norm")

_ORDER = ("sort", "topk", "median", "nanmedian", "kthvalue", "mode", "quantile", "msort", "cummax", "cummin", "argsort")

_COMPLEX = ("fft_fft", "fft_rfft", "fft_fft2", "fft_rfft2", "fft_fftn", "view_as_complex", "complex", "stft")

REASONS: dict[str, str] = {
    **dict.fromkeys(
        ["softmax", "_softmax", "log_softmax", "_log_softmax"],
        "is not piecewise affine; load the model without it, so that its output are the scores",
    ),
    **{name: f"is not piecewise affine; use {instead} instead" for name, instead in _CURVED.items()},
    **{name: f"is not continuous; use {instead} instead" for name, instead in _JUMPING.items()},
    **dict.fromkeys(
        _STATISTICS, "depends on the statistics of the sample, so it is not piecewise affine; use BatchNorm instead"
    ),
    **dict.fromkeys(_ORDER, "compares all entries with each other, which is not supported; use amax or max pooling"),
    **dict.fromkeys(_COMPLEX, "gives complex numbers; a network must compute with real numbers"),
    **dict.fromkeys(
        ["fractional_max_pool2d", "fractional_max_pool3d"],
        "draws its windows at random; use MaxPool2d or AdaptiveMaxPool2d instead",
    ),
    **dict.fromkeys(
        ["max_unpool2d", "max_unpool3d"], "puts values where the winners were, which is not continuous; use Upsample"
    ),
}
"""By the operation's name: how the sentence goes on that begins with the operation."""
