"""Pictures: the polygons are the regions, the colours say what they should, and what cannot be drawn is refused."""

import dataclasses
import re
import sys
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import assume, given, settings

import regionenum as rn
from regionenum.analysis.colouring import CLASSES, DIMENSIONS, LIGHT, coloured, neighbours
from regionenum.analysis.picture import Axes, chart_of, picture
from regionenum.analysis.polygons import Polygons, class_polygons, output_values, region_polygons
from regionenum.analysis.pullback import ROUNDING, Pullback, coordinates
from regionenum.cli import main
from regionenum.cli.doctor import star_network
from regionenum.domain import Box, HalfSpaces
from regionenum.errors import InputError
from regionenum.network.layers import Layer, Network
from regionenum.network.transform import with_decision
from regionenum.network.units import RELU, Units
from regionenum.results.patterns import Packing
from regionenum.results.schema import fixed_array
from tests.line import relu_chain
from tests.strategies import cases

BUDGET = settings(max_examples=60, deadline=None)


def relu_network(seed, *sizes):
    """Random ReLU layers, and a last layer without units."""
    rng = np.random.default_rng(seed)
    layers = []
    for k, (n_in, n) in enumerate(pairwise(sizes)):
        weight, bias = rng.standard_normal((n, n_in)) * np.sqrt(2 / n_in), rng.standard_normal(n) / 2
        last = k + 2 == len(sizes)
        layers.append(Layer("head" if last else f"relu{k}", weight, bias, (Units.identity if last else relus)(n)))
    return Network(tuple(layers), sizes[:1])


def relus(n):
    return Units.pointwise(RELU, n)


def enumerated(network, box):
    result = rn.enumerate_regions(network, box, record="regions")
    chart = box.chart(network.input_shape)
    return result, chart, Packing.of(network).unpack(fixed_array(result.regions.column("pattern")))


def contains(polygons, y):
    """(n_points, n) whether the point is in the closed polygon."""
    return np.stack([polygons.contain(np.broadcast_to(point, (len(polygons), len(point))), 1e-12) for point in y])


def dyadic_points(n, dim, seed=0):
    """Points of the cube on which dyadic networks are evaluated without rounding, seldom on a hyperplane."""
    return np.random.default_rng(seed).integers(1, 2**12, (n, dim)) / 2**12


@BUDGET
@given(cases(max_in=2))
def test_polygons_are_the_regions(case):
    network, box = case
    result, chart, pieces = enumerated(network, box)
    assume(result.count <= 500)
    polygons = region_polygons(network, chart, pieces)
    assert len(polygons) == result.count
    assert polygons.areas.min() > 0.0
    assert polygons.areas.sum() == pytest.approx(1.0, abs=1e-9)
    y = dyadic_points(100, chart.dim)
    inside = contains(polygons, y)
    number = {p.tobytes(): k for k, p in enumerate(pieces.astype(np.int64))}
    for point, pattern in enumerate(network.pattern(chart.to_input(y))):
        # a point on a hyperplane can have a pattern that no region has
        if pattern.tobytes() in number:
            assert inside[point, number[pattern.tobytes()]]
        else:
            assert inside[point].sum() > 1
    assert (inside.sum(axis=1) >= 1).all()


@pytest.mark.parametrize("sizes", [(2, 30, 30, 3), (1, 20, 20, 2), (2, 6, 1)])
def test_witnesses_lie_in_their_polygons(sizes):
    network, box = relu_network(0, *sizes), Box(-3, 5)
    result, chart, pieces = enumerated(network, box)
    polygons = region_polygons(network, chart, pieces)
    assert polygons.areas.sum() == pytest.approx(1.0, abs=1e-9)
    witnesses = (fixed_array(result.regions.column("witness")) + 3) / 8
    for k, y in enumerate(witnesses):
        assert contains(polygons.take(np.array([k])), y[None])[0].all()


