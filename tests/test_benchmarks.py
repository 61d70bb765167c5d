import importlib
import json
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import regionenum as rn
from benchmarks import demo
from regionenum.cli.config import read_config
from regionenum.engine.policy import cache_folder
from regionenum.results.patterns import Packing

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = sorted((ROOT / "configs").glob("*.toml"))

COUNTED = {
    "iris": (12_031, 26_675, 37_133),
    "wine": (4_018, 122_075),
    "cancer": (1_024, 86_773),
    "digits_cnn": (1_315, 17_108, 17_395),
}
"""Regions after each layer of the committed weights, by programs that share nothing with the compiled engine: a float
simplex program for generic ReLU networks, and for the convolutional network the HiGHS engine (which takes minutes)."""


def loaded(path):
    config = read_config(path)
    return rn.load(config.model), config.domain.build()


def test_there_are_configs():
    assert {path.stem for path in CONFIGS} >= {"iris", "wine", "cancer", "digits_mlp", "digits_cnn"}
    assert {path.stem for path in CONFIGS} == {path.stem for path in (ROOT / "configs").glob("*.npz")}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_configs_load(path):
    """The configuration is valid, the weights match their content hash, and the domain fits the network."""
    network, domain = loaded(path)
    assert 0 < domain.chart(network.input_shape).dim <= network.n_in
    assert Path(read_config(path).model).stat().st_size < 100_000


@pytest.mark.parametrize("name", COUNTED)
def test_trained_networks_have_the_regions_that_another_program_counts(name):
    network, domain = loaded(ROOT / "configs" / f"{name}.toml")
    result = rn.enumerate_regions(network, domain)
    assert tuple(layer.regions for layer in result.layers) == COUNTED[name]


@pytest.mark.parametrize("name", ["digits_cnn", "digits_mlp", "iris", "wine"])
def test_sampled_patterns_are_among_the_regions(name):
    """Patterns met by sampling the middle of the domain are patterns of regions there."""
    network, domain = loaded(ROOT / "configs" / f"{name}.toml")
    lower, upper = np.ravel(domain.lower), np.ravel(domain.upper)
    middle, half = (lower + upper) / 2, 0.1 * (upper - lower)
    points = np.random.default_rng(0).uniform(middle - half, middle + half, (2000, network.n_in))
    found = rn.enumerate_regions(network, rn.Box(middle - half, middle + half), record="regions")
    sampled = set(map(bytes, Packing.of(network).pack(network.pattern(points))))
    recorded = {bytes(pattern) for pattern in found.regions.column("pattern").to_pylist()}
    assert 1 < len(sampled) <= len(recorded) == found.count
    assert sampled <= recorded


@pytest.mark.parametrize(
    ("name", "loader", "share"),
    [
        ("iris", "load_iris", 0.97),
        ("wine", "load_wine", 0.98),
        ("cancer", "load_breast_cancer", 0.96),
        ("digits_mlp", "load_digits", 0.96),
        ("digits_cnn", "load_digits", 0.96),
    ],
)
def test_committed_weights_classify_the_data_in_its_own_units(name, loader, share):
    datasets = pytest.importorskip("sklearn.datasets")
    x, y = getattr(datasets, loader)(return_X_y=True)
    network, domain = loaded(ROOT / "configs" / f"{name}.toml")
    assert (network.forward(x.reshape(-1, *network.input_shape)).argmax(axis=1) == y).mean() >= share
    if name != "digits_cnn":
        assert (np.asarray(domain.lower) <= x).all()
        assert (x <= np.asarray(domain.upper)).all()


def training():
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    return importlib.import_module("benchmarks.train")


@pytest.mark.parametrize("name", ["iris", "digits_cnn"])
def test_training_writes_the_same_bytes_again(tmp_path, name):
    train = training()
    recipe = replace(train.RECIPES[name], steps=3)
    for folder in (tmp_path / "first", tmp_path / "second"):
        folder.mkdir()
        train.write(name, recipe, train.train(recipe), folder)
    for file in (f"{name}.npz", f"{name}.toml"):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()
    network, domain = loaded(tmp_path / "first" / f"{name}.toml")
    assert domain.chart(network.input_shape).dim == 4


@pytest.mark.parametrize("name", ["wine", "digits_cnn"])
def test_scaling_is_folded_into_the_first_layer(name):
    train = training()
    import torch

    torch.manual_seed(0)
    module = train.RECIPES[name].module().double()
    data = train.RECIPES[name].data()
    # a centre that is not zero, also for images
    data = replace(data, centre=data.centre + 1.0)
    x = data.x[:20]
    with torch.no_grad():
        before = module(torch.from_numpy((x - data.centre) / data.scale))
        train.fold_scaling(module, data)
        after = module(torch.from_numpy(x))
    np.testing.assert_allclose(before, after, rtol=1e-12, atol=1e-12)


