"""Recorded rows: how workers put them away, and where they are: in memory, or in the parts of a run directory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from regionenum.choices import Record
from regionenum.engine.interface import Cells, Problem
from regionenum.errors import InputError
from regionenum.exact.domains import ExactDomain
from regionenum.exact.inside import Inside
from regionenum.files import write_atomically
from regionenum.network.units import Floats
from regionenum.results.manifest import Part
from regionenum.results.progress import Totals
from regionenum.results.run_directory import disk_errors
from regionenum.results.schema import Layout, check_metadata
from regionenum.results.status import Activity

OWN_PART_ROWS = 50_000
"""Rows of one task from which its worker writes a part of its own."""


@dataclass(frozen=True)
class RowStore:
    """Where a worker puts recorded cells: a table for the writer, or, if they are many, a part that the writer only lists.

    Attributes
    ----------
    parts : folder of the parts, or None to keep every table in memory
    prefix : begins the names of the parts; no two attempts share it, so that a worker that outlives its driver cannot
        touch the parts of the next attempt
    witnesses : whether witnesses are kept
    """

    problem: Problem
    record: Record
    parts: Path | None = None
    prefix: str = ""
    witnesses: bool = True

    def store(self, cells: list[Cells], task: int) -> pa.Table | Part:
        """Put the cells of a task away."""
        layout = Layout.of(self.problem, self.witnesses)
        tables = []
        for found in cells:
            if not self.witnesses:
                tables.append(layout.table(found, found.witness, self.record))
                continue
            inputs = self._inputs(found)
            tables.append(layout.table(found, inputs, self.record, self._inside(found.layer, found.pieces, inputs)))
        table = pa.concat_tables(tables)
        if self.parts is None or table.num_rows < OWN_PART_ROWS:
            return table
        with disk_errors(self.parts.parent):
            return write_part(self.parts, f"{self.prefix}-task{task:08d}.parquet", table)

    def _inputs(self, cells: Cells) -> Floats:
        """The witnesses as inputs; far out in the whole space not finite."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self.problem.chart.to_input(cells.witness)

    @cached_property
    def _inside(self) -> Inside:
        problem = self.problem
        exact = ExactDomain.of(problem.domain, problem.chart, problem.network.input_shape)
        return Inside(problem.network, problem.domain, exact)


def write_part(folder: Path, name: str, table: pa.Table) -> Part:
    """Write a table as a part; it counts once a manifest lists it."""
    size = write_atomically(folder / name, lambda file: pq.write_table(table, file, compression="zstd"))
    return Part(name, table.num_rows, size)


class RecordedRows(Protocol):
    """Recorded rows, table by table."""

    def tables(self) -> Iterator[pa.Table]:
        """Yield the tables in the order in which they were recorded."""
        ...


@dataclass(frozen=True)
class RowsInMemory:
    """Rows kept as arrow tables."""

    kept: list[pa.Table] = field(default_factory=list)

    def tables(self) -> Iterator[pa.Table]:
        yield from self.kept


@dataclass(frozen=True)
class RowsInParts:
    """Rows in committed Parquet parts.

    Attributes
    ----------
    directory : folder of the parts
    parts : the parts listed in the manifest; other files in the folder are ignored
    """

    directory: Path
    parts: tuple[Part, ...]
    layout: Layout
    record: Record

    def check(self) -> None:
        """Check that every listed part exists and holds the rows it should; reads the footers only.

        Raises
        ------
        InputError
            Naming the first part that does not fit.
        """
        for part in self.parts:
            path = self.directory / part.name
            if not path.is_file():
                raise InputError(f"{path} is listed in the manifest but missing; restore it from a copy")
            try:
                metadata = pq.read_metadata(path)
            except (pa.ArrowInvalid, OSError) as error:
                raise InputError(f"{path} is truncated or not Parquet; restore it from a copy") from error
            if metadata.num_rows != part.rows:
                raise InputError(f"{path} has {metadata.num_rows} rows, but the manifest lists {part.rows}")
            check_metadata(metadata.schema.to_arrow_schema(), str(path))

    def tables(self) -> Iterator[pa.Table]:
        for part in self.parts:
            path = self.directory / part.name
            try:
                table = pq.read_table(path)
                self.layout.check(table, self.record)
            # ArrowInvalid is a ValueError
            except (ValueError, OSError) as error:
                reason = " ".join(str(error).split())
                raise InputError(f"{path} cannot be read: {reason}; restore it from a copy") from error
            yield table


class MemorySink:
    """Keeps recorded rows in memory."""

    def __init__(self, problem: Problem, record: Record, witnesses: bool = True) -> None:
        store = RowStore(problem, record, witnesses=witnesses)
        self.cell_store = store if record is not Record.NONE else None
        self.rows = RowsInMemory()

    def add(self, stored: pa.Table) -> None:
        """Keep recorded rows."""
        self.rows.kept.append(stored)

    def commit_due(self) -> bool:
        """Nothing is due in memory."""
        return False

    def note(self, totals: Totals, activity: Callable[[], Activity], *, final: bool = False) -> None:
        """Nothing is noted in memory."""

    def commit(self, totals: Totals, frontier: bytes = b"", stopped: str = "") -> None:
        """Nothing is written."""

    def fail(self, reason: str) -> None:
        """Nothing is written."""

    def close(self) -> None:
        """Nothing is held."""
