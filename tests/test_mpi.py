"""The command line under mpiexec, with whatever MPI is beside this Python: its launcher, or `mpiexec` on the path."""

import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import regionenum as rn
from regionenum.network.layers import Layer
from regionenum.network.storage import save_npz
from regionenum.network.units import RELU, Units

BESIDE = Path(sys.executable).with_name("mpiexec")
MPIEXEC = str(BESIDE) if BESIDE.exists() else shutil.which("mpiexec")
COMMAND = [sys.executable, "-m", "regionenum"]


def _launcher_options():
    if MPIEXEC is None:
        return None
    version = subprocess.run([MPIEXEC, "--version"], capture_output=True, text=True, check=False).stdout
    return ["--allow-run-as-root", "--oversubscribe"] if "Open MPI" in version or "OpenRTE" in version else []


OPTIONS = _launcher_options()
needs_mpi = pytest.mark.skipif(
    OPTIONS is None or subprocess.run([sys.executable, "-c", "from mpi4py import MPI"], check=False).returncode != 0,
    reason="mpi4py with an MPI library and its mpiexec",
)


def launch(ranks, *arguments, prefix=COMMAND, **options):
    return subprocess.Popen(
        [str(MPIEXEC), *OPTIONS, "-n", str(ranks), *prefix, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        **options,
    )


def finish(process, seconds=120):
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        pytest.fail(f"the job hung:\n{out}\n{err}")
    return process.returncode, out, err


def network(path, *widths):
    rng = np.random.default_rng(7)
    layers = []
    for k, (n_in, n_out) in enumerate(itertools.pairwise(widths)):
        weight, bias = rng.uniform(-1, 1, (n_out, n_in)), rng.uniform(-1, 1, n_out)
        layers.append(Layer(f"layers.{k}", weight, bias, Units.pointwise(RELU, n_out)))
    save_npz(rn.Network(tuple(layers), (widths[0],)), path)
    return path


def content(result):
    """Pattern and rank columns, sorted, and the statistics."""
    table = result.regions.select(["pattern", "ranks"]).to_pylist()
    statistics = result.statistics
    return sorted((row["pattern"], tuple(row["ranks"])) for row in table), [
        array.tolist() for array in (statistics.cells, statistics.children, statistics.max_children, statistics.unsplit)
    ]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    path = network(folder / "net.npz", 3, 12, 10, 8)
    return path, content(rn.enumerate_regions(rn.load(path), rn.Box(-5, 5), record="regions"))


@needs_mpi
@pytest.mark.parametrize("ranks", [2, 3, 6])
def test_any_number_of_ranks_finds_the_same(ranks, small, tmp_path):
    path, expected = small
    code, out, err = finish(
        launch(ranks, "count", path, "--box", "-5", "5", "--record", "regions", "--out", tmp_path / "run")
    )
    assert code == 0, err
    assert "complete" in out
    result = rn.open_run(tmp_path / "run")
    assert result.complete
    assert content(result) == expected


FAULT = """
import sys
from regionenum.parallel.runner import TaskRunner
from regionenum.parallel.mpi import world
import regionenum.cli
from mpi4py import MPI
if MPI.COMM_WORLD.Get_rank() == 1:
    def run(self, task, recalled=None):
        {fault}
    TaskRunner.run = run
raise SystemExit(regionenum.cli.main(sys.argv[1:]))
"""


@needs_mpi
def test_an_exception_on_one_rank_ends_the_job_and_says_where(small, tmp_path):
    path, _ = small
    prefix = [sys.executable, "-c", FAULT.format(fault="raise ValueError('a cosmic ray')")]
    code, _, err = finish(launch(3, "count", path, "--box", "-5", "5", prefix=prefix))
    assert code != 0
    assert f"rank 1 on {socket.gethostname()} failed" in err
    assert "Traceback" in err
    assert "ValueError: a cosmic ray" in err


@needs_mpi
def test_a_rank_that_is_killed_ends_the_job_and_the_run_can_be_resumed(small, tmp_path):
    path, expected = small
    prefix = [sys.executable, "-c", FAULT.format(fault="import os; os.kill(os.getpid(), 9)")]
    arguments = ["count", path, "--box", "-5", "5", "--record", "regions", "--out", tmp_path / "run"]
    code, _, _ = finish(launch(3, *arguments, prefix=prefix))
    assert code != 0
    assert not rn.open_run(tmp_path / "run").complete
    code, _, err = finish(launch(2, "resume", tmp_path / "run"))
    assert code == 0, err
    assert content(rn.open_run(tmp_path / "run")) == expected


WAITING = """
import pathlib, sys, time
from regionenum import cli
from regionenum.parallel import driver, runner, stop

check = stop.Stop.check

def wait_for_a_reason(self, regions):
    if regions:
        pathlib.Path(sys.argv[1]).touch()
        while self.reason is None:
            time.sleep(0.01)
    return check(self, regions)

stop.Stop.check = wait_for_a_reason
driver.Budget.seconds = lambda *_: 0.0
runner.StepLength.tests = property(lambda self: 100, lambda self, tests: None)
raise SystemExit(cli.main(sys.argv[2:]))
"""
"""The command line whose driver, with the first regions, touches a file and waits for a reason to stop; short tasks."""


@needs_mpi
def test_usr1_stops_a_job_that_another_number_of_ranks_resumes(small, tmp_path):
    path, expected = small
    run, begun = tmp_path / "run", tmp_path / "begun"
    arguments = ["count", path, "--box", "-5", "5", "--record", "regions", "--out", run]
    process = launch(2, begun, *arguments, prefix=[sys.executable, "-c", WAITING], start_new_session=True)
    wait_for(begun.exists, process)
    process.send_signal(signal.SIGUSR1)
    code, out, err = finish(process)
    assert "SIGUSR1 was received" in err + out, err
    assert code == 75
    stopped = rn.open_run(run)
    assert not stopped.complete
    assert 0 < stopped.count < len(expected[0])
    code, _, err = finish(launch(3, "resume", run))
    assert code == 0, err
    result = rn.open_run(run)
    assert result.complete
    assert content(result) == expected


def wait_for(condition, process, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            out, err = process.communicate()
            pytest.fail(f"the job did not start:\n{out}\n{err}")
        time.sleep(0.05)


@needs_mpi
def test_bad_input_is_one_sentence_and_ends_all_ranks(small, tmp_path):
    path, _ = small
    code, _, err = finish(launch(3, "count", path, "--box", "5", "-5"))
    assert code == 2
    assert err.count("regionenum: error:") == 1
    assert "lower 5.0 is above upper -5.0" in err


@needs_mpi
def test_ranks_that_cannot_see_each_other_are_refused(small):
    path, _ = small
    done = subprocess.run(
        [*COMMAND, "count", str(path), "--box", "-1", "1"],
        capture_output=True,
        text=True,
        env={**os.environ, "SLURM_STEP_NUM_TASKS": "4"},
        check=False,
    )
    assert done.returncode == 2
    assert "4 ranks were launched, but each is alone in its communicator" in done.stderr
    assert "--mpi=pmi2" in done.stderr


def test_a_slurm_allocation_without_a_launcher_is_refused(small):
    path, _ = small
    done = subprocess.run(
        [*COMMAND, "count", str(path), "--box", "-1", "1"],
        capture_output=True,
        text=True,
        env={**os.environ, "SLURM_NTASKS": "4"},
        check=False,
    )
    assert done.returncode == 2
    assert "SLURM_NTASKS=4, but this process was started by neither srun nor mpiexec" in done.stderr
