"""Who gets which subtree, and when a task is called back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regionenum.engine.interface import Statistics
from regionenum.engine.pace import Pace
from regionenum.parallel.driver import Budget, Dispatcher
from regionenum.parallel.ledger import RIDERS, Ledger, Piles
from regionenum.parallel.parcel import Parcel
from regionenum.parallel.slots import Slots
from regionenum.parallel.task import TaskResult


def parcel(depth, content=b""):
    return Parcel(b"cell", content, depth)


class Recorder:
    """An executor that only notes what it is asked."""

    def __init__(self, capacity):
        self.slots = Slots(capacity)
        self.tasks, self.recalled = [], []

    def submit(self, task):
        self.tasks.append((self.slots.take(), task))

    def recall(self, number):
        self.recalled.append(number)

    def collect(self, seconds):
        raise AssertionError("nothing runs")

    def close(self):
        pass


def come_back(ledger, dispatcher, executor, number, rest=()):
    worker = next(worker for worker, task in executor.tasks if task.number == number)
    executor.slots.free(worker)
    dispatcher.came_back(number)
    ledger.settle(TaskResult(number, Statistics.zeros(0, 0), rest=list(rest)))


@given(st.lists(st.integers(0, 2000), max_size=30), st.data())
def test_piles_give_back_what_they_took_in_order_of_size(depths, data):
    piles = Piles(map(parcel, depths))
    expected = sorted(depths)
    assert [p.depth for p in piles] == expected
    while expected:
        assert len(piles) == len(expected)
        largest = data.draw(st.booleans())
        assert piles.take(largest=largest).depth == expected.pop(0 if largest else -1)
    assert not piles


def test_small_subtrees_ride_with_a_large_one():
    ledger = Ledger.of([parcel(1), *[parcel(4, bytes([k])) for k in range(5)]])
    depths = [p.depth for p in ledger.issue(64, 1.0, largest=True).parcels]
    assert depths == [1] + [4] * int(RIDERS * 2.0**-1 / 2.0**-4)
    assert len(ledger.issue(2, 1.0).parcels) == 2
    assert len(ledger.waiting) == 1


def test_the_idle_come_first_then_those_who_waited_longest():
    slots = Slots({1: 2, 2: 2, 0: 1})
    assert [slots.take() for _ in range(5)] == [1, 2, 0, 1, 2]
    assert not slots.room
    assert slots.idle == 0
    slots.free(2)
    slots.free(0)
    assert slots.idle == 1
    assert [slots.take(), slots.take()] == [0, 2]
    assert not slots.room
    assert slots.workers == 3


@given(st.data())
def test_slots_never_give_more_than_there_is(data):
    capacity = data.draw(st.dictionaries(st.integers(0, 5), st.integers(1, 3), min_size=1))
    slots, held = Slots(capacity), dict.fromkeys(capacity, 0)
    for _ in range(30):
        holders = [worker for worker, n in held.items() if n]
        if slots.room and (not holders or data.draw(st.booleans())):
            worker = slots.take()
            assert held[worker] == min(n for w, n in held.items() if n < capacity[w])
            held[worker] += 1
        else:
            worker = data.draw(st.sampled_from(holders))
            slots.free(worker)
            held[worker] -= 1
        assert all(n <= capacity[worker] for worker, n in held.items())
        assert slots.idle == sum(n == 0 for n in held.values())
        assert slots.room == any(n < capacity[worker] for worker, n in held.items())


def test_a_task_is_called_back_once_when_others_have_nothing_to_do():
    ledger, executor = Ledger.of([parcel(0)]), Recorder({1: 2, 0: 1})
    dispatcher = Dispatcher(ledger, executor, Budget(shortest=0.01))
    wait = dispatcher.hand_out(0.0)
    assert [worker for worker, _ in executor.tasks] == [1]
    assert executor.recalled == []
    assert wait == pytest.approx(0.01)
    dispatcher.hand_out(0.02)
    dispatcher.hand_out(0.03)
    assert executor.recalled == [0]
    assert dispatcher.dry == 3
    come_back(ledger, dispatcher, executor, 0, [parcel(1), parcel(2)])
    dispatcher.hand_out(0.04)
    assert [worker for worker, _ in executor.tasks] == [1, 0, 1]
    assert [task.parcels[0].depth for _, task in executor.tasks[1:]] == [1, 2]
    assert dispatcher.dry == 3


def test_nothing_is_called_back_while_subtrees_wait_or_all_are_busy():
    ledger, executor = Ledger.of([parcel(k) for k in range(3)]), Recorder({0: 1, 1: 1})
    dispatcher = Dispatcher(ledger, executor, Budget())
    dispatcher.hand_out(0.0)
    dispatcher.hand_out(100.0)
    assert len(executor.tasks) == 2
    assert executor.recalled == []
    dispatcher.call_all_back()
    dispatcher.call_all_back()
    assert executor.recalled == [0, 1]


def test_no_more_are_called_back_than_are_idle():
    ledger, executor = Ledger.of([parcel(1), parcel(1)]), Recorder(dict.fromkeys(range(3), 1))
    dispatcher = Dispatcher(ledger, executor, Budget())
    dispatcher.hand_out(0.0)
    dispatcher.hand_out(1.0)
    assert executor.recalled == [0]
    come_back(ledger, dispatcher, executor, 0)
    dispatcher.hand_out(2.0)
    assert executor.recalled == [0, 1]


def test_a_pace_follows_full_steps_only(monkeypatch):
    pace, now = Pace(1.0, tests=8), [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])

    def step(seconds, **how):
        pace.begin()
        now[0] += seconds
        assert pace.end(**how) == now[0]
        return pace.tests

    assert step(0.1) == 16
    assert step(0.1, cut_short=True) == 16
    assert step(1.0) == 16
    assert step(3.0) == 8
    assert [step(3.0) for _ in range(5)] == [4, 2, 1, 1, 1]
