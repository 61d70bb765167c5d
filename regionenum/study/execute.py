"""Running the networks of a study: made where they are missing, then enumerated into run directories of their own.

What is finished is left alone and what is not goes on, so that running a study again is resuming it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from regionenum.choices import EngineName, Record
from regionenum.enumeration import Enumeration, Settings, follow
from regionenum.errors import EngineError, InputError, RunError, WorkerError
from regionenum.files import write_atomically
from regionenum.parallel.stop import Stop
from regionenum.result import open_run
from regionenum.results.manifest import Manifest
from regionenum.results.progress import Progress
from regionenum.results.run_directory import disk_errors, holds_run
from regionenum.study.domains import domain_of
from regionenum.study.entries import Entry
from regionenum.study.prepare import facts_path, network_of, networks_of

MAPS = "maps.json"
"""In a run directory with recorded regions: how many different maps they have."""

SHOWN_SECONDS = 0.2
"""Time between two moments that are shown of one network."""


@dataclass(frozen=True)
class Moment:
    """What is being done with one network.

    Attributes
    ----------
    name : of the network
    doing : "training", "enumerating", or "done"
    epoch : of the training
    regions, rate : of the enumeration
    """

    name: str
    doing: str
    epoch: int = 0
    regions: int = 0
    rate: float = 0.0


Show = Callable[[Moment], None]


@dataclass
class InnerStop(Stop):
    """The limits of one network, and whatever stops the study."""

    outer: Stop = field(default_factory=Stop)

    def check(self, regions: int) -> str | None:
        """The reason to stop, if there is one by now."""
        reason = self.outer.check(0)
        if reason is not None:
            self.request(reason)
        return super().check(regions)


class _StoppedError(Exception):
    """The study is to stop while a network is trained."""


def run_group(group: list[Entry], stop: Stop, workers: int, show: Show) -> None:
    """Make the networks of one training and enumerate them, until that is done or the study is to stop.

    Raises
    ------
    InputError, EngineError, RunError, WorkerError
        Naming the network.
    """

    def tick(entry: Entry, epoch: int) -> None:
        show(Moment(entry.name, "training", epoch=epoch))
        if stop.check(0) is not None:
            raise _StoppedError

    with _naming(group[0]):
        try:
            networks_of([entry for entry in group if not holds_run(entry.run)], tick)
        except _StoppedError:
            return
    for entry in group:
        if stop.check(0) is not None:
            return
        with _naming(entry):
            _enumerate(entry, stop, workers, show)
            if finished(entry):
                show(Moment(entry.name, "done"))


@contextmanager
def _naming(entry: Entry) -> Iterator[None]:
    """Errors inside say which network they are about."""
    try:
        yield
    except (InputError, EngineError, RunError, WorkerError) as error:
        text = f"network {entry.name}"
        if text in str(error):
            raise
        raise type(error)(f"{text}: {error}") from error


def finished(entry: Entry) -> bool:
    """Whether nothing is left to do: the run is complete, or has reached a limit of the study."""
    if not holds_run(entry.run):
        return False
    manifest, limits = Manifest.read(entry.run), entry.study.limits
    regions = sum(manifest.statistics["cells"][-1])
    return (
        manifest.complete
        or (limits.time_limit is not None and manifest.seconds >= limits.time_limit * (1 - 1e-6))
        or (limits.max_regions is not None and regions >= limits.max_regions)
    )


def _enumerate(entry: Entry, stop: Stop, workers: int, show: Show) -> None:
    study, run = entry.study, entry.run
    if not finished(entry):
        resume = holds_run(run)
        # what began goes on with the network it began with, whatever was made or trained again since
        network = open_run(run).network if resume else network_of(entry)
        domain = domain_of(study, entry.data, network.input_shape)
        limits, spent = study.limits, Manifest.read(run).seconds if resume else 0.0
        inner = InnerStop(
            time_limit=None if limits.time_limit is None else limits.time_limit - spent,
            max_regions=limits.max_regions,
            outer=stop,
        )
        settings = Settings(
            record=str(study.study.record),
            out=run,
            workers=workers,
            exact=study.study.exact,
            resume=resume,
            config=_config(entry, domain.describe()),
        )
        show(Moment(entry.name, "enumerating"))
        follow(Enumeration(network, domain, settings, inner), _Shown(entry.name, show))
    if stop.reason is None:
        distinct_maps(entry)


class _Shown:
    """Shows the progress of one network, not too often."""

    def __init__(self, name: str, show: Show) -> None:
        self._name, self._show, self._last = name, show, 0.0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._last >= SHOWN_SECONDS:
            self._last = now
            self._show(Moment(self._name, "enumerating", regions=progress.regions, rate=progress.rate))


def distinct_maps(entry: Entry) -> int | None:
    """Number of different maps among the regions found so far, counted once; None where they were not recorded."""
    if entry.study.study.record is Record.NONE:
        return None
    path = entry.run / MAPS
    result = open_run(entry.run)
    if path.is_file():
        known = json.loads(path.read_bytes())
        if known["regions"] == result.count:
            return int(known["distinct_maps"])
    found = result.distinct_maps()
    with disk_errors(entry.run):
        text = json.dumps({"regions": result.count, "distinct_maps": found})
        write_atomically(path, lambda file: file.write(text.encode()))
    return found


def _config(entry: Entry, domain: dict[str, Any]) -> dict[str, Any]:
    """The resolved configuration, as a run directory keeps it."""
    study = entry.study.study
    return {
        "model": str(Path(facts_path(entry)).with_suffix(".npz").resolve()),
        "domain": domain,
        "record": str(study.record),
        "exact": study.exact,
        "engine": str(EngineName.COMPILED),
        "out": str(entry.run.resolve()),
        "study": study.name,
        "network": entry.name,
    }
