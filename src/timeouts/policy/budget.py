"""The caller's own budget, as the outermost rule of every stack: it may shorten, never lengthen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from timeouts.deadline import written
from timeouts.errors import GatewayTimeoutError, TimeoutsError
from timeouts.job import Job
from timeouts.policy.base import Interval, Policy


@dataclass(frozen=True, repr=False)
class Budget(Policy):
    """End a job at the instant its caller's budget became on arrival."""

    error: ClassVar[type[TimeoutsError]] = GatewayTimeoutError
    interval: ClassVar[Interval] = Interval.SOJOURN

    def deadline(self, job: Job) -> float:
        """Return the caller's last instant."""
        return job.deadline

    def rule(self, limit: float | None) -> str:
        """Say whose number it is."""
        return "the caller's budget" + ("" if limit is None else f" allows {written(limit)} s")

    def __repr__(self) -> str:
        """Show the rule; its number is each job's own."""
        return "Budget()"


BUDGET = Budget()
