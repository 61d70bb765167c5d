"""Studies, from the first command to the table: resuming, parts, limits, given files, training."""

import csv
import json
import os
import signal
import subprocess
import sys
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import regionenum as rn
from regionenum.cli.doctor import star_network
from regionenum.network.storage import load_npz, save_npz
from regionenum.parallel.stop import Stop
from regionenum.study.compare import Plan, merge, run_groups
from regionenum.study.description import study_from
from regionenum.study.entries import Part, groups
from regionenum.study.table import SCHEMA, by_architecture
from tests.runs import start, wait_until
from tests.studies import columns, regions_on_the_line, run, tables, untimed, write

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The study of lines, run at once: its folder, and its table."""
    out = tmp_path_factory.mktemp("whole") / "study"
    return out, rn.compare(tables(out))


def test_the_table(whole):
    out, table = whole
    assert table.schema.equals(SCHEMA)
    assert table.num_rows == 8
    rows = table.to_pylist()
    assert [(row["architecture"], row["seed"]) for row in rows[:4]] == [
        ("4-relu", 0),
        ("4-relu", 1),
        ("4-relu-max2", 0),
        ("4-relu-max2", 1),
    ]
    for row in rows:
        network = load_npz(out / row["run"] / "network.npz")
        assert row["network"] == network.hash
        assert row["regions"] == row["regions_by_layer"][-1] == regions_on_the_line(network)
        assert (row["complete"], row["exact"], row["doubtful"]) == (True, True, 0)
        assert sum(bar["regions"] for bar in row["dimensions"]) == row["regions"]
        # one input, one output: the rank is 1, or 0 where the function is constant
        ones = sum(bar["regions"] for bar in row["dimensions"] if bar["dimension"] == 1)
        assert row["mean_dimension"] == ones / row["regions"]
        assert row["depth"] == len(row["regions_by_layer"]) == len(row["mean_dimension_by_layer"])
        assert row["rate"] == row["regions"] / row["seconds"]
        assert row["regions"] <= 10 ** (row["log10_bound"] + 1e-9)
        assert (row["data"], row["test_accuracy"], row["distinct_maps"], row["file"]) == (None,) * 4
        assert (row["inputs"], row["dim"]) == (1, 1)
    assert len({row["regions"] for row in rows}) > 2
    # 4 rows and 4 windows or not, then 2 rows: weights and biases by hand
    assert [row["parameters"] for row in rows[::2]] == [8 + 5, 8 + 3, 8 + 10 + 3, 8 + 6 + 2]
    assert [row["units"] for row in rows[::2]] == [4, 4 + 2, 4 + 2, 4 + 2 + 2 + 1]
    assert [row["widths"] for row in rows[::2]] == [[4], [4], [4, 2], [4, 2]]
    assert [row["pooling"] for row in rows[::2]] == [1, 2, 1, 2]
    assert [row["order"] for row in rows[::2]] == [None, "activation", None, "activation"]


def test_means_over_seeds(whole):
    _, table = whole
    averaged, rows = by_architecture(table).to_pylist(), table.to_pylist()
    assert [row["architecture"] for row in averaged] == ["4-relu", "4-relu-max2", "4-2-relu", "4-2-relu-max2"]
    for row, (first, second) in zip(averaged, zip(rows[::2], rows[1::2], strict=True), strict=True):
        a, b = first["regions"], second["regions"]
        assert row["regions_mean"] == (a + b) / 2
        assert row["regions_std"] == pytest.approx(abs(a - b) / np.sqrt(2))
        assert (row["regions_min"], row["regions_max"], row["networks"]) == (min(a, b), max(a, b), 2)
        assert row["parameters_mean"] == first["parameters"]
        assert (row["test_accuracy_mean"], row["distinct_maps_std"]) == (None, None)
        layers = zip(first["regions_by_layer"], second["regions_by_layer"], strict=True)
        assert row["regions_by_layer"] == [sum(pair) / 2 for pair in layers]


def test_the_files(whole):
    out, table = whole
    assert pq.read_table(out / "study.parquet").equals(table)
    assert pq.read_schema(out / "study.parquet").field("regions").metadata[b"meaning"].startswith(b"full-dimensional")
    assert pq.read_table(out / "architectures.parquet").equals(by_architecture(table))
    with (out / "study.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["regions"]) for row in rows] == table.column("regions").to_pylist()
    assert [list(map(int, row["regions_by_layer"].split())) for row in rows] == table["regions_by_layer"].to_pylist()
    assert rows[0]["data"] == ""
    text = (out / "study.txt").read_text()
    assert columns(text) <= 80
    for row in table.to_pylist():
        assert any(row["architecture"] in line and f"{row['regions']:,}" in line for line in text.splitlines())
    assert {path.name for path in (out / "runs").iterdir()} == {
        row["run"].removeprefix("runs/") for row in table.to_pylist()
    }
    assert "<svg" in (out / "report.html").read_text()
    assert json.loads((out / "study.json").read_text())["study"]["name"] == "line"


def test_other_programs_read_the_table(whole):
    out, table = whole
    counts = table.column("regions").to_pylist()
    pandas, polars, duckdb = (pytest.importorskip(name) for name in ("pandas", "polars", "duckdb"))
    assert pandas.read_parquet(out / "study.parquet")["regions"].tolist() == counts
    assert polars.read_parquet(out / "study.parquet")["regions"].to_list() == counts
    assert [row[0] for row in duckdb.sql(f"select regions from '{out}/study.parquet'").fetchall()] == counts


def test_one_command_does_the_same(whole, tmp_path, capsys):
    path = write(tmp_path / "study.toml", tables(tmp_path / "out"))
    assert run(path) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith((tmp_path / "out" / "study.txt").read_text())
    assert captured.err.splitlines()[-1].startswith("8 of 8: 4-2-relu-max2-s1")
    assert untimed(pq.read_table(tmp_path / "out" / "study.parquet")) == untimed(whole[1])
    # again: nothing is left to do
    assert run(path, "--json") == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert len(json.loads(captured.out)["networks"]) == 8


def test_networks_side_by_side(whole, tmp_path):
    table = rn.compare(tables(tmp_path / "out"), workers=2)
    assert untimed(table) == untimed(whole[1])


def test_list_does_nothing(tmp_path, capsys):
    content = tables(tmp_path / "out", grid={"widths": [[1], [1, 1]], "parameters": 40, "pooling": "none"})
    assert run(write(tmp_path / "study.toml", content), "--list") == 0
    lines = capsys.readouterr().out.splitlines()
    # 3 n + 1 = 40 has the solution 13
    assert lines[0] == "p40-13-relu-s0: to do, 40 parameters (+0.0% of 40)"
    assert lines[-1] == "4 networks; they can be run in up to 4 parts"
    assert not (tmp_path / "out").exists()


# Interruptions --------------------------------------------------------------------------------------------------------------


def attempts(out):
    """How often each run was begun, and when its manifest was written."""
    found = {}
    for path in (out / "runs").glob("*/manifest.json"):
        found[path.parent.name] = (json.loads(path.read_text())["attempt"], path.stat().st_mtime_ns)
    return found


def test_what_is_finished_is_not_done_again(whole, tmp_path):
    plan = Plan.of(study_from(tables(tmp_path / "out")))
    stop, done = Stop(), []

    def show(moment):
        if moment.doing == "done":
            done.append(moment.name)
        if len(done) == 3:
            stop.request("three are enough")

    run_groups(plan.study, plan.open_groups(Part()), stop, show)
    assert len(done) == 3
    before = attempts(tmp_path / "out")
    assert len(before) == 3
    table, text = merge(plan)
    assert table.num_rows == 3
    assert "5 of 8 networks have no run yet" in text
    assert untimed(rn.compare(tables(tmp_path / "out"))) == untimed(whole[1])
    after = attempts(tmp_path / "out")
    assert {name: after[name] for name in before} == before
    assert len(after) == 8


@pytest.fixture
def big(known, tmp_path):
    """A study of a file with 100,000 regions and of the star, and the file's count."""
    save_npz(star_network(), tmp_path / "star.npz")
    given = [{"file": str(known[1]), "name": "big"}]
    content = {
        "study": {"name": "big", "out": str(tmp_path / "out")},
        "domain": {"kind": "box", "lower": -3, "upper": 3},
    }
    return content | {"network": [*given, {"file": str(tmp_path / "star.npz")}]}, known[2].count


