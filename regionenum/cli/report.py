"""`regionenum report RUN`: print what a run directory holds."""

from __future__ import annotations

import argparse


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this verb."""
    parser = verbs.add_parser(
        "report",
        help="print the summary of a run directory",
        description="Print the summary of a run directory, finished or not.",
        allow_abbrev=False,
    )
    parser.add_argument("directory", metavar="RUN", help="the run directory")
    parser.add_argument("--maps", action="store_true", help="count the distinct affine maps of recorded regions too")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    # imported when a verb runs, so that help stays light
    from regionenum.cli.tables import print_result
    from regionenum.result import open_run

    print_result(open_run(arguments.directory), as_json=arguments.json, maps=arguments.maps)
    return 0
