"""The execution limit that is in force: raised at once, lowered in its own time, and the best there is in between."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeouts.estimate import COLD, Learner
from timeouts.estimate.durations import GROWTH
from timeouts.estimate.learner import WINDOW
from timeouts.estimate.limit import FEW, LONGER, TOO_MANY, ExecutionLimit

MEAN = 0.1


def limit_of(seconds: float) -> ExecutionLimit:
    limit = ExecutionLimit()
    limit.follow(seconds)
    return limit


@given(st.lists(st.booleans(), min_size=FEW, max_size=FEW))
def test_it_is_raised_when_nearly_all_of_a_few_are_stopped_by_it(hits: list[bool]) -> None:
    limit = limit_of(1.0)
    raised = [limit.ran(1.0 if hit else 0.5, stopped=hit) for hit in hits]
    assert raised == [False] * (FEW - 1) + [sum(hits) >= TOO_MANY]
    assert limit.seconds == (LONGER if sum(hits) >= TOO_MANY else 1.0)


@given(st.lists(st.floats(0.0, 0.98), min_size=FEW, max_size=5 * FEW))
def test_runs_that_others_have_stopped_do_not_raise_it(ages: list[float]) -> None:
    """A caller who leaves, or whose own time is over, says nothing about the limit."""
    limit = limit_of(1.0)
    assert not any(limit.ran(age, stopped=True) for age in ages)


def test_runs_that_began_under_a_shorter_limit_do_not_delay_the_next_raise() -> None:
    limit = limit_of(1.0)
    for _ in range(FEW):
        limit.ran(1.0, stopped=True)
    for _ in range(FEW - 1):  # they ran beside those
        assert not limit.ran(1.0, stopped=True)
    raised = [limit.ran(LONGER, stopped=True) for _ in range(FEW)]
    assert raised == [False] * (FEW - 1) + [True]


def test_where_there_is_none_there_is_nothing_to_raise() -> None:
    limit = ExecutionLimit()
    assert not any(limit.ran(9.0, stopped=True) for _ in range(5 * FEW))
    assert limit.seconds == math.inf


def test_what_was_raised_is_not_lowered_before_its_window_is_over() -> None:
    limit = limit_of(1.0)
    for _ in range(FEW):
        limit.ran(1.0, stopped=True)
    limit.follow(1.0)
    assert limit.seconds == LONGER
    limit.follow(9.0)
    assert limit.seconds == 9.0
    limit.end_window()
    limit.follow(1.0)
    assert limit.seconds == 1.0


@pytest.mark.parametrize(
    ("advised", "then"),
    [(1.05, 1.0), (0.95, 1.0), (1.2, 1.2), (0.8, 0.8), (math.inf, math.inf)],
)
def test_a_small_change_is_none(advised: float, then: float) -> None:
    limit = limit_of(1.0)
    limit.follow(advised)
    assert limit.seconds == then


class Runs:
    """Runs one after another, stopped at the limit that has been learned."""

    def __init__(self, stuck: float, recovery: float) -> None:
        self.learner = Learner()
        self.learner.recovered(recovery)
        self._draw = random.Random(1)
        self._stuck = stuck
        self._recovery = recovery
        self.now = 0.0

    def go(self, count: int, factor: float = 1.0, most: float = 30.0) -> int:
        """Have so many runs take so many times as long; return how many good ones were killed."""
        killed = 0
        for _ in range(count):
            limit = min(self.learner.advice.execution, most)
            hangs = self._draw.random() < self._stuck
            run = math.inf if hangs else max(0.01, self._draw.gauss(MEAN, 0.03)) * factor
            stopped = run > limit
            killed += stopped and not hangs
            took = min(run, limit)
            self.now += took + (self._recovery if stopped else 0.0)
            self.learner.add(took, self.now, stopped=stopped)
        return killed


@pytest.mark.parametrize(
    ("stuck", "least", "most"),
    [
        # A slot brings 1 / (0.1 + 0.02 (b + 1)) answers a second: 5 % less than the best at 0.4 to 0.5 s.
        (0.02, 0.2, 0.7),
        # What hangs so seldom may hang for longer.
        (0.005, 0.3, 2.5),
    ],
)
def test_what_hangs_is_stopped_when_to_wait_costs_more_than_to_stop(
    stuck: float, least: float, most: float
) -> None:
    runs = Runs(stuck, recovery=1.0)
    runs.go(3 * WINDOW)
    killed = runs.go(2 * WINDOW)
    assert least < runs.learner.advice.execution < most
    assert killed < 0.01 * 2 * WINDOW


def test_nothing_is_stopped_where_nothing_hangs() -> None:
    runs = Runs(0.0, recovery=1.0)
    assert runs.go(3 * WINDOW) == 0
    assert runs.learner.advice.execution == math.inf


def test_no_limit_is_learned_where_work_cannot_be_stopped() -> None:
    learner = Learner(stops=False)
    for number in range(WINDOW):
        learner.add(MEAN if number % 20 else 5.0, 0.0, stopped=not number % 20)
    assert learner.advice != COLD
    assert learner.advice.execution == math.inf


def test_a_handler_that_is_thirty_times_slower_is_not_killed_again_and_again() -> None:
    runs = Runs(0.005, recovery=1.0)
    runs.go(4 * WINDOW)
    usual, since = runs.learner.advice.execution, runs.now
    killed = runs.go(100, factor=30)
    assert killed <= 4 * FEW
    assert runs.go(100, factor=30) == 0
    assert runs.now - since > 200
    runs.go(3 * WINDOW)
    assert runs.learner.advice.execution < 3 * usual + MEAN


def test_the_limit_leaves_the_slow_time_enough() -> None:
    """Stopping at the shortest of two lengths would bring more; it would also mean that the longer is never served."""
    learner, draw = Learner(), random.Random(1)
    for _ in range(2 * WINDOW):
        learner.add(0.01 if draw.random() < 0.9 else 2.0, 0.0)
    assert learner.advice.execution >= 2.0 / GROWTH


def test_of_those_that_would_end_hardly_any_is_stopped_though_stops_cost_nothing() -> None:
    """Work with a long tail: to stop nearly all of it early would bring more answers, to the short ones."""
    learner, draw, killed = Learner(), random.Random(1), 0
    learner.add(30.0, 0.0, stopped=True)
    for _ in range(10 * WINDOW):
        run, limit = draw.lognormvariate(-3.4, 1.5), learner.advice.execution
        killed += run > limit
        learner.add(min(run, limit), 0.0, stopped=run > limit)
    assert 0 < killed < 0.02 * 10 * WINDOW


def test_it_is_raised_from_where_a_bound_has_held_it() -> None:
    """With `at_least=5` runs are stopped at 5 s, however short the limit that was learned."""
    limit = limit_of(0.02)
    for _ in range(FEW):
        limit.ran(5.0, stopped=True)
    assert limit.seconds == 5 * LONGER
