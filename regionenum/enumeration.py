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
from regionenum.engine.by_name import engine_by_name
from regionenum.engine.interface import Engine, Problem, Record, SplittableEngine, Statistics
from regionenum.errors import InputError
from regionenum.network.layers import Network
from regionenum.parallel import journal
from regionenum.parallel.driver import Budget, Executor, Load, drive
from regionenum.parallel.ledger import Ledger
from regionenum.parallel.local import ProcessExecutor, SerialExecutor
from regionenum.parallel.parcel import seal
from regionenum.parallel.stop import Stop
from regionenum.parallel.task import TaskRunner
from regionenum.parallel.whole import WHOLE, WholeTreeExecutor
from regionenum.result import Result
from regionenum.results.findings import Findings
from regionenum.results.progress import Progress, Totals
from regionenum.results.row_store import MemorySink
from regionenum.results.status import Activity, WorkerStatus
from regionenum.results.subject import Subject
from regionenum.results.writer import RunWriter

ExecutorOf = Callable[[Callable[[], TaskRunner]], Executor]
"""Makes an executor, given what makes a task runner in each worker."""


class Enumeration:
    """One enumeration of the regions of a network over a domain.

    `run` yields a `Progress` for every result of the driver, and now and then without one; once it is exhausted, or was
    closed, `result` gives what was found. A run directory holds a valid, incomplete run from the first moment of `run`
    on, and belongs to this object until `run` or `close` ends.

    Parameters
    ----------
    network, domain, record, out, engine, workers, resume : as for `enumerate_regions`
    config : the resolved configuration to store in the run directory; by default it is made from the arguments
    stop : reasons to stop before the end
    budget : how long tasks may take
    executor : makes another executor than `workers` would
    commit_seconds : longest time between two commits of a run directory

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
        commit_seconds: float | None = None,
    ) -> None:
        _check_kinds(network, domain, workers)
        self._network, self._domain = network, domain
        self._record = _record(record)
        self._engine = engine_by_name(engine) if isinstance(engine, str) else engine
        self._problem = Problem.over(network, domain)
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
            self._totals, self._ledger = self._beginning()
            return
        writer = RunWriter(
            Path(out),
            self._subject(),
            config or self._described(out),
            resume=resume,
            commit_seconds=commit_seconds,
        )
        self._sink = writer
        try:
            # an empty file is not a frontier, and no reason to begin again on top of what was found
            if writer.frontier is not None:
                self._totals, self._ledger = writer.totals, journal.decode(writer.frontier, writer.frontier_file)
            elif writer.totals.complete:
                self._totals, self._ledger = writer.totals, Ledger()
            else:
                self._totals, self._ledger = self._beginning()
        except BaseException:
            writer.close()
            raise

    def _described(self, out: str | PathLike[str]) -> dict[str, Any]:
        return {
            "domain": self._domain.describe(),
            "record": str(self._record),
            "exact": False,
            "engine": self._engine.name,
            "out": str(out),
        }

    @property
    def resumable(self) -> bool:
        """Whether this enumeration could go on from the middle: an engine that cannot be split has to start again."""
        return isinstance(self._engine, SplittableEngine) and self._problem.depth > 0

    def _beginning(self) -> tuple[Totals, Ledger]:
        """Nothing found, and everything to explore."""
        totals = Totals.of(self._problem)
        if not isinstance(self._engine, SplittableEngine) or self._problem.depth == 0:
            return totals, Ledger.of([WHOLE])
        totals.statistics.add(Statistics.domain(self._problem.depth, self._problem.dim))
        return totals, Ledger.of([seal(self._engine.explorer(self._problem).root)])

    def run(self) -> Generator[Progress, None, None]:
        """Yield progress until the tree is exhausted or there is a reason to stop; either way the run is valid.

        Closing the generator, or an exception, loses no more than the tasks that were not back.
        """
        try:
            if not self._totals.complete:
                yield from self._run()
        finally:
            self.close()

    def _run(self) -> Generator[Progress, None, None]:
        totals, sink = self._totals, self._sink
        # the first commit gives this attempt its number, before any worker writes under it
        self._commit()
        executor = self._executor()
        start = time.monotonic() - totals.seconds
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
                    sink.note(totals, self.activity)
                    yield totals.progress()
            totals.complete = self._ledger.drained
        finally:
            totals.seconds = time.monotonic() - start
            try:
                executor.close()
            finally:
                if settled:
                    self._commit()
                    sink.note(totals, self.activity, final=True)

    def activity(self) -> Activity:
        """What the driver's side is doing."""
        return Activity(
            waiting=len(self._ledger.waiting),
            in_flight=sum(map(len, self._ledger.flying.values())),
            dry=self.load.dry,
            workers=tuple(
                WorkerStatus(number, load.tasks, load.regions, load.busy)
                for number, load in sorted(self.load.workers.items())
            ),
        )

    def close(self) -> None:
        """Let go of the run directory, if `run` was not begun."""
        self._sink.close()

    def _commit(self) -> None:
        frontier = journal.encode(self._ledger) if self.resumable and not self._totals.complete else b""
        self._sink.commit(self._totals, frontier, self.stop.reason or "")

    def _executor(self) -> Executor:
        if not isinstance(self._engine, SplittableEngine) or not self.resumable:
            return WholeTreeExecutor(self._engine, self._problem, self._record, self._sink.depository)
        make = partial(TaskRunner.of, self._engine, self._problem, self._record, self._sink.depository)
        return self._executor_of(make)

    def result(self) -> Result:
        """What was found so far."""
        return Result(Findings(self._subject(), self._totals, self._sink.rows))

    def _subject(self) -> Subject:
        return Subject(self._problem, self._domain, self._record, self._engine.name)


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
    stop_file: str | PathLike[str] | None = None,
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
    stop_file : stop once this file exists

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
    file = None if stop_file is None else Path(stop_file)
    stop = Stop(time_limit=time_limit, max_regions=max_regions, file=file)
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


def _check_kinds(network: object, domain: object, workers: object) -> None:
    if not isinstance(network, Network):
        raise InputError(
            f"the network is an object of type {type(network).__name__}; give what regionenum.load returns"
        )
    if isinstance(domain, type) or not hasattr(domain, "chart"):
        name = (
            f"the class {domain.__name__}" if isinstance(domain, type) else f"an object of type {type(domain).__name__}"
        )
        raise InputError(f"the domain is {name}; give a domain, for example regionenum.Box(-1, 1) or WholeSpace()")
    if isinstance(workers, bool) or not isinstance(workers, int):
        raise InputError(f"workers={workers!r}: give the number of worker processes, at least 1")


def refuse_unavailable(*, exact: bool = False) -> None:
    """Refuse what is promised but not built yet, rather than doing something less under its name."""
    if exact:
        raise InputError(
            "exact=True: certified decisions are not available yet; use exact=False, doubtful decisions are counted in "
            "the summary"
        )


def _record(name: str) -> Record:
    if name not in list(Record):
        raise InputError(f'record="{name}" is unknown; use one of {", ".join(Record)}')
    return Record(name)
