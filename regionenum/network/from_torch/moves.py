"""Torch operations that move entries, join tensors, take them apart, or put constants between them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from regionenum.network import ops
from regionenum.network.chain import Value
from regionenum.network.from_torch.call import Call, Result, numpy

_FILLING = ("value", "other", "self", "fill_value")


def moved(call: Call) -> Result:
    """Data movement: run the operation on tensors of positions, and read off where every entry went.

    Positions count from 1 through all activations. Wherever 0 comes out, the entry is a constant, and a second run, on
    zeros, says which. Positions are float64 because torch pads no integer images by reflection; they are exact far
    beyond any real size.
    """
    if call.args.get("accumulate") or call.args.get("reduce") is not None:
        raise call.refuse("adds up entries that meet, which is not supported; use a matrix product")
    call.refuse_conversion(call.args.get("dtype"))
    values = list(dict.fromkeys(call.values))
    starts = np.cumsum([1, *(v.affine.n_rows for v in values)]).tolist()
    # by name: small integers are one object, so that a filling 1 and an axis 1 could not be told apart
    blank = replace(call, args=call.args | {name: 0.0 for name in _FILLING if _is_number(call.args.get(name))})

    def position(arg: Any) -> Any:
        if isinstance(arg, Value):
            start = starts[values.index(arg)]
            return torch.arange(start, start + arg.affine.n_rows, dtype=torch.float64).reshape(arg.shape)
        if isinstance(arg, torch.Tensor) and arg.is_floating_point():
            return torch.zeros_like(arg, dtype=torch.float64)
        return arg

    def zero(arg: Any) -> Any:
        if isinstance(arg, Value):
            return torch.zeros(arg.shape, dtype=torch.float64)
        return arg.double() if isinstance(arg, torch.Tensor) and arg.is_floating_point() else arg

    everything = values[0] if len(values) == 1 else ops.joined([_flat(v) for v in values], axis=0)

    def placed(positions: torch.Tensor, constants: torch.Tensor) -> Value:
        rows = positions.numpy().astype(np.int64) - 1
        y = ops.rearranged(everything, rows)
        fixed = np.where(rows < 0, numpy(constants), 0.0)
        return ops.shifted(y, fixed) if fixed.any() else y

    positions, constants = blank.run(position), call.run(zero)
    if isinstance(positions, torch.Tensor):
        return placed(positions, constants)
    return tuple(placed(p, c) for p, c in zip(positions, constants, strict=True))


def _flat(x: Value) -> Value:
    return ops.reshaped(x, (x.affine.n_rows,))


def _is_number(arg: Any) -> bool:
    return isinstance(arg, int | float) and not isinstance(arg, bool)


def folded(call: Call) -> Value:
    """Fold: the transpose of unfolding an image of the output's shape, so overlapping windows are added up."""
    x = call.the("self")
    shape = call.shape()
    image = torch.arange(1, math.prod(shape) + 1, dtype=torch.float64).reshape(shape)
    options = [call.args[name] for name in ("kernel_size", "dilation", "padding", "stride")]
    pixel = torch.ops.aten.im2col.default(image, *options).reshape(-1).numpy().astype(np.int64) - 1
    inside = pixel >= 0
    entries = (np.ones(np.count_nonzero(inside)), (pixel[inside], np.flatnonzero(inside)))
    return ops.mapped(x, sp.csr_array(sp.coo_array(entries, shape=(math.prod(shape), len(pixel)))), shape)