@pytest.mark.parametrize("workers", [1, 2])
def test_an_enumeration_goes_on_where_it_stopped(big, tmp_path, workers, short_steps):
    content, expected = big
    content["network"] = content["network"][:1]
    plan, stop = Plan.of(study_from(content)), Stop()

    def show(moment):
        if moment.regions:
            stop.request("regions were found")

    run_groups(plan.study, plan.open_groups(Part()), stop, show)
    (entry,) = plan.entries
    stopped = rn.open_run(entry.run)
    assert 0 < stopped.count < expected
    assert not stopped.complete
    table = rn.compare(content, workers=workers)
    assert table.column("regions").to_pylist() == [expected]
    assert attempts(tmp_path / "out")[entry.key][0] == 2


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_signal_stops_the_command_with_75(big, tmp_path, workers):
    content, expected = big
    path = write(tmp_path / "study.toml", content)
    slow = (
        "import sys, time; from regionenum.cli import main; from regionenum.engine.compiled import CompiledExplorer\n"
    )
    slow += "step = CompiledExplorer.step\n"
    slow += "def slow_step(self, nodes):\n    time.sleep(0.05)\n    return step(self, min(nodes, 2000))\n"
    slow += "CompiledExplorer.step = slow_step\nsys.exit(main())"
    command = [sys.executable, "-c", slow, "compare", str(path), "--workers", workers]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        wait_until(lambda: list((tmp_path / "out").glob("runs/big-*/status.json")))
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 75, err
    assert "SIGTERM was received" in err.splitlines()[-1]
    assert "give the same command again to go on" in err
    assert out == ""
    assert run(path) == 0
    table = pq.read_table(tmp_path / "out" / "study.parquet")
    assert table.column("regions").to_pylist() == [expected, 5]


