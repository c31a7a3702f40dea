"""`FirstItemTimeout` bounds a stream's time to its first item: arrival → first item."""

from __future__ import annotations

import math
from typing import ClassVar

from timeouts.errors import FirstItemTimeoutError, TimeoutsError
from timeouts.job import Job
from timeouts.policy.base import Interval
from timeouts.policy.single import SingleTimeout


class FirstItemTimeout(SingleTimeout):
    """End a stream that has given no item `timeout` after its arrival, waiting included.

    Args:
        timeout: seconds from arrival to the first item; None for no limit.

    Cannot do: anything for a handler that is no generator; a `Server` refuses the two together.
    """

    error: ClassVar[type[TimeoutsError]] = FirstItemTimeoutError
    interval: ClassVar[Interval] = Interval.FIRST_ITEM

    def deadline(self, job: Job) -> float:
        """Return the last instant for the first item; no opinion after it."""
        return math.inf if job.items else job.arrived + self.timeout
