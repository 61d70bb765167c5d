"""Watching a run: `regionenum status`."""

import errno
import json
import re
from functools import partial

import pytest

import regionenum as rn
from regionenum.cli import main
from regionenum.engine.compiled import CompiledEngine
from regionenum.enumeration import Enumeration, Settings, enumerate_regions, follow
from regionenum.parallel import estimate as estimate_module
from regionenum.parallel.stop import Stop
from regionenum.results.run_directory import is_held
from regionenum.results.writer import RunWriter
from tests.runs import SMALL, found_some, slow_model, start, status, wait_until
from tests.test_schema import BOX, NET


def status_of(capsys, run, *options):
    assert main(["status", str(run), "--json", *options]) == 0
    return json.loads(capsys.readouterr().out)


def test_status_of_a_run_that_is_running(tmp_path, capsys):
    run = tmp_path / "run"
    process = start("count", slow_model(tmp_path), "--box", "-9", "9", "--out", run, "--workers", 2)
    wait_until(found_some(run))
    wait_until(lambda: len(status(run)["activity"]["workers"]) == 2)
    found = status_of(capsys, run, "--estimate", "0.2")
    assert (found["state"], found["pid"], found["attempt"], found["stopped"]) == ("running", process.pid, 1, "")
    assert found["regions"] > 0
    assert found["recent_rate"] > 0
    assert found["frontier"]["in_flight"] > 0
    assert [w["worker"] for w in found["workers"]] == [0, 1]
    assert all(w["busy"] > 0 and w["rate"] > 0 for w in found["workers"])
    assert found["estimate"]["method"] == "Knuth"
    assert found["estimate"]["probes"] >= 2
    assert main(["status", str(run)]) == 0
    text = capsys.readouterr().out
    assert re.search(r"^running on .* \(process \d+\)", text)
    assert re.search(r"^frontier: \d+ subtrees waiting, \d+ in flight$", text, re.MULTILINE)
    process.kill()
    process.communicate(timeout=30)
    wait_until(lambda: not is_held(run))
    assert status_of(capsys, run)["state"] == "interrupted"


def test_status_afterwards(known, tmp_path, capsys, monkeypatch, short_steps):
    """Steps and probes do not depend on time: neither do the frontier and its estimate."""
    network, _, expected = known
    run = tmp_path / "run"
    settings = Settings(record="regions", out=run, budget=SMALL)
    follow(Enumeration(network, rn.Box(-3, 3), settings, Stop(max_regions=40_000)))
    seeded = partial(estimate_module.estimate, seed=3, most=100)
    monkeypatch.setattr(estimate_module, "estimate", lambda explorer, subtrees, _: seeded(explorer, subtrees, 1e9))
    found = status_of(capsys, run, "--estimate", "1")
    count = rn.open_run(run).count
    assert (found["state"], found["regions"], found["committed"]["rows"]) == ("stopped", count, count)
    assert found["committed"]["bytes"] == sum(path.stat().st_size for path in (run / "parts").iterdir())
    left, estimate = expected.count - count, found["estimate"]
    assert estimate["probes"] == 100
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


class FailsLater(CompiledEngine):
    """Explores one step, then has a defect."""

    def explorer(self, problem, options):
        explorer = super().explorer(problem, options)
        steps = iter([explorer.step])
        explorer.step = lambda tests: next(steps, defect)(tests)  # type: ignore[method-assign]
        return explorer


def defect(tests):
    raise ArithmeticError("a defect")


def test_a_run_that_failed_says_why(known, tmp_path, capsys, short_steps):
    run = tmp_path / "run"
    with pytest.raises(ArithmeticError, match="a defect"):
        follow(Enumeration(known[0], rn.Box(-3, 3), Settings(out=run, engine=FailsLater(), budget=SMALL)))
    found = status_of(capsys, run)
    assert (found["state"], found["stopped"], found["failed"]) == ("failed", "", "ArithmeticError: a defect")
    assert main(["status", str(run)]) == 0
    assert capsys.readouterr().out.startswith("failed: ArithmeticError: a defect; attempt 1\n")
    # a reason to stop ends the next attempt
    follow(Enumeration(known[0], rn.Box(-3, 3), Settings(out=run, resume=True), Stop(time_limit=0.0)))
    found = status_of(capsys, run)
    assert (found["state"], found["attempt"], found["failed"]) == ("stopped", 2, "")


def test_a_failure_that_cannot_be_noted_hides_nothing(tmp_path, monkeypatch):
    """The folder cannot be written any more: the error stays the one it was, with a note."""

    def broken(*_, **__):
        raise ArithmeticError("a defect")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    enumeration = Enumeration(NET, BOX, Settings(out=tmp_path / "run"))
    moments = enumeration.run()
    monkeypatch.setattr("regionenum.enumeration.drive", broken)
    monkeypatch.setattr(RunWriter, "commit", lambda *_: None)
    (tmp_path / "run" / "manifest.json").write_text("{}")
    monkeypatch.setattr("regionenum.results.manifest.write_atomically", full)
    with pytest.raises(ArithmeticError, match="a defect") as caught:
        next(moments)
    assert "That the run failed could not be noted" in caught.value.__notes__[0]
    assert "No space left" in caught.value.__notes__[0]


def test_nothing_to_estimate_without_a_frontier(tmp_path, capsys):
    follow(Enumeration(NET, BOX, Settings(out=tmp_path / "run", engine="highs"), Stop(time_limit=0.0)))
    assert main(["status", str(tmp_path / "run"), "--estimate", "1"]) == 2
    assert 'engine "highs" keeps no frontier' in capsys.readouterr().err
    (tmp_path / "run" / "status.json").write_text("{}")
    assert main(["status", str(tmp_path / "run")]) == 2
    assert "is not a status" in capsys.readouterr().err