def test_a_time_limit_stops_the_study(tmp_path, capsys):
    path = write(tmp_path / "study.toml", tables(tmp_path / "out"))
    assert run(path, "--time-limit", "0") == 75
    captured = capsys.readouterr()
    assert "the time limit of 0 s is reached; 0 of 8 networks are finished" in captured.err
    assert run(path, "--merge") == 0
    assert "no network has a run yet" in capsys.readouterr().out


def test_a_process_that_dies_is_named(big, tmp_path, capsys):
    """And the study goes on from what was committed."""
    content, _ = big
    path = write(tmp_path / "study.toml", content)
    process = start("compare", path, "--workers", "2")
    try:
        wait_until(lambda: list((tmp_path / "out").glob("runs/big-*/manifest.json")) or process.poll() is not None)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert run(path) == 0
    assert "5" in capsys.readouterr().out


# Parts ----------------------------------------------------------------------------------------------------------------------


def test_parts_merged_are_the_whole(whole, tmp_path, capsys):
    path = write(tmp_path / "study.toml", tables(tmp_path / "out"))
    for index in (2, 3, 1):
        assert not (tmp_path / "out" / "study.parquet").exists()
        assert run(path, "--index", index, "--of", 3) == 0
    said = capsys.readouterr().out
    assert "part 2 of 3 is finished; 5 of 8 networks of other parts are not" in said
    assert untimed(pq.read_table(tmp_path / "out" / "study.parquet")) == untimed(whole[1])
    (tmp_path / "out" / "study.parquet").unlink()
    assert run(path, "--merge") == 0
    assert untimed(pq.read_table(tmp_path / "out" / "study.parquet")) == untimed(whole[1])


