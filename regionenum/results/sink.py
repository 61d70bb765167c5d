"""Where an enumeration's results go: in memory (`MemorySink`) or into a run directory (`RunWriter`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from regionenum.parallel.runner import CellStore
from regionenum.results.progress import Totals
from regionenum.results.row_store import RecordedRows
from regionenum.results.status import Activity


class Sink(Protocol):
    """Takes what workers stored, and makes totals, rows and frontier last together."""

    @property
    def cell_store(self) -> CellStore | None:
        """Goes to every worker, to put recorded cells away; None if nothing is recorded."""
        ...

    @property
    def rows(self) -> RecordedRows:
        """The rows committed so far."""
        ...

    def add(self, stored: Any, /) -> None:
        """Take over what the cell store said of a task's cells."""
        ...

    def commit_due(self) -> bool:
        """Whether it is time for a commit."""
        ...

    def note(self, totals: Totals, activity: Callable[[], Activity], *, final: bool = False) -> None:
        """Note for whoever watches what is being done, if that is due."""
        ...

    def commit(self, totals: Totals, frontier: bytes = b"", stopped: str = "") -> None:
        """Commit the totals, all rows added so far and what is left to explore, together."""
        ...

    def fail(self, reason: str) -> None:
        """Note, beside what was committed, that this attempt failed."""
        ...

    def close(self) -> None:
        """Let go of what is held."""
        ...
