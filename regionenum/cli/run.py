"""`regionenum run CONFIG.toml`: enumerate what a configuration file describes."""

from __future__ import annotations

import argparse
from pathlib import Path

from regionenum.cli.limits import Limits, add_limits
from regionenum.cli.model import ModelOptions
from regionenum.errors import InputError


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this verb."""
    parser = verbs.add_parser(
        "run",
        help="enumerate what a configuration file describes",
        description="Enumerate what a configuration file describes, into a run directory.",
        allow_abbrev=False,
    )
    parser.add_argument("config", metavar="CONFIG.toml", help="the configuration")
    parser.add_argument("--out", metavar="DIR", help="the run directory, instead of the configuration's `out`")
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="replace one value, for example domain.lower=-1; VALUE is TOML, or a word",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with the run in DIR if there is one of this configuration, and start otherwise",
    )
    add_limits(parser)
    parser.set_defaults(run=_run, parallel=True)


def _run(arguments: argparse.Namespace) -> int:
    # imported when a verb runs, so that help stays light
    from regionenum.cli.config import read_config
    from regionenum.cli.session import Request, run_session
    from regionenum.results.run_directory import holds_run

    config = read_config(arguments.config, arguments.set)
    out = arguments.out or config.out
    if not out and (config.record != "none" or arguments.resume):
        raise InputError(f"{arguments.config}: no run directory; give --out DIR, or set `out` in the configuration")
    options = ModelOptions.of(config)
    request = Request(
        network=options.read(),
        domain=config.domain.build(),
        record=config.record,
        engine=config.engine,
        out=out or None,
        model=options.describe(),
        exact=config.exact,
        witnesses=config.witnesses,
        resume=bool(arguments.resume and out and holds_run(Path(out))),
    )
    return run_session(request, Limits.of(arguments, config), arguments.ranks)
