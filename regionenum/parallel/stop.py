"""Reasons to stop before the end: signals, limits, a stop file. Every one of them only sets a flag."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from regionenum.errors import InputError

FILE_SECONDS = 1.0
"""Time between two looks for the stop file."""

SIGNALS = (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT)
"""SIGUSR1 is the one warning that every launcher delivers to its ranks; SIGTERM and Ctrl-C where they get through."""


@dataclass
class Stop:
    """Whether, and why, to stop.

    Parameters
    ----------
    time_limit : float, optional
        Seconds from `begin` on.
    max_regions : int, optional
        Stop once this many regions are found.
    file : Path, optional
        Stop once this file exists.

    Attributes
    ----------
    reason : str or None
        Why to stop, in words for the user; None as long as there is no reason.

    Raises
    ------
    InputError
        If a limit is not a number that can be reached.
    """

    time_limit: float | None = None
    max_regions: int | None = None
    file: Path | None = None
    reason: str | None = None
    _since: float | None = None
    _looked: float = -FILE_SECONDS
    _interrupted: bool = False

    def __post_init__(self) -> None:
        if self.time_limit is not None and not self.time_limit >= 0:
            raise InputError(f"time limit {self.time_limit}: give a number of seconds, at least 0")
        if self.max_regions is not None and self.max_regions < 1:
            raise InputError(f"max_regions={self.max_regions}: give a number of regions, at least 1")

    def begin(self) -> None:
        """Start the clock of the time limit: the work begins, whatever had to be made ready before."""
        if self._since is None:
            self._since = time.monotonic()

    def request(self, reason: str) -> None:
        """Stop as soon as possible; the first reason is kept."""
        self.reason = self.reason or reason

    def check(self, regions: int) -> str | None:
        """The reason to stop, if there is one by now."""
        now = time.monotonic()
        if self.time_limit is not None and self._since is not None and now - self._since >= self.time_limit:
            self.request(f"the time limit of {self.time_limit:g} s is reached")
        if self.max_regions is not None and regions >= self.max_regions:
            self.request(f"{regions:,} regions are found, the limit is {self.max_regions:,}")
        if self.file is not None and now - self._looked >= FILE_SECONDS:
            self._looked = now
            if self.file.exists():
                self.request(f"the stop file {self.file} exists")
        return self.reason

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Turn signals into requests; a second Ctrl-C interrupts at once. Only the main thread can listen."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(number: int, frame: FrameType | None) -> None:
            if number == signal.SIGINT:
                if self._interrupted:
                    raise KeyboardInterrupt
                self._interrupted = True
            self.request(f"{signal.Signals(number).name} was received")

        before = {number: signal.signal(number, note) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                # None: it was not installed from Python, and cannot be put back from there
                signal.signal(number, signal.SIG_DFL if handler is None else handler)
