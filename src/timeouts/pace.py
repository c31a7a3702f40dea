"""How fast work gets done, so that whoever is refused can be told when to come back.

Law: what counts is how long a slot was held, from the start of a job to the proven end of its work.
A run that was stopped at its limit, or lingered after it, counts for as long as it kept others out.
"""

from __future__ import annotations

RECENT = 1 / 16
"""What one more job counts for: half the memory is in the last eleven."""
STEADY = 1 / 50
"""The same for who must not be misled by a few: half is in the last 34."""


class Pace:
    """A moving average of the time that a job holds a slot.

    Exponentially weighted, as the round-trip time of TCP is (RFC 6298): one number, O(1) per job.

    Attributes:
        held: the average, in seconds; None before the first job is done.
    """

    __slots__ = ("_weight", "held")

    def __init__(self, weight: float = RECENT) -> None:
        self.held: float | None = None
        self._weight = weight

    def add(self, held: float) -> None:
        """Take in that a slot is free again after `held` seconds."""
        known = self.held
        self.held = held if known is None else known + (held - known) * self._weight

    def time_for(self, jobs: int, slots: float) -> float | None:
        """Return the seconds in which so many jobs are worked off; None before the first is done."""
        return None if self.held is None else self.held * jobs / max(slots, 1)
