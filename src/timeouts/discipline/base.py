"""What a discipline is: the order in which waiting jobs leave the queue.

Laws:
- What is pushed leaves once: by `pop` or by `remove`.
- `pop` gives the job that comes first by the discipline's own order; equal ones leave as they came.
- Removing a job costs no scan: a queue full of the dead must not be slow.

Two more questions are asked of a discipline that has an answer, before somebody is let in:
- `ahead(job) -> int`: how many would be served before him, were he pushed now. `PredictedWait` needs it.
- `loser(newcomer) -> Job | None`: who of those waiting should give up his place for him, since the queue is full; None
  if nobody should. The core then removes that one, and tells him. It may ask more than once, and about somebody who
  is not let in after all.
Both see the newcomer with the deadline that he would wait under.

A discipline that raises, or names somebody who does not wait, is told as `PolicyFailed`: by `push`, `ahead` and `loser` to
the newcomer alone; by `pop` and `remove` to all who wait, and a `FIFO` takes its place.

`timeouts.testing.check_discipline` holds any discipline, also a stranger's, to these. Expiry is not
its business: the core removes what is dead, under every discipline alike.
"""

from __future__ import annotations

from typing import Protocol

from timeouts.job import Job


class Discipline(Protocol):
    """A queue of waiting jobs. Its factory takes no arguments: each core makes its own."""

    def push(self, job: Job) -> None:
        """Take in a waiting job."""
        ...

    def pop(self) -> Job:
        """Remove and return the job that is served next."""
        ...

    def remove(self, job: Job) -> None:
        """Remove a job that will not be served."""
        ...

    def __len__(self) -> int:
        """Return how many jobs wait."""
        ...
