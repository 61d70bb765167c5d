"""The driver: hands out subtrees, takes results, and decides how long a task may take.

The executor says how many tasks it would like to have; the driver fills it up from the ledger and yields what comes
back. Budgets follow the length of the list of waiting subtrees, as in mplrs (Avis and Jordan, Mathematical
Programming Computation 2018): short while there is too little to go round, so that subtrees come back soon; long once
there is plenty, so that messages are few.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Protocol

from regionenum.parallel.ledger import Ledger
from regionenum.parallel.stop import Stop
from regionenum.parallel.task import Task, TaskResult

COLLECT_SECONDS = 0.2
"""Longest wait for a result before signals and limits are looked at again."""


class Executor(Protocol):
    """Runs tasks somewhere."""

    workers: int

    @property
    def wanted(self) -> int:
        """How many more tasks it can take now."""
        ...

    def submit(self, task: Task) -> None:
        """Take a task."""
        ...

    def collect(self, seconds: float) -> list[TaskResult]:
        """Results that arrived; waits up to that long for the first. Raises when a worker failed or died."""
        ...

    def hurry(self) -> None:
        """Ask all workers to end their tasks after the present step."""
        ...

    def close(self) -> None:
        """Dismiss the workers."""
        ...


@dataclass(frozen=True)
class Budget:
    """How much a task may do.

    Attributes
    ----------
    shortest, longest : seconds
    bundle : most subtrees in a task
    result : seconds between two results that the coordinator can bear for long
    """

    shortest: float = 0.02
    longest: float = 1.0
    bundle: int = 64
    result: float = 1e-4

    def seconds(self, waiting: int, workers: int, flying: int) -> float:
        """From `shortest`, with nothing waiting, to `longest`, with sixteen subtrees or more for each worker.

        Never so short that the tasks in flight would bring more than one result in `result` seconds.
        """
        share = min(waiting / (16 * workers), 1.0)
        return max(self.shortest + (self.longest - self.shortest) * share, flying * self.result)

    def subtrees(self, waiting: int, workers: int) -> int:
        """A fair share of what waits, with enough left for several rounds."""
        return max(1, min(self.bundle, waiting // (4 * workers)))


@dataclass
class WorkerLoad:
    """What one worker did: results, the seconds they took, and the regions in them."""

    tasks: int = 0
    busy: float = 0.0
    regions: int = 0

    def take(self, seconds: float, regions: int) -> None:
        """Count a result."""
        self.tasks += 1
        self.busy += seconds
        self.regions += regions


@dataclass
class Load:
    """How busy the run was.

    Attributes
    ----------
    all : over all workers; seconds are summed over tasks
    workers : by the number of the worker
    dry : how often a worker wanted a task and none was waiting while others were in flight
    """

    all: WorkerLoad = field(default_factory=WorkerLoad)
    workers: dict[int, WorkerLoad] = field(default_factory=dict)
    dry: int = 0

    def take(self, result: TaskResult) -> int:
        """Count a result; returns its regions."""
        regions = int(result.statistics.cells[-1].sum())
        self.all.take(result.seconds, regions)
        self.workers.setdefault(result.worker, WorkerLoad()).take(result.seconds, regions)
        return regions


def drive(
    ledger: Ledger, executor: Executor, stop: Stop, load: Load, budget: Budget, regions: int = 0
) -> Generator[TaskResult | None, None, None]:
    """Run until the ledger is drained, or the reason to stop has been seen and every task in flight is back.

    Yields every result, which the caller has to settle in the ledger before going on: only it knows when ledger and
    totals agree. Yields None when no result came for a while.

    Parameters
    ----------
    regions : regions found before, for `Stop.max_regions`
    """
    hurried = False
    while not ledger.drained:
        if stop.check(regions) is not None:
            if not hurried:
                executor.hurry()
                hurried = True
            if not ledger.flying:
                return
        else:
            wanted = executor.wanted
            if wanted and not ledger.waiting and ledger.flying:
                load.dry += 1
            while executor.wanted and ledger.waiting:
                n = len(ledger.waiting)
                seconds = budget.seconds(n, executor.workers, len(ledger.flying))
                executor.submit(ledger.issue(budget.subtrees(n, executor.workers), seconds))
        results = executor.collect(COLLECT_SECONDS)
        for result in results:
            regions += load.take(result)
            yield result
        if not results:
            yield None
