"""One table of counters, from the kernels to the report."""

import dataclasses
import json
import pickle
import subprocess
import sys

import numpy as np

import regionenum as rn
from regionenum.cli.tables import as_dict
from regionenum.engine import counters as table
from regionenum.engine.counters import COUNTERS, N_COUNTERS, Counters
from regionenum.engine.interface import Problem, Shape, Statistics
from regionenum.engine.tables import make_tables
from regionenum.engine.walk.state import make_walk
from regionenum.parallel.task import TaskResult
from tests.test_schema import BOX, NET

NAMES = [counter.name for counter in COUNTERS]


def some_counters():
    return Counters(*range(1, N_COUNTERS + 1))


def test_every_counter_has_a_meaning_and_its_own_name():
    assert len(set(NAMES)) == N_COUNTERS == len(COUNTERS)
    assert all(counter.meaning for counter in COUNTERS)
    assert [field.name for field in dataclasses.fields(Counters)] == NAMES


def test_places_are_those_of_the_table():
    """Kernels count by place, everybody else by name."""
    for place, name in enumerate(NAMES):
        assert getattr(table, name.upper()) == place
    assert dataclasses.asdict(Counters.of(np.arange(N_COUNTERS))) == dict(zip(NAMES, range(N_COUNTERS), strict=True))


def test_kernels_count_in_an_array_of_the_table():
    problem = Problem.over(NET, BOX)
    assert make_walk(make_tables(problem), 0, 4).tally.counters.shape == (N_COUNTERS,)


def test_counters_add_up_by_name():
    total = some_counters()
    total.add(some_counters())
    assert dataclasses.asdict(total) == {name: 2 * k for k, name in enumerate(NAMES, 1)}


def test_the_wire_carries_every_counter():
    result = TaskResult(1, Statistics.zeros(Shape.of(1, (2, 2))), some_counters())
    assert pickle.loads(pickle.dumps(result)).counters == some_counters()


def test_manifest_and_report_show_every_counter(tmp_path):
    result = rn.enumerate_regions(NET, BOX, out=tmp_path / "run")
    stored = json.loads((tmp_path / "run" / "manifest.json").read_text())["counters"]
    assert list(stored) == list(as_dict(result)["counters"]) == NAMES
    assert rn.open_run(tmp_path / "run").counters == result.counters
    assert result.counters.tests > 0


ONE_MORE = """
import importlib.util, pathlib, pickle, sys, types

spec = importlib.util.find_spec("regionenum.engine.counters")
source = pathlib.Path(spec.origin).read_text()
line = '    more: int = _counter("one more")\\n'
module = sys.modules[spec.name] = types.ModuleType(spec.name)
exec(compile(source.replace("\\n    @classmethod", line + "\\n    @classmethod", 1), spec.origin, "exec"), module.__dict__)

from regionenum.engine.interface import Counters, Shape, Statistics
from regionenum.engine.walk.state import N_COUNTERS
from regionenum.parallel.task import TaskResult

result = pickle.loads(pickle.dumps(TaskResult(1, Statistics.zeros(Shape.of(1, (2,))), Counters(more=5))))
result.counters.add(Counters(more=2))
print(module.COUNTERS[-1], N_COUNTERS, result.counters.more)
"""


def test_one_line_makes_a_counter():
    """A counter of Python code: it is counted, sent and shown without another change."""
    done = subprocess.run([sys.executable, "-c", ONE_MORE], capture_output=True, text=True, check=False)
    assert done.stdout == f"Counter(name='more', meaning='one more') {N_COUNTERS + 1} 7\n", done.stderr
