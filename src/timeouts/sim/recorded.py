"""Service times that were measured, as a distribution."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random

from timeouts.sim.checked import finite

LONGEST = math.nextafter(math.inf, 0)


@dataclass(frozen=True)
class Recorded:
    """Service times that were measured: one of them, each as likely as any other.

    Args:
        seconds: the measured times, without the queue; infinity for one that never ended.
    """

    seconds: tuple[float, ...]
    _sums: tuple[float, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Sort them, and refuse none and nonsense."""
        ordered = sorted(
            one if one == math.inf else finite("a recorded time", one, zero=True)
            for one in self.seconds
        )
        if not ordered:
            raise ValueError("seconds must hold at least one recorded time; got none")
        object.__setattr__(self, "seconds", tuple(ordered))
        object.__setattr__(self, "_sums", (0.0, *accumulate(ordered)))

    @property
    def healthy(self) -> float:
        """The mean of those that ended."""
        ended = self._ended(math.inf)
        return self._sums[ended] / ended if ended else math.inf

    def draw(self, random: Random) -> float:
        """Return one of them."""
        return self.seconds[int(random.random() * len(self.seconds))]

    def within(self, age: float) -> float:
        """Count those that ended within the age."""
        return self._ended(age) / len(self.seconds)

    def spent(self, age: float) -> float:
        """Add up those that ended within the age, and the age for all others."""
        ended = self._ended(age)
        others = len(self.seconds) - ended
        return (self._sums[ended] + (others * age if others else 0.0)) / len(self.seconds)

    def _ended(self, age: float) -> int:
        return bisect_right(self.seconds, min(age, LONGEST))
