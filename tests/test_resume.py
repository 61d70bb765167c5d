"""Runs that stop for a reason, are interrupted or killed, and go on: nothing is lost, nothing is there twice."""

import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

import regionenum as rn
from regionenum.cli import main
from regionenum.engine.compiled import CompiledEngine
from regionenum.engine.interface import Record
from regionenum.enumeration import Enumeration, enumerate_regions, follow
from regionenum.network.storage import save_npz
from regionenum.parallel import journal
from regionenum.parallel.driver import Budget
from regionenum.parallel.stop import Stop
from regionenum.results import run_directory
from regionenum.results.run_directory import is_held
from regionenum.results.schema import fixed_array
from tests.exploring import same_statistics
from tests.line import relu_chain
from tests.test_schema import BOX, NET

SMALL = Budget(shortest=0.0, longest=0.0, bundle=2)
"""Tasks end after one step each, so that there are many."""


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """A network of some 100,000 regions, its file, and an uninterrupted run."""
    generator = np.random.default_rng(0)
    network = relu_chain(
        *[(generator.normal(size=s), generator.normal(size=s[0])) for s in ((12, 6), (12, 12), (1, 12))]
    )
    path = tmp_path_factory.mktemp("known") / "net.npz"
    save_npz(network, path)
    return network, path, enumerate_regions(network, rn.Box(-3, 3), record="regions")


def columns(result):
    """Sorted (pattern, ranks) rows."""
    regions = result.regions
    return sorted(
        zip(regions.column("pattern").to_pylist(), map(tuple, regions.column("ranks").to_pylist()), strict=True)
    )


def check_same(result, expected):
    assert result.complete
    assert same_statistics(result.statistics, expected.statistics)
    assert columns(result) == columns(expected)


def no_strays(run):
    manifest = json.loads((run / "manifest.json").read_text())
    assert {path.name for path in (run / "parts").iterdir()} == {part["name"] for part in manifest["parts"]}
    assert [path.name for path in run.glob("frontier-*")] == [manifest["frontier"]] * bool(manifest["frontier"])
    assert not list(run.rglob(".*.tmp"))


# --- reasons to stop ----------------------------------------------------------------------------------------------------


def test_stopped_again_and_again(known, tmp_path):
    """By a limit, with other numbers of workers each time."""
    network, _, expected = known
    out, limit = tmp_path / "run", 0
    for workers in (1, 2, 3, 1):
        limit += 10_000
        result = enumerate_regions(
            network, rn.Box(-3, 3), record="regions", out=out, workers=workers, resume=limit > 10_000, max_regions=limit
        )
        assert limit <= result.count < expected.count
        assert not result.complete
        stored = rn.open_run(out)
        assert not stored.complete
        assert len(stored.regions) == stored.count == result.count
        manifest = json.loads((out / "manifest.json").read_text())
        assert re.fullmatch(rf"[\d,]+ regions are found, the limit is {limit:,}", manifest["stopped"])
        no_strays(out)
    check_same(enumerate_regions(network, rn.Box(-3, 3), record="regions", out=out, workers=2, resume=True), expected)
    check_same(rn.open_run(out), expected)
    no_strays(out)
    assert len(list(out.glob("provenance-*.json"))) == 5


def test_the_tree_is_resumed_too(known, tmp_path):
    network, _, expected = known
    whole = enumerate_regions(network, rn.Box(-3, 3), record="tree")
    assert same_statistics(whole.statistics, expected.statistics)
    for limit in (30_000, 60_000, None):
        result = enumerate_regions(
            network,
            rn.Box(-3, 3),
            record="tree",
            out=tmp_path / "run",
            workers=2,
            resume=limit != 30_000,
            max_regions=limit,
        )
    check_same(result, whole)
    cells = result.cells.select(["layer", "cell", "parent"]).to_pandas()
    assert cells["cell"].is_unique
    children = cells[cells["layer"] == 1].groupby("parent").size()
    assert set(children.index) == set(cells[cells["layer"] == 0]["cell"])
    assert sorted(children) == sorted(whole.cells.to_pandas().query("layer == 1").groupby("parent").size())


