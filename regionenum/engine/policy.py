"""How kernels are compiled: the one place that decides.

Every kernel is `nopython`, releases the GIL, divides like NumPy (no exceptions inside loops) and may contract a*b + c
and reorder sums; no bound in this project depends on the order of a sum. Compiled code is kept on disk in a folder
named after a digest of all kernel sources: numba looks only at the file of the function it compiles, and would
otherwise run stale code after a change to a kernel that was inlined from another file.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from llvmlite.binding import get_host_cpu_features, get_host_cpu_name
from numba.core import config

Function = TypeVar("Function", bound=Callable[..., Any])

FAST_MATH = {"nnan", "nsz", "contract", "reassoc"}


def cache_folder() -> Path:
    """Folder of the compiled kernels: under REGIONENUM_CACHE_DIR if set, else under the user's cache folder."""
    chosen = os.environ.get("REGIONENUM_CACHE_DIR")
    if chosen:
        base = Path(chosen)
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches" / "regionenum"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "regionenum"
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in _sources())).hexdigest()
    return base / f"kernels-{digest[:16]}"


def _sources() -> list[Path]:
    folder = Path(__file__).parent
    return [Path(__file__), folder / "counters.py", *sorted(folder.glob("*_kernel.py"))]


def _ready() -> Path:
    """A file that exists once all kernels are on disk for these very files (numba asks for their times), and this CPU."""
    times = [path.stat().st_mtime for path in _sources()]
    target = (times, numba.__version__, sys.version_info[:3], get_host_cpu_name(), get_host_cpu_features().flatten())
    return cache_folder() / f"ready-{hashlib.sha256(repr(target).encode()).hexdigest()[:16]}"


def are_on_disk() -> bool:
    """Whether all kernels were compiled before."""
    return _ready().exists()


def note_on_disk() -> None:
    """Note that all kernels are on disk now."""
    _ready().touch()


def kernel(function: Function) -> Function:
    """Compile a function under the policy above, lazily for each combination of argument types."""
    outer = config.CACHE_DIR
    config.CACHE_DIR = str(cache_folder())
    try:
        compiled: Function = numba.njit(
            cache=True, nogil=True, error_model="numpy", boundscheck=False, fastmath=FAST_MATH, _nrt=False
        )(function)
    finally:
        config.CACHE_DIR = outer
    return compiled
