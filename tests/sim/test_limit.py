"""The best that is possible: known figures, and no policy beats it."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timeouts.sim import Constant, Exponential, Kill, Limit, Lognormal, Recorded, Service, Stuck
from timeouts.sim.limit import limit

STUCK = Stuck(Lognormal(0.1, 0.3), 0.02, 100)
D, K = 1.0, 4


def goodput(service: Service, load: float, stop: Any) -> Limit:
    return limit(service, {D: load * K / 0.1}, K, K, stop)


@pytest.mark.parametrize(
    ("service", "stop", "at_2", "at_10"),
    [
        (Constant(0.1), "cancel", 40, 40),
        (Constant(0.1), "abandon", 40, 40),
        (Exponential(0.1), "cancel", 40, 40),
        (Exponential(0.1), Kill(1), 40, 40),
        (Lognormal(0.1, 2.9), "cancel", 64.9, 96),
        (Lognormal(0.1, 2.9), Kill(1), 39.5, 39.5),
        (Lognormal(0.1, 2.9), "abandon", 39.5, 39.5),
        (STUCK, "cancel", 38.2, 38.2),
        (STUCK, Kill(1), 31.8, 31.8),
        (STUCK, "abandon", 13.2, 13.2),
    ],
)
def test_the_limits_of_the_standard_case(
    service: Service, stop: Any, at_2: float, at_10: float
) -> None:
    """Four workers, 0.1 s, a budget of 1 s: figures of an independent study.

    One is tighter here: at twice the capacity too few lognormal works arrive to pick the short ones.
    """
    for load, expected in ((2, at_2), (10, at_10)):
        found = goodput(service, load, stop)
        assert found.goodput == pytest.approx(expected, rel=0.012)
        assert found.by == "workers"


def test_below_saturation_arrivals_set_the_limit() -> None:
    found = goodput(Exponential(0.1), 0.5, "abandon")
    assert found.goodput == pytest.approx(20 * (1 - math.exp(-10)))
    assert found.by == "arrivals"


def test_work_that_never_fits_brings_nothing() -> None:
    assert limit(Constant(2), {1.0: 10}, K, K, "cancel").goodput == 0


def test_a_rate_that_one_recorded_work_suggests_is_none() -> None:
    """One in two hundred was over at once, by chance; to wait for such ones is no way to serve."""
    work = Recorded((0.0001, *[0.1] * 200))
    assert goodput(work, 10, "cancel").goodput == pytest.approx(40, rel=0.01)


def test_work_that_hangs_and_cannot_be_stopped_leaves_nothing_in_the_long_run() -> None:
    assert goodput(Stuck(Constant(0.1), 0.001), 1, "abandon").goodput == 0


def test_a_spare_is_worth_something_but_not_everything() -> None:
    free, one, none = (
        goodput(STUCK, 2, stop).goodput for stop in (Kill(0), Kill(1, spares=1), Kill(1))
    )
    assert none < one <= free


def test_short_budgets_are_served_as_far_as_work_fits_into_them() -> None:
    """Two classes: only half of the work fits into the shorter budget, so the longer is worth more."""
    work = Recorded((0.1, 0.3))
    found = limit(work, {0.2: 10.0, 1.0: 10.0}, 2.0, 2, "abandon")
    assert found.goodput == pytest.approx(10 * 1.0)
    assert limit(work, {0.2: 10.0, 1.0: 10.0}, 4.0, 4, "abandon") == (15, "arrivals")


@settings(max_examples=40)
@given(
    st.sampled_from([Constant(0.1), Exponential(0.1), Lognormal(0.1, 2.9), STUCK]),
    st.floats(0.1, 20),
    st.floats(0, 3),
)
def test_dearer_kills_and_fewer_arrivals_never_help(
    service: Service, load: float, recovery: float
) -> None:
    at = goodput(service, load, Kill(recovery)).goodput
    assert at <= goodput(service, load, "cancel").goodput * (1 + 1e-9)
    assert at >= goodput(service, load, Kill(recovery + 0.5)).goodput * (1 - 1e-9)
    assert at <= goodput(service, load * 1.5, Kill(recovery)).goodput * (1 + 1e-9)
    assert at <= load * K / 0.1


def test_many_budgets_are_put_together_without_lowering_the_limit() -> None:
    rates = {0.5 + number / 1000: 0.1 for number in range(500)}
    exact = sum(rate * Exponential(0.1).within(budget) for budget, rate in rates.items())
    found = limit(Exponential(0.1), rates, 40.0, 40, "cancel")
    assert exact <= found.goodput <= 1.02 * exact
