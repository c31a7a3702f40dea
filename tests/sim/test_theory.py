"""The simulator against queueing theory, and against what is known of overload.

Each run has a seed, so what is found here is found again.
"""

from __future__ import annotations

import math
from statistics import mean, stdev
from typing import Any

import pytest

from timeouts import LIFO, EarliestDeadlineFirst, ExecutionTimeout, GatewayTimeout
from timeouts.sim import (
    Bursts,
    Client,
    Constant,
    Exponential,
    Kill,
    Lognormal,
    Poisson,
    Report,
    Retry,
    Scenario,
    Service,
    Stuck,
    simulate,
)

S, D, K = 0.1, 1.0, 4
PATIENT = Client(budget=math.inf)
LEAVES = Client(budget=D)


def erlang_c(load: float, servers: int) -> float:
    """Return the chance to wait in M/M/k, for a load in Erlangs."""
    served = sum(load**n / math.factorial(n) for n in range(servers))
    waits = load**servers / math.factorial(servers) * servers / (servers - load)
    return waits / (served + waits)


def mm_k(rate: float, servers: int) -> float:
    """Return the mean wait in M/M/k with a mean service time of 1."""
    return erlang_c(rate, servers) / (servers - rate)


def m_g_1(rate: float, cv: float) -> float:
    """Return the mean wait in M/G/1 with a mean service time of 1 (Pollaczek and Khinchine)."""
    return rate * (1 + cv**2) / (2 * (1 - rate))


@pytest.mark.parametrize(
    ("service", "rate", "slots", "expected"),
    [
        (Exponential(1), 0.7, 1, mm_k(0.7, 1)),
        (Exponential(1), 3.2, 4, mm_k(3.2, 4)),
        (Constant(1), 0.7, 1, m_g_1(0.7, 0)),
        (Lognormal(1, 0.8), 0.6, 1, m_g_1(0.6, 0.8)),
    ],
    ids=["M/M/1", "M/M/4", "M/D/1", "M/G/1"],
)
def test_mean_waits_are_those_of_theory(
    service: Service, rate: float, slots: int, expected: float
) -> None:
    """The mean of sixteen runs lies within four standard errors of it."""
    asked = Scenario(Poisson(rate), service, PATIENT, duration=1600 / rate, margin=100 / rate)
    waits = [
        simulate(asked, slots=slots, capacity=math.inf, seed=seed).mean_wait for seed in range(16)
    ]
    error = stdev(waits) / 4
    assert error < expected / 10
    assert abs(mean(waits) - expected) < 4 * error


def impatient(rate: float, pace: float, servers: int, patience: float) -> float:
    """Return the goodput of M/M/k whose callers leave after a while, served or not (Barrer, 1957).

    The wait of who comes has an atom at 0, a density that grows with rate - servers * pace up to the
    patience, and one that falls with servers * pace beyond it, where callers no longer join the queue.
    """
    load, growth = rate / pace, rate - servers * pace
    idle = [load**n / math.factorial(n) for n in range(servers)]
    density = rate * idle[-1]
    within = density * math.expm1(growth * patience) / growth
    beyond = density * math.exp(growth * patience) / (servers * pace)
    late = math.exp(-pace * patience)
    in_time = sum(idle) * (1 - late) + within
    in_time -= density * late * math.expm1((growth + pace) * patience) / (growth + pace)
    return rate * in_time / (sum(idle) + within + beyond)


@pytest.mark.parametrize("rate", [44.0, 80.0])
def test_goodput_with_impatient_callers_is_that_of_theory(rate: float) -> None:
    """Work that cannot be stopped goes on when its caller has left."""
    expected = impatient(rate, 1 / S, K, D)
    asked = Scenario(Poisson(rate), Exponential(S), LEAVES, duration=60, margin=5)
    found = [simulate(asked, slots=K, stop="abandon", seed=seed).goodput for seed in range(8)]
    assert abs(mean(found) - expected) < 4 * stdev(found) / math.sqrt(8)
    assert mean(found) == pytest.approx(expected, rel=0.1)


def test_littles_law_with_the_mean_figures_of_a_report() -> None:
    """Exact but for those who wait at the very edges; tests of the machine show it exactly."""
    asked = Scenario(Poisson(3), Exponential(1), PATIENT, duration=3000, margin=100)
    report = simulate(asked, slots=K)
    rate = report.attempts / report.duration
    assert report.mean_queue == pytest.approx(rate * report.mean_wait, rel=0.01)


def overloaded(limits: Any, service: Service, load: float, **server: Any) -> Report:
    clients, noisy = server.pop("clients", LEAVES), isinstance(service, Lognormal | Stuck)
    duration = 160 if noisy else 40
    asked = Scenario(Poisson(load * K / S), service, clients, duration=duration, margin=5)
    return simulate(asked, limits, slots=K, **{"stop": "abandon", **server})


