"""A queue of jobs as they came, of which any can be removed at no cost."""

from __future__ import annotations

from collections import OrderedDict

from timeouts.job import Job


class Line:
    """Serve from one end.

    An `OrderedDict`, because a plain dict finds its first entry by walking over the removed ones.
    """

    _last = False

    def __init__(self) -> None:
        self._jobs: OrderedDict[Job, None] = OrderedDict()

    def push(self, job: Job) -> None:
        """Take in a waiting job."""
        self._jobs[job] = None

    def pop(self) -> Job:
        """Remove and return the job that is served next."""
        return self._jobs.popitem(last=self._last)[0]

    def remove(self, job: Job) -> None:
        """Remove a job that will not be served."""
        del self._jobs[job]

    def oldest(self) -> Job:
        """Return who came first."""
        return next(iter(self._jobs))

    def newest(self) -> Job:
        """Return who came last."""
        return next(reversed(self._jobs))

    def __len__(self) -> int:
        """Return how many jobs wait."""
        return len(self._jobs)