def test_the_tasks_of_a_slurm_array_are_parts(whole, tmp_path, capsys, monkeypatch):
    path = write(tmp_path / "study.toml", tables(tmp_path / "out"))
    for name, value in {"MIN": 0, "MAX": 2, "STEP": 2, "COUNT": 2}.items():
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", str(value))
    for task in (0, 2):
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", str(task))
        assert run(path) == 0
    said = capsys.readouterr().out
    assert "part 1 of 2 is finished; 4 of 8 networks" in said
    assert untimed(pq.read_table(tmp_path / "out" / "study.parquet")) == untimed(whole[1])
    # one task of an array again, by its number
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "5")
    assert run(path, "--list", "--of", 8) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_every_network_is_in_one_part(tmp_path):
    content = tables(
        tmp_path, grid={"inputs": None, "data": "iris", "seeds": 3, "epochs": [0, 5, 9], "pooling": "none"}
    )
    del content["grid"]["inputs"]
    every = groups(Plan.of(study_from(content)).entries)
    assert [len(group) for group in every] == [3] * 6
    for of in (1, 2, 4, 7):
        taken = [entry.name for index in range(1, of + 1) for group in Part(index, of).take(every) for entry in group]
        assert sorted(taken) == sorted(entry.name for group in every for entry in group)


# Given networks, recording, limits -------------------------------------------------------------------------------------------


def test_given_files(tmp_path):
    (tmp_path / "nets").mkdir()
    save_npz(star_network(), tmp_path / "nets" / "star.npz")
    content = {
        "study": {"name": "given", "out": str(tmp_path / "out"), "record": "regions"},
        "domain": {"kind": "box", "lower": -1, "upper": 1},
        "network": [
            {"file": "$STARS/star.npz", "parameters": 7, "seed": 3},
            {"file": "nets/star.npz", "name": "again"},
        ],
    }
    path = write(tmp_path / "study.toml", content)
    os.environ["STARS"] = str(tmp_path / "nets")
    try:
        first, second = rn.compare(path).to_pylist()
    finally:
        del os.environ["STARS"]
    assert (first["name"], second["name"]) == ("star", "again")
    # what the doctor knows of the star
    assert (first["regions"], first["distinct_maps"], first["regions_by_layer"]) == (5, 3, [4, 5])
    assert (first["parameters"], first["seed"], first["file"]) == (7, 3, "$STARS/star.npz")
    # three rows of two, two of three, one of two, and their biases
    assert second["parameters"] == 6 + 3 + 6 + 2 + 2 + 1
    assert second["widths"] is None
    assert rn.open_run(tmp_path / "out" / second["run"]).distinct_maps() == 3


def test_run_directories_are_ordinary(tmp_path, capsys):
    from regionenum.cli import main

    save_npz(star_network(), tmp_path / "star.npz")
    content = {
        "study": {"name": "one", "out": str(tmp_path / "out"), "record": "regions"},
        "domain": {"kind": "box", "lower": -1, "upper": 1},
        "network": [{"file": str(tmp_path / "star.npz")}],
    }
    (row,) = rn.compare(content).to_pylist()
    folder = str(tmp_path / "out" / row["run"])
    assert main(["certify", folder]) == 0
    assert main(["report", folder]) == 0
    assert "5 regions (complete; exact)" in capsys.readouterr().out
    assert json.loads((tmp_path / "out" / row["run"] / "config.json").read_text())["study"] == "one"


def test_limits_of_a_network(big, tmp_path, capsys, short_steps):
    from regionenum.cli import main

    content, expected = big
    path = write(tmp_path / "study.toml", content | {"limits": {"max_regions": 1000}})
    assert run(path) == 0
    out = capsys.readouterr().out
    assert "1 network is incomplete (marked +): the counts are lower bounds" in out
    table = pq.read_table(tmp_path / "out" / "study.parquet")
    assert table.column("complete").to_pylist() == [False, True]
    assert 1000 <= table["regions"][0].as_py() < expected
    assert f"{table['regions'][0].as_py():,}+" in out
    # nothing is left to do within the limit
    before = attempts(tmp_path / "out")
    assert run(path) == 0
    assert attempts(tmp_path / "out") == before
    # by hand, or with another limit, it goes on
    assert main(["resume", str(tmp_path / "out" / table["run"][0].as_py())]) == 0
    assert run(path, "--merge") == 0
    table = pq.read_table(tmp_path / "out" / "study.parquet")
    assert table["regions"].to_pylist() == [expected, 5]


