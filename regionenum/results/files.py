"""Writing files so that any prefix of what happened leaves a valid directory."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from regionenum.errors import InputError, RunError


def write_atomically(path: Path, write: Callable[[Path], object]) -> int:
    """Let `write` fill a temporary file, flush it to disk and rename it to `path`; returns its size in bytes.

    A reader sees the old content or the new, never a part of it.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    write(temporary)
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
    size = temporary.stat().st_size
    temporary.replace(path)
    # the rename itself is durable only once the folder is flushed
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return size


@contextmanager
def disk_errors(directory: Path) -> Iterator[None]:
    """Turn a failing disk into one sentence."""
    try:
        yield
    except OSError as error:
        raise RunError(
            f"run directory {directory}: writing failed ({error.strerror or error}); free space or mend the "
            "permissions and start again; the parts listed in its manifest remain valid"
        ) from error


def lock(directory: Path) -> IO[bytes]:
    """Hold the directory until the returned file is closed or the process ends.

    Raises
    ------
    InputError
        If another process holds it.
    """
    file = (directory / "lock").open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise InputError(f"{directory} is being written by another process; wait for it, or give another folder") from error
    return file