@pytest.fixture
def small_config(tmp_path):
    """The iris network over a small box around one flower."""
    path = tmp_path / "flower.toml"
    model = (ROOT / "configs" / "iris.npz").as_posix()
    lines = [f'model = "{model}"', "[domain]", 'kind = "box"']
    lines += ["lower = [5.5, 2.5, 3.0, 1.0]", "upper = [5.7, 2.7, 3.2, 1.2]"]
    path.write_text("# A flower.\n# Or two.\n" + "\n".join(lines) + "\n")
    return path


def test_demo_prints_tables(capsys, small_config):
    assert demo.main([str(small_config), str(small_config)]) == 0
    out = capsys.readouterr().out
    assert "self-test passed" in out
    assert out.count("flower.toml\nA flower.\nOr two.\n") == 2
    assert out.count("Regions after each layer") == out.count("How the next layer splits them, by dimension") == 2
    network, domain = loaded(small_config)
    assert out.count(f"{rn.enumerate_regions(network, domain).count:,} regions (complete;") == 2


def test_demo_runs_as_a_script_without_torch(small_config):
    """`make demo` runs the file itself."""
    code = "import runpy, sys; sys.modules['torch'] = None; sys.argv[0] = 'demo'; "
    code += f"runpy.run_path({str(ROOT / 'benchmarks' / 'demo.py')!r}, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", code, str(small_config)], cwd=small_config.parent, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Regions after each layer" in done.stdout


def test_demo_refuses_a_missing_configuration(tmp_path):
    with pytest.raises(rn.InputError, match=r"absent\.toml cannot be read"):
        demo.main([str(tmp_path / "absent.toml")])


FLOOR = """
def run(weights, biases, widths, dim, half_width, *rest):
    assert weights.shape == (3, 64, 64) and biases.shape == (3, 64) and list(widths) == [64] * 3 and dim == 2
    return {regions}, [1]
"""
"""A floor that is at once done."""


@pytest.fixture
def speed(monkeypatch):
    """The module, which would bind this process to a core."""
    module = importlib.import_module("benchmarks.speed")
    monkeypatch.setattr(module, "pin", lambda core: "none")
    return module


