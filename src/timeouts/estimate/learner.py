"""Learns from each execution, and renews its advice from time to time.

Laws:
- What counts is the execution, never the wait for it: limits that learned from the queue would grow with it.
- Advice is renewed each `ENOUGH` executions, and when a window is over: after `WINDOW` executions, or after `AGE` seconds if there
  were `ENOUGH` of them. What is remembered is two windows at most: 2,000 executions, or a minute.
- When executions are no longer what they were, all is forgotten, and learned anew.
"""

from __future__ import annotations

import math
from dataclasses import replace

from timeouts.estimate.advice import COLD, ENOUGH, Advice, advise
from timeouts.estimate.drift import Drift
from timeouts.estimate.durations import Durations
from timeouts.estimate.limit import ExecutionLimit

WINDOW = 1000
AGE = 30.0
_WEIGHT = 1 / 16
"""What one more recovery counts for."""


class Learner:
    """Learns how long executions take and what a stop costs.

    Args:
        stops: whether work can be stopped at all.

    Attributes:
        advice: what is advised at present.
        recovery: the mean seconds until a worker is back after a stop; infinite where there is no stopping.
    """

    __slots__ = (
        "_drift",
        "_durations",
        "_limit",
        "_since",
        "_stops",
        "_until_renewal",
        "advice",
        "recovery",
    )

    def __init__(self, *, stops: bool = True) -> None:
        self.recovery = 0.0 if stops else math.inf
        self.advice = replace(COLD, recovery=self.recovery)
        self._stops = stops
        self._durations = Durations()
        self._drift = Drift()
        self._limit = ExecutionLimit()
        self._since = -math.inf
        self._until_renewal = ENOUGH

    @property
    def count(self) -> int:
        """How many executions are remembered."""
        return self._durations.size

    def add(self, seconds: float, now: float, *, stopped: bool = False) -> bool:
        """Take in an execution that has ended or was stopped; return whether the advice is new."""
        self._durations.add(seconds, stopped=stopped)
        self._until_renewal -= 1
        if seconds > self.advice.longest and not self.advice.budgets:
            self.advice = replace(self.advice, longest=seconds)
        raised = self._limit.ran(seconds, stopped=stopped)
        if drift := self._drift.ran(seconds, stopped=stopped):
            self._begin_anew(now, seconds, slower=drift > 0)
            return True
        if not self._until_renewal or (now - self._since >= AGE and self._window_is_over(now)):
            self._renew(now)
            return True
        if raised:
            self._put_in_force(self.advice)
        return raised

    def _begin_anew(self, now: float, seconds: float, *, slower: bool) -> None:
        self._durations = Durations()
        self._drift = Drift()
        self._limit.end_window()
        if slower:
            self._limit.slower()
        self._since = now
        self._until_renewal = ENOUGH
        # Slow ones are stopped before anybody knows how long they take: half of the budget is right, then.
        self._put_in_force(replace(COLD, longest=math.inf if slower else seconds))

    def _window_is_over(self, now: float) -> bool:
        count = self._durations.count
        return count >= WINDOW or (count >= ENOUGH and now - self._since >= AGE)

    def _renew(self, now: float) -> None:
        self._until_renewal = ENOUGH
        if self._window_is_over(now):
            self._durations.rotate()
            self._limit.end_window()
            self._since = now
        curve = self._durations.curve()
        advice = advise(curve, self.recovery)
        if advice is not COLD:
            self._drift.expect(curve)
        self._limit.follow(advice.execution)
        self._put_in_force(replace(advice, longest=self.advice.longest))

    def _put_in_force(self, advice: Advice) -> None:
        limit, recovery = self._limit, self.recovery
        self.advice = replace(
            advice, execution=limit.seconds, recovery=recovery, raised=limit.raised
        )

    def recovered(self, seconds: float) -> None:
        """Take in that a worker is back, so long after it had been stopped."""
        if self._stops:
            known = self.recovery
            self.recovery = known + (seconds - known) * _WEIGHT if known else seconds
