"""Disciplines and rules of admission may be a stranger's: what they get wrong costs an answer, never the books.

Law: whatever a discipline does, each job is answered once, the books balance, no more wait than may, and
nobody waits beside a slot that is free.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from hypothesis import given

from tests.core.scripts import Game, Player, facts, games, replies
from timeouts.admission import Admission, Door, PredictedWait
from timeouts.commands import Commands, Reply
from timeouts.core import Core
from timeouts.discipline import FIFO, EarliestDeadlineFirst, FairShare
from timeouts.errors import PolicyFailed, QueueFull, WaitTooLong
from timeouts.estimate import Advice
from timeouts.job import WAITING, Job
from timeouts.outcome import Outcome
from timeouts.policy import GatewayTimeout, Policy, QueueTimeout
from timeouts.stack import Stack

NUMBERS = (0, -5, math.inf, math.nan, None, "many", 10**9)


class Moody(FIFO):
    """It raises or lies as its moods have it."""

    mood: ClassVar[Iterator[int]]

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = [object(), None, Job("nobody")]

    def __len__(self) -> int:
        raise LookupError("how many?")

    def lies(self) -> bool:
        """Return whether to; or raise."""
        now = next(self.mood) % 8
        if now == 1:
            raise LookupError("no mood")
        return now > 5

    def anybody(self) -> Any:
        return self.seen[next(self.mood) % len(self.seen)]

    def push(self, job: Job) -> None:
        self.seen.append(job)
        if not self.lies():
            super().push(job)

    def pop(self) -> Job:
        return self.anybody() if self.lies() else super().pop()

    def remove(self, job: Job) -> None:
        if not self.lies():
            super().remove(job)

    def ahead(self, job: Job) -> Any:
        return NUMBERS[next(self.mood) % len(NUMBERS)] if self.lies() else len(self._jobs)

    def loser(self, newcomer: Job) -> Any:
        self.seen.append(newcomer)
        return self.anybody() if self.lies() else next(iter(self._jobs), None)


def moody(moods: bytes) -> type[Moody]:
    return type("Moody", (Moody,), {"mood": itertools.cycle(moods)})


@given(games(FIFO, capacities=(math.inf, 2, 1, 0, 4)))
def test_a_stranger_s_code_never_stops_the_core(game: Game) -> None:
    player, setting = Player(game.setting), game.setting
    player.core = core = Core(
        setting.stack,
        slots=setting.slots,
        capacity=setting.capacity,
        max_abandoned=setting.max_abandoned,
        discipline=moody(game.extra),
        admission=PredictedWait() if game.extra[0] % 2 else None,
    )
    for step in game.script:
        player.feed(step)
        assert core.waiting == sum(job.phase is WAITING for job in player.jobs.values())
        assert core.arrived == core.outcomes.total() + core.waiting + core.running
        assert core.running + core.abandoned == len(player.holders)
        assert core.waiting <= setting.capacity
        assert core.next_timer() > player.latest
        if core.waiting:
            assert core.free == 0 or core.abandoned >= setting.max_abandoned
    told = [fact[1] for fact in player.end().diary if fact[0] == "reply"]
    assert sorted(told, key=str) == sorted(player.jobs, key=str)
    assert not core._jobs


class Choosy(FIFO):
    """A stranger's queue that fails on one job."""

    def push(self, job: Job) -> None:
        if job.key == "odd":
            raise LookupError("what is that?")
        super().push(job)


def names(commands: Commands) -> dict[object, object]:
    return {key: name for key, (name, *_) in replies(facts(commands)).items()}


def full(discipline: Callable[[], Any], capacity: float = 2) -> Core:
    """Return a core in which "runs" runs, and "a" and "b" wait."""
    core = Core(Stack(QueueTimeout(5)), slots=1, capacity=capacity, discipline=discipline)
    for key in ("runs", "a", "b"):
        core.arrive(Job(key), 0)
    return core


def test_a_newcomer_on_whom_it_fails_is_told_and_nobody_else() -> None:
    core, odd = full(Choosy, math.inf), Job("odd")
    assert names(core.arrive(odd, 2)) == {"odd": "policy_failed"}
    assert isinstance(odd.error, PolicyFailed)
    assert str(odd.error) == "Choosy failed: LookupError: what is that?"
    assert isinstance(odd.error.__cause__, LookupError)
    assert (core.waiting, odd.error.started) == (2, False)
    core.arrive(Job("c"), 2)
    core.finish("runs", Outcome(), 3)
    assert (core.running, core.waiting) == (1, 2)


def test_what_is_due_is_told_though_it_fails_on_the_newcomer() -> None:
    core = full(Choosy, math.inf)
    assert names(core.arrive(Job("odd"), 5)) == {
        "a": "queue_timeout",
        "b": "queue_timeout",
        "odd": "policy_failed",
    }


def test_a_queue_that_does_not_give_up_the_dead_is_given_up_itself() -> None:
    class Clinging(FIFO):
        def remove(self, job: Job) -> None:
            raise LookupError("mine")

    core = full(Clinging)
    assert names(core.withdraw("a", 1)) == {"a": "withdrawn", "b": "policy_failed"}
    assert (core.waiting, core.running) == (0, 1)
    core.arrive(Job("c"), 2)
    assert names(core.withdraw("c", 3)) == {"c": "withdrawn"}


def loser_is(whom: Callable[[Core, Job], Job | None]) -> Core:
    """Return a full core whose discipline names somebody to give up his place."""

    class Naming(FIFO):
        def loser(self, newcomer: Job) -> Job | None:
            return whom(core, newcomer)

    core = full(Naming)
    return core


