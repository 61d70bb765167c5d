"""Ledger and journal: whatever is handed out, lost or written down on the way, the sum is one exploration."""

import zlib
from collections import Counter

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regionenum.engine.compiled import CompiledEngine
from regionenum.engine.interface import OpenCell, Options, Problem, Record, Shape, Statistics
from regionenum.errors import InputError
from regionenum.parallel import journal, task
from regionenum.parallel.estimate import estimate, probes
from regionenum.parallel.ledger import Ledger
from regionenum.parallel.runner import TaskRunner
from regionenum.parallel.subtree_codec import decode_subtree, encode_subtree
from regionenum.parallel.task import Task
from tests.exploring import explore, same_statistics
from tests.line import relu_chain
from tests.strategies import cases
from tests.test_schema import BOX, NET


class Rows:
    """A cell store that keeps {(pattern, ranks)} of every cell, and with it the layer."""

    def store(self, cells, task):
        return rows_of(cells)


def rows_of(tables):
    return [
        (int(c.layer[k]), tuple(map(int, c.pieces[k])), tuple(map(int, c.ranks[k])))
        for c in tables
        for k in range(len(c))
    ]


class Driver:
    """Hands tasks to runners that make steps of a fixed number of nodes; every task ends after its first step."""

    def __init__(self, problem, record, nodes):
        self.problem, self.record, self.nodes = problem, record, nodes
        engine = CompiledEngine()
        self.ledger = Ledger.of([encode_subtree(engine.explorer(problem, Options()).root)])
        self.statistics, self.rows = Statistics.at_start(problem.shape), []
        self.runner = TaskRunner(engine.explorer(problem, Options(record)), problem.shape, Rows())

    def issue(self, subtrees):
        return self.ledger.issue(min(subtrees, len(self.ledger.waiting)), 0.0)

    def run(self, task):
        self.runner.step_length.tests = self.nodes
        return self.runner.run(task)

    def settle(self, result):
        self.statistics.add(self.ledger.settle(result))
        self.rows += result.stored or []


def drive(problem, record, random, *, restarts=True):
    """All of a tree, with everything random that may be."""
    driver = Driver(problem, record, nodes=int(random.choice([8, 20, 100])))
    flying: list[Task] = []
    done: list[task.TaskResult] = []
    for _ in range(100_000):
        if driver.ledger.drained:
            assert not driver.ledger.open_cells()
            return driver
        kind = random.random()
        if driver.ledger.waiting and (kind < 0.5 or not (flying or done)):
            # a quiet stretch now and then, in which a subtree gets as far as it has to
            driver.nodes = int(random.choice([8, 20, 100, 1000]))
            flying.append(driver.issue(int(random.integers(1, 4))))
        elif flying and (kind < 0.8 or not done):
            done.append(driver.run(flying.pop(random.integers(len(flying)))))
        elif done:
            driver.settle(done.pop(random.integers(len(done))))
        if restarts and random.random() < 0.05:
            # killed: what was not settled is lost, what was written down goes on
            driver.ledger = journal.decode(journal.encode(driver.ledger), "here")
            flying, done = [], []
    raise AssertionError("no progress")


@settings(max_examples=60, deadline=None)
@given(cases(), st.integers(0, 2**32 - 1), st.sampled_from([Record.REGIONS, Record.TREE]))
def test_any_order_and_any_interruption_give_one_exploration(case, seed, record):
    problem = Problem.over(*case)
    expected = explore(CompiledEngine(), problem, record)
    found = drive(problem, record, np.random.default_rng(seed))
    assert same_statistics(found.statistics, expected.statistics)
    assert sorted(found.rows) == sorted(rows_of([expected.cells]))


def wide(seed=0, sizes=((12, 4), (12, 12), (1, 12))):
    random = np.random.default_rng(seed)
    return relu_chain(*[(random.normal(size=s), random.normal(size=s[0])) for s in sizes])


def wide_problem():
    from regionenum.domain import Box

    return Problem.over(wide(), Box(-2, 2))


def test_a_tree_of_thousands_in_small_pieces():
    problem = wide_problem()
    expected = explore(CompiledEngine(), problem, Record.REGIONS)
    assert expected.regions > 1000
    found = drive(problem, Record.REGIONS, np.random.default_rng(1))
    assert same_statistics(found.statistics, expected.statistics)
    assert sorted(found.rows) == sorted(rows_of([expected.cells]))


def in_the_middle():
    """A ledger with subtrees waiting and in flight, and cells counted in part."""
    driver = Driver(wide_problem(), Record.NONE, nodes=20)
    while len(driver.ledger.waiting) < 5:
        driver.settle(driver.run(driver.issue(1)))
    driver.issue(2)
    assert driver.ledger.in_flight
    assert driver.ledger.waiting
    assert driver.ledger.open_cells()
    return driver.ledger


