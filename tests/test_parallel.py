"""Steps however short make progress; failures of local workers are told apart."""

import os
import signal

import numpy as np
import pytest

import regionenum as rn
from regionenum.engine.compiled import CompiledEngine
from regionenum.engine.interface import Options, Problem, Statistics
from regionenum.enumeration import Enumeration, Settings
from regionenum.parallel.driver import Budget
from regionenum.parallel.ledger import Ledger
from regionenum.parallel.local import ProcessExecutor
from regionenum.parallel.runner import TaskRunner
from regionenum.parallel.subtree_codec import decode_subtree, encode_subtree
from regionenum.parallel.task import Task, TaskResult
from tests.exploring import explore, same_statistics
from tests.line import relu_chain

RNG = np.random.default_rng(0)
NET = relu_chain(
    (RNG.uniform(-1, 1, (8, 3)), RNG.uniform(-1, 1, 8)),
    (RNG.uniform(-1, 1, (6, 8)), RNG.uniform(-1, 1, 6)),
    ([[1.0] * 6], [0.0]),
)
PROBLEM = Problem.over(NET, rn.Box(-3, 3))


def test_steps_of_one_test_come_to_an_end():
    """A step that gave back what it was given would go on for ever."""
    engine = CompiledEngine()
    explorer = engine.explorer(PROBLEM, Options())
    statistics = Statistics.at_start(PROBLEM.shape)
    ledger = Ledger.of([encode_subtree(explorer.root)])
    for _ in range(10_000):
        if ledger.drained:
            break
        task = ledger.issue(1, 0.0)
        runner = TaskRunner(explorer, PROBLEM.shape)
        runner.step_length.tests = 1
        statistics.add(ledger.settle(runner.run(task, lambda: True)))
    assert ledger.drained
    assert same_statistics(statistics, explore(engine, PROBLEM).statistics)


def test_a_decoded_subtree_is_the_same_subtree():
    explorer = CompiledEngine().explorer(PROBLEM, Options())
    explorer.start(explorer.root)
    explorer.step(20)
    subtrees = explorer.rest().subtrees
    assert len(subtrees) > 1
    for subtree in subtrees:
        again = decode_subtree(encode_subtree(subtree))
        assert (again.layer, again.n_before, again.parent) == (subtree.layer, subtree.n_before, subtree.parent)
        for name in ("sides", "winners", "witness"):
            np.testing.assert_array_equal(getattr(again, name), getattr(subtree, name))


def long_problem():
    """Seconds of work."""
    rng = np.random.default_rng(1)
    layers = [(rng.uniform(-1, 1, (n, m)), rng.uniform(-1, 1, n)) for m, n in ((8, 14), (14, 14), (14, 1))]
    return Problem.over(relu_chain(*layers), rn.Box(-10, 10))


def test_a_task_that_is_called_back_ends_after_its_step():
    problem = long_problem()
    runner = TaskRunner.of(CompiledEngine(), problem, Options())
    root = encode_subtree(CompiledEngine().explorer(problem, Options()).root)
    asked: list[bool] = []

    def twice():
        asked.append(len(asked) == 1)
        return asked[-1]

    result = runner.run(Task(0, [root], 600.0), twice)
    assert len(asked) == 2
    assert result.rest
    assert [subtree.halvings for subtree in result.rest] == list(range(1, len(result.rest) + 1))


def test_worker_processes_give_back_what_is_called_back():
    """The running task, and the one behind it, whose call may come before it begins."""
    problem = long_problem()
    root = encode_subtree(CompiledEngine().explorer(problem, Options()).root)
    executor = ProcessExecutor(lambda: TaskRunner.of(CompiledEngine(), problem, Options()), 1)
    try:
        for number in (0, 1):
            executor.submit(Task(number, [root], 600.0))
        assert not executor.workers.have_room
        for number in (1, 0):
            executor.recall(number)
        results: list[TaskResult] = []
        while len(results) < 2:
            results += executor.collect(60.0)
        assert [result.number for result in results] == [0, 1]
        assert all(result.rest for result in results)
        assert executor.workers.idle == 1
    finally:
        executor.close()


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("budget", [Budget(0.0, 0.0), Budget(0.0, 0.0, bundle=1), Budget()])
def test_workers_and_budgets_do_not_change_the_regions(workers, budget):
    enumeration = Enumeration(NET, rn.Box(-3, 3), Settings(record="regions", workers=workers, budget=budget))
    list(enumeration.run())
    found, expected = enumeration.result(), rn.enumerate_regions(NET, rn.Box(-3, 3), record="regions")
    assert found.complete
    assert same_statistics(found.statistics, expected.statistics)
    rows = [
        sorted((row["pattern"], tuple(row["ranks"])) for row in result.regions.to_pylist())
        for result in (found, expected)
    ]
    assert rows[0] == rows[1]


class Raising(TaskRunner):
    error: Exception

    def run(self, task, recalled=lambda: False):
        raise self.error


def raising(error):
    runner = Raising(CompiledEngine().explorer(PROBLEM, Options()), PROBLEM.shape)
    runner.error = error
    return runner


@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (rn.RunError("the disk is full"), rn.RunError, "^the disk is full$"),
        (rn.EngineError("no convergence"), rn.EngineError, "^no convergence$"),
        (
            ZeroDivisionError("nothing"),
            rn.WorkerError,
            r"worker 0 \(process \d+ on .*\) failed with ZeroDivisionError: nothing\nTraceback",
        ),
    ],
)
def test_a_failing_worker_is_reported_as_what_it_is(error, kind, sentence):
    executor = ProcessExecutor(lambda: raising(error), 1)
    try:
        executor.submit(Task(0, [], 1.0))
        with pytest.raises(kind, match=sentence):
            executor.collect(30.0)
    finally:
        executor.close()


def _keep_submitting(executor):
    for number in range(100):
        executor.submit(Task(number, [], 1.0))
        executor.collect(0.0)


def test_a_task_for_a_dead_worker_is_a_sentence():
    executor = ProcessExecutor(lambda: raising(ValueError()), 1)
    try:
        worker = executor._processes[0].process
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        worker.join()
        with pytest.raises(rn.WorkerError, match=r"died \(exit code -9\); a negative code is a signal"):
            _keep_submitting(executor)
    finally:
        executor.close()
