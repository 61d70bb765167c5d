"""The driver's books: which subtrees wait, which are being explored, and whose children are still being counted.

Invariant: the domain is the disjoint union of what is in the totals, of the waiting subtrees and of those in flight. So
the books together with the totals are a checkpoint at every moment, whatever the workers are doing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from regionenum.engine.interface import OpenCell, Statistics
from regionenum.parallel.subtree_codec import EncodedSubtree
from regionenum.parallel.task import Task, TaskResult

RIDERS = 0.25
"""Weight of the small subtrees in a task, as a share of that of its large one."""


class Piles:
    """Waiting subtrees, piled up by size (`EncodedSubtree.halvings`)."""

    def __init__(self, subtrees: Iterable[EncodedSubtree] = ()) -> None:
        self._piles: dict[int, list[EncodedSubtree]] = {}
        self._size = 0
        self.put(subtrees)

    def put(self, subtrees: Iterable[EncodedSubtree]) -> None:
        """Put subtrees on their piles."""
        for subtree in subtrees:
            self._piles.setdefault(subtree.halvings, []).append(subtree)
            self._size += 1

    def take(self, *, largest: bool = False) -> EncodedSubtree:
        """Take one of the largest, or of the smallest."""
        halvings = min(self._piles) if largest else max(self._piles)
        pile = self._piles[halvings]
        subtree = pile.pop()
        if not pile:
            del self._piles[halvings]
        self._size -= 1
        return subtree

    @property
    def smallest_weight(self) -> float:
        """Weight of one of the smallest."""
        return float(2.0 ** -max(self._piles))

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[EncodedSubtree]:
        """From the largest to the smallest."""
        for halvings in sorted(self._piles):
            yield from self._piles[halvings]


@dataclass
class Ledger:
    """See the module.

    Attributes
    ----------
    waiting : Piles
        Subtrees that nobody explores.
    in_flight : dict of int to list of EncodedSubtree
        Subtrees of every task that was handed out, by its number.
    next_task : int
        Number of the next task.
    """

    waiting: Piles = field(default_factory=Piles)
    in_flight: dict[int, list[EncodedSubtree]] = field(default_factory=dict)
    next_task: int = 0
    _open: dict[bytes, OpenCell] = field(default_factory=dict)
    _subtrees_of: Counter[bytes] = field(default_factory=Counter)

    @classmethod
    def of(cls, subtrees: Iterable[EncodedSubtree], open_cells: Iterable[OpenCell] = (), next_task: int = 0) -> Ledger:
        """Books with these subtrees waiting and the children of these cells counted in part."""
        waiting = Piles(subtrees)
        return cls(
            waiting=waiting,
            next_task=next_task,
            _open={cell.name: cell for cell in open_cells},
            _subtrees_of=Counter(subtree.cell for subtree in waiting),
        )

    @property
    def drained(self) -> bool:
        """Whether nothing is left to explore."""
        return not self.waiting and not self.in_flight

    def unfinished(self) -> list[EncodedSubtree]:
        """All subtrees that are not in the totals."""
        return [*self.waiting, *(subtree for subtrees in self.in_flight.values() for subtree in subtrees)]

    def open_cells(self) -> list[OpenCell]:
        """The cells whose children are counted in part."""
        return list(self._open.values())

    def issue(self, n: int, seconds: float, *, largest: bool = False) -> Task:
        """Hand out a task of at most n subtrees.

        Parameters
        ----------
        n : int
            Most subtrees.
        seconds : float
            Budget of the task.
        largest : bool
            The largest that waits comes first, and with it some of the smallest, which would not be worth a task each, up to
            `RIDERS` of its weight. Otherwise the n smallest, which keeps the list short (depth first).
        """
        waiting = self.waiting
        subtrees = [waiting.take(largest=largest)]
        room = RIDERS * subtrees[0].weight if largest else math.inf
        while len(subtrees) < n and waiting and waiting.smallest_weight <= room:
            subtrees.append(waiting.take())
            room -= subtrees[-1].weight
        task = Task(self.next_task, subtrees, seconds)
        self.in_flight[task.number] = subtrees
        self.next_task += 1
        return task

    def settle(self, result: TaskResult) -> Statistics:
        """Book a result; returns its statistics with the cells closed whose last subtree this was."""
        statistics, subtrees_of = result.statistics, self._subtrees_of
        touched = set()
        for subtree in self.in_flight.pop(result.number):
            subtrees_of[subtree.cell] -= 1
            touched.add(subtree.cell)
        for subtree in result.rest:
            subtrees_of[subtree.cell] += 1
        for cell in result.open_cells:
            touched.add(cell.name)
            before = self._open.get(cell.name)
            if before is not None:
                cell = before.joined(cell)
            self._open[cell.name] = cell
        self.waiting.put(result.rest)
        for name in touched:
            if not subtrees_of[name]:
                del subtrees_of[name]
                if name in self._open:
                    statistics.close(self._open.pop(name))
        return statistics