def test_a_journal_counts_what_is_in_flight_as_waiting():
    ledger = in_the_middle()
    again = journal.decode(journal.encode(ledger), "here")
    assert not again.in_flight
    assert Counter(again.waiting) == Counter(ledger.unfinished())
    assert again.open_cells() == ledger.open_cells()
    assert again.next_task == ledger.next_task > 1
    for encoded in again.waiting:
        subtree = decode_subtree(encoded)
        assert (subtree.cell, encode_subtree(subtree, encoded.halvings)) == (encoded.cell, encoded)


def test_a_subtree_is_small():
    ledger = in_the_middle()
    assert len(journal.encode(ledger)) < 300 * len(ledger.unfinished())


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"nothing of the kind", "here is not a frontier of a run"),
        (b"", "here is not a frontier of a run"),
        (zlib.compress(b"nothing"), "here is not a frontier of a run"),
        (zlib.compress(msgspec.msgpack.encode([])), "here is not a frontier of a run"),
        (zlib.compress(msgspec.msgpack.encode([journal.VERSION, "x"])), "here is not a frontier of a run"),
        (
            zlib.compress(msgspec.msgpack.encode([journal.VERSION + 1, "of", "the", "future"])),
            f"here: frontier version {journal.VERSION + 1}, but this release reads version {journal.VERSION}",
        ),
    ],
)
def test_what_is_no_journal(content, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        journal.decode(content, "here")
    assert "\n" not in str(caught.value)


def test_a_journal_that_was_cut_off_is_refused():
    content = journal.encode(in_the_middle())
    for n in (len(content) - 1, len(content) // 2, 1):
        with pytest.raises(InputError, match="is not a frontier of a run"):
            journal.decode(content[:n], "here")


def test_children_are_closed_once_all_subtrees_of_their_cell_are_back():
    """Three subtrees of one cell: its children are those of all; the second unit has another piece in the third."""
    problem = Problem.over(NET, BOX)
    root = encode_subtree(CompiledEngine().explorer(problem, Options()).root)
    ledger = Ledger.of([root])
    zeros = lambda: Statistics.zeros(Shape.of(1, (2, 2)))  # noqa: E731
    pieces = [np.array([0, piece], np.int32).tobytes() for piece in (1, 1, 0)]
    counted = [OpenCell(root.cell, 0, 1, n, seen) for n, seen in zip((2, 3, 4), pieces, strict=True)]
    first = ledger.issue(1, 0.0)
    assert not ledger.settle(
        task.TaskResult(first.number, zeros(), rest=[root, root], open_cells=[counted[0]])
    ).children.any()
    second, third = ledger.issue(1, 0.0), ledger.issue(1, 0.0)
    assert not ledger.settle(task.TaskResult(third.number, zeros(), open_cells=[counted[1]])).children.any()
    closed = ledger.settle(task.TaskResult(second.number, zeros(), open_cells=[counted[2]]))
    assert (closed.children[0, 1], closed.max_children[0, 1], closed.unsplit[0, 1]) == (9, 9, 0)
    assert closed.spread[0, 0].tolist()[:4] == [0, 0, 0, 1]
    assert closed.cutting[0, 0].tolist() == [0, 1, 0]
    assert ledger.drained
    assert not ledger.open_cells()


# --- the estimate of what is left ---------------------------------------------------------------------------------------


def test_the_estimate_is_unbiased():
    """From the root, and from a frontier; the means are within four standard errors of the truth."""
    problem = wide_problem()
    explorer = CompiledEngine().explorer(problem, Options())
    total = explore(CompiledEngine(), problem).regions
    found = estimate(explorer, [explorer.root], seconds=60, seed=5, most=400)
    assert found.probes == 400
    assert found.error is not None
    assert found.error < 0.2 * total
    assert abs(found.regions - total) < 4 * found.error
    driver = Driver(problem, Record.NONE, nodes=20)
    while len(driver.ledger.waiting) < 5:
        driver.settle(driver.run(driver.issue(1)))
    left = total - int(driver.statistics.cells[-1].sum())
    found = estimate(explorer, [decode_subtree(p) for p in driver.ledger.unfinished()], seconds=60, seed=6, most=400)
    assert found.error is not None
    assert 0 < found.error < 0.2 * left
    assert abs(found.regions - left) < 4 * found.error


def test_a_tree_of_one_step_is_known():
    explorer = CompiledEngine().explorer(Problem.over(NET, BOX), Options())
    assert next(probes(explorer, [explorer.root], np.random.default_rng(0))) == 5.0
    found = estimate(explorer, [explorer.root], seconds=0.0, seed=0)
    assert (found.regions, found.error, found.probes) == (5.0, 0.0, 2)
    assert estimate(explorer, [], seconds=1.0).regions == 0.0
