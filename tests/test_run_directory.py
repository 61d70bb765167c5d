"""Run directories: what is written, when, and that any prefix of it is valid."""

import errno
import json
import shutil

import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

from regionenum.engine.interface import Problem, Record
from regionenum.enumeration import enumerate_regions
from regionenum.errors import InputError, RunError
from regionenum.result import open_run
from regionenum.results import manifest as manifest_module
from regionenum.results import writer
from regionenum.results.progress import Progress, Totals
from regionenum.results.status import Activity, snapshot
from regionenum.results.subject import Subject
from regionenum.results.writer import RunWriter
from tests.line import LineEngine
from tests.runs import CELLS, REGIONS, in_tasks_of, parts, small_run
from tests.test_schema import BOX, NET, some_cells


@pytest.fixture
def run(tmp_path, monkeypatch):
    return small_run(tmp_path / "run", monkeypatch, "tree")


def test_a_run_directory_gives_the_same_result(run):
    memory = enumerate_regions(NET, BOX, record="tree", engine=LineEngine())
    result = open_run(run)
    assert len(parts(run)) == 2
    assert result.cells.equals(memory.cells)
    assert result.regions.equals(memory.regions)
    assert result.layers == memory.layers
    assert result.input == memory.input
    assert result.network.hash == NET.hash
    assert result.domain.describe() == BOX.describe()
    assert (result.complete, result.exact, result.engine, result.record) == (True, False, "line", Record.TREE)
    assert result.counters.tests == 3
    assert result.distinct_maps() == 4


def test_files_beside_the_parts(run):
    provenance = json.loads((run / "provenance-1.json").read_text())
    assert provenance.keys() >= {"regionenum", "python", "packages", "platform", "host", "started", "command"}
    assert json.loads((run / "config.json").read_text())["domain"] == BOX.describe()
    last = json.loads((run / "progress.jsonl").read_text().splitlines()[-1])
    assert (last["regions"], last["cells"], last["doubtful"]) == (REGIONS, [3, 5], 0)
    assert not list(run.rglob("*.tmp"))


def test_pandas_polars_and_duckdb_read_the_parts(run):
    files = [str(path) for path in parts(run)]
    frames = [
        pd.concat([pd.read_parquet(path) for path in files]),
        pl.read_parquet(files).to_pandas(),
        duckdb.sql(f"select * from read_parquet({files})").df(),
    ]
    for frame in frames:
        assert len(frame) == CELLS
        leaves = frame[frame["layer"] == 1]
        assert sorted(leaves["cell"]) == list(range(REGIONS))
        assert {bytes(p) for p in leaves["pattern"]} == set(open_run(run).regions.column("pattern").to_pylist())
        assert [list(ranks) for ranks in leaves["ranks"]] == [[1, 1]] * REGIONS
        assert all(-2 < w[0] < 3 for w in leaves["witness"])


def test_parts_that_are_not_listed_are_ignored(run):
    (run / "parts" / "tree-000003.parquet").write_bytes(parts(run)[0].read_bytes()[:100])
    (run / "parts" / ".tree-000004.parquet.tmp").write_bytes(b"PAR1")
    assert len(open_run(run).cells) == CELLS


def test_every_prefix_of_a_run_is_valid(tmp_path, monkeypatch):
    """Snapshots at every commit, each opened."""
    monkeypatch.setattr(writer, "PART_ROWS", 1)
    out, counts = tmp_path / "run", list[int]()

    def snapshot(progress: Progress):
        copy = tmp_path / f"copy{len(counts)}"
        shutil.copytree(out, copy)
        result = open_run(copy)
        assert not result.complete
        assert len(result.regions) == result.count == progress.regions
        counts.append(result.count)

    in_tasks_of(1, snapshot, record="tree", out=out)
    # the last result says only that nothing is left
    assert counts == [1, 2, 3, 4, 5, 5]
    assert open_run(out).complete


def test_the_manifest_is_renewed_in_time(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "COMMIT_SECONDS", 0.0)
    monkeypatch.setattr(writer, "PROGRESS_SECONDS", 0.0)
    seen = []
    in_tasks_of(1, lambda p: seen.append(open_run(tmp_path / "r").count), out=tmp_path / "r")
    assert seen == [1, 2, 3, 4, 5, 5]
    assert len((tmp_path / "r" / "progress.jsonl").read_text().splitlines()) >= 7


def test_a_folder_in_use_is_refused(run, tmp_path):
    with pytest.raises(InputError, match="is not empty; give a new folder"):
        enumerate_regions(NET, BOX, out=run, engine=LineEngine())
    assert open_run(run).complete
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(InputError, match="is a file; give a new folder"):
        enumerate_regions(NET, BOX, out=file, engine=LineEngine())
    (tmp_path / "empty").mkdir()
    assert enumerate_regions(NET, BOX, out=tmp_path / "empty", engine=LineEngine()).complete


def test_a_full_disk_is_one_sentence_and_leaves_a_valid_run(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "PART_ROWS", 3)
    write_table, calls = pq.write_table, []

    def full_at_the_second_part(table, file, **options):
        calls.append(file)
        if len(calls) > 1:
            file.write(b"PAR1 and no more")
            raise OSError(errno.ENOSPC, "No space left on device")
        write_table(table, file, **options)

    monkeypatch.setattr(pq, "write_table", full_at_the_second_part)
    with pytest.raises(RunError, match=r"writing failed \(No space left on device\); free space") as caught:
        in_tasks_of(1, record="tree", out=tmp_path / "run")
    assert "\n" not in str(caught.value)
    result = open_run(tmp_path / "run")
    assert not result.complete
    assert 0 < len(result.cells) < CELLS
    assert len(result.regions) == result.count


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="writing failed"):
        enumerate_regions(NET, BOX, out=tmp_path / "file" / "run", engine=LineEngine())


def test_rows_of_an_interrupted_commit_are_written_once(tmp_path, monkeypatch):
    problem = Problem.over(NET, BOX)
    run_writer = RunWriter(tmp_path / "run", Subject(problem, Record.TREE, "line"), {})
    totals = Totals.of(problem)
    totals.statistics.cells[2, 1] = 2
    assert run_writer.cell_store is not None
    run_writer.add(run_writer.cell_store.store([some_cells()], 0))

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(manifest_module.Manifest, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_writer.commit(totals)
    assert len(parts(tmp_path / "run")) == 1
    run_writer.commit(totals)
    assert [part.rows for part in run_writer.rows.parts] == [2]
    run_writer.close()
    assert len(open_run(tmp_path / "run").cells) == 2


def test_status_shows_regions_and_cells_of_one_moment(tmp_path):
    """What was found since the last commit and the last line of progress is in both, or in neither."""
    problem = Problem.over(NET, BOX)
    run_writer = RunWriter(tmp_path / "run", Subject(problem, Record.NONE, "line"), {})
    totals = Totals.of(problem)
    run_writer.commit(totals)
    totals.statistics.cells[:, 1] = [1, 3, 4]
    run_writer.note(totals, Activity, final=True)
    running = snapshot(tmp_path / "run")
    assert (running["state"], running["regions"], running["cells"]) == ("running", 4, [3, 4])
    assert running["committed"]["regions"] == 0
    run_writer.close()
    dead = snapshot(tmp_path / "run")
    assert (dead["state"], dead["regions"], dead["cells"]) == ("interrupted", 0, [0, 0])