def test_a_queue_limit_equal_to_the_budget_serves_everybody_too_late() -> None:
    """Constant work at twice the capacity: whoever starts has just no time left."""
    report = overloaded(GatewayTimeout(D, reserve=0), Constant(S), 2)
    assert report.efficiency < 0.03
    assert report.wasted > 0.97
    assert report.utilisation > 0.99
    assert report.told_p50 == pytest.approx(D)


@pytest.mark.parametrize(
    ("service", "load"),
    [
        (Constant(S), 1.1),
        (Constant(S), 5),
        (Exponential(S), 1.1),
        (Exponential(S), 5),
        (Lognormal(S, 2.9), 2),
    ],
)
def test_half_the_budget_in_reserve_repairs_it(service: Service, load: float) -> None:
    """The study says 91 to 100 %."""
    report = overloaded(GatewayTimeout(D, reserve=D / 2), service, load)
    assert report.efficiency > 0.91
    assert report.told_p50 == pytest.approx(D / 2)


@pytest.mark.parametrize("stop", ["cancel", "abandon", Kill(recovery=1.0)])
def test_what_the_core_learns_it_learns_here_as_well(stop: Any) -> None:
    """It is told of ends, stops and recoveries as it would be by workers."""
    report = overloaded(GatewayTimeout(D, reserve="auto"), Exponential(S), 2, stop=stop)
    assert report.efficiency > 0.91
    assert (report.told_p50 or D) < D


def test_lifo_needs_no_reserve_in_deep_overload() -> None:
    assert (
        overloaded(GatewayTimeout(D, reserve=0), Exponential(S), 5, discipline=LIFO).efficiency
        > 0.97
    )


MIXED = tuple(
    Client(f"{budget:g} s", budget, at_deadline="tells") for budget in (D * 0.3, D, 3 * D)
)


def test_earliest_deadline_first_collapses_where_budgets_differ() -> None:
    """It picks those who have the least time left: the domino effect."""
    report = overloaded(
        GatewayTimeout(9, reserve=0),
        Constant(S),
        2,
        clients=MIXED,
        discipline=EarliestDeadlineFirst,
    )
    assert report.efficiency < 0.02


def test_a_reserve_makes_it_latest_start_first_which_is_fair_to_all() -> None:
    """A job's rank is when it expires in the queue: with a reserve, its latest sensible start."""
    report = overloaded(
        GatewayTimeout(9, reserve=0.12), Constant(S), 2, clients=MIXED, discipline=EarliestDeadlineFirst
    )  # fmt: skip
    assert report.efficiency > 0.97
    shares = [figures.success for figures in report.clients.values()]
    assert max(shares) - min(shares) < 0.05


def test_kills_at_the_deadline_without_a_reserve_melt_down_below_saturation() -> None:
    """Each kill takes the worker away for a second, which makes the next ones late as well."""
    stop = Kill(recovery=1.0)
    bare = overloaded(GatewayTimeout(D, reserve=0), Exponential(S), 0.95, stop=stop)
    kept = overloaded(GatewayTimeout(D, reserve=D / 2), Exponential(S), 0.95, stop=stop)
    assert bare.efficiency < 0.2
    assert kept.efficiency > 0.9
    assert bare.recovering > 0.5


def test_stuck_work_needs_a_limit_on_the_execution() -> None:
    work = Stuck(Lognormal(S, 0.3), 0.02, 100)
    free = overloaded(GatewayTimeout(D, reserve=D / 2), work, 2)
    killed = overloaded(
        GatewayTimeout(D, reserve=D / 2) | ExecutionTimeout(3 * S), work, 2, stop=Kill(1.0)
    )
    assert killed.goodput > 1.8 * free.goodput
    assert killed.efficiency > 0.93


def test_retries_keep_an_overload_alive_that_has_long_passed() -> None:
    """A spike of ten seconds; a reserve lets the server come back, a limit equal to the budget does not."""
    clients = Client(budget=D, retry=Retry(attempts=4, backoff=0.1))
    rate = 0.8 * K / S
    spike = Bursts(((0, rate), (10, 5 * K / S), (20, rate)))
    asked = Scenario(spike, Exponential(S), clients, duration=60)
    bare = simulate(asked, GatewayTimeout(D, reserve=0), slots=K, stop="abandon")
    kept = simulate(asked, GatewayTimeout(D, reserve=D / 2), slots=K, stop="abandon")
    assert success(bare, 40, 60) < 0.5
    assert success(kept, 30, 60) > 0.99


def success(report: Report, since: float, until: float) -> float:
    """Return the share answered in time of those who arrived in a part of the run."""
    step = report.duration / len(report.timeline)
    part = report.timeline[int(since / step) : int(until / step)]
    return sum(answered for _, answered in part) / sum(came for came, _ in part)