@BUDGET
@given(cases(max_in=2, max_layers=2))
def test_classes_are_the_largest_outputs(case):
    network, box = case
    assume(network.n_out > 1)
    result, chart, pieces = enumerated(network, box)
    assume(result.count <= 300)
    polygons, label = class_polygons(network, chart, pieces)
    assert polygons.areas.sum() == pytest.approx(1.0, abs=1e-9)
    y = dyadic_points(60, chart.dim, seed=1)
    outputs = network.forward(chart.to_input(y))
    for point, inside in enumerate(contains(polygons, y)):
        found = {int(k) for k in label[inside]}
        largest = np.flatnonzero(outputs[point] == outputs[point].max())
        assert int(largest[0]) in found
        # on a boundary between classes both are there
        assert found <= set(largest.tolist())


def test_a_class_between_two_others_needs_no_corner():
    """Outputs -y, 0.1, y - 1 on the square, without units: the middle one is largest on a strip."""
    weight, bias = np.array([[-10.0, 0.0], [0.0, 0.0], [10.0, 0.0]]), np.array([4.0, 0.0, -6.0])
    network = Network((Layer("head", weight, bias, Units.identity(3)),), (2,))
    result, chart, pieces = enumerated(network, Box(0, 1))
    polygons, label = class_polygons(network, chart, pieces)
    assert (result.count, label.tolist()) == (1, [0, 1, 2])
    np.testing.assert_allclose(polygons.areas, [0.4, 0.2, 0.4])
    assert picture(result.findings, "class").legend == {0: "class 0: 40.0%", 1: "class 1: 20.0%", 2: "class 2: 40.0%"}


def test_of_equal_outputs_the_first_is_the_class():
    weight = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    network = Network((Layer("head", weight, np.zeros(3), Units.identity(3)),), (2,))
    polygons, label = class_polygons(network, *enumerated(network, Box(0, 1))[1:])
    assert label.tolist() == [0, 2]
    np.testing.assert_allclose(polygons.areas, [0.5, 0.5])


def test_a_decision_at_the_end_gives_the_same_classes():
    network, box = relu_network(4, 2, 8, 4), Box(-2, 2)
    decided = rn.enumerate_regions(with_decision(network), box, record="regions")
    split = picture(rn.enumerate_regions(network, box, record="regions").findings, "class")
    drawn = picture(decided.findings, "class")
    assert len(drawn.polygons) == decided.count == len(split.polygons)
    assert drawn.legend == split.legend
    areas = [np.bincount(p.value, weights=p.polygons.areas) for p in (drawn, split)]
    np.testing.assert_allclose(areas[0], areas[1], atol=1e-9)


def test_outputs_at_the_ends_of_intervals():
    network, box = relu_network(5, 1, 9, 5, 2), Box(-3, 3)
    _, chart, pieces = enumerated(network, box)
    intervals, outputs = output_values(network, chart, pieces)
    x = chart.to_input(intervals.corners.reshape(-1, 1))
    np.testing.assert_allclose(outputs.reshape(-1, 2), network.forward(x), atol=1e-9)
    ends = np.sort(intervals.corners[..., 0], axis=1)
    ends = ends[np.argsort(ends[:, 0])]
    np.testing.assert_allclose(ends[1:, 0], ends[:-1, 1], atol=1e-12)
    assert (ends[0, 0], ends[-1, 1]) == (0.0, 1.0)


def test_dense_and_sparse_weights_have_the_same_forms():
    network = relu_network(6, 2, 5, 5, 2)
    sparse = Network(tuple(Layer(a.name, sp.csr_array(a.weight), a.bias, a.units) for a in network.layers), (2,))
    _, chart, pieces = enumerated(network, Box(-1, 1))
    dense, other = Pullback(network, chart, pieces), Pullback(sparse, chart, pieces)
    for a, b in zip(dense, other, strict=True):
        np.testing.assert_allclose(a.forms, b.forms, atol=1e-14)
        np.testing.assert_allclose(a.error, b.error)
    assert dense.outputs.shape == (2, 3, len(pieces))
    np.testing.assert_allclose(dense.outputs, other.outputs, atol=1e-14)


