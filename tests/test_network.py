"""Units, layers and networks: values, pieces, hashes and validation; and the composition of affine maps and windows."""

import subprocess
import sys
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from regionenum.errors import InputError
from regionenum.network import ops
from regionenum.network.affine import Affine
from regionenum.network.chain import Chain
from regionenum.network.layers import Layer, Network
from regionenum.network.units import IDENTITY, MAXIMUM, RELU, PiecewiseLinear, Units, leaky_relu
from regionenum.network.windows import Windows, convolution

DYADIC = st.integers(-8, 8).map(lambda k: k / 4)
HARDTANH = PiecewiseLinear((-1.0, 1.0), (0.0, 1.0, 0.0), (-1.0, 0.0, 1.0))


def matrices(n_rows, n_columns):
    return hnp.arrays(np.float64, (n_rows, n_columns), elements=DYADIC)


# Units ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "z", "value", "piece"),
    [
        (RELU, -1.0, 0.0, 0),
        (RELU, 0.0, 0.0, 0),
        (RELU, 2.0, 2.0, 1),
        (leaky_relu(0.5), -2.0, -1.0, 0),
        (leaky_relu(0.5), 2.0, 2.0, 1),
        (HARDTANH, -3.0, -1.0, 0),
        (HARDTANH, -1.0, -1.0, 0),
        (HARDTANH, 0.5, 0.5, 1),
        (HARDTANH, 1.0, 1.0, 1),
        (HARDTANH, 3.0, 1.0, 2),
        (IDENTITY, -7.0, -7.0, 0),
    ],
)
def test_values_and_pieces_with_the_lower_piece_at_a_breakpoint(function, z, value, piece):
    assert function(np.array([z])) == value
    assert function.pieces(np.array([z])) == piece


def test_leaky_relu_of_slope_one_is_the_identity():
    assert leaky_relu(1.0) is IDENTITY
    assert leaky_relu(0.0) == RELU


@pytest.mark.parametrize(
    ("breakpoints", "slopes", "intercepts", "message"),
    [
        ((0.0,), (1.0,), (0.0,), "p \\+ 1 slopes"),
        ((1.0, 1.0), (0.0, 1.0, 0.0), (0.0, 0.0, 0.0), "increase strictly"),
        ((np.nan,), (0.0, 1.0), (0.0, 0.0), "breakpoints must be finite"),
        ((0.0,), (0.0, np.inf), (0.0, 0.0), "slopes must be finite"),
    ],
)
def test_functions_are_validated(breakpoints, slopes, intercepts, message):
    with pytest.raises(ValueError, match=message):
        PiecewiseLinear(breakpoints, slopes, intercepts)


def test_equal_functions_have_one_representation():
    assert repr(PiecewiseLinear((-0.0,), (np.float64(0), 1), (0, 0))) == repr(RELU)


@given(matrices(7, 5))
def test_mixed_units_against_a_loop(z):
    units = Units(
        (RELU, HARDTANH, IDENTITY),
        np.array([1, MAXIMUM, 0, MAXIMUM, 2, MAXIMUM]),
        np.array([0, 1, 3, 4, 7, 8, 9]),
        np.array([2, 4, 0, 1, 1, 2, 3, 4, 0]),
    )
    np.testing.assert_array_equal(units.n_pieces, [3, 2, 2, 3, 1, 1])
    values, pieces = units.apply(z), units.pieces(z)
    for point, row in enumerate(z):
        for unit, k in enumerate(units.function_of):
            read = row[units.rows[units.indptr[unit] : units.indptr[unit + 1]]]
            if k == MAXIMUM:
                assert values[point, unit] == max(read)
                assert pieces[point, unit] == list(read).index(max(read))  # the first winner
            else:
                function = units.functions[k]
                assert pieces[point, unit] == sum(b < read[0] for b in function.breakpoints)
                assert values[point, unit] == {RELU: max(read[0], 0), HARDTANH: np.clip(read[0], -1, 1)}.get(
                    function, read[0]
                )


def test_identity_units():
    assert Units.identity(3).is_identity
    assert Units.identity(0).is_identity
    assert not replace(Units.identity(3), rows=np.array([0, 2, 1])).is_identity
    assert not Units.maxima([[0], [1]]).is_identity
    assert not Units.pointwise(RELU, 3).is_identity


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((RELU,), [0], [0, 2], [0, 1]), "reads one row"),
        (((RELU,), [MAXIMUM], [0, 0], []), "reads one row"),
        (((RELU,), [1], [0, 1], [0]), "index functions"),
        (((RELU,), [-2], [0, 1], [0]), "index functions"),
        (((RELU,), [0], [0, 1, 2], [0, 1]), "indptr"),
        (((RELU,), [0], [0, 1], [0, 1]), "indptr"),
    ],
)
def test_units_are_validated(arguments, message):
    functions, *arrays = arguments
    with pytest.raises(ValueError, match=message):
        Units(functions, *(np.array(a, np.int64) for a in arrays))
    with pytest.raises(ValueError, match="at least one candidate"):
        Units.maxima([[0], []])


