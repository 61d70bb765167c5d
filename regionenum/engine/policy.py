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
from llvmlite.binding import Linkage, get_host_cpu_features, get_host_cpu_name
from numba.core import config
from numba.core.codegen import CPUCodeLibrary

Function = TypeVar("Function", bound=Callable[..., Any])


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
    """Every file of which something ends up in a kernel: functions, constants, and the verbs of representations."""
    here = Path(__file__).parent
    shared = [here / name for name in ("cells.py", "counters.py", "lanes.py", "policy.py", "subtree.py", "tables.py")]
    shared.append(here.parent / "domain" / "half_spaces.py")  # the unit roundoff
    return [*shared, *sorted(here.glob("dictionary/*.py")), *sorted(here.glob("walk/*.py"))]


def ready_file() -> Path:
    """A file that exists once all kernels are on disk for these very files (numba asks for their times), and this CPU."""
    times = [path.stat().st_mtime for path in _sources()]
    target = (times, numba.__version__, sys.version_info[:3], get_host_cpu_name(), get_host_cpu_features().flatten())
    return cache_folder() / f"ready-{hashlib.sha256(repr(target).encode()).hexdigest()[:16]}"


def are_on_disk() -> bool:
    """Whether all kernels were compiled before, or need not be."""
    return bool(config.DISABLE_JIT) or ready_file().exists()


def note_on_disk(ready: Path) -> None:
    """Note that all kernels are on disk now, in the file that was theirs when compiling began.

    Sources that changed meanwhile have another file, in a folder that need not exist: their kernels are not on disk.
    """
    ready.parent.mkdir(parents=True, exist_ok=True)
    ready.touch()


OPTIONS: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "boundscheck": False,
    "fastmath": {"nnan", "nsz", "contract", "reassoc"},
    "_nrt": False,
}


def kernel(function: Function) -> Function:
    """Compile a function under the policy above, lazily for each combination of argument types."""
    return _compiled(function, OPTIONS)


def inlined(function: Function) -> Function:
    """Compile a kernel that is put into its callers, so that no array has to be passed: for small ones in hot places."""
    return _compiled(function, OPTIONS | {"forceinline": True})


def _compiled(function: Function, options: dict[str, Any]) -> Function:
    if config.DISABLE_JIT:
        # plain Python, slow, for a debugger and for tests that change kernels
        return function
    outer = config.CACHE_DIR
    config.CACHE_DIR = str(cache_folder())
    try:
        compiled: Any = numba.njit(cache=True, **options)(function)
    finally:
        config.CACHE_DIR = outer
    compile_one = compiled.compile

    def compile_counted(signature: Any) -> Any:
        _Depth.now += 1
        try:
            return compile_one(signature)
        finally:
            _Depth.now -= 1

    compiled.compile = compile_counted
    result: Function = compiled
    return result


class _Depth:
    """How many kernels are being compiled, each for the one before."""

    now = 0


_optimise = CPUCodeLibrary._optimize_final_module


def _optimise_outermost(library: Any) -> None:
    """Optimise what Python calls, with all that it calls; not once more each of those for itself.

    Otherwise a kernel would be optimised again in everything that contains it, which takes twice as long in all. What is
    called becomes private to the caller's module (`_make_private`).
    """
    if _Depth.now <= 1:
        _make_private(library._final_module)
        _optimise(library)


def _make_private(module: Any) -> None:
    """Make what a module took over from others its own, under names that no other module has.

    A symbol that many modules define goes to the one that was loaded first, which may be one that was not optimised. And the
    optimiser changes how a private function is called, so that nobody else may find it: loaded code is bound by names, those
    of private functions too.
    """
    functions = [function for function in module.functions if not function.is_declaration]
    shared = [function for function in functions if function.linkage == Linkage.linkonce_odr]
    own = min(function.name for function in functions if function.linkage == Linkage.external)
    token = hashlib.sha256(own.encode()).hexdigest()[:12]
    for function in shared:
        function.linkage = "internal"
        function.name = f"{function.name}.{token}"


CPUCodeLibrary._optimize_final_module = _optimise_outermost
