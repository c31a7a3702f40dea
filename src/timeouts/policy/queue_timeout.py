"""`QueueTimeout` bounds the waiting time: arrival → a worker takes the job."""

from __future__ import annotations

import math
from typing import ClassVar

from timeouts.errors import QueueTimeoutError, TimeoutsError
from timeouts.job import WAITING, Job
from timeouts.policy.base import Interval
from timeouts.policy.single import SingleTimeout


class QueueTimeout(SingleTimeout):
    """Refuse a job that no worker has taken `timeout` after its arrival.

    The work never started, so a retry is safe, and its place in the queue is free at that instant.

    Args:
        timeout: seconds a job may wait; None for no limit.

    Cannot do: end a job that runs; that is `ExecutionTimeout`.
    """

    error: ClassVar[type[TimeoutsError]] = QueueTimeoutError
    interval: ClassVar[Interval] = Interval.WAITING

    def deadline(self, job: Job) -> float:
        """Return the end of the wait; no opinion once a worker has the job."""
        return job.arrived + self.timeout if job.phase is WAITING else math.inf
