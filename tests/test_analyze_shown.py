"""What users see of `rn.analyze`: text of 80 columns, the command line, CSV, JSON, Parquet, pictures, the README's example."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import re
import sys

import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import regionenum as rn
from regionenum.analysis.dimension_tables import BY_NAME, write_csv
from regionenum.analysis.dimension_text import MOST_ROWS, SUMMARY
from regionenum.cli import main
from regionenum.cli.doctor import star_network
from regionenum.domain import Box
from regionenum.engine.statistics import MOST_UNITS
from regionenum.errors import InputError
from regionenum.network.layers import Layer, Network
from regionenum.network.units import RELU, Units
from tests.line import LineEngine
from tests.test_cli import error_of
from tests.test_schema import BOX, NET


@pytest.fixture
def star(tmp_path):
    """A run of five regions; the tree is recorded."""
    return rn.enumerate_regions(star_network(), Box(-1, 1), record="tree", out=tmp_path / "star")


def enormous(result, name="a.very.long.path.of.modules.that.names.a.layer"):
    """The same run as if its numbers were near the largest, and its layers had long names."""
    found = result.findings
    network = found.subject.network
    layers = tuple(dataclasses.replace(layer, name=f"{name}.{k}") for k, layer in enumerate(network.layers))
    problem = dataclasses.replace(found.subject.problem, network=Network(layers, network.input_shape))
    statistics, changed = found.totals.statistics, {}
    for field in ("cells", "output", "transitions", "spread", "cutting"):
        changed[field] = np.where(getattr(statistics, field) > 0, (2**62 - 1) // 64, 0)
    totals = dataclasses.replace(found.totals, statistics=dataclasses.replace(statistics, **changed))
    analysis = rn.Analysis(
        dataclasses.replace(found, subject=dataclasses.replace(found.subject, problem=problem), totals=totals)
    )
    table, n = analysis.children, len(analysis.children)
    columns = {"max": [2**62] * n, "mean": [1.5e17] * n, "bound": [1.2345e300] * n, "rank_bound": [math.inf] * n}
    values = {name: table.column(name) for name in table.column_names} | columns
    vars(analysis)["children"] = BY_NAME["children"].of_columns(
        {name: column if isinstance(column, list) else column.to_pylist() for name, column in values.items()}
    )
    return analysis


def test_no_line_is_longer_than_80(star):
    analysis = enormous(star)
    for names in ((), *((name,) for name in BY_NAME)):
        lines = analysis.text(*names).splitlines()
        assert max(map(len, lines)) <= 80
    text = analysis.text("children")
    assert all(number in text for number in ("7.2e16", "4.6e18", "1.5e17", "1.3e300", ">1e308"))
    assert re.search(r"^\.\.\.[a-z.]*\.0 ", text, re.MULTILINE)
    assert all(len(line) <= 120 for line in analysis.text(width=120).splitlines())
    assert "72,057,594,037,927,935" in analysis.text("dimensions", width=120)


def test_text_of_a_small_run(star):
    analysis = rn.analyze(star)
    lines = [line.split() for line in str(analysis).splitlines()]
    for row in (
        ["after", "dim", "regions", "share"],
        ["signs", "1", "2", "50.0%"],
        ["output", "0", "1", "20.0%"],
        ["input", "2", "1", "4.00", "4", "0.0%", "7", "7", "57.1%"],
        ["signs", "2", "2", "1.50", "2", "50.0%", "2", "2", "100.0%"],
        ["signs", "1", "maximum", "0", "1", "50.0%"],
        ["input", "2", "1", "3.00", "3", "3", "3"],
    ):
        assert row in lines, row
    titles = [line.split(":")[0] for line in str(analysis).splitlines() if re.match(r"[a-z_]+: ", line)]
    assert titles == list(SUMMARY)
    assert analysis.text("spread").splitlines()[-1].split()[0] == "signs"
    assert repr(analysis).startswith("<Analysis: 5 regions, complete; tables dimensions, children, ")


def test_long_tables_are_cut_off_as_text_only(star):
    generator = np.random.default_rng(0)
    cells = {"layer": np.zeros(1500), "cell": np.arange(1500), "dimension": generator.integers(0, 3, 1500)}
    cells |= {"children": generator.integers(1, 9, 1500), "final_regions": generator.integers(1, 9, 1500)}
    analysis = rn.analyze(star)
    vars(analysis)["cells"] = BY_NAME["cells"].of_columns(cells)
    *_, last = text = analysis.text("cells").splitlines()
    assert last == "... and 500 rows more, which CSV, JSON and Parquet have"
    assert len([line for line in text if re.match(r" +0 +\d", line)]) == MOST_ROWS
    assert len(analysis.to_dict("cells")["tables"]["cells"]) == 1500


def test_percentages_do_not_round_to_nothing_or_all(star):
    statistics = star.findings.totals.statistics
    cells = statistics.cells.copy()
    cells[2] = [1, 0, 10**6]
    found = dataclasses.replace(
        star.findings,
        totals=dataclasses.replace(star.findings.totals, statistics=dataclasses.replace(statistics, cells=cells)),
    )
    shares = [line.split()[-1] for line in rn.Analysis(found).text("dimensions").splitlines() if "maximum" in line]
    assert shares == ["<0.1%", ">99.9%"]


def test_units_beyond_those_that_are_told_apart():
    """300 hyperplanes cut the domain: the last column of the statistics holds all numbers from 255 on."""
    n = 300
    layer = Layer("many", np.ones((n, 1)), -np.arange(1.0, n + 1), Units.pointwise(RELU, n))
    analysis = rn.analyze(rn.enumerate_regions(Network((layer,), (1,)), Box(0, n + 1)))
    assert analysis.cutting.select(["units", "and_more"]).to_pylist() == [{"units": MOST_UNITS, "and_more": True}]
    assert "255 or more" in analysis.text("cutting")
    assert "255+" in analysis.text()


# The command line --------------------------------------------------------------------------------------------------------


def test_the_command(star, tmp_path, capsys):
    run = str(tmp_path / "star")
    analysis = rn.analyze(run)
    assert main(["analyze", run]) == 0
    assert capsys.readouterr().out == f"{analysis}\n"
    assert main(["analyze", run, "--table", "spread_exact"]) == 0
    assert capsys.readouterr().out == f"{analysis.text('spread_exact')}\n"
    assert main(["analyze", run, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == analysis.to_dict()
    assert (said["count"], said["complete"], said["exact"], said["notes"]) == (5, True, True, [])
    assert list(said["tables"]) == [name for name in analysis.tables_there if name != "cells"]
    assert main(["analyze", run, "--json", "--table", "cells"]) == 0
    assert json.loads(capsys.readouterr().out)["tables"] == {"cells": analysis.table("cells").to_pylist()}


def test_files(star, tmp_path, capsys):
    run = str(tmp_path / "star")
    for name, table in rn.analyze(run).tables.items():
        path = tmp_path / f"{name}.parquet"
        assert main(["analyze", run, "--table", name, "--parquet", str(path)]) == 0
        found = pq.read_table(path)
        assert found.equals(table)
        assert found.schema.field(0).metadata[b"meaning"] == table.schema.field(0).metadata[b"meaning"]
        assert main(["analyze", run, "--table", name, "--csv"]) == 0
        read = pyarrow.csv.read_csv(io.BytesIO(capsys.readouterr().out.encode()))
        assert read.column_names == table.column_names
        assert read.num_rows == len(table)
        assert read.column("layer").to_pylist() == table.column("layer").to_pylist()


def test_csv_keeps_names_and_numbers_apart(star):
    analysis = enormous(star, name='a,"b"\nc')
    text = io.StringIO()
    write_csv(analysis.children, text)
    convert = pyarrow.csv.ConvertOptions(column_types={"bound_exact": "string", "rank_bound_exact": "string"})
    options = pyarrow.csv.ParseOptions(newlines_in_values=True)
    found = pyarrow.csv.read_csv(io.BytesIO(text.getvalue().encode()), parse_options=options, convert_options=convert)
    for name in ("name", "regions", "mean", "bound", "bound_exact"):
        assert found.column(name).to_pylist() == analysis.children.column(name).to_pylist()


def test_bad_input_is_one_sentence(tmp_path, capsys):
    run = str(tmp_path / "run")
    rn.enumerate_regions(NET, BOX, engine=LineEngine(), out=run)
    assert error_of(capsys, 2, "analyze", str(tmp_path / "no")).endswith("is not a run directory: no such folder")
    assert error_of(capsys, 2, "analyze", run, "--table", "x").startswith('there is no table "x"; choose one of')
    needs = error_of(capsys, 2, "analyze", run, "--table", "descent", "--json")
    assert needs.endswith('enumerate with record="regions" or "tree"')
    assert error_of(capsys, 2, "analyze", run, "--csv") == (
        "--csv writes one table; choose it with --table dimensions, children, transitions, spread, cutting"
    )
    path = str(tmp_path / "nowhere" / "x.parquet")
    assert error_of(capsys, 2, "analyze", run, "--parquet", path).startswith("--parquet writes one table; choose")
    assert error_of(capsys, 2, "analyze", run, "--table", "spread", "--parquet", path) == (
        f"{path} cannot be written (No such file or directory); choose a file in an existing folder"
    )
    assert "not allowed with argument" in error_of(capsys, 2, "analyze", run, "--csv", "--json")
    assert error_of(capsys, 2, "analyze", run, "--table", "spread", "--plot", "children", "x.png") == (
        "--plot draws no table: leave out --table spread, or --plot"
    )


# Pictures ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def matplotlib():
    found = pytest.importorskip("matplotlib")
    found.use("Agg")
    return found


def test_the_picture_of_children(matplotlib, star, tmp_path):
    analysis = rn.analyze(star)
    ax = analysis.plot(path=tmp_path / "children.png")
    assert (tmp_path / "children.png").read_bytes().startswith(b"\x89PNG")
    assert (ax.get_yscale(), ax.get_title()) == ("log", "How the next layer splits cells")
    drawn = [line.get_data() for line in ax.lines]
    rows = analysis.children.to_pylist()
    for k, layer in enumerate((-1, 0)):
        of_layer = [row for row in rows if row["layer"] == layer]
        for (x, y), column in zip(drawn[3 * k : 3 * k + 3], ("mean", "max", "rank_bound"), strict=True):
            assert list(np.round(x)) == [row["dimension"] for row in of_layer]
            assert list(y) == [row[column] for row in of_layer]
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["input by signs", "signs by maximum", "mean", "maximum", "bound by rank"]
    assert np.isnan(enormous(star).plot("children", path=tmp_path / "x.svg").lines[2].get_ydata()).all()


def test_the_picture_of_dimensions(matplotlib, star, tmp_path):
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    assert rn.analyze(star).plot("dimensions", ax=ax) is ax
    bars = {container.get_label(): [bar.get_height() for bar in container] for container in ax.containers}
    assert bars == {
        "dimension 0": [0.0, 0.0, 0.2, 0.2],
        "dimension 1": [0.0, 0.5, 0.4, 0.8],
        "dimension 2": [1.0, 0.5, 0.4, 0.0],
    }
    tops = [max(bar.get_y() + bar.get_height() for bar in column) for column in zip(*ax.containers, strict=True)]
    assert tops == pytest.approx([1.0] * 4)
    assert [text.get_text() for text in ax.get_xticklabels()] == ["input", "signs", "maximum", "output"]
    part = rn.Analysis(
        dataclasses.replace(star.findings, totals=dataclasses.replace(star.findings.totals, complete=False))
    )
    assert part.plot("dimensions", path=tmp_path / "p.pdf").get_title().endswith("(incomplete: there are more)")


def test_pictures_from_the_command_line(matplotlib, star, tmp_path, capsys, monkeypatch):
    run, path = str(tmp_path / "star"), tmp_path / "flow.png"
    assert main(["analyze", run, "--plot", "dimensions", str(path)]) == 0
    assert path.read_bytes().startswith(b"\x89PNG")
    assert (
        error_of(capsys, 2, "analyze", run, "--plot", "x", str(path))
        == 'kind is "x"; choose one of children, dimensions'
    )
    assert "does not end like a picture" in error_of(capsys, 2, "analyze", run, "--plot", "children", "x")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(InputError, match="plots need matplotlib"):
        rn.analyze(run).plot()
