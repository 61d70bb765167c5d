from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from regionenum.domain import Box, Chart
from regionenum.enumeration import enumerate_regions
from regionenum.exact.maps import MapDigests, distinct
from regionenum.exact.residues import PRIMES, residues
from regionenum.network.layers import Layer, Network
from regionenum.network.units import MAXIMUM, RELU, PiecewiseLinear, Units, leaky_relu
from tests.affine_maps import affine_maps
from tests.line import LineEngine, chain, relu_chain

BENT = PiecewiseLinear((-1.0, 2.5), (0.1, -3.0, 1e-3), (0.1 - 3.0, 0.0, 7.7))


def residue(x: Fraction, prime: int) -> int:
    return x.numerator * pow(x.denominator, -1, prime) % prime


def exact_map(network: Network, chart: Chart, pieces: list[int]) -> list[list[Fraction]]:
    """Rows (A, b) of the affine map on the cell with these pieces, in rational arithmetic."""

    def product(weight, rows, bias):
        dense = weight.toarray() if isinstance(weight, sp.csr_array) else weight
        out = []
        for w, b in zip(dense.tolist(), bias.tolist(), strict=True):
            row = [sum((Fraction(c) * r[k] for c, r in zip(w, rows, strict=True)), Fraction(0)) for k in range(d + 1)]
            row[d] += Fraction(b)
            out.append(row)
        return out

    d = chart.dim
    directions = [[Fraction(v) for v in row] for row in chart.directions.toarray().tolist()]
    values = [[*row, Fraction(b)] for row, b in zip(directions, chart.origin.tolist(), strict=True)]
    left = list(pieces)
    for k, layer in enumerate(network.layers):
        values = product(layer.weight, values, layer.bias)
        if k == len(network.unit_layers):
            break
        after, units = [], layer.units
        for u, f in enumerate(units.function_of):
            piece, row = left.pop(0), int(units.rows[units.indptr[u]])
            if f == MAXIMUM:
                after.append(values[units.rows[units.indptr[u] + piece]])
                continue
            slope, intercept = (
                Fraction(side[piece]) for side in (units.functions[f].slopes, units.functions[f].intercepts)
            )
            after.append([slope * v for v in values[row]])
            after[-1][d] += intercept
        values = after
    return values


def mixed_network(seed: int, sparse: bool) -> Network:
    """Three pointwise functions and maxima, weights from 2^-1074 to 1e300."""
    random = np.random.default_rng(seed)
    units = Units(
        (RELU, BENT, leaky_relu(0.1)),
        np.array([0, MAXIMUM, 1, 2, MAXIMUM]),
        np.array([0, 1, 4, 5, 6, 7]),
        np.array([0, 3, 1, 2, 2, 5, 4]),
    )
    scales = np.array([5e-324, 1e-300, 0.1, 1.0, 1e300])

    def matrix(rows, columns):
        w = (
            random.normal(size=(rows, columns))
            * random.choice(scales, (rows, columns))
            * random.integers(0, 2, (rows, columns))
        )
        return sp.csr_array(w) if sparse else w

    sizes = ((6, 3, units), (7, 5, Units.pointwise(BENT, 7)), (2, 7, Units.identity(2)))
    layers = [Layer(f"l{k}", matrix(r, c), random.normal(size=r), u) for k, (r, c, u) in enumerate(sizes)]
    return Network(tuple(layers), (3,))


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(PRIMES))
def test_residues_of_floats(x, prime):
    assert residues(x, prime) == residue(Fraction(x), prime)


def test_residues_of_extreme_floats():
    x = np.array([[0.0, -0.0, 5e-324, -5e-324], [2.0**-1022, 1.7976931348623157e308, -1e308, 2.0**1023]])
    for prime in PRIMES:
        expected = [[residue(Fraction(v), prime) for v in row] for row in x.tolist()]
        assert residues(x, prime).tolist() == expected