def test_clipping_one_square():
    _, chart, _ = enumerated(relu_network(0, 2, 2, 2), Box(-1, 1))
    for form, area, corners in (
        ([1.0, 0.0, -0.25], 0.75, 4),
        ([1.0, 1.0, -1.5], 0.125, 3),
        ([-1.0, -1.0, 1.5], 0.875, 5),
        ([1.0, -1.0, 0.0], 0.5, 3),
        ([0.0, 0.0, -1e-17], 1.0, 4),
        ([1.0, 0.0, -2.0], 0.0, 0),
        ([1.0, 0.0, 0.0], 1.0, 4),
    ):
        one = Polygons.domain(chart, 3)
        one.clip(HalfSpaces.positive(np.array([form] * 3), np.full(3, ROUNDING)))
        np.testing.assert_allclose(one.areas, area)
        assert one.size.tolist() == [corners] * 3


@pytest.mark.parametrize("sizes", [(2, 12, 12, 3), (1, 12, 3)])
def test_neighbours_differ_in_colour(sizes):
    network, box = relu_network(7, *sizes), Box(-3, 3)
    result, chart, pieces = enumerated(network, box)
    polygons = region_polygons(network, chart, pieces)
    first, second = neighbours(network, chart, pieces, polygons)
    pairs = {frozenset(pair) for pair in zip(first.tolist(), second.tolist(), strict=True)}
    # regions on both sides of a generic hyperplane differ in one unit
    assert all(np.count_nonzero(pieces[a] != pieces[b]) == 1 for a, b in pairs)
    assert len(pairs) >= (result.count - 1 if sizes[0] == 1 else 1.5 * result.count)
    colours = coloured(result.count, (first, second))
    assert all(colours[a] != colours[b] for a, b in pairs)
    assert colours.max() < len(LIGHT)


def touch(a, b):
    """Whether two polygons share more than a point of their boundaries; corners (k, 2) each."""
    for p, q in zip(a, np.roll(a, -1, axis=0), strict=True):
        length = np.linalg.norm(q - p)
        along = (q - p) / length
        across = np.array([-along[1], along[0]])
        for r, s in zip(b, np.roll(b, -1, axis=0), strict=True):
            if max(abs((r - p) @ across), abs((s - p) @ across)) < 1e-10:
                low, high = sorted([(r - p) @ along, (s - p) @ along])
                if min(length, high) - max(0.0, low) > 1e-6:
                    return True
    return False


@BUDGET
@given(cases(max_in=2))
def test_neighbours_are_the_polygons_that_touch(case):
    """Degenerate networks have edges that end in the middle of another region's edge."""
    network, box = case
    result, chart, pieces = enumerated(network, box)
    assume(chart.dim == 2 and result.count <= 30)
    polygons = region_polygons(network, chart, pieces)
    found = {frozenset(pair) for pair in zip(*map(list, neighbours(network, chart, pieces, polygons)), strict=True)}
    corners = [polygons.corners[k, : polygons.size[k]] for k in range(result.count)]
    assert found == {
        frozenset((i, j)) for i, j in combinations(range(result.count), 2) if touch(corners[i], corners[j])
    }


def test_colours_when_there_are_too_few():
    everyone = np.array([(a, b) for a in range(5) for b in range(5) if a != b])
    assert len(set(coloured(5, (everyone[:, 0], everyone[:, 1])).tolist())) == 5
    assert coloured(5, (everyone[:, 0], everyone[:, 1]), 3).max() == 2


def test_axes_are_inputs_where_they_can_be():
    box = Box(np.array([[1.0, -2.0, 0.0]]), np.array([[1.0, 2.0, 3.0]]))
    axes = Axes.of(box.chart((1, 3)), (1, 3))
    assert axes.labels == ("input (0, 1)", "input (0, 2)")
    np.testing.assert_allclose(axes.of_points(np.array([[0.5, 1.0]])), [[0.0, 3.0]])
    chart = box.chart((1, 3))
    mixed = type(chart)(chart.origin, sp.csr_array(chart.directions.toarray() + 1.0))
    assert Axes.of(mixed, (1, 3)).labels == ("coordinate 0", "coordinate 1")
    np.testing.assert_allclose(coordinates(chart), [[0, 0, 1], [4, 0, -2], [0, 3, 0]])