@pytest.mark.parametrize(
    "whom",
    [
        lambda core, newcomer: core._jobs["runs"],
        lambda core, newcomer: newcomer,
        lambda core, newcomer: Job("a"),
        lambda core, newcomer: "a",
    ],
    ids=["runs", "the newcomer", "unknown", "a name"],
)
def test_only_who_waits_can_give_up_his_place(whom: Callable[[Core, Job], Job | None]) -> None:
    core = loser_is(whom)
    for feed in (core.knock, core.arrive):
        newcomer = Job("new")
        assert names(feed(newcomer, 1)) == {"new": "policy_failed"}
        assert (newcomer.arrived, core.waiting, core.running) == (1, 2, 1)


def test_who_is_named_at_the_door_has_to_be_named_again() -> None:
    """Or as many would wait as come."""
    named = itertools.cycle([True, False])
    core = loser_is(lambda core, _: core._jobs["a"] if next(named) else None)
    (reply,) = core.arrive(Job("new"), 1)
    assert isinstance(reply, Reply)
    assert isinstance(reply.outcome.error, QueueFull)
    assert (reply.job.key, core.waiting) == ("new", 2)


def test_a_newcomer_cannot_give_up_a_place_that_he_does_not_have() -> None:
    """Not even in a queue that would remove anybody."""
    named = itertools.cycle([True, False])

    class Lenient(FIFO):
        def loser(self, newcomer: Job) -> Job:
            return next(iter(self._jobs)) if next(named) else newcomer

        def remove(self, job: Job) -> None:
            self._jobs.pop(job, None)

    core = full(Lenient)
    assert names(core.arrive(Job("new"), 1)) == {"new": "policy_failed"}
    assert core.waiting == 2


class LatestGivesWay(EarliestDeadlineFirst):
    """Who expires last gives up his place for who expires earlier."""

    def loser(self, newcomer: Job) -> Job | None:
        last = max(self._entries, key=lambda job: job.expires)
        return last if last.expires > newcomer.expires else None


def claimant(deadline: float = math.inf, policy: Policy | None = None) -> Job:
    job = Job("new", deadline=deadline)
    job.stack = None if policy is None else Stack(policy)
    return job


@pytest.mark.parametrize(
    ("claim", "told"),
    [
        ({"deadline": 4}, "a"),
        ({"deadline": 6}, "new"),
        ({"policy": QueueTimeout(3)}, "a"),
        ({"policy": QueueTimeout(9)}, "new"),
        ({"policy": GatewayTimeout(6)}, "a"),  # of which 3 s are kept for the work
        ({"policy": GatewayTimeout(9)}, "new"),
    ],
    ids=str,
)
def test_who_claims_a_place_is_asked_about_with_his_deadline(claim: Any, told: str) -> None:
    """At the door, too, where he has yet to arrive."""
    core = full(LatestGivesWay)
    core.learner.advice = Advice(longest=1.5)
    assert (core.knock(claimant(**claim), 1) == []) == (told == "a")
    assert names(core.arrive(claimant(**claim), 1)) == {told: "queue_full"}


@pytest.mark.parametrize("answer", [None, math.inf, math.nan, "many"])
def test_who_is_ahead_is_a_number_of_jobs(answer: Any) -> None:
    class Vague(FIFO):
        def ahead(self, job: Job) -> int:
            return answer  # type: ignore[no-any-return]

    core = Core(Stack(QueueTimeout(5)), slots=1, discipline=Vague, admission=PredictedWait())
    core.arrive(Job("runs"), 0)
    assert names(core.arrive(Job("a"), 0)) == {"a": "policy_failed"}


@dataclass(frozen=True)
class Slammed(Admission):
    """A stranger's rule, whose door falls shut on whoever it is asked about."""

    foresees: bool = True

    def door(self) -> Door:
        class Slam(Door):
            foresees = self.foresees

            def arrives(self, wait: float, left: float) -> WaitTooLong | None:
                raise LookupError("ouch")

            def starts(self, waited: float, held: float | None, now: float) -> WaitTooLong | None:
                raise LookupError("ouch")

        return Slam(self)


@pytest.mark.parametrize(("foresees", "waiting"), [(True, 0), (False, 2)])
def test_a_rule_of_admission_that_fails_costs_whom_it_is_asked_about(
    foresees: bool, waiting: int
) -> None:
    core = Core(Stack(), slots=1, discipline=FIFO, admission=Slammed(foresees=foresees))
    jobs = [Job(key) for key in ("runs", "a", "b")]
    for job in jobs:
        core.arrive(job, 0)
    assert (core.running, core.waiting) == (1, waiting)
    core.finish("runs", Outcome("y"), 1)
    assert core.outcomes == {"completed": 1, "policy_failed": 2}
    assert str(jobs[1].error) == "Slam failed: LookupError: ouch"


def test_one_queue_for_two_cores_starts_nobody_else_s_job() -> None:
    """Though he waits, and by the same key."""
    shared = FIFO()
    one, other = full(lambda: shared), full(lambda: shared)
    told = names(other.finish("runs", Outcome("y"), 1))
    assert told == {"runs": "y", "a": "policy_failed", "b": "policy_failed"}
    assert (one.waiting, other.running) == (2, 0)


def test_who_is_dead_on_arrival_takes_no_turn() -> None:
    """The queue never hears of him: of two tenants the one who waits is served first."""
    core = Core(Stack(), slots=1, discipline=FairShare)
    core.arrive(Job("runs"), 0)
    core.arrive(Job("dead", tenant="late", deadline=0), 0)
    core.arrive(Job("x", tenant="early"), 1)
    core.arrive(Job("y", tenant="late"), 1)
    started = core.finish("runs", Outcome(), 2)[1]
    assert facts([started]) == [("start", "x")]
