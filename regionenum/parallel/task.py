"""A task is a handful of subtrees and a budget; whoever runs it gives back what was found and what is left.

Nothing of a task is kept by its worker afterwards, so that a checkpoint is the driver's state alone, and it does not
matter who runs what.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass, field
from typing import Any, Protocol

import msgspec
import numpy as np

from regionenum.engine.interface import (
    Cells,
    Counters,
    Explorer,
    OpenCell,
    Problem,
    Record,
    SplittableEngine,
    Statistics,
)
from regionenum.engine.pace import Pace
from regionenum.parallel.parcel import Parcel, seal, unseal

NUMBERS_PER_TASK = 1 << 32
"""Cells are numbered from task number * NUMBERS_PER_TASK on."""

STEP_SECONDS = 0.005
"""Aim for the length of one step of an explorer, between which a worker looks at the clock and at messages."""


class Depository(Protocol):
    """Where workers put recorded cells."""

    def deposit(self, cells: list[Cells], task: int) -> Any:
        """Put the cells of a task away, and return what the driver's side needs to take them over."""
        ...


@dataclass(frozen=True)
class Task:
    """Work to be done.

    Attributes
    ----------
    number : from 0, never used twice in a run
    parcels : subtrees, explored in order while the budget lasts
    seconds : budget; at least one step is made
    """

    number: int
    parcels: list[Parcel]
    seconds: float

    def __reduce__(self) -> tuple[Any, ...]:
        return _task, (_encode((self.number, self.parcels, self.seconds)),)


@dataclass
class TaskResult:
    """Work done. `rest` is in the order of a stack; `statistics` lack the children of the cells in `open_cells`."""

    number: int
    statistics: Statistics
    counters: Counters = field(default_factory=Counters)
    rest: list[Parcel] = field(default_factory=list)
    open_cells: list[OpenCell] = field(default_factory=list)
    deposit: Any = None
    seconds: float = 0.0
    worker: int = 0

    def __reduce__(self) -> tuple[Any, ...]:
        s, c = self.statistics, self.counters
        arrays = np.stack([s.cells, s.children, s.max_children, s.unsplit])
        plain = (self.number, arrays.shape, arrays.tobytes(), astuple(c), self.rest, self.open_cells)
        return _task_result, (_encode((*plain, self.seconds, self.worker)), self.deposit)


# Tasks and their results are pickled as one string of bytes: the driver opens thousands of them in a second.

_encode = msgspec.msgpack.Encoder().encode
_decode_task = msgspec.msgpack.Decoder(tuple[int, list[Parcel], float]).decode
_decode_result = msgspec.msgpack.Decoder(
    tuple[int, tuple[int, ...], bytes, tuple[int, int, int, int, int, int], list[Parcel], list[OpenCell], float, int]
).decode


def _task(content: bytes) -> Task:
    return Task(*_decode_task(content))


def _task_result(content: bytes, deposit: Any) -> TaskResult:
    number, shape, arrays, counters, rest, open_cells, seconds, worker = _decode_result(content)
    statistics = Statistics(*np.frombuffer(arrays, np.int64).reshape(shape).copy())
    return TaskResult(number, statistics, Counters(*counters), rest, open_cells, deposit, seconds, worker)


class TaskRunner:
    """Runs tasks on one explorer, in steps short enough to be interrupted.

    Parameters
    ----------
    explorer : set to the problem
    depth, dim : of the problem
    depository : where recorded cells go; None if nothing is recorded
    step : aim for the length of a step, in seconds
    """

    def __init__(
        self,
        explorer: Explorer,
        depth: int,
        dim: int,
        depository: Depository | None = None,
        step: float = STEP_SECONDS,
    ) -> None:
        self._explorer, self._depth, self._dim, self._depository = explorer, depth, dim, depository
        self.pace = Pace(step)

    @classmethod
    def of(
        cls, engine: SplittableEngine, problem: Problem, record: Record, depository: Depository | None = None
    ) -> TaskRunner:
        """A runner for a problem; workers make it from what was sent to them."""
        return cls(engine.explorer(problem, record), problem.depth, problem.dim, depository)

    def steps(self, task: Task, recalled: Callable[[], bool] = lambda: False) -> Iterator[TaskResult | None]:
        """Run a task: yield None after every step but the last, and the result at the end.

        recalled : asked after every step; once it says yes the task ends there.
        """
        start = time.monotonic()
        result = TaskResult(task.number, Statistics.zeros(self._depth, self._dim))
        found: list[Cells] = []
        number = task.number * NUMBERS_PER_TASK
        waiting = list(reversed(task.parcels))
        stop = False
        while waiting and not stop:
            parcel = waiting.pop()
            self._explorer.start(unseal(parcel), number)
            while not self._explorer.finished:
                batch = self._explorer.step(self.pace.begin())
                now = self.pace.end(cut_short=self._explorer.finished)
                result.statistics.add(batch.statistics)
                result.counters.add(batch.counters)
                if batch.cells is not None and len(batch.cells):
                    found.append(batch.cells)
                stop = now - start >= task.seconds or recalled()
                if stop:
                    break
                if not self._explorer.finished:
                    yield None
            number = task.number * NUMBERS_PER_TASK + int(result.statistics.cells[1:].sum())
            left = self._explorer.rest()
            first = parcel.depth + 1
            result.rest = waiting + [seal(subtree, first + k) for k, subtree in enumerate(left.subtrees)]
            result.open_cells += left.open_cells
        if found and self._depository is not None:
            result.deposit = self._depository.deposit(found, task.number)
        result.seconds = time.monotonic() - start
        yield result

    def run(self, task: Task, recalled: Callable[[], bool] = lambda: False) -> TaskResult:
        """Run a task to its end."""
        for outcome in self.steps(task, recalled):
            if outcome is not None:
                return outcome
        raise AssertionError("a task ends with its result")

    def warm(self) -> None:
        """Load the explorer's kernels, compiling them if need be."""
        self._explorer.start(self._explorer.root)
        self._explorer.step(1)
        self._explorer.rest()
