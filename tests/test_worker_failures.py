"""Workers that fail or die end the run, and say why."""

import multiprocessing
import os
import re
import signal

import pytest

import regionenum as rn
from regionenum.cli import main
from regionenum.engine.compiled import CompiledEngine
from regionenum.enumeration import Enumeration, Settings, enumerate_regions, follow
from regionenum.results.status import snapshot
from tests.runs import SMALL, check_same


class Failing(CompiledEngine):
    """Explores for a while in the process that made it, and fails in others once it is asked to."""

    def __init__(self, action):
        self.action, self.home = action, os.getpid()

    def explorer(self, problem, options):
        explorer = super().explorer(problem, options)
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
def test_a_worker_that_fails_ends_the_run(known, tmp_path, capsys, action, pattern, short_steps):
    network, _, expected = known
    run = tmp_path / "run"
    settings = Settings(record="regions", out=run, workers=2, engine=Failing(action), budget=SMALL)
    enumeration = Enumeration(network, rn.Box(-3, 3), settings)
    with pytest.raises(rn.WorkerError, match=pattern):
        follow(enumeration)
    assert not multiprocessing.active_children()
    stored = rn.open_run(run)
    assert not stored.complete
    moment = snapshot(run)
    assert moment["state"] == "failed"
    assert re.match("WorkerError: " + pattern, moment["failed"])
    assert main(["status", str(run)]) == 0
    # its first line
    assert capsys.readouterr().out.splitlines()[0] == f"failed: {moment['failed'].splitlines()[0]}; attempt 1"
    check_same(enumerate_regions(network, rn.Box(-3, 3), record="regions", out=run, workers=2, resume=True), expected)
    assert (snapshot(run)["state"], snapshot(run)["failed"]) == ("complete", "")


def test_worker_errors_are_shown_whole(capsys, monkeypatch, known):
    def fail(*_, **__):
        raise rn.WorkerError("worker 3 failed\nTraceback: line")

    monkeypatch.setattr("regionenum.cli.session.follow", fail)
    assert main(["count", str(known[1]), "--box", "-1", "1"]) == 1
    assert capsys.readouterr().err == "regionenum: error: worker 3 failed\nTraceback: line\n"
