"""First in, first out while the queue drains; last in, first out while it stands.

Under overload somebody has to wait in vain, and under FIFO everybody nearly does. Facebook's servers therefore serve the
newest first while a queue stands (Maurer, "Fail at Scale", 2015). There milliseconds tell that it does; here it is what the
callers themselves can wait.

Law: the queue stands from the moment when, as somebody came, the oldest had used up more than half of the time that he may
wait, until nobody waits. A discipline knows no clock; an arrival is the best there is.
"""

from __future__ import annotations

from timeouts.discipline.line import Line
from timeouts.job import Job

_PATIENCE = 0.5


class AdaptiveLIFO(Line):
    """Serve the oldest first, and the newest first while the queue stands.

    It stands as soon as the oldest has used up more than half of the time that he may wait, by limits and by his own
    budget, and until nobody waits any more. So below capacity and after a short burst callers are served as they came; above it
    those who come are served at once, with most of their time left.

    Cannot do: know that a queue stands where nobody's wait is limited: there it is `FIFO`. Say who is ahead, as
    `PredictedWait` asks: whoever comes later may come first.
    """

    def __init__(self) -> None:
        super().__init__()
        self._stands = False

    def push(self, job: Job) -> None:
        """Take in a waiting job."""
        stood = self._stands and len(self) > 0
        super().push(job)
        oldest = self.oldest()
        waited, may_wait = job.arrived - oldest.arrived, oldest.expires - oldest.arrived
        self._stands = stood or waited > _PATIENCE * may_wait

    def pop(self) -> Job:
        """Remove and return the job that is served next."""
        return self._jobs.popitem(last=self._stands)[0]
