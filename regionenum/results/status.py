"""What a run is doing, for whoever watches it: `status.json`, and all that can be seen from outside.

Nothing else depends on `status.json`.
"""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from pathlib import Path
from typing import Any

import msgspec

from regionenum.errors import InputError
from regionenum.files import write_atomically
from regionenum.results.manifest import Manifest
from regionenum.results.progress import Totals
from regionenum.results.run_directory import is_held

STATUS = "status.json"

RECENT_SECONDS = 60.0
"""Length of the window of `Status.recent_rate`."""


class WorkerStatus(msgspec.Struct, frozen=True):
    """One worker in this attempt.

    Attributes
    ----------
    worker : its number
    tasks : results it gave
    regions : regions in them
    busy : seconds spent on them
    """

    worker: int
    tasks: int
    regions: int
    busy: float


class Activity(msgspec.Struct, frozen=True):
    """What the driver's side is doing.

    Attributes
    ----------
    waiting, in_flight : subtrees that nobody explores, and subtrees handed out
    dry : how often a worker wanted a task and none was waiting
    workers : by number
    """

    waiting: int = 0
    in_flight: int = 0
    dry: int = 0
    workers: tuple[WorkerStatus, ...] = ()


class Status(msgspec.Struct, frozen=True):
    """The content of `status.json`. Times are seconds since 1970.

    Attributes
    ----------
    time : of writing
    host, pid : of the coordinator
    attempt : see `Manifest.attempt`
    attempt_seconds : since this attempt began
    regions, cells : regions, and cells after each unit layer, that were found in all attempts, committed or not
    seconds : spent in all attempts
    recent_rate : regions per second over the last minute, or over the attempt if that is shorter
    committed : time of the last commit
    """

    time: float
    host: str
    pid: int
    attempt: int
    attempt_seconds: float
    regions: int
    cells: tuple[int, ...]
    seconds: float
    recent_rate: float
    committed: float
    activity: Activity


class StatusBoard:
    """Writes `status.json` of one attempt.

    Parameters
    ----------
    regions : found before this attempt
    """

    def __init__(self, directory: Path, attempt: int, regions: int) -> None:
        self._path, self._attempt = directory / STATUS, attempt
        self._start = time.monotonic()
        self._seen = deque([(self._start, regions)])
        self.committed = time.time()

    def write(self, totals: Totals, activity: Activity) -> None:
        """Replace the status."""
        now, progress = time.monotonic(), totals.progress()
        regions = progress.regions
        self._seen.append((now, regions))
        while len(self._seen) > 2 and now - self._seen[1][0] >= RECENT_SECONDS:
            self._seen.popleft()
        since, before = self._seen[0]
        status = Status(
            time=time.time(),
            host=socket.gethostname(),
            pid=os.getpid(),
            attempt=self._attempt,
            attempt_seconds=now - self._start,
            regions=regions,
            cells=progress.cells,
            seconds=progress.seconds,
            recent_rate=(regions - before) / (now - since) if now > since else 0.0,
            committed=self.committed,
            activity=activity,
        )
        text = msgspec.json.format(msgspec.json.encode(status), indent=1)
        write_atomically(self._path, lambda file: file.write(text), durable=False)


def read_status(directory: Path) -> Status | None:
    """The last status of a run, or None if none was written.

    Raises
    ------
    InputError
        If the file is not a status.
    """
    path = directory / STATUS
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return msgspec.json.decode(content, type=Status)
    except msgspec.DecodeError as error:
        raise InputError(f"{path} is not a status ({error}); remove it, the run does not need it") from error


def snapshot(directory: Path) -> dict[str, Any]:
    """The state of a run, of JSON types.

    `state` is "complete", "running" (a process holds the lock), "failed" (with the error `failed`), "stopped" (for the
    reason `stopped`), or "interrupted" (killed, or ended by the keyboard). What only a running coordinator knows is None
    in the other states.

    Raises
    ------
    InputError
        If the directory is not a run.
    """
    if not directory.is_dir():
        raise InputError(f"{directory} is not a run directory: no such folder")
    held = is_held(directory)
    manifest, status = Manifest.read(directory), read_status(directory)
    now = time.time()
    if status is None or status.attempt != manifest.attempt:
        status = None
    running = held and not manifest.complete
    cells = tuple(sum(layer) for layer in manifest.statistics["cells"])
    committed = cells[-1]
    # what was found after the last commit exists only as long as the run is running
    live = status if running else None
    regions, seconds = (live.regions, live.seconds) if live else (committed, manifest.seconds)
    found = live.cells if live else cells[1:]
    return {
        "state": "running" if running else _ended(manifest),
        "stopped": manifest.stopped,
        "failed": manifest.failed,
        "attempt": manifest.attempt,
        "host": live and live.host,
        "pid": live and live.pid,
        "regions": regions,
        "cells": list(found),
        "seconds": seconds,
        "rate": regions / seconds if seconds else 0.0,
        "recent_rate": live and live.recent_rate,
        "status_age": live and now - live.time,
        "frontier": live and {"waiting": live.activity.waiting, "in_flight": live.activity.in_flight},
        "dry": status and status.activity.dry,
        "workers": _workers(status),
        "committed": {
            "regions": committed,
            "parts": len(manifest.parts),
            "rows": sum(part.rows for part in manifest.parts),
            "bytes": sum(part.bytes for part in manifest.parts),
            "age": live and now - live.committed,
        },
    }


def _ended(manifest: Manifest) -> str:
    """How the last attempt of a run ended that is not running."""
    if manifest.complete:
        return "complete"
    if manifest.failed:
        return "failed"
    return "stopped" if manifest.stopped else "interrupted"


def _workers(status: Status | None) -> list[dict[str, Any]]:
    if status is None:
        return []
    seconds = max(status.attempt_seconds, 1e-9)
    return [
        {
            "worker": w.worker,
            "tasks": w.tasks,
            "regions": w.regions,
            "rate": w.regions / seconds,
            "busy": w.busy / seconds,
        }
        for w in status.activity.workers
    ]
