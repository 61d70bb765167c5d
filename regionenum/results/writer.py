"""Writing a run directory.

    config.json       the resolved configuration
    provenance.json   versions, machine, start time, command line
    network.npz       the network
    manifest.json     what is committed, and the statistics over it; replaced at every commit
    progress.jsonl    one line every few seconds
    parts/*.parquet   recorded rows; a part counts once the manifest lists it

A commit writes the pending rows as one part and then the manifest, so rows and statistics on disk always agree.
"""

from __future__ import annotations

import json
import os
import platform
import socket
import sys
import time
from dataclasses import asdict
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
from regionenum.results.files import disk_errors, write_atomically
from regionenum.results.manifest import NETWORK, PARTS, Manifest, Part, statistics_to_lists
from regionenum.results.progress import Totals
from regionenum.results.rows import MemoryRows, PartRows
from regionenum.results.schema import FORMAT_VERSION, Layout

PART_ROWS = 200_000
"""Pending rows at which a part is written."""

PART_BYTES = 64 << 20
"""Pending bytes at which a part is written, should the rows be wide."""

COMMIT_SECONDS = 30.0
"""Longest time between two manifests."""

PROGRESS_SECONDS = 5.0
"""Time between two lines of `progress.jsonl`."""


class MemorySink:
    """Keeps recorded rows in memory."""

    def __init__(self, problem: Problem, record: Record) -> None:
        self._problem, self._record = problem, record
        self._layout = Layout.of(problem)
        self.rows = MemoryRows()

    def add(self, cells: Cells) -> None:
        """Keep recorded cells."""
        inputs = self._problem.chart.to_input(cells.witness)
        self.rows.kept.append(self._layout.table(cells, inputs, self._record))

    def update(self, totals: Totals) -> None:
        """Nothing is due in memory."""

    def commit(self, totals: Totals) -> None:
        """Nothing is due in memory."""


class RunWriter:
    """Writes a run directory.

    Parameters
    ----------
    directory : a folder that is empty or does not exist
    config : the resolved configuration, of JSON types

    Raises
    ------
    InputError
        If the directory is in use.
    RunError
        If it cannot be written, from the constructor and from every method.
    """

    def __init__(
        self, directory: Path, problem: Problem, domain: Domain, record: Record, engine: str, config: dict[str, Any]
    ) -> None:
        self._directory, self._problem, self._record = directory, problem, record
        self._layout = Layout.of(problem)
        self._pending: list[pa.Table] = []
        self._pending_rows = 0
        self._last_commit = self._last_progress = time.monotonic()
        with disk_errors(directory):
            _claim(directory)
            write_atomically(directory / "config.json", lambda path: _write_json(path, config))
            write_atomically(directory / "provenance.json", lambda path: _write_json(path, provenance()))
            save_npz(problem.network, directory / NETWORK)
            totals = Totals.of(problem)
            self._manifest = Manifest(
                format=FORMAT_VERSION,
                network=problem.network.hash,
                domain=domain.describe(),
                record=record,
                engine=engine,
                exact=False,
                complete=False,
                seconds=0.0,
                statistics=statistics_to_lists(totals.statistics),
                counters=totals.counters,
            )
            self._manifest.write(directory)

    @property
    def rows(self) -> PartRows:
        """The committed rows."""
        return PartRows(self._directory / PARTS, self._manifest.parts, self._layout, self._record)

    def add(self, cells: Cells) -> None:
        """Take recorded cells; they are on disk after the next commit."""
        inputs = self._problem.chart.to_input(cells.witness)
        self._pending.append(self._layout.table(cells, inputs, self._record))
        self._pending_rows += len(cells)

    def update(self, totals: Totals) -> None:
        """Commit if it is due, given the totals over all rows added so far."""
        now = time.monotonic()
        if now - self._last_progress >= PROGRESS_SECONDS:
            self._write_progress(totals)
        full = self._pending_rows >= PART_ROWS or self._pending_rows * self._layout.row_bytes >= PART_BYTES
        if full or now - self._last_commit >= COMMIT_SECONDS:
            self.commit(totals)

    def commit(self, totals: Totals) -> None:
        """Write the pending rows and the manifest."""
        with disk_errors(self._directory):
            parts = self._manifest.parts
            if self._pending_rows:
                parts = (*parts, self._write_part(f"{self._record}-{len(parts):06d}.parquet"))
            manifest = msgspec.structs.replace(
                self._manifest,
                complete=totals.complete,
                seconds=totals.seconds,
                statistics=statistics_to_lists(totals.statistics),
                counters=totals.counters,
                parts=parts,
            )
            manifest.write(self._directory)
            # only now are the rows on disk: an interruption before this line writes them once more, under the same name
            self._manifest, self._pending, self._pending_rows = manifest, [], 0
            self._last_commit = time.monotonic()
            self._write_progress(totals)

    def _write_part(self, name: str) -> Part:
        table = pa.concat_tables(self._pending)
        path = self._directory / PARTS / name
        size = write_atomically(path, lambda temporary: pq.write_table(table, temporary, compression="zstd"))
        return Part(name, table.num_rows, size)

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


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n")
