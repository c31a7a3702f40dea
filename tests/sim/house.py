"""What the tests of the simulator share: one run, seen from inside."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from timeouts import FIFO, Stack
from timeouts.core import Core
from timeouts.options import checked_stack
from timeouts.sim.books import Books
from timeouts.sim.chance import stream
from timeouts.sim.machine import Attempt, Machine
from timeouts.sim.scenario import Request


@dataclass
class Run:
    """A run, with the fate of every attempt: its outcome and when its caller was told, by key.

    `freed` says when its slot was free or gone again, if it ever had one.
    """

    core: Core
    books: Books
    fates: dict[Any, tuple[str, float]] = field(default_factory=dict)
    attempts: dict[Any, Attempt] = field(default_factory=dict)
    freed: dict[Any, float] = field(default_factory=dict)


class Watched(Core):
    """A core that notes when slots come back."""

    run: Run

    def finish(self, key: Any, outcome: Any, now: float, *args: Any, **kwargs: Any) -> Any:
        self.run.freed[key] = now
        return super().finish(key, outcome, now, *args, **kwargs)


class Witness(Books):
    """Books that write down each attempt as well."""

    run: Run

    def replied(self, attempt: Attempt, name: str, now: float) -> None:
        assert attempt.key not in self.run.fates, "one reply"
        self.run.fates[attempt.key] = (name, now)
        super().replied(attempt, name, now)

    def asked(self, attempt: Attempt) -> None:
        self.run.attempts[attempt.key] = attempt
        super().asked(attempt)


def run(
    requests: Iterable[Request],
    limits: Any = None,
    *,
    slots: int = 1,
    capacity: float = float("inf"),
    stop: Any = "cancel",
    discipline: Any = FIFO,
    duration: float = 100.0,
    margin: float = 0.0,
    slowdown: tuple[tuple[float, float], ...] = (),
) -> Run:
    """Take a core through requests."""
    stack: Stack = checked_stack(limits)
    core = Watched(stack, slots=slots, capacity=capacity, discipline=discipline)
    books = Witness(duration, margin, slots)
    core.run = books.run = Run(core, books)
    random = stream(0, "retries")
    Machine(
        core, requests=iter(requests), slowdown=slowdown, stop=stop, random=random, books=books
    ).run()
    return books.run
