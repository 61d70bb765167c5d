"""`regionenum doctor`: check the installation and its surroundings."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING

from regionenum.errors import EngineError

if TYPE_CHECKING:
    from regionenum.network.layers import Network

_MPI_SECONDS = 30.0
_SLURM = ("SLURM_JOB_ID", "SLURM_JOB_NUM_NODES", "SLURM_NTASKS", "SLURM_CPUS_PER_TASK", "SLURM_RESTART_COUNT")


@dataclass(frozen=True)
class Check:
    """The outcome of one check."""

    name: str
    ok: bool
    detail: str


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this verb."""
    parser = verbs.add_parser(
        "doctor",
        help="check the installation",
        description="Check the installation and its surroundings; exit 0 when all is well, 1 otherwise.",
        allow_abbrev=False,
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table

    checks = examine()
    table = Table("check", "state", "detail", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.columns[2].overflow = "fold"
    for check in checks:
        table.add_row(check.name, "ok" if check.ok else "FAILED", check.detail)
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    return 0 if all(check.ok for check in checks) else 1


def examine() -> list[Check]:
    """Make all checks."""
    return [
        Check("python", sys.version_info >= (3, 11), f"{platform.python_version()}, {platform.platform()}"),
        *(_required(name) for name in ("numpy", "scipy", "highspy", "pyarrow", "msgspec", "rich")),
        _required("python-flint", "flint"),
        _attempt("numba", _numba),
        _attempt("kernel cache", _cache),
        _optional("torch"),
        _mpi(),
        Check("slurm", True, _environment(*_SLURM) or "not inside a job"),
        Check("threads", True, f"{_available_cpus()} CPUs; {_environment('OMP_NUM', 'NUMBA_NUM') or 'no limits set'}"),
        _attempt("self-test", _self_test),
    ]


def star_network() -> Network:
    """max(-y, min(0, -x)) written with ReLUs: 5 regions and 3 distinct maps on every box around the origin."""
    import numpy as np

    from regionenum.network.layers import Layer, Network
    from regionenum.network.units import IDENTITY, RELU, Units

    mixed = Units((RELU, IDENTITY), np.array([0, 1]), np.arange(3), np.arange(2))
    return Network(
        (
            Layer("signs", np.array([[1.0, 0], [0, 1], [0, -1]]), np.zeros(3), Units.pointwise(RELU, 3)),
            Layer("maximum", np.array([[1.0, -1, 1], [1, 0, 0]]), np.zeros(2), mixed),
            Layer("sum", np.array([[1.0, -1]]), np.zeros(1), Units.identity(1)),
        ),
        (2,),
    )


def _attempt(name: str, check: Callable[[], tuple[bool, str]]) -> Check:
    """A failing check is a finding, whatever it raises: the user runs the doctor because something is broken."""
    try:
        return Check(name, *check())
    except Exception as error:  # noqa: BLE001
        return Check(name, False, f"{type(error).__name__}: {error}")


def _required(name: str, module: str | None = None) -> Check:
    def check() -> tuple[bool, str]:
        importlib.import_module(module or name)
        return True, version(name)

    return _attempt(name, check)


def _optional(name: str) -> Check:
    """Report a version without importing the package."""
    try:
        return Check(name, True, version(name))
    except PackageNotFoundError:
        return Check(name, True, "not installed (optional)")


def _numba() -> tuple[bool, str]:
    import numba

    answer = numba.njit(lambda x: x + 1)(41)
    return answer == 42, f"{numba.__version__}, compiles"


def _cache() -> tuple[bool, str]:
    """Where compiled kernels are kept, so that they are compiled once per machine."""
    from regionenum.engine.policy import cache_folder

    folder = cache_folder()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if os.access(existing, os.W_OK):
        state = (
            "kernels are compiled" if folder.exists() else "kernels will be compiled at the first use (half a minute)"
        )
        return True, f"{folder}: {state}"
    return False, f"{folder} is not writable; set REGIONENUM_CACHE_DIR to a folder that is"


def _mpi() -> Check:
    """Load MPI in a process of its own: a broken library may abort the process that loads it."""
    if find_spec("mpi4py") is None:
        return Check("mpi", True, "mpi4py is not installed (optional)")
    command = [sys.executable, "-c", "from mpi4py import MPI; print(MPI.Get_library_version().splitlines()[0])"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_MPI_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return Check("mpi", False, f"mpi4py {version('mpi4py')} does not start within {_MPI_SECONDS:.0f} s")
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return Check("mpi", False, f"mpi4py {version('mpi4py')} finds no working MPI library: {reason}")
    return Check("mpi", True, f"mpi4py {version('mpi4py')}, {done.stdout.strip()}")


def _environment(*prefixes: str) -> str:
    return ", ".join(f"{k}={v}" for k, v in sorted(os.environ.items()) if k.startswith(prefixes))


def _available_cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _self_test() -> tuple[bool, str]:
    from regionenum.choices import EngineName
    from regionenum.domain import Box
    from regionenum.enumeration import enumerate_regions

    found = []
    for engine in EngineName:
        result = enumerate_regions(star_network(), Box(-1, 1), record="regions", engine=engine)
        found.append((result.count, result.distinct_maps(), [layer.by_rank for layer in result.layers]))
        if found[-1][:2] != (5, 3):
            raise EngineError(f"the {engine} engine finds {found[-1][0]} regions and {found[-1][1]} maps, not 5 and 3")
    return found[0] == found[1], "5 regions and 3 distinct maps with both engines"
