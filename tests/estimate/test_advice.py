"""What follows from what is learned: the reserve, held against its definition and against known cases."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeouts.estimate import COLD, Advice, Durations, Learner
from timeouts.estimate.advice import ALL_BUT, ENOUGH, MOST, SLOWEST, advise, with_tail
from timeouts.estimate.durations import GROWTH, Curve
from timeouts.estimate.learner import AGE, WINDOW

SOME = st.tuples(st.floats(1e-3, 50.0), st.booleans(), st.integers(1, ENOUGH))


def enough(kinds: list[tuple[float, bool, int]]) -> list[tuple[float, bool]]:
    """Return runs of each kind, as many as it says, and so many of the first that there are enough."""
    runs = [(seconds, stopped) for seconds, stopped, count in kinds for _ in range(count)]
    return runs + runs[:1] * (ENOUGH - len(runs))


RUNS = st.lists(SOME, min_size=1, max_size=8).map(enough)
RECOVERY = st.sampled_from([0.0, 0.1, 1.0, 10.0, math.inf])
BUDGET = st.floats(1e-3, 200.0)
MEAN = 0.1


def curve_of(runs: list[tuple[float, bool]]) -> Curve:
    durations = Durations()
    for seconds, stopped in runs:
        durations.add(seconds, stopped=stopped)
    return durations.curve()


def by_definition(curve: Curve, recovery: float, budget: float) -> float:
    """Return the reserve of a budget, straight from its definition."""
    curve = with_tail(curve)
    known = [place for place, edge in enumerate(curve.edges) if edge <= budget]

    def rate(place: int) -> float:
        finished, evidence = curve.finished[place], curve.size * curve.finished[place]
        cost = curve.worked[-1]
        if recovery < math.inf:
            cost = curve.worked[place] + recovery * (1 - finished)
        return finished / cost * (1 - 2 / math.sqrt(evidence)) if evidence > 4 else 0.0

    best = max(map(rate, known))
    cheap = min(place for place in known if rate(place) >= ALL_BUT * best)
    most = curve.finished[known[-1]]
    slow = min(place for place in known if curve.finished[place] >= SLOWEST * most)
    return min(curve.edges[max(cheap, slow)], MOST * budget)


@given(RUNS, RECOVERY, BUDGET)
def test_the_reserve_is_the_least_time_worth_a_start(
    runs: list[tuple[float, bool]], recovery: float, budget: float
) -> None:
    curve = curve_of(runs)
    advice = advise(curve, recovery)
    if not curve.ended or budget < curve.edges[0]:
        assert advice.reserve(budget) == (budget / 2 if advice.budgets else 0)
    else:
        assert advice.reserve(budget) <= by_definition(curve, recovery, budget) + 1e-9


@given(RUNS, RECOVERY)
def test_it_is_less_than_that_only_where_a_shorter_budget_would_be_left_more(
    runs: list[tuple[float, bool]], recovery: float
) -> None:
    curve = curve_of(runs)
    advice = advise(curve, recovery)
    for shorter, budget in zip(advice.budgets, advice.budgets[1:], strict=False):
        just_below = math.nextafter(budget, 0)
        before = max(just_below - advice.reserve(just_below), shorter - advice.reserve(shorter))
        wait = budget - advice.reserve(budget)
        exact = budget - by_definition(curve, recovery, budget)
        assert wait == pytest.approx(max(exact, before), rel=1e-6, abs=1e-9)


@given(RUNS, RECOVERY, BUDGET, BUDGET)
def test_a_longer_budget_leaves_no_less_time_to_wait_in(
    runs: list[tuple[float, bool]], recovery: float, one: float, other: float
) -> None:
    advice = advise(curve_of(runs), recovery)
    shorter, longer = sorted((one, other))
    assert shorter - advice.reserve(shorter) <= longer - advice.reserve(longer) + 1e-9


@given(RUNS, RECOVERY, BUDGET)
def test_a_reserve_leaves_a_third_of_the_budget_and_more_to_wait_in(
    runs: list[tuple[float, bool]], recovery: float, budget: float
) -> None:
    assert 0 <= advise(curve_of(runs), recovery).reserve(budget) <= MOST * budget


@given(BUDGET)
def test_cold_it_is_twice_the_longest_execution_and_at_most_half_of_the_budget(
    budget: float,
) -> None:
    assert COLD.reserve(budget) == 0
    assert Advice(longest=budget / 8).reserve(budget) == budget / 4
    assert Advice(longest=budget / 2).reserve(budget) == budget / 2
    assert advise(curve_of([(0.1, False)] * (ENOUGH - 1)), 0.0) is COLD
    assert advise(curve_of([(0.1, True)] * ENOUGH), 0.0) is COLD


def exponential(draw: random.Random) -> float:
    return draw.expovariate(1 / MEAN)


def constant(_: random.Random) -> float:
    return MEAN


def stuck(draw: random.Random) -> float:
    return 100 * MEAN if draw.random() < 0.02 else draw.expovariate(1 / MEAN)


def advice_of(service: Callable[[random.Random], float], learner: Learner, budget: float) -> Advice:
    draw = random.Random(1)
    for _ in range(2 * WINDOW):
        run = service(draw)
        learner.add(min(run, budget), 0.0, stopped=run > budget)
    return learner.advice


@pytest.mark.parametrize(
    ("service", "stops", "recovery", "least", "most"),
    [
        (constant, True, 0.0, MEAN / GROWTH, MEAN * GROWTH),
        (constant, False, 0.0, MEAN / GROWTH, MEAN * GROWTH),
        # Where nothing is stopped the goodput of a full queue is F(reserve): the 98th percentile.
        (exponential, False, 0.0, 0.35, 0.45),
        # A stop that costs ten executions is to be avoided: nearly all must finish.
        (exponential, True, 1.0, 0.45, 0.65),
        # What never ends cannot be waited for.
        (stuck, True, 1.0, 0.35, 0.65),
    ],
)
def test_known_cases(
    service: Callable[[random.Random], float],
    stops: bool,
    recovery: float,
    least: float,
    most: float,
) -> None:
    learner = Learner(stops=stops)
    learner.recovered(recovery)
    assert least <= advice_of(service, learner, 1.0).reserve(1.0) <= most


def test_advice_is_renewed_every_two_hundred_executions() -> None:
    learner = Learner()
    new = [learner.add(0.1, 0.0) for _ in range(3 * ENOUGH)]
    assert [place + 1 for place, is_new in enumerate(new) if is_new] == [200, 400, 600]
    assert learner.advice.count == 3 * ENOUGH


@pytest.mark.parametrize(("executions", "seconds"), [(WINDOW, 0.0), (ENOUGH, AGE)])
def test_a_handler_that_has_become_slow_is_known_as_slow_after_two_windows(
    executions: int, seconds: float
) -> None:
    learner, now = Learner(), 0.0
    for run in (0.1, 3.0, 3.0):
        for _ in range(executions):
            learner.add(run, now)
            now += seconds / executions
    for _ in range(ENOUGH):
        learner.add(3.0, now)
    assert learner.advice.reserve(30.0) == pytest.approx(3.0, rel=GROWTH - 1)
    assert learner.advice.reserve(0.2) == 0.1  # of so short a budget nothing is known any more


def test_the_cost_of_a_stop_is_a_moving_average_and_none_where_nothing_stops() -> None:
    learner = Learner()
    learner.recovered(1.0)
    assert learner.recovery == 1.0
    learner.recovered(2.0)
    assert 1.0 < learner.recovery < 1.1
    threads = Learner(stops=False)
    threads.recovered(1.0)
    assert threads.recovery == math.inf


@given(RUNS)
def test_beyond_the_oldest_age_the_curve_goes_on(runs: list[tuple[float, bool]]) -> None:
    curve = curve_of(runs)
    longer = with_tail(curve)
    seen = len(curve.edges)
    assert longer.edges[:seen] == curve.edges
    assert longer.finished[:seen] == curve.finished
    for one in (longer.edges, longer.finished, longer.worked):
        assert list(one) == sorted(one)
    assert longer.finished[-1] <= 1
    if curve.finished[-1] == 1:
        assert longer == curve


def test_a_reserve_that_was_too_short_is_found_out() -> None:
    """All runs are stopped at 0.3 s, so that nobody has ever seen a longer one; a stop costs ten runs."""
    learner, draw = Learner(), random.Random(1)
    learner.recovered(1.0)
    for _ in range(WINDOW):
        run = draw.expovariate(1 / MEAN)
        learner.add(min(run, 0.3), 0.0, stopped=run > 0.3)
    assert learner.advice.reserve(1.0) > 0.4


def test_what_hangs_is_not_expected_to_end() -> None:
    """All but two in a hundred take 0.1 s; the others are stopped at 0.3 s and would never end."""
    learner, draw = Learner(), random.Random(1)
    for _ in range(WINDOW):
        hangs = draw.random() < 0.02
        learner.add(0.3 if hangs else MEAN, 0.0, stopped=hangs)
    assert learner.advice.reserve(1.0) == pytest.approx(MEAN, rel=GROWTH - 1)
