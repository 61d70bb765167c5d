"""Writing a run directory.

    config.json       the resolved configuration
    provenance-N.json versions, machine, start time, command line of the N-th attempt
    network.npz       the network
    manifest.json     what is committed, and the statistics over it; replaced at every commit
    progress.jsonl    one line every few seconds
    parts/*.parquet   recorded rows; a part counts once the manifest lists it
    frontier-*.bin    what is left to explore, while the run is incomplete (`parallel/journal.py`); named in the manifest

A commit writes the pending rows as one part, the frontier, and then the manifest: rows, statistics and frontier on disk
always belong together.
"""

from __future__ import annotations

import json
import os
import platform
import socket
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from regionenum.domain import Domain
from regionenum.engine.interface import Cells, Problem, Record
from regionenum.errors import InputError
from regionenum.network.storage import save_npz
from regionenum.results.files import disk_errors, lock, write_atomically
from regionenum.results.manifest import (
    MANIFEST,
    NETWORK,
    PARTS,
    Manifest,
    Part,
    statistics_from_lists,
    statistics_to_lists,
)
from regionenum.results.progress import Totals
from regionenum.results.rows import MemoryRows, PartRows
from regionenum.results.schema import FORMAT_VERSION, Layout

PART_ROWS = 200_000
"""Pending rows at which a part is written."""

PART_BYTES = 64 << 20
"""Pending bytes at which a part is written, should the rows be wide."""

OWN_PART_ROWS = 50_000
"""Rows of one task from which its worker writes a part of its own."""

COMMIT_SECONDS = 30.0
"""Longest time between two manifests."""

PROGRESS_SECONDS = 5.0
"""Time between two lines of `progress.jsonl`."""


class MemorySink:
    """Keeps recorded rows in memory."""

    resumable = False

    def __init__(self, problem: Problem, record: Record) -> None:
        self.depository = Depository(problem, record) if record is not Record.NONE else None
        self.rows = MemoryRows()

    def add(self, deposit: pa.Table) -> None:
        """Keep recorded rows."""
        self.rows.kept.append(deposit)

    def commit_due(self) -> bool:
        """Nothing is due in memory."""
        return False

    def note(self, totals: Totals) -> None:
        """Nothing is noted in memory."""

    def commit(self, totals: Totals, frontier: bytes = b"", stopped: str = "") -> None:
        """Nothing is written."""

    def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True)
class Depository:
    """Turns a worker's cells into a table for the writer, or, if they are many, into a part that the writer only lists.

    Attributes
    ----------
    parts : folder of the parts, or None to keep every table in memory
    prefix : begins the names of the parts
    """

    problem: Problem
    record: Record
    parts: Path | None = None
    prefix: str = ""

    def deposit(self, cells: list[Cells], task: int) -> pa.Table | Part:
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


