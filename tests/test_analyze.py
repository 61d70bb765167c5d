"""`rn.analyze`: its tables against plain Python on exact cells, closed forms, and by hand; what was merged and resumed."""

from __future__ import annotations

import dataclasses
import json
import math
import random
import signal
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import regionenum as rn
from regionenum.analysis.dimension_tables import BY_NAME, TABLES, markdown
from regionenum.analysis.layer_bounds import LayerBounds
from regionenum.cli import main
from regionenum.cli.doctor import star_network
from regionenum.domain import Box, WholeSpace
from regionenum.engine.interface import OpenCell, Problem, Record
from regionenum.errors import InputError
from regionenum.exact.ranks import rank_up_to
from regionenum.network.layers import Layer, Network
from regionenum.network.units import IDENTITY, MAXIMUM, RELU, PiecewiseLinear, Units
from regionenum.results.findings import Findings
from regionenum.results.progress import Totals
from regionenum.results.row_store import RowsInMemory
from regionenum.results.subject import Subject
from tests.dimension_oracle import cutting_units, expected, sum_of_products
from tests.exact_oracle import NoInteriorError, TooManyCellsError
from tests.hard_networks import FAMILIES, hard_cases
from tests.line import LineEngine, chain, relu_chain
from tests.oracles import fractions, pivots
from tests.runs import parts, small_run
from tests.strategies import cases
from tests.test_certify import HONEST
from tests.test_resume import KILLED
from tests.test_schema import BOX, NET

BUDGET = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
COUNTED = ("dimensions", "children", "transitions", "spread", "cutting")
RECORDED = ("descent", "spread_exact", "last_split", "cells")


def assert_rows(table, rows):
    """A table has these rows, in this order: integers and text exactly, fractions correctly rounded."""
    assert table.schema.equals(BY_NAME[table.schema.metadata[b"regionenum.table"].decode()].schema, check_metadata=True)
    found = table.to_pylist()
    assert [{k: float(v) if isinstance(v, Fraction) else v for k, v in row.items()} for row in rows] == found


def assert_is(analysis, tables):
    for name, rows in tables.items():
        if name in analysis.tables_there:
            assert_rows(analysis.table(name), rows)


def assert_bounded(analysis):
    for row in analysis.children.to_pylist():
        assert row["max"] <= int(row["rank_bound_exact"]) <= int(row["bound_exact"])
        assert row["max"] <= row["rank_bound"] <= row["bound"]


def same_cells(one, other):
    """The same cells in some order, apart from their numbers."""
    rows = [
        sorted(
            zip(
                *(a.table("cells").column(name).to_pylist() for name in a.cells.column_names if name != "cell"),
                strict=True,
            )
        )
        for a in (one, other)
    ]
    return rows[0] == rows[1]


def assert_analyzed(network, domain):
    """At every level of recording the tables are those of plain Python."""
    tables = expected(network, domain)
    found = {
        record: rn.analyze(rn.enumerate_regions(network, domain, record=record))
        for record in ("none", "regions", "tree")
    }
    for analysis in found.values():
        assert analysis.complete
        assert_is(analysis, tables)
        assert_bounded(analysis)
    assert found["none"].tables_there == COUNTED
    assert found["regions"].tables_there == found["tree"].tables_there == (*COUNTED, *RECORDED)
    assert same_cells(found["regions"], found["tree"])
    assert found["regions"].table("cells").column("cell").null_count == len(found["regions"].table("cells"))
    assert found["tree"].table("cells").column("cell").null_count == 0


@pytest.mark.parametrize("name", HONEST)
def test_tables_are_those_of_plain_python(name):
    assert_analyzed(*HONEST[name])


@BUDGET
@given(case=cases(max_in=3))
def test_random_networks_with_small_weights(case):
    network, box = case
    try:
        expected(network, box)
    except (NoInteriorError, TooManyCellsError):
        assume(False)
    assert_analyzed(network, box)


@pytest.mark.parametrize("family", FAMILIES)
@settings(BUDGET, max_examples=4)
@given(data=st.data())
def test_degenerate_networks(family, data):
    *_, network, domain = data.draw(hard_cases([family]))
    try:
        expected(network, domain)
    except (NoInteriorError, TooManyCellsError):
        assume(False)
    assert_analyzed(network, domain)


