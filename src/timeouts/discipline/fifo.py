"""First in, first out."""

from __future__ import annotations

from timeouts.discipline.line import Line
from timeouts.job import Job


class FIFO(Line):
    """Serve in order of arrival."""

    def ahead(self, job: Job) -> int:  # noqa: ARG002 - whoever he is
        """Return how many would be served before this job, were it pushed now."""
        return len(self._jobs)
