"""The rules of other servers, around the same core.

These policies are for comparison: they show what others do, not how a policy should be written. Where
a policy is asked about a job that starts, it is asked once, by the core, at that instant.
"""

from __future__ import annotations

import math
from typing import ClassVar

from timeouts import Job, Policy, QueueTimeoutError, TimeoutsError
from timeouts.job import WAITING


class AtDequeue(Policy):
    """Look at the age of a request when a worker takes it, and at no other time.

    LitServe's `timeout` and TensorFlow Serving's batching queues do so: who waits is told nothing until
    a worker is free, and what runs is never stopped.
    """

    error: ClassVar[type[TimeoutsError]] = QueueTimeoutError

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout

    def deadline(self, job: Job) -> float:
        """Return no limit, or an instant that has passed for a start that is too late."""
        if job.phase is WAITING or job.started - job.arrived <= self.timeout:
            return math.inf
        return job.started


class Sweep(Policy):
    """Look through the queue now and then, and drop who has waited for too long."""

    error: ClassVar[type[TimeoutsError]] = QueueTimeoutError

    def __init__(self, timeout: float, every: float) -> None:
        self.timeout = timeout
        self.every = every

    def deadline(self, job: Job) -> float:
        """Return the first sweep after the timeout."""
        if job.phase is not WAITING:
            return math.inf
        return math.ceil((job.arrived + self.timeout) / self.every) * self.every


class CoDel(Policy):
    """Controlled delay for requests: under overload, drop at the start who has waited twice the target.

    Overloaded is a server whose shortest wait within a window exceeds the target (RFC 8289; folly's
    `Codel` for requests). It has a memory, so each run needs one of its own.
    """

    error: ClassVar[type[TimeoutsError]] = QueueTimeoutError

    def __init__(self, timeout: float, target: float, window: float) -> None:
        self.timeout = timeout
        self.target = target
        self.window = window
        self._shortest = 0.0
        self._until = 0.0
        self._overloaded = False

    def deadline(self, job: Job) -> float:
        """Return the timeout; for a start that is to be dropped, an instant that has passed."""
        if job.phase is not WAITING and self._drops(job.started, job.started - job.arrived):
            return job.started
        return job.arrived + self.timeout

    def _drops(self, now: float, waited: float) -> bool:
        if now >= self._until:
            self._overloaded = self._shortest > self.target
            self._shortest, self._until = waited, now + self.window
        self._shortest = min(self._shortest, waited)
        return self._overloaded and waited > 2 * self.target
