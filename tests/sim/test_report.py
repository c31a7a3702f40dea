"""What is made of a run: figures that add up, and the same ones for the same seed."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timeouts import FIFO, LIFO, GatewayTimeout, Priority, QueueTimeout, Stack
from timeouts.sim import (
    Bursts,
    Client,
    Constant,
    Exponential,
    Figures,
    Kill,
    Lognormal,
    Poisson,
    Regular,
    Report,
    Request,
    Retry,
    Scenario,
    Stuck,
    Trace,
    simulate,
)
from timeouts.sim.report import jain, quantile, quartiles

CLIENTS = (
    Client("quick", 0.3, "tells", priority=1, share=2),
    Client("patient", 3, "stays"),
    Client("again", 1, retry=Retry(attempts=3)),
)
scenarios = st.builds(
    Scenario,
    st.sampled_from([Poisson(30), Bursts(((0, 10), (2, 90)), period=3)]),
    st.sampled_from([Constant(0.1), Lognormal(0.1, 2), Stuck(Exponential(0.1), 0.02)]),
    st.sampled_from([CLIENTS, CLIENTS[2]]),
    duration=st.just(8.0),
    margin=st.sampled_from([0.0, 1.0]),
    slowdown=st.sampled_from([(), ((2, 5), (4, 1))]),
)
servers = st.fixed_dictionaries(
    {
        "limits": st.sampled_from([None, GatewayTimeout(1, 0.3) | QueueTimeout(0.5)]),
        "discipline": st.sampled_from([FIFO, LIFO, Priority]),
        "slots": st.integers(1, 4),
        "capacity": st.sampled_from([3, math.inf]),
        "stop": st.sampled_from(["cancel", "abandon", "kill", Kill(0.5, spares=1)]),
        "seed": st.integers(0, 10**9),
    }
)


@settings(max_examples=25)
@given(scenarios, servers)
def test_the_same_seed_gives_the_same_bytes(asked: Scenario, server: dict[str, Any]) -> None:
    one, two = (json.dumps(asdict(simulate(asked, **server))) for _ in range(2))
    assert one == two


@settings(max_examples=50)
@given(scenarios, servers)
def test_a_report_adds_up(asked: Scenario, server: dict[str, Any]) -> None:
    report = simulate(asked, **server)
    assert report.attempts == sum(report.outcomes.values()) + report.left
    assert report.offered == sum(one.offered for one in report.clients.values())
    assert report.in_time == sum(one.in_time for one in report.clients.values())
    assert report.in_time <= report.outcomes.get("completed", 0)
    assert report.goodput * report.duration == pytest.approx(report.in_time)
    assert sum(came for came, _ in report.timeline) >= report.offered
    for share in (report.wasted, report.utilisation, report.recovering):
        assert 0 <= share <= 1 + 1e-9
    assert report.utilisation + report.recovering <= 1 + 1e-9
    assert report.limit.goodput <= report.offered / report.duration * (1 + 1e-9)


def test_without_load_everything_is_answered_and_nothing_wasted() -> None:
    report = simulate(Scenario(Poisson(1), Constant(0.01), duration=100), slots=8)
    assert report.success == 1
    assert report.wasted < 1e-9
    assert report.mean_wait == report.mean_queue == 0
    assert report.told_p99 is None
    assert report.latency_p50 == pytest.approx(0.01)
    assert report.fairness == 1
    assert report.utilisation == pytest.approx(report.offered * 0.01 / 800)


def test_a_trace_is_served_as_it_was_recorded() -> None:
    client = Client("all", 4)
    trace = Trace.of(Request(now, 2, client) for now in (0, 1, 2, 10))
    report = simulate(trace)
    assert report.outcomes == {"completed": 3, "withdrawn": 1}
    assert report.duration == pytest.approx(40 / 3)
    assert report.told_p50 == 4


def test_who_is_never_told_waits_for_ever() -> None:
    report = simulate(Trace.of(Request(now, math.inf, Client()) for now in (0, 1)), stop="abandon")
    assert (report.left, report.in_time, report.told_p50) == (2, 0, math.inf)
    assert report.wasted == report.utilisation == 1


def test_an_empty_run_is_no_error() -> None:
    report = simulate(Scenario(Bursts(((0, 0), (9, 1))), Constant(1), duration=5))
    assert (report.offered, report.mean_wait, report.wasted) == (0, 0, 0)
    assert math.isnan(report.success)
    assert math.isnan(report.efficiency)


@pytest.mark.parametrize(
    ("numbers", "middle", "late"), [([1], 1, 1), ([1, 2], 1, 2), (list(range(1, 101)), 50, 99)]
)
def test_quantiles_are_figures_that_occurred(numbers: list[float], middle: int, late: int) -> None:
    assert (quantile(numbers, 0.5), quantile(numbers, 0.99)) == (middle, late)


def test_fairness_is_over_quartiles_of_service_time() -> None:
    fates = [(float(work), work <= 2) for work in range(1, 9)]
    assert quartiles(fates) == [1, 0, 0, 0]
    assert jain([1, 0, 0, 0]) == 0.25
    assert jain([0.3] * 4) == pytest.approx(1)
    assert jain([0, 0]) is None
    assert quartiles([(1.0, True)]) == [1]


def test_margins_are_no_part_of_a_rate() -> None:
    asked = Scenario(Regular(2), Constant(0.1), duration=100, margin=20)
    report = simulate(asked)
    assert (report.duration, report.offered, report.goodput) == (60, 120, 2)
    assert report.utilisation == pytest.approx(0.2)
    assert sum(came for came, _ in report.timeline) == 200


def test_a_slow_spell_lowers_the_limit() -> None:
    asked = Scenario(Poisson(100), Constant(0.1), duration=20, slowdown=((0, 4), (10, 1)))
    assert simulate(asked, slots=4).limit.goodput == pytest.approx((10 + 40) / 2)


def test_a_report_is_a_value() -> None:
    report = simulate(Scenario(Poisson(5), Constant(0.1), duration=5), seed=1)
    assert isinstance(report, Report)
    assert isinstance(report, Figures)
    assert report == simulate(Scenario(Poisson(5), Constant(0.1), duration=5), seed=1)
    assert report != simulate(Scenario(Poisson(5), Constant(0.1), duration=5), seed=2)


ASKED = Scenario(Poisson(5), Constant(0.1), duration=1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"asked": Poisson(5)}, "asked must be a Scenario or a Trace; got Poisson"),
        ({"limits": 5}, "limits must be a policy"),
        ({"slots": 0}, "slots must be at least 1; got 0"),
        ({"slots": math.inf}, "slots must be a whole number; got inf"),
        ({"capacity": -1}, "capacity must be at least 0; got -1"),
        ({"discipline": "fifo"}, "discipline must be a class"),
        ({"stop": "maim"}, 'stop must be "cancel", "kill", "abandon" or a Kill; got .maim.'),
        ({"stop": None}, "stop must be"),
    ],
)
def test_nonsense_is_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        simulate(**{"asked": ASKED, "limits": Stack(), **arguments})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"recovery": -1}, "recovery must be 0 or more; got -1"),
        ({"recovery": math.inf}, "recovery must be 0 or more; got inf"),
        ({"spares": -1}, "spares must be at least 0; got -1"),
    ],
)
def test_a_kill_that_makes_no_sense_is_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Kill(**arguments)
