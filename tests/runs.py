"""What tests of runs share: small run directories, comparing runs, and watching them from outside."""

import json
import subprocess
import sys
import time

import numpy as np

from regionenum.enumeration import Enumeration, Settings, follow
from regionenum.network.storage import save_npz
from regionenum.parallel.driver import Budget
from regionenum.results import writer
from regionenum.results.schema import fixed_array
from tests.exploring import same_statistics
from tests.line import LineEngine, relu_chain
from tests.test_schema import BOX, NET

SMALL = Budget(shortest=0.0, longest=0.0, bundle=2)
"""Tasks end after one step each, so that there are many."""

REGIONS, CELLS = 5, 8
"""Regions of the network over the box, and cells of its two layers."""


def in_tasks_of(size, on_progress=None, **settings):
    """Enumerate by tasks of that many regions."""
    in_steps = Settings(engine=LineEngine(size), budget=Budget(0.0, 0.0), **settings)
    follow(Enumeration(NET, BOX, in_steps), on_progress)


def small_run(folder, monkeypatch, record):
    """A run directory of two parts."""
    monkeypatch.setattr(writer, "PART_ROWS", 3)
    in_tasks_of(2, record=record, out=folder)
    return folder


def edit(run, change):
    path = run / "manifest.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def parts(run):
    return sorted((run / "parts").glob("*.parquet"))


def columns(result):
    """Sorted (pattern, ranks) rows."""
    regions = result.regions
    return sorted(
        zip(regions.column("pattern").to_pylist(), map(tuple, regions.column("ranks").to_pylist()), strict=True)
    )


def check_same(result, expected):
    """A complete result with the same statistics and the same rows."""
    assert result.complete
    assert same_statistics(result.statistics, expected.statistics)
    assert columns(result) == columns(expected)


def no_strays(run):
    """Nothing lies in the directory that its manifest does not list."""
    manifest = json.loads((run / "manifest.json").read_text())
    assert {path.name for path in (run / "parts").iterdir()} == {part["name"] for part in manifest["parts"]}
    assert [path.name for path in run.glob("frontier-*")] == [manifest["frontier"]] * bool(manifest["frontier"])
    assert not list(run.rglob(".*.tmp"))


def start(*arguments):
    """The command line in a process of its own, and a group of its own, so that signals reach no one else."""
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


def status(run):
    """What `status.json` says, or None if there is none yet."""
    path = run / "status.json"
    return json.loads(path.read_text()) if path.exists() else None


def found_some(run):
    """Asks whether the status tells of regions."""
    return lambda: (status(run) or {"regions": 0})["regions"] > 0


def sorted_rows(result):
    """Patterns and ranks of all regions as rows of bytes, sorted."""
    parts = [np.ascontiguousarray(fixed_array(result.regions.column(name))) for name in ("pattern", "ranks")]
    rows = np.concatenate([part.view(np.uint8).reshape(len(part), -1) for part in parts], axis=1)
    return rows[np.lexsort(rows.T)]
