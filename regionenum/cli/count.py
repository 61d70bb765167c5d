"""`regionenum count MODEL --box LO HI`, or another domain: enumerate without a configuration file."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from regionenum.cli.limits import Limits, add_limits
from regionenum.cli.model import add_model, describe_model, model_options, read_model
from regionenum.errors import InputError

if TYPE_CHECKING:
    from regionenum.domain import Domain

RECORDS = ("none", "regions", "tree")
ENGINES = ("compiled", "highs")


def add_parser(verbs: argparse._SubParsersAction) -> None:
    """Add this verb."""
    parser = verbs.add_parser(
        "count",
        help="count the regions of a model over a box or another domain",
        description="Count the linear regions of a model over a domain, with the dimensions of their maps layer by layer.",
        allow_abbrev=False,
    )
    add_model(parser)
    domain = parser.add_mutually_exclusive_group(required=True)
    domain.add_argument(
        "--box",
        metavar="LO HI",
        type=_box,
        help="bounds of the inputs: two numbers, or two comma-separated lists with one number per input value",
    )
    domain.add_argument("--whole-space", action="store_true", help="all inputs, without bounds")
    domain.add_argument(
        "--ball",
        metavar="CENTER RADIUS",
        type=_ball,
        help="all inputs that differ from CENTER, one number or a comma-separated list, by RADIUS at most in every value",
    )
    domain.add_argument(
        "--domain", metavar="FILE.toml", help="a domain of any kind: a file with the table [domain] of a configuration"
    )
    parser.add_argument("--record", choices=RECORDS, default="none", help="what to keep of the cells (default: none)")
    parser.add_argument("--out", metavar="DIR", help="write a run directory, into a new or empty folder")
    parser.add_argument("--engine", choices=ENGINES, default="compiled", help="default: compiled")
    parser.add_argument("--maps", action="store_true", help="count the distinct affine maps of recorded regions too")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    add_limits(parser)
    parser.set_defaults(run=_run, parallel=True)


def join_pairs(argv: list[str]) -> list[str]:
    """Make one token of `--box LO HI` or `--ball CENTER RADIUS`.

    argparse would refuse them when one looks like an option (`-1,0`).
    """
    for k, token in enumerate(argv):
        if token == "--":
            break
        option, equals, first = token.partition("=")
        if option in ("--box", "--ball"):
            given = [first] if equals else []
            pair = [*given, *argv[k + 1 : k + 3 - len(given)]]
            if len(pair) == 2:
                return [*argv[:k], f"{option}={' '.join(pair)}", *join_pairs(argv[k + 3 - len(given) :])]
    return argv


def _box(text: str) -> tuple[float | list[float], float | list[float]]:
    bounds = text.split()
    if len(bounds) != 2:
        raise argparse.ArgumentTypeError(f"{text!r} is one bound; give the lower and the upper bound")
    return _bound(bounds[0]), _bound(bounds[1])


def _ball(text: str) -> tuple[float | list[float], float]:
    pair = text.split()
    if len(pair) != 2:
        raise argparse.ArgumentTypeError(f"{text!r} is one value; give the center and the radius")
    radius = _bound(pair[1])
    if isinstance(radius, list):
        raise argparse.ArgumentTypeError(f"{pair[1]!r} is a list; the radius is one number")
    return _bound(pair[0]), radius


def _bound(text: str) -> float | list[float]:
    try:
        values = [float(value) for value in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a number nor a comma-separated list of numbers"
        ) from error
    return values if "," in text else values[0]


def _run(arguments: argparse.Namespace) -> int:
    if arguments.out == "":
        raise InputError("--out is empty; give the path of a new folder")
    if arguments.maps and arguments.record == "none":
        raise InputError("--maps needs recorded regions; add --record regions")
    # imported when a verb runs, so that help stays light
    from regionenum.cli.session import run_session

    options = model_options(arguments)
    return run_session(
        read_model(**options),
        _domain(arguments),
        model=describe_model(**options),
        record=arguments.record,
        engine=arguments.engine,
        out=arguments.out,
        limits=Limits.of(arguments),
        ranks=arguments.ranks,
        as_json=arguments.json,
        maps=arguments.maps,
    )


def _domain(arguments: argparse.Namespace) -> Domain:
    from regionenum.domain import Box, WholeSpace, linf_ball

    if arguments.box is not None:
        return Box(*arguments.box)
    if arguments.ball is not None:
        return linf_ball(*arguments.ball)
    if arguments.whole_space:
        return WholeSpace()
    from regionenum.cli.config import read_domain

    return read_domain(arguments.domain)
