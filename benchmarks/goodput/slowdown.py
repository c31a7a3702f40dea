"""What a handler that becomes thirty times slower, and fast again, costs those who would have been served.

What the words of the table mean:
- A run is *good* if it would have ended within its caller's budget had it been let go.
- It is *killed* if the learned execution limit ended it before.
- A *stretch* is a span from one kill of a good run to another between which, both included, more than 5 % of the good runs
  that were over in that time had been killed; a single kill is a stretch of no length.
- The *usual* limits are those in force in the two minutes before. The limit is *back* as soon as, after the slow time, it
  is within 25 % of them: neither shorter than 3/4 of the least nor longer than 5/4 of the longest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from goodput.cases import KILL, SECONDS, SLOTS, Case
from timeouts import EarliestDeadlineFirst, ExecutionTimeout, GatewayTimeout
from timeouts.core import Core
from timeouts.options import checked_stack
from timeouts.sim import (
    Client,
    Constant,
    Exponential,
    Lognormal,
    Poisson,
    Scenario,
    Service,
    Stop,
    Stuck,
)
from timeouts.sim.books import Books
from timeouts.sim.chance import stream
from timeouts.sim.machine import Attempt, Machine
from timeouts.sim.scenario import Slowdown, factor_at

SLOWER = 30.0
SLOW_LOADS = (0.3, 0.8, 1.1, 1.8)
SEEDS = 3
SLOW_BUDGET = 30.0
SHORTEST, LONGEST = 2 * SECONDS, SLOW_BUDGET
LIMITS = GatewayTimeout(SLOW_BUDGET, reserve="auto") | ExecutionTimeout(
    "auto", at_least=SHORTEST, at_most=LONGEST
)
TOO_MANY = 0.05
NEAR = 0.25
MOST_STRETCH, MOST_BACK = 10.0, 60.0

_STOPS: tuple[tuple[str, Stop], ...] = (("killed (1 s)", KILL), ("cancelled", "cancel"))
_WORKS: tuple[tuple[str, Service], ...] = (
    ("constant", Constant(SECONDS)),
    ("exponential", Exponential(SECONDS)),
    ("lognormal (CV 2.9)", Lognormal(SECONDS, 2.9)),
    ("2 % hang for ever", Stuck(Lognormal(SECONDS, 0.3), 0.02)),
)
SLOW_CASES = tuple(
    Case(f"{name}, {word}", work, stop, (SLOW_BUDGET,))
    for word, stop in _STOPS
    for name, work in _WORKS
)

Run = tuple[float, bool]
"""When a good run was over, and whether it was killed."""


@dataclass(frozen=True)
class Phases:
    """Seconds before the slow time, of it, and after it."""

    before: float = 180.0
    slow: float = 120.0
    after: float = 180.0

    @property
    def slowdown(self) -> Slowdown:
        """When work takes how many times as long."""
        return ((self.before, SLOWER), (self.before + self.slow, 1.0))


@dataclass(frozen=True)
class Told:
    """What one run of a case showed.

    Attributes:
        good: how many good runs there were while it was slow, and after.
        killed: how many of them were killed.
        stretch: seconds of the longest stretch, then and then.
        usual: the shortest and the longest limit before.
        back: seconds from the end of the slow time until the limit was back; infinite if it was not.
    """

    good: tuple[int, int]
    killed: tuple[int, int]
    stretch: tuple[float, float]
    usual: tuple[float, float]
    back: float


class Ledger(Books):
    """Books that note the good runs, and the limit."""

    def __init__(self, duration: float, slowdown: Slowdown) -> None:
        super().__init__(duration, 0.0, SLOTS)
        self._slowdown = slowdown
        self.good: list[Run] = []
        self.limits: list[tuple[float, float]] = []

    def pass_time(self, now: float, core: Core) -> None:
        """Note the limit if it has changed."""
        super().pass_time(now, core)
        limit = min(max(core.learner.advice.execution, SHORTEST), LONGEST)
        if not self.limits or limit != self.limits[-1][1]:
            self.limits.append((now, limit))

    def replied(self, attempt: Attempt, name: str, now: float) -> None:
        """Note the run if it was good."""
        super().replied(attempt, name, now)
        if attempt.started < math.inf:
            work = attempt.request.work * factor_at(self._slowdown, attempt.started)
            if attempt.started + work < attempt.worthless:
                self.good.append((now, name == ExecutionTimeout.error.name))


def measure(case: Case, load: float, seed: int, phases: Phases) -> Told:
    """Take a case through the slow time."""
    begin, end = phases.before, phases.before + phases.slow
    duration = end + phases.after
    asked = Scenario(
        Poisson(load * SLOTS / SECONDS),
        case.service,
        Client(budget=case.budget),
        duration=duration,
        slowdown=phases.slowdown,
    )
    ledger = Ledger(duration, asked.slowdown)
    Machine(
        Core(checked_stack(LIMITS), slots=SLOTS, discipline=EarliestDeadlineFirst),
        requests=asked.requests(seed),
        slowdown=asked.slowdown,
        stop=case.stop,
        random=stream(seed, "retries"),
        books=ledger,
    ).run()
    slow = [run for run in ledger.good if begin <= run[0] < end]
    after = [run for run in ledger.good if end <= run[0]]
    usual = [limit for _, limit in in_force(ledger.limits, max(0.0, begin - 120.0), begin)]
    return Told(
        good=(len(slow), len(after)),
        killed=(_killed(slow), _killed(after)),
        stretch=(stretch(slow), stretch(after)),
        usual=(min(usual), max(usual)),
        back=back(in_force(ledger.limits, end, duration), min(usual), max(usual)),
    )


def _killed(runs: Sequence[Run]) -> int:
    return sum(killed for _, killed in runs)


def in_force(
    limits: Sequence[tuple[float, float]], since: float, until: float
) -> list[tuple[float, float]]:
    """Return the limits that were in force within a time, and from when in it."""
    ends = [*(now for now, _ in limits[1:]), math.inf]
    return [
        (max(now, since), limit)
        for (now, limit), end in zip(limits, ends, strict=True)
        if end > since and now < until
    ]


def back(limits: Sequence[tuple[float, float]], least: float, longest: float) -> float:
    """Return how long it took until a limit was one of the usual ones."""
    begin = limits[0][0]
    near = (now for now, limit in limits if least * (1 - NEAR) <= limit <= longest * (1 + NEAR))
    return next(near, math.inf) - begin


def stretch(runs: Sequence[Run], share: float = TOO_MANY) -> float:
    """Return the seconds of the longest stretch: the farthest two kills with more than a share between them."""
    excess, firsts = 0.0, list[tuple[float, float]]()  # excess before a kill, falling; its instant
    longest = 0.0
    for now, killed in runs:
        if killed and not (firsts and excess >= firsts[-1][0]):
            firsts.append((excess, now))
        excess += killed / share - 1
        if killed:
            first = next(instant for before, instant in firsts if excess > before)
            longest = max(longest, now - first)
    return longest


def worst(cases: Sequence[Case], phases: Phases, seeds: int) -> Iterator[tuple[Case, float, Told]]:
    """Yield what is worst of some runs of each case at each load; of counts the sum."""
    for case in cases:
        for load in SLOW_LOADS:
            told = [measure(case, load, seed, phases) for seed in range(seeds)]
            yield case, load, _worst(told)


def _worst(told: Sequence[Told]) -> Told:
    return Told(
        good=(sum(t.good[0] for t in told), sum(t.good[1] for t in told)),
        killed=(sum(t.killed[0] for t in told), sum(t.killed[1] for t in told)),
        stretch=(max(t.stretch[0] for t in told), max(t.stretch[1] for t in told)),
        usual=(min(t.usual[0] for t in told), max(t.usual[1] for t in told)),
        back=max(t.back for t in told),
    )
