"""`regionenum count MODEL --box LO HI`, or another domain: enumerate without a configuration file."""

from __future__ import annotations

import argparse

from regionenum.choices import EngineName, Record
from regionenum.cli.domain import add_domain, check_domain, read_domain_options
from regionenum.cli.limits import Limits, add_limits
from regionenum.cli.model import ModelOptions, add_model
from regionenum.errors import InputError


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this verb."""
    parser = verbs.add_parser(
        "count",
        help="count the regions of a model over a box or another domain",
        description="Count the linear regions of a model over a domain, with the dimensions of their maps layer by layer.",
        allow_abbrev=False,
    )
    add_model(parser)
    add_domain(parser)
    parser.add_argument(
        "--record",
        choices=list(map(str, Record)),
        default=str(Record.NONE),
        help="what to keep of the cells (default: %(default)s)",
    )
    parser.add_argument("--out", metavar="DIR", help="write a run directory, into a new or empty folder")
    parser.add_argument(
        "--engine", choices=list(map(str, EngineName)), default=str(EngineName.COMPILED), help="default: %(default)s"
    )
    parser.add_argument(
        "--no-exact",
        dest="exact",
        action="store_false",
        help="believe float64 where rounding errors leave a decision in doubt, and count such decisions",
    )
    parser.add_argument(
        "--no-witnesses",
        dest="witnesses",
        action="store_false",
        help="record no points of cells, which are most of the bytes of a row",
    )
    parser.add_argument("--maps", action="store_true", help="count the distinct affine maps of recorded regions too")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    add_limits(parser)
    parser.set_defaults(run=_run, parallel=True)


def _run(arguments: argparse.Namespace) -> int:
    check_domain(arguments)
    if arguments.out == "":
        raise InputError("--out is empty; give the path of a new folder")
    if arguments.maps and arguments.record == Record.NONE:
        raise InputError("--maps needs recorded regions; add --record regions")
    # imported when a verb runs, so that help stays light
    from regionenum.cli.session import Request, run_session

    options = ModelOptions.of(arguments)
    request = Request(
        network=options.read(),
        domain=read_domain_options(arguments),
        record=arguments.record,
        engine=arguments.engine,
        out=arguments.out,
        model=options.describe(),
        exact=arguments.exact,
        witnesses=arguments.witnesses,
    )
    return run_session(request, Limits.of(arguments), arguments.ranks, as_json=arguments.json, maps=arguments.maps)
