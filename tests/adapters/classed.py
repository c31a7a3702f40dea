"""Classes for the tests of all hosts, an order that looks at tenants, and who sees what a request came as."""

from __future__ import annotations

import threading

from timeouts import Job, Observer, Priority
from timeouts.adapters.classes import Classes
from timeouts.discipline.ranked import Ranked

CLASSES = Classes(
    tenant="x-tenant", priority="x-priority", levels={"interactive": 0, "normal": 5, "batch": 10}
)
PATIENCE = 20.0


class AliceFirst(Ranked):
    """Serve one tenant before all others."""

    def rank(self, job: Job) -> float:
        return float(job.tenant != "alice")


class Watched(Priority):
    """Says how many have come to wait."""

    def __init__(self) -> None:
        super().__init__()
        self._came = threading.Semaphore(0)

    def push(self, job: Job) -> None:
        super().push(job)
        self._came.release()

    def wait_for_one(self) -> None:
        """Block until somebody more waits."""
        assert self._came.acquire(timeout=PATIENCE)


class Doorman(Observer):
    """Notes what each request came as: its priority, and its tenant."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, object]] = []

    def arrived(self, job: Job, now: float) -> None:
        self.seen.append((job.priority, job.tenant))
