"""The command line: one file per verb.

Exit codes: 0 complete, 2 bad input, 1 failure, 130 interrupted; 75 is reserved for stopped and resumable. Bad input is
one sentence on stderr, never a traceback; a traceback is a defect of this program.

Nothing here imports numba, scipy or torch before a verb has been chosen.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from regionenum.cli import count, doctor, report, run
from regionenum.errors import EngineError, InputError, RunError


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; see `{self.prog} --help`")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    try:
        arguments = _parser().parse_args(count.join_box(list(sys.argv[1:] if argv is None else argv)))
        return int(arguments.run(arguments))
    except InputError as error:
        return _fail(error, 2)
    except (EngineError, RunError) as error:
        return _fail(error, 1)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)


def _fail(reason: object, code: int) -> int:
    print(f"regionenum: error: {' '.join(str(reason).split())}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="regionenum",
        description="Enumerate the linear regions of a ReLU or max-pool network.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for verb in (count, run, report, doctor):
        verb.add_parser(verbs)
    return parser


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        import regionenum

        print(f"regionenum {regionenum.__version__}")
        parser.exit()
