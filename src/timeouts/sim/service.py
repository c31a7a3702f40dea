"""How long the work takes, once a worker has it.

Law: `within` and `spent` describe what `draw` gives: the share of works that end within an age, and
the mean time spent on a work that is stopped at that age. `healthy` is the mean on which load is
counted: it leaves out work that is stuck.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import Protocol

from timeouts.sim.chance import exponential, normal
from timeouts.sim.checked import finite


class Service(Protocol):
    """A distribution of service times: a frozen value. Infinity is work that hangs for ever."""

    @property
    def healthy(self) -> float:
        """The mean of work that is not stuck, in seconds."""
        ...

    def draw(self, random: Random) -> float:
        """Return the service time of one request, in seconds."""
        ...

    def within(self, age: float) -> float:
        """Return the share of works that end within an age."""
        ...

    def spent(self, age: float) -> float:
        """Return the mean time that a work takes if it is stopped at an age."""
        ...


@dataclass(frozen=True)
class Constant:
    """Every request takes the same time.

    Args:
        seconds: that time.
    """

    seconds: float

    def __post_init__(self) -> None:
        """Refuse a time that is none."""
        finite("seconds", self.seconds)

    @property
    def healthy(self) -> float:
        """That time."""
        return self.seconds

    def draw(self, random: Random) -> float:  # noqa: ARG002 - it needs no chance
        """Return that time."""
        return self.seconds

    def within(self, age: float) -> float:
        """Return all or nothing."""
        return float(age >= self.seconds)

    def spent(self, age: float) -> float:
        """Return the shorter of the two."""
        return min(age, self.seconds)


@dataclass(frozen=True)
class Exponential:
    """Work that is never nearer to its end.

    Args:
        mean: seconds.
    """

    mean: float

    def __post_init__(self) -> None:
        """Refuse a mean that is none."""
        finite("mean", self.mean)

    @property
    def healthy(self) -> float:
        """The mean."""
        return self.mean

    def draw(self, random: Random) -> float:
        """Return an exponential time."""
        return self.mean * exponential(random)

    def within(self, age: float) -> float:
        """Return the distribution function."""
        return -math.expm1(-age / self.mean)

    def spent(self, age: float) -> float:
        """Return its integral of survival."""
        return self.mean * self.within(age)


@dataclass(frozen=True)
class Lognormal:
    """Work with a long tail, as measured ones often have.

    Args:
        mean: seconds.
        cv: the coefficient of variation: standard deviation / mean. 0.3 is narrow, 3 is wild.
    """

    mean: float
    cv: float

    def __post_init__(self) -> None:
        """Refuse numbers that describe nothing."""
        finite("mean", self.mean)
        finite("cv", self.cv)

    @property
    def healthy(self) -> float:
        """The mean."""
        return self.mean

    def draw(self, random: Random) -> float:
        """Return a lognormal time."""
        mu, sigma = self._parameters
        return math.exp(mu + sigma * normal(random))

    def within(self, age: float) -> float:
        """Return the distribution function."""
        mu, sigma = self._parameters
        return _phi((_log(age) - mu) / sigma)

    def spent(self, age: float) -> float:
        """Return the mean of what ends earlier, and the age for all else."""
        mu, sigma = self._parameters
        ended = self.mean * _phi((_log(age) - mu) / sigma - sigma)
        return ended if age == math.inf else ended + age * (1 - self.within(age))

    @property
    def _parameters(self) -> tuple[float, float]:
        variance = math.log1p(self.cv**2)
        return math.log(self.mean) - variance / 2, math.sqrt(variance)


def _phi(z: float) -> float:
    """Return the standard normal distribution function."""
    return math.erfc(-z / math.sqrt(2)) / 2


def _log(age: float) -> float:
    return math.log(age) if age > 0 else -math.inf
