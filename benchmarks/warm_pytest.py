"""pytest, again and again, in forks of one process that has imported the packages that do not change.

Most of the time of a test that takes a tenth of a second goes into imports. The process reads one line of JSON for each run,
{"arguments": [..], "output": path, "seconds": limit}, and answers with the exit code of pytest, or null if it took too long.
Nothing of the tree under test is imported before a fork, so that each run sees the files as they are then.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

PACKAGES = (
    "numpy",
    "scipy.sparse",
    "scipy.linalg",
    "numba",
    "flint",
    "highspy",
    "pyarrow.parquet",
    "hypothesis",
    "pytest",
)
"""What takes long to import; one that is not there is not needed."""
WAIT = 0.02
"""Seconds between two looks at whether a run has ended."""


class WarmPytest:
    """Such a process, in a folder."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, arguments: list[str], output: Path, seconds: float) -> int | None:
        """Exit code of pytest, None if it took longer; what it prints is in a file then."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(
            json.dumps({"arguments": arguments, "output": str(output), "seconds": seconds}),
            file=self._process.stdin,
            flush=True,
        )
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the process that runs pytest has ended; its last words are above")
        code: int | None = json.loads(answer)
        return code

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def serve(requests: IO[str], answers: IO[str]) -> None:
    """Run pytest for every request, until there are no more."""
    for name in PACKAGES:
        with suppress(ImportError):
            importlib.import_module(name)
    for line in requests:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _child(request["arguments"], request["output"])
        # a group of its own, by whoever comes first
        os.setpgid(pid, pid)
        print(json.dumps(_waited(pid, request["seconds"])), file=answers, flush=True)


def _child(arguments: list[str], output: str) -> None:
    """Run pytest and end."""
    os.setpgid(0, 0)
    file = os.open(output, os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(file, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    import pytest

    code = pytest.main(arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(int(code))


def _waited(pid: int, seconds: float) -> int | None:
    """Exit code of a child; None, and it is ended with all that it started, if that takes longer."""
    end = time.monotonic() + seconds
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return None
        time.sleep(WAIT)


if __name__ == "__main__":
    serve(sys.stdin, sys.stdout)
