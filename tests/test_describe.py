"""Descriptions: what the table says, and that the bound on the number of regions is one."""

import json
import math
from itertools import combinations, pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import regionenum as rn
from regionenum.cli import main
from regionenum.domain import Box
from regionenum.engine.interface import Problem, Record
from regionenum.errors import InputError
from regionenum.network.describe import brief, cells_at_most
from regionenum.network.filters import Filter, fuse
from regionenum.network.layers import Layer, Network
from regionenum.network.storage import load_npz, save_npz
from regionenum.network.units import IDENTITY, MAXIMUM, RELU, PiecewiseLinear, Units, leaky_relu
from regionenum.network.windows import Windows, convolution
from tests.exploring import ENGINES, explore
from tests.strategies import HARDTANH, STAIRS, cases


def relu_chain(rng, *sizes):
    layers = [
        Layer(f"relu{k}", rng.standard_normal((n, m)), rng.standard_normal(n), Units.pointwise(RELU, n))
        for k, (m, n) in enumerate(pairwise(sizes))
    ]
    return Network(tuple(layers), sizes[:1])


def count(network, box):
    return explore(ENGINES["compiled"](), Problem.over(network, box), Record.NONE).regions


def sum_over_sets(extra, dim):
    """The formula as it is written."""
    return sum(math.prod(chosen) for size in range(dim + 1) for chosen in combinations(extra, size))


@given(st.lists(st.integers(0, 4), max_size=9), st.integers(0, 10))
def test_the_sum_is_the_sum_over_all_sets(extra, dim):
    assert cells_at_most(np.array(extra, np.int64), dim) == sum_over_sets(extra, min(dim, len(extra)))


def test_large_sums_are_fast_and_have_a_limit():
    mixed = np.repeat([1, 3, 8], [3000, 400, 400])
    assert cells_at_most(mixed, 300) < cells_at_most(mixed, 301) < 2**3000 * 4**400 * 9**400
    assert cells_at_most(np.ones(10**6, np.int64), 10**5) == 2**10**6


@settings(max_examples=60, deadline=None)
@given(cases())
def test_no_network_has_more_regions_than_its_bound(case):
    network, box = case
    assert count(network, box) <= network.describe(Problem.over(*case).dim).bound <= network.describe().bound


@pytest.mark.parametrize(("n_in", "n"), [(1, 6), (2, 7), (3, 6), (4, 3)])
def test_a_generic_layer_of_relus_meets_the_bound(n_in, n):
    network = relu_chain(np.random.default_rng(n), n_in, n)
    assert network.describe().bound == sum(math.comb(n, i) for i in range(n_in + 1))
    assert count(network, Box(-1e4, 1e4)) == network.describe().bound


def test_a_layer_with_several_breakpoints_meets_the_bound():
    """Three functions with 2, 3 and 1 breakpoints of two inputs: parallel lines do not meet."""
    units = Units((HARDTANH, STAIRS, RELU), np.arange(3), np.arange(4), np.arange(3))
    weight = np.array([[1.0, 0.25], [-0.5, 1.0], [1.0, 1.0]])
    network = Network((Layer("f", weight, np.array([0.1, 0.2, 0.3]), units),), (2,))
    assert network.describe().bound == 1 + (2 + 3 + 1) + (6 + 3 + 2)
    assert count(network, Box(-100, 100)) == 18


def test_a_generic_maximum_has_one_region_for_each_candidate():
    """Tangent planes of a paraboloid; and two such maxima of one input, whose breakpoints differ."""
    t = np.linspace(-1, 1, 5)
    network = Network((Layer("max", 2 * t[:, None], -(t**2), Units.maxima([range(5)])),), (1,))
    assert network.describe().bound == count(network, Box(-3, 3)) == 5
    both = np.concatenate([t, t + 0.1])
    units = Units.maxima([range(5), range(5, 10)])
    network = Network((Layer("max", 2 * both[:, None], -(both**2), units),), (1,))
    assert network.describe().bound == count(network, Box(-3, 3)) == 9


def test_the_dimension_is_the_least_width_passed():
    described = relu_chain(np.random.default_rng(0), 5, 3, 8, 2).describe()
    assert [layer.dim for layer in described.layers] == [3, 3, 2]
    assert described.bound == 2**3 * (1 + 8 + 28 + 56) * 2**2
    assert relu_chain(np.random.default_rng(0), 5, 3).describe(dim=1).bound == 4
    with pytest.raises(InputError, match=r"^dim is 0; give the dimension of a domain, 1 or more$"):
        relu_chain(np.random.default_rng(0), 5, 3).describe(0)


