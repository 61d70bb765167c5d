"""One protocol: engines make explorers, one driver drives them, whether their tree can be split or not."""

import logging
import pickle
from dataclasses import dataclass, fields
from types import SimpleNamespace

import numpy as np
import pytest

import regionenum as rn
from regionenum.engine import compiled, policy
from regionenum.engine.explore import open_explorer
from regionenum.engine.interface import Batch, Cells, Engine, Options, Problem, Record, Shape, Statistics
from regionenum.engine.reference import HighsEngine
from regionenum.enumeration import Enumeration, Settings, enumerate_regions, follow
from regionenum.network.layers import Layer, Network
from regionenum.network.units import Units
from regionenum.parallel.driver import Budget
from regionenum.parallel.runner import NUMBERS_PER_TASK, TaskRunner
from regionenum.parallel.stop import Stop
from regionenum.parallel.subtree_codec import encode_subtree
from regionenum.parallel.task import Task
from tests.exploring import ENGINES, explore, same_statistics
from tests.line import LineEngine, relu_chain

RNG = np.random.default_rng(5)
PLANE = relu_chain(
    (RNG.integers(-4, 5, (5, 2)), RNG.integers(-4, 5, 5)),
    (RNG.integers(-4, 5, (4, 5)), RNG.integers(-4, 5, 4)),
    (np.ones((1, 4)), [0]),
)
SQUARE = rn.Box(-2, 2)
PROBLEM = Problem.over(PLANE, SQUARE)
SINGLE_STEPS = Budget(0.0, 0.0)


@pytest.fixture
def steps_of_one_test(monkeypatch):
    always = property(lambda self: 1, lambda self, tests: None)
    monkeypatch.setattr("regionenum.parallel.runner.StepLength.tests", always, raising=False)


@pytest.fixture(scope="module")
def expected():
    return explore(HighsEngine(), PROBLEM, Record.TREE)


def patterns(result):
    return sorted(result.regions.column("pattern").to_pylist())


# --- engines whose tree stays in one piece ------------------------------------------------------------------------------


@pytest.mark.parametrize("record", ["none", "regions", "tree"])
def test_highs_through_the_driver(expected, tmp_path, steps_of_one_test, record):
    """A task for every cell: what the driver adds up is the exploration in one piece; every commit is valid."""
    moments = []

    def check(progress):
        moments.append(progress.regions)
        stored = rn.open_run(tmp_path / "run")
        assert stored.count == progress.regions
        if record != "none":
            assert len(stored.regions) == stored.count

    settings = Settings(record=record, out=tmp_path / "run", engine="highs", budget=SINGLE_STEPS, commit_seconds=0.0)
    run = Enumeration(PLANE, SQUARE, settings)
    follow(run, check)
    result = run.result()
    assert result.complete
    assert same_statistics(result.statistics, expected.statistics)
    assert result.counters == expected.counters
    assert len(moments) > expected.regions > 20
    assert moments == sorted(moments)
    if record == "tree":
        cells = result.cells.to_pandas()
        assert cells["cell"].is_unique
        assert len(cells) == expected.statistics.cells[1:].sum()
        assert set(cells.query("layer == 1")["parent"]) == set(cells.query("layer == 0")["cell"])
    if record != "none":
        assert patterns(result) == patterns(enumerate_regions(PLANE, SQUARE, record="regions"))


def test_an_unsplittable_tree_goes_on_where_it_was_and_begins_again_elsewhere(expected):
    problem, whole = PROBLEM, expected
    here, there = (HighsEngine().explorer(problem, Options(Record.TREE)) for _ in range(2))
    here.start(here.root, first_number=7)
    batches = [here.step(1)]
    (root,) = here.rest().subtrees
    assert encode_subtree(root) == encode_subtree(here.root) == encode_subtree(there.root)
    assert not here.rest().open_cells
    while not here.finished:
        here.start(root, first_number=1000)
        batches.append(here.step(1))
        left = here.rest()
        assert len(left.subtrees) == (not here.finished) or not left.subtrees
    assert [(cell.level, cell.rank) for cell in left.open_cells] == [(0, problem.dim)]
    assert _sum(problem, batches, left.open_cells, whole.statistics)
    numbers = np.concatenate([batch.cells.cell for batch in batches if batch.cells is not None])
    assert numbers.min() == 7
    # another explorer knows nothing of it
    there.start(root)
    batches = [there.step(10**9) for _ in iter(lambda: there.finished, True)]
    assert _sum(problem, batches, there.rest().open_cells, whole.statistics)


def _sum(problem: Problem, batches: list[Batch], open_cells, expected: Statistics) -> bool:
    statistics = Statistics.at_start(problem.shape)
    for batch in batches:
        statistics.add(batch.statistics)
    for cell in open_cells:
        statistics.close(cell)
    return same_statistics(statistics, expected)


def test_a_run_of_highs_stops_and_says_that_it_starts_again(tmp_path):
    settings = Settings(out=tmp_path / "run", engine="highs", budget=SINGLE_STEPS)
    run = Enumeration(PLANE, SQUARE, settings, Stop(max_regions=5))
    follow(run)
    assert not run.resumable
    assert not run.result().complete
    assert run.result().count >= 5
    with pytest.raises(rn.InputError, match=r'its engine \("highs"\) cannot go on from the middle'):
        enumerate_regions(PLANE, SQUARE, engine="highs", out=tmp_path / "run", resume=True)


# --- networks without units ---------------------------------------------------------------------------------------------

