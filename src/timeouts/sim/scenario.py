"""What is asked of a server: who asks for what, and when.

Law: arrivals, service times and clients are drawn from streams of their own, before the server does
anything. So all policies meet the very same requests under one seed, and differ by what they do.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple

from timeouts.sim.arrivals import Arrivals
from timeouts.sim.chance import stream
from timeouts.sim.checked import finite, instance
from timeouts.sim.clients import ANYBODY, Client
from timeouts.sim.service import Service

Slowdown = tuple[tuple[float, float], ...]


class Request(NamedTuple):
    """What one caller wants.

    Attributes:
        arrived: when it asks for the first time.
        work: seconds that a worker needs for it, at its usual pace; infinity if it hangs for ever.
        client: who asks.
        stopped: whether the work is only known to need more than that; in a trace alone.
    """

    arrived: float
    work: float
    client: Client
    stopped: bool = False


@dataclass(frozen=True)
class Scenario:
    """Requests drawn from distributions.

    Args:
        arrivals: when requests arrive: `Poisson`, `Regular`, `Bursts`.
        service: how long the work takes: `Constant`, `Exponential`, `Lognormal`, `Stuck`, `Recorded`.
        clients: one kind of caller, or several.
        duration: seconds in which requests arrive.
        margin: seconds at the beginning and at the end that are not counted: there the server is emptier
            than it is for most of the time.
        slowdown: pairs (from when, how many times as long work takes that starts from then on), in
            order; 1 before the first. `((60, 30), (90, 1))` is thirty times as long for half a minute.

    Raises:
        TypeError, ValueError: an argument makes no sense; the message names it and its value.
    """

    arrivals: Arrivals
    service: Service
    clients: Client | Sequence[Client] = ANYBODY
    duration: float = 600.0
    margin: float = 0.0
    slowdown: Slowdown = ()

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        instance("arrivals", self.arrivals, "instants", "when they come, such as Poisson(80)")
        instance("service", self.service, "spent", "how long work takes, such as Exponential(0.1)")
        clients: Any = self.clients
        kinds = tuple(clients) if isinstance(clients, Iterable) else (clients,)
        if not all(isinstance(kind, Client) for kind in kinds):
            raise TypeError(f"clients must be a Client, or several; got {self.clients!r}")
        object.__setattr__(self, "clients", kinds)
        if not kinds or len({kind.name for kind in kinds}) < len(kinds):
            raise ValueError(
                f"clients must be one or more, each with a name of its own; got {kinds!r}"
            )
        check_window(self.duration, self.margin)
        object.__setattr__(self, "slowdown", checked_slowdown(self.slowdown))

    @property
    def _kinds(self) -> tuple[Client, ...]:
        return self.clients  # type: ignore[return-value]  # made a tuple on the way in

    def requests(self, seed: int) -> Iterator[Request]:
        """Yield the requests in order of arrival; the same ones for the same seed."""
        services, choices = stream(seed, "service"), stream(seed, "clients")
        shares = list(accumulate(kind.share for kind in self._kinds))
        draw, kinds, total = self.service.draw, self._kinds, shares[-1]
        for arrived in self.arrivals.instants(stream(seed, "arrivals")):
            if arrived >= self.duration:
                return
            chosen = bisect_right(shares, choices.random() * total) if len(kinds) > 1 else 0
            yield Request(arrived, draw(services), kinds[chosen])


def check_window(duration: float, margin: float) -> None:
    """Refuse a run of no time, and one that is all margin."""
    finite("duration", duration)
    finite("margin", margin, zero=True)
    if not margin < duration / 2:
        raise ValueError(f"margin must be less than half of duration={duration!r}; got {margin!r}")


def checked_slowdown(slowdown: Sequence[tuple[float, float]]) -> Slowdown:
    """Return a schedule of factors, or refuse it."""
    steps = tuple((start, factor) for start, factor in slowdown)
    starts = [start for start, _ in steps]
    for _, factor in steps:
        finite("a factor of slowdown", factor)
    if starts != sorted(set(starts)) or (starts and not 0 <= starts[0] < math.inf):
        raise ValueError(f"slowdown must be pairs in order of time, from 0 on; got {slowdown!r}")
    return steps


def factor_at(slowdown: Slowdown, now: float) -> float:
    """Return how many times as long work takes that starts at an instant."""
    passed = bisect_right(slowdown, (now, math.inf))
    return slowdown[passed - 1][1] if passed else 1.0


def mean_pace(slowdown: Slowdown, duration: float) -> float:
    """Return how much of its usual work a worker does, on average, until an instant."""
    starts = [0.0, *(start for start, _ in slowdown if start < duration)]
    spans = zip(starts, [*starts[1:], duration], strict=True)
    return sum((end - start) / factor_at(slowdown, start) for start, end in spans) / duration
