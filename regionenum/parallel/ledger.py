"""The driver's books: which subtrees wait, which are being explored, and whose children are still being counted.

Invariant: the domain is the disjoint union of what is in the totals, of the waiting subtrees and of those in flight. So
the books together with the totals are a checkpoint at every moment, whatever the workers are doing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from regionenum.engine.interface import OpenCell, Statistics, Subtree
from regionenum.parallel.task import Task, TaskResult


@dataclass
class Ledger:
    """See the module.

    Attributes
    ----------
    waiting : subtrees that nobody explores; the last is taken first, which keeps the list short (depth first)
    flying : subtrees of every task that was handed out
    next_task : number of the next task
    """

    waiting: list[Subtree] = field(default_factory=list)
    flying: dict[int, list[Subtree]] = field(default_factory=dict)
    next_task: int = 0
    _open: dict[bytes, OpenCell] = field(default_factory=dict)
    _unfinished: Counter[bytes] = field(default_factory=Counter)

    @classmethod
    def of(cls, subtrees: Iterable[Subtree], open_cells: Iterable[OpenCell] = (), next_task: int = 0) -> Ledger:
        """Books with these subtrees waiting and the children of these cells counted in part."""
        waiting = list(subtrees)
        return cls(
            waiting=waiting,
            next_task=next_task,
            _open={cell.name: cell for cell in open_cells},
            _unfinished=Counter(subtree.cell for subtree in waiting),
        )

    @property
    def drained(self) -> bool:
        """Whether nothing is left to explore."""
        return not self.waiting and not self.flying

    def subtrees(self) -> list[Subtree]:
        """All subtrees that are not in the totals."""
        return [*self.waiting, *(subtree for task in self.flying.values() for subtree in task)]

    def open_cells(self) -> list[OpenCell]:
        """The cells whose children are counted in part."""
        return list(self._open.values())

    def issue(self, n: int, seconds: float) -> Task:
        """Hand out a task of the n subtrees that were put down last."""
        subtrees = self.waiting[-n:][::-1]
        del self.waiting[-n:]
        task = Task(self.next_task, subtrees, seconds)
        self.flying[task.number] = subtrees
        self.next_task += 1
        return task

    def settle(self, result: TaskResult) -> Statistics:
        """Book a result; returns its statistics with the cells closed whose last subtree this was."""
        statistics = result.statistics
        names = {cell.name for cell in result.open_cells}
        for subtree in self.flying.pop(result.number):
            self._unfinished[subtree.cell] -= 1
            names.add(subtree.cell)
        for subtree in result.rest:
            self._unfinished[subtree.cell] += 1
        for cell in result.open_cells:
            before = self._open.get(cell.name)
            self._open[cell.name] = replace(cell, children=cell.children + (before.children if before else 0))
        self.waiting += result.rest
        for name in names:
            if not self._unfinished[name]:
                del self._unfinished[name]
                if name in self._open:
                    statistics.close(self._open.pop(name))
        return statistics