def test_transitions_by_hand():
    """The quadrants of a square: two inputs, one, or none is left; then a line that cuts what is positive in both or in x."""
    network = chain(
        (np.eye(2), [0.0, 0.0], Units.pointwise(RELU, 2)),
        ([[1.0, 1.0]], [-0.5], Units.pointwise(RELU, 1)),
        ([[2.0]], [1.0], None),
    )
    analysis = rn.analyze(rn.enumerate_regions(network, Box(-1, 1), record="tree"))
    columns = ("layer", "dimension", "to_dimension", "regions")
    rows = zip(*(analysis.transitions.column(name).to_pylist() for name in columns), strict=True)
    assert list(rows) == [
        (-1, 2, 0, 1),
        (-1, 2, 1, 2),
        (-1, 2, 2, 1),
        (0, 0, 0, 1),
        (0, 1, 0, 2),
        (0, 1, 1, 2),
        (0, 2, 0, 1),
        (0, 2, 1, 1),
        (1, 0, 0, 4),
        (1, 1, 1, 3),
    ]
    split = analysis.table("last_split").to_pydict()
    assert (split["name"], split["dimension"], split["regions"]) == (
        ["layers.0", "layers.1", "layers.1"],
        [0, 0, 1],
        [1, 3, 3],
    )
    assert analysis.table("descent").column("never_split").to_pylist() == [0, 1, 0, 0]
    assert analysis.cutting.column("units").to_pylist() == [2, 0, 1, 1]


@pytest.mark.parametrize(("dim", "n"), [(1, 5), (2, 6), (3, 5), (2, 1), (4, 3)])
def test_hyperplanes_in_general_position_meet_the_bound(dim, n):
    """Normals on the moment curve, constants that let no dim + 1 of them meet: all vertices are in a large box."""
    t = np.arange(1.0, n + 1)
    network = Network((Layer("relu", np.vander(t, dim, increasing=True), t**dim, Units.pointwise(RELU, n)),), (dim,))
    row, *rest = rn.analyze(rn.enumerate_regions(network, Box(-1e4, 1e4))).children.to_pylist()
    assert not rest
    regions = sum(math.comb(n, j) for j in range(dim + 1))
    assert (row["children"], row["max"], row["bound"], row["bound_exact"]) == (regions, regions, regions, str(regions))
    assert (row["max_of_bound"], row["mean_of_rank_bound"], row["unsplit"]) == (1.0, 1.0, 0)
    assert (row["rank"], row["units"]) == (min(dim, n), n)


def test_parallel_hyperplanes_meet_the_bound_by_rank():
    """Seven lines with one normal cut the plane into eight strips: of 29 possible by dimension, and of 8 by rank."""
    weight = np.outer([1.0, -2, 1, 0.5, 4, -1, 1], [3.0, 1.0])
    layer = Layer("relu", weight, weight[:, 0] * np.arange(1, 8) / 8, Units.pointwise(RELU, 7))
    row = rn.analyze(rn.enumerate_regions(Network((layer,), (2,)), Box(-9, 9))).children.to_pylist()[0]
    assert (row["max"], row["bound"], row["rank"], row["rank_bound"]) == (8, 29.0, 1, 8.0)
    assert (row["max_of_bound"], row["max_of_rank_bound"]) == (8 / 29, 1.0)


# Bounds ----------------------------------------------------------------------------------------------------------------------


def test_units_that_can_cut():
    """Identities, constants, maxima of candidates that differ by a constant only: none of these can."""
    stairs = PiecewiseLinear((-1.0, 0.0, 0.5), (1.0, 0.0, -2.0, 1.0), (0.0, -1.0, -1.0, -2.5))
    weight = np.array([[1.0, 0], [0, 1], [0, 0], [1, 0], [-0.0, 1], [2, 3]])
    groups = [[0], [1], [2], [2], [0, 3], [1, 4, 5, 2], [5]]
    units = Units(
        (RELU, IDENTITY, stairs),
        np.array([2, 1, 0, 2, MAXIMUM, MAXIMUM, MAXIMUM]),
        np.cumsum([0, *map(len, groups)]),
        np.concatenate([np.array(group) for group in groups]),
    )
    layer = Layer("mixed", weight, np.arange(6.0), units)
    bounds = LayerBounds.of(layer, 9)
    assert (bounds.extra.tolist(), bounds.rank, bounds.units) == ([3, 2], 2, 2)
    assert [bounds.by_units(r) for r in range(4)] == [1, 6, 12, 12]
    assert cutting_units(layer) == ([4, 3], 2)
    assert LayerBounds.of(Layer("none", np.zeros((2, 3)), np.ones(2), Units.pointwise(RELU, 2)), 3).by_units(3) == 1


