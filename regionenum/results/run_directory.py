"""The folder of a run: may a run start or go on there, what did a dead attempt leave behind, and who writes there now?"""

from __future__ import annotations

import errno
import fcntl
import re
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from regionenum.errors import InputError, RunError
from regionenum.results.manifest import MANIFEST, NETWORK, PARTS, Manifest
from regionenum.results.subject import Subject

LOCK = "lock"

LOCK_SECONDS = 3.0
"""How long to wait for a lock: workers of a killed process hold it until they notice, in a second or so."""

_NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK)
"""What a file system without locks answers, for example Lustre mounted without `flock`."""

_UNBORN = re.compile(
    rf"{LOCK}|{PARTS}|config\.json|{re.escape(NETWORK)}|provenance-1\.json|frontier-[\d-]+\.bin|\..*\.tmp"
)
"""What a run writes before its first manifest."""

_OWN_PART = re.compile(r"(regions|tree)-[-\w]+\.parquet|\.(regions|tree)-[-\w]+\.parquet[.\w]*\.tmp")
_OWN_FILE = re.compile(r"frontier-[\d-]+\.bin|\.(config|manifest|status|provenance|network|frontier)[-.\w]*\.tmp")
"""What a run may leave behind without listing it."""


def holds_run(directory: Path) -> bool:
    """Whether there is anything to go on with."""
    return (directory / MANIFEST).is_file()


def refuse_occupied(directory: Path) -> None:
    """Refuse to start a run in a folder with other content, unless a run died there before its first commit.

    Raises
    ------
    InputError
        Naming the folder.
    """
    if not directory.exists():
        return
    if not directory.is_dir():
        raise InputError(f"{directory} is a file; give a new folder")
    names = {path.name for path in directory.iterdir()}
    unborn = LOCK in names and all(_UNBORN.fullmatch(name) for name in names)
    if names and not unborn:
        raise InputError(f"{directory} is not empty; give a new folder, or remove the old run first")


def refuse_other(directory: Path, manifest: Manifest, subject: Subject) -> None:
    """Refuse to go on with a run of something else, or of an engine that cannot go on.

    Parameters
    ----------
    subject : what is to go on

    Raises
    ------
    InputError
        Naming what differs and why it usually does.
    """
    same = (
        ("network", manifest.network, subject.network.hash, "the weights or the model file changed"),
        ("domain", _text(manifest.domain), _text(subject.domain.describe()), "the configuration changed"),
        ("recording level", str(manifest.record), str(subject.record), "the configuration changed"),
        ("engine", manifest.engine, subject.engine, "the configuration changed"),
        ("kind of decisions", _kind(manifest.exact), _kind(subject.exact), "`exact` changed"),
        ("kind of rows", _rows(manifest.witnesses), _rows(subject.witnesses), "`witnesses` changed"),
    )
    for what, there, here, why in same:
        if there != here:
            theirs, ours = _where_they_differ(there, here)
            raise InputError(
                f"{directory} holds a run with another {what} ({theirs}, not {ours}); usually {why}: give a new folder, "
                "or the original"
            )
    if not manifest.complete and not manifest.frontier:
        raise InputError(
            f'{directory} cannot be resumed: its engine ("{manifest.engine}") cannot go on from the middle; remove it '
            "and start again"
        )


def _kind(exact: bool) -> str:
    return "exact" if exact else "in floating point"


def _rows(witnesses: bool) -> str:
    return "with witnesses" if witnesses else "without witnesses"


def sweep(directory: Path, manifest: Manifest) -> None:
    """Delete what dead attempts wrote and no manifest lists. Only whoever holds the lock may do so.

    Files that are not named as a run names its own are left alone.
    """
    listed = {part.name for part in manifest.parts}
    for path in (directory / PARTS).iterdir():
        if path.name not in listed and _OWN_PART.fullmatch(path.name):
            path.unlink(missing_ok=True)
    for path in directory.iterdir():
        if path.name != manifest.frontier and _OWN_FILE.fullmatch(path.name):
            path.unlink(missing_ok=True)


def mend_lines(path: Path) -> None:
    """Cut off a last line that was not written to its end."""
    if not path.is_file():
        return
    content = path.read_bytes()
    end = content.rfind(b"\n") + 1
    if end != len(content):
        with path.open("rb+") as file:
            file.truncate(end)


def _text(domain: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in domain.items())


def _where_they_differ(there: str, here: str) -> tuple[str, str]:
    """Two texts for one sentence: the whole of them, or of long ones the part that holds the first difference."""
    differs = (k for k, (a, b) in enumerate(zip(there, here, strict=False)) if a != b)
    place = next(differs, min(len(there), len(here)))
    return _part(there, place), _part(here, place)


def _part(text: str, place: int) -> str:
    if len(text) <= 60:
        return text
    start = 0 if place < 30 else min(place - 20, len(text) - 40)
    return f"{'...' if start else ''}{text[start : start + 40]}{'...' if start + 40 < len(text) else ''}"


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
