"""Every discipline beside a naive order that looks through all who wait: the same one is next, and gives up his place."""

import copy
import math
import weakref
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.orders import ORDERS, Order
from tests.core.scripts import DISCIPLINES, RANKED, AnyDiscipline
from timeouts.discipline import EarliestDeadlineFirst, ranked
from timeouts.job import Job

OFTEN, PATIENCE = (0, 0, 0, 1, 1, 2, 5), (math.inf, 1, 2, 3, 5, 8, 13)


class Move(NamedTuple):
    """What happens next, and to whom."""

    what: str
    later: int
    patience: float
    level: int
    tenant: int
    whom: int


def moves_of(*what: str) -> st.SearchStrategy[Move]:
    return st.builds(
        Move,
        st.sampled_from(what),
        st.sampled_from(OFTEN),
        st.sampled_from(PATIENCE),
        st.integers(0, 2),
        st.integers(0, 3),
        st.integers(0, 50),
    )


MOVES = st.lists(moves_of("push", "push", "pop", "remove"), max_size=60)
MANY_COME = st.lists(moves_of(*["push"] * 4, "pop", "remove"), min_size=15, max_size=40)
MOST_LEAVE = st.lists(moves_of("push", *["remove"] * 3), min_size=15, max_size=40)


class Beside:
    """A queue and the plain list of who waits, as they came."""

    def __init__(self, discipline: AnyDiscipline) -> None:
        self.queue: Any = discipline()
        self.order: Order = ORDERS[discipline.__name__]()
        self.waiting: list[Job] = []
        self._now = 10.0

    def newcomer(self, move: Move) -> Job:
        self._now += move.later
        job = Job(object(), priority=move.level, tenant=move.tenant)
        job.arrived, job.expires = self._now, self._now + move.patience
        return job

    def push(self, job: Job) -> None:
        self.queue.push(job)
        self.order.came(job, self.waiting)
        self.waiting.append(job)

    def pop(self) -> None:
        job = self.order.next(self.waiting)
        assert self.queue.pop() is job
        self.waiting.remove(job)

    def remove(self, whom: int) -> None:
        self.queue.remove(self.waiting.pop(whom % len(self.waiting)))

    def served_before(self, job: Job) -> int:
        """Return how many are, if nobody else comes."""
        order, waiting, before = copy.deepcopy(self.order), list(self.waiting), 0
        order.came(job, waiting)
        waiting.append(job)
        while (first := order.next(waiting)) is not job:
            waiting.remove(first)
            before += 1
        return before


def played(discipline: AnyDiscipline, moves: list[Move]) -> Iterator[tuple[Beside, Job]]:
    """Play the moves, and yield before each arrival."""
    beside = Beside(discipline)
    for move in moves:
        if move.what == "push":
            job = beside.newcomer(move)
            yield beside, job
            beside.push(job)
        elif move.what == "pop" and beside.waiting:
            beside.pop()
        elif beside.waiting:
            beside.remove(move.whom)
        assert len(beside.queue) == len(beside.waiting)
    while beside.waiting:
        beside.pop()


@pytest.mark.parametrize("discipline", DISCIPLINES)
@given(moves=MOVES)
def test_who_is_next(discipline: AnyDiscipline, moves: list[Move]) -> None:
    for _ in played(discipline, moves):
        pass


@pytest.mark.parametrize("discipline", [one for one in RANKED if hasattr(one, "ahead")])
@given(moves=MOVES)
def test_who_is_ahead(discipline: AnyDiscipline, moves: list[Move]) -> None:
    for beside, job in played(discipline, moves):
        assert beside.queue.ahead(job) == beside.served_before(job)


@pytest.mark.parametrize("discipline", [one for one in DISCIPLINES if hasattr(one, "loser")])
@given(moves=MOVES)
def test_who_gives_up_his_place(discipline: AnyDiscipline, moves: list[Move]) -> None:
    for beside, job in played(discipline, moves):
        losers, told = beside.order.losers(beside.waiting, job), beside.queue.loser(job)
        assert told in losers if losers else told is None


@pytest.fixture(scope="module")
def small_chunks() -> Iterator[None]:
    """So small that they are split and joined all the time."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ranked, "_MOST", 4)
        patched.setattr(ranked, "_FEW", 1)
        yield


@pytest.mark.usefixtures("small_chunks")
@given(come=MANY_COME, go=MOST_LEAVE)
def test_a_deadline_is_found_in_whichever_chunk(come: list[Move], go: list[Move]) -> None:
    for beside, job in played(EarliestDeadlineFirst, come + go):
        assert beside.queue.ahead(job) == beside.served_before(job)
        chunks = beside.queue._chunks
        assert len(beside.queue._bounds) == len(chunks) - 1
        assert all(chunks) or len(chunks) == 1
        assert all(len(chunk) <= 4 for chunk in chunks)


class Mortal(Job):
    """A job whose end can be seen."""

    __slots__ = ("__weakref__",)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("discipline", DISCIPLINES)
@pytest.mark.parametrize("way", ["pop", "remove"])
def test_who_has_left_is_let_go_at_once(discipline: AnyDiscipline, way: str) -> None:
    """A queue that lives for years keeps nobody who has left it."""
    queue: Any = discipline()
    waiting = [Mortal(number, tenant=number % 3, priority=number % 2) for number in range(12)]
    for number, job in enumerate(waiting):
        job.arrived, job.expires = number, 100 + number
        queue.push(job)
    while waiting:
        job = queue.pop() if way == "pop" else waiting[len(waiting) // 2]
        if way == "remove":
            queue.remove(job)
        waiting.remove(job)
        gone = weakref.ref(job)
        del job
        assert gone() is None
