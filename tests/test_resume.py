"""Runs that stopped, were interrupted or killed go on: nothing is lost, nothing is there twice."""

import json
import random
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import regionenum as rn
from regionenum.cli import main
from regionenum.enumeration import Enumeration, Settings, enumerate_regions, follow
from regionenum.parallel.stop import Stop
from regionenum.results.run_directory import is_held
from tests.exploring import same_statistics
from tests.runs import SMALL, check_same, no_strays, sorted_rows


def test_stopped_again_and_again(known, tmp_path, short_steps):
    """By a limit, with other numbers of workers each time."""
    network, _, expected = known
    out, limit = tmp_path / "run", 0
    for workers in (1, 2, 3, 1):
        limit += 10_000
        settings = Settings(record="regions", out=out, workers=workers, resume=limit > 10_000, budget=SMALL)
        run = Enumeration(network, rn.Box(-3, 3), settings, Stop(max_regions=limit))
        follow(run)
        result = run.result()
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


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ZeroDivisionError("a defect")])
def test_an_interruption_anywhere_in_the_driver(known, tmp_path, error):
    """Whatever a caller raises, and whenever: what was committed is consistent, and goes on."""
    network, _, expected = known
    out, generator = tmp_path / "run", random.Random(1)

    def interrupt(progress):
        if generator.random() < 0.05:
            raise error

    for k in range(6):
        settings = Settings(record="regions", out=out, resume=k > 0, budget=SMALL)
        run = Enumeration(network, rn.Box(-3, 3), settings)
        with pytest.raises(type(error)):
            follow(run, interrupt)
        assert not is_held(out)
        stored = rn.open_run(out)
        assert len(stored.regions) == stored.count == run.result().count
    check_same(enumerate_regions(network, rn.Box(-3, 3), record="regions", out=out, resume=True), expected)


KILLED = """
import os, signal, sys
from regionenum import cli
from regionenum.parallel import driver, runner

first, last, when, *arguments = sys.argv[1:]
process, rename, renamed = os.getpid(), os.replace, []

def kill_if(moment):
    if moment == when and len(renamed) == int(last):
        os.kill(process, signal.SIGKILL)

def replace(source, target):
    counts = os.getpid() == process and (renamed or first in str(target))
    if counts:
        renamed.append(target)
        kill_if("before")
    rename(source, target)
    if counts:
        kill_if("after")

os.replace = replace
driver.Budget.seconds = lambda *_: 0.0
runner.StepLength.tests = property(lambda self: 1000, lambda self, tests: None)
raise SystemExit(cli.main(arguments))
"""
"""The command line, killed before or after it renames a file: the n-th, from the first whose name holds a word on.

Tasks are one short step each.
"""


def test_kill_9_at_random_moments(known, tmp_path):
    """Six times, anywhere from the first file on, then to the end; other numbers of workers each time.

    A commit renames three files: the process is killed between any two of them, and its workers have to notice. From the
    second time on it is killed after its first commit of rows.
    """
    _, path, expected = known
    run, generator = tmp_path / "run", random.Random(7)
    config = tmp_path / "c.toml"
    config.write_text(
        f'model = "{path}"\nrecord = "regions"\ncommit_seconds = 1e-9\n[domain]\nkind = "box"\nlower = -3\nupper = 3\n'
    )
    counts: list[int] = []
    for cycle in range(6):
        kill = ("parquet", generator.randrange(4, 12)) if cycle else ("", generator.randrange(1, 6))
        command = [sys.executable, "-c", KILLED, *map(str, kill), ("before", "after")[cycle % 2]]
        command += ["run", str(config), "--out", str(run), "--resume", "--workers", str(1 + cycle % 3)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr
        if cycle:
            stored = rn.open_run(run)
            assert not stored.complete
            assert len(stored.regions) == stored.count
            counts.append(stored.count)
    assert counts == sorted(set(counts))
    assert main(["run", str(config), "--out", str(run), "--resume", "--workers", "2"]) == 0
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
