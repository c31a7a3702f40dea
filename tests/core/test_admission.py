"""Who is let in to wait: the prediction, and the rails that keep it from doing harm."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.scripts import Game, Player, facts, games
from timeouts import FIFO, LIFO, Server
from timeouts.admission import Door, PredictedWait
from timeouts.commands import Commands, Reply
from timeouts.core import Core
from timeouts.errors import GatewayTimeoutError, WaitTooLong, WorkerLost
from timeouts.job import Job
from timeouts.outcome import Outcome
from timeouts.policy import GatewayTimeout, QueueTimeout
from timeouts.stack import Stack

HOPELESS = st.lists(st.booleans(), max_size=400)


def a_core(limit: float = 10, *, slots: int = 1, **options: Any) -> Core:
    """Return a core with one job done, which took 4 s, and all slots busy since then."""
    rule = PredictedWait(**options)
    core = Core(Stack(QueueTimeout(limit)), slots=slots, discipline=FIFO, admission=rule)
    core.arrive(Job("first"), 0)
    core.finish("first", Outcome("y"), 4)
    for slot in range(slots):
        core.arrive(Job(f"running {slot}"), 4)
    return core


def refused(commands: Commands) -> list[object]:
    return [
        command.job.key
        for command in commands
        if isinstance(command, Reply) and isinstance(command.outcome.error, WaitTooLong)
    ]


@given(HOPELESS, st.floats(0.01, 0.99))
def test_of_any_row_of_arrivals_no_more_than_the_share_is_refused(
    arrivals: list[bool], share: float
) -> None:
    door = Door(PredictedWait(share=share))
    told = [door.refuses(hopeless=hopeless) for hopeless in arrivals]
    for begin in range(0, len(told), 7):
        row = told[begin:]
        assert sum(row) <= share * len(row) + 1 + share + 1e-9
    assert not any(no and not hopeless for no, hopeless in zip(told, arrivals, strict=True))
    assert door.hopeless == sum(arrivals)


def test_of_a_long_row_that_is_hopeless_nearly_the_whole_share_is_refused() -> None:
    door = Door(PredictedWait(share=0.95))
    told = [door.refuses(hopeless=True) for _ in range(1000)]
    assert sum(told) == pytest.approx(950, abs=2)


def test_what_a_rule_is_not_asked_to_judge_it_lets_pass() -> None:
    door = Door(PredictedWait())
    assert door.arrives(wait=9, left=1) is None
    assert door.starts(waited=9, held=1, now=0) is None


@given(games(FIFO))
def test_in_the_dark_nothing_is_different(game: Game) -> None:
    plain, dark = Player(game.setting), Player(game.setting)
    setting = game.setting
    dark.core = Core(
        setting.stack,
        slots=setting.slots,
        capacity=setting.capacity,
        max_abandoned=setting.max_abandoned,
        discipline=FIFO,
        admission=PredictedWait(dark=True),
    )
    latest = 0.0
    for step in game.script:
        latest = max(latest, step.now)
        assert facts(plain.feed(step)) == facts(dark.feed(step))
        assert plain.core.next_timer() == dark.core.next_timer()


def test_who_would_not_be_reached_in_time_is_refused_on_arrival() -> None:
    """Each takes 4 s: with two ahead the wait is 8 s of the 10 that there are, with three it is 12."""
    core = a_core()
    for key in "abc":
        assert not refused(core.arrive(Job(key), 4))
    (reply,) = core.arrive(Job("d"), 4)
    assert isinstance(reply, Reply)
    error = reply.outcome.error
    assert isinstance(error, WaitTooLong)
    assert str(error) == "would have to wait for some 12 s, and there are 10 s"
    assert (error.retry_after, error.started, error.work) == (2, False, "never started")
    assert core.waiting == 3
    assert core.hopeless == 1


def test_more_slots_make_the_wait_shorter() -> None:
    core = a_core(slots=2)
    for number in range(6):
        assert not refused(core.arrive(Job(number), 4))
    assert refused(core.arrive(Job("seventh"), 4))


def test_abandoned_work_makes_the_mean_longer_and_the_slots_no_fewer() -> None:
    """Its slot comes back; to count it twice would turn away who would be reached in time."""
    core = a_core(slots=2)
    core.withdraw("running 0", 4)
    assert core.abandoned == 1
    for number in range(6):
        assert not refused(core.arrive(Job(number), 4))
    assert refused(core.arrive(Job("seventh"), 4))


def test_a_worker_that_is_being_replaced_counts() -> None:
    """All were killed at once; they will be back long before anybody's time is over."""
    core = a_core(slots=2)
    for slot in range(2):
        core.finish(f"running {slot}", Outcome(error=WorkerLost()), 8, vacate=True)
    assert core.slots == 0
    for number in range(6):
        assert not refused(core.arrive(Job(number), 8))
    assert refused(core.arrive(Job("seventh"), 8))