def test_speed_compares_with_the_floor_and_another_checkout(tmp_path):
    """The other checkout is this one. A row without its file is left out."""
    pytest.importorskip("torch")
    (tmp_path / "simplex.py").write_text(FLOOR.format(regions=6668))
    out = tmp_path / "out.json"
    arguments = ["--rows", "2-64-64-64", "acasxu-3", "--repeats", "1", "--floor", str(tmp_path), "--check"]
    other = ["--against", str(ROOT), "--against-cache", str(cache_folder().parent), "--json", str(out)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.speed", *arguments, *other],
        cwd=ROOT,
        env=os.environ | {"REGIONENUM_ACASXU": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("speed: the product is slower: 2-64-64-64 (")
    assert "2-64-64-64 (floor, simplex)" in done.stderr
    assert "2-64-64-64: 6,668 regions" in done.stdout
    assert "pivots" in done.stdout
    assert f"acasxu-3 is left out: {tmp_path}" in done.stdout
    (row,) = json.loads(out.read_text())["rows"]
    label, floor = row["others"]
    assert f"| {label} / product | {floor} / product |" in done.stdout
    assert len(row["product"]) == 1
    for other in (label, floor):
        assert row["ratios"][other] == [b / a for a, b in zip(row["product"], row["others"][other], strict=True)]


def test_speed_has_rows_of_every_kind(speed):
    rows = speed.ROWS
    assert rows["3-16x6"].widths == (3, 16, 16, 16, 16, 16, 16)
    assert (rows["4-12-12-whole"].widths, rows["4-12-12-whole"].lower) == ((4, 12, 12), None)
    assert (rows["acasxu-1"].widths, rows["acasxu-1"].regions) == ((), 39_835)
    assert rows["784-8-8"].upper == 1
    programs = {name: rows[name].programs(("simplex", "vertex2")) for name in rows}
    assert (programs["5-16-16"], programs["6-16-16"]) == (["simplex", "vertex2"], ["simplex"])
    assert programs["784-8-8"] == programs["2-20-20-whole"] == []


def test_speed_knows_wrong_counts(speed, tmp_path):
    pytest.importorskip("torch")
    row, kept = speed.ROWS["2-64-64-64"], tmp_path / "network"
    kept.write_bytes(pickle.dumps(importlib.import_module("benchmarks.speed_worker").network([2, 64, 64, 64])))
    (tmp_path / "simplex.py").write_text(FLOOR.format(regions=6667))
    floor = {"kept": str(kept), "floor": str(tmp_path), "program": "simplex"}
    with (
        speed.Worker(row, "floor, simplex", ROOT, {}, **floor) as worker,
        pytest.raises(speed.WrongCountError, match="floor, simplex counts 6,667, expected 6,668"),
    ):
        worker.time()


def test_speed_reports_no_time_beside_a_wrong_count(speed, tmp_path, capsys, monkeypatch):
    def measure(*_):
        raise speed.WrongCountError("other counts 1, expected 2")

    monkeypatch.setattr(speed, "measure", measure)
    out = tmp_path / "out.json"
    assert speed.main(["--rows", "4-20-20", "--floor", str(tmp_path), "--json", str(out)]) == 1
    captured = capsys.readouterr()
    assert captured.err == "speed: other counts 1, expected 2; no time is reported for this row\n"
    assert "regions" not in captured.out
    assert not out.exists()


def test_speed_without_others_gives_no_ratio(speed, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(speed, "measure", lambda row, *_: speed.Measured(row, [0.5], {}, {"tests": 7}))
    assert speed.main(["--rows", "4-20-20", "--floor", str(tmp_path), "--check"]) == 0
    out = capsys.readouterr().out
    assert f"No floor in {tmp_path}" in out
    assert "\n  no ratio\n  tests 7\n" in out
    assert "\n| 4-20-20 | 110,145 | 0.5 |\n" in out


def test_speed_refuses_a_folder_that_is_no_checkout(speed, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        speed.main(["--against", str(tmp_path)])
    assert "it has no regionenum/__init__.py; give a checkout of the product" in capsys.readouterr().err


def test_speed_notices_that_a_worker_imports_another_checkout(speed, tmp_path):
    """The folder looks like a checkout, but what is imported lies elsewhere."""
    with pytest.raises(speed.CannotRunError, match=f"{tmp_path} has no package regionenum"):
        speed.Worker(speed.ROWS["2-20-20-whole"], "other", tmp_path, {"PYTHONPATH": str(ROOT)})


def test_speed_names_rows_on_which_the_product_is_slower(speed):
    done = speed.Measured(speed.ROWS["4-20-20"], [2.0, 1.0, 4.0], {"fast": [1.0, 2.0, 3.0], "slow": [4.0, 3.0, 6.0]})
    assert done.ratios("fast") == [0.5, 2.0, 0.75]
    assert speed.slower([done]) == ["4-20-20 (fast)"]
    assert "| 4-20-20 | 110,145 | 2 | 0.75 | 2 |" in speed.table([done])
    assert "ratio 0.7500 [0.5000, 2.000]" in speed.report(done)


def acasxu():
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    return importlib.import_module("benchmarks.acasxu")


def test_acasxu_without_data_is_one_sentence(capsys, tmp_path):
    assert acasxu().main(["--data", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("acasxu: ")
    assert captured.err.count("\n") == 1


def test_acasxu_layer_by_layer(capsys):
    """Property 3 of the real network, where its weights are at hand."""
    benchmark = acasxu()
    if not (benchmark.DEFAULT_DATA / benchmark.FILE).is_file():
        pytest.skip("the weights are not part of the project")
    assert benchmark.main([]) == 0
    assert "71,930 regions (complete;" in capsys.readouterr().out


def test_acasxu_reports_a_difference_and_no_time(capsys, monkeypatch):
    benchmark = acasxu()
    network, _ = loaded(ROOT / "configs" / "iris.toml")
    narrow = benchmark.Property((5.5, 2.5, 3.0, 1.0), (5.7, 2.7, 3.2, 1.2), (10**6, 10**6, 10**6))
    monkeypatch.setitem(benchmark.PROPERTIES, 3, narrow)
    assert benchmark.count(network, 3) == 1
    out = capsys.readouterr().out
    assert out.count("DIFFERS") == 3
    assert "WRONG, so no time is reported" in out
    assert "time: " not in out


def test_another_network_is_not_acas_xu(tmp_path):
    pytest.importorskip("onnx")
    from tests.onnx_models import model, node, save

    path = save(model([node("Relu", ["x"])], (1, 1, 1, 5)), tmp_path)
    with pytest.raises(rn.InputError, match=r"inputs of shape \(1, 1, 5\) and layers of \[5\]; expected ACASXU"):
        acasxu().read_network(path)
    assert acasxu().main(["--data", str(path.rename(tmp_path / acasxu().FILE).parent)]) == 2


# Certified counts ------------------------------------------------------------------------------------------------------------


def test_certified_counts_are_printed(capsys):
    from benchmarks import certified

    assert certified.main(["--rows", "2-20-20-whole"]) == 0
    said = capsys.readouterr().out
    assert "| 2-20-20-whole | 897 |" in said
    assert "certified: 897 regions, complete" in said


def test_a_wrong_count_is_not_certified(capsys, monkeypatch):
    from benchmarks import certified
    from benchmarks.speed import ROWS

    monkeypatch.setitem(ROWS, "2-20-20-whole", replace(ROWS["2-20-20-whole"], regions=896))
    assert certified.main(["--rows", "2-20-20-whole"]) == 1
    assert "2-20-20-whole: 897 regions, exact: True; known are 896" in capsys.readouterr().out
