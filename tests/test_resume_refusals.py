"""What a run does not go on with, and what dead attempts leave behind."""

import json
import re
from contextlib import closing

import numpy as np
import pytest

import regionenum as rn
from regionenum.enumeration import Enumeration, Settings, enumerate_regions
from regionenum.parallel import journal
from regionenum.results import run_directory
from regionenum.results.run_directory import is_held
from tests.line import relu_chain
from tests.runs import no_strays
from tests.test_schema import BOX, NET


@pytest.fixture
def stopped(tmp_path):
    run = tmp_path / "run"
    assert not enumerate_regions(NET, BOX, record="regions", out=run, time_limit=0.0).complete
    return run


OTHER = relu_chain(([[1.0], [-1.0], [2.0]], [0, 0, 1.0]), ([[1.0, -1, 1], [0.0, 1, -2]], [0, 0.25]), ([[1.0, 1]], [0]))
USUALLY = "usually the configuration changed: give a new folder, or the original"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"net": OTHER},
            f"holds a run with another network ({NET.hash[:40]}..., not {OTHER.hash[:40]}...); usually the weights or the "
            "model file changed: give a new folder, or the original",
        ),
        (
            {"domain": rn.Box(-2, 4)},
            "holds a run with another domain (kind box, lower -2.0, upper 3.0, not kind box, lower -2.0, upper 4.0); "
            + USUALLY,
        ),
        ({"record": "tree"}, "holds a run with another recording level (regions, not tree); " + USUALLY),
        ({"engine": "highs"}, "holds a run with another engine (compiled, not highs); " + USUALLY),
    ],
)
def test_another_run_is_not_gone_on_with(stopped, change, sentence):
    before = (stopped / "manifest.json").read_bytes()
    arguments = {"net": NET, "domain": BOX, "record": "regions", "engine": "compiled"} | change
    with pytest.raises(rn.InputError) as caught:
        enumerate_regions(**arguments, out=stopped, resume=True)
    assert str(caught.value) == f"{stopped} {sentence}"
    assert (stopped / "manifest.json").read_bytes() == before
    assert not is_held(stopped)
    assert enumerate_regions(NET, BOX, record="regions", out=stopped, resume=True).count == 5


def test_a_refusal_shows_where_two_long_domains_differ(tmp_path):
    net = relu_chain((np.eye(12), np.zeros(12)), (np.ones((1, 12)), [0]))
    first = rn.Box([0.0] * 12, [*map(float, range(1, 13))])
    run = tmp_path / "run"
    enumerate_regions(net, first, out=run, max_regions=1, time_limit=0.0)
    second = rn.Box([0.0] * 12, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.25, *map(float, range(8, 13))])
    with pytest.raises(rn.InputError) as caught:
        enumerate_regions(net, second, out=run, resume=True)
    there, here = re.findall(r"another domain \((.*), not (.*)\); usually", str(caught.value))[0]
    assert there != here
    assert "6.0, 7.0, 8.0" in there
    assert "6.0, 7.25, 8.0" in here
    assert max(len(there), len(here)) <= 46


def test_a_complete_run_is_returned_at_once(tmp_path):
    run = tmp_path / "run"
    enumerate_regions(NET, BOX, record="regions", out=run)
    before = (run / "manifest.json").read_bytes()
    result = enumerate_regions(NET, BOX, record="regions", out=run, resume=True, workers=3)
    assert (result.count, result.complete, len(result.regions)) == (5, True, 5)
    assert (run / "manifest.json").read_bytes() == before
    with pytest.raises(rn.InputError, match="holds a run with another domain"):
        enumerate_regions(NET, rn.Box(-2, 4), record="regions", out=run, resume=True)


def test_nothing_to_resume(tmp_path):
    with pytest.raises(rn.InputError, match=r"is not a run directory: it has no manifest.json"):
        enumerate_regions(NET, BOX, out=tmp_path / "none", resume=True)
    assert not (tmp_path / "none").exists()


def test_two_writers_are_refused(stopped, monkeypatch):
    monkeypatch.setattr(run_directory, "LOCK_SECONDS", 0.1)
    settings = Settings(record="regions", out=stopped, resume=True)
    first = Enumeration(NET, BOX, settings)
    with closing(first):
        assert is_held(stopped)
        with pytest.raises(rn.InputError) as caught:
            Enumeration(NET, BOX, settings)
        assert str(caught.value) == (
            f"{stopped} is being written by another process; wait for it, or give another folder"
        )
    assert not is_held(stopped)


def frontier_of(run):
    return run / json.loads((run / "manifest.json").read_text())["frontier"]


def test_a_damaged_frontier_is_refused(stopped):
    frontier = frontier_of(stopped)
    content = frontier.read_bytes()
    for damaged in (content[:-3], b"", b"garbage"):
        frontier.write_bytes(damaged)
        with pytest.raises(rn.InputError, match=re.escape(f"{frontier} is not a frontier of a run")):
            enumerate_regions(NET, BOX, record="regions", out=stopped, resume=True)
        assert not is_held(stopped)
    frontier.unlink()
    with pytest.raises(rn.InputError, match="is listed in the manifest but missing; restore it from a copy"):
        enumerate_regions(NET, BOX, record="regions", out=stopped, resume=True)
    frontier.write_bytes(content)
    assert enumerate_regions(NET, BOX, record="regions", out=stopped, resume=True).count == 5


def test_a_frontier_of_another_version_is_refused(stopped, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(journal, "VERSION", journal.VERSION + 1)
        sentence = f"frontier version {journal.VERSION - 1}, but this release reads version {journal.VERSION}"
        with pytest.raises(rn.InputError, match=sentence):
            enumerate_regions(NET, BOX, record="regions", out=stopped, resume=True)


def test_what_a_dead_attempt_left_is_swept_and_nothing_else(stopped):
    strays = [
        stopped / "parts" / "regions-001-task00000003.parquet",
        stopped / "parts" / ".regions-001-000002.parquet.tmp",
        stopped / "frontier-001-000007.bin",
        stopped / ".manifest.json.tmp",
    ]
    own = [stopped / "parts" / "notes.txt", stopped / "job.out"]
    for path in (*strays, *own):
        path.write_bytes(b"x")
    with (stopped / "progress.jsonl").open("a") as file:
        file.write('{"regions": 1, "ce')
    assert rn.open_run(stopped).count == 0
    assert enumerate_regions(NET, BOX, record="regions", out=stopped, resume=True).count == 5
    assert not any(path.exists() for path in strays)
    assert all(path.exists() for path in own)
    assert [json.loads(line) for line in (stopped / "progress.jsonl").read_text().splitlines()]


def test_a_run_that_died_before_its_first_commit_starts_again(stopped):
    (stopped / "manifest.json").unlink()
    (stopped / "progress.jsonl").unlink()
    (stopped / "status.json").unlink()
    assert enumerate_regions(NET, BOX, record="regions", out=stopped).count == 5
    no_strays(stopped)