@pytest.mark.parametrize("workers", [1, 2])
def test_a_time_limit(known, tmp_path, workers):
    network, _, expected = known
    result = enumerate_regions(network, rn.Box(-3, 3), out=tmp_path / "run", workers=workers, time_limit=0.0)
    assert (result.count, result.complete) == (0, False)
    result = enumerate_regions(
        network, rn.Box(-3, 3), out=tmp_path / "run", workers=workers, time_limit=0.02, resume=True
    )
    assert result.count < expected.count
    result = enumerate_regions(network, rn.Box(-3, 3), out=tmp_path / "run", workers=workers, resume=True)
    assert result.complete
    assert same_statistics(result.statistics, expected.statistics)


def test_a_stop_file(known, tmp_path):
    network, _, expected = known
    stop_file = tmp_path / "stop"
    stop_file.touch()
    result = enumerate_regions(network, rn.Box(-3, 3), out=tmp_path / "run", stop_file=stop_file)
    assert not result.complete
    assert str(stop_file) in json.loads((tmp_path / "run" / "manifest.json").read_text())["stopped"]
    stop_file.unlink()
    result = enumerate_regions(network, rn.Box(-3, 3), out=tmp_path / "run", stop_file=stop_file, resume=True)
    assert result.count == expected.count


def test_stopping_without_a_directory(known):
    network, _, expected = known
    result = enumerate_regions(network, rn.Box(-3, 3), record="regions", max_regions=1000, workers=2)
    assert 1000 <= result.count == len(result.regions) < expected.count
    assert not result.complete


def test_signals_are_requests():
    stop = Stop()
    before = signal.getsignal(signal.SIGUSR1)
    with stop.listening():
        assert stop.check(0) is None
        os.kill(os.getpid(), signal.SIGUSR1)
        assert stop.check(0) == "SIGUSR1 was received"
        # the first Ctrl-C is still one more request, the second is not
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.check(0) == "SIGUSR1 was received"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGUSR1) == before


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ZeroDivisionError("a defect")])
def test_an_interruption_anywhere_in_the_driver(known, tmp_path, error):
    """Whatever a caller raises, and whenever: what was committed is consistent, and goes on."""
    network, _, expected = known
    out, generator = tmp_path / "run", random.Random(1)

    def interrupt(progress):
        if generator.random() < 0.05:
            raise error

    for k in range(6):
        run = Enumeration(network, rn.Box(-3, 3), record="regions", out=out, resume=k > 0, budget=SMALL)
        with pytest.raises(type(error)):
            follow(run, interrupt)
        assert not is_held(out)
        stored = rn.open_run(out)
        assert len(stored.regions) == stored.count == run.result().count
    check_same(enumerate_regions(network, rn.Box(-3, 3), record="regions", out=out, resume=True), expected)


# --- the command line ---------------------------------------------------------------------------------------------------


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "regionenum", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def slow_model(tmp_path):
    """Minutes of work, so that no signal comes too late."""
    generator = np.random.default_rng(0)
    wide = relu_chain(*[(generator.normal(size=s), generator.normal(size=s[0])) for s in ((40, 8), (40, 40), (1, 40))])
    save_npz(wide, tmp_path / "wide.npz")
    return tmp_path / "wide.npz"


