"""Max-pooling: walks, recurrences, generating functions, orders, polytopes; against known counts, brute force, the engine."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import regionenum as rn
from regionenum.analysis.theory.winners import consistent_choices
from regionenum.errors import InputError
from tests.exploring import ENGINES, explore
from tests.oracles import pivots
from tests.problems import _pool_network, windows
from tests.test_theory_arrangements import table

theory: Any = rn.theory


def sizes(row, *names):
    return [int(row.get(name, 0)) for name in names]


def test_known_counts_of_one_axis_by_walks_and_by_orders():
    rows = table("maxpool_1d.csv") + table("maxpool_1d_padded.csv")
    assert len(rows) > 150
    for row in rows:
        n, k, s, padding = sizes(row, "n", "k", "s", "padding")
        assert theory.max_pool_1d(n, k, s, padding) == int(row["regions"]), row
        assert theory.max_pool(theory.windows_1d(n, k, s, padding)) == int(row["regions"]), row
        if "windows" in row:
            assert len(theory.windows_1d(n, k, s, padding)) == int(row["windows"])


@pytest.mark.parametrize("row", table("maxpool_2d.csv"), ids=lambda row: " ".join(row.values()))
def test_known_counts_of_two_axes(row):
    rows, cols, kh, kw, sh, sw = sizes(row, "rows", "cols", "kh", "kw", "sh", "sw")
    assert theory.max_pool_2d((rows, cols), (kh, kw), (sh, sw)) == int(row["regions"])
    assert theory.max_pool_2d((cols, rows), (kw, kh), (sw, sh)) == int(row["regions"])


def test_recurrences_for_large_strides():
    for k, s in itertools.product(range(1, 9), range(1, 11)):
        if k <= 2 * s:
            counts = [theory.max_pool_1d_recurrence(m, k, s) for m in range(9)]
            assert counts == [1] + [theory.max_pool_1d((m - 1) * s + k, k, s) for m in range(1, 9)]
            if s >= k - 1:
                assert counts == [k**m for m in range(9)]


@pytest.mark.parametrize("k", range(1, 10))
def test_the_generating_function_for_stride_one(k):
    p, q = theory.max_pool_1d_generating_function(k)
    assert theory.series(p, q, 30) == [1] + [theory.max_pool_1d(m + k - 1, k, 1) for m in range(1, 30)]
    # without common factors, and in the form that the first ones suggest
    assert p == ([1, k - 2, *range(k - 3, 0, -1)] if k > 2 else [1])
    assert q == ([1, -2, -1, *([0] if k > 3 else []), *range(1, k - 3), k - 2][: k + 1] if k > 2 else [1, -k])


def test_three_rows_of_two_by_two_windows():
    for n in range(2, 16):
        assert theory.max_pool_3_by_n(n) == theory.max_pool_2d((3, n), 2, 1)


def test_windows_of_full_height_are_those_of_one_axis():
    for rows, n, k, s in itertools.product((1, 2, 3), (4, 6), (1, 2, 3), (1, 2, 3)):
        expected = theory.max_pool_1d(rows * n, rows * k, rows * s)
        assert theory.max_pool_2d((rows, n), (rows, k), (1, s)) == expected


def test_windows_are_those_of_torch():
    torch = pytest.importorskip("torch")
    for shape, kernel, stride, padding in [
        ((5, 7), (2, 3), (1, 2), (1, 1)),
        ((4, 4), (3, 3), (2, 2), (0, 1)),
        ((1, 6), (1, 4), (1, 3), (0, 2)),
    ]:
        image = torch.randn(1, *shape, dtype=torch.float64)
        expected = torch.nn.functional.max_pool2d(image, kernel, stride, padding).flatten()
        groups = theory.windows_2d(shape, kernel, stride, padding)
        assert [image.flatten()[list(group)].max() for group in groups] == expected.tolist()


def test_max_pooling_with_relus():
    rows = table("maxpool_relu.csv")
    assert len(rows) > 20
    for row in rows:
        rows_, cols, kh, kw, sh, sw = sizes(row, "rows", "cols", "kh", "kw", "sh", "sw")
        groups = windows((rows_, cols), (kh, kw), (sh, sw))
        for order, column in (
            ("relu then pool", "patterns_relu_then_pool"),
            ("pool then relu", "patterns_pool_then_relu"),
            ("maps", "distinct_affine(relu.pool==pool.relu)"),
        ):
            if row[column]:
                assert theory.max_pool_relu(groups, order) == int(row[column]), (row, order)
    four = windows((4, 4), (2, 2), (2, 2))
    assert theory.max_pool_relu(four, "relu then pool") == 1_185_921
    assert theory.max_pool_relu(four, "pool then relu") == 4_096
    assert theory.max_pool_relu(four, "maps") == 625


# Brute force over orders of the inputs --------------------------------------------------------------------------------------

some_groups = st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=4, unique=True), min_size=1, max_size=5)


def winners_by_brute_force(groups):
    """The winners under all orders of the inputs."""
    return {tuple(max(group, key=lambda i: order[i]) for group in groups) for order in itertools.permutations(range(5))}


def weak_orders(n):
    """All ways of ranking n things with ties: levels 0 .. top, all used."""
    for levels in itertools.product(range(n), repeat=n):
        if set(levels) == set(range(max(levels) + 1)):
            yield levels


WEAK_ORDERS = list(weak_orders(5))


def faces_by_brute_force(groups):
    """Faces by dimension: the sets of largest inputs under all weak orders, and the rank of the differences in them."""
    tops = set()
    for levels in WEAK_ORDERS:
        tops.add(tuple(frozenset(i for i in g if levels[i] == max(levels[j] for j in g)) for g in groups))
    found = [0] * 6
    for top in tops:
        differences = []
        for best in top:
            first, *others = sorted(best)
            differences += [[(i == first) - (i == other) for i in range(5)] for other in others]
        found[len(pivots(differences)) if differences else 0] += 1
    while not found[-1]:
        found.pop()
    return tuple(found)


def test_weak_orders_are_all_there():
    assert len(WEAK_ORDERS) == 541  # Fubini number


@settings(max_examples=60, deadline=None)
@given(some_groups)
def test_any_windows_against_all_orders(groups):
    expected = winners_by_brute_force(groups)
    polytope = theory.PoolingPolytope(groups)
    assert theory.max_pool(groups) == len(expected)
    assert len(polytope.winners) == len(expected)
    assert set(polytope.winners) == expected
    assert len(set(polytope.vertices)) == len(expected)
    assert all(sum(vertex) == len(groups) for vertex in polytope.vertices)


@settings(max_examples=40, deadline=None)
@given(some_groups)
def test_faces_against_all_weak_orders(groups):
    polytope = theory.PoolingPolytope(groups)
    assert polytope.f_vector == faces_by_brute_force(groups)
    assert polytope.dim == len(polytope.f_vector) - 1
    assert sum((-1) ** k * count for k, count in enumerate(polytope.f_vector)) == 1
    if polytope.dim:
        assert len(polytope.facets) == polytope.f_vector[-2]
    for facet in polytope.facets:
        inside = [sum(vertex[i] for i in facet.inputs if i < len(vertex)) for vertex in polytope.vertices]
        assert max(inside) == facet.value
        touching = [v for v, value in zip(polytope.vertices, inside, strict=True) if value == facet.value]
        assert len(pivots([[a - b for a, b in zip(v, touching[0], strict=True)] for v in touching])) == polytope.dim - 1


@settings(max_examples=25, deadline=None)
@given(some_groups, st.sampled_from(["", "before", "after"]))
def test_the_engine_counts_the_same_regions(groups, relu):
    count = explore(ENGINES["compiled"](), problem_of(groups, relu)).regions
    orders = {"before": "relu then pool", "after": "pool then relu"}
    assert count == (theory.max_pool_relu(groups, orders[relu]) if relu else theory.max_pool(groups))


def problem_of(groups, relu):
    from regionenum.engine.interface import Problem

    return Problem.over(*_pool_network(groups, (5,), relu))


def test_padded_and_overlapping_pooling_by_engine():
    torch = pytest.importorskip("torch")
    for n, k, s, padding in [(5, 3, 1, 1), (6, 4, 1, 2), (7, 5, 2, 1)]:
        net = rn.load(torch.nn.MaxPool1d(k, s, padding).eval(), torch.zeros(1, 1, n))
        assert rn.enumerate_regions(net, rn.Box(-1, 1)).count == theory.max_pool_1d(n, k, s, padding)
    net = rn.load(torch.nn.MaxPool2d((2, 3), (1, 2), (1, 1)).eval(), torch.zeros(1, 1, 2, 4))
    assert rn.enumerate_regions(net, rn.Box(-1, 1)).count == theory.max_pool_2d((2, 4), (2, 3), (1, 2), (1, 1))


# The pooling polytope ---------------------------------------------------------------------------------------------------------


def test_known_facets_by_formula_and_by_subsets():
    rows = table("maxpool_facets_1d.csv")
    assert len(rows) > 150
    for row in rows:
        n, k, s = sizes(row, "n", "k", "s")
        polytope = theory.PoolingPolytope(theory.windows_1d(n, k, s))
        assert theory.pooling_facets_1d(len(polytope.groups), k, s) == int(row["facets"]), row
        assert len(polytope.facets) == int(row["facets"]), row


def test_larger_polytopes_have_an_euler_characteristic_and_their_vertices():
    for groups in (theory.windows_2d((3, 3), 2, 1), theory.windows_1d(8, 4, 1), theory.windows_1d(7, 3, 1, 1)):
        f = theory.PoolingPolytope(groups).f_vector
        assert f[0] == theory.max_pool(groups)
        assert sum((-1) ** k * count for k, count in enumerate(f)) == 1


def test_a_single_window_is_a_simplex_and_pairs_are_a_permutohedron():
    for k in range(1, 6):
        assert theory.PoolingPolytope([range(k)]).f_vector == tuple(math.comb(k, j + 1) for j in range(k))
    pairs = list(itertools.combinations(range(4), 2))
    assert theory.PoolingPolytope(pairs).f_vector == (24, 36, 14, 1)
    assert theory.max_pool(itertools.combinations(range(7), 2)) == math.factorial(7)


def test_independent_windows_multiply():
    assert theory.max_pool_2d((8, 8), 2) == 4**16
    assert (
        theory.max_pool([*theory.windows_1d(6, 3, 1), *([i + 10 for i in g] for g in theory.windows_1d(6, 3, 1))])
        == 36**2
    )
    assert theory.max_pool([]) == 1
    assert consistent_choices([]) == 1


def test_names_of_inputs_and_the_order_of_windows_do_not_matter():
    groups = np.array(theory.windows_2d((3, 4), 2, 1))
    rng = np.random.default_rng(1)
    for _ in range(5):
        renamed = rng.permutation(40)[groups][rng.permutation(len(groups))]
        assert theory.max_pool(renamed.tolist()) == 1536


REFUSED = [
    (lambda: theory.max_pool_1d(0, 1, 1), "max_pool_1d: n is 0; give a whole number, 1 or more"),
    (
        lambda: theory.max_pool_1d(5, 3, 1, 2),
        "max_pool_1d: padding is 2 for windows of 3; give at most half of a window, 1",
    ),
    (
        lambda: theory.max_pool_1d(2, 5, 1, 1),
        "max_pool_1d: windows of 5 do not fit 2 inputs with padding 1; give windows of 4 or less",
    ),
    (lambda: theory.max_pool_2d((3, 3), 2, 0), "max_pool_2d: stride[0] is 0; give a whole number, 1 or more"),
    (lambda: theory.max_pool_2d(3, 2), "max_pool_2d: shape is 3; give a sequence of 2 whole numbers"),
    (
        lambda: theory.max_pool_2d((9, 9), 3, 1, most_states=50),
        "counting these comparisons needs more than 50 partial orders",
    ),
    (lambda: theory.max_pool([[0], []]), "max_pool: groups[1] is empty; give each window one input or more"),
    (lambda: theory.max_pool([["a"]]), "max_pool: groups[0][0] is 'a'; give a whole number, 0 or more"),
    (lambda: theory.max_pool_relu([[0]], "both"), "max_pool_relu: order is 'both'; give one of 'relu then pool', "),
    (
        lambda: theory.max_pool_1d_recurrence(3, 5, 2),
        "max_pool_1d_recurrence: k is 5 and s is 2; give s of at least k / 2",
    ),
    (lambda: theory.pooling_facets_1d(0, 2, 1), "pooling_facets_1d: m is 0; give a whole number, 1 or more"),
    (lambda: theory.max_pool_3_by_n(1), "max_pool_3_by_n: n is 1; give a whole number, 2 or more"),
    (lambda: theory.PoolingPolytope([]), "PoolingPolytope: groups is empty; give one window or more"),
    (
        lambda: theory.PoolingPolytope([range(21)]).facets,
        "PoolingPolytope: facets of 21 connected inputs would take 2^21 subsets",
    ),
]


@pytest.mark.parametrize(("call", "sentence"), REFUSED, ids=[sentence[:40] for _, sentence in REFUSED])
def test_bad_arguments_are_refused_in_a_sentence(call, sentence):
    with pytest.raises(InputError) as error:
        call()
    assert str(error.value).startswith(sentence)
    assert "\n" not in str(error.value)
