"""What engines count of their own work: one table, from the kernels to the report.

The fields of `Counters` are the table. From it follow the places in the arrays that kernels count in, what workers send,
what the manifest of a run holds and what reports show: a new counter is one more field, and, if a kernel counts it, its
place below. The kernels are compiled with these places as constants.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, field, fields
from typing import NamedTuple

from regionenum.network.units import Ints


class Counter(NamedTuple):
    """One line of the table."""

    name: str
    meaning: str


def _counter(meaning: str) -> int:
    """A field of `Counters`."""
    count: int = field(default=0, metadata={"meaning": meaning})
    return count


@dataclass
class Counters:
    """What an engine did. Counts add up over batches, workers and attempts; `COUNTERS` says what each means."""

    tests: int = _counter("decisions whether a hyperplane cuts a cell, or a candidate of a maximum can win on it")
    lps: int = _counter("tests that needed a linear program")
    pivots: int = _counter("simplex pivots in all")
    reused: int = _counter("tests answered by a certificate kept from an earlier test")
    doubtful: int = _counter("decisions that no bound on rounding errors proves: rounding could have made them")
    doubtful_ranks: int = _counter("decisions about a rank for which the same holds")
    resolved: int = _counter("decisions in doubt that exact arithmetic made")
    overturned: int = _counter("of those, decisions that float64 alone would have made otherwise")

    @classmethod
    def of(cls, counts: Ints) -> Counters:
        """The counts in an array with one entry for each line of the table."""
        return cls(*map(int, counts))

    def add(self, other: Counters) -> None:
        """Add the counts of another exploration."""
        for counter, count in zip(COUNTERS, astuple(other), strict=True):
            setattr(self, counter.name, getattr(self, counter.name) + count)


COUNTERS = tuple(Counter(f.name, f.metadata["meaning"]) for f in fields(Counters))
"""The table."""

N_COUNTERS = len(COUNTERS)

TESTS, LPS, PIVOTS, REUSED, DOUBTFUL, DOUBTFUL_RANKS, RESOLVED, OVERTURNED = range(8)
"""Places in an array of counts."""