def test_rows_without_weights_do_not_cut():
    weight = np.array([[1.0], [0.0], [2.0]])
    network = Network((Layer("relu", weight, np.ones(3), Units.pointwise(RELU, 3)),), (1,))
    assert network.describe().bound == 3
    assert network.describe().layers[0].n_weights == 2


def mixed_network():
    functions = (
        RELU,
        HARDTANH,
        IDENTITY,
        leaky_relu(0.25),
        leaky_relu(-1.0),
        STAIRS,
        PiecewiseLinear((), (2.0,), (0.0,)),
    )
    function_of = np.array([0, 0, 1, 2, 3, 4, 5, 6, MAXIMUM])
    units = Units(functions, function_of, np.array([*range(9), 10]), np.array([*range(8), 0, 1]))
    kept = Filter(np.array([[[1.0, -2.0]]]), (1,))
    first = Layer("mixed", sp.csr_array(np.eye(8)), np.zeros(8), units, kept)
    last = Layer("head", np.ones((3, 9)), np.zeros(3), Units.identity(3))
    return Network((first, last), (2, 4), notes=("a remark",))


def test_the_table(capsys, tmp_path):
    text = str(mixed_network().describe())
    header, mixed, head, *sentences = text.splitlines()
    assert " ".join(header.split()) == "layer rows units weights dimension at most splits a cell into at most"
    for kind in (
        "2 relu, ",
        "1 hardtanh-like (2 breakpoints)",
        "1 identity",
        "1 leaky relu (0.25)",
        "1 abs",
        "1 piecewise linear (3 breakpoints)",
        "1 affine",
        "1 max of 2",
    ):
        assert kind in mixed
    assert "8 (sparse)" in mixed
    assert mixed.split()[-2:] == ["8", brief(2**2 * 3 * 2 * 2 * 4 * 2)]
    assert head.split() == ["head", "3", "none", "27", "(dense)", "3", "1"]
    assert sentences == [
        "input: 2 x 4; at most 384 regions in a domain of dimension 8",
        "`mixed` is a convolution of 1 x 1 channels, kernel 2, stride 1: [[[ 1., -2.]]]",
        "note: a remark",
    ]
    save_npz(mixed_network(), tmp_path / "net.npz")
    assert main(["describe", str(tmp_path / "net.npz")]) == 0
    printed = capsys.readouterr().out
    assert all(sentence in printed for sentence in sentences)
    assert "1 hardtanh-like (2 breakpoints)" in printed
    assert main(["describe", str(tmp_path / "net.npz"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["bound"], found["notes"], found["input_shape"]) == (384, ["a remark"], [2, 4])
    assert found["layers"][0]["units"]["max of 2"] == 1
    assert found["layers"][0]["filter"] == {"shape": [1, 1, 2], "stride": [1], "weight": [[[1.0, -2.0]]]}
    assert found["layers"][1]["filter"] is None


def test_bounds_of_any_size_are_printed(capsys, tmp_path):
    network = Network((Layer("relu", np.ones((20_000, 1)) @ np.ones((1, 4)), np.zeros(20_000), RELUS),), (4,))
    assert network.describe().bound == sum(math.comb(20_000, i) for i in range(5))
    wide = Network((Layer("relu", sp.eye_array(20_000, format="csr"), np.zeros(20_000), RELUS),), (20_000,))
    assert "at most 3.99e+6020 regions" in str(wide.describe())
    save_npz(wide, tmp_path / "wide.npz")
    assert main(["describe", str(tmp_path / "wide.npz"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["bound"] is None
    assert found["log10_bound"] == pytest.approx(20_000 * math.log10(2))


RELUS = Units.pointwise(RELU, 20_000)


def test_numbers_are_rounded_up():
    known = {
        0: "0",
        999_999_999_999: "999,999,999,999",
        10**12: "1.00e+12",
        10**12 + 1: "1.01e+12",
        10**15 - 1: "1.00e+15",
        9_995 * 10**12: "1.00e+16",
        3 * 10**20_000: "3.01e+20000",
    }
    assert [brief(n) for n in known] == list(known.values())


def test_filters_and_notes_are_stored_and_not_hashed(tmp_path, capsys):
    network = mixed_network()
    plain = Network(
        tuple(Layer(*(getattr(a, k) for k in ("name", "weight", "bias", "units"))) for a in network.layers), (2, 4)
    )
    assert network.hash == plain.hash
    save_npz(network, tmp_path / "net.npz")
    again = load_npz(tmp_path / "net.npz")
    assert again.notes == ("a remark",)
    kept = again.layers[0].filter
    assert kept is not None
    assert kept.stride == (1,)
    np.testing.assert_array_equal(kept.weight, [[[1.0, -2.0]]])
    assert again.layers[1].filter is None
    save_npz(plain, tmp_path / "plain.npz")
    assert load_npz(tmp_path / "plain.npz").notes == ()
    assert main(["count", str(tmp_path / "net.npz"), "--box", "-1", "1"]) == 0
    assert "note: a remark" in capsys.readouterr().out
    assert rn.load(tmp_path / "net.npz").notes == ("a remark",)


@pytest.mark.parametrize(
    ("size", "kernels", "strides"),
    [((17,), (3, 2), (2, 3)), ((9, 8), ((2, 3), (3, 1)), ((1, 2), (2, 1))), ((6, 7, 5), (2, 2), (2, 1)), ((), (), ())],
)
def test_fused_filters_are_torchs_two_convolutions(size, kernels, strides):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    n = len(size)
    filters = []
    for k, (c_out, c_in) in enumerate([(3, 2), (4, 3)]):
        kernel, stride = (np.broadcast_to(given[k] if n else (), n).tolist() for given in (kernels, strides))
        filters.append(Filter(rng.integers(-8, 9, (c_out, c_in, *kernel)) / 4.0, tuple(stride)))
    fused = fuse(*filters)
    assert fused.stride == tuple(s * t for s, t in zip(*(f.stride for f in filters), strict=True))
    x = torch.from_numpy(rng.integers(-8, 9, (5, 2, *size)) / 2.0)
    if not n:
        np.testing.assert_array_equal(fused.weight, filters[1].weight @ filters[0].weight)
        return
    conv = getattr(torch.nn.functional, f"conv{n}d")
    y = x
    for f in filters:
        y = conv(y, torch.from_numpy(f.weight), stride=f.stride)
    # dyadic weights: every sum is exact
    assert torch.equal(conv(x, torch.from_numpy(fused.weight), stride=fused.stride), y)


def test_a_fused_filter_has_the_matrix_of_both():
    rng = np.random.default_rng(4)
    first, second = Filter(rng.integers(-3, 4, (2, 1, 3)) / 2, (2,)), Filter(rng.integers(-3, 4, (1, 2, 2)) / 2, (3,))

    def matrix(f, size):
        out = (size - f.kernel[0]) // f.stride[0] + 1
        return convolution(Windows((size,), (out,), f.kernel, f.stride, (0,), (1,)), f.weight, 1), out

    (a, middle), (c, _) = matrix(first, 23), matrix(fuse(first, second), 23)
    b, _ = matrix(second, middle)
    np.testing.assert_array_equal((b @ a).toarray(), c.toarray())


def test_filters_that_are_refused():
    with pytest.raises(InputError, match=r"^filter: weight has shape \(1, 2, 3\) and stride is \(0,\); give"):
        Filter(np.ones((1, 2, 3)), (0,))
    with pytest.raises(InputError, match=r"cannot follow each other"):
        fuse(Filter(np.ones((1, 2, 3)), (1,)), Filter(np.ones((1, 2, 3)), (1,)))


def test_convolutions_without_units_are_one_convolution():
    """Three convolutions (stride, groups, dilation) are loaded as one layer, whose filter is their composition."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    convolutions = [
        torch.nn.Conv2d(1, 2, 3, stride=2),
        torch.nn.Conv2d(2, 2, 2, dilation=2, groups=2),
        torch.nn.Conv2d(2, 1, 2, stride=(1, 2)),
    ]
    module = torch.nn.Sequential(*convolutions).double().eval()
    net = rn.load(module, torch.zeros(1, 1, 16, 16))
    assert len(net.layers) == 1
    known = net.layers[0].filter
    assert known is not None
    # 3 + (3 - 1) * 2 + (2 - 1) * 2 along each axis
    assert known.weight.shape == (1, 1, 9, 9)
    assert known.stride == (2, 4)
    x = torch.randn(1, 1, 16, 16, dtype=torch.float64)
    with torch.no_grad():
        linear_part = module(x) - module(torch.zeros_like(x))
    ours = torch.nn.functional.conv2d(x, torch.from_numpy(known.weight), stride=known.stride)
    np.testing.assert_allclose(ours.numpy(), linear_part.numpy(), atol=1e-14)
    upper = np.zeros((1, 16, 16))
    upper[0, 3:5, 3:5] = 1.0
    assert rn.enumerate_regions(net, rn.Box(np.zeros((1, 16, 16)), upper)).count == 1
    padded = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 3, padding=1)).double().eval()
    assert rn.load(padded, torch.zeros(1, 1, 4, 4)).layers[0].filter is None
