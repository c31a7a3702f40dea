"""Disciplines: what an operation costs beside 100, 10,000 and 100,000 who wait.

As many wait all the time: who leaves is replaced, and only the operation in question is timed. They are of twenty
tenants and five priorities, and their deadlines are spread over twice the time that it takes to serve them all. Two tables
more: a heap, for comparison with `EarliestDeadlineFirst`, and as many tenants as is worst for `FairShare`, each with another
number of jobs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from random import Random
from statistics import median
from time import process_time
from typing import Any

from measure import MICRO, Subject, is_quick, print_header, take_turns
from timeouts import discipline
from timeouts.discipline import Discipline, FairShare
from timeouts.heap import Heap
from timeouts.job import Job

AT_ONCE = 10  # a clock is read rarely, and the number of those who wait moves little
OPERATIONS = ("push", "pop", "remove", "ahead", "loser")
MADE = [getattr(discipline, name) for name in discipline.__all__ if name != "Discipline"]


class AHeap(Heap[Job]):
    """The earliest deadline first, out of the heap that the core has for its timers; it cannot count."""

    def push(self, job: Job, rank: float = 0.0) -> None:  # noqa: ARG002 - it has its own
        """Take in a waiting job."""
        super().push(job, job.expires)


def twenty() -> Iterator[int]:
    """Yield one of twenty tenants, again and again."""
    return itertools.cycle(range(20))


def each_another_number() -> Iterator[int]:
    """Yield the first tenant once, the second twice, and so on."""
    return itertools.chain.from_iterable(itertools.repeat(n, n) for n in itertools.count(1))


class Crowd:
    """A queue in which so many wait."""

    def __init__(self, made: Callable[[], Discipline], size: int, tenants: Iterable[int]) -> None:
        self._queue: Any = made()
        self._size = size
        self._now = 0.0
        self._chance = Random(size)
        self._tenants = iter(tenants)
        jobs = self._fresh(size)
        self._push(jobs)
        self._tenants = itertools.cycle(dict.fromkeys(int(str(job.tenant)) for job in jobs))

    @property
    def operations(self) -> list[str]:
        """What can be asked of it."""
        return [operation for operation in OPERATIONS if hasattr(self._queue, operation)]

    def subject(self, operation: str, count: int) -> Subject:
        """Return what times an operation, so many times."""

        def timed() -> float:
            spent = sum(self._spent(operation) for _ in range(count // AT_ONCE))
            if len(self._queue) != self._size:
                raise AssertionError(f"{len(self._queue)} wait instead of {self._size}")
            return spent / (count // AT_ONCE * AT_ONCE)

        return timed

    def _spent(self, operation: str) -> float:
        jobs, call = self._fresh(AT_ONCE), getattr(self._queue, operation)
        if operation == "remove":
            self._push(jobs)
        begun = process_time()
        if operation == "pop":
            for _ in jobs:
                call()
        else:
            for job in jobs:
                call(job)
        spent = process_time() - begun
        if operation == "pop":
            self._push(jobs)
        elif operation == "push":
            for job in jobs:
                self._queue.remove(job)
        return spent

    def _push(self, jobs: list[Job]) -> None:
        for job in jobs:
            self._queue.push(job)

    def _fresh(self, count: int) -> list[Job]:
        return [self._job() for _ in range(count)]

    def _job(self) -> Job:
        self._now += 1
        chance = self._chance
        job = Job(self._now, tenant=next(self._tenants), priority=chance.randrange(5))
        job.arrived, job.expires = self._now, self._now + 2 * self._size * chance.random()
        return job


def print_table(crowds: dict[str, Crowd], count: int, rounds: int) -> None:
    """Print a row for each crowd: the median of the rounds for each operation."""
    width = max(map(len, crowds))
    print(f"{'':{width}}", *(f"{operation:>9}" for operation in OPERATIONS))
    for name, crowd in crowds.items():
        subjects = {what: crowd.subject(what, count) for what in crowd.operations}
        costs = {what: median(all_) * MICRO for what, all_ in take_turns(subjects, rounds).items()}
        cells = (f"{costs[what]:6.2f} µs" if what in costs else f"{'-':>9}" for what in OPERATIONS)
        print(f"{name:{width}}", *cells)
    print()


def main() -> None:
    quick = is_quick(__doc__)
    print_header("one operation on a queue, by how many wait")
    sizes, count, rounds = ((20, 100), 20, 1) if quick else ((100, 10_000, 100_000), 2_000, 7)
    for made in (*MADE, AHeap):
        print_table(
            {f"{made.__name__}, {size:,}": Crowd(made, size, twenty()) for size in sizes},
            count,
            rounds,
        )
    print_table(
        {
            f"{FairShare.__name__}, {size:,}, worst": Crowd(FairShare, size, each_another_number())
            for size in sizes
        },
        count,
        rounds,
    )


if __name__ == "__main__":
    main()
