"""Executors on this machine: in this process, or in worker processes."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import socket
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext

from regionenum.errors import EngineError, InputError, RunError, WorkerError
from regionenum.parallel.task import Task, TaskResult, TaskRunner

MakeRunner = Callable[[], TaskRunner]

AHEAD = 2
"""Tasks a worker holds: the one it runs, and the next, so that it never waits for the driver."""


class SerialExecutor:
    """Runs tasks in this process, when results are collected."""

    workers = 1

    def __init__(self, make_runner: MakeRunner) -> None:
        self._runner = make_runner()
        self._task: Task | None = None
        self._hurry = False

    @property
    def wanted(self) -> int:
        return int(self._task is None)

    def submit(self, task: Task) -> None:
        self._task = task

    def collect(self, seconds: float) -> list[TaskResult]:
        if self._task is None:
            return []
        task, self._task = self._task, None
        return [self._runner.run(task, lambda: self._hurry)]

    def hurry(self) -> None:
        self._hurry = True

    def close(self) -> None:
        pass


@dataclass
class _Worker:
    process: multiprocessing.process.BaseProcess
    pipe: Connection
    held: int = 0


class ProcessExecutor:
    """Runs tasks in worker processes, which hold one task ahead.

    Parameters
    ----------
    make_runner : called in each worker
    workers : number of processes
    """

    def __init__(self, make_runner: MakeRunner, workers: int) -> None:
        context = _context()
        # compiled once, before any worker looks for the kernels; forked workers have them loaded
        make_runner().warm()
        self.workers = workers
        self._hurry = context.Event()
        self._workers = [self._start(context, make_runner, number) for number in range(workers)]

    def _start(self, context: BaseContext, make_runner: MakeRunner, number: int) -> _Worker:
        here, there = context.Pipe()
        process = context.Process(  # type: ignore[attr-defined]
            target=_work, args=(there, here, make_runner, number, self._hurry), daemon=True
        )
        process.start()
        there.close()
        return _Worker(process, here)

    @property
    def wanted(self) -> int:
        return sum(AHEAD - worker.held for worker in self._workers)

    def submit(self, task: Task) -> None:
        worker = min(self._workers, key=lambda worker: worker.held)
        worker.held += 1
        try:
            worker.pipe.send(task)
        except (BrokenPipeError, ConnectionResetError):
            raise _death(worker) from None

    def collect(self, seconds: float) -> list[TaskResult]:
        pipes = {worker.pipe: worker for worker in self._workers}
        results = []
        for ready in wait(list(pipes), seconds):
            worker = pipes[ready]  # type: ignore[index]
            try:
                answer = worker.pipe.recv()
            except (EOFError, ConnectionResetError):
                raise _death(worker) from None
            if isinstance(answer, _Failure):
                raise answer.error()
            worker.held -= 1
            results.append(answer)
        return results

    def hurry(self) -> None:
        self._hurry.set()

    def close(self) -> None:
        for worker in self._workers:
            # nothing that a worker holds is wanted any more, and it does not listen to gentler signals
            worker.process.kill()
        for worker in self._workers:
            worker.process.join()
            worker.pipe.close()


def _death(worker: _Worker) -> WorkerError:
    worker.process.join(5.0)
    return WorkerError(
        f"worker process {worker.process.pid} on {socket.gethostname()} died (exit code {worker.process.exitcode}); a "
        "negative code is a signal, -9 often means out of memory; resume with fewer workers or more memory"
    )


@dataclass(frozen=True)
class _Failure:
    """An exception in a worker."""

    place: str
    message: str
    kind: str
    trace: str

    def error(self) -> Exception:
        kinds = {kind.__name__: kind for kind in (EngineError, InputError, RunError)}
        if self.kind in kinds:
            return kinds[self.kind](self.message)
        return WorkerError(f"{self.place} failed with {self.kind}: {self.message}\n{self.trace}")


def _work(
    pipe: Connection, drivers_end: Connection, make_runner: MakeRunner, number: int, hurry: threading.Event
) -> None:
    """A worker process. The driver alone decides about signals."""
    drivers_end.close()
    for name in (signal.SIGINT, signal.SIGUSR1, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)
    tasks: queue.SimpleQueue[Task] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(pipe, tasks, os.getppid()), daemon=True).start()
    try:
        runner = make_runner()
        while True:
            result = runner.run(tasks.get(), hurry.is_set)
            result.worker = number
            pipe.send(result)
    except (BrokenPipeError, ConnectionResetError):
        return
    except Exception as error:  # noqa: BLE001
        # whatever it is, the driver is to know it: it ends the run and prints it
        place = f"worker {number} (process {os.getpid()} on {socket.gethostname()})"
        pipe.send(_Failure(place, str(error), type(error).__name__, traceback.format_exc()))


def _receive(pipe: Connection, tasks: queue.SimpleQueue[Task], driver: int) -> None:
    """Take tasks from the pipe at once, so that the driver never waits to send one; end with the driver.

    The end of the pipe does not tell that the driver died, as workers forked later hold copies of it; the parent's
    number does.
    """
    while os.getppid() == driver:
        try:
            if pipe.poll(1.0):
                tasks.put(pipe.recv())
        except (EOFError, OSError):
            break
    os._exit(1)


def _context() -> BaseContext:
    """Fork while this process has one thread (workers then share the loaded kernels), start afresh otherwise."""
    if "fork" in multiprocessing.get_all_start_methods() and threading.active_count() == 1:
        return multiprocessing.get_context("fork")
    return multiprocessing.get_context("spawn")


def available_workers() -> int:
    """CPUs this process may use: its affinity, or what Slurm gave to the task if that is less."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    slurm = os.environ.get("SLURM_CPUS_PER_TASK", "")
    return min(cpus, int(slurm)) if slurm.isdigit() and int(slurm) else cpus
