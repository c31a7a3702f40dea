"""What a job's end is called: the same words in metrics, traces, events and logs.

Laws:
- Every name here is of few: a class, an outcome, a state of the work. None holds a key or a number.
- What was known when the caller was told stays as it was: work that is stopped later changes nothing
  here. (`error.work` is kept up to date, so it may say more already than the caller was told.)
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from timeouts.deadline import AUTO
from timeouts.errors import (
    ExecutionTimeoutError,
    PayloadError,
    PolicyFailed,
    TimeoutsError,
    WorkerLost,
)
from timeouts.job import Job
from timeouts.outcome import Outcome
from timeouts.policy import GatewayTimeout

if TYPE_CHECKING:
    from timeouts.estimate import Advice
    from timeouts.stack import Stack

DONE = "done"
"""What became of work that came to its own end: the handler returned, or raised."""


def outcome_name(job: Job, outcome: Outcome) -> str:
    """Return the name under which `stats().outcomes` counts an answered job."""
    if job.error is not None:
        return job.error.name
    return "completed" if outcome.error is None else "failed"


def reserve(limits: Stack, advice: Advice) -> float | None:
    """Return what `reserve="auto"` holds back from a job with no budget of its own; None if nothing does."""
    for policy in limits.policies:
        if isinstance(policy, GatewayTimeout) and policy.reserve == AUTO:
            return advice.reserve(policy.timeout) if policy.timeout < math.inf else None
    return None


def expiry(job: Job, outcome: Outcome) -> TimeoutsError | None:
    """Return the error of a job that a limit ended, a soft one or its caller's budget included."""
    error = job.error
    if error is None:
        return None if outcome.error is None else _soft_expiry(job, outcome.error)
    return None if error.policy is None or isinstance(error, PolicyFailed) else error


def policy_name(job: Job, outcome: Outcome) -> str:
    """Return the class of the rule that ended an answered job; `"none"` where no rule did."""
    error = job.error or expiry(job, outcome)
    return "none" if error is None or error.policy is None else type(error.policy).__name__


def work_name(job: Job, outcome: Outcome) -> str:
    """Return what was known of the work when the caller was told.

    `"done"`, `"never started"`, `"still running"`, or, of a worker that was lost, `"killed"` or
    `"stopped"`.
    """
    if job.error is not None:
        return "still running" if job.error.started else "never started"
    error = outcome.error
    known = error if isinstance(error, WorkerLost | PayloadError) else expiry(job, outcome)
    return DONE if known is None else known.work


def deadline_of(job: Job, error: TimeoutsError) -> float:
    """Return the instant that had passed when a job expired with this error."""
    if job.error is None:  # a soft limit, which is counted from the start
        return job.started + (error.limit or 0.0)
    return job.expires


def finite(seconds: float | None) -> float | None:
    """Return a number of seconds, or None in place of infinity."""
    return None if seconds is None or math.isinf(seconds) else seconds


def _soft_expiry(job: Job, error: BaseException) -> TimeoutsError | None:
    """Tell a soft limit of this job's own from an error that its handler met elsewhere."""
    if not isinstance(error, ExecutionTimeoutError) or job.stack is None:
        return None
    policy: Any = error.policy
    own = policy in job.stack.policies and error.limit == getattr(policy, "soft", None)
    return error if own else None
