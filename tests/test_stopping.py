"""Reasons to stop: limits, a stop file, signals; in the library and on the command line."""

import json
import os
import signal
from types import SimpleNamespace

import pytest

import regionenum as rn
from regionenum.cli import main
from regionenum.engine.compiled import CompiledEngine
from regionenum.enumeration import Enumeration, Settings, enumerate_regions, follow
from regionenum.network.storage import save_npz
from regionenum.parallel.stop import Stop
from regionenum.results.run_directory import is_held
from tests.exploring import same_statistics
from tests.runs import SMALL, found_some, slow_model, start, wait_until
from tests.test_schema import BOX, NET


class Clock:
    """A clock that goes on by so many seconds whenever it is looked at."""

    def __init__(self, tick):
        self.now, self.tick = 0.0, tick

    def monotonic(self):
        self.now += self.tick
        return self.now


@pytest.fixture
def clock(monkeypatch):
    """The clock of reasons to stop; a second for a look."""
    clock = Clock(1.0)
    monkeypatch.setattr("regionenum.parallel.stop.time", SimpleNamespace(monotonic=clock.monotonic))
    return clock


@pytest.mark.parametrize("workers", [1, 2])
def test_a_time_limit(known, tmp_path, workers, clock, short_steps):
    """The driver looks at the clock before every task it hands out."""
    network, _, expected = known
    result = enumerate_regions(network, rn.Box(-3, 3), out=tmp_path / "run", workers=workers, time_limit=0.0)
    assert (result.count, result.complete) == (0, False)
    settings = Settings(out=tmp_path / "run", workers=workers, resume=True, budget=SMALL)
    run = Enumeration(network, rn.Box(-3, 3), settings, Stop(time_limit=10.0))
    follow(run)
    assert run.stop.reason == "the time limit of 10 s is reached"
    assert 0 < run.result().count < expected.count
    result = enumerate_regions(network, rn.Box(-3, 3), out=tmp_path / "run", workers=workers, resume=True)
    assert result.complete
    assert same_statistics(result.statistics, expected.statistics)


class SlowToBegin(CompiledEngine):
    """Takes a thousand seconds until it is ready, as if kernels had to be compiled."""

    def __init__(self, clock):
        self.clock = clock

    def explorer(self, problem, options):
        self.clock.now += 1000.0
        return super().explorer(problem, options)


def test_a_time_limit_counts_from_the_beginning_of_the_work(clock):
    stop = Stop(time_limit=100.0)
    clock.now += 1000.0
    assert stop.check(0) is None
    run = Enumeration(NET, BOX, Settings(engine=SlowToBegin(clock)), stop)
    follow(run)
    assert run.result().complete
    assert stop.reason is None
    clock.now += 100.0
    assert stop.check(0) == "the time limit of 100 s is reached"


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


def test_stopping_without_a_directory(known, short_steps):
    network, _, expected = known
    run = Enumeration(
        network, rn.Box(-3, 3), Settings(record="regions", workers=2, budget=SMALL), Stop(max_regions=1000)
    )
    follow(run)
    result = run.result()
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


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_exits_with_75(tmp_path, number):
    run = tmp_path / "run"
    workers = {signal.SIGUSR1: 2, signal.SIGTERM: 1, signal.SIGINT: 2}[number]
    model = slow_model(tmp_path)
    process = start("count", model, "--box", "-9", "9", "--record", "regions", "--out", run, "--workers", workers)
    wait_until(found_some(run))
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
