"""What is learned of execution times, held against what it was learned from."""

from __future__ import annotations

import math
import random
from bisect import bisect_right

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeouts.estimate import Durations
from timeouts.estimate.durations import GROWTH, LONGEST, SHORTEST, Curve, bucket

SECONDS = st.floats(2e-4, 900.0)
RUNS = st.lists(st.tuples(SECONDS, st.booleans()), min_size=1, max_size=60)


def learned(runs: list[tuple[float, bool]]) -> Durations:
    durations = Durations()
    for seconds, stopped in runs:
        durations.add(seconds, stopped=stopped)
    return durations


def share(curve: Curve, age: float) -> float:
    """Return F(age)."""
    place = bisect_right(curve.edges, age) - 1
    return curve.finished[place] if place >= 0 else 0.0


@given(SECONDS)
def test_a_duration_lies_in_its_bucket(seconds: float) -> None:
    upper = SHORTEST * GROWTH ** bucket(seconds)
    assert seconds <= upper * (1 + 1e-9)
    assert seconds > upper / GROWTH * (1 - 1e-9)


@pytest.mark.parametrize("seconds", [0.0, SHORTEST / 2, SHORTEST, LONGEST, 1e9, math.inf])
def test_what_is_out_of_range_is_counted_at_the_ends(seconds: float) -> None:
    curve = learned([(seconds, False)]).curve()
    assert curve.finished == (1.0,)


@given(st.lists(SECONDS, min_size=1, max_size=60))
def test_without_stops_it_is_the_share_of_those_that_ended(runs: list[float]) -> None:
    curve = learned([(run, False) for run in runs]).curve()
    for edge, finished in zip(curve.edges, curve.finished, strict=True):
        ended = sum(run <= edge * (1 + 1e-9) for run in runs)
        assert finished == pytest.approx(ended / len(runs))


@given(st.lists(SECONDS, min_size=1, max_size=60))
def test_without_stops_the_work_is_the_mean_within_a_bucket(runs: list[float]) -> None:
    curve = learned([(run, False) for run in runs]).curve()
    for edge, worked in zip(curve.edges, curve.worked, strict=True):
        mean = sum(min(run, edge) for run in runs) / len(runs)
        assert mean / GROWTH <= worked * (1 + 1e-9)
        assert worked <= mean * GROWTH * (1 + 1e-9)


@given(RUNS)
def test_both_curves_rise_and_stay_in_bounds(runs: list[tuple[float, bool]]) -> None:
    curve = learned(runs).curve()
    assert list(curve.edges) == sorted(curve.edges)
    assert list(curve.finished) == sorted(curve.finished)
    assert list(curve.worked) == sorted(curve.worked)
    assert all(0 <= finished <= 1 for finished in curve.finished)
    assert all(w <= e * (1 + 1e-9) for e, w in zip(curve.edges, curve.worked, strict=True))
    assert curve.size == len(runs)
    assert curve.ended == sum(not stopped for _, stopped in runs)


@given(RUNS, SECONDS)
def test_a_stop_says_nothing_of_what_is_shorter(
    runs: list[tuple[float, bool]], stopped: float
) -> None:
    """That run was still going on: whatever is longer is more likely than before, or as likely."""
    before, after = learned(runs).curve(), learned([*runs, (stopped, True)]).curve()
    for edge in before.edges:
        assert share(after, edge) <= share(before, edge) + 1e-9


@given(RUNS, RUNS)
def test_histograms_merge_by_addition(
    some: list[tuple[float, bool]], others: list[tuple[float, bool]]
) -> None:
    merged = learned(some)
    merged.merge(learned(others))
    assert merged.curve() == learned([*others, *some]).curve()
    assert merged.count == len(some) + len(others)


@given(RUNS, RUNS, RUNS)
def test_what_is_older_than_the_window_before_is_forgotten(
    old: list[tuple[float, bool]],
    before: list[tuple[float, bool]],
    now: list[tuple[float, bool]],
) -> None:
    durations = learned(old)
    for window in (before, now):
        durations.rotate()
        for seconds, stopped in window:
            durations.add(seconds, stopped=stopped)
    assert durations.curve() == learned([*before, *now]).curve()


def test_stops_at_a_limit_do_not_hide_what_is_slow() -> None:
    """A third is stopped at 0.1 s; what is known below that is as if nothing had been."""
    draw = random.Random(1)
    runs = [draw.expovariate(10) for _ in range(20_000)]
    curve = learned([(min(run, 0.1), run > 0.1) for run in runs]).curve()
    for age in (0.02, 0.05, 0.09):
        assert share(curve, age) == pytest.approx(1 - math.exp(-10 * age), abs=0.03)


def test_stops_at_mixed_ages_leave_the_distribution_as_it_is() -> None:
    draw = random.Random(2)
    runs = [(draw.expovariate(10), draw.expovariate(5)) for _ in range(20_000)]
    curve = learned([(min(run, stop), run > stop) for run, stop in runs]).curve()
    for age in (0.05, 0.1, 0.2, 0.3):
        assert share(curve, age) == pytest.approx(1 - math.exp(-10 * age), abs=0.03)
