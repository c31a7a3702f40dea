"""Playing a script writes down what the core said, when, and to whom."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeouts.commands import Cancel, Commands, Reply, Start
from timeouts.core import Core
from timeouts.job import Job
from timeouts.outcome import Outcome
from timeouts.policy import ExecutionTimeout, GatewayTimeout, QueueTimeout
from timeouts.stack import Stack
from timeouts.testing import Input, Script, Step, play, scripts, stacks


def arrive(key: int, now: float, budget: float = math.inf) -> Step:
    return Step(Input.ARRIVE, now, key, budget=budget)


def finish(key: int, now: float, *, fails: bool = False) -> Step:
    return Step(Input.FINISH, now, key, fails=fails)


def core(stack: Stack | None = None, slots: float = 1, **options: float) -> Core:
    return Core(stack or Stack(), slots=slots, **options)  # type: ignore[arg-type]


def test_outcomes_have_the_names_of_the_books() -> None:
    """One of each: a value, the handler's error, ours, and nothing yet."""
    script = [arrive(0, 0), finish(0, 1), arrive(1, 2), finish(1, 3, fails=True)]
    script += [arrive(2, 4), arrive(3, 4, budget=1), arrive(4, 4), Step(Input.TICK, 6)]
    played = play(core(), script)
    assert played.outcomes == {0: "completed", 1: "failed", 3: "gateway_timeout"}
    assert played.told == {0: 1, 1: 3, 3: 5}
    assert played.starts == [0, 1, 2]
    assert list(played.jobs) == [0, 1, 2, 3, 4]


def test_commands_are_written_down_with_their_instants() -> None:
    """In the order in which a shell would have to obey them."""
    stack = QueueTimeout(5) | ExecutionTimeout(2)
    played = play(core(stack), [arrive(0, 0), arrive(1, 1), finish(0, 3)])
    assert [(now, type(command)) for now, command in played.commands][:3] == [
        (0, Start),
        (2, Reply),
        (2, Cancel),
    ]
    assert played.starts == [0, 1]


def test_timers_ring_on_time_between_two_steps() -> None:
    """Without them the caller is told at the next step; with them, at the deadline."""
    script = [arrive(0, 0), Step(Input.TICK, 9)]
    assert play(core(Stack(GatewayTimeout(4))), script).told == {0: 4}
    assert play(core(Stack(GatewayTimeout(4))), script, timers=False).told == {0: 9}


def test_inputs_that_do_not_apply_are_ticks() -> None:
    """Of somebody waiting, answered, or unheard of, no work can finish."""
    script = [arrive(0, 0), arrive(1, 0, budget=2), finish(1, 1), finish(7, 2), finish(0, 3)]
    script += [finish(0, 3), Step(Input.PROGRESS, 4, 7), Step(Input.RESUME, 4, 7)]
    script += [Step(Input.WITHDRAW, 4, 7)]
    played = play(core(), script, timers=False)
    assert played.told == {1: 2, 0: 3}


def test_drain_and_close_are_played() -> None:
    """Draining refuses the next one, closing ends all."""
    script = [arrive(0, 0), arrive(1, 0), Step(Input.DRAIN, 1), arrive(2, 2), Step(Input.CLOSE, 3)]
    played = play(core(), script)
    assert played.outcomes == {2: "shutting_down", 0: "server_closed", 1: "shutting_down"}


@given(stacks(), st.integers(1, 3), scripts())
def test_a_script_means_the_same_with_and_without_timers(
    stack: Stack, slots: int, script: Script
) -> None:
    """Outcomes depend on instants, not on who ticked when."""
    ending = (*script, Step(Input.TICK, 1_000))
    rung, unrung = (play(core(stack, slots), ending, timers=timers) for timers in (True, False))
    assert rung.outcomes == unrung.outcomes
    assert rung.starts == unrung.starts


@given(stacks(), st.integers(1, 3), st.integers(0, 3), scripts())
def test_any_script_can_be_played_on_any_core(
    stack: Stack, slots: int, capacity: int, script: Script
) -> None:
    """Closing and ending all work answers everybody who came."""
    keys = [step.key for step in script if step.input is Input.ARRIVE]
    end = max((step.now for step in script), default=0)
    ending = [*script, Step(Input.CLOSE, end), *(finish(key, end) for key in keys)]
    machine = core(stack, slots, capacity=capacity)
    played = play(machine, ending)
    assert set(played.outcomes) == set(keys)
    assert (machine.free, machine.waiting) == (slots, 0)


def test_a_second_reply_fails_at_once() -> None:
    """The message tells both."""

    class Twice(Core):
        def finish(
            self, key: object, outcome: Outcome, *args: object, **kwargs: object
        ) -> Commands:
            return [Reply(Job(key), outcome), Reply(Job(key), Outcome(error=ValueError()))]

    with pytest.raises(
        AssertionError, match=r"job 0 was answered 'completed' at 1, and again 'fai"
    ):
        play(Twice(Stack()), [arrive(0, 0), finish(0, 1)])


def test_a_timer_that_does_not_move_on_fails_at_once() -> None:
    """A shell would spin for ever."""

    class Stuck(Core):
        def next_timer(self) -> float:
            return 3

    with pytest.raises(AssertionError, match="the timer is honest: after a tick at 3"):
        play(Stuck(Stack()), [Step(Input.TICK, 5)])


def test_steps_show_as_the_calls_they_are() -> None:
    """Without what is as usual."""
    assert repr(arrive(3, 5)) == "arrive(3, now=5)"
    assert repr(Step(Input.CLOSE, 7)) == "close(now=7)"
    assert repr(finish(0, 2, fails=True)) == "finish(0, now=2, fails=True)"
    step = Step(Input.ARRIVE, 1.5, 2, budget=4, priority=1)
    assert repr(step) == "arrive(2, now=1.5, budget=4, priority=1)"