# Layers and networks --------------------------------------------------------------------------------------------------


def network(name="hidden", first=1.0, bias=0.0, units=None, csr=False):
    weight = np.array([[first, -1.0], [0.5, 0.0], [0.0, 2.0]])
    layers = (
        Layer(
            name,
            sp.csr_array(weight) if csr else weight,
            np.array([bias, 0.0, -1.0]),
            units or Units.pointwise(RELU, 3),
        ),
        Layer("out", np.array([[1.0, 1.0, -1.0]]), np.zeros(1), Units.identity(1)),
    )
    return Network(layers, (1, 2))


def test_forward_and_pattern():
    net = network()
    np.testing.assert_array_equal(net.forward([[[3.0, 1.0]]]), [[2.0 + 1.5 - 1.0]])
    np.testing.assert_array_equal(net.pattern([3.0, 1.0] * np.ones((1, 2))), [[1, 1, 1]])
    np.testing.assert_array_equal(net.pattern(np.zeros((4, 1, 2))), np.zeros((4, 3)))
    assert (net.n_in, net.n_out, len(net.unit_layers)) == (2, 1, 1)
    with pytest.raises(InputError, match=r"input has shape \(3,\), but the network takes \(1, 2\)"):
        net.forward(np.zeros(3))


@given(matrices(3, 4), hnp.arrays(np.float64, 3, elements=DYADIC), matrices(2, 2), matrices(6, 4))
def test_forward_is_exact_on_dyadic_numbers(w, b, v, x):
    net = Network(
        (
            Layer("a", w, b, Units((RELU,), np.array([0, MAXIMUM]), np.array([0, 1, 3]), np.array([0, 1, 2]))),
            Layer("b", sp.csr_array(v), np.zeros(2), Units.pointwise(leaky_relu(0.5), 2)),
        ),
        (4,),
    )
    for point, out in zip(x, net.forward(x), strict=True):
        z = [
            sum(Fraction(p) * Fraction(q) for p, q in zip(row, point, strict=True)) + Fraction(c)
            for row, c in zip(w, b, strict=True)
        ]
        y = [max(z[0], Fraction(0)), max(z[1], z[2])]
        u = [sum(Fraction(p) * q for p, q in zip(row, y, strict=True)) for row in v]
        assert [Fraction(o) for o in out] == [t if t > 0 else t / 2 for t in u]


def test_a_network_without_layers_is_the_identity():
    net = Network((), (2, 2))
    np.testing.assert_array_equal(net.forward(np.arange(4.0).reshape(2, 2)), [[0, 1, 2, 3]])
    assert net.pattern(np.zeros((3, 4))).shape == (3, 0)
    assert net.n_out == 4


HASH = "import tests.test_network as t; print(t.network().hash)"


def test_hash_is_stable():
    net = network()
    done = subprocess.run([sys.executable, "-c", HASH], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == net.hash
    assert network(csr=True).hash == net.hash
    assert network(bias=-0.0).hash == net.hash
    assert Network(net.layers, tuple(np.array([1, 2]))).hash == net.hash
    stored = sp.csr_array((np.array([0.0, 1.0, -1.0, 0.5, 2.0]), [1, 0, 1, 0, 1], [0, 3, 4, 5]), shape=(3, 2))
    assert Network((replace(net.layers[0], weight=stored), net.layers[1]), (1, 2)).hash == net.hash


def test_hash_is_sensitive():
    permuted = replace(Units.pointwise(RELU, 3), rows=np.array([1, 0, 2]))
    networks = [
        network(),
        network(name="other"),
        network(first=np.nextafter(1.0, 2.0)),
        network(bias=1e-300),
        network(units=Units.pointwise(leaky_relu(1e-9), 3)),
        network(units=permuted),
        network(units=Units.maxima([[0], [1], [2]])),
        Network(network().layers, (2,)),
        Network(network().layers[:1], (1, 2)),
    ]
    assert len({net.hash for net in networks}) == len(networks)


def layer(**changes):
    return replace(Layer("a", np.eye(2), np.zeros(2), Units.pointwise(RELU, 2)), **changes)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"weight": np.eye(2, dtype=np.float32)}, "weight and bias must be float64; convert them with"),
        ({"bias": np.zeros(3)}, r"bias has shape \(3,\), but the weight has 2 rows"),
        ({"weight": np.full((2, 2), np.inf)}, "weight contains NaN or an infinite value"),
        ({"bias": np.array([0.0, np.nan])}, "bias contains NaN or an infinite value"),
        ({"weight": np.zeros(2)}, "weight must be a matrix"),
        ({"weight": sp.coo_array(np.eye(2))}, "weight must be a matrix, dense or scipy.sparse.csr_array"),
        ({"units": Units.pointwise(RELU, 3)}, "a unit reads a row outside 0..1"),
    ],
)
def test_layers_are_validated(changes, sentence):
    with pytest.raises(InputError, match=f"^`a`: {sentence}"):
        layer(**changes)


