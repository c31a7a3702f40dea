"""Learns from each execution, and renews its advice from time to time.

Laws:
- What counts is the execution, never the wait for it: limits that learned from the queue would grow with it.
- Advice is renewed each `ENOUGH` executions; a window is over after `WINDOW` executions or `AGE` seconds.
"""

from __future__ import annotations

import math
from dataclasses import replace

from timeouts.estimate.advice import COLD, ENOUGH, Advice, advise
from timeouts.estimate.durations import Durations
from timeouts.estimate.limit import ExecutionLimit

WINDOW = 2000
AGE = 60.0
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

    __slots__ = ("_durations", "_limit", "_since", "_stops", "_until_renewal", "advice", "recovery")

    def __init__(self, *, stops: bool = True) -> None:
        self.advice: Advice = COLD
        self.recovery = 0.0 if stops else math.inf
        self._stops = stops
        self._durations = Durations()
        self._limit = ExecutionLimit()
        self._since = -math.inf
        self._until_renewal = ENOUGH

    def add(self, seconds: float, now: float, *, stopped: bool = False) -> bool:
        """Take in an execution that has ended or was stopped; return whether the advice is new."""
        self._durations.add(seconds, stopped=stopped)
        self._until_renewal -= 1
        raised = self._limit.ran(seconds, stopped=stopped)
        if not self._until_renewal:
            self._renew(now)
            return True
        if raised:
            self.advice = replace(self.advice, execution=self._limit.seconds)
        return raised

    def _renew(self, now: float) -> None:
        self._until_renewal = ENOUGH
        advice = advise(self._durations.curve(), self.recovery)
        self._limit.follow(advice.execution)
        self.advice = replace(advice, execution=self._limit.seconds)
        if self._durations.count >= WINDOW or now - self._since >= AGE:
            self._durations.rotate()
            self._limit.end_window()
            self._since = now

    def recovered(self, seconds: float) -> None:
        """Take in that a worker is back, so long after it had been stopped."""
        if self._stops:
            known = self.recovery
            self.recovery = known + (seconds - known) * _WEIGHT if known else seconds
