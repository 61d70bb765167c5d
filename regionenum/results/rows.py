"""Where recorded rows are: in memory, or in the parts of a run directory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from regionenum.engine.interface import Record
from regionenum.errors import InputError
from regionenum.results.manifest import Part
from regionenum.results.schema import Layout, check_metadata


class Rows(Protocol):
    """Recorded rows, table by table."""

    def tables(self) -> Iterator[Any]:
        """Yield the tables in the order in which they were recorded."""
        ...


@dataclass(frozen=True)
class MemoryRows:
    """Rows kept as arrow tables."""

    kept: list[Any] = field(default_factory=list)

    def tables(self) -> Iterator[Any]:
        yield from self.kept


@dataclass(frozen=True)
class PartRows:
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

    def tables(self) -> Iterator[Any]:
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
