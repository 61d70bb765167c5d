"""Run directories that were damaged, or are none: one sentence."""

import shutil

import pyarrow.parquet as pq
import pytest

from regionenum.errors import InputError
from regionenum.network.storage import save_npz
from regionenum.result import open_run
from tests.line import relu_chain
from tests.runs import REGIONS, edit, parts, small_run


@pytest.fixture
def run(tmp_path, monkeypatch):
    return small_run(tmp_path / "run", monkeypatch, "tree")


@pytest.fixture
def regions_run(tmp_path, monkeypatch):
    return small_run(tmp_path / "regions", monkeypatch, "regions")


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
    assert refused(run, "format version 7, but this release reads version 2")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda m: m.update(format=1), "format version 1, but this release reads version 2"),
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
