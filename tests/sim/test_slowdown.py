"""A handler that becomes thirty times slower, and fast again: what is killed, and when the limit is back.

The two cases that are held here are those in which a limit is in force before; `python benchmarks/goodput --slowdown` has them all.
"""

from __future__ import annotations

import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodput import slowdown
from goodput.cases import Case
from goodput.slowdown import (
    LONGEST,
    MOST_BACK,
    MOST_STRETCH,
    SLOW_CASES,
    TOO_MANY,
    Phases,
    Run,
    back,
    in_force,
    measure,
    stretch,
)
from goodput.tables import slowdown as table

HANGS = [case for case in SLOW_CASES if "hang" in case.title]


@pytest.mark.parametrize("load", [0.3, 1.1])
@pytest.mark.parametrize("case", HANGS, ids=lambda case: case.title)
def test_no_more_than_a_few_good_runs_are_killed_and_the_limit_is_back(
    case: Case, load: float
) -> None:
    told = measure(case, load, 0, Phases(before=210.0, slow=90.0, after=70.0))
    assert told.usual[1] < LONGEST, "there is a limit, or nothing could go wrong"
    assert max(told.stretch) <= MOST_STRETCH
    assert told.killed[0] < 20
    assert told.back <= MOST_BACK


@pytest.mark.parametrize("load", [0.3, 1.8])
def test_the_slow_are_served_although_the_reserve_was_learned_from_the_fast(load: float) -> None:
    """Four slots can do 4 / 3 a second then; before it is known how slow, whoever starts has but 0.1 s left."""
    (case,) = (case for case in SLOW_CASES if case.title == "constant, killed (1 s)")
    told = measure(case, load, 0, Phases(before=60.0, slow=90.0, after=10.0))
    assert told.good[0] > 0.6 * 90 * 4 / 3
    assert told.killed == (0, 0)


RUNS = st.lists(st.tuples(st.integers(1, 3), st.sampled_from([False] * 9 + [True])), max_size=120)


@given(RUNS)
def test_a_stretch_is_the_farthest_two_kills_with_too_many_between(
    steps: list[tuple[int, bool]],
) -> None:
    now, runs = 0.0, list[Run]()
    for step, killed in steps:
        now += step
        runs.append((now, killed))
    kills = [place for place, (_, killed) in enumerate(runs) if killed]
    spans = [0.0]
    for first, last in product(kills, kills):
        among = runs[first : last + 1]
        if last >= first and sum(killed for _, killed in among) > TOO_MANY * len(among):
            spans.append(runs[last][0] - runs[first][0])
    assert stretch(runs) == max(spans)


def test_one_in_twenty_is_not_too_many() -> None:
    runs = [(float(now), now in {0, 39}) for now in range(40)]
    assert stretch(runs) == 0.0
    assert stretch(runs[:1] + runs[2:]) == 39.0


def test_limits_in_force_begin_where_the_time_does() -> None:
    limits = [(0.0, 30.0), (50.0, 1.0), (100.0, 2.0), (150.0, 3.0)]
    assert in_force(limits, 60.0, 120.0) == [(60.0, 1.0), (100.0, 2.0)]
    assert in_force(limits, 150.0, 160.0) == [(150.0, 3.0)]


@pytest.mark.parametrize(
    ("limits", "after"),
    [
        ([(100.0, 1.0)], 0.0),
        ([(100.0, 9.0), (130.0, 2.5), (140.0, 9.0)], 30.0),
        ([(100.0, 0.1), (120.0, 0.75)], 20.0),
        ([(100.0, 2.6), (120.0, 0.74)], math.inf),
    ],
)
def test_a_limit_is_back_when_it_is_near_a_usual_one(
    limits: list[tuple[float, float]], after: float
) -> None:
    assert back(limits, 1.0, 2.0) == after


def test_the_table_counts_what_keeps_the_bar() -> None:
    kept = slowdown.Told((10, 20), (1, 0), (10.0, 0.0), (0.5, 30.0), 60.0)
    missed = slowdown.Told((10, 20), (1, 0), (0.0, 10.1), (0.5, 0.5), math.inf)
    told = table([(HANGS[0], 0.3, kept), (HANGS[0], 0.8, missed)], Phases())
    assert told.rows[-1][-3:] == ("1 of 2", "", "1 of 2")
    assert told.rows[1][-1] == "inf s"
    assert all(len(row) == len(told.heading) for row in told.rows)


def test_the_worst_of_several_runs_is_told() -> None:
    one = slowdown.Told((10, 20), (1, 2), (3.0, 0.0), (0.5, 1.0), 5.0)
    other = slowdown.Told((1, 2), (1, 0), (0.0, 4.0), (0.7, 30.0), 1.0)
    expected = slowdown.Told((11, 22), (2, 2), (3.0, 4.0), (0.5, 30.0), 5.0)
    assert slowdown._worst([one, other]) == expected
