"""Pictures: the colours say what they should, and what cannot be drawn is refused."""

import dataclasses
import errno
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

import regionenum as rn
from regionenum.analysis.colouring import CLASSES, DIMENSIONS, LIGHT
from regionenum.analysis.picture import Axes, chart_of, picture
from regionenum.analysis.polygons import Polygons
from regionenum.analysis.pullback import coordinates
from regionenum.cli import main
from regionenum.cli.doctor import star_network
from regionenum.domain import Box
from regionenum.errors import InputError
from regionenum.network.layers import Layer, Network
from regionenum.network.units import Units
from tests.line import relu_chain
from tests.planes import relu_network


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


def test_a_picture_that_cannot_be_finished_leaves_the_old_one(matplotlib, tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    result = rn.enumerate_regions(star_network(), Box(-1, 1), record="regions")
    path = tmp_path / "star.png"
    path.write_bytes(b"old")

    def full(figure, file, **options):
        file.write(b"\x89PN")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", full)
    assert refusal(result, path=path).startswith(f"{path} cannot be written (No space left on device)")
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (b"old", [path])


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
