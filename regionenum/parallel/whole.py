"""Engines that cannot be split: the whole tree is one subtree that stays in this process."""

from __future__ import annotations

from collections.abc import Iterator

from regionenum.engine.interface import Batch, Engine, Problem, Record, Statistics
from regionenum.parallel.parcel import Parcel
from regionenum.parallel.slots import Slots
from regionenum.parallel.task import Depository, Task, TaskResult

WHOLE = Parcel(b"whole", b"", 0)
"""The only subtree of such an engine."""


class WholeTreeExecutor:
    """Gives back one batch of the engine for every task, and the same subtree as the rest until the engine is done."""

    def __init__(self, engine: Engine, problem: Problem, record: Record, depository: Depository | None) -> None:
        self._batches: Iterator[Batch] = engine.explore(problem, record)
        self._problem, self._depository = problem, depository
        self._task: Task | None = None
        self.slots = Slots({0: 1})

    def submit(self, task: Task) -> None:
        self._task = task
        self.slots.take()

    def collect(self, seconds: float) -> list[TaskResult]:
        if self._task is None:
            return []
        task, self._task = self._task, None
        self.slots.free(0)
        batch = next(self._batches, None)
        if batch is None:
            return [TaskResult(task.number, Statistics.zeros(self._problem.depth, self._problem.dim))]
        deposit = None
        if batch.cells is not None and len(batch.cells) and self._depository is not None:
            deposit = self._depository.deposit([batch.cells], task.number)
        return [TaskResult(task.number, batch.statistics, batch.counters, task.parcels, deposit=deposit)]

    def recall(self, number: int) -> None:
        """Nothing: no task is in flight when others are looked at."""

    def close(self) -> None:
        pass
