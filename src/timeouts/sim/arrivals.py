"""When requests arrive.

Law: `instants` gives instants from 0 on, in order, and may go on for ever.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Protocol

from timeouts.sim.chance import exponential
from timeouts.sim.checked import finite


class Arrivals(Protocol):
    """A process of arrivals: a frozen value."""

    def instants(self, random: Random) -> Iterator[float]:
        """Yield the instants of arrival, in order."""
        ...


@dataclass(frozen=True)
class Poisson:
    """Many callers who know nothing of one another.

    Args:
        rate: arrivals per second, on average.
    """

    rate: float

    def __post_init__(self) -> None:
        """Refuse a rate that is none."""
        finite("rate", self.rate)

    def instants(self, random: Random) -> Iterator[float]:
        """Yield instants with exponential gaps."""
        now = 0.0
        while True:
            now += exponential(random) / self.rate
            yield now


@dataclass(frozen=True)
class Regular:
    """One caller like clockwork: the k-th request, counted from 0, arrives at k / rate.

    Args:
        rate: arrivals per second.
    """

    rate: float

    def __post_init__(self) -> None:
        """Refuse a rate that is none."""
        finite("rate", self.rate)

    def instants(self, random: Random) -> Iterator[float]:  # noqa: ARG002 - it needs no chance
        """Yield evenly spaced instants."""
        return (number / self.rate for number in itertools.count())


@dataclass(frozen=True)
class Bursts:
    """Poisson arrivals whose rate changes at known instants: a spike, or on and off for ever.

    Args:
        steps: pairs (from when, rate per second); the first from 0 on. A rate may be 0.
        period: seconds after which the steps begin again; default never.

    `Bursts(((0, 32), (60, 200), (70, 32)))` is a spike of ten seconds;
    `Bursts(((0, 80), (5, 0)), period=10)` is on for five seconds and off for five.
    """

    steps: tuple[tuple[float, float], ...]
    period: float = math.inf

    def __post_init__(self) -> None:
        """Refuse steps out of order, and a burst that never comes."""
        object.__setattr__(self, "steps", tuple((start, rate) for start, rate in self.steps))
        starts = [start for start, _ in self.steps]
        for _, rate in self.steps:
            finite("the rate of a step", rate, zero=True)
        if not starts or starts[0] != 0 or starts != sorted(set(starts)):
            raise ValueError(f"steps must begin at 0 and go on in order; got {self.steps!r}")
        if not starts[-1] < self.period:
            raise ValueError(
                f"period must be longer than the last step's beginning, {starts[-1]:g}; "
                f"got {self.period!r}"
            )
        if not any(rate for _, rate in self.steps):
            raise ValueError(f"one of the rates must be more than 0; got {self.steps!r}")

    def instants(self, random: Random) -> Iterator[float]:
        """Yield instants: exponential gaps, measured in expected arrivals instead of seconds."""
        due = exponential(random)
        for start, end, rate in self._segments():
            now = start
            while rate and now + due / rate < end:
                now += due / rate
                yield now
                due = exponential(random)
            due -= (end - now) * rate if rate else 0.0

    def _segments(self) -> Iterator[tuple[float, float, float]]:
        ends = [*(start for start, _ in self.steps[1:]), self.period]
        for turn in itertools.count() if self.period < math.inf else (0,):
            begin = turn * self.period if turn else 0.0
            for (start, rate), end in zip(self.steps, ends, strict=True):
                yield begin + start, begin + end, rate
