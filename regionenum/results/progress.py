"""Where an enumeration stands: running totals, and the immutable records shown to a user."""

from __future__ import annotations

from dataclasses import dataclass, field

from regionenum.engine.interface import Counters, Problem, Statistics


@dataclass(frozen=True)
class Progress:
    """One moment of an enumeration.

    Attributes
    ----------
    regions : regions found so far
    cells : cells found so far after each unit layer
    seconds : wall-clock time since the start
    doubtful : doubtful decisions so far, rank decisions included
    """

    regions: int
    cells: tuple[int, ...]
    seconds: float
    doubtful: int

    @property
    def rate(self) -> float:
        """Regions per second since the start."""
        return self.regions / self.seconds if self.seconds > 0 else 0.0


@dataclass
class Totals:
    """The sums of all batches so far, the wall-clock time in seconds, and whether the tree is exhausted."""

    statistics: Statistics
    counters: Counters = field(default_factory=Counters)
    seconds: float = 0.0
    complete: bool = False

    @classmethod
    def of(cls, problem: Problem) -> Totals:
        """Nothing found yet."""
        return cls(Statistics.zeros(problem.shape))

    @property
    def regions(self) -> int:
        """Regions found so far."""
        return int(self.statistics.cells[-1].sum())

    def progress(self) -> Progress:
        """The present moment as a record."""
        cells = self.statistics.cells.sum(axis=1).tolist()
        doubtful = self.counters.doubtful + self.counters.doubtful_ranks
        return Progress(cells[-1], tuple(cells[1:]), self.seconds, doubtful)
