"""Who holds how many tasks."""

from __future__ import annotations

from collections.abc import Mapping


class Slots:
    """Places for tasks at workers; whoever holds fewest is served first, and among those who waited longest.

    Parameters
    ----------
    capacity : {worker: most tasks it may hold}, in the order in which they are served at first
    """

    def __init__(self, capacity: Mapping[int, int]) -> None:
        self._capacity, self._held = dict(capacity), dict.fromkeys(capacity, 0)
        # _open[h]: workers that hold h tasks and have room for one more; dicts keep the order in which they came
        self._open: list[dict[int, None]] = [{} for _ in range(max(capacity.values()))]
        self._open[0] = dict.fromkeys(capacity)

    @property
    def workers(self) -> int:
        """Number of workers."""
        return len(self._capacity)

    @property
    def idle(self) -> int:
        """Number of workers that hold nothing."""
        return len(self._open[0])

    @property
    def room(self) -> bool:
        """Whether anybody can take a task."""
        return any(self._open)

    def take(self) -> int:
        """The worker that is to have the next task; there has to be room."""
        held = next(h for h, workers in enumerate(self._open) if workers)
        worker = next(iter(self._open[held]))
        self._move(worker, 1)
        return worker

    def free(self, worker: int) -> None:
        """A worker has done one of its tasks."""
        self._move(worker, -1)

    def _move(self, worker: int, change: int) -> None:
        held = self._held[worker]
        if held < self._capacity[worker]:
            del self._open[held][worker]
        self._held[worker] = held = held + change
        if held < self._capacity[worker]:
            self._open[held][worker] = None