@BUDGET
@given(seed=st.integers(0, 2**32 - 1), dim=st.integers(0, 5))
def test_bounds_are_sums_over_sets_of_units(seed, dim):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 5, rng.integers(1, 7)).tolist()
    inner = rng.integers(1, 4)
    weight = rng.integers(-2, 3, (12, inner)) @ rng.integers(-2, 3, (inner, 3)) * 0.5
    weight += rng.integers(-1, 2, weight.shape) * (rng.random(weight.shape) < rng.choice([0.0, 0.3]))
    units = Units.maxima([rng.integers(0, 12, size) for size in sizes])
    layer = Layer("max", weight, np.zeros(12), units)
    pieces, rank = cutting_units(layer)
    bounds = LayerBounds.of(layer, dim)
    assert bounds.by_units(dim) == sum_of_products(pieces, dim)
    assert bounds.by_rank(dim) == sum_of_products(pieces, min(rank, dim))
    assert bounds.rank == min(rank, dim)


@BUDGET
@given(seed=st.integers(0, 2**32 - 1), most=st.integers(0, 9))
def test_ranks_up_to(seed, most):
    rng = np.random.default_rng(seed)
    m, n, r = rng.integers(1, 8, 3)
    weight = (rng.integers(-4, 5, (m, r)) @ rng.integers(-4, 5, (r, n))) / 8.0
    weight[rng.random(m) < 0.2] = 0.0
    assert rank_up_to(weight, most) == min(most, len(pivots([fractions(row) for row in weight])))


def test_a_rank_that_would_take_too_long_is_bounded():
    """A thousand equal rows of 2,000 weights; the row that makes their rank 2 is hard to find among them."""
    weight = np.ones((1000, 2000))
    weight[0, 0] = 2.0
    assert rank_up_to(weight, 1) == 1
    assert rank_up_to(weight, 3) is None
    bounds = LayerBounds.of(Layer("relu", weight, np.zeros(1000), Units.pointwise(RELU, 1000)), 3)
    assert (bounds.rank, bounds.most_rank) == (None, 3)
    assert bounds.by_rank(3) == 1 + 1000 + math.comb(1000, 2) + math.comb(1000, 3)


def analysis_of(network, domain, *cells):
    """The analysis of a run that found one closed cell of each (level, rank)."""
    problem = Problem.over(network, domain)
    totals = Totals.of(problem)
    for level, rank in cells:
        totals.statistics.cells[level, rank] = 1
        totals.statistics.close(OpenCell(b"", level, rank, 1, np.zeros(1, np.int32).tobytes()))
    subject = Subject(problem, Record.NONE, "none", exact=True)
    return rn.Analysis(Findings(subject, totals, RowsInMemory()))


def test_bounds_beyond_float64_have_all_digits():
    relu = Layer("relu", np.eye(1100), np.full(1100, 9.0), Units.pointwise(RELU, 1100))
    more = Layer("more", np.ones((60, 1100)), np.zeros(60), Units.pointwise(RELU, 60))
    analysis = analysis_of(Network((relu, more), (1100,)), Box(-1, 1), (0, 1100), (1, 1100), (1, 2))
    row, second, third = analysis.children.to_pylist()
    assert (row["bound"], row["rank"]) == (math.inf, 1100)
    assert int(row["bound_exact"]) == 2**1100
    assert row["max_of_bound"] == 0.0
    assert (second["bound_exact"], third["bound_exact"]) == (str(1 + 60 + 30 * 59), str(2**60))
    assert [row["rank_bound"] for row in (second, third)] == [61, 61]
    assert (
        json.loads(json.dumps(analysis.to_dict("children"), allow_nan=False))["tables"]["children"][0]["bound"] is None
    )
    huge = Layer("relu", np.eye(3400), np.full(3400, 9.0), Units.pointwise(RELU, 3400))
    row = analysis_of(Network((huge,), (3400,)), Box(-1, 1), (0, 3400)).children.to_pylist()[0]
    assert (row["bound"], row["bound_exact"]) == (math.inf, None)


