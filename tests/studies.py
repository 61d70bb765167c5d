"""What tests of studies share: tables of a study, and an oracle for networks of one input."""

import json
from typing import Any

import numpy as np

from regionenum.cli import main
from regionenum.network.layers import Network

UNTIMED = ("seconds", "rate")
"""Columns that differ from run to run."""

LINE: dict[str, dict[str, Any]] = {
    "study": {"name": "line"},
    "domain": {"kind": "box", "lower": -1, "upper": 1},
    "grid": {"inputs": 1, "widths": [[4], [4, 2]], "pooling": ["none", "max2"], "seeds": 2},
}
"""Networks of one input that are not trained."""


def tables(out, **changed):
    """The tables of `LINE` with another folder, and with keys of tables replaced."""
    found: dict[str, Any] = {name: dict(table) for name, table in LINE.items()}
    found["study"]["out"] = str(out)
    for name, table in changed.items():
        found[name] = found.get(name, {}) | table if isinstance(table, dict) else table
    return found


def write(path, content):
    """A dictionary of tables as TOML."""
    lines = []
    for name, table in content.items():
        for each in table if isinstance(table, list) else [table]:
            lines.append(f"[[{name}]]" if isinstance(table, list) else f"[{name}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in each.items()]
    path.write_text("\n".join(lines) + "\n")
    return path


def untimed(table):
    """Rows of a table without the columns that differ from run to run."""
    return [{key: value for key, value in row.items() if key not in UNTIMED} for row in table.to_pylist()]


def regions_on_the_line(network: Network, low=-1.0, high=1.0) -> int:
    """Regions of a network of one input, by the patterns of 200,001 points of the segment, met in order.

    It misses a region that lies between two of these points; those of the networks here do not.
    """
    x = np.linspace(low, high, 200_001)[1:-1].reshape(-1, 1)
    return 1 + int((np.diff(network.pattern(x), axis=0) != 0).any(axis=1).sum())


def run(*arguments):
    """The command line."""
    return main(["compare", *map(str, arguments)])


def error_of(capsys, code, *arguments):
    """The one sentence of a command that fails with a code."""
    assert run(*arguments) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("regionenum: error: ")
    assert captured.err.count("\n") == 1
    return captured.err.removeprefix("regionenum: error: ").strip()


def columns(text):
    """The longest line."""
    return max(map(len, text.splitlines()))
