"""The command line: verbs, tables, exit codes, and one sentence for bad input."""

import json
import os
import subprocess
import sys
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

import regionenum as rn
from regionenum.cli import domain, main
from regionenum.cli.doctor import star_network
from regionenum.cli.tables import show_result
from regionenum.network.layers import Layer, Network
from regionenum.network.storage import save_npz
from regionenum.network.units import RELU, Units
from tests.line import LineEngine
from tests.test_schema import BOX, NET


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "star.npz"
    save_npz(star_network(), path)
    return str(path)


@pytest.fixture
def config(model, tmp_path):
    path = tmp_path / "star.toml"
    path.write_text('model = "star.npz"\nrecord = "regions"\n[domain]\nkind = "box"\nlower = -1\nupper = 1\n')
    return str(path)


def error_of(capsys, code, *argv):
    """The one sentence of a command that fails with a code."""
    assert main(argv) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("regionenum: error: ")
    assert captured.err.count("\n") == 1
    return captured.err.removeprefix("regionenum: error: ").strip()


@pytest.mark.parametrize(
    ("bounds", "regions"),
    [
        (["--box", "-1", "1"], 5),
        (["--box", "-1,-1", "1,1"], 5),
        (["--box=-1,-1", "1,1"], 5),
        (["--box=-1", "1e0"], 5),
        (["--box", "-1e-3,-2", "1,1"], 5),
        (["--box", "-1,0", "1,2"], 3),
        (["--box", "1", "2"], 2),
    ],
)
def test_count(capsys, model, bounds, regions):
    assert main(["count", model, *bounds, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["count"], found["complete"], found["exact"]) == (regions, True, True)


def test_models_of_other_kinds(capsys, tmp_path):
    pytest.importorskip("onnx")
    from tests.onnx_models import model as onnx_model
    from tests.onnx_models import node, save

    open_size = ("n", 1, "width")
    path = save(onnx_model([node("Abs", ["x"], "h"), node("ReduceMax", ["h"], keepdims=0)], open_size), tmp_path)
    assert main(["count", str(path), "--box", "-1", "1", "--input-shape", "1,2", "--json"]) == 0
    # the larger of |x| and |y|: four signs, and two winners each
    assert json.loads(capsys.readouterr().out)["count"] == 8
    config = tmp_path / "c.toml"
    config.write_text('model = "net.onnx"\ninput_shape = [1, 2]\n[domain]\nkind = "box"\nlower = -1\nupper = 1\n')
    out = tmp_path / "run"
    assert main(["run", str(config), "--out", str(out)]) == 0
    said = json.loads((out / "config.json").read_text())
    assert (said["model"], said["input_shape"]) == (str(path), [1, 2])
    assert "state" not in said
    capsys.readouterr()
    assert "(1,) does not fit" in error_of(capsys, 2, "run", str(config), "--set", "input_shape=[1]")


def test_changes_of_a_model(capsys, tmp_path):
    pytest.importorskip("regionenum.network.transform")
    relu_after_pooling = Network(
        (
            Layer("relu", np.eye(2), np.zeros(2), Units.pointwise(RELU, 2)),
            Layer("pool", np.eye(2), np.zeros(2), Units.maxima([[0, 1]])),
        ),
        (2,),
    )
    path = tmp_path / "net.npz"
    save_npz(relu_after_pooling, path)
    counts = []
    for options in ([], ["--relu-after-pooling"]):
        assert main(["count", str(path), "--box", "-1", "1", "--json", *options]) == 0
        counts.append(json.loads(capsys.readouterr().out)["count"])
    # signs of two values with the larger where both are positive; the larger, and its sign
    assert counts == [5, 4]
    # where both are positive, the larger decides; where none is, they are the same
    save_npz(Network(relu_after_pooling.layers[:1], (2,)), path)
    assert main(["count", str(path), "--box", "-1", "1", "--json", "--argmax"]) == 0
    assert json.loads(capsys.readouterr().out)["count"] == 5


def test_options_may_precede_the_model(capsys, model):
    assert main(["count", "--engine", "highs", "--box", "-1", "1", model, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["engine"], found["layers"][1]["by_rank"]["2"]["regions"]) == ("highs", 2)


def test_tables(capsys, model):
    assert main(["count", model, "--box", "-1", "1"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["signs", "4", "2:", "2", "1:", "2"] in lines
    assert ["maximum", "5", "2:", "2", "1:", "2", "0:", "1"] in lines
    assert ["input", "2", "1", "4", "4.00", "4", "0"] in lines
    assert ["signs", "2", "2", "3", "1.50", "2", "1"] in lines
    assert ["5", "regions", "(complete;", "exact)"] in lines
    assert any(line[0] == "decisions:" and line[2:4] == ["certain", "by"] for line in lines if line)
    assert not any(line[0] == "doubtful" for line in lines if line)
    assert main(["count", model, "--box", "-1", "1", "--no-exact"]) == 0
    assert "5 regions (complete; decided in floating point)" in capsys.readouterr().out


def test_tables_on_a_narrow_terminal_lose_no_digit():
    result = rn.enumerate_regions(NET, BOX, engine=LineEngine())
    result.statistics.cells *= 1_234_567_891
    result.counters.doubtful = 7
    stream = StringIO()
    show_result(result, Console(file=stream, width=40, force_terminal=True, color_system=None))
    text = stream.getvalue()
    assert max(len(line) for line in text.splitlines()) <= 40
    assert "…" not in text
    assert sum(c.isdigit() for c in text) == sum(c.isdigit() for c in wide(result))
    assert "rounding could have made it" in " ".join(text.split())


def wide(result):
    stream = StringIO()
    show_result(result, Console(file=stream, width=200, force_terminal=True, color_system=None))
    return stream.getvalue()


def test_distinct_maps_on_request(capsys, model, tmp_path):
    out = str(tmp_path / "run")
    assert main(["count", model, "--box", "-1", "1", "--record", "regions", "--maps", "--out", out]) == 0
    assert capsys.readouterr().out.endswith("3 distinct affine maps among the regions\n")
    assert main(["report", out, "--maps", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["distinct_maps"] == 3
    assert main(["report", out, "--json"]) == 0
    assert "distinct_maps" not in json.loads(capsys.readouterr().out)
    assert "--maps needs recorded regions" in error_of(capsys, 2, "count", model, "--box", "-1", "1", "--maps")


def test_run_and_report(capsys, config, tmp_path):
    out = str(tmp_path / "run")
    assert main(["run", config, "--out", out]) == 0
    printed = capsys.readouterr().out
    assert "5 regions (complete; exact)" in printed
    assert main(["report", out]) == 0
    assert capsys.readouterr().out == printed
    assert main(["report", out, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["count"] == 5
    assert rn.open_run(out).distinct_maps() == 3
    assert json.loads((tmp_path / "run" / "config.json").read_text()) == {
        "model": str(tmp_path / "star.npz"),
        "domain": {"kind": "box", "lower": -1.0, "upper": 1.0},
        "record": "regions",
        "exact": True,
        "witnesses": True,
        "engine": "compiled",
        "out": out,
    }


def test_run_with_overrides(config, tmp_path):
    out = tmp_path / "other"
    overrides = ["--set", f"out={out}", "--set", "domain.lower=[-1, 0]", "--set", "record=none"]
    assert main(["run", config, *overrides, "--set", "domain.upper=[1, 2]"]) == 0
    result = rn.open_run(out)
    assert (result.count, result.record) == (3, "none")


def test_run_without_recording_needs_no_directory(capsys, config):
    assert main(["run", config, "--set", "record=none"]) == 0
    assert "5 regions (complete" in capsys.readouterr().out


def test_bad_input_is_one_sentence(capsys, model, config, tmp_path):
    box = ("--box", "-1", "1")
    assert "required: VERB" in error_of(capsys, 2)
    assert "invalid choice: 'cuont'" in error_of(capsys, 2, "cuont")
    assert "one of the arguments --box --whole-space --ball --l1-ball --domain is required" in error_of(
        capsys, 2, "count", model
    )
    assert "'-1' is one bound" in error_of(capsys, 2, "count", model, "--box=-1")
    assert "'a' is neither a number nor" in error_of(capsys, 2, "count", model, "--box", "a", "1")
    assert "lower 2.0 is above upper 1.0" in error_of(capsys, 2, "count", model, "--box", "2", "1")
    assert "bounds must be finite" in error_of(capsys, 2, "count", model, "--box", "nan", "1")
    assert "has shape (3,)" in error_of(capsys, 2, "count", model, "--box", "0,0,0", "1")
    assert "none.npz" in error_of(capsys, 2, "count", str(tmp_path / "none.npz"), *box)
    assert "unknown kind of file" in error_of(capsys, 2, "count", config, *box)
    assert "invalid choice: 'x'" in error_of(capsys, 2, "count", model, *box, "--record", "x")
    assert "--out is empty" in error_of(capsys, 2, "count", model, *box, "--out", "")
    assert "is not empty" in error_of(capsys, 2, "count", model, *box, "--out", str(tmp_path))
    assert "no run directory; give --out DIR" in error_of(capsys, 2, "run", config)
    assert "no run directory; give --out DIR" in error_of(capsys, 2, "run", config, "--resume", "--set", "record=none")
    assert "'0' is not a number from 1 on" in error_of(capsys, 2, "count", model, *box, "--workers", "0")
    assert "'soon' is not a number of seconds" in error_of(capsys, 2, "count", model, *box, "--time-limit", "soon")
    assert "'nan' is not a number of seconds from 0 on" in error_of(capsys, 2, "resume", "r", "--time-limit", "nan")
    assert "has no manifest.json" in error_of(capsys, 2, "resume", str(tmp_path))
    assert "no such folder" in error_of(capsys, 2, "status", str(tmp_path / "none"))
    assert "unknown key `x`" in error_of(capsys, 2, "run", config, "--set", "x=1")
    assert "has no manifest.json" in error_of(capsys, 2, "report", str(tmp_path))


@pytest.mark.parametrize(("error", "code"), [(rn.EngineError("no pivot"), 1), (KeyboardInterrupt(), 130)])
def test_failures_have_their_codes(capsys, monkeypatch, model, error, code):
    def step(*_):
        raise error

    monkeypatch.setattr("regionenum.engine.compiled.CompiledExplorer.step", step)
    assert main(["count", model, "--box", "-1", "1"]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert ("no pivot" if code == 1 else "interrupted after 0 regions; nothing was kept") in captured.err


def test_a_defect_shows_its_traceback(monkeypatch, model):
    def step(*_):
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("regionenum.engine.compiled.CompiledExplorer.step", step)
    with pytest.raises(ZeroDivisionError, match="a defect"):
        main(["count", model, "--box", "-1", "1"])


@pytest.mark.parametrize(
    "verb",
    [
        [],
        ["count"],
        ["run"],
        ["resume"],
        ["status"],
        ["report"],
        ["analyze"],
        ["compare"],
        ["plot"],
        ["describe"],
        ["theory"],
        ["doctor"],
    ],
)
def test_help_is_light(verb):
    code = (
        "import sys; from regionenum.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: assert not end.code\n"
        "assert not {'numba', 'scipy', 'torch'} & sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", code, *verb, "--help"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: regionenum")


def test_version(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert not end.value.code
    assert capsys.readouterr().out == f"regionenum {rn.__version__}\n"


def test_box_tokens_are_joined_once():
    assert domain.join_pairs(["count", "--box", "-1,0", "1,2", "m"]) == ["count", "--box=-1,0 1,2", "m"]
    assert domain.join_pairs(["count", "m", "--box=-1", "1"]) == ["count", "m", "--box=-1 1"]
    assert domain.join_pairs(["count", "m", "--box", "1"]) == ["count", "m", "--box", "1"]
    assert domain.join_pairs(["count", "--", "--box", "1", "2"]) == ["count", "--", "--box", "1", "2"]


def test_a_reader_that_goes_away_is_no_error(tmp_path):
    """As in `regionenum ... | head -1`: nothing on stderr, and the exit code of SIGPIPE."""
    path = tmp_path / "net.npz"
    save_npz(star_network(), path)
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "regionenum", "describe", str(path), "--json"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")