@pytest.mark.parametrize("prime", PRIMES)
def test_two_is_a_primitive_root(prime):
    def factors(n):
        found, k = set(), 2
        while k * k <= n:
            while n % k == 0:
                found.add(k)
                n //= k
            k += 1
        return found | ({n} if n > 1 else set())

    assert factors(prime) == {prime}
    assert all(pow(2, (prime - 1) // q, prime) != 1 for q in factors(prime - 1))


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_affine_maps_are_those_of_rational_arithmetic(seed, sparse):
    net = mixed_network(seed, sparse)
    chart = Box([-0.3, 1.0, 1e-9], [0.7, 1.0, 3e7]).chart((3,))
    assert chart.dim == 2
    n_pieces = np.concatenate([layer.units.n_pieces for layer in net.unit_layers])
    pieces = np.random.default_rng(seed).integers(0, n_pieces, (5, len(n_pieces))).astype(np.uint16)
    for prime in PRIMES:
        maps = affine_maps(net, chart, pieces, prime)
        for found, row in zip(maps.tolist(), pieces.tolist(), strict=True):
            assert found == [[residue(v, prime) for v in r] for r in exact_map(net, chart, row)]


@pytest.mark.parametrize("sparse", [False, True])
def test_long_sums_do_not_overflow(sparse):
    """300 terms, more than a block of float64 holds, with residues near the primes."""
    w = np.full((2, 300), -5e-324)
    first = Layer("l0", np.full((300, 1), -1e-300), np.full(300, -1.0), Units.pointwise(RELU, 300))
    net = Network((first, Layer("l1", sp.csr_array(w) if sparse else w, np.ones(2), Units.identity(2))), (1,))
    chart = Box(-1, 1).chart((1,))
    pieces = np.ones((1, 300), np.uint16)
    for prime in PRIMES:
        expected = [[residue(v, prime) for v in row] for row in exact_map(net, chart, [1] * 300)]
        assert affine_maps(net, chart, pieces, prime)[0].tolist() == expected


@given(st.integers(0, 1000))
def test_digests_agree_exactly_where_maps_agree(seed):
    """Small dyadic weights, so that equal maps do occur."""
    random = np.random.default_rng(seed)
    net = relu_chain(
        (random.integers(-1, 2, (4, 2)), random.integers(-1, 2, 4)),
        (random.integers(-1, 2, (3, 4)), random.integers(-1, 2, 3)),
        (random.integers(-1, 2, (2, 3)), [0, 0]),
    )
    chart = Box(-2, 2).chart((2,))
    pieces = random.integers(0, 2, (20, 7)).astype(np.uint16)
    exact = {str(exact_map(net, chart, row)) for row in pieces.tolist()}
    digests = MapDigests(net, chart)(pieces)
    assert len(distinct(digests)) == len(exact)
    np.testing.assert_array_equal(MapDigests(net, chart)(pieces[3:7]), digests[3:7])


def test_maps_that_differ_in_the_last_bit_are_different():
    w = np.array([[1.0], [np.nextafter(1.0, 2.0)]])
    units = Units.maxima([[0, 1]])
    chart = Box(1, 2).chart((1,))
    digests = MapDigests(chain((w, np.zeros(2), units)), chart)(np.array([[0], [1]], np.uint16))
    assert len(distinct(digests)) == 2


def test_a_scale_of_two_to_the_31_is_seen():
    units = Units.maxima([[0, 1]])
    chart = Box(1, 2).chart((1,))
    net = chain(([[1.0], [2.0**31]], np.zeros(2), units))
    assert len(distinct(MapDigests(net, chart)(np.array([[0], [1]], np.uint16)))) == 2


def test_relu_minus_relu_of_the_negative_is_one_map():
    net = relu_chain(([[1.0], [-1.0]], [0, 0]), ([[1.0, -1.0]], [0]))
    result = enumerate_regions(net, Box(-1, 1), record="regions", engine=LineEngine())
    assert (result.count, result.distinct_maps()) == (2, 1)


def test_networks_without_an_affine_end_or_without_units():
    last_units = chain(([[1.0], [1.0]], [0.0, 0.0], Units.pointwise(RELU, 2)))
    result = enumerate_regions(last_units, Box(-1, 1), record="regions", engine=LineEngine())
    assert (result.count, result.distinct_maps()) == (2, 2)
    affine = chain(([[2.0]], [1.0], None))
    assert (
        affine_maps(affine, Box(-1, 3).chart((1,)), np.zeros((2, 0), np.uint16), PRIMES[0]).tolist()
        == [[[8, PRIMES[0] - 1]]] * 2
    )
