"""The pure core: what one job costs it, and whether that stays so however many jobs wait.

The second table keeps the number of waiting jobs constant: each that leaves is replaced by another
with a random deadline, and only the operation in question is timed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable
from random import Random
from time import process_time

from measure import Subject, is_quick, per_operation, print_costs, print_header, take_turns
from timeouts import ExecutionTimeout, GatewayTimeout, QueueTimeout
from timeouts.commands import Start
from timeouts.core import Core
from timeouts.job import Job
from timeouts.outcome import Outcome

LIMITS = GatewayTimeout(30) | QueueTimeout(5) | ExecutionTimeout(10)
FAR = GatewayTimeout(3e6) | QueueTimeout(1e6) | ExecutionTimeout(2e6)  # the jobs' budgets decide
DONE = Outcome("done")


def idle_job(count: int) -> None:
    """Jobs that find a free slot: arrive and start, finish."""
    core, now = Core(LIMITS, slots=4, capacity=1000), 0.0
    for key in range(count):
        now += 1e-4
        core.arrive(Job(key), now)
        core.finish(key, DONE, now)


def queued_job(count: int) -> None:
    """Jobs that find a queue: arrive; start, when the one before finishes; finish."""
    core, now = Core(LIMITS, slots=1, capacity=1000), 0.0
    core.arrive(Job(-1), now)
    for key in range(count):
        now += 1e-4
        core.arrive(Job(key), now)
        core.finish(key - 1, DONE, now)


class Crowd:
    """A core with one slot, taken, and many jobs that wait."""

    def __init__(self, size: int) -> None:
        self._core = Core(FAR, slots=1, capacity=math.inf)
        self._now = 0.0
        self._random = Random(size)
        self._size = size
        self._keys = itertools.count()
        self._running: Hashable = next(self._keys)
        self._core.arrive(Job(self._running), self._now)
        self.arrive(size)

    def arrive(self, count: int) -> None:
        """Jobs join the queue, each with a deadline of its own."""
        for _ in range(count):
            job = Job(next(self._keys), deadline=self._now + 1 + self._random.random())
            self._core.arrive(job, self._now)

    def expire(self, count: int) -> None:
        """The next deadlines come, one by one."""
        for _ in range(count):
            self._now = self._core.next_timer()
            self._core.tick(self._now)

    def grant(self, count: int) -> None:
        """The running job finishes and the next gets its slot, again and again."""
        for _ in range(count):
            commands = self._core.finish(self._running, DONE, self._now)
            (start,) = (command for command in commands if isinstance(command, Start))
            self._running = start.jobs[0].key

    def check(self) -> None:
        """As many wait as in the beginning."""
        assert self._core.waiting == self._size


Operation = Callable[[Crowd, int], None]


def in_crowd(size: int, timed: Operation, untimed: Operation, count: int) -> Subject:
    """Make a subject of one operation, with another that keeps the number of waiting jobs.

    They alternate in groups of ten, so that a clock is read rarely and the number moves little.
    """
    crowd = Crowd(size)

    def subject() -> float:
        spent = 0.0
        for _ in range(count // 10):
            start = process_time()
            timed(crowd, 10)
            spent += process_time() - start
            untimed(crowd, 10)
        crowd.check()
        return spent / count

    return subject


def main() -> None:
    quick = is_quick(__doc__)
    print_header("the pure core, three policies")
    count, rounds = (20, 1) if quick else (4_000, 15)
    per_job = {
        "a job that finds a free slot": per_operation(idle_job, count),
        "a job that finds a queue": per_operation(queued_job, count),
    }
    print_costs(take_turns(per_job, rounds), most_micros=dict.fromkeys(per_job, 10))

    few, many = (20, 100) if quick else (100, 100_000)
    for what, timed, untimed in (
        ("arrival", Crowd.arrive, Crowd.expire),
        ("expiry", Crowd.expire, Crowd.arrive),
        ("grant", Crowd.grant, Crowd.arrive),
    ):
        crowds = {
            f"{what}, {size:,} waiting": in_crowd(size, timed, untimed, count)
            for size in (few, many)
        }
        print_costs(take_turns(crowds, rounds), most_times={f"{what}, {many:,} waiting": 2})


if __name__ == "__main__":
    main()
