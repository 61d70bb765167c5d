"""What an engine counts beside the statistics: one table, from the kernels to the report."""

from __future__ import annotations

from typing import NamedTuple


class Counter(NamedTuple):
    """One counter: its name in results and tables, and what it means."""

    name: str
    meaning: str


COUNTERS: tuple[Counter, ...] = (
    Counter("tests", "decisions whether a hyperplane cuts a cell, or a candidate of a maximum can win on it"),
    Counter("lps", "tests that needed a linear program"),
    Counter("pivots", "simplex pivots in all"),
    Counter("reused", "tests answered by a dual certificate kept from an earlier test"),
    Counter("doubtful", "decisions that rounding could have made: nothing computed is beyond its error bound"),
    Counter("doubtful_ranks", "rank decisions for which the same holds"),
)
TESTS, LPS, PIVOTS, REUSED, DOUBTFUL, DOUBTFUL_RANKS = range(len(COUNTERS))
N_COUNTERS = len(COUNTERS)
