"""Small run directories, for the tests of what is written and read."""

import json

from regionenum.enumeration import Enumeration, Settings, follow
from regionenum.parallel.driver import Budget
from regionenum.results import writer
from tests.line import LineEngine
from tests.test_schema import BOX, NET

REGIONS, CELLS = 5, 8
"""Regions of the network over the box, and cells of its two layers."""


def in_tasks_of(size, on_progress=None, **settings):
    """Enumerate by tasks of that many regions."""
    in_steps = Settings(engine=LineEngine(size), budget=Budget(0.0, 0.0), **settings)
    follow(Enumeration(NET, BOX, in_steps), on_progress)


def small_run(folder, monkeypatch, record):
    """A run directory of two parts."""
    monkeypatch.setattr(writer, "PART_ROWS", 3)
    in_tasks_of(2, record=record, out=folder)
    return folder


def edit(run, change):
    path = run / "manifest.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def parts(run):
    return sorted((run / "parts").glob("*.parquet"))
