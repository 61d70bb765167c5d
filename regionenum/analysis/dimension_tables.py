"""The data dictionary of `rn.analyze`: every table, and every column with its type, unit and meaning.

The tables are built from this module; the unit and the meaning of a column are metadata of its arrow field, and
`python -m regionenum.analysis.dimension_tables` prints everything as Markdown.

Numbers of cells are int64. Bounds can have any number of digits: a column of float64 holds them rounded up, infinite beyond
1.8e308, and a column of text beside it all digits.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol, TypeAlias

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from regionenum.files import write_atomically

Table: TypeAlias = pa.Table
"""A table of an analysis."""


@dataclass(frozen=True)
class Column:
    """One column."""

    name: str
    type: Any
    unit: str
    meaning: str
    nullable: bool = False


@dataclass(frozen=True)
class Description:
    """One table.

    Attributes
    ----------
    name : of the table
    meaning : what it says
    columns : in order
    needs_rows : whether it is computed from recorded rows; the others are there at every level of recording
    """

    name: str
    meaning: str
    columns: tuple[Column, ...]
    needs_rows: bool = False

    @property
    def schema(self) -> pa.Schema:
        """The arrow schema."""
        return pa.schema(
            [pa.field(c.name, c.type, c.nullable, {"unit": c.unit, "meaning": c.meaning}) for c in self.columns],
            metadata={"regionenum.table": self.name, "meaning": self.meaning},
        )

    def of_rows(self, rows: Sequence[tuple[Any, ...]]) -> Table:
        """The table of some rows, in the order of the columns."""
        columns = zip(*rows, strict=True) if rows else [()] * len(self.columns)
        return self.of_columns({c.name: list(values) for c, values in zip(self.columns, columns, strict=True)})

    def of_columns(self, values: Mapping[str, Any]) -> Table:
        """The table of columns by name: lists or arrays; of a nullable column None is null."""
        schema = self.schema
        return pa.table([pa.array(values[field.name], field.type) for field in schema], schema=schema)


_LAYER = Column(
    "layer",
    pa.int32(),
    "index from 0",
    "the unit layer after which these are cells, that is regions of the network up to this layer; -1 is the domain, one cell",
)
_NAME = Column("name", pa.string(), "", 'name of that layer; "input" is the domain')
_DIMENSION = Column(
    "dimension", pa.int32(), "dimension", "rank of the map from the domain to that layer's output on the cell"
)
_OF_CELLS = (_LAYER, _NAME, _DIMENSION)
_REGIONS = Column("regions", pa.int64(), "cells", "number of these cells")


def _share(meaning: str, name: str = "share") -> Column:
    return Column(name, pa.float64(), "from 0 to 1", meaning, nullable=True)


_CLOSED_SHARE = _share("their share of the cells of this layer and dimension whose children are all counted")

TABLES = (
    Description(
        "dimensions",
        "cells by dimension, after every layer",
        (
            Column(
                "layer",
                pa.int32(),
                "index from 0",
                "the unit layer after which these are cells; -1 is the domain, and the number of unit layers stands for the "
                "network's own output",
            ),
            Column(
                "name", pa.string(), "", 'name of that layer; "input" is the domain, "output" the network\'s own map'
            ),
            Column("dimension", pa.int32(), "dimension", "rank of the map from the domain to there on the cell"),
            _REGIONS,
            _share("their share of all cells of the layer"),
        ),
    ),
    Description(
        "children",
        "how the next layer splits cells of each layer and dimension, against bounds (analysis/layer_bounds.py)",
        (
            *_OF_CELLS,
            Column("next_name", pa.string(), "", "name of the unit layer that splits these cells"),
            _REGIONS,
            Column(
                "closed",
                pa.int64(),
                "cells",
                "of these, the cells whose children are all counted: all of them, unless the run is incomplete",
            ),
            Column("children", pa.int64(), "cells", "number of the closed cells' children in all"),
            Column("mean", pa.float64(), "cells", "mean number of children of a closed cell", nullable=True),
            Column("max", pa.int64(), "cells", "largest number of children of one closed cell; 0 if there is none"),
            Column("unsplit", pa.int64(), "cells", "number of closed cells with exactly one child"),
            _share("share of the closed cells that have exactly one child", "unsplit_share"),
            Column("units", pa.int64(), "units", "number of units of the next layer that can cut a cell at all"),
            Column(
                "rank",
                pa.int64(),
                "dimension",
                "rank of the weights that these units read, or the largest dimension of cells of this layer if that is "
                "smaller; null where it was too expensive to prove, and an upper bound on it is used",
                nullable=True,
            ),
            Column(
                "bound",
                pa.float64(),
                "cells",
                "largest number of children possible: the sum over j <= dimension of the elementary symmetric polynomials e_j "
                "of the units' numbers of pieces minus 1; for n ReLUs, of C(n, j). Rounded up",
            ),
            Column(
                "bound_exact",
                pa.string(),
                "cells",
                "the same with all digits; null if there are over 1,000",
                nullable=True,
            ),
            _share("mean / bound", "mean_of_bound"),
            _share("max / bound; null if no cell is closed", "max_of_bound"),
            Column("rank_bound", pa.float64(), "cells", "the same sum over j <= min(dimension, rank). Rounded up"),
            Column(
                "rank_bound_exact",
                pa.string(),
                "cells",
                "the same with all digits; null if there are over 1,000",
                nullable=True,
            ),
            _share("mean / rank_bound", "mean_of_rank_bound"),
            _share("max / rank_bound; null if no cell is closed", "max_of_rank_bound"),
        ),
    ),
    Description(
        "transitions",
        "from the dimension of a cell to the dimensions of its children, layer by layer",
        (
            *_OF_CELLS,
            Column(
                "to_layer",
                pa.int32(),
                "index from 0",
                "the next unit layer; after the last one the number of unit layers, which stands for the network's own output",
            ),
            Column("to_name", pa.string(), "", 'name of the next unit layer, or "output"'),
            Column("to_dimension", pa.int32(), "dimension", "rank of the map to there on the children"),
            Column("regions", pa.int64(), "cells", "number of children of this dimension in cells of the other"),
            _share("their share of all children of cells of this layer and dimension"),
        ),
    ),
    Description(
        "spread",
        "numbers of children in powers of two",
        (
            *_OF_CELLS,
            Column("least", pa.int64(), "cells", "least number of children: a power of two"),
            Column("most", pa.int64(), "cells", "largest number of children: the next power of two minus 1"),
            Column("regions", pa.int64(), "cells", "number of closed cells with so many children"),
            _CLOSED_SHARE,
        ),
    ),
    Description(
        "cutting",
        "how many units of the next layer cut a cell: those whose piece is not the same in all children",
        (
            *_OF_CELLS,
            Column("units", pa.int64(), "units", "number of units that cut"),
            Column("and_more", pa.bool_(), "", "whether cells that more units cut are counted here as well"),
            Column("regions", pa.int64(), "cells", "number of closed cells that so many units cut"),
            _CLOSED_SHARE,
        ),
    ),
    Description(
        "descent",
        "how many final regions, those of the whole network, lie in cells of each layer and dimension",
        (
            *_OF_CELLS,
            _REGIONS,
            Column("final_regions", pa.int64(), "regions", "number of final regions in these cells"),
            _share("their share of all final regions"),
            Column("mean", pa.float64(), "regions", "mean number of final regions in one cell", nullable=True),
            Column("min", pa.int64(), "regions", "smallest number of final regions in one cell"),
            Column("max", pa.int64(), "regions", "largest number of final regions in one cell"),
            Column(
                "never_split",
                pa.int64(),
                "cells",
                "number of cells that no later layer splits: they hold exactly one final region",
            ),
            _share("share of the cells that no later layer splits", "never_split_share"),
        ),
        needs_rows=True,
    ),
    Description(
        "spread_exact",
        "numbers of children, each by itself",
        (
            *_OF_CELLS,
            Column("children", pa.int64(), "cells", "number of children"),
            Column("regions", pa.int64(), "cells", "number of cells with so many children"),
            _share("their share of the cells of this layer and dimension"),
        ),
        needs_rows=True,
    ),
    Description(
        "last_split",
        "the layer at which final regions were last split: where their cell has siblings, and later ones are only children",
        (
            Column(
                "layer",
                pa.int32(),
                "index from 0",
                "the unit layer that last split the cell that the region lies in; -1 if none ever did",
            ),
            Column("name", pa.string(), "", 'name of that layer; "input" if none split'),
            Column(
                "dimension", pa.int32(), "dimension", "of the region: rank of the map to the last unit layer's output"
            ),
            Column("output_dimension", pa.int32(), "dimension", "of the region: rank of the network's own map"),
            Column("regions", pa.int64(), "regions", "number of these final regions"),
            _share("their share of all final regions"),
        ),
        needs_rows=True,
    ),
    Description(
        "cells",
        "one row for every cell that a layer splits, or could split",
        (
            _LAYER,
            Column(
                "cell",
                pa.int64(),
                "number",
                'number of the cell, as in `Result.cells`; -1 is the domain; null with record="regions"',
                nullable=True,
            ),
            _DIMENSION,
            Column("children", pa.int64(), "cells", "number of children"),
            Column("final_regions", pa.int64(), "regions", "number of final regions in the cell"),
        ),
        needs_rows=True,
    ),
)
"""All tables, in the order in which they are shown."""

BY_NAME = {description.name: description for description in TABLES}


class Tables(Protocol):
    """What is shown as text and drawn: an `Analysis`."""

    @property
    def complete(self) -> bool:
        """Whether the tree was exhausted."""
        ...

    @property
    def notes(self) -> list[str]:
        """What has to be known to read the tables."""
        ...

    @property
    def tables_there(self) -> tuple[str, ...]:
        """Names of the tables that are there."""
        ...

    def table(self, name: str) -> Table:
        """A table by its name."""
        ...


def write_csv(table: Table, file: IO[str]) -> None:
    """Write a table as CSV, with a header; null is nothing at all."""
    text = io.BytesIO()
    pyarrow.csv.write_csv(table, text, pyarrow.csv.WriteOptions(quoting_style="needed"))
    file.write(text.getvalue().decode())


def write_parquet(table: Table, path: Path) -> None:
    """Write a table as Parquet, with the meanings of its columns.

    Raises
    ------
    OSError
        As raised by the file system.
    """
    write_atomically(path, lambda file: pq.write_table(table, file, compression="zstd"), durable=False)


def markdown() -> str:
    """The dictionary as Markdown: one table for each table."""
    lines = []
    for d in TABLES:
        lines += [f"## {d.name}", "", f"{d.meaning[0].upper()}{d.meaning[1:]}.", ""]
        if d.needs_rows:
            lines += ['Needs recorded rows (`record = "regions"` or `"tree"`).', ""]
        lines += ["| column | type | unit | meaning |", "|---|---|---|---|"]
        lines += [f"| `{c.name}` | {c.type} | {c.unit} | {c.meaning} |" for c in d.columns]
        lines.append("")
    return "\n".join(lines).rstrip()


if __name__ == "__main__":
    print(markdown())