def test_dimensions_after_a_layer():
    result = rn.enumerate_regions(star_network(), Box(-1, 1), record="regions")
    last, first = picture(result.findings, "dimension"), picture(result.findings, "dimension", 0)
    assert last.legend == {
        0: "dimension 0 after `maximum`: 1",
        1: "dimension 1 after `maximum`: 2",
        2: "dimension 2 after `maximum`: 2",
    }
    assert sorted(first.legend) == [1, 2]
    assert picture(result.findings, "dimension", "signs").legend == first.legend
    assert last.polygons.areas[last.value == 0].sum() == pytest.approx(0.25, abs=1e-12)


@pytest.fixture
def matplotlib():
    found = pytest.importorskip("matplotlib")
    found.use("Agg")
    return found


def test_the_picture_of_a_plane(matplotlib, tmp_path):
    network = relu_network(8, 2, 6, 3)
    result = rn.enumerate_regions(network, Box([-2, -1], [2, 1]), record="regions")
    filled: list[tuple[str, tuple[str, ...]]] = [("region", LIGHT), ("dimension", DIMENSIONS), ("class", CLASSES)]
    for fill, colours in filled:
        ax = result.plot(fill, path=tmp_path / f"{fill}.png")
        (drawn,) = ax.collections
        seen = picture(result.findings, fill)
        assert len(drawn.get_paths()) == len(seen.polygons)
        expected = [matplotlib.colors.to_rgba(colours[k]) for k in seen.value]
        np.testing.assert_allclose(drawn.get_facecolor(), expected)
        assert ax.get_title() == f"{result.count:,} regions"
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("input 0", "input 1")
        assert (ax.get_xlim(), ax.get_ylim()) == ((-2, 2), (-1, 1))
        texts = [text.get_text() for text in ax.get_legend().get_texts()] if ax.get_legend() else []
        assert texts == list(seen.legend.values())
        assert (tmp_path / f"{fill}.png").read_bytes().startswith(b"\x89PNG")
    assert (
        rn.Result(
            dataclasses.replace(result.findings, totals=dataclasses.replace(result.findings.totals, complete=False))
        )
        .plot(path=tmp_path / "a.pdf")
        .get_title()
        .endswith("(incomplete: there are more)")
    )
    extents = np.array([path.vertices for path in drawn.get_paths()])
    assert (extents.min(), extents.max()) == (-2.0, 2.0)


def test_the_picture_of_a_line(matplotlib, tmp_path):
    network = relu_network(9, 1, 5, 2)
    result = rn.enumerate_regions(network, Box(-3, 3), record="regions")
    ax = result.plot(path=tmp_path / "line.svg")
    (bands,) = ax.collections
    assert len(bands.get_paths()) == result.count
    ticks = ax.get_xticks(minor=True)
    assert len(ticks) >= result.count - 1
    for k, line in enumerate(ax.lines):
        x, y = line.get_data()
        assert (np.diff(x) > -1e-12).all()
        np.testing.assert_allclose(y, network.forward(np.asarray(x)[:, None])[:, k], atol=1e-9)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["output 0", "output 1"]
    assert b"<svg" in (tmp_path / "line.svg").read_bytes()


def test_given_axes_and_those_of_pyplot(matplotlib):
    from matplotlib import pyplot
    from matplotlib.figure import Figure

    result = rn.enumerate_regions(star_network(), Box(-1, 1), record="regions")
    ax = Figure().subplots()
    assert result.plot(ax=ax) is ax
    assert pyplot.get_fignums() == []
    own = result.plot("dimension")
    assert own.figure.number in pyplot.get_fignums()
    pyplot.close(own.figure)


def test_more_classes_than_colours(matplotlib):
    t = np.linspace(-1, 1, 15)
    network = Network((Layer("head", 2 * t[:, None] * [1, 0], -(t**2), Units.identity(15)),), (2,))
    from matplotlib.figure import Figure

    ax = rn.enumerate_regions(network, Box(-2, 2), record="regions").plot("class", ax=Figure().subplots())
    colours = {tuple(colour) for colour in ax.collections[0].get_facecolor()}
    assert len(colours) == len(ax.collections[0].get_paths()) == 15


def refusal(result, *arguments, **options):
    with pytest.raises(InputError) as caught:
        result.plot(*arguments, **options)
    return str(caught.value)