def test_a_time_limit_of_a_network_counts_all_attempts(big, tmp_path, short_steps):
    content, expected = big
    content["limits"] = {"time_limit": 1e-6}
    table = rn.compare(content)
    assert table.column("complete").to_pylist()[0] is False
    before = attempts(tmp_path / "out")
    assert untimed(rn.compare(content)) == untimed(table)
    assert attempts(tmp_path / "out") == before
    content["limits"] = {"time_limit": 1e6}
    assert rn.compare(content)["regions"].to_pylist() == [expected, 5]


def test_files_that_are_not_there(tmp_path, capsys):
    save_npz(star_network(), tmp_path / "star.npz")
    content: Any = {
        "study": {"name": "given", "out": str(tmp_path / "out"), "missing": "skip"},
        "domain": {"kind": "box", "lower": -1, "upper": 1},
        "network": [{"file": str(tmp_path / "star.npz")}, {"file": str(tmp_path / "absent.npz")}],
    }
    assert run(write(tmp_path / "study.toml", content)) == 0
    captured = capsys.readouterr()
    assert f"network absent: there is no file {tmp_path}/absent.npz; it is skipped" in captured.err
    assert "it is skipped" in " ".join(captured.out.split())
    del content["network"][0]
    assert run(write(tmp_path / "study.toml", content)) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "study given: none of its networks is there, so it is skipped" in captured.err
    # a variable that is not set is the likely reason
    content["network"] = [{"file": "$NO_SUCH_FOLDER/x.npz"}]
    assert run(write(tmp_path / "study.toml", content)) == 0
    assert (
        "network x: there is no file $NO_SUCH_FOLDER/x.npz (the variable is not set); it is skipped"
        in capsys.readouterr().err
    )


def test_an_affine_network_is_one_region(tmp_path):
    content = tables(tmp_path / "out", grid={"inputs": [1, 6, 6], "channels": [[2], [2, 3]], "widths": [[3]]})
    content["grid"] |= {"activation": "none", "pooling": "none", "seeds": 1, "outputs": 2}
    content["study"]["record"] = "regions"
    table = rn.compare(content)
    assert table.column("regions").to_pylist() == [1, 1]
    assert table.column("distinct_maps").to_pylist() == [1, 1]
    assert table.column("depth").to_pylist() == [0, 0]
    assert table.column("dimensions").to_pylist() == [[{"dimension": 2, "regions": 1}]] * 2
    assert "no units: 1 region" in (tmp_path / "out" / "study.txt").read_text()


# Training -------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def flowers(tmp_path):
    """A study of small networks trained on iris, over a slice through three flowers."""
    pytest.importorskip("sklearn")
    grid = {"data": "iris", "widths": [[4]], "seeds": [7], "epochs": [0, 3]}
    return {
        "study": {"name": "flowers", "out": str(tmp_path / "out"), "record": "regions"},
        "domain": {"kind": "data_slice", "samples": [0, 60, 120]},
        "grid": grid,
        "train": {"rate": 0.05, "batch": 16},
    }


