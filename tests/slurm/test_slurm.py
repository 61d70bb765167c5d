"""The scripts of `slurm/`, submitted to the two nodes that cluster.sh starts: `make test-slurm`.

Their time limits, tasks and memory are replaced on sbatch's command line, as users would; the files are as they are.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import regionenum as rn
from tests import studies

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "slurm"
CONFIG = ROOT / "configs" / "iris.toml"

START_SECONDS = 90
JOB_SECONDS = 300

RECORD = ["--set", "record=regions"]

# The program with 3 ms for every region: a minute of work for two ranks, on any machine, so that signals find them at it.
SLOW = f"""#!{sys.executable}
import sys, time
from regionenum.cli import main
from regionenum.engine.compiled import CompiledExplorer

step = CompiledExplorer.step

def slow_step(self, nodes):
    batch = step(self, nodes)
    time.sleep(0.003 * int(batch.statistics.cells[-1].sum()))
    return batch

CompiledExplorer.step = slow_step
sys.exit(main())
"""

pytestmark = pytest.mark.skipif("SLURM_CONF" not in os.environ, reason="run by `make test-slurm`, which starts a Slurm")


def run(*command, **options):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, timeout=60, **options)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


@dataclass
class Job:
    """A submitted job; `number` is Slurm's, `folder` is where it was submitted and logs."""

    number: str
    folder: Path
    hastened: str = "0"

    def __getitem__(self, key):
        """What scontrol says, for example of JobState."""
        shown = run("scontrol", "--oneliner", "show", "job", self.number)
        match = re.search(rf"\b{key}=(\S*)", shown)
        assert match, f"{key} is not in {shown}"
        return match[1]

    @property
    def log(self):
        # a script for arrays that is submitted without one adds a number of its own
        found = [*self.folder.glob(f"*-{self.number}.log"), *self.folder.glob(f"*-{self.number}_*.log")]
        return "".join(path.read_text() for path in found)

    def wait(self, *states, seconds=JOB_SECONDS):
        """Until the job is in one of these states."""
        deadline = time.monotonic() + seconds
        while (state := self["JobState"]) not in states:
            self._hasten(state)
            if time.monotonic() > deadline:
                pytest.fail(f"job {self.number} is {state} after {seconds} s, not {states}; its log:\n{self.log}")
            time.sleep(0.5)
        return state

    def _hasten(self, state):
        """Slurm starts a requeued job after two minutes; ten seconds are enough for it to forget the first start."""
        restarts = self["Restarts"]
        if state == "PENDING" and restarts != self.hastened:
            run("scontrol", "update", f"JobId={self.number}", "StartTime=now+10")
            self.hastened = restarts

    def ends_with(self, code):
        state = self.wait("COMPLETED", "FAILED", "TIMEOUT", "CANCELLED", "PREEMPTED", "NODE_FAIL", "OUT_OF_MEMORY")
        assert (state, self["ExitCode"]) == ("FAILED" if code else "COMPLETED", f"{code}:0"), self.log


