"""`ExecutionTimeout` bounds the service time: a worker takes the job → done."""

from __future__ import annotations

from typing import ClassVar

from timeouts.errors import ExecutionTimeoutError, TimeoutsError
from timeouts.job import Job
from timeouts.policy.base import Interval
from timeouts.policy.single import SingleTimeout


class ExecutionTimeout(SingleTimeout):
    """Stop a job that a worker has had for `timeout`: cancelled, killed, or abandoned and counted.

    The caller is answered at that instant; the slot returns only when the work is known to be over.
    For a stream it bounds the whole of it, the consumer's pauses included.

    Args:
        timeout: seconds a job may run; None for no limit.

    Cannot do: stop work that its worker kind cannot stop; see `Server.stop_mode`.
    """

    error: ClassVar[type[TimeoutsError]] = ExecutionTimeoutError
    interval: ClassVar[Interval] = Interval.SERVICE

    def deadline(self, job: Job) -> float:
        """Return the end of the service; infinite until it starts."""
        return job.started + self.timeout

    def since(self, job: Job) -> float:
        """Count from the start."""
        return job.started
