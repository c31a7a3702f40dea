"""Jobs in order of a number: any can be removed, and how many come before another can be told.

They stand in chunks of some hundreds, each sorted and all of them in order, so that to insert and to remove is a binary
search and a short move, and who is ahead is counted chunk by chunk. With 100,000 waiting that is as fast as a heap, which
cannot count. The same idea is behind the package sortedcontainers.

Law: neighbours that have shrunk are joined, so that the number of chunks follows the number of jobs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right, insort

from timeouts.job import Job

_MOST = 1024  # of a chunk
_FEW = _MOST // 4

_Entry = tuple[float, int, Job]


class Ranked(ABC):
    """Serve the smallest rank first; equal ranks in order of arrival."""

    def __init__(self) -> None:
        self._chunks: list[list[_Entry]] = [[]]
        self._bounds: list[tuple[float, int]] = []  # where each chunk but the first begins
        self._entries: dict[Job, _Entry] = {}
        self._next = 0

    @abstractmethod
    def rank(self, job: Job) -> float:
        """Return a job's rank; it must not change while the job waits."""

    def push(self, job: Job) -> None:
        """Take in a waiting job."""
        self._next = ticket = self._next + 1
        self._entries[job] = entry = (self.rank(job), ticket, job)
        at = bisect_right(self._bounds, entry)
        chunk = self._chunks[at]
        insort(chunk, entry)
        if len(chunk) > _MOST:
            self._split(at)

    def pop(self) -> Job:
        """Remove and return the job of the smallest rank."""
        chunk = self._chunks[0]
        job = chunk.pop(0)[2]
        del self._entries[job]
        if self._bounds and len(chunk) <= _FEW:
            self._join(0)
        return job

    def remove(self, job: Job) -> None:
        """Remove a job that will not be served."""
        entry = self._entries.pop(job)
        at = bisect_right(self._bounds, entry)
        chunk = self._chunks[at]
        del chunk[bisect_left(chunk, entry)]
        if self._bounds and len(chunk) <= _FEW:
            self._join(at)

    def ahead(self, job: Job) -> int:
        """Return how many would be served before this job, were it pushed now."""
        place = (self.rank(job), self._next + 1)
        at = bisect_right(self._bounds, place)
        return sum(map(len, self._chunks[:at])) + bisect_right(self._chunks[at], place)

    def __len__(self) -> int:
        """Return how many jobs wait."""
        return len(self._entries)

    def _split(self, at: int) -> None:
        chunk = self._chunks[at]
        rest = chunk[_MOST // 2 :]
        del chunk[_MOST // 2 :]
        self._chunks.insert(at + 1, rest)
        self._bounds.insert(at, rest[0][:2])

    def _join(self, at: int) -> None:
        """Join a chunk that has shrunk to a neighbour, where the two are small or one is empty."""
        chunks, bounds = self._chunks, self._bounds
        for left in (at, at - 1):
            if 0 <= left < len(bounds):
                one, other = chunks[left : left + 2]
                if not (one and other) or len(one) + len(other) <= 2 * _FEW:
                    one += chunks.pop(left + 1)
                    del bounds[left]
