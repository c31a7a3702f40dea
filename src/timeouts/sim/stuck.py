"""Work that is stuck now and then: a few requests that take far longer than all others, or for ever."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

from timeouts.sim.checked import instance, number
from timeouts.sim.service import Service


@dataclass(frozen=True)
class Stuck:
    """Like another distribution, except for some works that take many times as long, or for ever.

    Args:
        base: the healthy distribution.
        share: how many are stuck, between 0 and 1.
        factor: how many times as long those take; default for ever.
    """

    base: Service
    share: float
    factor: float = math.inf

    def __post_init__(self) -> None:
        """Refuse numbers that describe nothing."""
        instance(
            "base", self.base, "spent", "how long healthy work takes, such as Exponential(0.1)"
        )
        number("share", self.share, above=0, most=1)
        number("factor", self.factor, above=1)

    @property
    def healthy(self) -> float:
        """The healthy distribution's."""
        return self.base.healthy

    def draw(self, random: Random) -> float:
        """Return a healthy time, or a stuck one."""
        seconds = self.base.draw(random)
        return seconds * self.factor if random.random() < self.share else seconds

    def within(self, age: float) -> float:
        """Mix the two."""
        stuck = 0.0 if self.factor == math.inf else self.base.within(age / self.factor)
        return (1 - self.share) * self.base.within(age) + self.share * stuck

    def spent(self, age: float) -> float:
        """Mix the two."""
        hangs = self.factor == math.inf
        stuck = age if hangs else self.factor * self.base.spent(age / self.factor)
        return (1 - self.share) * self.base.spent(age) + self.share * stuck
