"""By priority."""

from __future__ import annotations

from timeouts.discipline.ranked import Ranked
from timeouts.job import Job


class Priority(Ranked):
    """Serve the smallest `priority` first; equal priorities in order of arrival.

    Cannot do: keep low priorities from starving; their `QueueTimeout` is what tells their callers.
    """

    def rank(self, job: Job) -> float:
        """Rank by the priority given with the call."""
        return job.priority
