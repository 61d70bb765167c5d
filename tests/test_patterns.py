import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from regionenum.errors import InputError
from regionenum.network.units import RELU, PiecewiseLinear, Units
from regionenum.results.patterns import Packing
from tests.line import chain

CLAMP = PiecewiseLinear((0.0, 1.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


@st.composite
def patterns(draw):
    n_pieces = np.array(draw(st.lists(st.integers(1, 40) | st.sampled_from([65535, 65536]), max_size=40)), np.int64)
    rows = draw(st.integers(0, 5))
    fractions = draw(arrays(np.float64, (rows, len(n_pieces)), elements=st.floats(0, 1, exclude_max=True)))
    return n_pieces, np.minimum((fractions * n_pieces).astype(np.int64), n_pieces - 1)


@given(patterns())
def test_round_trip(example):
    n_pieces, pieces = example
    packing = Packing(n_pieces)
    packed = packing.pack(pieces)
    assert packed.shape == (len(pieces), packing.n_bytes)
    unpacked = packing.unpack(packed)
    assert unpacked.dtype == np.uint16
    np.testing.assert_array_equal(unpacked, pieces)


@given(patterns())
def test_order_is_kept_and_bits_are_as_documented(example):
    n_pieces, pieces = example
    packing = Packing(n_pieces)
    for row, packed in zip(pieces.tolist(), packing.pack(pieces), strict=True):
        sizes = [(int(n) - 1).bit_length() for n in n_pieces]
        text = "".join(f"{piece:0{b}b}" for piece, b in zip(row, sizes, strict=True) if b)
        padded = text.ljust(8 * packing.n_bytes, "0")
        assert packed.tobytes() == int(padded, 2).to_bytes(packing.n_bytes)


def test_widths_of_a_network():
    units = Units((RELU, CLAMP), np.array([0, 1, -1, -1]), np.array([0, 1, 2, 5, 6]), np.array([0, 1, 2, 3, 4, 5]))
    net = chain((np.ones((6, 1)), np.zeros(6), units), (np.ones((1, 4)), [0.0], None))
    packing = Packing.of(net)
    assert packing.n_pieces.tolist() == [2, 3, 3, 1]
    assert packing.bits.tolist() == [1, 2, 2, 0]
    assert packing.n_bytes == 1
    assert packing.pack(np.array([[1, 2, 1, 0]])).tolist() == [[0b11001000]]


def test_a_network_without_units_has_one_zero_byte():
    packing = Packing.of(chain(([[1.0]], [0.0], None)))
    assert packing.pack(np.zeros((2, 0), np.int64)).tolist() == [[0], [0]]
    assert packing.unpack(np.zeros((2, 1), np.uint8)).shape == (2, 0)


@pytest.mark.parametrize("piece", [-1, 3])
def test_a_piece_outside_its_unit_is_refused(piece):
    with pytest.raises(ValueError, match="outside"):
        Packing(np.array([2, 3])).pack(np.array([[0, piece]]))


def test_wrong_shapes_are_refused():
    packing = Packing(np.array([2, 2]))
    with pytest.raises(ValueError, match=r"expected \(n, 2\)"):
        packing.pack(np.zeros((1, 3), np.int64))
    with pytest.raises(ValueError, match=r"expected \(n, 1\)"):
        packing.unpack(np.zeros((1, 2), np.uint8))


def test_a_unit_with_too_many_pieces_is_refused():
    with pytest.raises(InputError, match="65537 pieces"):
        Packing(np.array([65537]))


def test_a_wide_network_needs_little_memory_beside_its_rows():
    packing = Packing(np.full(100_000, 2))
    pieces = np.random.default_rng(0).integers(0, 2, (1000, 100_000), np.uint16)
    tracemalloc.start()
    packed = packing.pack(pieces)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < packed.nbytes + (120 << 20)
    np.testing.assert_array_equal(packing.unpack(packed[::250]), pieces[::250])
