"""`IdleTimeout` bounds the gap between a stream's items: somebody waits for the next → it is there."""

from __future__ import annotations

from typing import ClassVar

from timeouts.errors import IdleTimeoutError, TimeoutsError
from timeouts.job import Job
from timeouts.policy.base import Interval
from timeouts.policy.single import SingleTimeout


class IdleTimeout(SingleTimeout):
    """End a stream whose next item takes longer than `timeout`, counted from when it is asked for.

    A slow consumer is not the handler's fault: while nobody waits for an item, nothing is counted.
    The first item is `FirstItemTimeout`'s.

    Args:
        timeout: seconds from asking for an item to having it; None for no limit.

    Cannot do: anything for a handler that is no generator; a `Server` refuses the two together.
    """

    error: ClassVar[type[TimeoutsError]] = IdleTimeoutError
    interval: ClassVar[Interval] = Interval.IDLE

    def deadline(self, job: Job) -> float:
        """Return the last instant for the next item; infinite while nobody waits for one."""
        return job.idle_since + self.timeout

    def since(self, job: Job) -> float:
        """Count from when the item was asked for."""
        return job.idle_since
