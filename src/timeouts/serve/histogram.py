"""Counts by size, exact whichever threads add to them.

Law: adding takes no lock. A hook may run in a garbage collection that interrupts another hook of the
same thread, and would wait for that lock for ever. Taking the next number of an `itertools.count` is
one step that nothing interrupts.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Sequence


class Tally:
    """A count that any thread may add to, and one reads."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._looks = 0

    def add(self) -> None:
        """Count one more."""
        next(self._numbers)

    def read(self) -> int:
        """Return the count; looking takes a number too, which is not counted."""
        counted = next(self._numbers) - self._looks
        self._looks += 1
        return counted


class Histogram:
    """How many values were at most each bound, and above the one before.

    Args:
        bounds: ascending; values above the last are counted, too.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self._tallies = [Tally() for _ in range(len(self.bounds) + 1)]

    def add(self, value: float) -> None:
        """Count a value, from any thread."""
        self._tallies[bisect_left(self.bounds, value)].add()

    def read(self) -> list[int]:
        """Return the counts, one for each bound and one for what is above all of them."""
        return [tally.read() for tally in self._tallies]