def wait_until(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def begun(run):
    return lambda: (run / "status.json").exists()


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_exits_with_75(tmp_path, number):
    run = tmp_path / "run"
    workers = {signal.SIGUSR1: 2, signal.SIGTERM: 1, signal.SIGINT: 2}[number]
    model = slow_model(tmp_path)
    process = start("count", model, "--box", "-9", "9", "--record", "regions", "--out", run, "--workers", workers)
    wait_until(begun(run))
    time.sleep(0.3)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 75, err
    assert "incomplete: all counts are lower bounds" in out
    assert err.splitlines()[-1] == (
        f"regionenum: stopped: {number.name} was received; {run} holds what was found, marked incomplete; "
        f"go on with: regionenum resume {run}"
    )
    stored = rn.open_run(run)
    assert not stored.complete
    assert len(stored.regions) == stored.count > 0
    assert not is_held(run)


def regions_of(run):
    return sum(json.loads((run / "manifest.json").read_text())["statistics"]["cells"][-1])


def sorted_rows(result):
    """Patterns and ranks of all regions as rows of bytes, sorted."""
    parts = [np.ascontiguousarray(fixed_array(result.regions.column(name))) for name in ("pattern", "ranks")]
    rows = np.concatenate([part.view(np.uint8).reshape(len(part), -1) for part in parts], axis=1)
    return rows[np.lexsort(rows.T)]


def test_kill_9_at_random_moments(tmp_path):
    """Five times, anywhere from the start of the process on, then to the end; other numbers of workers each time.

    The network takes seconds, so that no run ends before it is killed.
    """
    numbers = np.random.default_rng(0)
    network = relu_chain(*[(numbers.normal(size=s), numbers.normal(size=s[0])) for s in ((14, 7), (12, 14), (1, 12))])
    path = tmp_path / "net.npz"
    save_npz(network, path)
    expected = enumerate_regions(network, rn.Box(-3, 3), record="regions")
    run, generator = tmp_path / "run", random.Random(7)
    config = tmp_path / "c.toml"
    config.write_text(
        f'model = "{path}"\nrecord = "regions"\ncommit_seconds = 0.02\n[domain]\nkind = "box"\nlower = -3\nupper = 3\n'
    )
    counts: list[int] = []
    for cycle in range(5):
        before = counts[-1] if counts else 0
        process = start("run", config, "--out", run, "--resume", "--workers", 1 + cycle % 3)
        if cycle:
            wait_until(lambda n=before: (run / "manifest.json").exists() and regions_of(run) > n)
        time.sleep(generator.random() * 0.2)
        # the driver alone: its workers have to notice
        process.kill()
        process.communicate(timeout=30)
        if (run / "manifest.json").exists():
            stored = rn.open_run(run)
            assert not stored.complete
            assert len(stored.regions) == stored.count
            counts.append(stored.count)
    assert counts == sorted(counts)
    assert len(set(counts)) >= 4
    process = start("run", config, "--out", run, "--resume", "--workers", 2)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    found = rn.open_run(run)
    assert found.complete
    assert same_statistics(found.statistics, expected.statistics)
    assert np.array_equal(sorted_rows(found), sorted_rows(expected))
    no_strays(run)


def test_resume_needs_only_the_directory(known, tmp_path, capsys, monkeypatch):
    _, path, expected = known
    box = ("--box", "-3", "3")
    monkeypatch.chdir(tmp_path)
    assert main(["count", str(path), *box, "--record", "regions", "--out", "run", "--max-regions", "9"]) == 75
    assert "go on with: regionenum resume run" in capsys.readouterr().err
    shutil.move("run", "moved run")
    assert main(["resume", "moved run", "--workers", "2", "--time-limit", "0"]) == 75
    assert "go on with: regionenum resume 'moved run'" in capsys.readouterr().err
    assert main(["resume", "moved run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["count"] == expected.count
    check_same(rn.open_run("moved run"), expected)
    before = {path: path.stat().st_mtime_ns for path in Path("moved run").rglob("*")}
    assert main(["resume", "moved run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["count"] == expected.count
    assert {path: path.stat().st_mtime_ns for path in Path("moved run").rglob("*")} == before


def test_stopping_without_a_directory_says_so(known, capsys):
    _, path, _ = known
    assert main(["count", str(path), "--box", "-3", "3", "--max-regions", "9"]) == 75
    assert capsys.readouterr().err.endswith("nothing was kept; with --out DIR it could be resumed\n")


def test_an_engine_that_cannot_go_on_says_so(tmp_path, capsys):
    save_npz(NET, tmp_path / "net.npz")
    run = str(tmp_path / "run")
    arguments = ["count", str(tmp_path / "net.npz"), "--box", "-2", "3", "--engine", "highs", "--out", run]
    assert main([*arguments, "--time-limit", "0"]) == 75
    assert "this engine cannot go on from the middle" in capsys.readouterr().err
    assert main(["resume", run]) == 2
    assert 'cannot be resumed: its engine ("highs") cannot go on from the middle' in capsys.readouterr().err


# --- refusals -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def stopped(tmp_path):
    run = tmp_path / "run"
    assert not enumerate_regions(NET, BOX, record="regions", out=run, time_limit=0.0).complete
    return run


OTHER = relu_chain(([[1.0], [-1.0], [2.0]], [0, 0, 1.0]), ([[1.0, -1, 1], [0.0, 1, -2]], [0, 0.25]), ([[1.0, 1]], [0]))
USUALLY = "usually the configuration changed: give a new folder, or the original"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"net": OTHER},
            f"holds a run with another network ({NET.hash[:40]}..., not {OTHER.hash[:40]}...); usually the weights or the "
            "model file changed: give a new folder, or the original",
        ),
        (
            {"domain": rn.Box(-2, 4)},
            "holds a run with another domain (kind box, lower -2.0, upper 3.0, not kind box, lower -2.0, upper 4.0); "
            + USUALLY,
        ),
        ({"record": "tree"}, "holds a run with another recording level (regions, not tree); " + USUALLY),
        ({"engine": "highs"}, "holds a run with another engine (compiled, not highs); " + USUALLY),
    ],
)
def test_another_run_is_not_gone_on_with(stopped, change, sentence):
    before = (stopped / "manifest.json").read_bytes()
    arguments = {"net": NET, "domain": BOX, "record": "regions", "engine": "compiled"} | change
    with pytest.raises(rn.InputError) as caught:
        enumerate_regions(**arguments, out=stopped, resume=True)
    assert str(caught.value) == f"{stopped} {sentence}"
    assert (stopped / "manifest.json").read_bytes() == before
    assert not is_held(stopped)
    assert enumerate_regions(NET, BOX, record="regions", out=stopped, resume=True).count == 5


def test_a_complete_run_is_returned_at_once(tmp_path):
    run = tmp_path / "run"
    enumerate_regions(NET, BOX, record="regions", out=run)
    before = (run / "manifest.json").read_bytes()
    result = enumerate_regions(NET, BOX, record="regions", out=run, resume=True, workers=3)
    assert (result.count, result.complete, len(result.regions)) == (5, True, 5)
    assert (run / "manifest.json").read_bytes() == before
    with pytest.raises(rn.InputError, match="holds a run with another domain"):
        enumerate_regions(NET, rn.Box(-2, 4), record="regions", out=run, resume=True)


def test_nothing_to_resume(tmp_path):
    with pytest.raises(rn.InputError, match=r"is not a run directory: it has no manifest.json"):
        enumerate_regions(NET, BOX, out=tmp_path / "none", resume=True)
    assert not (tmp_path / "none").exists()


def test_two_writers_are_refused(stopped, monkeypatch):
    monkeypatch.setattr(run_directory, "LOCK_SECONDS", 0.1)
    first = Enumeration(NET, BOX, record="regions", out=stopped, resume=True)
    with closing(first):
        assert is_held(stopped)
        with pytest.raises(rn.InputError) as caught:
            Enumeration(NET, BOX, record="regions", out=stopped, resume=True)
        assert str(caught.value) == (
            f"{stopped} is being written by another process; wait for it, or give another folder"
        )
    assert not is_held(stopped)


def frontier_of(run):
    return run / json.loads((run / "manifest.json").read_text())["frontier"]


def test_a_damaged_frontier_is_refused(stopped):
    frontier = frontier_of(stopped)
    content = frontier.read_bytes()
    for damaged in (content[:-3], b"", b"garbage"):
        frontier.write_bytes(damaged)
        with pytest.raises(rn.InputError, match=re.escape(f"{frontier} is not a frontier of a run")):
            enumerate_regions(NET, BOX, record="regions", out=stopped, resume=True)
        assert not is_held(stopped)
    frontier.unlink()
    with pytest.raises(rn.InputError, match="is listed in the manifest but missing; restore it from a copy"):
        enumerate_regions(NET, BOX, record="regions", out=stopped, resume=True)
    frontier.write_bytes(content)
    assert enumerate_regions(NET, BOX, record="regions", out=stopped, resume=True).count == 5


def test_a_frontier_of_another_version_is_refused(stopped, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(journal, "VERSION", journal.VERSION + 1)
        sentence = f"frontier version {journal.VERSION - 1}, but this release reads version {journal.VERSION}"
        with pytest.raises(rn.InputError, match=sentence):
            enumerate_regions(NET, BOX, record="regions", out=stopped, resume=True)


def test_what_a_dead_attempt_left_is_swept_and_nothing_else(stopped):
    strays = [
        stopped / "parts" / "regions-001-task00000003.parquet",
        stopped / "parts" / ".regions-001-000002.parquet.tmp",
        stopped / "frontier-001-000007.bin",
        stopped / ".manifest.json.tmp",
    ]
    own = [stopped / "parts" / "notes.txt", stopped / "job.out"]
    for path in (*strays, *own):
        path.write_bytes(b"x")
    with (stopped / "progress.jsonl").open("a") as file:
        file.write('{"regions": 1, "ce')
    assert rn.open_run(stopped).count == 0
    assert enumerate_regions(NET, BOX, record="regions", out=stopped, resume=True).count == 5
    assert not any(path.exists() for path in strays)
    assert all(path.exists() for path in own)
    assert [json.loads(line) for line in (stopped / "progress.jsonl").read_text().splitlines()]


def test_a_run_that_died_before_its_first_commit_starts_again(stopped):
    (stopped / "manifest.json").unlink()
    (stopped / "progress.jsonl").unlink()
    (stopped / "status.json").unlink()
    assert enumerate_regions(NET, BOX, record="regions", out=stopped).count == 5
    no_strays(stopped)


# --- workers that fail --------------------------------------------------------------------------------------------------


class Failing(CompiledEngine):
    """Explores for a while in the process that made it, and fails in others once it is asked to."""

    def __init__(self, action):
        self.action, self.home = action, os.getpid()

    def explorer(self, problem, record=Record.NONE):
        explorer = super().explorer(problem, record)
        step, calls = explorer.step, []

        def failing(nodes):
            calls.append(nodes)
            if os.getpid() != self.home and len(calls) > 3:
                self.action()
            return step(nodes)

        explorer.step = failing  # type: ignore[method-assign]
        return explorer


def defect():
    raise ZeroDivisionError("a defect")


def suicide():
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="the engine cannot be pickled")
@pytest.mark.parametrize(
    ("action", "pattern"),
    [
        (defect, r"worker \d .*failed with ZeroDivisionError: a defect\n(.*\n)*.*in defect"),
        (suicide, r"worker process \d+ on \S+ died \(exit code -9\)"),
    ],
)
def test_a_worker_that_fails_ends_the_run_in_seconds(known, tmp_path, action, pattern):
    network, _, expected = known
    run = tmp_path / "run"
    enumeration = Enumeration(
        network, rn.Box(-3, 3), record="regions", out=run, workers=2, engine=Failing(action), budget=SMALL
    )
    start = time.monotonic()
    with pytest.raises(rn.WorkerError, match=pattern):
        follow(enumeration)
    assert time.monotonic() - start < 10
    assert not multiprocessing.active_children()
    stored = rn.open_run(run)
    assert not stored.complete
    assert len(stored.regions) == stored.count < expected.count
    check_same(enumerate_regions(network, rn.Box(-3, 3), record="regions", out=run, workers=2, resume=True), expected)


def test_worker_errors_are_shown_whole(capsys, monkeypatch, known):
    def fail(*_, **__):
        raise rn.WorkerError("worker 3 failed\nTraceback: line")

    monkeypatch.setattr("regionenum.cli.session.follow", fail)
    assert main(["count", str(known[1]), "--box", "-1", "1"]) == 1
    assert capsys.readouterr().err == "regionenum: error: worker 3 failed\nTraceback: line\n"


# --- watching -----------------------------------------------------------------------------------------------------------


def status_of(capsys, run, *options):
    assert main(["status", str(run), "--json", *options]) == 0
    return json.loads(capsys.readouterr().out)


def test_status_of_a_run_that_is_running(tmp_path, capsys):
    run = tmp_path / "run"
    process = start("count", slow_model(tmp_path), "--box", "-9", "9", "--out", run, "--workers", 2)
    wait_until(begun(run))
    wait_until(lambda: len(json.loads((run / "status.json").read_text())["activity"]["workers"]) == 2)
    found = status_of(capsys, run, "--estimate", "0.2")
    assert (found["state"], found["pid"], found["attempt"], found["stopped"]) == ("running", process.pid, 1, "")
    assert found["regions"] > 0
    assert found["recent_rate"] > 0
    assert found["frontier"]["in_flight"] > 0
    assert [w["worker"] for w in found["workers"]] == [0, 1]
    assert all(0 < w["busy"] <= 1.05 and w["rate"] > 0 for w in found["workers"])
    assert found["estimate"]["method"] == "Knuth"
    assert found["estimate"]["probes"] >= 2
    assert main(["status", str(run)]) == 0
    text = capsys.readouterr().out
    assert re.search(r"^running on .* \(process \d+\)", text)
    assert re.search(r"^frontier: \d+ subtrees waiting, \d+ in flight$", text, re.MULTILINE)
    process.kill()
    process.communicate(timeout=30)
    wait_until(lambda: not is_held(run), 10)
    assert status_of(capsys, run)["state"] == "interrupted"


def test_status_afterwards(known, tmp_path, capsys):
    network, _, expected = known
    run = tmp_path / "run"
    enumerate_regions(network, rn.Box(-3, 3), record="regions", out=run, max_regions=40_000)
    found = status_of(capsys, run, "--estimate", "1")
    count = rn.open_run(run).count
    assert (found["state"], found["regions"], found["committed"]["rows"]) == ("stopped", count, count)
    assert found["committed"]["bytes"] == sum(path.stat().st_size for path in (run / "parts").iterdir())
    left, estimate = expected.count - count, found["estimate"]
    assert abs(estimate["regions"] - left) < 6 * estimate["error"] + 0.2 * left
    assert main(["status", str(run), "--estimate", "0.1", "--follow"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("stopped: ")
    assert re.search(r"estimate \(Knuth, \d+ probes\): .* regions left at the last commit, standard error", text)
    enumerate_regions(network, rn.Box(-3, 3), record="regions", out=run, resume=True)
    found = status_of(capsys, run, "--estimate")
    assert (found["state"], found["regions"], found["estimate"]["probes"]) == ("complete", expected.count, 0)
    (run / "status.json").unlink()
    assert status_of(capsys, run)["workers"] == []


def test_nothing_to_estimate_without_a_frontier(tmp_path, capsys):
    stop = Stop(time_limit=0.0)
    follow(Enumeration(NET, BOX, out=tmp_path / "run", engine="highs", stop=stop))
    assert main(["status", str(tmp_path / "run"), "--estimate", "1"]) == 2
    assert 'engine "highs" keeps no frontier' in capsys.readouterr().err
    (tmp_path / "run" / "status.json").write_text("{}")
    assert main(["status", str(tmp_path / "run")]) == 2
    assert "is not a status" in capsys.readouterr().err
