"""`regionenum certify RUN`: check what a finished run found, in exact arithmetic and without the engine."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from regionenum.errors import InputError

if TYPE_CHECKING:
    from regionenum.certification import CheckProgress


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this verb."""
    parser = verbs.add_parser(
        "certify",
        help="check a finished run in exact arithmetic",
        description="Check in exact arithmetic, and without the engine, that a finished run with recorded regions found all "
        "regions of its network over its domain, with their ranks, and nothing else. Exit code 0 if so, 1 if not.",
        allow_abbrev=False,
    )
    parser.add_argument("directory", metavar="RUN", help="the run directory")
    parser.add_argument("--workers", metavar="K", default="1", help="processes, or auto (default: 1)")
    parser.add_argument("--sample", metavar="N", type=int, help="follow the paths to N regions only, drawn at random")
    parser.add_argument("--seed", metavar="S", type=int, help="draw the same sample again")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a sentence")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    # imported when a verb runs, so that help stays light
    from regionenum.certification import certify
    from regionenum.cli.progress import progress_display
    from regionenum.exact.claim import RefutedError

    try:
        with progress_display(sys.stderr, _line) as show:
            found = certify(arguments.directory, _workers(arguments.workers), arguments.sample, arguments.seed, show)
    except RefutedError as error:
        reason = " ".join(str(error).split())
        if arguments.json:
            print(json.dumps({"certified": False, "reason": reason}))
        print(f"regionenum: not certified: {reason}", file=sys.stderr)
        return 1
    print(json.dumps(found.to_dict()) if arguments.json else found.sentence)
    return 0


def _workers(given: str) -> int:
    from regionenum.parallel.local import available_workers

    if given == "auto":
        return available_workers()
    if not given.isdecimal() or not int(given):
        raise InputError(f"--workers is {given!r}; give a number of processes, or auto")
    return int(given)


def _line(progress: CheckProgress) -> str:
    from regionenum.cli.progress import elapsed

    rate = progress.regions / max(progress.seconds, 1e-9)
    return f"{progress.regions:,} of {progress.total:,} regions checked, {rate:,.0f}/s, {elapsed(progress.seconds)}"
