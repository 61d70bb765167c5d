"""Options that say how much of this machine a run may use, and when it is to stop; for every verb that enumerates."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from regionenum.parallel.stop import Stop

STOPPED = 75
"""Exit code of a run that stopped for a reason before its end, and can be resumed: `EX_TEMPFAIL` of sysexits.h."""


@dataclass(frozen=True)
class Limits:
    """What the options said; None where they said nothing.

    Attributes
    ----------
    workers : processes, or "auto" for as many as there are CPUs for this job
    time_limit : seconds
    stop_file : stop once it exists
    commit_seconds : longest time between two commits
    """

    workers: int | Literal["auto"] = 1
    time_limit: float | None = None
    max_regions: int | None = None
    stop_file: Path | None = None
    commit_seconds: float | None = None

    @classmethod
    def of(cls, arguments: argparse.Namespace, config: Any = None) -> Limits:
        """The limits of a command line, which go before those of a configuration."""

        def given(name: str, default: Any = None) -> Any:
            value = getattr(arguments, name, None)
            return getattr(config, name, default) if value is None else value

        return cls(
            workers=given("workers", 1),
            time_limit=given("time_limit"),
            max_regions=given("max_regions"),
            stop_file=given("stop_file"),
            commit_seconds=given("commit_seconds"),
        )

    def stop(self) -> Stop:
        """The reasons to stop; the time counts from the beginning of the work."""
        from regionenum.parallel.stop import Stop

        return Stop(time_limit=self.time_limit, max_regions=self.max_regions, file=self.stop_file)

    def n_workers(self) -> int:
        """The number of workers."""
        from regionenum.parallel.local import available_workers

        return available_workers() if self.workers == "auto" else self.workers


def add_limits(parser: argparse.ArgumentParser, *, regions: bool = True) -> None:
    """Add the options to a verb; without `regions` there is none for their number."""
    group = parser.add_argument_group(
        "limits", f"A run that reaches one stops with exit code {STOPPED}; so it does on SIGUSR1, SIGTERM and Ctrl-C."
    )
    group.add_argument(
        "--workers",
        metavar="N|auto",
        type=_workers,
        help="worker processes; auto: one for every CPU of this job (default: 1; under MPI the ranks are the workers)",
    )
    group.add_argument("--time-limit", metavar="SECONDS", type=_seconds, help="stop after that many seconds")
    if regions:
        group.add_argument(
            "--max-regions", metavar="N", type=_count, help="stop soon after that many regions are found"
        )
    group.add_argument("--stop-file", metavar="FILE", type=Path, help="stop once this file exists")


def _workers(text: str) -> int | str:
    return text if text == "auto" else _count(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds") from error
    # not NaN either
    if not seconds >= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0 on")
    return seconds
