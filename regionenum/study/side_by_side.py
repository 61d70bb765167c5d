"""Several networks of a study at a time, each in a process of its own.

The processes take one group after the other. The first process alone hears signals; it tells the others to stop, and
they commit what they have. A process whose first process is gone stops by itself.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait

from regionenum.errors import EngineError, InputError, RunError, WorkerError
from regionenum.parallel.local import process_context
from regionenum.parallel.stop import SIGNALS, Stop
from regionenum.study.entries import Entry
from regionenum.study.execute import Moment, Show, run_group

LOOK_SECONDS = 0.2
"""Time between two looks for a reason to stop."""


@dataclass(frozen=True)
class _Done:
    """The group in hand is done, or was stopped."""


@dataclass(frozen=True)
class _Failure:
    """An exception in a process."""

    kind: str
    message: str
    trace: str

    def error(self) -> Exception:
        kinds = {kind.__name__: kind for kind in (EngineError, InputError, RunError, WorkerError)}
        if self.kind in kinds:
            return kinds[self.kind](self.message)
        return WorkerError(f"a process of the study failed with {self.kind}: {self.message}\n{self.trace}")


@dataclass
class _Helper:
    process: multiprocessing.process.BaseProcess
    pipe: Connection


def run_side_by_side(groups: list[list[Entry]], stop: Stop, side: int, workers: int, show: Show) -> None:
    """Run groups of networks in processes, until all are done or there is a reason to stop.

    Parameters
    ----------
    side : number of processes
    workers : workers of each enumeration

    Raises
    ------
    InputError, EngineError, RunError, WorkerError
        The first error of any process; the others are ended at once, and lose what they found since they last committed.
    """
    waiting = list(range(len(groups)))[::-1]
    with _helpers(groups, side, workers) as helpers:
        by_pipe = {helper.pipe: helper for helper in helpers}
        busy: set[int] = set()
        told = False

        def hand_out(helper: _Helper) -> None:
            if waiting and stop.reason is None:
                _send(helper, waiting.pop())
                busy.add(id(helper))

        for helper in helpers:
            hand_out(helper)
        while busy:
            for ready in wait(list(by_pipe), LOOK_SECONDS):
                helper = by_pipe[ready]  # type: ignore[index]
                message = _receive(helper)
                if isinstance(message, Moment):
                    show(message)
                elif isinstance(message, _Failure):
                    raise message.error()
                else:
                    busy.discard(id(helper))
                    hand_out(helper)
            reason = stop.check(0)
            if reason is not None and not told:
                told = True
                for helper in helpers:
                    _send(helper, reason)


@contextmanager
def _helpers(groups: list[list[Entry]], side: int, workers: int) -> Iterator[list[_Helper]]:
    context, found = process_context(), []
    try:
        for _ in range(side):
            here, there = context.Pipe()
            # not a daemon: it may have workers of its own
            process = context.Process(  # type: ignore[attr-defined]
                target=_work, args=(there, here, groups, workers)
            )
            process.start()
            there.close()
            found.append(_Helper(process, here))
        yield found
    finally:
        for helper in found:
            helper.process.kill()
        for helper in found:
            helper.process.join()
            helper.pipe.close()


def _send(helper: _Helper, content: int | str) -> None:
    try:
        helper.pipe.send(content)
    except (BrokenPipeError, ConnectionResetError):
        raise _death(helper) from None


def _receive(helper: _Helper) -> object:
    try:
        return helper.pipe.recv()
    except (EOFError, ConnectionResetError):
        raise _death(helper) from None


def _death(helper: _Helper) -> WorkerError:
    helper.process.join(5.0)
    return WorkerError(
        f"process {helper.process.pid} of the study on {socket.gethostname()} died (exit code {helper.process.exitcode}); a "
        "negative code is a signal, -9 often means out of memory; run the study again with fewer workers or more memory"
    )


def _work(pipe: Connection, other_end: Connection, groups: list[list[Entry]], workers: int) -> None:
    other_end.close()
    for name in SIGNALS:
        signal.signal(name, signal.SIG_IGN)
    stop, first = _ToldStop(pipe, os.getppid()), os.getppid()
    try:
        while os.getppid() == first:
            if not pipe.poll(1.0):
                continue
            told = pipe.recv()
            if isinstance(told, str):
                stop.request(told)
                continue
            run_group(groups[told], stop, workers, pipe.send)
            pipe.send(_Done())
    except (EOFError, BrokenPipeError, ConnectionResetError):
        # the first process is gone
        return
    except Exception as error:  # noqa: BLE001
        # whatever it is, the first process is to know it: it ends the study and prints it
        pipe.send(_Failure(type(error).__name__, str(error), traceback.format_exc()))


class _ToldStop(Stop):
    """Stops when the first process says so, or is gone."""

    def __init__(self, pipe: Connection, first: int) -> None:
        super().__init__()
        self._pipe, self._first = pipe, first

    def check(self, regions: int) -> str | None:
        """The reason to stop, if there is one by now; while a group is in hand, only that comes through the pipe."""
        if self.reason is None and self._pipe.poll():
            self.request(str(self._pipe.recv()))
        if os.getppid() != self._first:
            self.request("the process that began the study is gone")
        return super().check(regions)
