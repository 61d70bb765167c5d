"""What the tests of malformed input share."""

from __future__ import annotations

import pytest

from regionenum.cli import main


def sentence_of(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """What a command that meets bad input says."""
    assert main(argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("regionenum: error: ")
    assert captured.err.count("\n") == 1
    assert "Traceback" not in captured.err
    return captured.err
