import errno
import json
import shutil

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

from regionenum.engine.interface import Problem, Record
from regionenum.enumeration import enumerate_regions
from regionenum.errors import InputError, RunError
from regionenum.network.storage import save_npz
from regionenum.result import open_run
from regionenum.results import manifest as manifest_module
from regionenum.results import writer
from regionenum.results.patterns import Packing
from regionenum.results.progress import Progress, Totals
from regionenum.results.subject import Subject
from regionenum.results.writer import RunWriter
from tests.line import LineEngine, chain, relu_chain
from tests.test_schema import BOX, NET, some_cells

REGIONS, CELLS = 5, 8


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run directory of two parts, tree recorded."""
    monkeypatch.setattr(writer, "PART_ROWS", 3)
    enumerate_regions(NET, BOX, record="tree", out=tmp_path / "run", engine=LineEngine(size=2))
    return tmp_path / "run"


@pytest.fixture
def regions_run(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "PART_ROWS", 3)
    enumerate_regions(NET, BOX, record="regions", out=tmp_path / "regions", engine=LineEngine(size=2))
    return tmp_path / "regions"


def edit(run, change):
    path = run / "manifest.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def parts(run):
    return sorted((run / "parts").glob("*.parquet"))


# --- the result -----------------------------------------------------------------------------------------------------


def test_the_summary():
    result = enumerate_regions(NET, BOX, record="tree", engine=LineEngine())
    assert (result.count, result.complete, result.exact) == (REGIONS, True, False)
    assert [(layer.name, layer.regions) for layer in result.layers] == [("layers.0", 3), ("layers.1", REGIONS)]
    assert result.layers[0].by_rank.keys() == {1}
    summary = result.layers[0].by_rank[1]
    assert (summary.regions, summary.children, summary.max_children, summary.unsplit) == (3, 5, 3, 2)
    assert result.layers[1].by_rank[1].children == 0
    assert (result.input.regions, result.input.by_rank[1].children) == (1, 3)
    assert repr(result).startswith("<Result: 5 regions, complete, not certified, ")


def test_regions_are_the_leaves_of_the_tree():
    tree = enumerate_regions(NET, BOX, record="tree", engine=LineEngine())
    regions = enumerate_regions(NET, BOX, record="regions", engine=LineEngine())
    assert tree.regions.equals(regions.regions)
    assert tree.distinct_maps() == regions.distinct_maps() == 4
    cells = tree.cells.to_pylist()
    assert len(cells) == CELLS
    above = {cell["cell"]: cell for cell in cells if cell["layer"] == 0}
    for cell in cells:
        if cell["layer"] == 0:
            assert (cell["parent"], cell["ranks"][1], cell["pattern"][0] & 0b00011111) == (-1, 0, 0)
        else:
            parent = above[cell["parent"]]
            assert parent["pattern"][0] == cell["pattern"][0] & 0b11100000


def test_witnesses_have_the_patterns_of_their_rows():
    regions = enumerate_regions(NET, BOX, record="regions", engine=LineEngine()).regions
    x = np.array(regions.column("witness").to_pylist())
    patterns = Packing.of(NET).pack(NET.pattern(x))
    assert [bytes(p) for p in patterns] == regions.column("pattern").to_pylist()


def test_what_was_not_recorded_is_refused():
    nothing = enumerate_regions(NET, BOX, engine=LineEngine())
    assert nothing.count == REGIONS
    for ask in (lambda: nothing.regions, nothing.distinct_maps):
        with pytest.raises(InputError, match=r'regions were not recorded .* enumerate with record="regions"'):
            ask()
    regions = enumerate_regions(NET, BOX, record="regions", engine=LineEngine())
    with pytest.raises(InputError, match=r'cells were not recorded .* enumerate with record="tree"'):
        _ = regions.cells


def test_a_network_without_units_is_one_region(tmp_path):
    affine = chain(([[2.0]], [1.0], None))
    result = enumerate_regions(affine, BOX, record="tree", engine=LineEngine(), out=tmp_path / "run")
    assert (result.count, result.layers, result.distinct_maps()) == (1, (), 1)
    assert open_run(tmp_path / "run").cells.to_pylist() == [
        {"layer": -1, "cell": 0, "parent": -1, "pattern": b"\x00", "ranks": [0], "witness": [0.5]}
    ]


# --- the run directory ----------------------------------------------------------------------------------------------


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

    enumerate_regions(NET, BOX, record="tree", out=out, engine=LineEngine(size=1), on_progress=snapshot)
    assert counts == [1, 2, 3, 4, 5, 5, 5]
    assert open_run(out).complete


def test_the_manifest_is_renewed_in_time(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "COMMIT_SECONDS", 0.0)
    monkeypatch.setattr(writer, "PROGRESS_SECONDS", 0.0)
    seen = []
    enumerate_regions(
        NET,
        BOX,
        out=tmp_path / "r",
        engine=LineEngine(size=1),
        on_progress=lambda p: seen.append(open_run(tmp_path / "r").count),
    )
    assert seen == [1, 2, 3, 4, 5, 5, 5]
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
        enumerate_regions(NET, BOX, record="tree", out=tmp_path / "run", engine=LineEngine(size=1))
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
    run_writer = RunWriter(tmp_path / "run", Subject(problem, BOX, Record.TREE, "line"), {})
    totals = Totals.of(problem)
    totals.statistics.cells[2, 1] = 2
    assert run_writer.depository is not None
    run_writer.add(run_writer.depository.deposit([some_cells()], 0))

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


# --- damage ---------------------------------------------------------------------------------------------------------


def refused(run, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        _ = open_run(run).regions
    assert "\n" not in str(caught.value)
    return True


def test_a_truncated_part(run):
    part = parts(run)[1]
    part.write_bytes(part.read_bytes()[:-7])
    assert refused(run, "tree-001-000001.parquet is truncated or not Parquet; restore it")


def test_a_part_damaged_inside(run):
    part = parts(run)[1]
    content = bytearray(part.read_bytes())
    content[4:400] = bytes(396)
    part.write_bytes(content)
    assert refused(run, "tree-001-000001.parquet cannot be read")


def test_a_missing_part(run):
    parts(run)[1].unlink()
    assert refused(run, "tree-001-000001.parquet is listed in the manifest but missing")


def test_a_part_with_other_rows(run):
    shutil.copy(parts(run)[0], run / "parts" / "tree-001-000001.parquet")
    edit(run, lambda m: m["parts"][1].update(rows=99))
    assert refused(run, r"has \d rows, but the manifest lists 99")


def test_a_part_of_another_schema(run):
    path = parts(run)[0]
    pq.write_table(pq.read_table(path).drop_columns(["witness"]), path)
    assert refused(run, "tree-001-000000.parquet cannot be read: columns are")


def test_a_part_of_another_format(run):
    path = parts(run)[0]
    pq.write_table(pq.read_table(path).replace_schema_metadata({"regionenum.format": "7"}), path)
    assert refused(run, "format version 7, but this release reads version 1")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda m: m.update(format=2), "format version 2, but this release reads version 1"),
        (lambda m: m.pop("format"), "format version None"),
        (lambda m: m.pop("parts") and m.update(extra=1), "is not a manifest: Object contains unknown field `extra`"),
        (lambda m: m.update(complete="yes"), r"is not a manifest: Expected `bool`, got `str` - at `\$.complete`"),
        (lambda m: m.update(network="0" * 64), "has hash .* but the manifest names 000000000000"),
        (
            lambda m: m.update(domain={"kind": "ball"}),
            "`domain.kind`: invalid enum value 'ball'; use one of box, .* restore it",
        ),
        (
            lambda m: m.update(domain={"kind": "box", "lower": 0}),
            r"manifest.json: key `upper` is missing in \[domain\]",
        ),
        (lambda m: m["statistics"].pop("cells"), "statistics are .* expected"),
        (lambda m: m["statistics"].update(cells=[[1]]), r"statistic `cells` does not have shape \(3, 2\)"),
    ],
)
def test_a_manifest_that_is_not_one(run, change, sentence):
    edit(run, change)
    assert refused(run, sentence)


def test_a_manifest_with_fewer_parts_than_regions(regions_run):
    assert open_run(regions_run).count == REGIONS
    edit(regions_run, lambda m: m["parts"].pop())
    assert refused(regions_run, 'it lists 4 rows, but counts 5 cells of record "regions"')


def test_a_manifest_with_fewer_parts_than_cells(run):
    edit(run, lambda m: m["parts"].pop())
    assert refused(run, r"it lists \d rows, but counts 8 cells")


def test_malformed_json_and_missing_files(run, tmp_path):
    assert refused(tmp_path / "none", "is not a run directory: no such folder")
    assert refused(tmp_path, "is not a run directory: it has no manifest.json")
    text = (run / "manifest.json").read_text()
    (run / "manifest.json").write_text(text[:-20])
    assert refused(run, "manifest.json is not valid JSON")
    (run / "manifest.json").write_text("[]")
    assert refused(run, "format version None")
    (run / "manifest.json").write_text(text)
    save_npz(relu_chain(([[1.0]], [0]), ([[1.0]], [0])), run / "network.npz")
    assert refused(run, "one of them was copied from another run")
    (run / "network.npz").unlink()
    assert refused(run, "network.npz is missing")
