"""One enumeration on the command line: progress on stderr, tables on stdout, exit code back."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regionenum.cli.limits import STOPPED, Limits
from regionenum.cli.progress import progress_display
from regionenum.cli.tables import print_result
from regionenum.domain import Domain
from regionenum.enumeration import Enumeration, ExecutorOf, Settings, follow, refuse_unavailable
from regionenum.network.layers import Network

if TYPE_CHECKING:
    from regionenum.parallel.mpi import World


def run_session(
    network: Network,
    domain: Domain,
    *,
    record: str,
    engine: str,
    out: str | None,
    limits: Limits | None = None,
    ranks: World | None = None,
    model: Mapping[str, Any] | None = None,
    resume: bool = False,
    exact: bool = False,
    as_json: bool = False,
    maps: bool = False,
) -> int:
    """Enumerate, print the result, and return the exit code: 0, 75 if it stopped for a reason, 130 after two Ctrl-C.

    model : where the network came from, for the record
    """
    refuse_unavailable(exact=exact)
    config = {
        **(model or {"model": None}),
        "domain": domain.describe(),
        "record": record,
        "exact": exact,
        "engine": engine,
        "out": out and str(Path(out).resolve()),
    }
    limits = limits or Limits()
    stop = limits.stop()
    with stop.listening():
        settings = Settings(
            record=record,
            out=out,
            engine=engine,
            workers=1 if ranks else limits.n_workers(),
            resume=resume,
            config=config,
            commit_seconds=limits.commit_seconds,
            executor=_on_ranks(ranks) if ranks else None,
        )
        enumeration = Enumeration(network, domain, settings, stop)
        try:
            with progress_display(sys.stderr) as show:
                follow(enumeration, show)
        except KeyboardInterrupt:
            count = enumeration.result().count
            print(f"regionenum: interrupted after {count:,} regions; {_kept(enumeration, out)}", file=sys.stderr)
            return 130
    result = enumeration.result()
    print_result(result, as_json=as_json, maps=maps)
    if result.complete:
        return 0
    print(f"regionenum: stopped: {stop.reason}; {_kept(enumeration, out)}", file=sys.stderr)
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
