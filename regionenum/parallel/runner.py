"""Whoever works on tasks: an explorer, steps of even length between which messages are looked at, and a place for rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from regionenum.engine.explore import open_explorer
from regionenum.engine.interface import Cells, Engine, Explorer, Options, Problem, Shape, Statistics
from regionenum.parallel.subtree_codec import decode_subtree, encode_subtree
from regionenum.parallel.task import Task, TaskResult

NUMBERS_PER_TASK = 1 << 32
"""Cells are numbered from task number * NUMBERS_PER_TASK on."""

STEP_SECONDS = 0.005
"""Aim for the length of one step of an explorer, between which a worker looks at the clock and at messages."""

PATIENCE_SECONDS = 1.0
"""A subtree of which nothing is done yet is given back only after that long, and after twice as long the next time."""

MOST_TESTS = 1 << 40
"""Tests of the longest step."""


class CellStore(Protocol):
    """Where workers put the rows of recorded cells."""

    def store(self, cells: list[Cells], task: int) -> Any:
        """Put the cells of a task away, and return what the driver's side needs to take them over."""
        ...


class StepLength:
    """A number of tests, doubled or halved until steps take between half of `seconds` and twice as much.

    Parameters
    ----------
    seconds : float
        Aim for the time of a step.
    tests : int
        To begin with.
    """

    def __init__(self, seconds: float, tests: int = 100) -> None:
        self.seconds, self.tests = seconds, tests
        self._since = 0.0

    def begin(self) -> int:
        """Start the clock; returns the number of tests to ask for."""
        self._since = time.monotonic()
        return self.tests

    def end(self, *, cut_short: bool = False) -> float:
        """Stop the clock after a step and adapt; returns the time (`time.monotonic`).

        A step that was cut short, as nothing was left to do, does not speak for more tests.
        """
        now = time.monotonic()
        if not cut_short and now - self._since < self.seconds / 2:
            self.tests = min(2 * self.tests, MOST_TESTS)
        elif now - self._since > 2 * self.seconds:
            self.tests = max(self.tests // 2, 1)
        return now


class TaskRunner:
    """Runs tasks on one explorer, in steps short enough to be interrupted.

    Parameters
    ----------
    explorer : Explorer
        Set to the problem.
    shape : Shape
        Of the problem's statistics.
    cell_store : CellStore, optional
        Where recorded cells go; None if nothing is recorded.
    seconds : float
        Aim for the time of a step.
    """

    def __init__(
        self,
        explorer: Explorer,
        shape: Shape,
        cell_store: CellStore | None = None,
        seconds: float = STEP_SECONDS,
    ) -> None:
        self._explorer, self._shape, self._cell_store = explorer, shape, cell_store
        self.step_length = StepLength(seconds)
        self._patience = PATIENCE_SECONDS

    @classmethod
    def of(cls, engine: Engine, problem: Problem, options: Options, cell_store: CellStore | None = None) -> TaskRunner:
        """A runner for a problem; workers make it from what was sent to them."""
        return cls(open_explorer(engine, problem, options), problem.shape, cell_store)

    def steps(self, task: Task, recalled: Callable[[], bool] = lambda: False) -> Iterator[TaskResult | None]:
        """Run a task: yield None after every step but the last, and the result at the end.

        A cell whose first decision takes long (a maximum over very many candidates) is given back as it was if it has to be.
        Whoever gets it next begins again, so patience grows until somebody comes to its end.

        Parameters
        ----------
        recalled : callable
            Asked after every step; once it says yes the task ends there.
        """
        start = time.monotonic()
        result = TaskResult(task.number, Statistics.zeros(self._shape))
        found: list[Cells] = []
        number = task.number * NUMBERS_PER_TASK
        waiting = list(reversed(task.subtrees))
        stop = False
        while waiting and not stop:
            encoded = waiting.pop()
            self._explorer.start(decode_subtree(encoded), number)
            while not self._explorer.finished:
                batch = self._explorer.step(self.step_length.begin())
                now = self.step_length.end(cut_short=self._explorer.finished)
                result.statistics.add(batch.statistics)
                result.counters.add(batch.counters)
                if batch.cells is not None and len(batch.cells):
                    found.append(batch.cells)
                stop = now - start >= task.seconds or recalled()
                if self._explorer.progressed:
                    self._patience = PATIENCE_SECONDS
                elif stop:
                    stop = now - start >= self._patience
                    self._patience *= 2.0 if stop else 1.0
                if stop:
                    break
                if not self._explorer.finished:
                    yield None
            number = task.number * NUMBERS_PER_TASK + int(result.statistics.cells[1:].sum())
            left = self._explorer.rest()
            first = encoded.halvings + 1
            result.rest = waiting + [encode_subtree(subtree, first + k) for k, subtree in enumerate(left.subtrees)]
            result.open_cells += left.open_cells
        if found and self._cell_store is not None:
            result.stored = self._cell_store.store(found, task.number)
        result.seconds = time.monotonic() - start
        yield result

    def run(self, task: Task, recalled: Callable[[], bool] = lambda: False) -> TaskResult:
        """Run a task to its end."""
        for outcome in self.steps(task, recalled):
            if outcome is not None:
                return outcome
        raise AssertionError("a task ends with its result")
