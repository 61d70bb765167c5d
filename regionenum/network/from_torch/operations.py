"""The table of ATen operations that can be read: a function for each name."""

from __future__ import annotations

from collections.abc import Callable

from regionenum.network.from_torch import affine, moves, units, windows
from regionenum.network.from_torch.call import Call, Result

SUPPORTED = (
    "Linear, Conv and ConvTranspose, BatchNorm, ReLU, LeakyReLU, PReLU, ReLU6, Hardtanh, Hardsigmoid, Softshrink, "
    "clamp, abs, maximum, minimum, max, min, MaxPool, AvgPool, adaptive pooling, padding, Upsample, Dropout, reshaping, "
    "indexing, concatenation, sums, and arithmetic with constants"
)

_SAME = ("contiguous", "clone", "detach", "alias", "lift_fresh_copy", "lift_fresh", "positive", "real")

_MOVEMENT = (
    *("view", "view_as", "reshape", "reshape_as", "_unsafe_view", "flatten", "unflatten", "ravel"),
    *("squeeze", "unsqueeze", "expand", "expand_as", "broadcast_to", "atleast_1d", "atleast_2d", "atleast_3d"),
    *("permute", "transpose", "t", "numpy_T", "mT", "adjoint", "swapaxes", "swapdims", "movedim", "moveaxis"),
    *("select", "slice", "narrow", "index", "index_select", "gather", "take", "take_along_dim", "diagonal", "diag"),
    *("split", "split_with_sizes", "chunk", "unsafe_split", "unsafe_chunk", "tensor_split", "unbind", "hsplit"),
    *("vsplit", "dsplit", "cat", "concat", "concatenate", "stack", "hstack", "vstack", "dstack", "column_stack"),
    *("repeat", "tile", "repeat_interleave", "flip", "fliplr", "flipud", "roll", "rot90", "unfold", "im2col"),
    *("pad", "constant_pad_nd", *(f"{kind}_pad{d}d" for kind in ("reflection", "replication") for d in (1, 2, 3))),
    *("tril", "triu", "where", "masked_fill", "masked_scatter", "index_fill", "index_put", "index_copy", "scatter"),
    *(
        "select_scatter",
        "slice_scatter",
        "diagonal_scatter",
        "copy",
        "diag_embed",
        "block_diag",
        "meshgrid",
        "broadcast_tensors",
        "masked_select",
    ),
    *("pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "native_channel_shuffle"),
    *(f"{kind}{d}d" for kind in ("upsample_nearest", "_upsample_nearest_exact") for d in (1, 2, 3)),
)

OPERATIONS: dict[str, Callable[[Call], Result]] = {
    **dict.fromkeys(_SAME, affine.passed_on),
    **dict.fromkeys(["to", "_to_copy", "type_as"], affine.converted),
    **dict.fromkeys(_MOVEMENT, moves.moved),
    "col2im": moves.folded,
    **dict.fromkeys(["dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout"], affine.dropout),
    **dict.fromkeys(["add", "sub", "subtract", "rsub", "neg", "negative"], affine.arithmetic),
    **dict.fromkeys(["mul", "multiply", "div", "divide", "true_divide"], affine.arithmetic),
    **dict.fromkeys(["addcmul", "addcdiv"], affine.with_product),
    "lerp": affine.lerp,
    "linear": affine.linear,
    **dict.fromkeys(["mm", "matmul", "bmm", "mv", "dot", "addmm", "addmv", "baddbmm"], affine.matmul),
    **dict.fromkeys(["einsum", "tensordot", "inner", "outer", "kron", "vdot", "cumsum", "diff"], affine.linear_in_one),
    **dict.fromkeys(["trace", "chain_matmul", "linalg_multi_dot", "linalg_vecdot"], affine.linear_in_one),
    **dict.fromkeys(["sum", "mean"], affine.reduction),
    **dict.fromkeys(["batch_norm", "instance_norm"], affine.batch_norm),
    **dict.fromkeys(["upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d"], affine.interpolation),
    **dict.fromkeys(["upsample_bicubic2d", "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa"], affine.interpolation),
    "_native_batch_norm_legit_no_training": affine.batch_norm_of_three,
    **dict.fromkeys(["conv1d", "conv2d", "conv3d", "convolution"], windows.convolution),
    **dict.fromkeys([f"conv_transpose{d}d" for d in (1, 2, 3)], windows.transposed_convolution),
    **dict.fromkeys([f"avg_pool{d}d" for d in (1, 2, 3)], windows.average_pooling),
    **dict.fromkeys([f"adaptive_avg_pool{d}d" for d in (1, 2, 3)], windows.adaptive_average_pooling),
    **dict.fromkeys([f"_adaptive_avg_pool{d}d" for d in (2, 3)], windows.adaptive_average_pooling),
    **dict.fromkeys([f"max_pool{d}d" for d in (1, 2, 3)], windows.max_pooling),
    **dict.fromkeys([f"max_pool{d}d_with_indices" for d in (1, 2, 3)], windows.max_pooling),
    **dict.fromkeys([f"adaptive_max_pool{d}d" for d in (1, 2, 3)], windows.adaptive_max_pooling),
    "relu": units.relu,
    **dict.fromkeys(["abs", "absolute"], units.absolute),
    "leaky_relu": units.leaky,
    "prelu": units.prelu,
    "rrelu": units.rrelu,
    **dict.fromkeys(["clamp", "clip", "clamp_min", "clamp_max", "hardtanh"], units.clamped),
    "relu6": units.relu6,
    "hardsigmoid": units.hard_sigmoid,
    "threshold": units.threshold,
    "softshrink": units.shrink,
    **dict.fromkeys(["maximum", "minimum", "fmax", "fmin"], units.larger),
    **dict.fromkeys(["max", "min", "amax", "amin"], units.extreme),
    **dict.fromkeys(["argmax", "argmin"], units.winner),
}
"""By the operation's name, without overload and without the underscore of the in-place variants."""
