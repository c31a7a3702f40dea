"""What disciplines that rank by a number share: a heap from which the dead can be removed."""

from __future__ import annotations

from abc import ABC, abstractmethod

from timeouts.heap import Heap
from timeouts.job import Job


class Ranked(ABC):
    """Serve the smallest rank first; equal ranks in order of arrival."""

    def __init__(self) -> None:
        self._jobs: Heap[Job] = Heap()

    @abstractmethod
    def rank(self, job: Job) -> float:
        """Return a job's rank; it must not change while the job waits."""

    def push(self, job: Job) -> None:
        """Take in a waiting job."""
        self._jobs.push(job, self.rank(job))

    def pop(self) -> Job:
        """Remove and return the job of the smallest rank."""
        return self._jobs.pop()

    def remove(self, job: Job) -> None:
        """Remove a job that will not be served."""
        self._jobs.remove(job)

    def __len__(self) -> int:
        """Return how many jobs wait."""
        return len(self._jobs)