def test_what_cannot_be_drawn(matplotlib, tmp_path, monkeypatch):
    star, box = star_network(), Box(-1, 1)
    result = rn.enumerate_regions(star, box, record="regions")
    assert refusal(rn.enumerate_regions(star, box)).startswith('regions were not recorded (record="none"); enumerate')
    assert refusal(result, "rank") == 'fill is "rank"; choose one of region, dimension, class'
    assert refusal(result, "class").startswith("the network has one output and so no classes")
    assert refusal(result, "region", 0).startswith('a layer is chosen only with fill="dimension"')
    names = [layer.name for layer in result.layers]
    assert refusal(result, "dimension", "no") == f"layer is 'no'; choose one of {', '.join(names)}"
    assert refusal(result, "dimension", -1) == "layer is -1; choose a number from 0 to 1"
    linear = Network((Layer("head", np.eye(2), np.zeros(2), Units.identity(2)),), (2,))
    assert refusal(rn.enumerate_regions(linear, box, record="regions"), "dimension").startswith(
        "the network has no units"
    )
    cube = rn.enumerate_regions(relu_network(0, 3, 2, 1), box, record="regions")
    assert refusal(cube).startswith("the domain has 3 free dimensions, a plot has one or two; fix")
    path = tmp_path / "nowhere" / "a.png"
    assert (
        refusal(result, path=path)
        == f"{path} cannot be written (No such file or directory); choose a file in an existing folder"
    )
    for name in ("a.doc", "png"):
        assert refusal(result, path=tmp_path / name).startswith(
            f"{tmp_path / name} does not end like a picture; choose"
        )
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert refusal(result) == "plots need matplotlib; install it with: pip install 'regionenum[plot]'"


def test_the_command(matplotlib, tmp_path, capsys):
    run = str(tmp_path / "run")
    rn.enumerate_regions(star_network(), Box(-1, 1), record="tree", out=run)
    out = tmp_path / "star.png"
    assert main(["plot", run, "--out", str(out), "--fill", "dimension", "--layer", "signs"]) == 0
    assert out.read_bytes().startswith(b"\x89PNG")
    assert main(["plot", run, "--out", str(out), "--fill", "class"]) == 2
    assert (
        capsys.readouterr().err
        == "regionenum: error: the network has one output and so no classes; choose another fill\n"
    )


def test_the_examples_of_the_readme_run(matplotlib, tmp_path, monkeypatch, capsys):
    root = Path(__file__).parents[1]
    (tmp_path / "configs").symlink_to(root / "configs")
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"```py\n(.*?)```", (root / "README.md").read_text(), re.DOTALL)
    assert len(examples) >= 2
    for example in examples:
        exec(example, {})
    assert (tmp_path / "plane.png").read_bytes().startswith(b"\x89PNG")
    assert "`pool` is taken before `conv_relu`" in capsys.readouterr().out


@pytest.mark.parametrize(
    "domain",
    [
        rn.WholeSpace(),
        rn.l1_ball([0.1, -0.2], 1.5),
        rn.Polytope([[1.0, 2.0], [-3.0, 1.0]], [0.5, 1.0], within=rn.Box(-2, 2)),
        rn.Slice([0.0, 0.1], [[1.0, 0.5], [-0.5, 1.0]], within=rn.Box(-1, 1)),
        rn.Slice([0.0, 0.1], [[1.0, 0.5], [-0.5, 1.0]]),
    ],
)
def test_other_domains_are_filled_too(domain, tmp_path):
    rng = np.random.default_rng(5)
    net = relu_chain((rng.normal(size=(5, 2)), rng.normal(size=5)), (rng.normal(size=(4, 5)), rng.normal(size=4)))
    result = rn.enumerate_regions(net, domain, record="regions")
    drawn = picture(result.findings)
    chart = chart_of(result.findings)
    assert (drawn.polygons.size > 0).all()
    assert len(drawn.polygons.size) == result.count
    whole = Polygons.domain(chart, 1)
    np.testing.assert_allclose(drawn.polygons.areas.sum(), whole.areas.sum(), rtol=1e-9)
    ax = result.plot(path=tmp_path / "p.png")
    assert len(ax.collections) == 1
    assert ("window" in ax.get_title()) == (getattr(domain, "within", None) is None)
