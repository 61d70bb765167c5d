"""Writing files so that whoever reads them sees the old content or the new, never a part of it. Any room may import this."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import IO


def write_atomically(path: Path, write: Callable[[IO[bytes]], object], *, durable: bool = True) -> int:
    """Let `write` fill a temporary file beside `path`, and rename it to `path`.

    Parameters
    ----------
    path : Path
        Where the file is to be; its folder exists.
    write : callable
        Called with the temporary file, open for writing; nobody else uses its name.
    durable : bool
        Whether content and name are on the disk when this returns, whatever happens to the machine then.

    Returns
    -------
    int
        The size in bytes.

    Raises
    ------
    OSError
        As raised by the file system, or anything that `write` raises; what was at `path` is still there, and nothing else.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            write(file)
            file.flush()
            size = os.fstat(file.fileno()).st_size
            if durable:
                os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        # on a full disk every byte counts
        temporary.unlink(missing_ok=True)
    if durable:
        # the rename itself is on the disk only once the folder is
        _sync_folder(path.parent)
    return size


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
