"""Who has waited long in a queue that stands is told so when his turn comes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.scripts import Game, Player, games
from timeouts import FIFO, LIFO, CoDel, QueueFull, Server, TimeoutsError, WaitTooLong
from timeouts.admission import Admission, PredictedWait
from timeouts.commands import Commands, Reply, Start
from timeouts.core import Core
from timeouts.job import Job
from timeouts.outcome import Outcome
from timeouts.policy import QueueTimeout
from timeouts.stack import Stack

DONE = Outcome("y")
WAITS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 30)), max_size=200)
RULES = st.sampled_from([CoDel(), CoDel(share=0.5, target=1, interval=4), CoDel(dark=True)])


def a_queue(rule: Admission, waiting: int) -> Core:
    """Return a core whose jobs take 4 s each, one of which runs since 4 while others wait."""
    core = Core(Stack(QueueTimeout(1000)), slots=1, admission=rule)
    core.arrive(Job("first"), 0)
    core.finish("first", DONE, 4)
    for number in range(waiting + 1):
        core.arrive(Job(number), 4)
    return core


def told(commands: Commands) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for command in commands:
        if isinstance(command, Start):
            found.append(("start", command.jobs[0].key))
        elif isinstance(command, Reply):
            error = command.outcome.error
            assert isinstance(error, TimeoutsError) or error is None
            found += [(error.name, command.job.key)] if error else []
    return found


@given(WAITS, RULES)
def test_it_turns_away_only_where_nobody_of_the_interval_before_had_a_short_wait(
    waits: list[tuple[int, int]], rule: CoDel
) -> None:
    """The oracle looks at the whole list of starts, and knows the intervals by their begins."""
    door, held, now = rule.door(), 2.0, 0
    target, interval = rule.target * held, rule.interval * held
    begun, before, during = None, [], []  # type: ignore[var-annotated]
    for waited, later in waits:
        now += later
        if begun is None or now >= begun + interval:
            during = during if begun is not None and now < begun + 2 * interval else []
            begun, before, during = now, during, []
        during.append(waited)
        stands = bool(before) and min(before) > target
        refusal = door.starts(waited, held, now)
        assert refusal is None or (stands and waited > 2 * target)
    if rule.dark:
        assert all(door.starts(100, held, now + 100 * n) is None for n in range(9))


def test_a_queue_that_stands_is_cut_down() -> None:
    """Each takes 4 s, so the target is 2 s and an interval 40 s. In the first somebody did not wait at all."""
    core = a_queue(CoDel(), waiting=40)
    for number in range(19):
        assert told(core.finish(number, DONE, 8 + 4 * number)) == [("start", number + 1)]
    out = told(core.finish(19, DONE, 84))
    assert [name for name, _ in out] == ["wait_too_long"] * (len(out) - 1) + ["start"]
    assert len(out) > 15  # all but the one of the share that is let in


def test_a_queue_that_was_short_once_in_the_interval_does_not_stand() -> None:
    core = a_queue(CoDel(), waiting=0)
    now = 4
    for number in range(50):
        now += 4
        core.arrive(Job(f"late {number}"), now - 1)
        assert told(core.finish(number if not number else f"late {number - 1}", DONE, now)) == [
            ("start", f"late {number}")
        ]


def test_a_burst_after_a_pause_finds_no_queue_that_stands() -> None:
    """The last waits of the day before were long; that says nothing of the queue of this morning."""
    core = a_queue(CoDel(), waiting=15)
    for number in range(16):
        core.finish(number, DONE, 8 + 4 * number)
    assert core.idle
    for key in "abcde":
        core.arrive(Job(key), 10_000)
    for place, key in enumerate("abcd"):
        out = told(core.finish(key, DONE, 10_004 + 4 * place))
        assert out == [("start", "abcde"[place + 1])]


def test_work_that_takes_no_time_leaves_no_measure() -> None:
    """A clock may be too coarse to see it: nothing is a multiple of nothing."""
    door = CoDel().door()
    assert all(door.starts(1, 0.0, now) is None for now in range(100))


def test_what_it_says() -> None:
    door = CoDel(share=0.99).door()
    for _ in range(3):
        door.starts(3, 1, 0)
    refusal = door.starts(3, 1, 10)
    assert isinstance(refusal, WaitTooLong)
    assert str(refusal) == "waited 3 s in a queue that stands; CoDel allows 1 s"
    assert (refusal.limit, refusal.elapsed, refusal.started) == (1, 3, False)


def test_before_anything_is_known_nobody_is_refused() -> None:
    door = CoDel().door()
    assert all(door.starts(1000, None, now) is None for now in range(100))
    assert not door.hopeless


@given(games(FIFO), RULES)
def test_the_books_balance(game: Game, rule: CoDel) -> None:
    player, setting = Player(game.setting), game.setting
    player.core = core = Core(
        setting.stack,
        slots=setting.slots,
        capacity=setting.capacity,
        max_abandoned=setting.max_abandoned,
        admission=rule,
    )
    for step in game.script:
        player.feed(step)
        assert core.arrived == sum(core.outcomes.values()) + core.waiting + core.running
        assert core.running + core.abandoned + core.free == core.slots
        assert core.outcomes["wait_too_long"] <= core.hopeless


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": 0}, "target must be a finite number, more than 0; got 0"),
        ({"target": True}, "target must be a number; got True"),
        ({"interval": float("inf")}, "interval must be a finite number, more than 0; got inf"),
        ({"target": 3, "interval": 2}, "interval must be at least target=3; got 2"),
        ({"share": 2}, "share must be more than 0 and less than 1"),
    ],
)
def test_nonsense_is_refused(options: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        CoDel(**options)


def test_it_goes_with_any_order() -> None:
    assert Server(print, admission=CoDel(), discipline=LIFO).stats().hopeless == 0


class Meek(FIFO):
    """Whoever comes has a better claim than the one who came last, but for the meek."""

    def loser(self, newcomer: Job) -> Job | None:
        return next(reversed(self._jobs), None) if newcomer.key != "meek" else None


def full(capacity: int = 2) -> Core:
    core = Core(Stack(QueueTimeout(10)), slots=1, capacity=capacity, discipline=Meek)
    for number in range(capacity + 1):
        core.arrive(Job(number), 0)
    return core


def test_a_full_queue_may_know_who_gives_up_his_place() -> None:
    core = full()
    (reply,) = core.arrive(Job("new"), 1)
    assert isinstance(reply, Reply)
    assert reply.job.key == 2
    error = reply.outcome.error
    assert isinstance(error, QueueFull)
    assert str(error) == (
        "gave up its place for one with a better claim to it; capacity=2 allows no more"
    )
    assert (error.elapsed, error.limit, error.retry_after) == (1, 2, 9)
    assert core.waiting == 2
    assert told(core.finish(0, DONE, 2)) == [("start", 1)]
    assert told(core.finish(1, DONE, 3)) == [("start", "new")]


def test_who_has_no_better_claim_is_refused_at_the_door() -> None:
    core = full()
    assert told(core.knock(Job("meek"), 1)) == [("queue_full", "meek")]
    assert told(core.arrive(Job("meek"), 1)) == [("queue_full", "meek")]
    assert told(core.knock(Job("new"), 1)) == []


def test_the_dead_displace_nobody() -> None:
    core = full()
    assert told(core.arrive(Job("dead", deadline=1), 1)) == [("gateway_timeout", "dead")]
    assert core.waiting == 2


def test_a_queue_without_places_displaces_nobody() -> None:
    core = full(capacity=0)
    assert told(core.arrive(Job("new"), 1)) == [("queue_full", "new")]


def test_a_hopeless_job_displaces_nobody() -> None:
    core = Core(
        Stack(QueueTimeout(5)), slots=1, capacity=2, discipline=Meek, admission=PredictedWait()
    )
    core.arrive(Job("first"), 0)
    core.finish("first", DONE, 4)
    for number in range(3):
        core.arrive(Job(number), 4)
    assert told(core.arrive(Job("new"), 4)) == [("wait_too_long", "new")]
    assert core.waiting == 2
