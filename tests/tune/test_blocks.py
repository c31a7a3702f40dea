"""Stretches of a trace, and what they say of chance."""

from __future__ import annotations

from random import Random
from statistics import fmean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tune.house import EXPONENTIAL, trace
from timeouts.sim import Client, Request, Trace
from timeouts.sim.books import WINDOWS
from timeouts.tune.blocks import (
    SIZES,
    block_size,
    held_out,
    interval,
    standard_error,
    together,
    training,
)
from timeouts.tune.stretches import shortened
from timeouts.tune.task import with_budgets

counts = st.lists(st.integers(-50, 50), min_size=10, max_size=30)


@given(st.lists(st.integers(0, 99), min_size=WINDOWS, max_size=WINDOWS), st.sampled_from(SIZES))
def test_every_window_is_in_one_half(windows: list[int], size: int) -> None:
    blocks = together(windows, size)
    chosen_by, judged_by = training(blocks), held_out(blocks)
    assert len(chosen_by) == len(judged_by) == WINDOWS // size / 2
    assert sum(chosen_by) + sum(judged_by) == sum(windows)
    assert chosen_by[0] == sum(windows[:size])
    assert judged_by[0] == sum(windows[size : 2 * size])


@given(counts, st.integers(0, 5))
def test_the_interval_holds_the_sum_and_is_the_same_for_the_same_seed(
    differences: list[int], seed: int
) -> None:
    found = interval(differences, seed)
    assert found == interval(differences, seed)
    assert found.low <= sum(differences) + 1e-6 + stdev(differences)
    assert found.high >= sum(differences) - 1e-6 - stdev(differences)
    if len(set(differences)) == 1:
        assert found == (sum(differences), sum(differences))


def test_the_interval_is_as_wide_as_theory_has_it() -> None:
    random = Random(1)
    differences = [round(random.gauss(100, 30)) for _ in range(30)]
    low, high = interval(differences, 0)
    assert high - low == pytest.approx(2 * 1.96 * standard_error(differences), rel=0.1)
    assert standard_error(differences) == pytest.approx(30**0.5 * 30, rel=0.3)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """Of 15 stretches: 95 % are promised, and some percent less are known to be kept by so few."""
    random = Random(2)
    held = 0
    for seed in range(200):
        low, high = interval([round(random.expovariate(0.01)) for _ in range(15)], seed)
        held += low <= 15 * 100 <= high
    assert held / 200 > 0.85


def test_stretches_are_as_short_as_the_budgets_allow() -> None:
    asked = with_budgets(trace(0.5, EXPONENTIAL, 120), 0.5)
    assert block_size(asked, [1.0]) == 1
    assert block_size(asked, [1.0, 2.0]) == 2, "at twice the pace it has half the time"
    assert block_size(asked, [3.9]) == 3


@pytest.mark.parametrize(
    ("seconds", "budget", "words"),
    [
        (20, 0.5, r"800 requests in 20 s; 500 in 30 s are the least"),
        (5, 0.01, r"\d+ requests in 5 s; 500 in 0.6 s are the least"),
    ],
)
def test_a_trace_that_is_too_short_is_refused(seconds: float, budget: float, words: str) -> None:
    regular = Trace.of(
        Request(number * 0.025, 0.01, Client(budget=budget)) for number in range(int(seconds * 40))
    )
    with pytest.raises(
        ValueError, match=f"the trace is too short to tell anything: it has {words}"
    ):
        block_size(regular, [1.0])


# ── stretches of a long one ──────────────────────────────────────────────────────────────────────


@given(st.integers(40, 400), st.integers(40, 200), st.integers(0, 9))
def test_a_long_trace_is_made_short_by_stretches_from_all_over(
    count: int, most: int, seed: int
) -> None:
    random, now, requests = Random(seed), 0, list[Request]()
    for number in range(count):
        now += random.randint(1, 9)
        requests.append(Request(now, number, Client()))
    whole = Trace.of(requests)
    short = shortened(whole, most)
    if count <= most:
        assert short is whole
        return
    length = most // 20
    works = [int(one.work) for one in short.recorded]
    assert works == [
        number + offset
        for number in range(0, 20 * (count // 20), count // 20)
        for offset in range(length)
    ]
    gaps = {n: whole.recorded[n].arrived - whole.recorded[n - 1].arrived for n in range(1, count)}
    for place in range(1, len(works)):
        gap = short.recorded[place].arrived - short.recorded[place - 1].arrived
        assert gap == gaps[works[place - 1] + 1], "each goes on as it did"


def test_the_pace_of_a_short_one_is_that_of_the_long() -> None:
    whole = trace(1, EXPONENTIAL, 300)
    short = shortened(whole, 4000)
    assert len(short.recorded) == 4000
    assert short.load(4) == pytest.approx(whole.load(4), rel=0.1)
    assert fmean(one.work for one in short.recorded) == pytest.approx(0.05, rel=0.1)
