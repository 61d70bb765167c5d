import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import regionenum as rn
from regionenum.domain import Box
from regionenum.engine.interface import Cells, Problem, Record
from regionenum.results import schema
from regionenum.results.patterns import Packing
from regionenum.results.schema import COLUMNS, Layout, fixed_array
from tests.line import relu_chain

NET = relu_chain(([[1.0], [-1.0], [2.0]], [0, 0, 1.0]), ([[1.0, -1, 1], [0.0, 1, -2]], [0, 0.5]), ([[1.0, 1]], [0]))
BOX = Box(-2, 3)


def some_cells(n=2, **changes):
    cells = Cells(
        layer=np.full(n, 1, np.int16),
        cell=np.arange(n),
        parent=np.zeros(n, np.int64),
        pieces=np.zeros((n, 5), np.uint16),
        ranks=np.ones((n, 2), np.uint16),
        output_rank=np.ones(n, np.uint16),
        witness=np.full((n, 1), 0.5),
    )
    return dataclasses.replace(cells, **changes)


def table_of(cells, inputs=None, record=Record.TREE):
    return Layout.of(Problem.over(NET, BOX)).table(cells, cells.witness if inputs is None else inputs, record)


def test_schema_of_each_level():
    layout = Layout.of(Problem.over(NET, BOX))
    tree, regions = layout.schema(Record.TREE), layout.schema(Record.REGIONS)
    assert tree.names == ["layer", "cell", "parent", "pattern", "ranks", "output_rank", "witness"]
    assert regions.names == ["pattern", "ranks", "output_rank", "witness"]
    assert tree.field("pattern").type == pa.binary(1)
    assert tree.field("ranks").type.list_size == 2
    assert tree.metadata[b"regionenum.format"] == b"2"
    assert [field.name for field in tree if field.nullable] == ["witness"]


def test_the_documentation_names_every_column():
    text = schema.markdown()
    assert [line.split("`")[1] for line in text.splitlines()[2:]] == [c.name for c in COLUMNS]
    assert all(c.meaning in text for c in COLUMNS)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"ranks": np.full((2, 2), 2, np.uint16)}, r"`ranks` is above the largest possible ranks \[1, 1\]"),
        ({"output_rank": np.full(2, 2, np.uint16)}, "`output_rank` is above the largest possible rank 1"),
        ({"witness": np.full((2, 1), np.nan)}, "`witness` holds a value that is not finite"),
        ({"layer": np.full(2, 2, np.int16)}, r"`layer` is outside -1..1"),
        ({"pieces": np.full((2, 5), 2, np.uint16)}, "a piece is outside"),
        ({"pieces": np.zeros((2, 4), np.uint16)}, r"expected \(n, 5\)"),
        ({"cell": np.zeros(3, np.int64)}, "expected length 2 but got length 3"),
    ],
)
def test_cells_that_break_the_dictionary_are_not_written(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        table_of(some_cells(**changes))


def test_tables_that_break_the_dictionary():
    layout, table = Layout.of(Problem.over(NET, BOX)), table_of(some_cells())
    layout.check(table, Record.TREE)
    with pytest.raises(ValueError, match=r"columns are .* expected \['pattern', 'ranks', 'output_rank', 'witness'\]"):
        layout.check(table, Record.REGIONS)
    wide = table.set_column(1, "cell", table.column("cell").cast(pa.int32()))
    with pytest.raises(ValueError, match="`cell` has type int32, expected int64"):
        layout.check(wide, Record.TREE)
    nulls = table.set_column(2, "parent", pa.array([None, 1], pa.int64()))
    with pytest.raises(ValueError, match="`parent` has 1 nulls"):
        layout.check(nulls, Record.TREE)


def test_a_witness_that_is_not_inside_is_null(tmp_path):
    layout = Layout.of(Problem.over(NET, BOX))
    cells, inputs = some_cells(3), np.array([[1.0], [np.nan], [3.0]])
    table = layout.table(cells, inputs, Record.REGIONS, np.array([True, False, True]))
    pq.write_table(table, tmp_path / "part.parquet")
    for found in (table, pq.read_table(tmp_path / "part.parquet")):
        layout.check(found, Record.REGIONS)
        assert found.column("witness").to_pylist() == [[1.0], None, [3.0]]
        assert np.array_equal(fixed_array(found.column("witness")), inputs, equal_nan=True)
        assert np.array_equal(fixed_array(found.column("witness").slice(1)), inputs[1:], equal_nan=True)


@pytest.mark.parametrize("n_pieces", [[], [1], [2] * 9, [2, 2, 3, 3, 3, 1, 5, 2]])
def test_a_packing_is_read_from_its_text(n_pieces):
    packing = Packing(np.array(n_pieces, np.int64))
    assert Packing.from_text(packing.text).n_pieces.tolist() == n_pieces


def test_patterns_are_unpacked_from_tables(tmp_path):
    out = tmp_path / "run"
    result = rn.enumerate_regions(NET, BOX, record="regions", out=out)
    pieces = rn.unpack_patterns(result.regions)
    witness = fixed_array(result.regions.column("witness"))
    assert np.array_equal(pieces, NET.pattern(witness))
    (part,) = (out / "parts").glob("*.parquet")
    assert np.array_equal(rn.unpack_patterns(pq.read_table(part)), pieces)
    with pytest.raises(rn.InputError, match="no column `pattern` with the metadata"):
        rn.unpack_patterns(result.regions.select(["ranks"]))
    with pytest.raises(rn.InputError, match="no column `pattern` with the metadata"):
        rn.unpack_patterns(result.regions.replace_schema_metadata(None))
