"""The driver: hands out subtrees, takes results, and decides how long a task may take.

The executor says how many tasks it would like to have; the driver fills it up from the ledger and yields what comes
back. Budgets follow the length of the list of waiting subtrees, as in mplrs (Avis and Jordan, Mathematical
Programming Computation 2018): short while there is too little to go round, so that subtrees come back soon; long once
there is plenty, so that messages are few.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass, field

from regionenum.parallel.executor import Executor
from regionenum.parallel.ledger import Ledger
from regionenum.parallel.stop import Stop
from regionenum.parallel.task import TaskResult

COLLECT_SECONDS = 0.2
"""Longest wait for a result before signals and limits are looked at again."""

PLENTY = 16
"""Waiting subtrees for each worker from which on budgets are longest."""


@dataclass(frozen=True)
class Budget:
    """How much a task may do.

    Attributes
    ----------
    shortest, longest : float
        Seconds of a task when nothing waits, and when plenty does.
    bundle : int
        Most subtrees in a task.
    result : float
        Seconds between two results that the coordinator can bear for long.
    """

    shortest: float = 0.01
    longest: float = 1.0
    bundle: int = 64
    result: float = 1e-4

    def seconds(self, waiting: int, workers: int, in_flight: int) -> float:
        """From `shortest`, with nothing waiting, to `longest`, with `PLENTY` subtrees or more for each worker.

        Never so short that the tasks in flight would bring more than one result in `result` seconds.
        """
        share = min(waiting / (PLENTY * workers), 1.0)
        return max(self.shortest + (self.longest - self.shortest) * share, in_flight * self.result)

    def plenty(self, waiting: int, workers: int) -> bool:
        """Whether the list is long enough not to care which subtrees go first."""
        return waiting > PLENTY * workers


@dataclass
class WorkerTotals:
    """What one worker did: results, the seconds they took in all, and the regions in them."""

    tasks: int = 0
    busy: float = 0.0
    regions: int = 0

    def take(self, seconds: float, regions: int) -> None:
        """Count a result."""
        self.tasks += 1
        self.busy += seconds
        self.regions += regions


@dataclass
class Utilisation:
    """How busy the run was.

    Attributes
    ----------
    all : WorkerTotals
        Over all workers.
    workers : dict of int to WorkerTotals
        By the number of the worker.
    dry : int
        See `Dispatcher`.
    """

    all: WorkerTotals = field(default_factory=WorkerTotals)
    workers: dict[int, WorkerTotals] = field(default_factory=dict)
    dry: int = 0

    def take(self, result: TaskResult) -> int:
        """Count a result; returns its regions."""
        regions = int(result.statistics.cells[-1].sum())
        self.all.take(result.seconds, regions)
        self.workers.setdefault(result.worker, WorkerTotals()).take(result.seconds, regions)
        return regions


class Dispatcher:
    """Hands out waiting subtrees, and calls tasks back when workers have nothing to do and nothing waits.

    As long as there is plenty, tasks are made of the smallest subtrees and workers hold one ahead. When little waits,
    the largest go first, to idle workers first.

    Attributes
    ----------
    dry : int
        How often there was an idle worker and nothing for it, while others were at work.
    """

    def __init__(self, ledger: Ledger, executor: Executor, budget: Budget) -> None:
        self._ledger, self._executor, self._budget = ledger, executor, budget
        # {task in flight: when it was handed out}, oldest first, without those called back
        self._out: dict[int, float] = {}
        self._called = 0
        self.dry = 0

    def hand_out(self, now: float) -> float:
        """Make the best of what waits; returns after how many seconds to look again, even if no result comes."""
        ledger, workers, budget = self._ledger, self._executor.workers, self._budget
        waiting, n_workers = ledger.waiting, len(workers)
        while waiting and workers.have_room and (workers.idle or len(waiting) > n_workers):
            n = len(waiting)
            seconds = budget.seconds(n, n_workers, len(ledger.in_flight))
            if budget.plenty(n, n_workers):
                task = ledger.issue(min(budget.bundle, n // (4 * n_workers)), seconds)
            else:
                task = ledger.issue(budget.bundle, seconds, largest=True)
            self._executor.submit(task)
            self._out[task.number] = now
        if waiting or not workers.idle or not ledger.in_flight:
            return COLLECT_SECONDS
        self.dry += 1
        age = budget.seconds(0, n_workers, len(ledger.in_flight))
        while self._called < workers.idle and self._out:
            number, since = next(iter(self._out.items()))
            if now - since < age:
                # not 0, which rounding could make of it: that would be no wait at all
                return min(max(since + age - now, budget.result), COLLECT_SECONDS)
            self._call_back(number)
        return COLLECT_SECONDS

    def call_all_back(self) -> None:
        """Call back every task."""
        for number in list(self._out):
            self._call_back(number)

    def came_back(self, number: int) -> None:
        """A task is done, wholly or in part."""
        if self._out.pop(number, None) is None:
            self._called -= 1

    def _call_back(self, number: int) -> None:
        del self._out[number]
        self._called += 1
        self._executor.recall(number)


def drive(
    ledger: Ledger, executor: Executor, stop: Stop, utilisation: Utilisation, budget: Budget, regions: int = 0
) -> Generator[TaskResult | None, None, None]:
    """Run until the ledger is drained, or the reason to stop has been seen and every task in flight is back.

    The clock of the time limit starts here: engine and workers are ready.

    Parameters
    ----------
    ledger : Ledger
        What is to be explored.
    executor : Executor
        Who explores it.
    stop : Stop
        Reasons to stop before the end.
    utilisation : Utilisation
        Every result is added to it.
    budget : Budget
        How long tasks may take.
    regions : int
        Found before, for `Stop.max_regions`.

    Yields
    ------
    TaskResult or None
        Every result, which the caller has to settle in the ledger before going on: only it knows when ledger and totals
        agree. None when no result came for a while.
    """
    dispatcher = Dispatcher(ledger, executor, budget)
    stop.begin()
    while not ledger.drained:
        if stop.check(regions) is not None:
            if not ledger.in_flight:
                return
            dispatcher.call_all_back()
            seconds = COLLECT_SECONDS
        else:
            seconds = dispatcher.hand_out(time.monotonic())
            utilisation.dry = dispatcher.dry
        results = executor.collect(seconds)
        for result in results:
            dispatcher.came_back(result.number)
            regions += utilisation.take(result)
            yield result
        if not results:
            yield None
