"""`regionenum count MODEL --box LO HI`: enumerate without a configuration file."""

from __future__ import annotations

import argparse

from regionenum.cli.limits import Limits, add_limits
from regionenum.cli.model import add_model, describe_model, model_options, read_model
from regionenum.errors import InputError

RECORDS = ("none", "regions", "tree")
ENGINES = ("compiled", "highs")


def add_parser(verbs: argparse._SubParsersAction) -> None:
    """Add this verb."""
    parser = verbs.add_parser(
        "count",
        help="count the regions of a model over a box",
        description="Count the linear regions of a model over a box, with the dimensions of their maps layer by layer.",
        allow_abbrev=False,
    )
    add_model(parser)
    parser.add_argument(
        "--box",
        metavar="LO HI",
        required=True,
        type=_box,
        help="bounds of the inputs: two numbers, or two comma-separated lists with one number per input value",
    )
    parser.add_argument("--record", choices=RECORDS, default="none", help="what to keep of the cells (default: none)")
    parser.add_argument("--out", metavar="DIR", help="write a run directory, into a new or empty folder")
    parser.add_argument("--engine", choices=ENGINES, default="compiled", help="default: compiled")
    parser.add_argument("--maps", action="store_true", help="count the distinct affine maps of recorded regions too")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    add_limits(parser)
    parser.set_defaults(run=_run, parallel=True)


def join_box(argv: list[str]) -> list[str]:
    """Make one token of `--box LO HI`, which argparse would refuse when a bound looks like an option (`-1,0`)."""
    for k, token in enumerate(argv):
        if token == "--":
            break
        if token == "--box" or token.startswith("--box="):
            given = [token.removeprefix("--box=")] if "=" in token else []
            bounds = [*given, *argv[k + 1 : k + 3 - len(given)]]
            if len(bounds) == 2:
                return [*argv[:k], "--box=" + " ".join(bounds), *argv[k + 3 - len(given) :]]
    return argv


def _box(text: str) -> tuple[float | list[float], float | list[float]]:
    bounds = text.split()
    if len(bounds) != 2:
        raise argparse.ArgumentTypeError(f"{text!r} is one bound; give the lower and the upper bound")
    return _bound(bounds[0]), _bound(bounds[1])


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
    from regionenum.domain import Box

    options = model_options(arguments)
    return run_session(
        read_model(**options),
        Box(*arguments.box),
        model=describe_model(**options),
        record=arguments.record,
        engine=arguments.engine,
        out=arguments.out,
        limits=Limits.of(arguments),
        ranks=arguments.ranks,
        as_json=arguments.json,
        maps=arguments.maps,
    )
