"""Writing a run directory.

    config.json       the resolved configuration
    provenance-N.json versions, machine, start time, command line of the N-th attempt
    network.npz       the network
    manifest.json     what is committed, and the statistics over it; replaced at every commit
    progress.jsonl    one line every few seconds
    status.json       what the run is doing just now (`status.py`)
    parts/*.parquet   recorded rows; a part counts once the manifest lists it
    frontier-*.bin    what is left to explore (`parallel/journal.py`); the manifest names the one that counts
    lock              held while a process writes here

A commit writes the pending rows as one part, the frontier, and then the manifest: rows, statistics and frontier on disk
always belong together. There is no manifest before the first commit, so that every run that has one can be resumed.
"""

from __future__ import annotations

import json
import os
import platform
import re
import socket
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import requires, version
from pathlib import Path
from typing import IO, Any

import msgspec
import pyarrow as pa

from regionenum.choices import Record
from regionenum.errors import InputError
from regionenum.files import write_atomically
from regionenum.network.storage import save_npz
from regionenum.results.manifest import (
    MANIFEST,
    NETWORK,
    PARTS,
    PROGRESS,
    Manifest,
    Part,
    statistics_from_lists,
    statistics_to_lists,
)
from regionenum.results.progress import Totals
from regionenum.results.row_store import RowsInParts, RowStore, write_part
from regionenum.results.run_directory import disk_errors, lock, mend_lines, refuse_occupied, refuse_other, sweep
from regionenum.results.schema import FORMAT_VERSION, Layout
from regionenum.results.status import Activity, StatusBoard
from regionenum.results.subject import Subject

PART_ROWS = 200_000
"""Pending rows at which a part is written."""

PART_BYTES = 64 << 20
"""Pending bytes at which a part is written, should the rows be wide."""

COMMIT_SECONDS = 30.0
"""Longest time between two manifests, unless the caller says otherwise."""

PROGRESS_SECONDS = 5.0
"""Time between two lines of `progress.jsonl`."""

STATUS_SECONDS = 2.0
"""Time between two versions of `status.json`."""