def test_a_worker_that_comes_counts() -> None:
    core = a_core(slots=1)
    core.enlist(4)
    core.arrive(Job("running too"), 4)
    for number in range(6):
        assert not refused(core.arrive(Job(number), 4))
    assert refused(core.arrive(Job("seventh"), 4))


def test_the_callers_own_budget_counts() -> None:
    core = a_core()
    assert not refused(core.arrive(Job("a"), 4))
    assert refused(core.arrive(Job("short", deadline=7), 4)) == ["short"]


def test_who_stands_at_the_head_of_the_queue_is_let_in() -> None:
    """The slot may be free the next moment."""
    core = a_core(limit=1)
    assert not refused(core.arrive(Job("a"), 4))


def test_before_anything_is_known_nobody_is_refused() -> None:
    core = Core(Stack(QueueTimeout(1)), slots=1, admission=PredictedWait())
    for number in range(50):
        assert not refused(core.arrive(Job(number), 0))


def test_some_are_let_in_although_they_look_hopeless() -> None:
    """The one that is let in waits in vain, or shows that the estimate was wrong."""
    core = a_core(share=0.5)
    for key in "abc":
        core.arrive(Job(key), 4)
    answers = [bool(refused(core.arrive(Job(number), 4))) for number in range(6)]
    assert 2 <= sum(answers) <= 4
    assert core.hopeless == 6


def test_a_wrong_estimate_heals() -> None:
    """One run was very slow; those that are let in show that it was the only one."""
    core, now = Core(Stack(QueueTimeout(5)), slots=1, admission=PredictedWait()), 0.0
    core.arrive(Job("slow"), now)
    now = 1000.0
    core.finish("slow", Outcome("y"), now)
    outcomes = []
    for number in range(4000):
        commands = core.arrive(Job(number), now)
        outcomes.append(bool(refused(commands)))
        if number % 2:
            running = next(key for key, job in core._jobs.items() if job.phase == "running")
            now += 1
            core.finish(running, Outcome("y"), now)
        now += 0.01
    assert any(outcomes)
    assert (
        sum(outcomes[-400:]) < 250
    )  # half of them must be refused: it is twice what one slot can do


def test_a_gateway_timeout_says_how_long_one_may_wait() -> None:
    core = Core(Stack(GatewayTimeout(10, reserve=4)), slots=1, admission=PredictedWait())
    core.arrive(Job("first"), 0)
    core.finish("first", Outcome("y"), 4)
    for key in "abc":
        core.arrive(Job(key), 4)
    assert refused(core.arrive(Job("d"), 4)) == ["d"]


@given(games(FIFO))
def test_the_books_balance(game: Game) -> None:
    player, setting = Player(game.setting), game.setting
    player.core = core = Core(
        setting.stack,
        slots=setting.slots,
        capacity=setting.capacity,
        max_abandoned=setting.max_abandoned,
        discipline=FIFO,
        admission=PredictedWait(share=0.9),
    )
    for step in game.script:
        player.feed(step)
        assert core.arrived == sum(core.outcomes.values()) + core.waiting + core.running
        assert core.outcomes["wait_too_long"] <= core.hopeless


@pytest.mark.parametrize(
    ("share", "message"),
    [
        (0, "share must be more than 0 and less than 1, .*got 0"),
        (1, "share must be more than 0 and less than 1, .*got 1"),
        (True, "share must be a number between 0 and 1; got True"),
        ("half", "share must be a number between 0 and 1; got 'half'"),
    ],
)
def test_a_share_that_makes_no_sense_is_refused(share: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        PredictedWait(share=share)


def test_dark_is_yes_or_no() -> None:
    with pytest.raises(TypeError, match=r"dark must be True or False; got 1"):
        PredictedWait(dark=1)  # type: ignore[arg-type]


def test_a_server_takes_it_where_the_order_can_say_who_is_ahead() -> None:
    with pytest.raises(TypeError, match=re.escape("admission must be PredictedWait(), CoDel() or")):
        Server(print, admission=PredictedWait)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"needs a discipline that can say who is ahead.*LIFO"):
        Server(print, admission=PredictedWait(), discipline=LIFO)
    assert Server(print, admission=PredictedWait()).stats().hopeless == 0


def test_who_has_expired_before_he_arrives_is_told_so() -> None:
    """And not that he would have to wait: whatever the prediction says."""
    core = Core(Stack(GatewayTimeout(1)), slots=1, admission=PredictedWait(share=0.99))
    for _ in range(5):
        core.tick(12)
        (reply,) = core.arrive(Job(object()), 10.0)
        assert isinstance(reply, Reply)
        assert isinstance(reply.outcome.error, GatewayTimeoutError)


def test_a_retry_is_invited_no_later_than_those_who_wait_can_last() -> None:
    core = a_core(share=0.99)
    replies = [core.arrive(Job(number), 4) for number in range(60)]
    told = [r.outcome.error for (r,) in filter(None, replies) if isinstance(r, Reply)]
    assert told
    assert all(isinstance(e, WaitTooLong) and (e.retry_after or 0) <= 10 for e in told)
