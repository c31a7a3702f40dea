"""What is simulated: four slots, 0.1 s of work in the mean, callers who leave after a second."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from timeouts.core import Core
from timeouts.discipline import FIFO, Discipline
from timeouts.options import checked_stack
from timeouts.sim import Arrivals, Client, Exponential, Poisson, Report, Scenario, Service, simulate
from timeouts.sim.books import Books
from timeouts.sim.chance import stream
from timeouts.sim.machine import Attempt, Machine

SLOTS, WORK, BUDGET = 4, 0.1, 1.0
CAPABLE = SLOTS / WORK
"""Answers per second, at most."""
EXPONENTIAL = Exponential(WORK)
CALLER = Client(budget=BUDGET)


@dataclass(frozen=True)
class Scale:
    """How much is simulated.

    Attributes:
        time: what each duration is multiplied by.
        points: whether all points of each line are computed, or the first and the last.
    """

    time: float = 1.0
    points: bool = True

    def chosen(self, points: tuple[float, ...]) -> tuple[float, ...]:
        """Return the points to compute."""
        return points if self.points else (points[0], points[-1])


FULL = Scale()
TINY = Scale(0.02, points=False)


@dataclass(frozen=True)
class Rule:
    """A way to run a server.

    Attributes:
        name: how it is called in the plots.
        limits: makes its policies.
        discipline: the order of its queue.
        options: what else `simulate` is told.
    """

    name: str
    limits: Callable[[], Any]
    discipline: Callable[[], Discipline] = FIFO
    options: tuple[tuple[str, Any], ...] = ()


def scenario(
    arrivals: Arrivals | float,
    scale: Scale,
    *,
    service: Service = EXPONENTIAL,
    clients: Client | tuple[Client, ...] = CALLER,
    seconds: float = 90.0,
) -> Scenario:
    """Return requests: from a process, or so many times what the workers can do, for less time the more there are."""
    if isinstance(arrivals, float | int):
        seconds *= min(1.0, 2 / arrivals) ** 0.5
        arrivals = Poisson(arrivals * CAPABLE)
    duration = seconds * scale.time
    return Scenario(arrivals, service, clients, duration=duration, margin=duration / 9)


def serve(asked: Scenario, rule: Rule, **more: Any) -> Report:
    """Serve requests by a rule; work that is stopped runs on, if nothing else is said."""
    server = {"stop": "abandon", **dict(rule.options), **more}
    return simulate(
        asked,
        rule.limits(),
        discipline=rule.discipline,
        slots=SLOTS,
        capacity=math.inf,
        **server,
    )


class Ages(Books):
    """Books that note at which age requests start to be served."""

    def __init__(self, asked: Scenario) -> None:
        super().__init__(asked.duration, asked.margin, SLOTS)
        self._from = asked.margin
        self.ages: list[float] = []

    def replied(self, attempt: Attempt, name: str, now: float) -> None:
        """Note it of those that were started."""
        super().replied(attempt, name, now)
        if attempt.started < math.inf and attempt.arrived > self._from:
            self.ages.append(attempt.started - attempt.arrived)


def ages_at_start(asked: Scenario, rule: Rule) -> list[float]:
    """Return how old requests were when a worker took them, ascending."""
    books = Ages(asked)
    Machine(
        Core(checked_stack(rule.limits()), slots=SLOTS, discipline=rule.discipline, stops=False),
        requests=asked.requests(0),
        slowdown=(),
        stop="abandon",
        random=stream(0, "retries"),
        books=books,
    ).run()
    return sorted(books.ages)