NO_UNITS = Network((Layer("last", np.ones((1, 3)), np.zeros(1), Units.identity(1)),), (3,))


@pytest.mark.parametrize("engine", [*ENGINES.values(), LineEngine])
def test_networks_without_units_take_one_path(engine: type[Engine], tmp_path):
    """No engine is asked: the driver finds the one region, in memory, on disk, and on resuming."""

    class Unasked(engine):  # type: ignore[misc, valid-type]
        def explorer(self, problem, options):
            raise AssertionError("an engine is asked for problems with unit layers only")

    unasked, box = Unasked(), rn.Box(-1.0, 2.0)
    problem = Problem.over(NO_UNITS, box)
    assert explore(unasked, problem, Record.TREE).regions == 1
    for record in ("none", "tree"):
        stopped = Enumeration(
            NO_UNITS, box, Settings(record=record, out=tmp_path / record, engine=unasked), Stop(time_limit=0.0)
        )
        follow(stopped)
        assert (stopped.result().count, stopped.result().complete) == (0, False)
        result = stopped.result()
        if unasked.splittable:
            result = enumerate_regions(NO_UNITS, box, record=record, out=tmp_path / record, engine=unasked, resume=True)
            assert result.complete
        else:
            result = enumerate_regions(NO_UNITS, box, record=record, engine=unasked)
        assert result.count == 1
        assert result.input.by_rank[3].children == 0
    assert len(result.cells) == len(result.regions) == 1
    assert result.cells.column("layer").to_pylist() == [-1]


# --- options ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MoreOptions(Options):
    """Options as they may be one day."""

    depth_of_proof: int = 0


class Telling(compiled.CompiledEngine):
    """Stops with what it was asked for."""

    def explorer(self, problem, options):
        raise rn.EngineError(f"{options!r} of {type(options).__name__}")


def test_options_travel_to_workers_as_one_object(tmp_path):
    """Whatever fields they have: nobody between the caller and the engine takes them apart."""
    options = MoreOptions(Record.TREE, depth_of_proof=3)
    letter = pickle.dumps((TaskRunner.of, Telling(), PROBLEM, options))
    of, engine, problem, received = pickle.loads(letter)
    with pytest.raises(rn.EngineError, match=r"depth_of_proof=3\) of MoreOptions"):
        of(engine, problem, received)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_record_level_reaches_every_worker(workers):
    result = enumerate_regions(PLANE, SQUARE, record="tree", workers=workers)
    assert len(result.cells) == result.statistics.cells[1:].sum()


class Keeping:
    """A cell store that keeps what it is given."""

    def __init__(self):
        self.kept: list[Cells] = []

    def store(self, cells, task):
        self.kept += cells
        return len(cells)


def test_explorers_record_what_the_options_say():
    root = encode_subtree(open_explorer(compiled.CompiledEngine(), PROBLEM, Options()).root)
    for record in Record:
        keeping = Keeping()
        runner = TaskRunner.of(compiled.CompiledEngine(), PROBLEM, Options(record), keeping)
        result = runner.run(Task(3, [root], 60.0))
        rows = sum(len(cells) for cells in keeping.kept)
        levels = {Record.NONE: 0, Record.REGIONS: result.statistics.cells[-1].sum()}
        assert rows == levels.get(record, result.statistics.cells[1:].sum())
        assert (result.stored is None) == (record is Record.NONE)
        assert all(cells.cell.min() >= 3 * NUMBERS_PER_TASK for cells in keeping.kept)


# --- kernels ------------------------------------------------------------------------------------------------------------


def test_compiling_is_announced_once(monkeypatch, caplog):
    noted = []
    monkeypatch.setattr(policy, "note_on_disk", lambda ready: noted.append(ready))
    for on_disk, lines in ((True, 0), (False, 1)):
        monkeypatch.setattr(policy, "are_on_disk", lambda on_disk=on_disk: on_disk)
        caplog.clear()
        compiled.load_kernels.cache_clear()
        with caplog.at_level(logging.WARNING):
            compiled.CompiledEngine().explorer(PROBLEM, Options())
            compiled.CompiledEngine().explorer(PROBLEM, Options())
        assert len(noted) == lines
        assert [record.getMessage()[:35] for record in caplog.records] == [
            "regionenum: compiling the kernels, "
        ] * lines


def test_sources_that_change_while_kernels_are_compiled(monkeypatch, tmp_path):
    """What was compiled is noted as compiled, and nothing is said of the new sources, whose folder does not exist."""
    monkeypatch.setenv("REGIONENUM_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(policy, "config", SimpleNamespace(DISABLE_JIT=0))
    before, sources, start = policy.ready_file(), policy._sources(), compiled.CompiledExplorer.start
    changed = tmp_path / "changed.py"
    changed.write_text("# other lines\n")

    def edited_meanwhile(*arguments):
        monkeypatch.setattr(policy, "_sources", lambda: [*sources, changed])
        return start(*arguments)

    monkeypatch.setattr(compiled.CompiledExplorer, "start", edited_meanwhile)
    compiled.load_kernels.cache_clear()
    compiled.load_kernels()
    assert before.exists()
    assert policy.ready_file() != before
    assert not policy.are_on_disk()


def test_statistics_of_all_fields_are_at_start():
    statistics = Statistics.at_start(Shape.of(3, (2, 2)))
    assert statistics.cells[0, 3] == statistics.cells.sum() == 1
    assert not any(getattr(statistics, f.name).any() for f in fields(Statistics) if f.name != "cells")
    assert not Statistics.at_start(Shape.of(3, ())).cells.any()
