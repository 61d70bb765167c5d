"""Enumerating regions: an engine's batches go into running totals and into a place for the recorded rows.

`Enumeration` is the core, a generator of progress records; `enumerate_regions` is the shell most callers want.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import closing
from os import PathLike
from pathlib import Path
from typing import Any

from regionenum.domain import Domain
from regionenum.engine.interface import Engine, Problem, Record
from regionenum.errors import InputError
from regionenum.network.layers import Network
from regionenum.results.progress import Progress, Totals
from regionenum.results.summary import Result
from regionenum.results.writer import MemorySink, RunWriter

ENGINES = ("compiled", "highs")
"""Names of the engines: the compiled one, and the slow, independent reference on HiGHS."""


class Enumeration:
    """One enumeration of the regions of a network over a domain.

    `run` yields a `Progress` for every batch of the engine; once it is exhausted, or was closed, `result` gives what
    was found. A run directory holds a valid, incomplete run at every moment.

    Parameters
    ----------
    network, domain, record, out, engine : as for `enumerate_regions`
    config : the resolved configuration to store in the run directory; by default it is made from the arguments

    Raises
    ------
    InputError
        If the domain does not fit the network, the record level or the engine is unknown, or `out` is in use.
    """

    def __init__(
        self,
        network: Network,
        domain: Domain,
        *,
        record: str = "none",
        out: str | PathLike[str] | None = None,
        engine: str | Engine = "compiled",
        config: dict[str, Any] | None = None,
    ) -> None:
        self._network, self._domain = network, domain
        self._record = _record(record)
        self._engine = engine_by_name(engine) if isinstance(engine, str) else engine
        self._problem = Problem.over(network, domain)
        self._totals = Totals.of(self._problem)
        if out is None:
            self._sink: MemorySink | RunWriter = MemorySink(self._problem, self._record)
            return
        resolved = config or {
            "domain": domain.describe(),
            "record": str(self._record),
            "exact": False,
            "engine": self._engine.name,
            "out": str(out),
        }
        self._sink = RunWriter(Path(out), self._problem, domain, self._record, self._engine.name, resolved)

    def run(self) -> Generator[Progress, None, None]:
        """Yield progress until the tree is exhausted. Closing the generator, or an exception, leaves a valid run."""
        start = time.monotonic()
        totals, sink = self._totals, self._sink
        # False while a batch is taken in, when rows and statistics may not yet agree and must not be committed
        settled = True
        try:
            for batch in self._engine.explore(self._problem, self._record):
                settled = False
                if batch.cells is not None and len(batch.cells):
                    sink.add(batch.cells)
                totals.add(batch)
                settled = True
                totals.seconds = time.monotonic() - start
                sink.update(totals)
                yield totals.progress()
            totals.complete = True
        finally:
            totals.seconds = time.monotonic() - start
            if settled:
                sink.commit(totals)

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


def enumerate_regions(
    net: Network,
    domain: Domain,
    record: str = "none",
    out: str | PathLike[str] | None = None,
    workers: int = 1,
    exact: bool = False,
    engine: str | Engine = "compiled",
    on_progress: Callable[[Progress], None] | None = None,
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
    workers : must be 1
    exact : must be False; decisions are taken in floating point, and doubtful ones are counted in `Result.counters`
    engine : "compiled", "highs" (slow, independent), or an engine object
    on_progress : called with a `Progress` after every batch of the engine

    Returns
    -------
    Result
        Complete, unless an exception was raised.

    Raises
    ------
    InputError
        If an argument cannot be used as given.
    EngineError
        If the engine could not finish; a run directory then holds what was found, marked incomplete.
    RunError
        If the run directory cannot be written.
    """
    refuse_unavailable(exact=exact, workers=workers)
    enumeration = Enumeration(net, domain, record=record, out=out, engine=engine)
    follow(enumeration, on_progress)
    return enumeration.result()


def follow(enumeration: Enumeration, on_progress: Callable[[Progress], None] | None = None) -> None:
    """Run an enumeration to its end, calling back with every progress record."""
    with closing(enumeration.run()) as moments:
        for moment in moments:
            if on_progress is not None:
                on_progress(moment)


def refuse_unavailable(*, exact: bool = False, workers: int = 1) -> None:
    """Refuse what is promised but not built yet, rather than doing something less under its name."""
    if exact:
        raise InputError(
            "exact=True: certified decisions are not available yet; use exact=False, doubtful decisions are counted in "
            "the summary"
        )
    if workers != 1:
        raise InputError(f"workers={workers}: parallel enumeration is not available yet; use workers=1")


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