def test_training_checkpoints(flowers, tmp_path):
    from sklearn.datasets import load_iris

    first, then = rn.compare(flowers).to_pylist()
    assert (first["name"], then["name"]) == ("iris-4-relu-s7-e0", "iris-4-relu-s7-e3")
    x, y = load_iris(return_X_y=True)
    for row in (first, then):
        network = load_npz(tmp_path / "out" / row["run"] / "network.npz")
        right = network.forward(x).argmax(axis=1) == y
        # 150 flowers, a quarter of each species (12 of 50, rounded to even) for the test
        assert row["train_accuracy"] * 114 + row["test_accuracy"] * 36 == pytest.approx(right.sum())
        assert (row["dim"], row["inputs"]) == (2, 4)
        assert row["distinct_maps"] <= row["regions"]
    assert then["train_accuracy"] > first["train_accuracy"]
    # trained on its own, the network of epoch 3 is the same
    flowers["study"]["out"] = str(tmp_path / "alone")
    flowers["grid"]["epochs"] = 3
    (alone,) = rn.compare(flowers).to_pylist()
    assert alone["network"] == then["network"]
    # and another seed is another network
    flowers["grid"]["seeds"] = [8]
    (other,) = rn.compare(flowers).to_pylist()
    assert other["network"] != then["network"]


def test_a_stop_during_training_keeps_earlier_epochs(flowers, tmp_path):
    plan, stop = Plan.of(study_from(flowers)), Stop()

    def show(moment):
        if moment.doing == "training" and moment.epoch == 1:
            stop.request("enough learnt")

    run_groups(plan.study, plan.open_groups(Part()), stop, show)
    assert [path.suffix for path in sorted((tmp_path / "out" / "networks").iterdir())] == [".json", ".npz"]
    assert not list((tmp_path / "out" / "runs").glob("*"))
    assert rn.compare(flowers).num_rows == 2


def test_the_random_state_of_the_caller_is_left_alone(flowers):
    torch.manual_seed(5)
    expected = torch.rand(3).tolist()
    torch.manual_seed(5)
    threads = torch.get_num_threads()
    rn.compare(flowers)
    assert torch.rand(3).tolist() == expected
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(
    ("domain", "channels", "dim"),
    [
        ({"kind": "data_box", "margin": 0.1}, [], 4),
        ({"kind": "data_slice", "samples": [0, 60]}, [], 1),
        ({"kind": "data_patch", "sample": 3, "free": [27, 28, 36]}, [2], 3),
        ({"kind": "data_slice", "samples": [0, 1, 2]}, [2], 2),
    ],
)
def test_domains_made_of_the_data(domain, channels, dim, tmp_path):
    from regionenum.study.domains import domain_of

    datasets = pytest.importorskip("sklearn.datasets")
    data, shape = ("digits", (1, 8, 8)) if channels else ("iris", (4,))
    x = (datasets.load_digits() if channels else datasets.load_iris()).data
    content = tables(tmp_path, grid={"data": data, "channels": [channels], "widths": [[2]]}, domain=domain)
    del content["grid"]["inputs"], content["domain"]["lower"], content["domain"]["upper"]
    plan = Plan.of(study_from(content))
    assert plan.entries[0].source.input_shape == shape
    found: Any = domain_of(plan.study, data, shape)
    assert found.chart(shape).dim == dim
    if domain["kind"] == "data_box":
        sides = x.max(axis=0) - x.min(axis=0)
        np.testing.assert_allclose(found.lower, x.min(axis=0) - 0.1 * sides)
        np.testing.assert_allclose(found.upper, x.max(axis=0) + 0.1 * sides)
    elif domain["kind"] == "data_patch":
        inside = np.ravel(found.lower) != np.ravel(found.upper)
        assert np.flatnonzero(inside).tolist() == [27, 28, 36]
        assert np.ravel(found.lower)[~inside].tolist() == np.delete(x[3], [27, 28, 36]).tolist()
        assert set(np.ravel(found.upper)[inside].tolist()) == {16.0}


def test_the_split_is_fair_and_always_alike():
    pytest.importorskip("sklearn")
    from regionenum.study.training.data import load_data

    data = load_data("wine")
    trained, tested = data.split(0.25)
    assert sorted([*trained, *tested]) == list(range(178))
    for label, size in zip(*np.unique(data.y, return_counts=True), strict=True):
        assert (data.y[tested] == label).sum() == round(size / 4)
    np.testing.assert_array_equal(tested, data.split(0.25)[1])
