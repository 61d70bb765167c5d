"""Eight float64 numbers at a time, for the inner loops of kernels.

Compilers rarely find out that the loops of a dictionary may be done in vector instructions: its lines are parts of one
array, which could overlap. So kernels say it: `load8(array, i)` is entries i to i + 7 of a contiguous array, and
arithmetic on such values is vector arithmetic, compiled to whatever the processor has. `multiply_add8` rounds once or
twice. Nothing checks that the entries exist.

Uncompiled (`NUMBA_DISABLE_JIT=1`), eight lanes are a NumPy array.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import config
from numba.extending import intrinsic, models, register_model

LANES = 8
DOUBLE, VECTOR, INT64 = ir.DoubleType(), ir.VectorType(ir.DoubleType(), LANES), ir.IntType(64)


class Lanes(types.Type):  # type: ignore[misc]  # numba has no types
    """The type of eight lanes."""

    def __init__(self) -> None:
        super().__init__("lanes")


lanes = Lanes()


@register_model(Lanes)
class _Model(models.PrimitiveModel):  # type: ignore[misc]  # numba has no types
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, VECTOR)


def _operation(plain: Callable[..., Any], result: Any, emit: Callable[..., Any]) -> Any:
    """An operation on lanes: `emit(builder, *values)` writes its instructions, `plain` is the same in NumPy."""
    if config.DISABLE_JIT:
        return plain

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return emit(builder, *values)

    count = emit.__code__.co_argcount - 1
    if count == 1:
        return intrinsic(lambda typing, p: (result(p), generate))
    if count == 2:
        return intrinsic(lambda typing, p, q: (result(p, q), generate))
    if count == 3:
        return intrinsic(lambda typing, p, q, r: (result(p, q, r), generate))
    return intrinsic(lambda typing, p, q, r, s: (result(p, q, r, s), generate))


def _call(builder: Any, name: str, result: Any, *values: Any, fast: tuple[str, ...] = ()) -> Any:
    """Call an LLVM intrinsic."""
    kind = ir.FunctionType(result, [value.type for value in values])
    function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
    return builder.call(function, values, fastmath=fast)


def _address(context: Any, builder: Any, array_type: Any, array: Any, i: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [i]), VECTOR.as_pointer())


def _splat(builder: Any, value: Any) -> Any:
    undefined, zero = ir.Constant(VECTOR, ir.Undefined), ir.IntType(32)(0)
    one = builder.insert_element(undefined, value, zero)
    return builder.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


def _counted(builder: Any, i: Any) -> Any:
    first = _splat(builder, builder.sitofp(i, DOUBLE))
    return builder.fadd(first, ir.Constant(VECTOR, [float(k) for k in range(LANES)]))


def _at_most(builder: Any, p: Any, q: Any) -> Any:
    return builder.zext(builder.bitcast(builder.fcmp_ordered("<=", p, q), ir.IntType(LANES)), INT64)


def _load(typing: Any, array: Any, i: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.load(_address(context, builder, signature.args[0], *values), align=8, typ=VECTOR)

    return lanes(array, types.int64), generate


def _store(typing: Any, array: Any, i: Any, p: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        builder.store(values[2], _address(context, builder, signature.args[0], *values[:2]), align=8)
        return context.get_dummy_value()

    return types.none(array, types.int64, p), generate


def _copy(typing: Any, array: Any, i: Any, source: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        address = _address(context, builder, signature.args[2], values[2], values[1])
        block = builder.load(address, align=8, typ=VECTOR)
        builder.store(block, _address(context, builder, signature.args[0], *values[:2]), align=8)
        return context.get_dummy_value()

    return types.none(array, types.int64, source), generate


def _plain_load(array: Any, i: int) -> Any:
    return array[i : i + LANES].copy()


def _plain_store(array: Any, i: int, p: Any) -> None:
    array[i : i + LANES] = p


def _plain_copy(array: Any, i: int, source: Any) -> None:
    array[i : i + LANES] = source[i : i + LANES]


load8: Any = _plain_load if config.DISABLE_JIT else intrinsic(_load)
"""load8(array, i): entries i to i + 7 of a contiguous float64 array."""
store8: Any = _plain_store if config.DISABLE_JIT else intrinsic(_store)
"""store8(array, i, p): write eight lanes to entries i to i + 7."""
copy8: Any = _plain_copy if config.DISABLE_JIT else intrinsic(_copy)
"""copy8(array, i, source): copy entries i to i + 7 of an array of numbers of eight bytes, float64 or int64, to another."""
splat8 = _operation(lambda x: np.full(LANES, x), lambda x: lanes(types.float64), _splat)
"""One number in all lanes."""
counted8 = _operation(lambda i: i + np.arange(8.0), lambda i: lanes(types.int64), _counted)
"""The numbers i to i + 7."""
absolute8 = _operation(np.abs, lanes, lambda b, p: _call(b, "llvm.fabs.v8f64", VECTOR, p))
negate8 = _operation(np.negative, lanes, lambda b, p: b.fneg(p))
add8 = _operation(np.add, lanes, lambda b, p, q: b.fadd(p, q))
subtract8 = _operation(np.subtract, lanes, lambda b, p, q: b.fsub(p, q))
multiply8 = _operation(np.multiply, lanes, lambda b, p, q: b.fmul(p, q))
divide8 = _operation(np.divide, lanes, lambda b, p, q: b.fdiv(p, q))
multiply_add8 = _operation(
    lambda p, q, r: p * q + r, lanes, lambda b, p, q, r: _call(b, "llvm.fmuladd.v8f64", VECTOR, p, q, r)
)
"""p q + r."""
smaller8 = _operation(np.minimum, lanes, lambda b, p, q: b.select(b.fcmp_ordered("<", p, q), p, q))
larger8 = _operation(np.maximum, lanes, lambda b, p, q: b.select(b.fcmp_ordered(">", p, q), p, q))
where_less8 = _operation(
    lambda p, q, r, s: np.where(p < q, r, s), lanes, lambda b, p, q, r, s: b.select(b.fcmp_ordered("<", p, q), r, s)
)
"""r in the lanes where p < q, s in the others."""
at_most8 = _operation(
    lambda p, q: int(np.packbits(p <= q, bitorder="little")[0]), lambda p, q: types.int64(p, q), _at_most
)
"""Bit k is set where p <= q in lane k."""
least8 = _operation(
    np.min, types.float64, lambda b, p: _call(b, "llvm.vector.reduce.fmin.v8f64", DOUBLE, p, fast=("nnan", "nsz"))
)
"""The least of the lanes."""
lowest8 = _operation(
    lambda bits: (bits & -bits).bit_length() - 1, types.int64, lambda b, bits: b.cttz(bits, ir.IntType(1)(0))
)
"""The lowest bit of a number that is not 0."""
sum8 = _operation(
    np.sum,
    types.float64,
    lambda b, p: _call(b, "llvm.vector.reduce.fadd.v8f64", DOUBLE, DOUBLE(0.0), p, fast=("reassoc", "nsz")),
)
"""The sum of the lanes, added in any order."""
