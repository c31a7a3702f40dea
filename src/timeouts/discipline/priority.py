"""By priority."""

from __future__ import annotations

from bisect import bisect_right, insort

from timeouts.discipline.line import Line
from timeouts.job import Job


class Priority:
    """Serve the smallest `priority` first; equal priorities in order of arrival.

    Each priority has a line of its own, so the cost does not depend on how many wait. Where the queue is full, the newest
    of the lowest line gives up his place for one with a smaller `priority`.

    Cannot do: keep low priorities from starving; their `QueueTimeout` is what tells their callers. It is meant for a few
    different priorities: to say who is ahead takes a step for each that somebody waits with.
    """

    def __init__(self) -> None:
        self._lines: dict[float, Line] = {}
        self._levels: list[float] = []  # the keys of the lines, sorted
        self._waiting = 0

    def push(self, job: Job) -> None:
        """Take in a waiting job."""
        level = job.priority
        if level not in self._lines:
            self._lines[level] = Line()
            insort(self._levels, level)
        self._lines[level].push(job)
        self._waiting += 1

    def pop(self) -> Job:
        """Remove and return the first of the highest line."""
        level = self._levels[0]
        job = self._lines[level].pop()
        self._left(level)
        return job

    def remove(self, job: Job) -> None:
        """Remove a job that will not be served."""
        self._lines[job.priority].remove(job)
        self._left(job.priority)

    def ahead(self, job: Job) -> int:
        """Return how many would be served before this job, were it pushed now."""
        levels = self._levels
        return sum(
            len(self._lines[level]) for level in levels[: bisect_right(levels, job.priority)]
        )

    def loser(self, newcomer: Job) -> Job | None:
        """Return who gives up his place for a newcomer: the newest of the lowest line, if that is lower."""
        levels = self._levels
        if levels and newcomer.priority < levels[-1]:
            return self._lines[levels[-1]].newest()
        return None

    def __len__(self) -> int:
        """Return how many jobs wait."""
        return self._waiting

    def _left(self, level: float) -> None:
        self._waiting -= 1
        if not self._lines[level]:
            del self._lines[level]
            del self._levels[bisect_right(self._levels, level) - 1]
