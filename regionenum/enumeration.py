"""Enumerating regions: a driver's results go into running totals and into a place for the recorded rows.

`Enumeration` is the core, a generator of progress records; `enumerate_regions` is the shell most callers want.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

from regionenum.domain import Domain
from regionenum.engine.by_name import engine_by_name
from regionenum.engine.explore import open_explorer
from regionenum.engine.interface import Engine, Options, Problem, Record, Statistics
from regionenum.errors import InputError, RunError
from regionenum.network.layers import Network
from regionenum.parallel import journal
from regionenum.parallel.driver import Budget, Utilisation, drive
from regionenum.parallel.executor import Executor
from regionenum.parallel.ledger import Ledger
from regionenum.parallel.local import ProcessExecutor, SerialExecutor
from regionenum.parallel.runner import TaskRunner
from regionenum.parallel.stop import Stop
from regionenum.parallel.subtree_codec import encode_subtree
from regionenum.result import Result
from regionenum.results.findings import Findings
from regionenum.results.progress import Progress, Totals
from regionenum.results.row_store import MemorySink
from regionenum.results.sink import Sink
from regionenum.results.status import Activity, WorkerStatus
from regionenum.results.subject import Subject
from regionenum.results.writer import RunWriter

ExecutorOf = Callable[[Callable[[], TaskRunner]], Executor]
"""Makes an executor, given what makes a task runner in each worker."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to enumerate, and where the results go.

    Attributes
    ----------
    record, out, engine, workers, exact, witnesses, resume
        As for `enumerate_regions`.
    config : dict, optional
        The resolved configuration to store in the run directory; by default it is made from the other settings.
    commit_seconds : float, optional
        Longest time between two commits of a run directory.
    budget : Budget
        How long tasks may take.
    executor : callable, optional
        Makes another executor than `workers` would.
    """

    record: str = "none"
    out: str | PathLike[str] | None = None
    engine: str | Engine = "compiled"
    workers: int = 1
    exact: bool = True
    witnesses: bool = True
    resume: bool = False
    config: dict[str, Any] | None = None
    commit_seconds: float | None = None
    budget: Budget = field(default_factory=Budget)
    executor: ExecutorOf | None = None


class Enumeration:
    """One enumeration of the regions of a network over a domain.

    `run` yields a `Progress` for every result of the driver, and now and then without one; once it is exhausted, or was
    closed, `result` gives what was found. A run directory holds a valid, incomplete run from the first moment of `run`
    on, and belongs to this object until `run` or `close` ends.

    Parameters
    ----------
    network : Network
    domain : Domain
    settings : Settings
    stop : Stop, optional
        Reasons to stop before the end.

    Attributes
    ----------
    stop : Stop
    utilisation : Utilisation
        How busy the workers were.

    Raises
    ------
    InputError
        If the domain does not fit the network, the record level or the engine is unknown, `out` is in use, or the run
        there cannot be resumed.
    """

    def __init__(
        self, network: Network, domain: Domain, settings: Settings | None = None, stop: Stop | None = None
    ) -> None:
        settings = settings or Settings()
        _check_kinds(network, domain, settings.workers)
        self._network, self._domain, self._settings = network, domain, settings
        self._options = Options(_record(settings.record), settings.exact)
        self._engine = engine_by_name(settings.engine) if isinstance(settings.engine, str) else settings.engine
        self._problem = Problem.over(network, domain)
        if settings.workers < 1:
            raise InputError(f"workers={settings.workers}: give the number of worker processes, at least 1")
        if (settings.workers > 1 or settings.executor) and not self._engine.splittable:
            raise InputError(f'engine "{self._engine.name}" works in one process only; use workers=1')
        self.stop, self.utilisation = stop or Stop(), Utilisation()
        self._sink: Sink
        if settings.out is None:
            if settings.resume:
                raise InputError("resume needs the run directory of the run; give out")
            self._sink = MemorySink(self._problem, self._options.record, settings.witnesses)
            self._totals, self._ledger = self._beginning()
            return
        writer = self._sink = RunWriter(
            Path(settings.out),
            self._subject(),
            settings.config or self._described(settings.out),
            resume=settings.resume,
            commit_seconds=settings.commit_seconds,
        )
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
            "record": str(self._options.record),
            "exact": self._subject().exact,
            "witnesses": self._settings.witnesses,
            "engine": self._engine.name,
            "out": str(out),
        }

    @property
    def resumable(self) -> bool:
        """Whether this enumeration could go on from the middle: an engine that cannot be split has to start again."""
        return self._engine.splittable

    def _beginning(self) -> tuple[Totals, Ledger]:
        """Nothing found, and everything to explore."""
        problem, totals = self._problem, Totals.of(self._problem)
        totals.statistics.add(Statistics.at_start(problem.shape))
        root = open_explorer(self._engine, problem, Options()).root
        return totals, Ledger.of([encode_subtree(root)])

    def run(self) -> Generator[Progress, None, None]:
        """Yield progress until the tree is exhausted or there is a reason to stop; either way the run is valid.

        Closing the generator, or an exception, loses no more than the tasks that were not back.
        """
        try:
            if not self._totals.complete:
                yield from self._run()
        except Exception as error:
            self._note_failure(error)
            raise
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
            results = drive(self._ledger, executor, self.stop, self.utilisation, self._settings.budget, totals.regions)
            with closing(results):
                for result in results:
                    totals.seconds = time.monotonic() - start
                    if result is not None:
                        settled = False
                        if result.stored is not None:
                            sink.add(result.stored)
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

    def _note_failure(self, error: Exception) -> None:
        try:
            self._sink.fail(f"{type(error).__name__}: {error}")
        except RunError as another:
            # as on a full disk, which may be the error itself
            error.add_note(f"That the run failed could not be noted: {another}")

    def activity(self) -> Activity:
        """What the driver's side is doing."""
        return Activity(
            waiting=len(self._ledger.waiting),
            in_flight=sum(map(len, self._ledger.in_flight.values())),
            dry=self.utilisation.dry,
            workers=tuple(
                WorkerStatus(number, worker.tasks, worker.regions, worker.busy)
                for number, worker in sorted(self.utilisation.workers.items())
            ),
        )

    def close(self) -> None:
        """Let go of the run directory, if `run` was not begun."""
        self._sink.close()

    def _commit(self) -> None:
        frontier = journal.encode(self._ledger) if self.resumable and not self._totals.complete else b""
        self._sink.commit(self._totals, frontier, self.stop.reason or "")

    def _executor(self) -> Executor:
        make_runner = partial(TaskRunner.of, self._engine, self._problem, self._options, self._sink.cell_store)
        workers, executor_of = self._settings.workers, self._settings.executor
        if executor_of:
            return executor_of(make_runner)
        return SerialExecutor(make_runner) if workers == 1 else ProcessExecutor(make_runner, workers)

    def result(self) -> Result:
        """What was found so far."""
        return Result(Findings(self._subject(), self._totals, self._sink.rows))

    def _subject(self) -> Subject:
        exact = self._options.exact and self._engine.certain
        return Subject(self._problem, self._options.record, self._engine.name, exact, self._settings.witnesses)


