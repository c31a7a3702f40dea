"""Whether what is known of a handler still holds.

Laws:
- A run is a surprise if it takes longer than nearly all that are known, or less time than nearly all. One that was stopped
  before it could surprise says nothing.
- When nearly all of the last few surprise in the same way, what is known holds no longer.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import deque

from timeouts.estimate.durations import GROWTH, LONGEST, SHORTEST, Curve

LAST = 16
TOO_MANY = 12
"""By chance, where one run in twenty surprises, so many of the last 16 do so less often than once in 10^12 runs."""
_RARE = 0.05
_NEAR = 0.99
"""A run that was stopped at this share of the age at which it would have surprised, or later, has done so."""


class Drift:
    """Watches the runs for surprises, once it has been told what to expect."""

    __slots__ = ("_last", "_long", "_short", "_slower")

    def __init__(self) -> None:
        self._short, self._long = 0.0, math.inf
        self._last = deque([0] * LAST, LAST)
        self._slower = 0

    def expect(self, curve: Curve) -> None:
        """Expect runs as they are known."""
        shares = curve.finished
        rare = _RARE * shares[-1]
        shortest = curve.edges[bisect_right(shares, rare)]
        longest = curve.edges[bisect_left(shares, shares[-1] - rare)]
        # The first bucket has no lower edge, and the last no upper one.
        self._short = shortest / GROWTH if shortest > SHORTEST else 0.0
        self._long = longest if longest < LONGEST else math.inf

    def ran(self, seconds: float, *, stopped: bool) -> int:
        """Take in a run; return 1 if what is known holds no longer, for runs take longer, -1 if less time, 0 if it holds."""
        if stopped:
            if seconds < _NEAR * self._long:
                return 0
            surprise = 1
        else:
            surprise = (seconds > self._long) - (seconds < self._short)
        self._slower += surprise - self._last[0]
        self._last.append(surprise)
        return (self._slower >= TOO_MANY) - (self._slower <= -TOO_MANY)
