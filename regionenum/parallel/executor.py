"""What runs tasks: the interface of executors, and which of their workers gets the next task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from regionenum.parallel.task import Task, TaskResult


class Workers:
    """How many tasks each worker holds; whoever holds fewest is served first, and among those who waited longest.

    Parameters
    ----------
    capacity : mapping of int to int
        {worker: most tasks it may hold}, in the order in which they are served at first.
    """

    def __init__(self, capacity: Mapping[int, int]) -> None:
        self._capacity, self._held = dict(capacity), dict.fromkeys(capacity, 0)
        # _open[h]: workers that hold h tasks and have room for one more; dicts keep the order in which they came
        self._open: list[dict[int, None]] = [{} for _ in range(max(capacity.values()))]
        self._open[0] = dict.fromkeys(capacity)

    def __len__(self) -> int:
        return len(self._capacity)

    @property
    def idle(self) -> int:
        """Number of workers that hold nothing."""
        return len(self._open[0])

    @property
    def have_room(self) -> bool:
        """Whether anybody can take a task."""
        return any(self._open)

    def assign(self) -> int:
        """The worker that is to have the next task, which it holds from now on; somebody has to have room."""
        held = next(h for h, workers in enumerate(self._open) if workers)
        worker = next(iter(self._open[held]))
        self._move(worker, 1)
        return worker

    def release(self, worker: int) -> None:
        """A worker has done one of its tasks."""
        self._move(worker, -1)

    def _move(self, worker: int, change: int) -> None:
        held = self._held[worker]
        if held < self._capacity[worker]:
            del self._open[held][worker]
        self._held[worker] = held = held + change
        if held < self._capacity[worker]:
            self._open[held][worker] = None


class Executor(Protocol):
    """Runs tasks somewhere."""

    workers: Workers

    def submit(self, task: Task) -> None:
        """Give a task to a worker; one of them has to have room."""
        ...

    def collect(self, seconds: float) -> list[TaskResult]:
        """Results that arrived; waits up to that long for the first. Raises when a worker failed or died."""
        ...

    def recall(self, number: int) -> None:
        """Ask for a task back after the present step, with what is left of it."""
        ...

    def close(self) -> None:
        """Dismiss the workers."""
        ...
