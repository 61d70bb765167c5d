"""What the kernels' policy takes from inside numba is still there, and does what it is used for.

None of it is promised by numba: these tests say which of it a new version has changed.
"""

import inspect
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from llvmlite.binding import get_host_cpu_features, get_host_cpu_name
from numba.core import config
from numba.core.codegen import CPUCodeLibrary
from numba.core.compiler import Flags

from regionenum.engine import policy

compiled_only = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="kernels are not compiled")


def test_the_method_that_is_replaced_exists() -> None:
    assert list(inspect.signature(policy._optimise).parameters) == ["self"]
    assert policy._optimise.__qualname__ == "CPUCodeLibrary._optimize_final_module"
    assert CPUCodeLibrary._optimize_final_module is policy._optimise_outermost


@compiled_only
def test_only_what_python_calls_is_optimised(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that calls a kernel: two libraries are finished, one of them is optimised."""
    optimised: list[str] = []
    original = policy._optimise

    def optimise(library):
        optimised.append(library.name)
        original(library)

    monkeypatch.setattr(policy, "_optimise", optimise)

    def inner(x):
        return np.sqrt(x) + 1.0

    inner_kernel = policy._compiled(inner, policy.OPTIONS)

    def outer(x):
        return 2.0 * inner_kernel(x)

    assert policy._compiled(outer, policy.OPTIONS)(4.0) == 6.0
    assert sum("outer" in name for name in optimised) == 1
    assert not any("inner" in name for name in optimised)


def test_options_are_known() -> None:
    """numba says nothing of flags that it does not know at the level below `njit`."""
    flags = Flags()
    for name in ("nrt", "forceinline", "release_gil", "error_model", "boundscheck", "fastmath"):
        assert hasattr(flags, name), name


@compiled_only
def test_a_kernel_counts_no_references() -> None:
    """Of a function that numba's ordinary options make count references to an array."""

    def second(x):
        return x[1:][0]

    def code(**options: object) -> str:
        function = numba.njit(**options)(second)
        assert function(np.arange(3.0)) == 1.0
        return "".join(function.inspect_llvm().values())

    counted = {key: value for key, value in policy.OPTIONS.items() if key != "_nrt"}
    assert "NRT_" in code(**counted)
    assert "NRT_" not in code(**policy.OPTIONS)


@compiled_only
def test_kernels_are_kept_in_the_cache_folder() -> None:
    """numba takes the folder from its settings in the moment when a function is given to it; they are put back."""

    def half(x):
        return 0.5 * x

    folder_before = config.CACHE_DIR
    kernel: Any = policy.kernel(half)
    assert Path(kernel.stats.cache_path).is_relative_to(policy.cache_folder())
    assert folder_before == config.CACHE_DIR


def test_the_processor_has_a_name_and_features() -> None:
    """They name the file that says for which machine the kernels were compiled."""
    assert get_host_cpu_name()
    assert get_host_cpu_features().flatten()
