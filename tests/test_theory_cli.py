"""`regionenum theory`: tables of 80 columns, JSON, and counts beside the bounds."""

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

import regionenum as rn
from regionenum.cli import main
from regionenum.network.filters import Filter
from regionenum.network.layers import Layer, Network
from regionenum.network.units import RELU, Units
from tests.problems import _pool_network, windows
from tests.test_theory_bounds import relu_chain


@pytest.fixture
def model(tmp_path):
    network = relu_chain(np.random.default_rng(3), 2, 5, 4)
    rn.save_npz(network, tmp_path / "net.npz")
    return network, tmp_path / "net.npz"


def test_the_tables_fit_eighty_columns(model, capsys):
    network, path = model
    assert main(["theory", str(path)]) == 0
    text = capsys.readouterr().out
    tables, sentences = text.rsplit("\n\n", 1)
    assert max(map(len, map(str.rstrip, tables.splitlines()))) <= 80
    found = rn.theory.bounds(network)
    for value in (*found.regions.values(), *(min(each.regions.values()) for each in found.layers)):
        assert f"{value:,}" in tables
    for words in ("arXiv 1402.1869", "arXiv 1606.05336", "arXiv 1711.02114", "relu0", "relu1"):
        assert words in tables
    assert "`relu0`: its hyperplanes cut the whole space into 16 regions (Zaslavsky)" in sentences
    assert f"some network of these widths has {2**2 * 11} regions or more" in sentences


def test_counts_stand_beside_the_bounds(model, capsys, tmp_path):
    network, path = model
    result = rn.enumerate_regions(network, rn.Box(-1, 1), out=tmp_path / "run")
    assert main(["theory", str(path), "--run", str(tmp_path / "run")]) == 0
    text = capsys.readouterr().out
    best = rn.theory.bounds(network, rn.Box(-1, 1)).best
    assert f"counted: {result.count} regions; {result.count / best:.3g} of the smallest bound" in text
    assert "counted" in text.splitlines()[1]
    assert main(["theory", str(path), "--run", str(tmp_path / "run"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["count"], found["complete"], found["best"]) == (result.count, True, best)
    assert [each["count"] for each in found["layers"]] == [each.regions for each in result.layers]


def test_json_without_a_run(model, capsys):
    network, path = model
    assert main(["theory", str(path), "--box", "0", "1,0", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["dim"], found["count"], found["network"]) == (1, None, network.hash)
    assert found["best"] == rn.theory.bounds(network, rn.Box(0, [1, 0])).best == 6 * 5
    assert found["layers"][0]["regions"]["patterns"] == {"bound": 32, "log10_bound": pytest.approx(np.log10(32))}
    assert set(found["sources"]) == set(map(str, rn.theory.Bound))


def test_numbers_of_any_size(capsys, tmp_path):
    wide = Layer("relu", sp.eye_array(5000, format="csr"), np.zeros(5000), Units.pointwise(RELU, 5000))
    rn.save_npz(Network((wide,), (5000,)), tmp_path / "wide.npz")
    assert main(["theory", str(tmp_path / "wide.npz")]) == 0
    text = capsys.readouterr().out
    assert "1.42e+1505" in text  # 2^5000 = 1.4124... 10^1505, rounded up as a bound
    assert "has 1.41e+1505 regions or more" in text  # and down where some network reaches it
    assert main(["theory", str(tmp_path / "wide.npz"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["best"] is None
    assert found["log10_best"] == pytest.approx(5000 * np.log10(2))


def test_what_is_said_of_pooling_and_of_filters(capsys, tmp_path):
    network, _ = _pool_network(windows((3, 4), (2, 2), (1, 1)), (3, 4))
    rn.save_npz(network, tmp_path / "pool.npz")
    assert main(["theory", str(tmp_path / "pool.npz")]) == 0
    assert "`pool`: its 6 maxima have 1,536 regions on free rows" in capsys.readouterr().out
    kept = Filter(np.array([[[1.0, 2.0, 2.0, 2.0, 1.0]]]), (2,))
    rows = np.array([[1, 2, 2, 2, 1, 0, 0], [0, 0, 1, 2, 2, 2, 1]], float)
    last = Layer("conv", rows, np.zeros(2), Units.identity(2), kept)
    rn.save_npz(Network((last,), (7,)), tmp_path / "conv.npz")
    assert main(["theory", str(tmp_path / "conv.npz")]) == 0
    text = capsys.readouterr().out
    assert (
        "`conv`: a filter of 5 values, stride 2, with 2 real roots; multiplicities of real roots | pairs: 2|1" in text
    )


def test_bad_input_is_one_sentence(model, capsys, tmp_path):
    network, path = model
    other = relu_chain(np.random.default_rng(4), 2, 3)
    rn.enumerate_regions(other, rn.Box(-1, 1), out=tmp_path / "other")
    rn.enumerate_regions(network, rn.Box(-1, 1), out=tmp_path / "run")
    cases = [
        (["--run", str(tmp_path / "other")], "this run is of another network"),
        (["--run", str(tmp_path / "run"), "--whole-space"], "brings its own domain; leave out --whole-space"),
        (["--box", "0", "1", "--whole-space"], "argument --whole-space: not allowed with argument --box"),
        (["--box", "0,0,0", "1,1,1"], "3"),
        (["--run", str(tmp_path / "nothing")], "nothing"),
    ]
    for options, words in cases:
        assert main(["theory", str(path), *options]) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert words in printed.err
        assert len(printed.err.splitlines()) == 1


def test_the_example_of_the_readme(capsys):
    """It prints what its comments say."""
    text = (Path(__file__).parents[1] / "README.md").read_text()
    section = text[text.index("## What theory says") :]
    example = section[section.index("```py\n") + 6 :].split("```")[0]
    exec(example, {})
    assert capsys.readouterr().out.splitlines() == [
        line.split("  # ")[1] for line in example.splitlines() if "  # " in line
    ]