def test_a_float_is_never_below_its_bound():
    layer = Layer("relu", np.eye(60), np.zeros(60), Units.pointwise(RELU, 60))
    upper = np.array([1.0] * 25 + [0.0] * 35)
    row = analysis_of(Network((layer,), (60,)), Box(-upper, upper), (0, 25)).children.to_pylist()[0]
    exact = sum(math.comb(60, j) for j in range(26))
    assert int(row["bound_exact"]) == exact
    assert int(float(exact)) < exact
    assert int(row["bound"]) > exact > int(np.nextafter(row["bound"], 0))


# Networks without much ---------------------------------------------------------------------------------------------------


def test_without_unit_layers():
    network = chain(([[1.0, 2], [2, 4]], [0.5, 0], None))
    for record in ("none", "regions", "tree"):
        analysis = rn.analyze(rn.enumerate_regions(network, Box(-1, 1), record=record))
        assert analysis.dimensions.select(["layer", "dimension", "regions"]).to_pylist() == [
            {"layer": -1, "dimension": 2, "regions": 1},
            {"layer": 0, "dimension": 1, "regions": 1},
        ]
        assert [len(analysis.table(name)) for name in ("children", "spread", "cutting")] == [0, 0, 0]
        assert analysis.transitions.column("to_dimension").to_pylist() == [1]
        if record != "none":
            assert analysis.table("last_split").column("layer").to_pylist() == [-1]
            assert analysis.table("descent").column("never_split_share").to_pylist() == [1.0]
            assert len(analysis.table("spread_exact")) == 0
            assert analysis.table("cells").column("final_regions").to_pylist() == [1]


def test_dimension_zero():
    """After a layer that sees nothing of the whole space, of which one dimension is kept; one region, never split."""
    network = relu_chain((np.zeros((2, 3)), [1.0, -1.0]), ([[1.0, 1]], [0.0]))
    analysis = rn.analyze(rn.enumerate_regions(network, WholeSpace(), record="tree"))
    assert analysis.dimensions.column("dimension").to_pylist() == [1, 0, 0]
    row = analysis.children.to_pylist()[0]
    assert (row["max"], row["bound"], row["units"], row["rank"]) == (1, 1.0, 0, 0)
    assert [tuple(row.values()) for row in analysis.table("last_split").to_pylist()] == [(-1, "input", 0, 0, 1, 1.0)]


# Runs ------------------------------------------------------------------------------------------------------------------------


def all_tables(analysis):
    """Every table, as what does not depend on the order of rows or on the numbers of cells."""
    tables = {name: table for name, table in analysis.tables.items() if name != "cells"}
    return {name: table.to_pylist() for name, table in tables.items()}


def test_what_is_merged_and_resumed_is_the_same(known, tmp_path, short_steps):
    """Serially with regions recorded; two processes with the tree, stopped on the way; three without rows."""
    network, _, result = known
    serial = all_tables(rn.analyze(result))
    out = tmp_path / "tree"
    for limit in (30_000, 60_000, None):
        merged = rn.enumerate_regions(
            network, Box(-3, 3), record="tree", workers=2, out=out, resume=limit != 30_000, max_regions=limit
        )
    assert all_tables(rn.analyze(merged)) == all_tables(rn.analyze(out)) == serial
    assert same_cells(rn.analyze(merged), rn.analyze(result))
    counted = rn.analyze(rn.enumerate_regions(network, Box(-3, 3), workers=3))
    assert all_tables(counted) == {name: serial[name] for name in COUNTED}