class RunWriter:
    """Writes a run directory, and holds its lock until it is closed.

    Parameters
    ----------
    directory : a folder that is empty or does not exist, or with `resume` one that holds a run
    subject : what the run is about
    config : the resolved configuration, of JSON types; not used when a run is resumed
    resume : go on with the run in the folder
    commit_seconds : longest time between two commits; by default `COMMIT_SECONDS`

    Attributes
    ----------
    totals : everything committed so far
    frontier : what was left to explore; None for a new run, and for a complete one
    frontier_file : where that was read

    Raises
    ------
    InputError
        If the directory is in use, or holds a run of another network, domain, recording level or engine.
    RunError
        If it cannot be written, from the constructor and from every method.
    """

    def __init__(
        self,
        directory: Path,
        subject: Subject,
        config: dict[str, Any],
        *,
        resume: bool = False,
        commit_seconds: float | None = None,
    ) -> None:
        self._directory, self._subject = directory, subject
        self._layout = Layout.of(subject.problem, subject.witnesses)
        self._commit_seconds = COMMIT_SECONDS if commit_seconds is None else commit_seconds
        self._pending: list[pa.Table] = []
        self._written: list[Part] = []
        self._pending_rows = 0
        self._last_commit = self._last_progress = time.monotonic()
        self._last_status = -STATUS_SECONDS
        self.totals = Totals.of(subject.problem)
        self.frontier: bytes | None = None
        self.frontier_file = directory
        with disk_errors(directory), ExitStack() as undo:
            # looked at before the lock, which leaves a file, and again under it
            if resume:
                Manifest.read(directory)
            else:
                refuse_occupied(directory)
                directory.mkdir(parents=True, exist_ok=True)
            self._lock = undo.enter_context(lock(directory))
            if resume:
                self._manifest = self._reopened()
            else:
                refuse_occupied(directory)
                self._manifest = self._fresh(config)
            if not self.totals.complete:
                name = f"provenance-{self._manifest.attempt}.json"
                write_atomically(directory / name, _json(_provenance()))
            undo.pop_all()
        kept = subject.record is not Record.NONE
        store = RowStore(subject.problem, subject.record, directory / PARTS, self._prefix, subject.witnesses)
        self.cell_store = store if kept else None
        self._board = StatusBoard(directory, self._manifest.attempt, self.totals.regions)

    def _fresh(self, config: dict[str, Any]) -> Manifest:
        """The manifest of a new run, not written yet."""
        directory, subject = self._directory, self._subject
        (directory / PARTS).mkdir(exist_ok=True)
        write_atomically(directory / "config.json", _json(config))
        save_npz(subject.network, directory / NETWORK)
        manifest = Manifest(
            format=FORMAT_VERSION,
            network=subject.network.hash,
            domain=subject.domain.describe(),
            record=subject.record,
            engine=subject.engine,
            exact=subject.exact,
            witnesses=subject.witnesses,
            complete=False,
            seconds=0.0,
            statistics=statistics_to_lists(self.totals.statistics),
            counters=self.totals.counters,
        )
        sweep(directory, manifest)
        return manifest

    def _reopened(self) -> Manifest:
        """The manifest of the run that goes on, its totals and frontier taken over."""
        directory, manifest = self._directory, Manifest.read(self._directory)
        refuse_other(directory, manifest, self._subject)
        statistics = statistics_from_lists(manifest.statistics, self._subject.problem, directory / MANIFEST)
        self.totals = Totals(statistics, manifest.counters, manifest.seconds, manifest.complete)
        if manifest.complete:
            return manifest
        self.frontier_file = directory / manifest.frontier
        if not self.frontier_file.is_file():
            raise InputError(f"{self.frontier_file} is listed in the manifest but missing; restore it from a copy")
        self.frontier = self.frontier_file.read_bytes()
        # what is listed must be there before more is added to it
        RowsInParts(directory / PARTS, manifest.parts, self._layout, self._subject.record).check()
        sweep(directory, manifest)
        mend_lines(directory / PROGRESS)
        return msgspec.structs.replace(manifest, attempt=manifest.attempt + 1, stopped="", failed="")

    @property
    def _prefix(self) -> str:
        return f"{self._subject.record}-{self._manifest.attempt:03d}"

    @property
    def rows(self) -> RowsInParts:
        """The committed rows."""
        return RowsInParts(self._directory / PARTS, self._manifest.parts, self._layout, self._subject.record)

    def add(self, stored: pa.Table | Part) -> None:
        """Take what a worker stored; it is in the run after the next commit."""
        if isinstance(stored, Part):
            self._written.append(stored)
            return
        # a table that was pickled on its way from the worker has forgotten that list items are never null
        self._pending.append(stored.cast(self._layout.schema(self._subject.record)))
        self._pending_rows += stored.num_rows

    def commit_due(self) -> bool:
        """Whether enough time has passed, or enough rows are pending."""
        full = self._pending_rows >= PART_ROWS or self._pending_rows * self._layout.row_bytes >= PART_BYTES
        return full or time.monotonic() - self._last_commit >= self._commit_seconds

    def note(self, totals: Totals, activity: Callable[[], Activity], *, final: bool = False) -> None:
        """Write a line of progress, and the status, if they are due; at the end the status is."""
        now = time.monotonic()
        if now - self._last_progress >= PROGRESS_SECONDS:
            self._write_progress(totals)
        if final or now - self._last_status >= STATUS_SECONDS:
            with disk_errors(self._directory):
                self._board.write(totals, activity())
            self._last_status = now

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
                write_atomically(self._directory / name, lambda file: file.write(frontier))
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
            self._last_commit, self._board.committed = time.monotonic(), time.time()
            if old.frontier and old.frontier != name:
                (self._directory / old.frontier).unlink(missing_ok=True)
        self._write_progress(totals)

    def fail(self, reason: str) -> None:
        """Note in the manifest that this attempt failed; what it says was committed stays as it is."""
        # without a first commit there is no run
        if (self._directory / MANIFEST).is_file():
            with disk_errors(self._directory):
                self._manifest = msgspec.structs.replace(self._manifest, failed=reason)
                self._manifest.write(self._directory)

    def close(self) -> None:
        """Let go of the directory."""
        self._lock.close()

    def _write_progress(self, totals: Totals) -> None:
        progress = totals.progress()
        line = asdict(progress) | {"rate": progress.rate}
        with disk_errors(self._directory), (self._directory / PROGRESS).open("a") as file:
            file.write(json.dumps(line) + "\n")
        self._last_progress = time.monotonic()


def _json(content: dict[str, Any]) -> Callable[[IO[bytes]], object]:
    return lambda file: file.write(f"{json.dumps(content, indent=1)}\n".encode())


def _provenance() -> dict[str, Any]:
    """Versions, machine, start time and command line, of JSON types."""
    return {
        "regionenum": version("regionenum"),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _requirements()},
        "platform": platform.platform(),
        "host": socket.gethostname(),
        "cpus": os.cpu_count(),
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
    }


def _requirements() -> list[str]:
    """Names of the packages that this one cannot do without."""
    # extras, and what some platforms need only, have a marker behind a semicolon
    needed = [line for line in requires("regionenum") or [] if ";" not in line]
    return [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in needed]
