"""Where and with what a run is made."""

from __future__ import annotations

import os
import platform
import socket
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any


def provenance() -> dict[str, Any]:
    """Versions, machine, start time and command line, of JSON types."""
    return {
        "regionenum": version("regionenum"),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in ("numpy", "scipy", "numba", "highspy", "python-flint", "pyarrow")},
        "platform": platform.platform(),
        "host": socket.gethostname(),
        "cpus": os.cpu_count(),
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
    }
