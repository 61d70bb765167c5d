"""Showing progress: a live block on a terminal, a plain line every ten seconds elsewhere.

The size of the tree is unknown until it has been walked, so a percentage is never shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from regionenum.results.progress import Progress

LINE_SECONDS = 10.0
"""Time between two lines when the stream is not a terminal."""


def progress_line(progress: Progress) -> str:
    """Regions, rate, elapsed time, and cells after each layer, as one line."""
    cells = " ".join(f"{n:,}" for n in progress.cells)
    line = f"{progress.regions:,} regions, {progress.rate:,.0f}/s, {elapsed(progress.seconds)}, cells by layer: {cells}"
    return line if not progress.doubtful else f"{line}, doubtful decisions: {progress.doubtful:,}"


def elapsed(seconds: float) -> str:
    """A duration for reading.

    >>> elapsed(0.1234), elapsed(75), elapsed(7300)
    ('0.12 s', '1 min 15 s', '2 h 01 min')
    """
    if seconds < 10:
        return f"{seconds:.2g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


@contextmanager
def progress_display(stream: TextIO, line: Callable[[Any], str] = progress_line) -> Iterator[Callable[[Any], None]]:
    """A callback that shows progress on a stream, in the way that suits it; `line` puts it into words."""
    if not stream.isatty():
        yield _Lines(stream, line)
        return
    # refreshed by `show` alone: a thread would wake up inside the compiled kernels' time
    with Live(console=Console(file=stream), auto_refresh=False, transient=True) as live:
        yield _Block(live, line)


class _Lines:
    def __init__(self, stream: TextIO, line: Callable[[Any], str]) -> None:
        self._stream, self._last, self._line = stream, time.monotonic(), line

    def __call__(self, progress: Any) -> None:
        now = time.monotonic()
        if now - self._last >= LINE_SECONDS:
            print(self._line(progress), file=self._stream, flush=True)
            self._last = now


class _Block:
    _SECONDS = 0.2

    def __init__(self, live: Live, line: Callable[[Any], str]) -> None:
        self._live, self._last, self._line = live, 0.0, line

    def __call__(self, progress: Any) -> None:
        now = time.monotonic()
        if now - self._last >= self._SECONDS:
            self._live.update(Text(self._line(progress)), refresh=True)
            self._last = now
