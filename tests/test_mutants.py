"""The runner of mutants, on a repository of one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import mutants
from benchmarks.mutant import Mutant
from benchmarks.mutant_table import MUTANTS
from benchmarks.mutants import ROOT
from benchmarks.warm_pytest import WarmPytest

LINE = "def double(x):\n    return x + x\n"
TEST = "from line import double\n\ndef test():\n    assert double(3) == 6\n"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "line.py").write_text(LINE)
    (tmp_path / "test_line.py").write_text(TEST)
    monkeypatch.setattr(mutants, "ROOT", tmp_path)
    return tmp_path


def mutant(text: str, replacement: str) -> Mutant:
    return Mutant("a wrong line", "line.py", text, replacement, ("test_line.py",))


def test_a_mutant_dies_of_a_test(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For real: pytest passes on the copy, fails on the mutant, and the repository is what it was."""
    assert mutants.judge_all([mutant("x + x", "x * x")], 600.0) == 0
    out = capsys.readouterr().out
    assert out.startswith("killed  a wrong line (")
    assert "FAILED test_line.py::test" in out
    assert (repository / "line.py").read_text() == LINE


@pytest.mark.parametrize(
    ("codes", "fate"),
    [
        ((0, 1), "killed"),
        ((0, None), "killed"),
        ((0, 0), "SURVIVED"),
        ((1,), "TESTS DO NOT PASS WITHOUT IT"),
        ((None,), "TESTS DO NOT PASS WITHOUT IT"),
        ((4,), "TESTS DO NOT PASS WITHOUT IT"),
        ((0, 2), "TESTS DO NOT RUN"),
    ],
)
def test_fates(
    repository: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    codes: tuple[int | None, ...],
    fate: str,
) -> None:
    """By the exit codes of pytest on the copy and on the mutant; None: it took too long. Kernels are not compiled."""
    seen: list[str] = []

    class Told:
        def __init__(self, folder: Path, environment: dict[str, str]) -> None:
            assert environment["NUMBA_DISABLE_JIT"] == "1"
            self._folder = folder

        def run(self, arguments: list[str], output: Path, seconds: float) -> int | None:
            assert (arguments[-1], seconds) == ("test_line.py", 5.0)
            output.write_text("a line\nthe last line\n")
            seen.append((self._folder / "line.py").read_text())
            return codes[len(seen) - 1]

        def close(self) -> None:
            seen.append("closed")

    monkeypatch.setattr(mutants, "WarmPytest", Told)
    assert mutants.judge_all([mutant("x + x", "x * x")], 5.0) == (fate != "killed")
    assert seen == [*[LINE, LINE.replace("x + x", "x * x")][: len(codes)], "closed"]
    out = capsys.readouterr().out
    assert out.startswith(f"{fate}  a wrong line (")
    assert ("took longer than 5 s" if codes[-1] is None else "the last line") in out


@pytest.mark.parametrize(
    ("patient", "why"),
    [
        (mutant("x - x", "x * x"), "0 places"),
        (mutant("x", "y"), "3 places"),
        (mutant("x + x", "x + x"), "must be replaced"),
        (Mutant("a wrong line", "missing.py", "x", "y", ("test_line.py",)), "0 places"),
    ],
    ids=["none", "three", "no change", "no file"],
)
def test_mutants_that_do_not_apply(
    repository: Path, capsys: pytest.CaptureFixture[str], patient: Mutant, why: str
) -> None:
    assert mutants.judge_all([patient], 5.0) == 1
    out = capsys.readouterr().out
    assert out.startswith("DOES NOT APPLY  a wrong line (")
    assert why in out


def test_a_run_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    """And the next one sees the files as they are then."""
    warm, output = WarmPytest(tmp_path, dict(os.environ)), tmp_path / "output.txt"
    arguments = ["-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning", "test_it.py"]
    (tmp_path / "test_it.py").write_text("import signal\n\ndef test():\n    signal.pause()\n")
    assert warm.run(arguments, output, 0.0) is None
    for condition, code in ((True, 0), (False, 1)):
        (tmp_path / "test_it.py").write_text(f"def test():\n    assert {condition}, 'so it is'\n")
        assert warm.run(arguments, output, 600.0) == code
        assert ("so it is" in output.read_text()) != condition
    warm.close()


def test_every_mutant_applies() -> None:
    """A change of the code must take its mutants along."""
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    for patient in MUTANTS:
        assert (ROOT / patient.file).read_text().count(patient.text) == 1, patient.name
        assert patient.text != patient.replacement


def test_every_mutant_names_tests_that_there_are() -> None:
    """As must a change of the tests, or of the examples that they have as parameters."""
    tests = sorted({test for mutant in MUTANTS for test in mutant.tests})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_list_and_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert mutants.main(["--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(MUTANTS)
    assert mutants.main(["no such mutant"]) == 2
    assert "no mutant is called 'no such mutant'" in capsys.readouterr().err
