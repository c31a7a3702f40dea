"""The timer thread by itself: a shell that is only a set of instants, and a clock that is moved by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from queue import SimpleQueue

from timeouts.testing import ManualClock
from timeouts.testing.deadlock import GUARD
from timeouts.timer import Timer


class Shell:
    """What the timer asks and ticks; after a tick, a test may step in while it is being asked."""

    def __init__(self, *due: float) -> None:
        self.due = set(due)
        self.ticks: SimpleQueue[float] = SimpleQueue()
        self.after_a_tick: Callable[[], None] = lambda: None
        self._step_in: Callable[[], None] = lambda: None

    def next_timer(self) -> float:
        first = min(self.due, default=math.inf)
        step_in, self._step_in = self._step_in, lambda: None
        step_in()
        return first

    def tick(self, now: float) -> None:
        self.due = {instant for instant in self.due if instant > now}
        self._step_in, self.after_a_tick = self.after_a_tick, lambda: None
        self.ticks.put(now)


def test_whoever_arms_while_the_next_instant_is_looked_up_is_not_missed() -> None:
    """Later than the last instant, sooner than the next: just where the timer could sleep through."""
    clock, shell = ManualClock(), Shell(5, 20)
    timer = Timer(shell, clock, "timer-alone")

    def arm_sooner() -> None:
        shell.due.add(15)
        timer.arm(15)

    shell.after_a_tick = arm_sooner
    timer.arm(5)
    try:
        clock.advance_to(5)
        assert shell.ticks.get(timeout=GUARD) == 5
        clock.advance_to(15)
        assert shell.ticks.get(timeout=GUARD) == 15
        clock.advance_to(20)
        assert shell.ticks.get(timeout=GUARD) == 20
    finally:
        timer.close()
