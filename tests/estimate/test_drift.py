"""What is known of a handler holds no longer: when it is noticed, and what is done about it."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeouts.estimate import Durations, Learner
from timeouts.estimate.advice import ENOUGH
from timeouts.estimate.drift import LAST, TOO_MANY, Drift
from timeouts.estimate.durations import GROWTH
from timeouts.estimate.learner import AGE, WINDOW
from timeouts.estimate.limit import FEW, LONGER

SURPRISE = {1: (20.0, False), 0: (1.0, False), -1: (0.02, False)}


def expecting(*seconds: float) -> Drift:
    durations, drift = Durations(), Drift()
    for run in seconds:
        durations.add(run)
    drift.expect(durations.curve())
    return drift


@given(st.lists(st.sampled_from([1, 1, 0, -1]), max_size=80))
def test_it_is_noticed_when_nearly_all_of_the_last_few_surprise_in_one_way(ways: list[int]) -> None:
    drift, seen = expecting(0.5, 1.0, 2.0), [0] * LAST
    for way in ways:
        seconds, stopped = SURPRISE[way]
        seen.append(way)
        excess = sum(seen[-LAST:])
        expected = 1 if excess >= TOO_MANY else -1 if excess <= -TOO_MANY else 0
        assert drift.ran(seconds, stopped=stopped) == expected


@pytest.mark.parametrize(
    ("seconds", "stopped", "way"),
    [
        (1.0, False, 0),
        (1.0 / GROWTH**2, False, -1),
        (1.0 * GROWTH**2, False, 1),
        (0.9, True, 0),  # it might have ended at 1 s
        (0.1, True, 0),
        (1.0 * GROWTH, True, 1),  # it would have taken longer
    ],
)
def test_what_surprises_where_all_runs_take_a_second(
    seconds: float, stopped: bool, way: int
) -> None:
    drift = expecting(*[1.0] * 100)
    assert [drift.ran(seconds, stopped=stopped) for _ in range(LAST)][-1] == way


@pytest.mark.parametrize("seconds", [0.0, 1e-6, 5e-5, 3e5])
def test_what_no_bucket_is_fine_or_coarse_enough_for_is_no_surprise(seconds: float) -> None:
    """A handler of microseconds is in the first bucket for ever, and must not be forgotten for ever."""
    drift = expecting(*[seconds] * 100)
    assert not any(drift.ran(seconds, stopped=False) for _ in range(2 * LAST))


def test_one_in_twenty_is_rare_and_one_in_ten_is_not() -> None:
    """The rare ones lie beyond what is expected, on either side."""
    usual = [1.0] * 80 + [0.1] * 10 + [10.0] * 10
    assert not any(expecting(*usual).ran(10.0, stopped=False) for _ in range(LAST))
    assert not any(expecting(*usual).ran(0.1, stopped=False) for _ in range(LAST))
    rare = [1.0] * 92 + [0.1] * 4 + [10.0] * 4
    assert [expecting(*rare).ran(run, stopped=False) for run in (10.0, 0.1)] == [0, 0]
    one, other = expecting(*rare), expecting(*rare)
    assert [one.ran(10.0, stopped=False) for _ in range(LAST)][-1] == 1
    assert [other.ran(0.1, stopped=False) for _ in range(LAST)][-1] == -1


def test_nothing_surprises_who_expects_nothing() -> None:
    drift = Drift()
    assert not any(drift.ran(run, stopped=run > 50) for run in (1e-9, 1.0, 100.0) * LAST)


@pytest.mark.parametrize("work", ["exponential", "lognormal", "constant"])
def test_a_handler_that_stays_as_it_is_never_surprises(work: str) -> None:
    draw, drift = random.Random(1), Drift()
    shapes = {
        "exponential": lambda: draw.expovariate(10),
        "lognormal": lambda: draw.lognormvariate(-3, 1.5),
        "constant": lambda: 0.1,
    }
    durations = Durations()
    for _ in range(ENOUGH):
        durations.add(shapes[work]())
    drift.expect(durations.curve())
    assert not any(drift.ran(shapes[work](), stopped=False) for _ in range(20_000))


def learned(seconds: float, *, hangs: float = 0.0) -> Learner:
    """Return one that knows a handler of a constant time, of which a share is stopped after four times that."""
    learner = Learner()
    learner.recovered(1.0)
    for number in range(WINDOW):
        hung = hangs and number % round(1 / hangs) == 0
        learner.add(4 * seconds if hung else seconds, 0.0, stopped=bool(hung))
    return learner


def test_what_was_known_is_forgotten_at_once_when_it_holds_no_longer() -> None:
    learner = learned(0.1)
    assert learner.advice.reserve(30.0) == pytest.approx(0.1, rel=GROWTH - 1)
    renewed = [learner.add(3.0, 1.0) for _ in range(TOO_MANY)]
    assert renewed == [False] * (TOO_MANY - 1) + [True]
    assert learner.advice.reserve(30.0) == 15.0  # nobody knows how long they may take
    for _ in range(ENOUGH):
        learner.add(3.0, 1.0)
    assert learner.advice.count == ENOUGH
    assert learner.advice.reserve(30.0) == pytest.approx(3.0, rel=GROWTH - 1)


def test_that_nobody_sees_an_end_is_noticed_too() -> None:
    """Under overload each run has but its reserve, and all slow ones are stopped before they could tell how slow."""
    learner = learned(0.1)
    reserve = learner.advice.reserve(30.0)
    for _ in range(TOO_MANY):
        learner.add(reserve, 1.0, stopped=True)
    assert learner.advice.reserve(30.0) == 15.0


def test_one_that_is_fast_again_keeps_its_limit_until_it_is_known() -> None:
    learner = learned(3.0, hangs=0.02)
    for _ in range(FEW):
        learner.add(learner.advice.execution, 1.0, stopped=True)
    limit = learner.advice.execution
    assert learner.advice.raised
    for _ in range(LAST):
        learner.add(0.1, 1.0)
    assert learner.advice.execution == limit
    assert learner.advice.reserve(30.0) == pytest.approx(0.2)
    for number in range(ENOUGH):
        learner.add(0.1 if number % 50 else 0.5, 1.0, stopped=not number % 50)
    assert learner.advice.execution < 1.0


def test_one_that_is_slow_is_given_time_to_show_how_slow() -> None:
    learner = learned(0.1, hangs=0.02)
    limit = learner.advice.execution
    for _ in range(TOO_MANY):
        learner.add(0.9 * limit, 1.0)
    assert learner.advice.execution == LONGER**2 * limit
    for _ in range(ENOUGH // 2):
        learner.add(0.9 * limit, 1.0)
    assert learner.advice.execution == LONGER**2 * limit


def test_where_there_is_no_limit_none_is_raised() -> None:
    learner = learned(0.1)
    for _ in range(TOO_MANY):
        learner.add(3.0, 1.0)
    assert learner.advice.execution == math.inf
    assert not learner.advice.raised
    for number in range(ENOUGH):
        learner.add(3.0 if number % 50 else 12.0, 1.0, stopped=not number % 50)
    assert 3.0 <= learner.advice.execution < 12.0


def test_a_window_is_over_after_its_time_also_between_two_renewals() -> None:
    learner = Learner()
    for _ in range(ENOUGH):
        learner.add(0.1, 0.0)
    for _ in range(ENOUGH + 50):
        learner.add(0.1, 1.0)
    assert learner.count == 2 * ENOUGH + 50
    assert learner.add(0.1, AGE)
    assert learner.count == ENOUGH + 51


def test_no_more_is_remembered_than_two_windows_and_no_less_than_one() -> None:
    learner, counts = Learner(), list[int]()
    for number in range(6 * WINDOW):
        learner.add(0.1, number / 1000)
        counts.append(learner.count)
    assert max(counts) < 2 * WINDOW
    assert min(counts[2 * WINDOW :]) == WINDOW
