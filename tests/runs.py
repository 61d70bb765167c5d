"""Small run directories, for the tests of what is written and read."""

import json

from regionenum.enumeration import enumerate_regions
from regionenum.results import writer
from tests.line import LineEngine
from tests.test_schema import BOX, NET

REGIONS, CELLS = 5, 8
"""Regions of the network over the box, and cells of its two layers."""


def small_run(folder, monkeypatch, record):
    """A run directory of two parts."""
    monkeypatch.setattr(writer, "PART_ROWS", 3)
    enumerate_regions(NET, BOX, record=record, out=folder, engine=LineEngine(size=2))
    return folder


def edit(run, change):
    path = run / "manifest.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def parts(run):
    return sorted((run / "parts").glob("*.parquet"))