def test_chains_are_validated():
    with pytest.raises(InputError, match="`a` expects 2 inputs, but the layer before gives 3"):
        Network((layer(),), (3,))
    with pytest.raises(InputError, match="`a` has no units; fuse it"):
        Network((layer(units=Units.identity(2)), layer()), (2,))


# Affine composition ---------------------------------------------------------------------------------------------------


@given(matrices(3, 4), matrices(5, 3), hnp.arrays(np.float64, 5, elements=DYADIC), st.booleans(), st.booleans())
def test_affine_maps_compose(first, second, bias, sparse_first, sparse_second):
    a = Affine.identity(4).then(sp.csr_array(first) if sparse_first else first, np.ones(3))
    b = a.then(sp.csr_array(second) if sparse_second else second, bias).scaled(np.full(5, 0.5), np.full(5, 2.0))
    index = np.array([4, -1, 0, 0])
    c = b.select(index, fill=7.0).shifted(np.ones(4))
    x = np.arange(4.0)
    y = (second @ (first @ x + 1) + bias) / 2 + 2
    made = c.layer("a", Units.identity(4))
    np.testing.assert_array_equal(made.preactivations(x[None])[0], [y[4] + 1, 8.0, y[0] + 1, y[0] + 1])


def test_one_operation_is_kept_bit_for_bit_and_stored_by_density():
    weight = np.random.default_rng(0).standard_normal((6, 8))
    kept = Affine.identity(8).then(weight, np.ones(6)).layer("a", Units.identity(6))
    np.testing.assert_array_equal(kept.weight, weight)
    weight[:, 2:] = 0.0
    stored = Affine.identity(8).then(weight).layer("a", Units.identity(6)).weight
    assert isinstance(stored, sp.csr_array)
    assert stored.nnz == 12
    assert Affine.identity(3).select(np.arange(3)).is_identity


def test_overflow_in_a_composition_names_the_layer():
    huge = Affine.identity(1).then(np.array([[1e200]])).then(np.array([[1e200]]))
    with pytest.raises(InputError, match="`a`: weight contains NaN or an infinite value"):
        huge.layer("a", Units.identity(1))


# Windows --------------------------------------------------------------------------------------------------------------


def test_window_table_by_hand():
    windows = Windows((2, 3), (2, 2), (2, 2), (1, 2), (1, 0), (1, 1))
    np.testing.assert_array_equal(windows.table(), [[-1, -1, 0, 1], [-1, -1, 2, -1], [0, 1, 3, 4], [2, -1, 5, -1]])
    np.testing.assert_array_equal(windows.areas(count_padding=True), [4, 2, 4, 2])
    np.testing.assert_array_equal(windows.areas(count_padding=False), [2, 1, 4, 2])


def test_grouped_convolution_by_hand():
    windows = Windows((3,), (2,), (2,), (1,), (0,), (1,))
    weight = np.array([[[1.0, 2.0]], [[3.0, 4.0]]])
    expected = [[1, 2, 0, 0, 0, 0], [0, 1, 2, 0, 0, 0], [0, 0, 0, 3, 4, 0], [0, 0, 0, 0, 3, 4]]
    np.testing.assert_array_equal(convolution(windows, weight, 2).toarray(), expected)
    averages = ops.averaged(Chain((2, 3)).input, windows, np.array([2.0, 4.0])).affine.sparse().toarray()
    np.testing.assert_array_equal(averages[2:], [[0, 0, 0, 0.5, 0.5, 0], [0, 0, 0, 0, 0.25, 0.25]])
    units = ops.maxima(ops.windows_table(windows, 2))
    np.testing.assert_array_equal(units.rows.reshape(4, 2), [[0, 1], [1, 2], [3, 4], [4, 5]])


def test_a_window_in_the_padding_has_no_maximum():
    with pytest.raises(ValueError, match="entirely in the padding"):
        ops.maxima(ops.windows_table(Windows((2,), (1,), (2,), (2,), (1,), (3,)), 1))
