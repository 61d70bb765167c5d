"""Enumerating regions: a driver's results go into running totals and into a place for the recorded rows.

`Enumeration` is the core, a generator of progress records; `enumerate_regions` is the shell most callers want.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import closing
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

from regionenum.domain import Domain
from regionenum.engine.interface import Engine, Problem, Record, SplittableEngine, Statistics
from regionenum.errors import InputError
from regionenum.network.layers import Network
from regionenum.parallel import journal
from regionenum.parallel.driver import Budget, Executor, Load, drive
from regionenum.parallel.ledger import Ledger
from regionenum.parallel.local import ProcessExecutor, SerialExecutor
from regionenum.parallel.stop import Stop
from regionenum.parallel.task import TaskRunner
from regionenum.parallel.whole import WHOLE, WholeTreeExecutor
from regionenum.results.progress import Progress, Totals
from regionenum.results.summary import Result
from regionenum.results.writer import Depository, MemorySink, RunWriter

ENGINES = ("compiled", "highs")
"""Names of the engines: the compiled one, and the slow, independent reference on HiGHS."""

ExecutorOf = Callable[[Callable[[], TaskRunner]], Executor]
"""Makes an executor, given what makes a task runner in each worker."""


class Enumeration:
    """One enumeration of the regions of a network over a domain.

    `run` yields a `Progress` for every result of the driver; once it is exhausted, or was closed, `result` gives what
    was found. A run directory holds a valid, incomplete run at every moment.

    Parameters
    ----------
    network, domain, record, out, engine, workers, resume : as for `enumerate_regions`
    config : the resolved configuration to store in the run directory; by default it is made from the arguments
    stop : reasons to stop before the end
    budget : how long tasks may take
    executor : makes another executor than `workers` would

    Raises
    ------
    InputError
        If the domain does not fit the network, the record level or the engine is unknown, `out` is in use, or the run
        there cannot be resumed.
    """

    def __init__(
        self,
        network: Network,
        domain: Domain,
        *,
        record: str = "none",
        out: str | PathLike[str] | None = None,
        engine: str | Engine = "compiled",
        workers: int = 1,
        resume: bool = False,
        config: dict[str, Any] | None = None,
        stop: Stop | None = None,
        budget: Budget | None = None,
        executor: ExecutorOf | None = None,
    ) -> None:
        self._network, self._domain = network, domain
        self._record = _record(record)
        self._engine = engine_by_name(engine) if isinstance(engine, str) else engine
        self._problem = Problem.over(network, domain)
        self._splittable = isinstance(self._engine, SplittableEngine) and self._problem.depth > 0
        if workers < 1:
            raise InputError(f"workers={workers}: give the number of worker processes, at least 1")
        if (workers > 1 or executor) and not isinstance(self._engine, SplittableEngine):
            raise InputError(f'engine "{self._engine.name}" works in one process only; use workers=1')
        self._executor_of: ExecutorOf = executor or (
            SerialExecutor if workers == 1 else partial(ProcessExecutor, workers=workers)
        )
        self.stop, self.load, self._budget = stop or Stop(), Load(), budget or Budget()
        if out is None:
            if resume:
                raise InputError("resume needs the run directory of the run; give out")
            self._sink: MemorySink | RunWriter = MemorySink(self._problem, self._record)
            self._totals, frontier = Totals.of(self._problem), b""
        else:
            resolved = config or {
                "domain": domain.describe(),
                "record": str(self._record),
                "exact": False,
                "engine": self._engine.name,
                "out": str(out),
            }
            self._sink = RunWriter(
                Path(out), self._problem, domain, self._record, self._engine.name, resolved, resume=resume
            )
            self._totals, frontier = self._sink.totals, self._sink.frontier
        if frontier:
            self._ledger = journal.decode(frontier, out)
        elif self._totals.complete:
            self._ledger = Ledger()
        elif not self._splittable:
            self._ledger = Ledger.of([WHOLE])
        else:
            self._ledger = Ledger.of([self._engine.explorer(self._problem).root])  # type: ignore[attr-defined]
            self._totals.statistics.add(Statistics.domain(self._problem.depth, self._problem.dim))

    def run(self) -> Generator[Progress, None, None]:
        """Yield progress until the tree is exhausted or there is a reason to stop; either way the run is valid.

        Closing the generator, or an exception, leaves what was committed.
        """
        totals, sink = self._totals, self._sink
        if totals.complete:
            sink.close()
            return
        start = time.monotonic() - totals.seconds
        self._commit()
        executor = self._executor()
        # False while a result is taken in, when rows and statistics may not yet agree and must not be committed
        settled = True
        try:
            results = drive(self._ledger, executor, self.stop, self.load, self._budget, totals.regions)
            with closing(results):
                for result in results:
                    totals.seconds = time.monotonic() - start
                    if result is not None:
                        settled = False
                        if result.deposit is not None:
                            sink.add(result.deposit)
                        totals.statistics.add(self._ledger.settle(result))
                        totals.counters.add(result.counters)
                        settled = True
                    if sink.commit_due():
                        self._commit()
                    sink.note(totals)
                    yield totals.progress()
            totals.complete = self._ledger.drained
        finally:
            executor.close()
            totals.seconds = time.monotonic() - start
            if settled:
                self._commit()
            sink.close()

    def _commit(self) -> None:
        frontier = journal.encode(self._ledger) if self._splittable and not self._totals.complete else b""
        self._sink.commit(self._totals, frontier, self.stop.reason or "")

    def _executor(self) -> Executor:
        if not self._splittable:
            return WholeTreeExecutor(self._engine, self._problem, self._record, self._sink.depository)
        make = partial(make_runner, self._engine, self._problem, self._record, self._sink.depository)
        return self._executor_of(make)

    def result(self) -> Result:
        """What was found so far."""
        totals = self._totals
        return Result(
            network=self._network,
            domain=self._domain,
            record=self._record,
            engine=self._engine.name,
            statistics=totals.statistics,
            counters=totals.counters,
            seconds=totals.seconds,
            complete=totals.complete,
            exact=False,
            rows=self._sink.rows,
        )


def make_runner(
    engine: SplittableEngine, problem: Problem, record: Record, depository: Depository | None
) -> TaskRunner:
    """What runs tasks in a worker."""
    return TaskRunner(engine.explorer(problem, record), problem.depth, problem.dim, depository)


def enumerate_regions(
    net: Network,
    domain: Domain,
    record: str = "none",
    out: str | PathLike[str] | None = None,
    workers: int = 1,
    exact: bool = False,
    engine: str | Engine = "compiled",
    on_progress: Callable[[Progress], None] | None = None,
    resume: bool = False,
    time_limit: float | None = None,
    max_regions: int | None = None,
) -> Result:
    """Enumerate the full-dimensional activation regions of a network over a domain.

    A region is a non-empty open polyhedron of inputs, inside the domain, on which every unit is in one piece
    (definition 2 of Stargalla et al., arXiv 2505.16716).

    Parameters
    ----------
    net : the network, from `load`
    domain : the part of the input space, for example a `Box`
    record : "none" keeps counts and statistics in constant memory, "regions" also a row for every region, "tree" a row
        for every cell of every layer
    out : a new or empty folder for the run; without it recorded rows stay in memory
    workers : number of worker processes; 1 works in this process
    exact : must be False; decisions are taken in floating point, and doubtful ones are counted in `Result.counters`
    engine : "compiled", "highs" (slow, independent, one process), or an engine object
    on_progress : called with a `Progress` several times a second
    resume : go on with the run in `out`, with any number of workers
    time_limit : stop after that many seconds
    max_regions : stop soon after that many regions are found

    Returns
    -------
    Result
        Complete, unless a limit was reached; what is in `out` can then be resumed.

    Raises
    ------
    InputError
        If an argument cannot be used as given.
    EngineError
        If the engine could not finish; a run directory then holds what was found, marked incomplete.
    RunError
        If the run directory cannot be written.
    WorkerError
        If a worker failed or died; a run directory can be resumed.
    """
    refuse_unavailable(exact=exact)
    stop = Stop(time_limit=time_limit, max_regions=max_regions)
    enumeration = Enumeration(
        net, domain, record=record, out=out, engine=engine, workers=workers, resume=resume, stop=stop
    )
    follow(enumeration, on_progress)
    return enumeration.result()


def follow(enumeration: Enumeration, on_progress: Callable[[Progress], None] | None = None) -> None:
    """Run an enumeration to its end, calling back with every progress record."""
    with closing(enumeration.run()) as moments:
        for moment in moments:
            if on_progress is not None:
                on_progress(moment)


def refuse_unavailable(*, exact: bool = False) -> None:
    """Refuse what is promised but not built yet, rather than doing something less under its name."""
    if exact:
        raise InputError(
            "exact=True: certified decisions are not available yet; use exact=False, doubtful decisions are counted in "
            "the summary"
        )


def engine_by_name(name: str) -> Engine:
    """The engine of a name; imports only that engine."""
    if name == "compiled":
        from regionenum.engine.compiled import CompiledEngine

        return CompiledEngine()
    if name == "highs":
        from regionenum.engine.reference import HighsEngine

        return HighsEngine()
    raise InputError(f'engine "{name}" is unknown; use one of {", ".join(ENGINES)}')


def _record(name: str) -> Record:
    if name not in list(Record):
        raise InputError(f'record="{name}" is unknown; use one of {", ".join(Record)}')
    return Record(name)
