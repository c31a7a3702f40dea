"""What came of a run: figures of the callers and of the server."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from timeouts.sim.books import Books, Tally
from timeouts.sim.limit import Limit


@dataclass(frozen=True)
class Figures:
    """What became of the requests of some callers. Times are in seconds.

    Attributes:
        offered: how many requests there were, however often each was made.
        in_time: how many were answered within their budgets.
        goodput: the same, per second.
        latency_p50, latency_p99: from a request's first attempt to its answer, of those in time; None
            if there are none.
        told_p50, told_p99: from a request's first attempt to its last no, of all others; infinite where
            the caller never heard.
        fairness: Jain's index of the shares answered in time, over the quartiles of service time: 1 if
            long requests fare as well as short ones, 0.25 if one quartile has it all; None if nobody was
            answered in time.
    """

    offered: int
    in_time: int
    goodput: float
    latency_p50: float | None
    latency_p99: float | None
    told_p50: float | None
    told_p99: float | None
    fairness: float | None

    @property
    def success(self) -> float:
        """The share that was answered in time."""
        return self.in_time / self.offered if self.offered else math.nan


@dataclass(frozen=True)
class Report(Figures):
    """The figures of all callers together, and of the server.

    Attributes:
        clients: the figures of each kind of caller, by name.
        limit: the best possible goodput without knowing sizes, and what sets it.
        attempts: how often requests were made.
        outcomes: of attempts, by name.
        left: how many attempts have no outcome, because they wait or run for ever.
        wasted: the share of all work that was done for nobody.
        utilisation: the share of the slots that was held, on average.
        recovering: the share of the slots that had no worker.
        mean_wait: seconds from an attempt to its start, or to its end if it never started.
        mean_queue: how many waited, on average.
        timeline: how many requests came, and how many of them were answered in time, in each sixtieth
            of the run, its margins included.
        duration: seconds that were counted.
    """

    clients: Mapping[str, Figures]
    limit: Limit
    attempts: int
    outcomes: Mapping[str, int]
    left: int
    wasted: float
    utilisation: float
    recovering: float
    mean_wait: float
    mean_queue: float
    timeline: tuple[tuple[int, int], ...]
    duration: float

    @property
    def efficiency(self) -> float:
        """The goodput as a share of the limit."""
        return self.goodput / self.limit.goodput if self.limit.goodput else math.nan


def report(books: Books, limit: Limit, duration: float, slots: int) -> Report:
    """Make a report of the books of a run that is over."""
    total = sum(books.tallies.values(), start=Tally())
    time = duration * slots
    return Report(
        **vars(figures(total, duration)),
        clients={name: figures(tally, duration) for name, tally in books.tallies.items()},
        limit=limit,
        attempts=books.attempts,
        outcomes=dict(books.outcomes),
        left=len(books.inside),
        wasted=max(0.0, 1 - books.useful / books.held) if books.held else 0.0,
        utilisation=books.held / time,
        recovering=books.gone / time,
        mean_wait=books.waited / books.attempts if books.attempts else 0.0,
        mean_queue=books.queue / duration,
        timeline=tuple((came, answered) for came, answered in books.windows),
        duration=duration,
    )


def figures(tally: Tally, duration: float) -> Figures:
    """Make figures of a tally."""
    never = [math.inf] * (tally.offered - len(tally.fates))
    latencies, told = sorted(tally.latencies), [*sorted(tally.told), *never]
    return Figures(
        offered=tally.offered,
        in_time=len(latencies),
        goodput=len(latencies) / duration,
        latency_p50=quantile(latencies, 0.50),
        latency_p99=quantile(latencies, 0.99),
        told_p50=quantile(told, 0.50),
        told_p99=quantile(told, 0.99),
        fairness=jain(quartiles(tally.fates)),
    )


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """Return the smallest of ordered numbers that so many do not exceed; None if there are none."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def quartiles(fates: Sequence[tuple[float, bool]]) -> list[float]:
    """Return the share that was answered in time, from the quarter with the shortest work on."""
    ordered = sorted(fates, key=lambda fate: fate[0])  # equal ones as they were told
    edges = [len(ordered) * quarter // 4 for quarter in range(5)]
    parts = [ordered[begin:end] for begin, end in pairwise(edges)]
    return [sum(answered for _, answered in part) / len(part) for part in parts if part]


def jain(shares: Sequence[float]) -> float | None:
    """Return Jain's index: the square of the mean by the mean of the squares."""
    squares = math.fsum(share * share for share in shares)
    return math.fsum(shares) ** 2 / (len(shares) * squares) if squares else None
