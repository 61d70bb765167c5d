"""What can be seen of a run from outside, while it runs or afterwards."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from regionenum.errors import InputError
from regionenum.results.manifest import Manifest
from regionenum.results.run_directory import is_held
from regionenum.results.status import Status, read_status


def snapshot(directory: Path) -> dict[str, Any]:
    """The state of a run, of JSON types.

    `state` is "complete", "running" (a process holds the lock), "stopped" (for the reason `stopped`), or "interrupted"
    (killed or failed). What only a running coordinator knows is None in the other states.

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
    state = (
        "running" if running else "complete" if manifest.complete else "stopped" if manifest.stopped else "interrupted"
    )
    cells = tuple(sum(layer) for layer in manifest.statistics["cells"])
    committed = cells[-1]
    # what was found after the last commit exists only as long as the run is running
    live = status if running else None
    regions, seconds = (live.regions, live.seconds) if live else (committed, manifest.seconds)
    found = live.cells if live else cells[1:]
    return {
        "state": state,
        "stopped": manifest.stopped,
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
