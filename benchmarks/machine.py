"""What a measurement was made on: the machine and the versions, for the head of a benchmark's output."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("regionenum", "numpy", "numba", "llvmlite", "torch")


def processor() -> str:
    """The processor's name."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def describe() -> dict[str, str]:
    """Processor, system, Python and package versions."""
    return {
        "processor": f"{processor()}, {os.cpu_count()} cores",
        "system": platform.platform(),
        "python": platform.python_version(),
    } | {name: version(name) for name in PACKAGES}


def summary() -> str:
    """`describe` as two lines."""
    facts = describe()
    versions = ", ".join(f"{name} {facts[name]}" for name in ("python", *PACKAGES))
    return f"{facts['processor']}; {facts['system']}\n{versions}"
