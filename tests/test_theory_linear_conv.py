"""Linear convolutional networks: filters, roots, ranks, and which filters an architecture reaches."""

import itertools
import math
from collections import Counter
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import regionenum as rn
from regionenum.analysis.theory.binary_forms import Form, positive_roots, real_roots
from regionenum.errors import InputError
from regionenum.network.filters import Filter, fuse
from tests.oracles import pivots

theory: Any = rn.theory
INFINITY = "infinity"


def times(a, b):
    """The product of polynomials with complex integer coefficients (pairs), lowest first."""
    found = [(0, 0)] * (len(a) + len(b) - 1)
    for i, (x, y) in enumerate(a):
        for j, (u, v) in enumerate(b):
            found[i + j] = (found[i + j][0] + x * u - y * v, found[i + j][1] + x * v + y * u)
    return found


def form_with(roots):
    """The real coefficients of a form with these roots: complex integers as pairs, or INFINITY, closed under conjugation."""
    product = [(1, 0)]
    for root in roots:
        if root != INFINITY:
            product = times(product, [(-root[0], -root[1]), (1, 0)])
    assert all(imaginary == 0 for _, imaginary in product)
    return [real for real, _ in product] + [0] * roots.count(INFINITY)


REAL = [(0, 0), (1, 0), (-1, 0), (2, 0), (-2, 0), INFINITY]
PAIRS = [(0, 1), (0, 2), (1, 1), (-1, 1), (1, 2), (2, 2), (-2, 2)]


