"""Service times that were measured, as a distribution, runs that were stopped included.

Law: a run that was stopped is *censored*: it would have taken longer, nobody knows how much. It counts for
as long as it was seen, and what it would have become is shared out among those that were seen longer. What
nobody saw the end of never ends.

Source: Kaplan and Meier, "Nonparametric estimation from incomplete observations" (1958), in the form of Efron,
"The two sample problem with censored data" (1967): mass is handed on to the right.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random

from timeouts.sim.checked import finite

LONGEST = math.nextafter(math.inf, 0)


@dataclass(frozen=True)
class Recorded:
    """Service times that were measured: one of them, each as likely as any other.

    Args:
        seconds: the measured times, without the queue; infinity for one that never ended.
        stopped: the ages at which further runs were stopped; 0 for one that never ran.
    """

    seconds: tuple[float, ...]
    stopped: tuple[float, ...] = ()
    _ends: tuple[float, ...] = field(init=False, repr=False, compare=False)
    _masses: tuple[float, ...] = field(init=False, repr=False, compare=False)
    _sums: tuple[float, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Sort them, and refuse none and nonsense."""
        ordered = sorted(
            one if one == math.inf else finite("a recorded time", one, zero=True)
            for one in self.seconds
        )
        if not ordered:
            raise ValueError("seconds must hold at least one recorded time; got none")
        stopped = sorted(finite("the age of a stopped run", age, zero=True) for age in self.stopped)
        object.__setattr__(self, "seconds", tuple(ordered))
        object.__setattr__(self, "stopped", tuple(stopped))
        ends, masses, sums = _product_limit(ordered, stopped)
        object.__setattr__(self, "_ends", tuple(ends))
        object.__setattr__(self, "_masses", tuple(masses))
        object.__setattr__(self, "_sums", tuple(sums))

    @property
    def healthy(self) -> float:
        """The mean of those that end."""
        return self._sums[-1] / self._masses[-1] if self._ends else math.inf

    def quantile(self, share: float) -> float:
        """Return the age within which so many of those that end have ended."""
        if not self._ends:
            return math.inf
        wanted = bisect_left(self._masses, share * self._masses[-1]) - 1
        return self._ends[min(max(0, wanted), len(self._ends) - 1)]

    def draw(self, random: Random) -> float:
        """Return one of them."""
        return self._at(random.random() * self._count)

    def draw_longer(self, age: float, random: Random) -> float:
        """Return one of those that took longer than an age; infinity if none is known."""
        passed = self._masses[self._ended(age)]
        return self._at(passed + random.random() * (self._count - passed))

    def within(self, age: float) -> float:
        """Return the share of those that end within the age."""
        return min(1.0, self._masses[self._ended(age)] / self._count)

    def spent(self, age: float) -> float:
        """Return the mean of those that end within the age, and of the age for all others."""
        ended = self._ended(age)
        others = max(0.0, self._count - self._masses[ended])
        return (self._sums[ended] + (others * age if others else 0.0)) / self._count

    @property
    def _count(self) -> int:
        return len(self.seconds) + len(self.stopped)

    def _at(self, mass: float) -> float:
        place = bisect_right(self._masses, mass) - 1
        return self._ends[place] if place < len(self._ends) else math.inf

    def _ended(self, age: float) -> int:
        return bisect_right(self._ends, min(age, LONGEST))


def _product_limit(
    seconds: Iterable[float], stopped: Iterable[float]
) -> tuple[list[float], list[float], list[float]]:
    """Return when runs end, and the mass and the work of those that have ended by then.

    Each run has a mass of 1. That of a stopped one goes to those after it, in equal parts.
    """
    runs = sorted([(one, False) for one in seconds] + [(age, True) for age in stopped])
    ends, masses, sums, mass = list[float](), [0.0], [0.0], 1.0
    for left, (age, cut) in zip(reversed(range(len(runs))), runs, strict=True):
        if cut:
            mass += mass / left if left else 0.0
        elif age < math.inf:
            ends.append(age)
            masses.append(masses[-1] + mass)
            sums.append(sums[-1] + mass * age)
    if runs[-1] == (ends[-1] if ends else None, False):
        masses[-1] = float(len(runs))  # nothing is left, not even what was rounded off
    return ends, masses, sums
