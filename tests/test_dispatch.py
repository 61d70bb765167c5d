"""Who gets which subtree, and when a task is called back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regionenum.engine.interface import Shape, Statistics
from regionenum.parallel.driver import Budget, Dispatcher
from regionenum.parallel.executor import Workers
from regionenum.parallel.ledger import RIDERS, Ledger, Piles
from regionenum.parallel.runner import StepLength
from regionenum.parallel.subtree_codec import EncodedSubtree
from regionenum.parallel.task import TaskResult


def subtree(halvings, content=b""):
    return EncodedSubtree(b"cell", content, halvings)


class Recorder:
    """An executor that only notes what it is asked."""

    def __init__(self, capacity):
        self.workers = Workers(capacity)
        self.tasks, self.recalled = [], []

    def submit(self, task):
        self.tasks.append((self.workers.assign(), task))

    def recall(self, number):
        self.recalled.append(number)

    def collect(self, seconds):
        raise AssertionError("nothing runs")

    def close(self):
        pass


def come_back(ledger, dispatcher, executor, number, rest=()):
    worker = next(worker for worker, task in executor.tasks if task.number == number)
    executor.workers.release(worker)
    dispatcher.came_back(number)
    ledger.settle(TaskResult(number, Statistics.zeros(Shape.of(0, ())), rest=list(rest)))


@given(st.lists(st.integers(0, 2000), max_size=30), st.data())
def test_piles_give_back_what_they_took_in_order_of_size(sizes, data):
    piles = Piles(map(subtree, sizes))
    expected = sorted(sizes)
    assert [p.halvings for p in piles] == expected
    while expected:
        assert len(piles) == len(expected)
        largest = data.draw(st.booleans())
        assert piles.take(largest=largest).halvings == expected.pop(0 if largest else -1)
    assert not piles


def test_small_subtrees_ride_with_a_large_one():
    ledger = Ledger.of([subtree(1), *[subtree(4, bytes([k])) for k in range(5)]])
    sizes = [p.halvings for p in ledger.issue(64, 1.0, largest=True).subtrees]
    assert sizes == [1] + [4] * int(RIDERS * 2.0**-1 / 2.0**-4)
    assert len(ledger.issue(2, 1.0).subtrees) == 2
    assert len(ledger.waiting) == 1


def test_the_idle_come_first_then_those_who_waited_longest():
    workers = Workers({1: 2, 2: 2, 0: 1})
    assert [workers.assign() for _ in range(5)] == [1, 2, 0, 1, 2]
    assert not workers.have_room
    assert workers.idle == 0
    workers.release(2)
    workers.release(0)
    assert workers.idle == 1
    assert [workers.assign(), workers.assign()] == [0, 2]
    assert not workers.have_room
    assert len(workers) == 3


@given(st.data())
def test_workers_never_hold_more_than_they_may(data):
    capacity = data.draw(st.dictionaries(st.integers(0, 5), st.integers(1, 3), min_size=1))
    workers, held = Workers(capacity), dict.fromkeys(capacity, 0)
    for _ in range(30):
        holders = [worker for worker, n in held.items() if n]
        if workers.have_room and (not holders or data.draw(st.booleans())):
            worker = workers.assign()
            assert held[worker] == min(n for w, n in held.items() if n < capacity[w])
            held[worker] += 1
        else:
            worker = data.draw(st.sampled_from(holders))
            workers.release(worker)
            held[worker] -= 1
        assert all(n <= capacity[worker] for worker, n in held.items())
        assert workers.idle == sum(n == 0 for n in held.values())
        assert workers.have_room == any(n < capacity[worker] for worker, n in held.items())


def test_a_task_is_called_back_once_when_others_have_nothing_to_do():
    ledger, executor = Ledger.of([subtree(0)]), Recorder({1: 2, 0: 1})
    dispatcher = Dispatcher(ledger, executor, Budget(shortest=0.01))
    wait = dispatcher.hand_out(0.0)
    assert [worker for worker, _ in executor.tasks] == [1]
    assert executor.recalled == []
    assert wait == pytest.approx(0.01)
    dispatcher.hand_out(0.02)
    dispatcher.hand_out(0.03)
    assert executor.recalled == [0]
    assert dispatcher.dry == 3
    come_back(ledger, dispatcher, executor, 0, [subtree(1), subtree(2)])
    dispatcher.hand_out(0.04)
    assert [worker for worker, _ in executor.tasks] == [1, 0, 1]
    assert [task.subtrees[0].halvings for _, task in executor.tasks[1:]] == [1, 2]
    assert dispatcher.dry == 3


def test_nothing_is_called_back_while_subtrees_wait_or_all_are_busy():
    ledger, executor = Ledger.of([subtree(k) for k in range(3)]), Recorder({0: 1, 1: 1})
    dispatcher = Dispatcher(ledger, executor, Budget())
    dispatcher.hand_out(0.0)
    dispatcher.hand_out(100.0)
    assert len(executor.tasks) == 2
    assert executor.recalled == []
    dispatcher.call_all_back()
    dispatcher.call_all_back()
    assert executor.recalled == [0, 1]


def test_no_more_are_called_back_than_are_idle():
    ledger, executor = Ledger.of([subtree(1), subtree(1)]), Recorder(dict.fromkeys(range(3), 1))
    dispatcher = Dispatcher(ledger, executor, Budget())
    dispatcher.hand_out(0.0)
    dispatcher.hand_out(1.0)
    assert executor.recalled == [0]
    come_back(ledger, dispatcher, executor, 0)
    dispatcher.hand_out(2.0)
    assert executor.recalled == [0, 1]


def test_the_length_of_steps_follows_full_steps_only(monkeypatch):
    length, now = StepLength(1.0, tests=8), [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])

    def step(seconds, **how):
        length.begin()
        now[0] += seconds
        assert length.end(**how) == now[0]
        return length.tests

    assert step(0.1) == 16
    assert step(0.1, cut_short=True) == 16
    assert step(1.0) == 16
    assert step(3.0) == 8
    assert [step(3.0) for _ in range(5)] == [4, 2, 1, 1, 1]
