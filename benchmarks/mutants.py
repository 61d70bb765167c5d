"""Do the tests notice? Each mutant is one wrong line: `python -m benchmarks.mutants [--list] [NAME ...]`.

The mutants are listed in `mutant_table.py`. The working tree is copied to a temporary folder. There one mutant at a time
replaces a text that occurs exactly once, its tests run, and the text is put back. Kernels are not compiled, so that a mutant
of a kernel takes seconds. A mutant is killed if its tests fail, or take longer than the time limit; otherwise it SURVIVED. The
tests must pass on the copy as it is, or a death would prove nothing. Exits 1 unless all are killed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from enum import StrEnum
from pathlib import Path

from benchmarks.mutant import DoesNotApplyError, Mutant
from benchmarks.mutant_table import MUTANTS
from benchmarks.warm_pytest import WarmPytest

ROOT = Path(__file__).resolve().parent.parent
NOT_COPIED = shutil.ignore_patterns(".git", ".venv*", "__pycache__", ".*_cache", ".hypothesis", "*.egg-info", "runs")

ARGUMENTS = (
    "-x",
    "-q",
    "-p",
    "no:cacheprovider",
    "--hypothesis-seed=0",
    # NumPy warns of overflows, which compiled kernels and their bounds are made for
    "-W",
    "ignore::RuntimeWarning",
    # of packages that are there before pytest is
    "-W",
    "ignore::pytest.PytestAssertRewriteWarning",
)
"""Arguments of pytest, before the tests."""

PASSED, FAILED = 0, 1
"""Exit codes of pytest; all others mean that it did not get so far."""


class Fate(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    SURVIVED = "SURVIVED"
    DOES_NOT_APPLY = "DOES NOT APPLY"
    NO_TEST = "TESTS DO NOT PASS WITHOUT IT"
    NO_ANSWER = "TESTS DO NOT RUN"


def main(argv: list[str] | None = None) -> int:
    """Judge the chosen mutants, or all."""
    options = _options(argv)
    if options.list:
        for mutant in MUTANTS:
            print(f"{mutant.name}: {mutant.file}; {' '.join(mutant.tests)}")
        return 0
    unknown = set(options.names) - {mutant.name for mutant in MUTANTS}
    if unknown:
        print(f"no mutant is called {', '.join(sorted(map(repr, unknown)))}; --list shows their names", file=sys.stderr)
        return 2
    chosen = [mutant for mutant in MUTANTS if not options.names or mutant.name in options.names]
    return judge_all(chosen, options.seconds)


def judge_all(mutants: list[Mutant], seconds: float) -> int:
    """Print the fate of every mutant; the exit code."""
    n_killed = 0
    with tempfile.TemporaryDirectory() as folder, closing(Nursery(Path(folder), seconds)) as nursery:
        for mutant in mutants:
            start = time.perf_counter()
            fate, why = nursery.fate(mutant)
            n_killed += fate is Fate.KILLED
            print(f"{fate}  {mutant.name} ({time.perf_counter() - start:.0f} s): {why}", flush=True)
    print(f"{n_killed} of {len(mutants)} killed")
    return 0 if n_killed == len(mutants) else 1


class Nursery:
    """A copy of the working tree in which mutants live, one at a time."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self._folder, self._seconds = folder, seconds
        self._root = folder / "tree"
        shutil.copytree(ROOT, self._root, ignore=NOT_COPIED)
        self._healthy: dict[tuple[str, ...], tuple[int | None, str]] = {}
        environment = {
            "PYTHONPATH": str(self._root),
            "PYTHONDONTWRITEBYTECODE": "1",
            "NUMBA_DISABLE_JIT": "1",
            "HYPOTHESIS_STORAGE_DIRECTORY": str(self._folder / "hypothesis"),
            # of the terminal: names of tests are not cut off
            "COLUMNS": "500",
        }
        self._pytest = WarmPytest(self._root, os.environ | environment)

    def close(self) -> None:
        """End the process in which tests run."""
        self._pytest.close()

    def fate(self, mutant: Mutant) -> tuple[Fate, str]:
        """What becomes of a mutant, and the reason: the first failed test, or pytest's last line."""
        try:
            with self._mutated(mutant):
                pass
        except DoesNotApplyError as error:
            return Fate.DOES_NOT_APPLY, str(error)
        if mutant.tests not in self._healthy:
            self._healthy[mutant.tests] = self._tested(mutant)
        code, why = self._healthy[mutant.tests]
        if code != PASSED:
            return Fate.NO_TEST, why
        with self._mutated(mutant):
            code, why = self._tested(mutant)
        if code not in (PASSED, FAILED, None):
            return Fate.NO_ANSWER, why
        return Fate.SURVIVED if code == PASSED else Fate.KILLED, why

    @contextmanager
    def _mutated(self, mutant: Mutant) -> Iterator[None]:
        content = mutant.apply(self._root)
        try:
            yield
        finally:
            (self._root / mutant.file).write_text(content)

    def _tested(self, mutant: Mutant) -> tuple[int | None, str]:
        """Exit code of pytest (None: too long) and the line that says most."""
        output = self._folder / "output.txt"
        try:
            code = self._pytest.run([*ARGUMENTS, *mutant.tests], output, self._seconds)
        finally:
            shutil.rmtree(self._folder / "hypothesis", ignore_errors=True)
        if code is None:
            return None, f"took longer than {self._seconds:g} s"
        lines = output.read_text().strip().splitlines() or [""]
        failed = [line for line in lines if line.startswith("FAILED")]
        return code, failed[0] if failed else lines[-1]


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="these mutants only")
    parser.add_argument("--list", action="store_true", help="name the mutants, and do nothing else")
    parser.add_argument("--seconds", type=float, default=1200.0, help="time limit for the tests of one mutant")
    return parser.parse_args(argv)


if __name__ == "__main__":
    raise SystemExit(main())
