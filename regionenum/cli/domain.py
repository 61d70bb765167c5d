"""Options that say over which domain a command enumerates; each is a way to write a description (`domain/description.py`)."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from regionenum.errors import InputError

if TYPE_CHECKING:
    from regionenum.domain import Domain

Number = float | list[float]

PAIRS = ("--box", "--ball", "--l1-ball")
"""Options with two values."""

BALLS = ("ball", "l1_ball")
"""Options of domains that `--box` may cut."""


def add_domain(parser: argparse.ArgumentParser) -> None:
    """Add the options to a verb; one of them is needed."""
    group = parser.add_argument_group("domain", "One of these; a ball and --box together mean their intersection.")
    group.add_argument(
        "--box",
        metavar="LO HI",
        type=_box,
        help="bounds of the inputs: two numbers, or two comma-separated lists with one number per input value",
    )
    group.add_argument("--whole-space", action="store_true", default=None, help="all inputs, without bounds")
    group.add_argument(
        "--ball",
        metavar="CENTER RADIUS",
        type=_ball,
        help="all inputs that differ from CENTER, one number or a comma-separated list, by RADIUS at most in every value",
    )
    group.add_argument(
        "--l1-ball",
        metavar="CENTER RADIUS",
        type=_ball,
        help="all inputs that differ from CENTER, a comma-separated list, by RADIUS at most in the sum of all values",
    )
    group.add_argument(
        "--domain", metavar="FILE.toml", help="a domain of any kind: a file with the table [domain] of a configuration"
    )


def check_domain(arguments: argparse.Namespace) -> None:
    """Refuse a command line that names no domain, or two that are not a ball and a box.

    Raises
    ------
    InputError
        Naming the options.
    """
    options = ("box", "whole_space", *BALLS, "domain")
    given = [name for name in options if getattr(arguments, name) is not None]
    if not given:
        raise InputError(f"one of the arguments {' '.join(map(_option, options))} is required")
    if len(given) > 1 and not (len(given) == 2 and given[0] == "box" and given[1] in BALLS):
        raise InputError(f"argument {_option(given[1])}: not allowed with argument {_option(given[0])}")


def read_domain_options(arguments: argparse.Namespace) -> Domain:
    """The domain that the options name.

    Raises
    ------
    InputError
        As `check_domain`, and what the domain itself refuses.
    """
    from regionenum.cli.config import read_domain
    from regionenum.domain import domain_from

    check_domain(arguments)
    if arguments.domain is not None:
        return read_domain(arguments.domain)
    if arguments.whole_space:
        return domain_from({"kind": "whole_space"})
    box = None if arguments.box is None else dict(zip(("lower", "upper"), arguments.box, strict=True))
    for kind, ball in (("linf_ball", arguments.ball), ("l1_ball", arguments.l1_ball)):
        if ball is not None:
            description: dict[str, Any] = {"kind": kind, "center": ball[0], "radius": ball[1]}
            return domain_from(description if box is None else {**description, "within": box})
    return domain_from({"kind": "box", **(box or {})})


def join_pairs(argv: list[str]) -> list[str]:
    """Make one token of the values of an option that has two, as in `--box LO HI`.

    argparse would refuse them when one looks like an option (`-1,0`).
    """
    for k, token in enumerate(argv):
        if token == "--":
            break
        option, equals, first = token.partition("=")
        if option in PAIRS:
            given = [first] if equals else []
            pair = [*given, *argv[k + 1 : k + 3 - len(given)]]
            if len(pair) == 2:
                return [*argv[:k], f"{option}={' '.join(pair)}", *join_pairs(argv[k + 3 - len(given) :])]
    return argv


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _box(text: str) -> tuple[Number, Number]:
    bounds = text.split()
    if len(bounds) != 2:
        raise argparse.ArgumentTypeError(f"{text!r} is one bound; give the lower and the upper bound")
    return _number(bounds[0]), _number(bounds[1])


def _ball(text: str) -> tuple[Number, float]:
    pair = text.split()
    if len(pair) != 2:
        raise argparse.ArgumentTypeError(f"{text!r} is one value; give the center and the radius")
    radius = _number(pair[1])
    if isinstance(radius, list):
        raise argparse.ArgumentTypeError(f"{pair[1]!r} is a list; the radius is one number")
    return _number(pair[0]), radius


def _number(text: str) -> Number:
    try:
        values = [float(value) for value in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a number nor a comma-separated list of numbers"
        ) from error
    return values if "," in text else values[0]
