"""A policy that failed, as the rule that ends the job it failed on.

Law: a policy's bug costs the job that it was asked about, and no other: the core never sees the
exception, only a deadline that has passed.
"""

from __future__ import annotations

import math
from typing import ClassVar

from timeouts.errors import PolicyFailed, TimeoutsError
from timeouts.job import Job
from timeouts.policy.base import Policy


class Broken(Policy):
    """End a job at once with `PolicyFailed`, which says what the policy did."""

    error: ClassVar[type[TimeoutsError]] = PolicyFailed

    def __init__(self, policy: Policy, cause: Exception) -> None:
        self.policy = policy
        self.cause = cause

    def deadline(self, job: Job) -> float:  # noqa: ARG002 - whatever the job, it is over
        """Return an instant that has always passed."""
        return -math.inf

    def expired(self, job: Job, now: float) -> TimeoutsError:
        """Return the error that names the policy, the job and what went wrong."""
        running = math.isfinite(job.started)
        failed = PolicyFailed(
            f"{self.policy!r} failed on {job!r}: {type(self.cause).__name__}: {self.cause}",
            policy=self.policy,
            elapsed=now - job.arrived,
            started=running,
            work="still running" if running else "never started",
        )
        failed.__cause__ = self.cause
        return failed
