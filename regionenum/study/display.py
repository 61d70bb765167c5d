"""Showing the progress of a study: a bar over its networks on a terminal, a line for each network elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from regionenum.study.execute import Moment, Show


@contextmanager
def study_display(stream: TextIO, total: int) -> Iterator[Show]:
    """A callback that shows what is being done, on a stream, in the way that suits it; `total` networks are to be done."""
    if not stream.isatty():
        yield _Lines(stream, total)
        return
    columns = (
        TextColumn("networks"),
        BarColumn(24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[now]}"),
    )
    # refreshed when something is shown: a thread would keep workers from being forked
    with Progress(*columns, console=Console(file=stream), auto_refresh=False, transient=True) as progress:
        task = progress.add_task("", total=total, now="")

        def show(moment: Moment) -> None:
            progress.update(task, advance=moment.doing == "done", now=words(moment), refresh=True)

        yield show


class _Lines:
    def __init__(self, stream: TextIO, total: int) -> None:
        self._stream, self._total, self._done = stream, total, 0

    def __call__(self, moment: Moment) -> None:
        if moment.doing == "done":
            self._done += 1
            print(f"{self._done} of {self._total}: {moment.name}", file=self._stream, flush=True)


def words(moment: Moment) -> str:
    """What is being done, in a few words.

    >>> words(Moment("iris-16-relu-s0-e9", "training", epoch=3))
    'iris-16-relu-s0-e9: training, epoch 3'
    >>> words(Moment("iris-16-relu-s0-e9", "enumerating", regions=12345, rate=1000.0))
    'iris-16-relu-s0-e9: 12,345 regions, 1,000/s'
    """
    if moment.doing == "training":
        return f"{moment.name}: training, epoch {moment.epoch}"
    if moment.doing == "enumerating":
        return f"{moment.name}: {moment.regions:,} regions, {moment.rate:,.0f}/s"
    return f"{moment.name}: done"