def enumerate_regions(
    net: Network,
    domain: Domain,
    record: str = "none",
    out: str | PathLike[str] | None = None,
    workers: int = 1,
    exact: bool = True,
    witnesses: bool = True,
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
    net : Network
        From `load`.
    domain : Domain
        The part of the input space, for example a `Box`.
    record : {"none", "regions", "tree"}
        "none" keeps counts and statistics in constant memory, "regions" also a row for every region, "tree" a row for every
        cell of every layer.
    out : path, optional
        A new or empty folder for the run; without it recorded rows stay in memory.
    workers : int
        Number of worker processes; 1 works in this process.
    exact : bool
        Whether decisions that rounding errors leave in doubt are made in exact arithmetic. If not, what float64 says is
        believed, and every such decision is counted (`Result.audit`). Engine "highs" decides in floating point anyway.
    witnesses : bool
        Whether recorded cells have a witness, of 8 bytes for each input value. Without, points are found when they are needed.
    engine : {"compiled", "highs"} or Engine
        "highs" is slow and independent, and works in one process.
    on_progress : callable, optional
        Called with a `Progress` several times a second.
    resume : bool
        Go on with the run in `out`, with any number of workers.
    time_limit : float, optional
        Stop after that many seconds of enumerating; loading, or compiling, the kernels before does not count.
    max_regions : int, optional
        Stop soon after that many regions are found.
    stop_file : path, optional
        Stop once this file exists.

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
    file = None if stop_file is None else Path(stop_file)
    stop = Stop(time_limit=time_limit, max_regions=max_regions, file=file)
    settings = Settings(
        record=record, out=out, engine=engine, workers=workers, exact=exact, witnesses=witnesses, resume=resume
    )
    enumeration = Enumeration(net, domain, settings, stop)
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


def _record(name: str) -> Record:
    if name not in list(Record):
        raise InputError(f'record="{name}" is unknown; use one of {", ".join(Record)}')
    return Record(name)