def test_what_was_killed_is_the_same(known, tmp_path):
    _, path, result = known
    run, generator = tmp_path / "run", random.Random(3)
    config = tmp_path / "c.toml"
    config.write_text(
        f'model = "{path}"\nrecord = "tree"\ncommit_seconds = 1e-9\n[domain]\nkind = "box"\nlower = -3\nupper = 3\n'
    )
    arguments = ["run", str(config), "--out", str(run), "--resume"]
    for cycle in range(2):
        kill = [sys.executable, "-c", KILLED, "parquet", str(generator.randrange(4, 12)), ("before", "after")[cycle]]
        done = subprocess.run(
            [*kill, *arguments, "--workers", str(1 + cycle)], capture_output=True, text=True, check=False
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
        stopped = rn.analyze(run)
        assert not stopped.complete
        assert stopped.table("descent").to_pylist()[0]["final_regions"] == stopped.findings.count > 0
    assert main([*arguments, "--workers", "2"]) == 0
    assert all_tables(rn.analyze(run)) == all_tables(rn.analyze(result))


def test_an_incomplete_run_says_so(known, tmp_path, short_steps):
    """What it shows are lower bounds, and its means are of closed cells."""
    network, _, result = known
    whole = {record: rn.analyze(result) for record in ("regions", "tree")}
    for record, complete in whole.items():
        part = rn.analyze(rn.enumerate_regions(network, Box(-3, 3), record=record, max_regions=20_000))
        assert not part.complete
        assert part.notes[0].startswith("incomplete: all numbers of cells")
        assert part.notes[0][:40] in " ".join(part.text().split())
        for name, keys, values in (
            ("dimensions", ["layer", "dimension"], ["regions"]),
            ("children", ["layer", "dimension"], ["regions", "closed", "children", "max", "unsplit"]),
            ("transitions", ["layer", "dimension", "to_dimension"], ["regions"]),
            ("spread", ["layer", "dimension", "least"], ["regions"]),
            ("cutting", ["layer", "dimension", "units"], ["regions"]),
            ("descent", ["layer", "dimension"], ["regions", "final_regions", "max"]),
        ):
            of_all = {tuple(row[k] for k in keys): row for row in complete.table(name).to_pylist()}
            for row in part.table(name).to_pylist():
                assert all(row[v] <= of_all[tuple(row[k] for k in keys)][v] for v in values), (name, row)
        first, second = part.children.select(["closed", "mean", "max_of_bound", "regions"]).to_pylist()[:2]
        assert (first["closed"], first["mean"], first["max_of_bound"], first["regions"]) == (0, None, None, 1)
        assert 0 < second["closed"] <= second["regions"]
        spread = part.table("spread_exact").to_pylist()[0]
        assert (spread["layer"], spread["regions"]) == (-1, 1)
        assert_bounded(part)


def test_nothing_found_yet(tmp_path):
    for record in ("none", "regions", "tree"):
        result = rn.enumerate_regions(NET, BOX, record=record, out=tmp_path / record, time_limit=0.0)
        analysis = rn.analyze(result)
        assert (analysis.findings.count, analysis.complete) == (0, False)
        assert analysis.dimensions.column("regions").to_pylist() == [1]
        assert all(len(line) <= 80 for line in analysis.text().splitlines())
        if record != "none":
            assert analysis.table("descent").column("final_regions").to_pylist() == [0]
            assert len(analysis.table("last_split")) == 0


def test_runs_of_other_engines_and_in_floating_point():
    found = rn.analyze(rn.enumerate_regions(NET, BOX, engine=LineEngine(2), record="tree"))
    assert found.notes == ["decided in floating point, 0 decisions in doubt: if that is not 0, counts may be wrong"]
    assert_is(found, expected(NET, BOX))


def test_runs_and_directories(tmp_path, monkeypatch):
    """A Result, one that was opened, and a path; parts that hold a few rows each."""
    for record in ("regions", "tree"):
        out = small_run(tmp_path / record, monkeypatch, record)
        assert len(parts(out)) == 2
        ways = [rn.analyze(run) for run in (rn.open_run(out), out, str(out))]
        for analysis in ways:
            assert_is(analysis, expected(NET, BOX))
    with pytest.raises(InputError, match="the run is an object of type int; give a Result"):
        rn.analyze(3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="is not a run directory: no such folder"):
        rn.analyze(tmp_path / "none")


def test_cells_are_those_of_the_result():
    network, box = HONEST["box of four"]
    result = rn.enumerate_regions(network, box, record="tree")
    cells = rn.analyze(result).table("cells").to_pandas()
    recorded = result.cells.to_pandas()
    domain, inner = cells[cells["layer"] == -1], cells[cells["layer"] == 0]
    assert domain[["cell", "final_regions"]].to_numpy().tolist() == [[-1, result.count]]
    below = recorded[recorded["layer"] == 1].groupby("parent").size()
    assert dict(zip(inner["cell"], inner["children"], strict=True)) == below.to_dict()
    assert inner["final_regions"].tolist() == inner["children"].tolist()


def test_the_order_and_the_numbers_of_cells_do_not_matter():
    """Rows in any order; numbers that grow with nothing, as those of several tasks do."""
    result = rn.enumerate_regions(*HONEST["box"], record="tree")
    rng, table = np.random.default_rng(0), pa.concat_tables(result.findings.rows.tables())
    table = table.take(rng.permutation(len(table)))
    number = dict(zip(range(len(table)), rng.permutation(10 * len(table)).tolist(), strict=False)) | {-1: -1}
    for name in ("cell", "parent"):
        values = [number[cell] for cell in table[name].to_pylist()]
        table = table.set_column(table.column_names.index(name), table.schema.field(name), pa.array(values, pa.int64()))
    pieces = [table.slice(k, 7) for k in range(0, len(table), 7)]
    changed = rn.Analysis(dataclasses.replace(result.findings, rows=RowsInMemory(pieces)))
    assert all_tables(changed) == all_tables(rn.analyze(result))
    assert same_cells(changed, rn.analyze(result))


def test_contradictory_rows_are_refused():
    result = rn.enumerate_regions(*HONEST["box"], record="tree")
    table = pa.concat_tables(result.findings.rows.tables())
    lost = table.filter(pa.array([layer > 0 or k % 2 == 0 for k, layer in enumerate(table["layer"].to_pylist())]))
    with pytest.raises(
        InputError, match=r"cell \d+ of layer 1 lies in cell \d+ of the layer before, which was not recorded"
    ):
        _ = rn.Analysis(dataclasses.replace(result.findings, rows=RowsInMemory([lost]))).descent
    result = rn.enumerate_regions(*HONEST["box"], record="regions")
    twice = RowsInMemory(2 * list(result.findings.rows.tables()))
    with pytest.raises(InputError, match="two recorded regions have one pattern"):
        _ = rn.Analysis(dataclasses.replace(result.findings, rows=twice)).descent


# The data dictionary ----------------------------------------------------------------------------------------------------


def test_every_column_is_documented():
    text = markdown()
    for description in TABLES:
        assert f"## {description.name}\n" in text
        for field in description.schema:
            assert field.metadata[b"meaning"]
            assert f"| `{field.name}` | {field.type} | {field.metadata[b'unit'].decode()} | " in text


def test_tables_that_need_rows():
    analysis = rn.analyze(rn.enumerate_regions(star_network(), Box(-1, 1)))
    assert analysis.descent is analysis.spread_exact is analysis.last_split is analysis.cells is None
    sentence = 'descent, spread_exact, last_split and cells need recorded rows, and this run has none (record="none");'
    assert analysis.missing.startswith(sentence)
    assert analysis.missing in analysis.notes
    with pytest.raises(InputError) as caught:
        analysis.table("last_split")
    assert str(caught.value) == analysis.missing
    with pytest.raises(InputError, match='there is no table "depth"; choose one of dimensions, children'):
        analysis.table("depth")


def test_readers_of_other_packages():
    import duckdb
    import polars

    analysis = rn.analyze(rn.enumerate_regions(*HONEST["box"], record="regions"))
    for table in analysis.tables.values():
        assert polars.DataFrame(table).to_dicts() == table.to_pylist()
    children = analysis.children
    assert duckdb.sql("select sum(children) from children").fetchall() == [(sum(children["children"].to_pylist()),)]
    assert children.to_pandas()["bound"].dtype == np.float64
