"""`regionenum resume RUN`: go on with a run that stopped."""

from __future__ import annotations

import argparse

from regionenum.cli.limits import Limits, add_limits


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this verb."""
    parser = verbs.add_parser(
        "resume",
        help="go on with a run that stopped",
        description="Go on with a run that stopped, was interrupted or was killed, with any number of workers. All that "
        "is needed is in its directory.",
        allow_abbrev=False,
    )
    parser.add_argument("directory", metavar="RUN", help="the run directory")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    add_limits(parser)
    parser.set_defaults(run=_run, parallel=True)


def _run(arguments: argparse.Namespace) -> int:
    # imported when a verb runs, so that help stays light
    from regionenum.cli.session import Request, run_session
    from regionenum.cli.tables import print_result
    from regionenum.result import open_run

    stored = open_run(arguments.directory)
    if stored.complete:
        print_result(stored, as_json=arguments.json)
        return 0
    request = Request(
        network=stored.network,
        domain=stored.domain,
        record=stored.record,
        engine=stored.engine,
        out=arguments.directory,
        exact=stored.exact,
        witnesses=stored.findings.subject.witnesses,
        resume=True,
    )
    return run_session(request, Limits.of(arguments), arguments.ranks, as_json=arguments.json)