class RunWriter:
    """Writes a run directory.

    Parameters
    ----------
    directory : a folder that is empty or does not exist, or with `resume` one that holds a run
    config : the resolved configuration, of JSON types; not used when a run is resumed
    resume : go on with the run in the folder

    Attributes
    ----------
    totals : everything committed so far
    frontier : what was left to explore, or empty for a new run

    Raises
    ------
    InputError
        If the directory is in use, or holds a run of another network, domain, recording level or engine.
    RunError
        If it cannot be written, from the constructor and from every method.
    """

    resumable = True

    def __init__(
        self,
        directory: Path,
        problem: Problem,
        domain: Domain,
        record: Record,
        engine: str,
        config: dict[str, Any],
        *,
        resume: bool = False,
    ) -> None:
        self._directory, self._problem, self._record = directory, problem, record
        self._layout = Layout.of(problem)
        self._pending: list[pa.Table] = []
        self._written: list[Part] = []
        self._pending_rows = 0
        self._last_commit = self._last_progress = time.monotonic()
        self.totals, self.frontier = Totals.of(problem), b""
        with disk_errors(directory):
            if not resume:
                _claim(directory)
            self._lock = lock(directory)
            if resume:
                self._manifest = self._reopened(domain, engine)
            else:
                write_atomically(directory / "config.json", lambda path: _write_json(path, config))
                save_npz(problem.network, directory / NETWORK)
                self._manifest = self._fresh(domain, engine)
            write_atomically(
                directory / f"provenance-{self._manifest.attempt}.json", lambda path: _write_json(path, provenance())
            )
            self._manifest.write(directory)
        parts = directory / PARTS
        self.depository = Depository(problem, record, parts, self._prefix) if record is not Record.NONE else None

    def _fresh(self, domain: Domain, engine: str) -> Manifest:
        return Manifest(
            format=FORMAT_VERSION,
            network=self._problem.network.hash,
            domain=domain.describe(),
            record=self._record,
            engine=engine,
            exact=False,
            complete=False,
            seconds=0.0,
            statistics=statistics_to_lists(self.totals.statistics),
            counters=self.totals.counters,
        )

    def _reopened(self, domain: Domain, engine: str) -> Manifest:
        """The manifest of the run that goes on, its totals and frontier taken over."""
        directory, manifest = self._directory, Manifest.read(self._directory)
        place = directory / MANIFEST
        same = (
            ("network", manifest.network, self._problem.network.hash, "the weights or the model file changed"),
            ("domain", manifest.domain, domain.describe(), "the configuration changed"),
            ("recording level", str(manifest.record), str(self._record), "the configuration changed"),
            ("engine", manifest.engine, engine, "the configuration changed"),
        )
        for what, there, here, why in same:
            if there != here:
                raise InputError(
                    f"{directory} holds a run with another {what} ({_short(there)}, not {_short(here)}); usually {why}: "
                    "give a new folder, or the original"
                )
        if not manifest.complete and not manifest.frontier:
            raise InputError(
                f"{directory} cannot be resumed: it was stopped before its first commit, or its engine "
                f'("{manifest.engine}") cannot go on from the middle; remove it and start again'
            )
        self.totals.statistics = statistics_from_lists(manifest.statistics, self._problem, place)
        self.totals.counters = manifest.counters
        self.totals.seconds, self.totals.complete = manifest.seconds, manifest.complete
        if manifest.frontier:
            path = directory / manifest.frontier
            if not path.is_file():
                raise InputError(f"{path} is listed in the manifest but missing; restore it from a copy")
            self.frontier = path.read_bytes()
        return msgspec.structs.replace(manifest, attempt=manifest.attempt + 1, stopped="")

    @property
    def _prefix(self) -> str:
        return f"{self._record}-{self._manifest.attempt:03d}"

    @property
    def rows(self) -> PartRows:
        """The committed rows."""
        return PartRows(self._directory / PARTS, self._manifest.parts, self._layout, self._record)

    def add(self, deposit: pa.Table | Part) -> None:
        """Take what a worker deposited; it is in the run after the next commit."""
        if isinstance(deposit, Part):
            self._written.append(deposit)
            return
        self._pending.append(deposit)
        self._pending_rows += deposit.num_rows

    def commit_due(self) -> bool:
        """Whether enough time has passed, or enough rows are pending."""
        full = self._pending_rows >= PART_ROWS or self._pending_rows * self._layout.row_bytes >= PART_BYTES
        return full or time.monotonic() - self._last_commit >= self.commit_seconds

    commit_seconds = COMMIT_SECONDS

    def note(self, totals: Totals) -> None:
        """Write a line of progress if it is due."""
        if time.monotonic() - self._last_progress >= PROGRESS_SECONDS:
            self._write_progress(totals)

    def commit(self, totals: Totals, frontier: bytes = b"", stopped: str = "") -> None:
        """Commit the totals, all rows added so far and what is left to explore, together."""
        with disk_errors(self._directory):
            old = self._manifest
            parts = (*old.parts, *self._written)
            if self._pending_rows:
                name = f"{self._prefix}-{len(parts):06d}.parquet"
                parts = (*parts, write_part(self._directory / PARTS, name, pa.concat_tables(self._pending)))
            name = ""
            if frontier:
                count = int(old.frontier.split("-")[2].split(".")[0]) + 1 if old.frontier else 0
                name = f"frontier-{old.attempt:03d}-{count:06d}.bin"
                write_atomically(self._directory / name, lambda path: path.write_bytes(frontier))
            manifest = msgspec.structs.replace(
                old,
                complete=totals.complete,
                seconds=totals.seconds,
                statistics=statistics_to_lists(totals.statistics),
                counters=totals.counters,
                parts=parts,
                frontier=name,
                stopped=stopped,
            )
            manifest.write(self._directory)
            # only now are the rows on disk: an interruption before this line writes them once more, under the same name
            self._manifest, self._pending, self._written, self._pending_rows = manifest, [], [], 0
            self._last_commit = time.monotonic()
            if old.frontier and old.frontier != name:
                (self._directory / old.frontier).unlink(missing_ok=True)
            self._write_progress(totals)

    def close(self) -> None:
        """Let go of the directory."""
        self._lock.close()

    def _write_progress(self, totals: Totals) -> None:
        progress = totals.progress()
        line = asdict(progress) | {"rate": progress.rate}
        with disk_errors(self._directory), (self._directory / "progress.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        self._last_progress = time.monotonic()


def provenance() -> dict[str, Any]:
    """Where and with what a run is made, of JSON types."""
    return {
        "regionenum": version("regionenum"),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in ("numpy", "scipy", "numba", "highspy", "pyarrow")},
        "platform": platform.platform(),
        "host": socket.gethostname(),
        "cpus": os.cpu_count(),
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
    }


def _claim(directory: Path) -> None:
    if directory.is_dir() and any(directory.iterdir()):
        raise InputError(f"{directory} is not empty; give a new folder, or remove the old run first")
    if directory.exists() and not directory.is_dir():
        raise InputError(f"{directory} is a file; give a new folder")
    (directory / PARTS).mkdir(parents=True)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:24]}..."


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n")
