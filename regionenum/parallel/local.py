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
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext

from regionenum.errors import EngineError, InputError, RunError, WorkerError
from regionenum.parallel.executor import Workers
from regionenum.parallel.runner import TaskRunner
from regionenum.parallel.task import Task, TaskResult

MakeRunner = Callable[[], TaskRunner]

AHEAD = 2
"""Tasks a worker holds: the one it runs, and the next, so that it never waits for the driver."""


class SerialExecutor:
    """Runs tasks in this process, when results are collected."""

    def __init__(self, make_runner: MakeRunner) -> None:
        self._runner = make_runner()
        self._task: Task | None = None
        self.workers = Workers({0: 1})

    def submit(self, task: Task) -> None:
        self._task = task
        self.workers.assign()

    def collect(self, seconds: float) -> list[TaskResult]:
        if self._task is None:
            return []
        task, self._task = self._task, None
        self.workers.release(0)
        return [self._runner.run(task)]

    def recall(self, number: int) -> None:
        """Nothing: no task is in flight when others are looked at."""

    def close(self) -> None:
        pass


@dataclass
class _Worker:
    process: multiprocessing.process.BaseProcess
    pipe: Connection


class ProcessExecutor:
    """Runs tasks in worker processes, which hold one task ahead.

    Parameters
    ----------
    make_runner : callable
        Called in each worker.
    workers : int
        Number of processes.
    """

    def __init__(self, make_runner: MakeRunner, workers: int) -> None:
        context = process_context()
        # whatever an engine needs is made ready once, before any worker looks for it; forked workers have it loaded
        make_runner()
        self.workers = Workers(dict.fromkeys(range(workers), AHEAD))
        self._holder: dict[int, _Worker] = {}
        self._processes = [self._start(context, make_runner, number) for number in range(workers)]

    def _start(self, context: BaseContext, make_runner: MakeRunner, number: int) -> _Worker:
        here, there = context.Pipe()
        process = context.Process(  # type: ignore[attr-defined]
            target=_work, args=(there, here, make_runner, number), daemon=True
        )
        process.start()
        there.close()
        return _Worker(process, here)

    def submit(self, task: Task) -> None:
        worker = self._holder[task.number] = self._processes[self.workers.assign()]
        self._send(task, worker)

    def _send(self, content: Task | int, worker: _Worker) -> None:
        try:
            worker.pipe.send(content)
        except (BrokenPipeError, ConnectionResetError):
            raise _death(worker) from None

    def collect(self, seconds: float) -> list[TaskResult]:
        pipes = {worker.pipe: worker for worker in self._processes}
        results = []
        for ready in wait(list(pipes), seconds):
            worker = pipes[ready]  # type: ignore[index]
            try:
                answer = worker.pipe.recv()
            except (EOFError, ConnectionResetError):
                raise _death(worker) from None
            if isinstance(answer, _Failure):
                raise answer.error()
            self.workers.release(answer.worker)
            del self._holder[answer.number]
            results.append(answer)
        return results

    def recall(self, number: int) -> None:
        self._send(number, self._holder[number])

    def close(self) -> None:
        for worker in self._processes:
            # nothing that a worker holds is wanted any more, and it does not listen to gentler signals
            worker.process.kill()
        for worker in self._processes:
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


def _work(pipe: Connection, drivers_end: Connection, make_runner: MakeRunner, number: int) -> None:
    """A worker process. The driver alone decides about signals."""
    drivers_end.close()
    for name in (signal.SIGINT, signal.SIGUSR1, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)
    tasks: queue.SimpleQueue[Task] = queue.SimpleQueue()
    recalled: set[int] = set()
    threading.Thread(target=_receive, args=(pipe, tasks, recalled, os.getppid()), daemon=True).start()
    try:
        runner = make_runner()
        while True:
            task = tasks.get()
            result = runner.run(task, partial(recalled.__contains__, task.number))
            result.worker = number
            pipe.send(result)
    except (BrokenPipeError, ConnectionResetError):
        return
    except Exception as error:  # noqa: BLE001
        # whatever it is, the driver is to know it: it ends the run and prints it
        place = f"worker {number} (process {os.getpid()} on {socket.gethostname()})"
        pipe.send(_Failure(place, str(error), type(error).__name__, traceback.format_exc()))


def _receive(pipe: Connection, tasks: queue.SimpleQueue[Task], recalled: set[int], driver: int) -> None:
    """Take tasks, and the numbers of those called back, from the pipe at once, so that the driver never waits to send.

    It ends the worker with the driver: the end of the pipe does not tell, as workers forked later hold copies of it; the
    parent's number does.
    """
    while os.getppid() == driver:
        try:
            if pipe.poll(1.0):
                content = pipe.recv()
                if isinstance(content, int):
                    recalled.add(content)
                else:
                    tasks.put(content)
        except (EOFError, OSError):
            break
    os._exit(1)


def process_context() -> BaseContext:
    """Fork while this process has one thread (workers then share the loaded kernels), start afresh otherwise."""
    if "fork" in multiprocessing.get_all_start_methods() and threading.active_count() == 1:
        return multiprocessing.get_context("fork")
    return multiprocessing.get_context("spawn")


def available_workers() -> int:
    """CPUs this process may use: its affinity, or what Slurm gave to the task if that is less."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    slurm = os.environ.get("SLURM_CPUS_PER_TASK", "")
    return min(cpus, int(slurm)) if slurm.isdigit() and int(slurm) else cpus
