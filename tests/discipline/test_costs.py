"""What an operation costs is counted in looks at jobs and comparisons, not in seconds: a hundred times as many who wait
must not be a hundred times as much work.
"""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from tests.core.scripts import DISCIPLINES, AnyDiscipline
from timeouts.discipline import EarliestDeadlineFirst, ranked
from timeouts.job import Job

FEW, MANY = 100, 10_000


class Touched(Job):
    """A job that counts how often any such job is looked at."""

    __slots__ = ()
    looks = 0

    def __getattribute__(self, name: str) -> Any:
        Touched.looks += 1
        return super().__getattribute__(name)

    def __eq__(self, other: object) -> bool:
        Touched.looks += 1
        return self is other

    def __hash__(self) -> int:
        Touched.looks += 1
        return id(self)


class Instant(float):
    """A number whose comparisons count as well."""

    __slots__ = ()

    def __lt__(self, other: float) -> bool:
        Touched.looks += 1
        return float(self) < other

    def __eq__(self, other: object) -> bool:
        Touched.looks += 1
        return float(self) == other

    __hash__ = float.__hash__


def crowd(size: int) -> list[Touched]:
    random, jobs = Random(size), list[Touched]()
    for number in range(size):
        job = Touched(number, tenant=random.randrange(20), priority=Instant(random.randrange(5)))
        job.arrived = Instant(number)
        job.expires = Instant(number + random.random() * size)
        jobs.append(job)
    return jobs


def looks(what: Callable[..., Any], jobs: list[Touched]) -> float:
    """Return how often jobs are looked at while something is done with each of these, in the mean."""
    before = Touched.looks
    for job in jobs:
        what(job)
    return (Touched.looks - before) / len(jobs)


def costs(discipline: AnyDiscipline, size: int) -> dict[str, float]:
    """Return the costs of operations beside so many who wait."""
    queue: Any = discipline()
    waiting = crowd(size)
    for job in waiting:
        queue.push(job)
    found = {
        name: looks(getattr(queue, name), crowd(50))
        for name in ("ahead", "loser")
        if hasattr(queue, name)
    }
    others = crowd(50)
    found["push"] = looks(queue.push, others)
    found["remove"] = looks(queue.remove, others[::2])
    found["pop"] = looks(lambda _: queue.pop(), others)
    return found


@pytest.mark.parametrize("discipline", DISCIPLINES)
def test_nothing_looks_through_all_who_wait(discipline: AnyDiscipline) -> None:
    few, many = costs(discipline, FEW), costs(discipline, MANY)
    for operation, looked in many.items():
        assert looked <= 3 * few[operation] + 10, operation
        assert looked < 100, operation


def test_chunks_become_fewer_with_those_who_wait() -> None:
    """Who is ahead is counted chunk by chunk: a crowd that has left must leave none behind."""
    queue, waiting = EarliestDeadlineFirst(), crowd(MANY)
    for job in waiting:
        queue.push(job)
    assert len(queue._chunks) < MANY / ranked._FEW
    Random(1).shuffle(waiting)
    for left in range(MANY - 1, 0, -1):
        queue.remove(waiting[left])
        assert len(queue._chunks) <= 2 * left / ranked._FEW + 1
    assert queue.pop() is waiting[0]
    assert (queue._chunks, queue._bounds) == ([[]], [])
