"""The command line: one file per verb.

Exit codes: 0 complete, 75 stopped and resumable, 2 bad input, 1 failure, 130 interrupted twice. Bad input is
one sentence on stderr, never a traceback; a traceback is a defect of this program.

Nothing here imports numba, scipy or torch before a verb has been chosen.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from regionenum.cli import analyze, certify, compare, count, describe, doctor, plot, report, resume, run, status, theory
from regionenum.cli.domain import join_pairs
from regionenum.errors import EngineError, InputError, RunError, WorkerError

PIPE_CLOSED = 141
"""Exit code when the reader of the output went away: that of a program that SIGPIPE ended."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; see `{self.prog} --help`")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code.

    Under MPI every rank runs the same command: rank 0 does what is described here, the others help it where the verb
    can be run in parallel (`parallel = True` among its defaults), and end with the same exit code.
    """
    try:
        arguments = _parser().parse_args(join_pairs(list(sys.argv[1:] if argv is None else argv)))
        arguments.ranks = None
        if getattr(arguments, "parallel", False):
            from regionenum.parallel import mpi

            # a warning that comes before the run listens, or after its end, is no reason to die
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)
            arguments.ranks = mpi.world()
            if arguments.ranks is not None:
                if arguments.ranks.rank:
                    return mpi.serve(arguments.ranks)
                arguments.ranks.load_kernels()
    except InputError as error:
        # every rank sees the same command line, and one of them is enough to complain
        return _fail(error, 2) if _is_first_rank() else 2
    code = _run(arguments)
    if arguments.ranks is not None:
        arguments.ranks.dismiss(code)
    return code


def _run(arguments: argparse.Namespace) -> int:
    try:
        code = int(arguments.run(arguments))
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # whoever read the output has seen enough; Python would complain once more when it flushes at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except InputError as error:
        return _fail(error, 2)
    except (EngineError, RunError) as error:
        return _fail(error, 1)
    except WorkerError as error:
        # as it is: it holds the traceback of the worker
        print(f"regionenum: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return _fail("interrupted", 130)


def _is_first_rank() -> bool:
    return all(os.environ.get(name, "0") == "0" for name in ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID"))


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
    for verb in (count, run, resume, status, report, analyze, certify, compare, plot, describe, theory, doctor):
        verb.add_parser(verbs)
    return parser


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        import regionenum

        print(f"regionenum {regionenum.__version__}")
        parser.exit()
