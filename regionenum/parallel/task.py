"""A task is a handful of subtrees and a budget; its result is what was found and what is left.

Nothing of a task is kept by its worker afterwards, so that a checkpoint is the driver's state alone, and it does not
matter who runs what. Tasks and results are pickled as one string of bytes: the driver opens thousands of them in a second.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, field
from typing import Any

import msgspec
import numpy as np

from regionenum.engine.interface import Counters, OpenCell, Shape, Statistics
from regionenum.parallel.subtree_codec import EncodedSubtree


@dataclass(frozen=True)
class Task:
    """Work to be done.

    Attributes
    ----------
    number : int
        From 0, never used twice in a run.
    subtrees : list of EncodedSubtree
        Explored in order while the budget lasts.
    seconds : float
        Budget; at least one step is made.
    """

    number: int
    subtrees: list[EncodedSubtree]
    seconds: float

    def __reduce__(self) -> tuple[Any, ...]:
        return _task, (_encode((self.number, self.subtrees, self.seconds)),)


@dataclass
class TaskResult:
    """Work done.

    Attributes
    ----------
    number : int
        Of the task.
    statistics : Statistics
        They lack the children of the cells in `open_cells`.
    counters : Counters
    rest : list of EncodedSubtree
        What is left, in the order of a stack.
    open_cells : list of OpenCell
    stored : object
        What the cell store says of the recorded cells (`runner.CellStore`); None if there are none.
    seconds : float
        Wall-clock time spent.
    worker : int
        Number of the worker.
    """

    number: int
    statistics: Statistics
    counters: Counters = field(default_factory=Counters)
    rest: list[EncodedSubtree] = field(default_factory=list)
    open_cells: list[OpenCell] = field(default_factory=list)
    stored: Any = None
    seconds: float = 0.0
    worker: int = 0

    def __reduce__(self) -> tuple[Any, ...]:
        # most of the numbers are 0, and the coordinator gets thousands of results in a second
        numbers = self.statistics.numbers
        places = np.flatnonzero(numbers)
        found = self.statistics.shape, places.tobytes(), numbers[places].tobytes()
        plain = (self.number, *found, astuple(self.counters), self.rest, self.open_cells)
        return _task_result, (_encode((*plain, self.seconds, self.worker)), self.stored)


_encode = msgspec.msgpack.Encoder().encode
_decode_task = msgspec.msgpack.Decoder(tuple[int, list[EncodedSubtree], float]).decode
_decode_result = msgspec.msgpack.Decoder(
    tuple[int, Shape, bytes, bytes, tuple[int, ...], list[EncodedSubtree], list[OpenCell], float, int]
).decode


def _task(content: bytes) -> Task:
    return Task(*_decode_task(content))


def _task_result(content: bytes, stored: Any) -> TaskResult:
    number, shape, places, values, counters, rest, open_cells, seconds, worker = _decode_result(content)
    numbers = np.zeros(Statistics.size(shape), np.int64)
    numbers[np.frombuffer(places, np.int64)] = np.frombuffer(values, np.int64)
    statistics = Statistics.within(shape, numbers)
    return TaskResult(number, statistics, Counters(*counters), rest, open_cells, stored, seconds, worker)
