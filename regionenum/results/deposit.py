"""From a worker's cells to tables and parts; and where tables are kept when there is no run directory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from regionenum.engine.interface import Cells, Problem, Record
from regionenum.results.files import disk_errors, write_atomically
from regionenum.results.manifest import Part
from regionenum.results.progress import Totals
from regionenum.results.rows import MemoryRows
from regionenum.results.schema import Layout
from regionenum.results.status import Activity

OWN_PART_ROWS = 50_000
"""Rows of one task from which its worker writes a part of its own."""


@dataclass(frozen=True)
class Depository:
    """Turns a worker's cells into a table for the writer, or, if they are many, into a part that the writer only lists.

    Attributes
    ----------
    parts : folder of the parts, or None to keep every table in memory
    prefix : begins the names of the parts; no two attempts share it, so that a worker that outlives its driver cannot
        touch the parts of the next attempt
    """

    problem: Problem
    record: Record
    parts: Path | None = None
    prefix: str = ""

    def store(self, cells: list[Cells], task: int) -> pa.Table | Part:
        """Put the cells of a task away."""
        layout = Layout.of(self.problem)
        tables = [layout.table(c, self.problem.chart.to_input(c.witness), self.record) for c in cells]
        table = pa.concat_tables(tables)
        if self.parts is None or table.num_rows < OWN_PART_ROWS:
            return table
        with disk_errors(self.parts.parent):
            return write_part(self.parts, f"{self.prefix}-task{task:08d}.parquet", table)


def write_part(folder: Path, name: str, table: pa.Table) -> Part:
    """Write a table as a part; it counts once a manifest lists it."""
    size = write_atomically(folder / name, lambda temporary: pq.write_table(table, temporary, compression="zstd"))
    return Part(name, table.num_rows, size)


class MemorySink:
    """Keeps recorded rows in memory."""

    def __init__(self, problem: Problem, record: Record) -> None:
        self.cell_store = Depository(problem, record) if record is not Record.NONE else None
        self.rows = MemoryRows()

    def add(self, deposit: pa.Table) -> None:
        """Keep recorded rows."""
        self.rows.kept.append(deposit)

    def commit_due(self) -> bool:
        """Nothing is due in memory."""
        return False

    def note(self, totals: Totals, activity: Callable[[], Activity], *, final: bool = False) -> None:
        """Nothing is noted in memory."""

    def commit(self, totals: Totals, frontier: bytes = b"", stopped: str = "") -> None:
        """Nothing is written."""

    def close(self) -> None:
        """Nothing is held."""