def submit(folder, script, *arguments, **options):
    """Submit a script, with options of sbatch as keywords."""
    command = ["sbatch", "--parsable", "--mem-per-cpu=100M"]
    command += [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    return Job(run(*command, SCRIPTS / script, *arguments, cwd=folder).strip(), folder)


def content(result):
    """Statistics, and the pattern and rank columns, sorted."""
    rows = result.regions.select(["pattern", "ranks"]).to_pylist()
    return (
        [array.tolist() for array in (result.statistics.cells, result.statistics.children)],
        sorted((row["pattern"], tuple(row["ranks"])) for row in rows),
    )


@pytest.fixture(scope="module")
def expected():
    """The problem of CONFIG, serially."""
    net, domain = rn.load(CONFIG.with_suffix(".npz")), tomllib.loads(CONFIG.read_text())["domain"]
    return content(rn.enumerate_regions(net, rn.Box(domain["lower"], domain["upper"]), record="regions"))


@pytest.fixture
def slow(tmp_path, monkeypatch):
    """Jobs run the slow program, which is not beside the MPI."""
    program = tmp_path / "regionenum"
    program.write_text(SLOW)
    program.chmod(0o755)
    monkeypatch.setenv("REGIONENUM", str(program))
    monkeypatch.setenv("REGIONENUM_MPI", "pmi2")


def test_one_node(expected, tmp_path):
    job = submit(tmp_path, "one-node.sbatch", CONFIG, "run", *RECORD, ntasks=2)
    job.ends_with(0)
    result = rn.open_run(tmp_path / "run")
    assert result.complete
    assert content(result) == expected


def test_two_nodes(expected, tmp_path):
    arguments = [CONFIG, "run", *RECORD]
    job = submit(tmp_path, "many-nodes.sbatch", *arguments, nodes=2, ntasks_per_node=1)
    job.ends_with(0)
    assert job["NumNodes"] == "2"
    result = rn.open_run(tmp_path / "run")
    assert result.complete
    assert content(result) == expected


@pytest.mark.parametrize("as_list", [False, True], ids=["folder", "list"])
def test_array(as_list, expected, tmp_path):
    folder = tmp_path / "configs"
    folder.mkdir()
    shutil.copy(CONFIG.with_suffix(".npz"), folder)
    text = CONFIG.read_text().replace('record = "none"', 'record = "regions"')
    (folder / "first.toml").write_text(text)
    (folder / "second.toml").write_text(text.replace("upper = [7.9,", "upper = [6.0,"))
    source = folder
    if as_list:
        source = tmp_path / "list.txt"
        source.write_text("# two of them\nconfigs/second.toml\n\nconfigs/first.toml\n")
    array = submit(tmp_path, "array.sbatch", source, "runs", array="1-3", ntasks=2)
    jobs = [Job(f"{array.number}_{task}", tmp_path) for task in (1, 2, 3)]
    for job in jobs[:2]:
        job.ends_with(0)
    jobs[2].ends_with(2)
    assert "there is no configuration 3" in jobs[2].log
    first, second = (rn.open_run(tmp_path / "runs" / name) for name in ("first", "second"))
    assert first.complete
    assert content(first) == expected
    assert second.complete
    assert 0 < second.count < first.count


def test_a_study_in_parts(tmp_path):
    """Two tasks, of which the one that ends last writes the table; and one more that finds nothing to do."""
    content = studies.tables(tmp_path / "out")
    studies.write(tmp_path / "study.toml", content)
    array = submit(tmp_path, "compare.sbatch", "study.toml", array="1-2", cpus_per_task=1)
    for task in (1, 2):
        Job(f"{array.number}_{task}", tmp_path).ends_with(0)
    written = pq.read_table(tmp_path / "out" / "study.parquet")
    assert written.num_rows == 8
    attempts = {path: path.read_text() for path in (tmp_path / "out" / "runs").glob("*/manifest.json")}
    again = submit(tmp_path, "compare.sbatch", "study.toml", "--of", "2", array="2", cpus_per_task=1)
    Job(f"{again.number}_2", tmp_path).ends_with(0)
    assert {path: path.read_text() for path in attempts} == attempts
    content["study"]["out"] = str(tmp_path / "whole")
    assert studies.untimed(rn.compare(content)) == studies.untimed(written)


def test_missing_arguments_end_the_job_with_one_sentence(tmp_path):
    one = {"nodes": 1, "ntasks": 1, "ntasks_per_node": 1, "cpus_per_task": 1}
    jobs = {script.name: submit(tmp_path, script.name, **one) for script in SCRIPTS.glob("*.sbatch")}
    assert len(jobs) == 5
    for name, job in jobs.items():
        job.ends_with(2)
        lines = [line for line in job.log.splitlines() if "srun" not in line]
        assert len(lines) == 1, name
        assert f"sbatch {'--array=1-N ' if name in ('array.sbatch', 'compare.sbatch') else ''}{name}" in lines[0]


def test_bad_input_ends_the_job_with_2(tmp_path):
    job = submit(tmp_path, "requeue.sbatch", CONFIG, "run", "--set", "domain.lower=9", ntasks_per_node=2)
    job.ends_with(2)
    assert job["Restarts"] == "0"
    assert job.log.count("regionenum: error:") == 1


def test_a_job_that_reaches_its_time_limit_comes_back_until_the_run_is_complete(expected, slow, tmp_path):
    # Slurm looks every 30 s whether the warning is due within the next 30 s: it comes 5 to 35 s after the start.
    arguments = [CONFIG, "run", *RECORD]
    job = submit(tmp_path, "requeue.sbatch", *arguments, ntasks_per_node=2, time=1, signal="USR1@25")
    job.ends_with(0)
    assert int(job["Restarts"]) >= 1
    assert "SIGUSR1 was received" in job.log
    assert "restart 0 stopped before the end; requeued" in job.log
    result = rn.open_run(tmp_path / "run")
    assert result.complete
    assert content(result) == expected


def test_a_job_that_is_preempted_requeued_and_killed_goes_on(expected, slow, tmp_path):
    arguments = [CONFIG, "run", *RECORD]
    job = submit(tmp_path, "requeue.sbatch", *arguments, ntasks_per_node=2, time=10)

    def find_more_than(regions):
        job.wait("RUNNING", seconds=START_SECONDS)
        status, deadline = tmp_path / "run" / "status.json", time.monotonic() + START_SECONDS
        while not status.exists() or json.loads(status.read_text())["regions"] <= regions:
            assert time.monotonic() < deadline, job.log
            time.sleep(0.2)

    find_more_than(0)
    # a job of a more important partition, which needs both nodes
    wanted = ["--parsable", "--partition=urgent", "--nodes=2", "--exclusive", "--wrap=sleep 1"]
    urgent = Job(run("sbatch", *wanted, cwd=tmp_path).strip(), tmp_path)
    job.wait("PENDING")
    urgent.ends_with(0)
    stopped = rn.open_run(tmp_path / "run")
    assert not stopped.complete
    assert stopped.count > 0
    find_more_than(stopped.count)
    run("scontrol", "requeue", job.number)
    job.wait("PENDING")
    stopped = rn.open_run(tmp_path / "run")
    find_more_than(stopped.count)
    # one rank dies: srun ends the other, and the script ends with what srun says
    os.kill(json.loads((tmp_path / "run" / "status.json").read_text())["pid"], signal.SIGKILL)
    job.ends_with(137)
    run("scontrol", "requeue", job.number)
    job.wait("PENDING", "RUNNING")
    job.ends_with(0)
    assert job["Restarts"] == "3"
    assert job.log.count("SIGTERM was received") == 2
    result = rn.open_run(tmp_path / "run")
    assert result.complete
    assert content(result) == expected
