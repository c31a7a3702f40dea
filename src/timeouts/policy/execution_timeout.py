"""`ExecutionTimeout` bounds the service time: a worker takes the job → done."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from timeouts.deadline import Seconds, Timeout, written
from timeouts.errors import ExecutionTimeoutError, TimeoutsError
from timeouts.job import Job
from timeouts.policy.base import Interval, Policy, policy


@policy
class ExecutionTimeout(Policy):
    """Stop a job that a worker has had for `timeout`: cancelled, killed, or abandoned and counted.

    The caller is answered at that instant; the slot returns only when the work is known to be over.
    For a stream it bounds the whole of it, the consumer's pauses included.

    Args:
        timeout: seconds a job may run; None for no limit.
        soft: seconds after which `SoftTimeout` is raised inside the handler, which may clean up and
            even still return; default: none. Process workers only.

    Raises:
        ValueError: `soft` is not shorter than `timeout`.

    Cannot do: stop work that its worker kind cannot stop; see `Server.stop_mode`. The soft limit
    cannot interrupt C code that does not return.
    """

    timeout: Timeout
    soft: Timeout = math.inf

    if TYPE_CHECKING:  # what is taken is wider than what is kept

        def __init__(self, timeout: Seconds, soft: Seconds = None) -> None: ...

    error: ClassVar[type[TimeoutsError]] = ExecutionTimeoutError
    interval: ClassVar[Interval] = Interval.SERVICE

    def __post_init__(self) -> None:
        """Refuse a soft limit that could never come first."""
        if math.inf > self.soft >= self.timeout:
            raise ValueError(
                f"soft must be shorter than timeout, or it would never come first; "
                f"got soft={written(self.soft)}, timeout={written(self.timeout)}"
            )

    def deadline(self, job: Job) -> float:
        """Return the end of the service; infinite until it starts."""
        return job.started + self.timeout

    def soft_deadline(self, job: Job) -> float:
        """Return the instant of the soft limit."""
        return job.started + self.soft

    def since(self, job: Job) -> float:
        """Count from the start."""
        return job.started

    def rule(self, limit: float | None) -> str:
        """Say which of the two limits it was."""
        if limit is not None and limit == self.soft:
            return f"ExecutionTimeout's soft limit allows {written(limit)} s"
        return super().rule(limit)

    def __repr__(self) -> str:
        """Show what was written."""
        soft = f", soft={written(self.soft)}" if self.soft < math.inf else ""
        return f"ExecutionTimeout({written(self.timeout)}{soft})"
