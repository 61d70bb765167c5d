"""The data dictionary: every column of the recorded tables, with its type, shape, unit and meaning.

Tables are built from this module, checked by it before they are written and after they are read, and
`python -m regionenum.results.schema` prints it as Markdown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from regionenum.choices import Record
from regionenum.engine.interface import Cells, Problem
from regionenum.errors import InputError
from regionenum.network.units import Floats
from regionenum.results.patterns import Packing, Pieces

Table: TypeAlias = pa.Table
"""A table of recorded rows."""

FORMAT_VERSION = 2
"""Version of the tables and of the run directory around them."""


@dataclass(frozen=True)
class Column:
    """One column: `of_type` makes its arrow type for a layout, the rest is documentation."""

    name: str
    of_type: Callable[[Layout], Any]
    type_name: str
    shape: str
    unit: str
    meaning: str
    records: tuple[Record, ...] = (Record.REGIONS, Record.TREE)
    nullable: bool = False


COLUMNS = (
    Column(
        "layer",
        lambda _: pa.int16(),
        "int16",
        "scalar",
        "index from 0",
        "unit layer after which this is a cell; a region has depth - 1, in a network without units -1",
        (Record.TREE,),
    ),
    Column(
        "cell",
        lambda _: pa.int64(),
        "int64",
        "scalar",
        "number",
        "number of the cell, unique in its layer",
        (Record.TREE,),
    ),
    Column(
        "parent",
        lambda _: pa.int64(),
        "int64",
        "scalar",
        "number",
        "number of the cell of the layer before that this cell lies in; -1 is the domain",
        (Record.TREE,),
    ),
    Column(
        "pattern",
        lambda layout: pa.binary(layout.packing.n_bytes),
        "fixed_size_binary",
        "max(1, ceil(sum of bits / 8)) bytes",
        "packed bits",
        "pieces of all units in layer order, ceil(log2(n_pieces)) bits each, most significant first, zeros at the end; "
        "units of layers after `layer` are 0",
    ),
    Column(
        "ranks",
        lambda layout: pa.list_(pa.field("item", pa.uint16(), nullable=False), max(1, len(layout.rank_bounds))),
        "fixed_size_list<uint16>",
        "max(1, depth)",
        "dimension",
        "rank of the map from the domain's coordinates to the output of each unit layer; layers after `layer` are "
        "0, and so is the one entry in a network without units",
    ),
    Column(
        "output_rank",
        lambda _: pa.uint16(),
        "uint16",
        "scalar",
        "dimension",
        "rank of the network's own map, from the domain's coordinates to its output, on a region; 0 on cells that are none",
    ),
    Column(
        "witness",
        lambda layout: pa.list_(pa.field("item", pa.float64(), nullable=False), layout.n_in),
        "fixed_size_list<float64>",
        "n_in",
        "input",
        "a point strictly inside the cell, in input coordinates, as exact numbers (in a slice: the point of the slice nearest "
        "to them); null where no such point of float64 numbers was found; left out with `witnesses = false`",
        nullable=True,
    ),
)
"""All columns, in the order in which they are written."""


@dataclass(frozen=True)
class Layout:
    """What the shapes of the columns depend on.

    Attributes
    ----------
    packing : layout of the patterns
    rank_bounds : (depth,) largest rank possible after each unit layer: the least width so far, at most d
    output_bound : largest rank possible of the network's own map
    n_in : number of input values
    witnesses : whether there is a column of witnesses
    """

    packing: Packing
    rank_bounds: npt.NDArray[np.int64]
    output_bound: int
    n_in: int
    witnesses: bool = True

    @classmethod
    def of(cls, problem: Problem, witnesses: bool = True) -> Layout:
        """The layout of the tables of a problem."""
        widths = [problem.dim, *problem.n_units, problem.network.n_out]
        *bounds, output = np.minimum.accumulate(np.array(widths, np.int64))[1:].tolist()
        return cls(Packing.of(problem.network), np.array(bounds, np.int64), output, problem.network.n_in, witnesses)

    def schema(self, record: Record) -> pa.Schema:
        """The arrow schema at a level of recording; its metadata holds the format version."""
        columns = [c for c in COLUMNS if record in c.records and (self.witnesses or c.name != "witness")]
        fields = [pa.field(c.name, c.of_type(self), nullable=c.nullable) for c in columns]
        about = {"format": str(FORMAT_VERSION), "record": str(record), "pieces": self.packing.text}
        return pa.schema(fields, metadata={f"regionenum.{name}": value for name, value in about.items()})

    @cached_property
    def row_bytes(self) -> int:
        """Bytes of one row in memory, at most."""
        return self.packing.n_bytes + 2 * len(self.rank_bounds) + 8 * self.n_in * self.witnesses + 20

    def table(
        self, cells: Cells, inputs: Floats, record: Record, inside: npt.NDArray[np.bool_] | None = None
    ) -> pa.Table:
        """The table of recorded cells, checked.

        Parameters
        ----------
        inputs : (n, n_in) the witnesses in input coordinates
        inside : (n,) whether each is strictly inside its cell; by default all are. Those that are not are written as null.

        Raises
        ------
        ValueError
            If the cells break the dictionary: an engine is at fault, not the user.
        """
        schema = self.schema(record)
        outside = np.zeros(len(cells), np.bool_) if inside is None else ~inside
        if self.witnesses:
            inputs = np.where(outside[:, None], 0.0, inputs)
        ranks = cells.ranks if len(self.rank_bounds) else np.zeros((len(cells), 1), np.uint16)
        values: dict[str, Callable[[Any], Any]] = {
            "layer": lambda _: pa.array(cells.layer, pa.int16()),
            "cell": lambda _: pa.array(cells.cell, pa.int64()),
            "parent": lambda _: pa.array(cells.parent, pa.int64()),
            "pattern": lambda kind: _fixed_binary(self.packing.pack(cells.pieces), kind),
            "ranks": lambda kind: pa.FixedSizeListArray.from_arrays(
                pa.array(ranks.reshape(-1), pa.uint16()), type=kind
            ),
            "output_rank": lambda _: pa.array(cells.output_rank, pa.uint16()),
            "witness": lambda kind: _lists(inputs, outside, kind),
        }
        table = pa.table([values[field.name](field.type) for field in schema], schema=schema)
        self.check(table, record)
        return table

    def check(self, table: pa.Table, record: Record) -> None:
        """Check types, lengths, nulls and bounds of a table against the dictionary.

        Raises
        ------
        ValueError
            Naming the first column that does not fit.
        """
        expected = self.schema(record)
        if table.column_names != expected.names:
            raise ValueError(f"columns are {table.column_names}, expected {expected.names}")
        for field in expected:
            column = table.column(field.name)
            if column.type != field.type:
                raise ValueError(f"column `{field.name}` has type {column.type}, expected {field.type}")
            if column.null_count and not field.nullable:
                raise ValueError(f"column `{field.name}` has {column.null_count} nulls, expected none")
        bounds = self.rank_bounds if len(self.rank_bounds) else np.zeros(1, np.int64)
        if np.any(fixed_array(table.column("ranks")) > bounds):
            raise ValueError(f"column `ranks` is above the largest possible ranks {bounds.tolist()}")
        if table.num_rows and table.column("output_rank").to_numpy().max() > self.output_bound:
            raise ValueError(f"column `output_rank` is above the largest possible rank {self.output_bound}")
        if self.witnesses and not np.isfinite(fixed_array(table.column("witness").drop_null())).all():
            raise ValueError("column `witness` holds a value that is not finite")
        if record is Record.TREE:
            layer = table.column("layer").to_numpy()
            if np.any(layer < -1) or np.any(layer >= max(1, len(self.rank_bounds))):
                raise ValueError(f"column `layer` is outside -1..{len(self.rank_bounds) - 1}")


def unpack_patterns(table: pa.Table) -> Pieces:
    """The pieces of all units of recorded cells.

    Parameters
    ----------
    table : Table
        `Result.regions` or `Result.cells`, or what pyarrow read from a part of a run.

    Returns
    -------
    (n, n_units) uint16 array
        In the order of the units of all unit layers; of cells of earlier layers 0 beyond.

    Raises
    ------
    InputError
        If the table has no column `pattern`, or does not say how patterns are packed.
    """
    text = (table.schema.metadata or {}).get(b"regionenum.pieces")
    if "pattern" not in table.column_names or text is None:
        raise InputError(
            "the table has no column `pattern` with the metadata that a run gives it; use `Result.regions`, or a part as "
            "pyarrow reads it"
        )
    return Packing.from_text(text.decode()).unpack(fixed_array(table.column("pattern")))


def in_schema(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """A table that was read as one of a schema: arrow renames the entries of lists, and casts no list that may be null."""
    columns = []
    for field in schema:
        column = table.column(field.name)
        if field.nullable:
            outside = np.asarray(column.is_null().to_numpy(), np.bool_)
            column = _lists(np.where(outside[:, None], 0.0, fixed_array(column)), outside, field.type)
        else:
            column = column.cast(field.type)
        columns.append(column)
    return pa.table(columns, schema=schema)


def _lists(values: Floats, is_null: npt.NDArray[np.bool_], kind: Any) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), type=kind, mask=pa.array(is_null))


def check_metadata(schema: pa.Schema, place: str) -> None:
    """Refuse a table that was written in another format version."""
    version = (schema.metadata or {}).get(b"regionenum.format", b"none").decode()
    if version != str(FORMAT_VERSION):
        raise InputError(
            f"{place}: format version {version}, but this release reads version {FORMAT_VERSION}; use the release it "
            "was written with"
        )


def fixed_array(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    """The (n, width) values of a column of fixed-size lists or fixed-size binaries; rows of NaN where a list is null."""
    width = column.type.byte_width if pa.types.is_fixed_size_binary(column.type) else column.type.list_size
    parts = [_fixed_chunk(chunk, width) for chunk in column.chunks]
    dtype = np.uint8 if pa.types.is_fixed_size_binary(column.type) else column.type.value_type.to_pandas_dtype()
    return np.concatenate([np.zeros((0, width), dtype), *parts])


def _fixed_chunk(chunk: pa.Array, width: int) -> npt.NDArray[Any]:
    if pa.types.is_fixed_size_binary(chunk.type):
        values = np.frombuffer(chunk.buffers()[1] or b"", np.uint8)
        return values[chunk.offset * width : (chunk.offset + len(chunk)) * width].reshape(len(chunk), width)
    if not chunk.null_count:
        return np.asarray(chunk.flatten().to_numpy(zero_copy_only=False)).reshape(len(chunk), width)
    # flattening leaves out what is null
    present = ~np.asarray(chunk.is_null().to_numpy(zero_copy_only=False))
    values = np.full((len(chunk), width), np.nan)
    values[present] = _fixed_chunk(chunk.drop_null(), width)
    return values


def _fixed_binary(packed: npt.NDArray[np.uint8], kind: Any) -> pa.Array:
    return pa.Array.from_buffers(kind, len(packed), [None, pa.py_buffer(np.ascontiguousarray(packed))])


def markdown() -> str:
    """The dictionary as a Markdown table."""
    lines = ["| column | in | type | shape | unit | meaning |", "|---|---|---|---|---|---|"]
    for c in COLUMNS:
        records = ", ".join(f"`{record}`" for record in c.records)
        lines.append(f"| `{c.name}` | {records} | {c.type_name} | {c.shape} | {c.unit} | {c.meaning} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown())
