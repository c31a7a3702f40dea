"""The execution limit that is in force, which follows the advice, but not every whim of it.

Laws:
- It is raised at once: when nearly all of a few runs in a row are stopped by it, it is four times as long, and again as much when
  runs are known to take longer than before. A handler that has become slow must not be killed again and again until
  the statistics have seen it.
- A run that something else has stopped, or a limit that was shorter, says nothing about it.
- It is not lowered again before the window in which it was raised is over.
- A change of less than a tenth is none.
"""

from __future__ import annotations

import math

FEW = 4
TOO_MANY = 3
"""By chance, where one run in twenty hangs, three of four do so once in 2,000 rows."""
LONGER = 4.0
_NEAR = 0.99
"""A run that was stopped at this share of the limit, or later, was stopped by it."""
_SAME = 0.1


class ExecutionLimit:
    """How long an execution may take at present.

    Attributes:
        seconds: the limit; infinite while no stop is worth its cost.
        raised: whether it was raised in this window.
    """

    __slots__ = ("_hits", "_runs", "raised", "seconds")

    def __init__(self) -> None:
        self.seconds = math.inf
        self._runs = 0
        self._hits = 0
        self.raised = False

    def ran(self, seconds: float, *, stopped: bool) -> bool:
        """Take in a run; return whether the limit was raised."""
        hit = stopped and seconds >= _NEAR * self.seconds
        if stopped and not hit:
            return False
        self._runs += 1
        self._hits += hit
        if self._runs < FEW:
            return False
        too_many = self._hits >= TOO_MANY
        self._runs = self._hits = 0
        if too_many:
            self._raise_to(LONGER * max(self.seconds, seconds))  # a bound may have made it longer
        return too_many

    def slower(self) -> None:
        """Runs take longer than before, nobody knows how long: leave them time to show it."""
        if self.seconds < math.inf:
            self._raise_to(LONGER**2 * self.seconds)

    def _raise_to(self, seconds: float) -> None:
        self.seconds = seconds
        self.raised = True

    def follow(self, advised: float) -> None:
        """Take over what is advised now, unless it is the same, or less than what it was raised to."""
        wanted = max(advised, self.seconds) if self.raised else advised
        if math.inf in {wanted, self.seconds} or abs(wanted / self.seconds - 1) > _SAME:
            self.seconds = wanted

    def end_window(self) -> None:
        """The window is over: it may be lowered again."""
        self.raised = False
