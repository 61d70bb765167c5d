"""Eight lanes at a time: every operation compiled, against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from regionenum.engine import lanes
from regionenum.engine.lanes import (
    absolute8,
    add8,
    at_most8,
    copy8,
    counted8,
    divide8,
    larger8,
    least8,
    load8,
    lowest8,
    multiply8,
    multiply_add8,
    negate8,
    smaller8,
    splat8,
    store8,
    subtract8,
    sum8,
    where_less8,
)
from regionenum.engine.policy import kernel

eights = arrays(np.float64, 8, elements=st.floats(-1e100, 1e100) | st.sampled_from([0.0, -0.0, 1.0, np.inf]))
finite = arrays(np.float64, 8, elements=st.integers(-(2**20), 2**20).map(float))


@kernel
def _unary(p: Any, out: Any) -> None:
    store8(out[0], 0, absolute8(load8(p, 0)))
    store8(out[1], 0, negate8(load8(p, 0)))
    store8(out[2], 0, splat8(p[3]))
    store8(out[3], 0, counted8(5))


@kernel
def _binary(p: Any, q: Any, out: Any) -> None:
    store8(out[0], 0, add8(load8(p, 0), load8(q, 0)))
    store8(out[1], 0, subtract8(load8(p, 0), load8(q, 0)))
    store8(out[2], 0, multiply8(load8(p, 0), load8(q, 0)))
    store8(out[3], 0, divide8(load8(p, 0), load8(q, 0)))
    store8(out[4], 0, smaller8(load8(p, 0), load8(q, 0)))
    store8(out[5], 0, larger8(load8(p, 0), load8(q, 0)))
    store8(out[6], 0, where_less8(load8(p, 0), load8(q, 0), splat8(1.0), splat8(2.0)))


@kernel
def _multiply_add(p: Any, q: Any, r: Any, out: Any) -> None:
    store8(out, 0, multiply_add8(load8(p, 0), load8(q, 0), load8(r, 0)))


@kernel
def _reduce(p: Any, q: Any) -> Any:
    return least8(load8(p, 0)), sum8(load8(p, 0)), at_most8(load8(p, 0), load8(q, 0))


@kernel
def _lowest(bits: Any) -> Any:
    return lowest8(bits)


@kernel
def _part(array: Any, whole: Any, numbers: Any, others: Any) -> None:
    store8(array[1], 8, load8(whole, 3))
    copy8(array[0], 8, array[1])
    copy8(numbers[1], 8, others)


@given(eights)
def test_unary(p: np.ndarray) -> None:
    out = np.zeros((4, 8))
    _unary(p, out)
    assert np.array_equal(out, [np.abs(p), -p, np.full(8, p[3]), 5.0 + np.arange(8.0)])
    assert np.array_equal(np.signbit(out[1]), ~np.signbit(p))


@given(eights, eights)
def test_binary(p: np.ndarray, q: np.ndarray) -> None:
    out = np.zeros((7, 8))
    _binary(p, q, out)
    with np.errstate(all="ignore"):
        expected = [p + q, p - q, p * q, p / q, np.minimum(p, q), np.maximum(p, q), np.where(p < q, 1.0, 2.0)]
    assert np.array_equal(out, expected, equal_nan=True)


@given(finite, finite, finite)
def test_multiply_add(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> None:
    """Of numbers whose products are exact, with one rounding or two."""
    out = np.zeros(8)
    _multiply_add(p, q, r, out)
    assert np.array_equal(out, p * q + r)


@given(finite, finite)
def test_reductions(p: np.ndarray, q: np.ndarray) -> None:
    least, total, bits = _reduce(p, q)
    assert (least, total) == (p.min(), p.sum())
    assert [bits >> k & 1 for k in range(8)] == list(p <= q)


@pytest.mark.parametrize("bits", [1, 2, 0b1010_0000, 0b1111_1111, 1 << 40])
def test_lowest(bits: int) -> None:
    assert bits >> _lowest(bits) & 1
    assert bits & ((1 << _lowest(bits)) - 1) == 0


def test_parts_of_arrays() -> None:
    """Lanes are read and written where they are asked for, in float64 and in int64."""
    array, whole = np.zeros((2, 24)), np.arange(20.0)
    numbers, others = np.zeros((2, 24), np.int64), np.arange(100, 124)
    _part(array, whole, numbers, others)
    expected = np.zeros((2, 24))
    expected[:, 8:16] = whole[3:11]
    assert np.array_equal(array, expected)
    assert np.array_equal(numbers[1], np.where((np.arange(24) >= 8) & (np.arange(24) < 16), others, 0))
    assert not numbers[0].any()


def test_every_operation_is_tried_here() -> None:
    assert {name for name in vars(lanes) if name.endswith("8")} <= set(globals())
