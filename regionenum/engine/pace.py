"""How many tests to ask a walk for, so that a step takes about as long as wanted."""

from __future__ import annotations

import time

MOST = 1 << 40


class Pace:
    """A number of tests, doubled or halved until steps take between half of `seconds` and twice as much.

    Parameters
    ----------
    seconds : aim for the length of a step
    tests : to begin with
    """

    def __init__(self, seconds: float, tests: int = 100) -> None:
        self.seconds, self.tests = seconds, tests
        self._since = 0.0

    def begin(self) -> int:
        """Start the clock; returns the number of tests to ask for."""
        self._since = time.monotonic()
        return self.tests

    def end(self, *, cut_short: bool = False) -> float:
        """Stop the clock after a step and adapt; returns the time (`time.monotonic`).

        A step that was cut short, as nothing was left to do, does not speak for more tests.
        """
        now = time.monotonic()
        if not cut_short and now - self._since < self.seconds / 2:
            self.tests = min(2 * self.tests, MOST)
        elif now - self._since > 2 * self.seconds:
            self.tests = max(self.tests // 2, 1)
        return now
