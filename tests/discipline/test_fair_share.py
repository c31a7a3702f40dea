"""Tenants in turn: what each is owed, and what a flood cannot take from the others."""

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.core.orders import Turns
from tests.discipline.test_orders import MOVES, Move, played
from timeouts import FairShare, PredictedWait, QueueTimeout
from timeouts.commands import Reply
from timeouts.core import Core
from timeouts.job import Job
from timeouts.outcome import Outcome
from timeouts.stack import Stack

TENANTS = st.lists(st.integers(0, 4), max_size=60)


def of(tenant: object) -> Job:
    return Job(object(), tenant=tenant)


def pushed(*tenants: object) -> tuple[FairShare, list[Job]]:
    queue, jobs = FairShare(), [of(tenant) for tenant in tenants]
    for job in jobs:
        queue.push(job)
    return queue, jobs


def popped(queue: FairShare) -> str:
    return "".join(str(queue.pop().tenant) for _ in range(len(queue)))


@given(st.lists(st.sampled_from(["pop", 2, 3, 4]), max_size=100), TENANTS)
def test_of_two_who_always_wait_neither_is_served_more_than_once_more(
    moves: list[Any], before: list[int]
) -> None:
    """Over any stretch: the lead of one over the other moves within one. Others come and go."""
    queue, _ = pushed(*before, 0, 0, 1, 1)
    lead, leads = 0, [0]
    for move in moves:
        if move != "pop":
            queue.push(of(move))
            continue
        served = queue.pop().tenant
        if served in (0, 1):
            queue.push(of(served))
            lead += 1 if served else -1
            leads.append(lead)
    assert max(leads) - min(leads) <= 1


@given(TENANTS, TENANTS)
def test_nobody_starves(before: list[int], later: list[int]) -> None:
    """Before the first of a tenant each other one is served once at most, however many come meanwhile."""
    queue, _ = pushed(*before)
    mine = of("mine")
    queue.push(mine)
    served = Counter[object]()
    while (job := queue.pop()) is not mine:
        served[job.tenant] += 1
        queue.push(of(job.tenant))
        for tenant in later:
            queue.push(of(tenant))
    assert set(served) <= set(before)
    assert max(served.values(), default=1) == 1


@given(st.integers(1, 12), TENANTS)
def test_each_tenant_can_hold_its_part_of_the_places(capacity: int, arrivals: list[int]) -> None:
    """Who has fewer than `capacity // tenants` waiting is let in, and keeps as many whatever comes."""
    queue, waiting = FairShare(), Counter[object]()
    part = capacity // 5
    for tenant in arrivals:
        newcomer = of(tenant)
        if len(queue) >= capacity:
            loser = queue.loser(newcomer)
            if loser is None:
                assert waiting[tenant] >= part
                continue
            assert waiting[loser.tenant] > max(part, waiting[tenant] + 1)
            queue.remove(loser)
            waiting[loser.tenant] -= 1
        queue.push(newcomer)
        waiting[tenant] += 1
        assert len(queue) <= capacity


@given(MOVES)
def test_who_is_ahead_is_never_more_than_are_served_before(moves: list[Move]) -> None:
    """Nor fewer than those, less one of each other tenant."""
    for beside, job in played(FairShare, moves):
        before, told = beside.served_before(job), beside.queue.ahead(job)
        others = {one.tenant for one in beside.waiting} - {job.tenant}
        assert before - len(others) <= told <= before
        assert isinstance(beside.order, Turns)
        if job.tenant not in beside.order.turns:
            assert told == before == len(others)


def test_tenants_take_turns() -> None:
    queue, _ = pushed(*"aaaabbc")
    assert popped(queue) == "abcabaa"


def test_who_comes_back_has_gained_nothing() -> None:
    queue, _ = pushed(*"abb")
    assert [queue.pop().tenant for _ in range(2)] == ["a", "b"]
    queue.push(of("b"))
    queue.push(of("b"))
    assert queue.pop().tenant == "b"  # for a, whose turn it was, nobody came
    for _ in range(3):
        queue.push(of("a"))
    assert popped(queue) == "babaa"


def test_who_calls_again_as_soon_as_he_is_answered_loses_no_turn() -> None:
    """Two who flood, and one with one call at a time: each has a third."""
    queue, _ = pushed(*"xyxyxyxyxyxya")
    served = ""
    for _ in range(4):
        while not served.endswith("a"):
            served += str(queue.pop().tenant)
        served += str(queue.pop().tenant)  # while his job runs
        queue.push(of("a"))
    assert served == "xyaxyaxyaxyax"[: len(served)]


def test_whose_job_has_expired_keeps_the_turn() -> None:
    queue, jobs = pushed(*"abc")
    queue.remove(jobs[0])
    queue.push(of("a"))
    assert popped(queue) == "abc"


def test_turns_are_not_kept_for_any_number_of_tenants_who_have_left() -> None:
    """Callers of a thousand tenants give up, and somebody is there to be served."""
    queue, _ = pushed("stays")
    for tenant in range(1000):
        job = of(tenant)
        queue.push(job)
        queue.remove(job)
    assert len(queue._round) < 100
    assert queue.pop().tenant == "stays"


def test_of_the_tenant_with_most_the_newest_gives_way() -> None:
    queue, jobs = pushed(*"aabaa")
    assert queue.loser(of("new")) is jobs[4]
    assert queue.loser(of("b")) is jobs[4]
    assert queue.loser(of("a")) is None
    queue.remove(jobs[4])
    queue.remove(jobs[3])
    assert queue.loser(of("b")) is None  # it would then have as many
    assert queue.loser(of("new")) is jobs[1]


def test_a_flood_displaces_itself() -> None:
    core = Core(Stack(QueueTimeout(10)), slots=1, capacity=4, discipline=FairShare)
    for number in range(10):
        core.arrive(Job(number, tenant="flood"), 0)
    assert core.outcomes["queue_full"] == 5
    (reply,) = core.arrive(Job("other", tenant="other"), 1)
    assert isinstance(reply, Reply)
    assert reply.job.key == 4  # the newest of those who wait
    assert core.finish(0, Outcome("y"), 2)[1].jobs[0].key == 1  # type: ignore[union-attr]
    assert core.finish(1, Outcome("y"), 3)[1].jobs[0].key == "other"  # type: ignore[union-attr]


def test_a_flood_is_told_at_once_and_others_are_let_in() -> None:
    """Each takes 4 s and may wait for 10: of the flood there is room for two."""
    core = Core(Stack(QueueTimeout(10)), slots=1, discipline=FairShare, admission=PredictedWait())
    core.arrive(Job("first", tenant="flood"), 0)
    core.finish("first", Outcome("y"), 4)
    for number in range(6):
        core.arrive(Job(number, tenant="flood"), 4)
    assert core.outcomes["wait_too_long"] == 2
    assert core.arrive(Job("other", tenant="other"), 4) == []


def test_calls_without_a_tenant_are_one_tenant() -> None:
    queue, _ = pushed(None, None, "a")
    assert popped(queue) == "NoneaNone"
