"""One enumeration on the command line: progress on stderr, tables on stdout, exit code back."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regionenum.cli.limits import STOPPED, Limits
from regionenum.cli.progress import progress_display
from regionenum.cli.tables import print_result
from regionenum.domain import Domain
from regionenum.enumeration import Enumeration, ExecutorOf, Settings, follow
from regionenum.network.layers import Network

if TYPE_CHECKING:
    from regionenum.parallel.mpi import World


@dataclass(frozen=True)
class Request:
    """What to enumerate, and where to keep it.

    Attributes
    ----------
    record, engine : names, see `choices.py`
    out : the run directory, if any
    model : where the network came from, for the record
    exact : whether doubtful decisions are made in exact arithmetic
    witnesses : whether recorded cells have a witness
    resume : go on with the run in `out`
    """

    network: Network
    domain: Domain
    record: str
    engine: str
    out: str | None
    model: Mapping[str, Any] = field(default_factory=lambda: {"model": None})
    exact: bool = True
    witnesses: bool = True
    resume: bool = False

    def config(self) -> dict[str, Any]:
        """The resolved configuration, as a run directory keeps it."""
        return {
            **self.model,
            "domain": self.domain.describe(),
            "record": str(self.record),
            "exact": self.exact,
            "witnesses": self.witnesses,
            "engine": str(self.engine),
            "out": self.out and str(Path(self.out).resolve()),
        }


def run_session(
    request: Request,
    limits: Limits,
    ranks: World | None = None,
    *,
    as_json: bool = False,
    maps: bool = False,
) -> int:
    """Enumerate, print the result, and return the exit code: 0, 75 if it stopped for a reason, 130 after two Ctrl-C.

    Parameters
    ----------
    ranks : of MPI, which then are the workers
    as_json, maps : see `print_result`
    """
    stop = limits.stop()
    with stop.listening():
        settings = Settings(
            record=request.record,
            out=request.out,
            engine=request.engine,
            workers=1 if ranks else limits.n_workers(),
            exact=request.exact,
            witnesses=request.witnesses,
            resume=request.resume,
            config=request.config(),
            commit_seconds=limits.commit_seconds,
            executor=_on_ranks(ranks) if ranks else None,
        )
        enumeration = Enumeration(request.network, request.domain, settings, stop)
        try:
            with progress_display(sys.stderr) as show:
                follow(enumeration, show)
        except KeyboardInterrupt:
            count = enumeration.result().count
            kept = _kept(enumeration, request.out)
            print(f"regionenum: interrupted after {count:,} regions; {kept}", file=sys.stderr)
            return 130
    result = enumeration.result()
    print_result(result, as_json=as_json, maps=maps)
    if result.complete:
        return 0
    print(f"regionenum: stopped: {stop.reason}; {_kept(enumeration, request.out)}", file=sys.stderr)
    return STOPPED


def _on_ranks(ranks: World) -> ExecutorOf:
    from regionenum.parallel.mpi import MpiExecutor

    return partial(MpiExecutor, world=ranks)


def _kept(enumeration: Enumeration, out: str | None) -> str:
    """What is left of a run that did not end, and how to go on."""
    if not out:
        return "nothing was kept; with --out DIR it could be resumed"
    if not enumeration.resumable:
        return f"{out} holds what was found, marked incomplete; this engine cannot go on from the middle"
    return f"{out} holds what was found, marked incomplete; go on with: regionenum resume {shlex.quote(out)}"
