"""A core that learns: what it takes in, whom its advice concerns, and from when."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeouts.commands import Cancel, Commands, Learned, Reply
from timeouts.core import Core
from timeouts.estimate import COLD, Advice
from timeouts.estimate.advice import ENOUGH
from timeouts.estimate.durations import GROWTH
from timeouts.job import Job
from timeouts.outcome import Outcome
from timeouts.policy import ExecutionTimeout, GatewayTimeout, QueueTimeout
from timeouts.stack import Stack

AUTO = GatewayTimeout(30, reserve="auto")


def serve(
    core: Core, count: int, seconds: float, now: float, outcome: Outcome | None = None
) -> float:
    """Have so many jobs run for so long, one after another; return the instant of the end."""
    for _ in range(count):
        key = object()
        core.arrive(Job(key), now)
        now += seconds
        core.finish(key, outcome or Outcome("y"), now)
    return now


def learned(commands: Commands) -> list[Learned]:
    return [command for command in commands if isinstance(command, Learned)]


def test_before_anything_has_ended_nothing_is_held_back() -> None:
    core = Core(Stack(AUTO), slots=1)
    core.arrive(Job("running"), 0)
    core.arrive(Job("waiting"), 0)
    assert core.next_timer() == 30


def test_cold_it_is_twice_the_longest_execution() -> None:
    core = Core(Stack(AUTO), slots=1)
    serve(core, 1, 2, -100)
    serve(core, 1, 1, -90)
    core.arrive(Job("running"), 0)
    core.arrive(Job("waiting"), 0)
    assert core.next_timer() == 30 - 2 * 2


def test_cold_it_is_half_of_the_budget_at_most() -> None:
    core = Core(Stack(AUTO), slots=1)
    serve(core, 1, 8, -100)
    core.arrive(Job("running"), 0)
    core.arrive(Job("waiting"), 0)
    core.arrive(Job("short", deadline=10), 0)
    assert core.next_timer() == 5
    (reply,) = core.tick(15)[1:]
    assert isinstance(reply, Reply)
    assert str(reply.outcome.error) == (
        "was not answered after 15 s; "
        "GatewayTimeout keeps what the work needs, and allows 15 s to wait"
    )


def test_after_two_hundred_executions_it_is_what_they_need() -> None:
    core = Core(Stack(AUTO), slots=1)
    now = serve(core, ENOUGH - 1, 2.0, 0)
    core.arrive(Job("last"), now)
    commands = core.finish("last", Outcome("y"), now + 2)
    assert learned(commands) == [Learned(core.learner.advice)]
    assert core.learner.advice.count == ENOUGH
    now += 2
    core.arrive(Job("running"), now)
    core.arrive(Job("waiting"), now)
    assert core.next_timer() == pytest.approx(now + 28, abs=2 * (GROWTH - 1))


def test_it_learns_from_the_execution_and_not_from_the_wait() -> None:
    """Each job waits for ten seconds and more, and runs for one."""
    core, now = Core(Stack(), slots=1), 0.0
    for number in range(ENOUGH + 11):
        core.arrive(Job(number), now)
        if number > 10:
            core.finish(number - 11, Outcome("y"), now)
        now += 1
    assert core.learner.advice.reserve(30) == pytest.approx(1, rel=GROWTH - 1)


def test_what_is_learned_moves_no_deadline_of_those_who_are_here() -> None:
    core = Core(Stack(AUTO), slots=2)
    core.arrive(Job("hangs"), 0)
    now = serve(core, ENOUGH - 1, 0.01, 0)
    core.arrive(Job("running"), now)
    core.arrive(Job("next"), now)
    before = Job("before")
    core.arrive(before, now)
    expires = before.expires
    core.finish("running", Outcome("y"), now + 0.01)
    assert core.learner.advice != COLD
    assert not before.advice.budgets
    assert expires == now + 30 - 2 * before.advice.longest
    assert before.advice.longest == pytest.approx(0.01)


def test_a_stopped_run_would_have_taken_longer() -> None:
    """Of those stopped at one second nothing is known, but that they are longer."""
    core, now = Core(Stack(ExecutionTimeout(1)), slots=1), 0.0
    for number in range(ENOUGH):
        core.arrive(Job(number), now)
        now += 1
        assert any(isinstance(command, Cancel) for command in core.tick(now))
        core.finish(number, Outcome("late"), now)
    assert core.learner.advice == Advice(longest=1)


def test_a_run_that_failed_says_nothing_of_how_long_a_good_one_takes() -> None:
    core = Core(Stack(), slots=1)
    serve(core, ENOUGH, 0.001, 0, Outcome(error=ValueError("bad input")))
    assert not core.learner.advice.budgets


@pytest.mark.parametrize(
    ("stops", "work", "recovery"),
    [(True, "stopped", 3), (True, "killed", 0), (False, "stopped", math.inf)],
)
def test_a_stop_costs_the_time_until_the_slot_is_back(
    stops: bool, work: str, recovery: float
) -> None:
    """One that was killed has yet to be replaced, which is told by `recovered`."""
    core = Core(Stack(ExecutionTimeout(1)), slots=1, stops=stops)
    core.arrive(Job("slow"), 0)
    core.tick(1)
    core.finish("slow", Outcome("late"), 4, work)  # type: ignore[arg-type]
    assert core.learner.recovery == recovery
    core.recovered(7, 12)
    assert (core.learner.recovery > recovery) == stops or recovery == math.inf


def test_a_withdrawn_run_counts_from_its_withdrawal() -> None:
    core = Core(Stack(), slots=1)
    core.arrive(Job("left"), 0)
    core.withdraw("left", 5)
    core.finish("left", Outcome("late"), 6)
    assert core.learner.recovery == 1


def test_a_worker_who_comes_back_lets_time_pass() -> None:
    core = Core(Stack(QueueTimeout(5)), slots=0)
    core.arrive(Job("waits"), 0)
    (reply,) = core.recovered(1, 5)
    assert isinstance(reply, Reply)


def test_no_budget_at_all_has_nothing_to_hold_back() -> None:
    core = Core(Stack(GatewayTimeout(None, reserve="auto")), slots=1)
    serve(core, 1, 8, -100)
    core.arrive(Job("running"), 0)
    core.arrive(Job("waiting"), 0)
    assert core.next_timer() == math.inf
    core.arrive(Job("short", deadline=10), 0)
    assert core.next_timer() == 5


@given(st.floats(0.001, 1000), st.lists(st.floats(0.001, 100), min_size=ENOUGH, max_size=ENOUGH))
def test_who_finds_a_free_slot_is_started_whatever_his_budget(
    budget: float, runs: list[float]
) -> None:
    core, now = Core(Stack(AUTO), slots=1), 0.0
    for number, run in enumerate(runs):
        core.arrive(Job(number), now)
        now += run
        core.finish(number, Outcome("y"), now)
    core.arrive(Job("newcomer", deadline=now + budget), now)
    assert core.running == 1


def hang_and_stop(core: Core, key: object, now: float) -> float:
    """Have a job run into its limit; return that instant."""
    core.arrive(Job(key), now)
    expires = core.next_timer()
    core.tick(expires)
    core.finish(key, Outcome("late"), expires + 1)
    return expires + 1


def test_a_learned_limit_stops_what_hangs() -> None:
    """One in fifty hangs, and would be stopped after 30 s."""
    core, now = Core(Stack(ExecutionTimeout("auto", at_most=30)), slots=1), 0.0
    for number in range(3000):
        now = serve(core, 1, 0.1, now) if number % 50 else hang_and_stop(core, number, now)
    core.arrive(Job("last"), now)
    assert 0.1 < core.next_timer() - now < 0.8


@pytest.mark.parametrize(
    ("policy", "limit"),
    [
        (ExecutionTimeout("auto"), math.inf),
        (ExecutionTimeout("auto", at_most=30), 30),
        (ExecutionTimeout("auto", at_least=2), math.inf),
    ],
)
def test_cold_a_learned_limit_is_the_longest(policy: ExecutionTimeout, limit: float) -> None:
    core = Core(Stack(policy), slots=1)
    core.arrive(Job("a"), 0)
    assert core.next_timer() == limit


def test_the_bounds_win() -> None:
    job = Job("a")
    job.arrived = job.started = 10
    for learned_limit, ends in ((0.1, 12), (3, 13), (99, 15), (math.inf, 15)):
        job.advice = Advice(execution=learned_limit)
        assert ExecutionTimeout("auto", at_least=2, at_most=5).deadline(job) == ends


def test_who_is_started_is_under_what_has_been_learned_until_then() -> None:
    """A limit that was raised while he waited is raised for him, too; one that is running keeps his own."""
    core = Core(Stack(ExecutionTimeout("auto", at_most=30)), slots=1)
    core.arrive(Job("running"), 0)
    core.arrive(Job("waiting"), 0)
    core.learner.advice = Advice(execution=3)
    assert core.next_timer() == 30
    core.finish("running", Outcome("y"), 1)
    assert core.next_timer() == 4


@pytest.mark.parametrize("noticed", [1, 2.5])
def test_a_stop_counts_as_of_its_deadline_whenever_that_is_noticed(noticed: float) -> None:
    """Law 1: what is learned does not depend on when somebody ticked."""
    core, now = Core(Stack(ExecutionTimeout(1)), slots=1), 0.0
    for number in range(2 * ENOUGH):
        core.arrive(Job(number), now)
        if number % 2:
            core.finish(number, Outcome("y"), now + 0.5)
        else:
            core.tick(now + noticed)
            core.finish(number, Outcome("late"), now + 3)
        now += 3
    assert core.learner.recovery == pytest.approx(2)
    assert core.learner.advice.reserve(60) == pytest.approx(
        learned_with_ticks_in_time().reserve(60)
    )


def learned_with_ticks_in_time() -> Advice:
    core, now = Core(Stack(ExecutionTimeout(1)), slots=1), 0.0
    for number in range(2 * ENOUGH):
        core.arrive(Job(number), now)
        if not number % 2:
            core.tick(now + 1)
        core.finish(number, Outcome("y"), now + (0.5 if number % 2 else 3))
        now += 3
    return core.learner.advice


def test_a_worker_that_answers_and_is_let_go_all_the_same_says_nothing_of_recovery() -> None:
    core = Core(Stack(ExecutionTimeout(1)), slots=1)
    core.arrive(Job("slow"), 0)
    core.tick(1)
    core.finish("slow", Outcome("late"), 1.001, vacate=True)
    assert core.learner.recovery == 0
