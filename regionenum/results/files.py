"""Writing files so that any prefix of what happened leaves a valid directory."""

from __future__ import annotations

import errno
import fcntl
import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from regionenum.errors import InputError, RunError

LOCK = "lock"

LOCK_SECONDS = 3.0
"""How long to wait for a lock: workers of a killed process hold it until they notice, in a second or so."""

_NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK)
"""What a file system without locks answers, for example Lustre mounted without `flock`."""


def write_atomically(path: Path, write: Callable[[Path], object], *, durable: bool = True) -> int:
    """Let `write` fill a temporary file and rename it to `path`; returns its size in bytes.

    A reader sees the old content or the new, never a part of it. If `durable`, it is on the disk when this returns.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        write(temporary)
        if durable:
            _flush(temporary, os.O_RDWR)
        size = temporary.stat().st_size
        temporary.replace(path)
    except OSError:
        # on a full disk every byte counts, for the manifest if nothing else
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        # the rename itself is durable only once the folder is flushed
        _flush(path.parent, os.O_RDONLY)
    return size


def _flush(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def disk_errors(directory: Path) -> Iterator[None]:
    """Turn a failing disk into one sentence."""
    try:
        yield
    except OSError as error:
        raise RunError(
            f"run directory {directory}: writing failed ({error.strerror or error}); free space or mend the "
            "permissions, then resume; what its manifest lists remains valid"
        ) from error


def lock(directory: Path) -> IO[bytes]:
    """Hold the directory until the returned file is closed and all forked processes have ended.

    Raises
    ------
    InputError
        If another process holds it.
    """
    file = (directory / LOCK).open("ab")
    try:
        deadline = time.monotonic() + LOCK_SECONDS
        while not _take(file, fcntl.LOCK_EX):
            if time.monotonic() >= deadline:
                raise InputError(
                    f"{directory} is being written by another process; wait for it, or give another folder"
                )
            time.sleep(0.05)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            file.close()
            raise
        warnings.warn(
            f"the file system of {directory} has no locks ({error.strerror}); make sure that only one run writes there",
            stacklevel=2,
        )
    except BaseException:
        file.close()
        raise
    return file


def is_held(directory: Path) -> bool:
    """Whether a process holds the directory, as far as this machine can tell."""
    try:
        with (directory / LOCK).open("rb") as file:
            return not _take(file, fcntl.LOCK_SH)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return False


def _take(file: IO[bytes], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
