"""Operations that close a layer, whatever the file they come from: pointwise functions, and maxima.

Front ends (`from_torch/units.py`, `from_onnx/units.py` and their `windows.py`) read the arguments of their operations and
call these. A minimum is the negated maximum of the negated values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from regionenum.network import ops
from regionenum.network.call import AnyCall
from regionenum.network.chain import Value
from regionenum.network.ops import Term
from regionenum.network.units import Floats, Ints, PiecewiseLinear, Units, clamp


def pointwise(call: AnyCall, x: Value, function: PiecewiseLinear) -> Value:
    """One function of every entry. One without breakpoints is an affine map, and closes no layer."""
    if not function.breakpoints:
        return _affine(x, np.asarray(function.slopes[0]), np.asarray(function.intercepts[0]))
    return call.close(x, Units.pointwise(function, x.affine.n_rows), x.shape)


def each(call: AnyCall, x: Value, make: Callable[..., PiecewiseLinear], *parameters: Floats | float) -> Value:
    """The function `make(*parameters)` of every entry; x and the parameters are broadcast.

    Functions without breakpoints alone are an affine map, and close no layer.

    Raises
    ------
    InputError
        If a parameter is NaN.
    """
    shape = np.broadcast_shapes(x.shape, *(np.shape(p) for p in parameters))
    x = ops.broadcast(x, shape)
    table = np.stack([np.broadcast_to(np.asarray(p, np.float64), shape).reshape(-1) for p in parameters])
    if np.isnan(table).any():
        raise call.refuse("has a parameter that is NaN; retrain the model or mend the value")
    distinct, function_of = np.unique(table, axis=1, return_inverse=True)
    functions = tuple(make(*p) for p in distinct.T.tolist())
    function_of = function_of.reshape(-1)
    if not any(f.breakpoints for f in functions):
        slopes = np.array([f.slopes[0] for f in functions])[function_of].reshape(shape)
        return _affine(x, slopes, np.array([f.intercepts[0] for f in functions])[function_of].reshape(shape))
    n = x.affine.n_rows
    return call.close(x, Units(functions, function_of, np.arange(n + 1), np.arange(n)), shape)


def _affine(x: Value, slopes: Floats, intercepts: Floats) -> Value:
    y = ops.scaled(x, slopes)
    return ops.shifted(y, intercepts) if intercepts.any() else y


def clamped(call: AnyCall, x: Value, lower: Floats | float, upper: Floats | float) -> Value:
    """min(max(x, lower), upper), entry by entry: the constant `upper` where the bounds are equal or the wrong way round.

    Parameters
    ----------
    lower, upper : broadcast against x; minus and plus infinity are no bound

    Raises
    ------
    InputError
        If a bound is NaN, or leaves no finite value.
    """
    if np.any(np.equal(lower, math.inf)) or np.any(np.equal(upper, -math.inf)):
        raise call.refuse("has an infinite result; the bounds must leave finite values")
    return each(call, x, _clamp, lower, upper)


def _clamp(lower: float, upper: float) -> PiecewiseLinear:
    return clamp(lower, upper) if lower < upper else PiecewiseLinear((), (0.0,), (upper,))


def extremum(call: AnyCall, operands: Sequence[Term], sign: float) -> Value:
    """sign * max(sign * v) over the operands, which are broadcast, entry by entry.

    Units with a breakpoint if all but one operand are constants, otherwise one group for each entry.

    Parameters
    ----------
    operands : at least one of them a value
    sign : 1.0 for the maximum, -1.0 for the minimum
    """
    values = [v for v in operands if isinstance(v, Value)]
    bound = np.full(np.broadcast_shapes(*(v.shape for v in operands)), -math.inf)
    for constant in (v for v in operands if not isinstance(v, Value)):
        bound = np.maximum(bound, sign * constant)
    if len(values) == 1:
        return clamped(call, values[0], *((bound, math.inf) if sign > 0 else (-math.inf, -bound)))
    if np.isnan(bound).any() or np.any(bound == math.inf):
        raise call.refuse("has an infinite result; the bounds must leave finite values")
    shape, n = bound.shape, bound.size
    parts = [ops.reshaped(ops.scaled(ops.broadcast(v, shape), sign), (n,)) for v in values]
    table = np.arange(len(parts) * n).reshape(len(parts), n).T
    finite = np.isfinite(bound).reshape(-1)
    if finite.any():
        parts.append(ops.constant(values[0], np.where(finite, bound.reshape(-1), 0.0)))
        extra = np.where(finite, len(parts) * n - n + np.arange(n), ops.NO_VALUE)
        table = np.concatenate([table, extra[:, None]], axis=1)
    return ops.scaled(call.close(ops.joined(parts, 0), ops.maxima(table), shape), sign)


def extremum_over(call: AnyCall, x: Value, axes: Sequence[int], *, keep: bool, sign: float) -> Value:
    """sign * max(sign * x) over some axes, or over all if none is given."""
    units = ops.maxima(ops.gathered(x, axes))
    y = call.close(ops.scaled(x, sign), units, ops.reduced_shape(x.shape, axes, keep=keep))
    return ops.scaled(y, sign)


def maximum_of_windows(call: AnyCall, x: Value, table: Ints, shape: Sequence[int]) -> Value:
    """The maximum over each row of a table of positions (`ops.windows_table`, `ops.adaptive_table`).

    Raises
    ------
    InputError
        If a window lies entirely in the padding.
    """
    try:
        units = ops.maxima(table)
    except ValueError as error:
        raise call.refuse(f"cannot be used: {error}; choose a smaller padding") from error
    return call.close(x, units, shape)