@st.composite
def roots(draw, most=7):
    """A list of roots, with repetitions, closed under conjugation."""
    real = draw(st.lists(st.sampled_from(REAL), max_size=most))
    pairs = draw(st.lists(st.sampled_from(PAIRS), max_size=(most - len(real)) // 2))
    # orbits of the fourth roots of unity, so that strides have something to find
    for root in draw(st.lists(st.sampled_from([(1, 0), (1, 1)]), max_size=1)):
        orbit = [turned(root, k) for k in range(4)]
        real += [z for z in orbit if z[1] == 0]
        pairs += [z for z in orbit if z[1] > 0]
    return [*real, *pairs, *((x, -y) for x, y in pairs)]


def turned(root, quarters):
    """The root times a power of i."""
    x, y = root
    for _ in range(quarters):
        x, y = -y, x
    return x, y


@settings(deadline=None)
@given(roots(), st.integers(-3, 3).filter(bool))
def test_patterns_of_known_roots(known, factor):
    values = [factor * value for value in form_with(known)]
    pattern = theory.root_pattern(values)
    count = Counter(known)
    assert pattern.real == tuple(sorted((m for z, m in count.items() if z == INFINITY or z[1] == 0), reverse=True))
    assert pattern.pairs == tuple(sorted((m for z, m in count.items() if z != INFINITY and z[1] > 0), reverse=True))
    assert pattern.n_real + 2 * sum(pattern.pairs) == len(values) - 1 == Form.of([Fraction(v) for v in values]).degree


def test_roots_that_floating_point_would_not_tell_apart():
    close = Fraction(1, 10**30)
    double = theory.root_pattern([1, -2, 1])
    two = theory.root_pattern([1 - close, -2, 1])  # 1 +- 10^-15
    none = theory.root_pattern([1 + close, -2, 1])
    assert (str(double), str(two), str(none)) == ("2|0", "11|0", "0|1")
    assert theory.root_pattern([0, 0, 0]) is None
    assert str(theory.root_pattern([0, 0, 5, 0])) == "21|0"
    wilkinson = Form.of([Fraction(v) for v in form_with([(k, 0) for k in range(-9, 12) if k])]).finite
    assert (real_roots(wilkinson), positive_roots(wilkinson)) == (20, 11)


values = st.integers(-3, 3)
networks = st.lists(st.tuples(st.lists(values, min_size=1, max_size=4), st.integers(1, 3)), min_size=1, max_size=4)


@settings(deadline=None)
@given(networks)
def test_the_filter_of_the_network(layers):
    """Against the composition of convolutions in the loader, the sizes of the architecture, and a convolution of numbers."""
    filters, strides = [list(layer[0]) for layer in layers], [layer[1] for layer in layers]
    network = theory.linear_conv(filters, strides)
    fused = Filter(np.array([[filters[0]]], float), (strides[0],))
    for one, stride in zip(filters[1:], strides[1:], strict=True):
        fused = fuse(fused, Filter(np.array([[one]], float), (stride,)))
    assert [float(v) for v in network.filter] == fused.weight[0, 0].tolist()
    assert (network.stride,) == fused.stride
    x = np.arange(1, 61) ** 2 % 17
    y = x
    for one, stride in zip(filters, strides, strict=True):
        y = np.correlate(y, one, "valid")[::stride] if len(y) >= len(one) else y[:0]
    if len(y) and len(x) >= len(network.filter):
        expected = np.correlate(x, [int(v) for v in network.filter], "valid")[:: network.stride]
        assert np.array_equal(y[: len(expected)], expected[: len(y)])


@settings(deadline=None)
@given(networks)
def test_what_an_architecture_gives_is_reachable(layers):
    filters, strides = [list(layer[0]) for layer in layers], [layer[1] for layer in layers]
    assert theory.reachable(theory.linear_conv(filters, strides).filter, map(len, filters), strides)


def reached_by_brute_force(known, stages):
    """Whether roots can be dealt out to stages (power, degree, odd degrees): by trying all divisors, root by root."""
    if not stages:
        return not known
    (power, degree, odd), *rest = stages
    count = Counter(known)
    orbits = {}
    for z in count:
        orbit = (
            Counter({z: power}) if z in (INFINITY, (0, 0)) else Counter(turned(z, k * 4 // power) for k in range(power))
        )
        orbits[min(map(str, orbit))] = orbit
    names = sorted(orbits)
    limits = [min(count[z] // n for z, n in orbits[name].items()) for name in names]
    for taken in itertools.product(*(range(limit + 1) for limit in limits)):
        if sum(taken) != degree:
            continue
        part: Counter[Any] = Counter()
        n_real = 0
        for name, times_taken in zip(names, taken, strict=True):
            for z, n in orbits[name].items():
                part[z] += n * times_taken
            n_real += times_taken * is_real_power(next(iter(orbits[name])), power)
        conjugate = Counter({z if z == INFINITY else (z[0], -z[1]): n for z, n in part.items() if n})
        if conjugate == +part and n_real >= odd:
            left = count - part
            if reached_by_brute_force(list(left.elements()), rest):
                return True
    return False


def is_real_power(z, power):
    if z == INFINITY:
        return True
    value = (1, 0)
    for _ in range(power):
        value = (value[0] * z[0] - value[1] * z[1], value[0] * z[1] + value[1] * z[0])
    return value[1] == 0


ARCHITECTURES = [
    ([2, 2, 2, 2], [1, 1, 1, 1]),
    ([3, 3], [1, 1]),
    ([4, 2], [1, 1]),
    ([2, 2], [2, 1]),
    ([3, 2], [2, 1]),
    ([3, 3], [2, 1]),
    ([2, 3], [2, 1]),
    ([2, 2, 2], [2, 1, 1]),
    ([2, 2], [4, 1]),
    ([4, 2], [4, 1]),
    ([2, 2, 2], [2, 2, 1]),
    ([3, 2, 2], [2, 2, 1]),
    ([2, 3, 2], [2, 2, 1]),
    ([1, 3, 2], [2, 2, 3]),
    ([4, 3], [2, 1]),
]


def stages_of(kernels, strides):
    powers = [math.prod(strides[:k]) for k in range(len(strides))]
    return [
        (
            power,
            sum(k - 1 for k, p in zip(kernels, powers, strict=True) if p == power),
            sum((k - 1) % 2 for k, p in zip(kernels, powers, strict=True) if p == power),
        )
        for power in sorted(set(powers), reverse=True)
    ]


@settings(max_examples=300, deadline=None)
@given(roots(), st.sampled_from(ARCHITECTURES))
def test_reachable_filters_by_dealing_out_roots(known, architecture):
    kernels, strides = architecture
    stages = stages_of(kernels, strides)
    size = sum(power * degree for power, degree, _ in stages)
    # made to fit: roots at infinity are added, or real roots and pairs are dropped
    while len(known) > size:
        dropped = known.pop(0)
        if dropped != INFINITY and dropped[1]:
            known.remove((dropped[0], -dropped[1]))
    known += [INFINITY] * (size - len(known))
    assert theory.reachable(form_with(known), kernels, strides) == reached_by_brute_force(known, stages)


def test_both_answers_occur_among_strided_filters():
    """x^4 + 4 = (x^2 + 2 x + 2)(x^2 - 2 x + 2) is no polynomial in x^2 with a real root, x^4 - 4 is one."""
    assert not theory.reachable([4, 0, 0, 0, 1], [1, 2, 2], [2, 1, 1])
    assert theory.reachable([-4, 0, 0, 0, 1], [1, 2, 2], [2, 1, 1])
    assert theory.reachable([4, 0, 0, 0, 1], [3, 3])
    assert not theory.reachable([4, 0, 0, 0, 1], [2, 4])
    # (t - 1)(t^3 + 1): as a product p(t) q(t^3), but not with q in t^2
    values = [-1, 1, 0, -1, 1]
    assert theory.reachable(values, [2, 2], [3, 1])
    assert theory.reachable([Fraction(1, 3), 0.5], [2])
    assert not theory.reachable([1, 1, 1, 1, 2], [2, 2], [3, 1])
    assert theory.reachable([0, 0, 0], [2, 2])


@given(values, values, values)
def test_two_layers_of_two_values_reach_where_the_discriminant_is_not_negative(a, b, c):
    assert theory.reachable([a, b, c], [2, 2]) == (b * b >= 4 * a * c)


def rank_by_differences(filters, strides):
    """The rank of the derivative: of the changes that each parameter makes, as the filter is linear in each of them."""
    base = theory.linear_conv(filters, strides).filter
    columns = []
    for k, one in enumerate(filters):
        for a in range(len(one)):
            changed = [list(each) for each in filters]
            changed[k][a] += 1
            columns.append([x - y for x, y in zip(theory.linear_conv(changed, strides).filter, base, strict=True)])
    return len(pivots(columns))


@settings(deadline=None)
@given(networks)
def test_ranks_by_differences(layers):
    filters, strides = [list(layer[0]) for layer in layers], [layer[1] for layer in layers]
    network = theory.linear_conv(filters, strides)
    assert network.rank == rank_by_differences(filters, strides)
    assert 0 <= network.rank_drop == sum(map(len, filters)) - len(filters) + 1 - network.rank


@settings(deadline=None)
@given(st.lists(roots(most=3), min_size=1, max_size=4))
def test_ranks_without_strides_are_those_of_the_least_common_multiple(known):
    network = theory.linear_conv([form_with(each) for each in known])
    common: Counter[Any] = Counter()
    for each in known:
        common |= Counter(each)
    assert network.rank == 1 + common.total()
    shared = {
        (i, j): (Counter(a) & Counter(b)).total()
        for (i, a), (j, b) in itertools.combinations(enumerate(known), 2)
        if Counter(a) & Counter(b)
    }
    assert network.shared_roots == shared
    assert (network.rank_drop > 0) == bool(shared)


@settings(deadline=None)
@given(roots(most=5), st.lists(st.sampled_from([0, 1, -1, 4, -4, 16]), max_size=3), st.sampled_from([2, 4]))
def test_ranks_of_two_layers_with_a_stride(first, second, stride):
    """The drop is the number of roots of the second layer all of whose stride-th roots are roots of the first."""
    network = theory.linear_conv([form_with(first), form_with([(a, 0) for a in second])], [stride, 1])
    assert network.rank_drop == network.shared_roots.get((0, 1), 0)
    orbits = {1: (1, 0), 16: (2, 0)} if stride == 4 else {1: (1, 0), 4: (2, 0), -1: (0, 1), -4: (0, 2)}
    if stride == 4:
        orbits[-4] = (1, 1)
    count, shared = Counter(first), 0
    for a, n in Counter(second).items():
        if a == 0:
            shared += min(n, count[0, 0] // stride)
        elif a in orbits:
            shared += min(n, *(count[turned(orbits[a], k * 4 // stride)] for k in range(stride)))
    assert network.rank_drop == shared


def test_a_rank_can_drop_though_no_two_layers_share_a_root():
    """The four fourth roots of 16: two of the first layer, +-2 of the second by its root 4, all of the third by its root 16."""
    network = theory.linear_conv([[4, 0, 1], [-4, 1], [-16, 1]], [2, 2, 1])
    assert network.shared_roots == {}
    assert (network.dim, network.rank_drop) == (5, 1)


def test_the_dimension_is_reached_by_generic_filters():
    rng = np.random.default_rng(0)
    for kernels, strides in ARCHITECTURES:
        filters = [rng.integers(1, 10**6, k).tolist() for k in kernels]
        network = theory.linear_conv(filters, strides)
        assert network.rank == network.dim == sum(kernels) - len(kernels) + 1


def test_a_linear_convolutional_network_has_one_region_and_this_filter():
    torch = pytest.importorskip("torch")
    model = (
        torch.nn.Sequential(torch.nn.Conv1d(1, 1, 2, 2, bias=False), torch.nn.Conv1d(1, 1, 3, bias=False))
        .double()
        .eval()
    )
    net = rn.load(model, torch.zeros(1, 1, 12, dtype=torch.float64))
    network = theory.linear_conv([layer.weight[0, 0].tolist() for layer in model], [2, 1])
    kept = net.layers[-1].filter
    assert kept is not None
    np.testing.assert_allclose(kept.weight[0, 0], [float(v) for v in network.filter], rtol=1e-14)
    assert rn.enumerate_regions(net, rn.Box(-1, 1)).count == 1


REFUSED = [
    (
        lambda: theory.linear_conv([]),
        "linear_conv: a filter, or the list of them, is empty; give one value or more for each layer",
    ),
    (lambda: theory.linear_conv([[1], []]), "linear_conv: a filter, or the list of them, is empty; "),
    (
        lambda: theory.linear_conv([[1, "x"]]),
        "linear_conv: filters[0][1] is 'x'; give a finite number (int, float or Fraction)",
    ),
    (lambda: theory.linear_conv([[1]], [1, 1]), "linear_conv: strides is [1, 1]; give a sequence of 1 whole numbers"),
    (lambda: theory.linear_conv([[1]], [0]), "linear_conv: strides[0] is 0; give a whole number, 1 or more"),
    (lambda: theory.linear_conv([1]), "linear_conv: filters[0] is 1; give a sequence of numbers"),
    (lambda: theory.reachable([1, 2], [3]), "reachable: the filter has 2 values, but the architecture gives 3; give 3"),
    (lambda: theory.reachable([1], []), "reachable: kernels is empty; give the size of one filter or more"),
    (lambda: theory.reachable([1], [0]), "reachable: kernels[0] is 0; give a whole number, 1 or more"),
    (lambda: theory.root_pattern([]), "root_pattern: values is empty; give one value or more"),
    (lambda: theory.root_pattern([float("inf")]), "root_pattern: values[0] is inf; give a finite number"),
]


@pytest.mark.parametrize(("call", "sentence"), REFUSED, ids=[sentence[:40] for _, sentence in REFUSED])
def test_bad_arguments_are_refused_in_a_sentence(call, sentence):
    with pytest.raises(InputError) as error:
        call()
    assert str(error.value).startswith(sentence)
    assert "\n" not in str(error.value)
