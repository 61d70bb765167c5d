"""Recordings without witnesses: what is on disk, and that everything that reads witnesses does without."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import regionenum as rn
from regionenum.certification import certify
from regionenum.cli import main
from regionenum.network.storage import save_npz
from regionenum.results.manifest import Manifest
from tests.planes import relu_network

NETWORK, BOX = relu_network(0, 2, 8, 8, 2), rn.Box(-1, 1)


@pytest.fixture(scope="module")
def pair() -> tuple[rn.Result, rn.Result]:
    return tuple(rn.enumerate_regions(NETWORK, BOX, record="regions", witnesses=w) for w in (True, False))  # type: ignore[return-value]


def by_pattern(result: rn.Result) -> np.ndarray:
    """The regions in the order of their patterns."""
    return result._geometry.locator.index.order


def test_the_column_is_not_there(pair: tuple[rn.Result, rn.Result]) -> None:
    kept, without = pair
    assert without.regions.column_names == ["pattern", "ranks", "output_rank"]
    assert kept.regions.drop_columns(["witness"]).schema.names == without.regions.schema.names
    patterns = [sorted(result.regions.column("pattern").to_pylist()) for result in pair]
    assert patterns[0] == patterns[1]


def test_what_is_recorded_is_smaller_by_the_witnesses(pair: tuple[rn.Result, rn.Result]) -> None:
    """Eight bytes for each of two inputs."""
    kept, without = (result.regions.nbytes / result.count for result in pair)
    assert kept - without == pytest.approx(16.0, abs=0.5)
    # pattern, two layers, and the output
    assert without == 2 + 2 * 2 + 2


def test_geometry_is_the_same(pair: tuple[rn.Result, rn.Result]) -> None:
    orders = [by_pattern(result) for result in pair]
    matrices = [r.adjacency()[order][:, order].toarray() for r, order in zip(pair, orders, strict=True)]
    assert np.array_equal(*matrices)
    volumes = [r.volumes()[order] for r, order in zip(pair, orders, strict=True)]
    assert volumes[0] == pytest.approx(volumes[1])
    labels = [result.connected_regions().max() for result in pair]
    assert labels[0] == labels[1]


def test_points_are_found_where_they_are_asked_for(pair: tuple[rn.Result, rn.Result]) -> None:
    for result in pair:
        points = np.array([result.region(i).witness for i in range(result.count)])
        assert result.locate(points).tolist() == list(range(result.count))


@pytest.mark.parametrize(
    "domain",
    [
        rn.Box(-1, 1),
        rn.WholeSpace(),
        rn.Slice([0.0] * 3, np.eye(3)[:2], within=rn.Box(-1, 1)),
        rn.Box([0, 0, -1], [0, 1, 1]),
    ],
)
def test_adjacency_in_all_kinds_of_domains(domain: rn.Domain) -> None:
    network = relu_network(1, 3, 6, 6, 2)
    results = [rn.enumerate_regions(network, domain, record="regions", witnesses=w) for w in (True, False)]
    orders = [by_pattern(result) for result in results]
    matrices = [r.adjacency()[order][:, order].toarray() for r, order in zip(results, orders, strict=True)]
    assert results[0].count > 5
    assert np.array_equal(*matrices)


def test_pictures_do_without(pair: tuple[rn.Result, rn.Result], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    pair[1].plot(path=tmp_path / "box.png")
    whole = rn.enumerate_regions(NETWORK, rn.WholeSpace(), record="regions", witnesses=False)
    whole.plot(path=tmp_path / "whole.png")
    assert (tmp_path / "whole.png").stat().st_size > 1000


@pytest.mark.parametrize("record", ["regions", "tree"])
def test_a_run_is_read_and_certified(record: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    result = rn.enumerate_regions(NETWORK, BOX, record=record, witnesses=False, out=out)
    for part in (out / "parts").glob("*.parquet"):
        assert "witness" not in pq.read_schema(part).names
    assert Manifest.read(out).witnesses is False
    again = rn.open_run(out)
    assert again.regions.column_names == ["pattern", "ranks", "output_rank"]
    assert again.adjacency().nnz == result.adjacency().nnz > 0
    assert certify(out).regions == result.count


def test_a_run_goes_on_as_it_began(tmp_path: Path) -> None:
    network, box, out = relu_network(2, 4, 14, 14, 2), rn.Box(-2, 2), tmp_path / "run"
    rn.enumerate_regions(network, box, record="regions", witnesses=False, out=out, max_regions=10)
    with pytest.raises(
        rn.InputError, match=r"another kind of rows .*without witnesses, not with witnesses.*`witnesses` changed"
    ):
        rn.enumerate_regions(network, box, record="regions", out=out, resume=True)
    result = rn.enumerate_regions(network, box, record="regions", witnesses=False, out=out, resume=True)
    assert result.complete
    assert result.regions.num_rows == result.count


def test_manifests_of_before_have_witnesses() -> None:
    assert (
        Manifest.__struct_defaults__[Manifest.__struct_fields__.index("witnesses") - len(Manifest.__struct_fields__)]
        is True
    )


@pytest.mark.parametrize("how", ["configuration", "option"])
def test_the_command_line(how: str, tmp_path: Path) -> None:
    model, out = tmp_path / "net.npz", tmp_path / "run"
    save_npz(NETWORK, model)
    if how == "option":
        code = main(
            ["count", str(model), "--box", "-1", "1", "--record", "regions", "--no-witnesses", "--out", str(out)]
        )
    else:
        text = (
            'model = "net.npz"\nrecord = "regions"\nwitnesses = false\n[domain]\nkind = "box"\nlower = -1\nupper = 1\n'
        )
        (tmp_path / "config.toml").write_text(text)
        code = main(["run", str(tmp_path / "config.toml"), "--out", str(out)])
    assert code == 0
    assert rn.open_run(out).regions.column_names == ["pattern", "ranks", "output_rank"]
    # going on with a complete run says what it found
    assert main(["resume", str(out)]) == 0
