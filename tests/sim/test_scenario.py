"""What is asked of a server: drawn, or recorded."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from statistics import correlation
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeouts.sim import (
    Arrivals,
    Bursts,
    Client,
    Constant,
    Exponential,
    Lognormal,
    Poisson,
    Recorded,
    Regular,
    Request,
    Retry,
    Scenario,
    Service,
    Stuck,
    Trace,
)
from timeouts.sim.chance import normal, stream
from timeouts.sim.scenario import factor_at, mean_pace

SERVICES: list[Service] = [
    Constant(0.3),
    Exponential(0.3),
    Lognormal(0.3, 0.5),
    Lognormal(0.3, 2.9),
    Stuck(Exponential(0.3), 0.2, 10),
    Stuck(Lognormal(0.3, 0.3), 0.1),
    Recorded((0.1, 0.2, 0.2, 3, math.inf)),
]
MANY = 20_000
seeds = st.integers(0, 2**64)


# ── service times ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("service", SERVICES, ids=repr)
def test_what_is_drawn_is_what_is_described(service: Service) -> None:
    random = stream(5, "test")
    drawn = [service.draw(random) for _ in range(MANY)]
    for age in (0.05, 0.2, 0.5, 2.0):
        within = sum(one <= age for one in drawn) / MANY
        spent = sum(min(one, age) for one in drawn) / MANY
        assert within == pytest.approx(service.within(age), abs=0.015)
        assert spent == pytest.approx(service.spent(age), rel=0.03)


@given(st.sampled_from(SERVICES), st.floats(0, 100), st.floats(0, 100))
def test_more_time_ends_more_works_and_costs_more(service: Service, one: float, two: float) -> None:
    less, more = sorted((one, two))
    assert 0 <= service.within(less) <= service.within(more) <= 1
    assert 0 <= service.spent(less) <= service.spent(more) * (1 + 1e-12)
    assert service.spent(less) <= less * (1 + 1e-12)


@pytest.mark.parametrize("service", SERVICES, ids=repr)
def test_work_that_hangs_for_ever_never_ends(service: Service) -> None:
    hangs = service.within(math.inf) < 1
    assert hangs == (service.spent(math.inf) == math.inf)
    assert service.healthy < math.inf


def test_the_healthy_mean_leaves_out_what_is_stuck() -> None:
    assert Stuck(Exponential(0.1), 0.5, 100).healthy == 0.1
    assert Recorded((1, 3, math.inf)).healthy == 2
    assert Recorded((math.inf,)).healthy == math.inf


def test_random_numbers_are_the_same_on_every_python() -> None:
    """`random()` is, and so is what is made of it."""
    random = stream(0, "service")
    assert [round(random.random(), 6) for _ in range(3)] == [0.205296, 0.093854, 0.766607]
    random = stream(0, "service")
    assert [round(normal(random), 6) for _ in range(2)] == [0.563421, 1.527833]


# ── arrivals ─────────────────────────────────────────────────────────────────────────────────────

ARRIVALS: list[tuple[Arrivals, float]] = [
    (Poisson(8), 8),
    (Regular(8), 8),
    (Bursts(((0, 4), (10, 12)), period=20), 8),
    (Bursts(((0, 0), (5, 16)), period=10), 8),
    (Bursts(((0, 16), (0.1, 0)), period=0.2), 8),
]


@pytest.mark.parametrize(("arrivals", "rate"), ARRIVALS, ids=repr)
def test_arrivals_come_in_order_at_their_rate(arrivals: Arrivals, rate: float) -> None:
    instants = arrivals.instants(stream(3, "test"))
    taken = list(itertools.takewhile(lambda now: now < 1000, instants))
    assert taken == sorted(taken)
    assert taken[0] >= 0
    assert len(taken) == pytest.approx(1000 * rate, rel=0.03)


def test_a_burst_changes_the_rate_when_it_should() -> None:
    spike = Bursts(((0, 5), (100, 50), (200, 0)))
    instants = list(spike.instants(stream(3, "test")))
    assert max(instants) < 200
    assert sum(now < 100 for now in instants) == pytest.approx(500, rel=0.15)
    assert sum(now >= 100 for now in instants) == pytest.approx(5000, rel=0.05)


def test_regular_arrivals_do_not_drift() -> None:
    instants = itertools.islice(Regular(10).instants(stream(0, "test")), 1001)
    assert list(instants)[-1] == 100.0


# ── scenarios ────────────────────────────────────────────────────────────────────────────────────


@given(seeds)
def test_the_same_seed_gives_the_same_requests(seed: int) -> None:
    clients = (Client("a", 1), Client("b", 2, share=3))
    asked = Scenario(Poisson(10), Lognormal(0.1, 1), clients, duration=5)
    assert list(asked.requests(seed)) == list(asked.requests(seed))


def test_another_service_time_shifts_no_arrival() -> None:
    """Policies, loads and services are compared under the same chance."""
    one = Scenario(Poisson(10), Exponential(0.1), duration=20)
    other = Scenario(Poisson(10), Lognormal(5, 2), duration=20)
    assert [r.arrived for r in one.requests(1)] == [r.arrived for r in other.requests(1)]


def test_arrivals_and_works_have_nothing_to_do_with_one_another() -> None:
    requests = list(Scenario(Poisson(1), Exponential(1), duration=2000).requests(0))
    gaps = [two.arrived - one.arrived for one, two in itertools.pairwise(requests)]
    assert abs(correlation(gaps, [request.work for request in requests[1:]])) < 0.1
    assert abs(correlation(gaps, [request.work for request in requests[:-1]])) < 0.1


def test_clients_come_by_their_shares() -> None:
    clients = (Client("a"), Client("b", share=3))
    asked = Scenario(Poisson(100), Constant(1), clients, duration=100)
    kinds = [request.client.name for request in asked.requests(0)]
    assert kinds.count("b") / len(kinds) == pytest.approx(0.75, abs=0.02)


def test_a_slowdown_is_looked_up_by_instant() -> None:
    slowdown = ((10, 30), (20, 1), (30, 0.5))
    assert [factor_at(slowdown, now) for now in (0, 10, 19, 20, 30, 99)] == [1, 30, 30, 1, 0.5, 0.5]
    assert mean_pace(slowdown, 40) == pytest.approx((10 + 10 / 30 + 10 + 20) / 40)
    assert mean_pace((), 40) == mean_pace(((50, 9),), 40) == 1


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Poisson(0), "rate must be more than 0; got 0"),
        (lambda: Poisson("2"), "rate must be a number; got '2'"),  # type: ignore[arg-type]
        (lambda: Regular(math.inf), "rate must be more than 0; got inf"),
        (lambda: Bursts(()), r"steps must begin at 0 and go on in order; got \(\)"),
        (lambda: Bursts(((1, 5),)), "steps must begin at 0"),
        (lambda: Bursts(((0, 5), (0, 6))), "go on in order"),
        (lambda: Bursts(((0, -5),)), "rate of a step must be 0 or more; got -5"),
        (lambda: Bursts(((0, 0),)), "one of the rates must be more than 0"),
        (lambda: Bursts(((0, 5), (7, 0)), period=7), "period must be longer than .* 7; got 7"),
        (lambda: Constant(math.nan), "seconds must be .*; got nan"),
        (lambda: Exponential(-1), "mean must be more than 0; got -1"),
        (lambda: Lognormal(1, 0), "cv must be more than 0; got 0"),
        (lambda: Stuck(Constant(1), 2), "share must be greater than 0 and at most 1; got 2"),
        (lambda: Stuck(Constant(1), 0.1, 1), "factor must be greater than 1; got 1"),
        (lambda: Recorded(()), "seconds must hold at least one"),
        (lambda: Recorded((-1,)), "a recorded time must be 0 or more; got -1"),
        (lambda: Client(budget=0), "budget must be greater than 0; got 0"),
        (lambda: Client(share=0), "share must be more than 0; got 0"),
        (lambda: Client(at_deadline="sulks"), "leaves, tells, stays; got 'sulks'"),  # type: ignore[arg-type]
        (lambda: Client(priority="high"), "priority must be a number; got 'high'"),  # type: ignore[arg-type]
        (lambda: Retry(attempts=0), "attempts must be at least 1; got 0"),
        (lambda: Retry(jitter=2), "jitter must be at most 1; got 2"),
        (lambda: Client(retry=3), r"retry must be such as Retry\(attempts=3\); got 3"),  # type: ignore[arg-type]
        (lambda: Scenario(80, Constant(1)), r"arrivals must be .* Poisson\(80\); got 80"),  # type: ignore[arg-type]
        (lambda: Scenario(Poisson, Constant(1)), "arrivals must be .* got <class .*Poisson"),  # type: ignore[arg-type]
        (lambda: Scenario(Poisson(1), 0.1), r"service must be .* Exponential\(0.1\); got 0.1"),  # type: ignore[arg-type]
        (lambda: Scenario(Poisson(1), Constant), "service must be .* got <class .*Constant"),  # type: ignore[arg-type]
        (lambda: Scenario(Poisson(1), Constant(1), "me"), "clients must be a Client.* got 'me'"),  # type: ignore[arg-type]
        (lambda: Scenario(Poisson(1), Constant(1), Client), "clients must be a .* got <class"),  # type: ignore[arg-type]
        (lambda: Stuck(0.1, 0.5), "base must be .* got 0.1"),  # type: ignore[arg-type]
        (lambda: Scenario(Poisson(1), Constant(1), ()), r"clients must be one or more.*got \(\)"),
        (lambda: Scenario(Poisson(1), Constant(1), [Client(), Client()]), "a name of its own"),
        (lambda: Scenario(Poisson(1), Constant(1), duration=0), "duration must be more than 0"),
        (lambda: Scenario(Poisson(1), Constant(1), margin=300), "less than half .*; got 300"),
        (lambda: Scenario(Poisson(1), Constant(1), slowdown=((5, 2), (4, 1))), "in order of time"),
        (lambda: Scenario(Poisson(1), Constant(1), slowdown=((5, 0),)), "factor of slowdown"),
    ],
)
def test_nonsense_is_refused_by_name_and_value(make: Any, words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        make()


# ── traces ───────────────────────────────────────────────────────────────────────────────────────


def written(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "trace.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_trace_is_read(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        '{"arrival": 12.0, "service": 0.5}',
        "",
        '{"arrival": 11.0, "service": null, "budget": 2, "priority": 3, "key": "batch"}',
        '{"arrival": 15, "service": 0, "key": null}',
    )
    usual = Client("all", 9, "tells")
    batch = Client("batch", 2, "tells", priority=3)
    trace = Trace.read(path, usual)
    assert list(trace.requests(0)) == [
        Request(0, math.inf, batch),
        Request(1, 0.5, usual),
        Request(4, 0, usual),
    ]
    assert trace.duration == 6
    assert trace.service.seconds == (0, 0.5, math.inf)


def test_callers_who_are_alike_are_one_kind(tmp_path: Path) -> None:
    trace = Trace.read(written(tmp_path, *(f'{{"arrival": {n}, "service": 1}}' for n in range(5))))
    assert len({id(request.client) for request in trace.recorded}) == 1


def test_a_trace_is_replayed_at_another_load() -> None:
    trace = Trace.of(Request(now, 2, Client()) for now in (3, 5, 6, 7))
    assert trace.load(slots=1) == pytest.approx(4 * 2 / (4 * 4 / 3))
    faster = trace.at_load(3, slots=1)
    assert faster.load(1) == pytest.approx(3)
    assert [r.work for r in faster.recorded] == [2] * 4
    assert faster.recorded[1].arrived / faster.recorded[3].arrived == pytest.approx(2 / 4)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"arrival": 1}', "line 2: service is missing"),
        ('{"service": 1}', "line 2: arrival is missing"),
        ('{"arrival": 1, "service": -1}', "line 2: service must be 0 or more; got -1"),
        ('{"arrival": "noon", "service": 1}', "line 2: arrival must be a number; got 'noon'"),
        ('{"arrival": Infinity, "service": 1}', "line 2: arrival must be"),
        ('{"arrival": 1, "service": 1, "budget": 0}', "line 2: budget must be .* got 0"),
        ('{"arrival": 1, "service": 1, "key": ["a"]}', r"line 2: key must be a name; got \['a'\]"),
        ('{"arrival": 1, "service": 1, "budget": {}}', "line 2: budget must be a number; got {}$"),
        ('{"arrival": 1, "service": 1, "bugdet": 1}', "line 2: 'bugdet' means nothing; known are"),
        ("[1, 2]", r"line 2: an object with arrival.*; got \[1, 2\]"),
        ("{", "line 2: "),
    ],
)
def test_a_bad_line_is_named(line: str, words: str, tmp_path: Path) -> None:
    path = written(tmp_path, '{"arrival": 0, "service": 1}', line)
    with pytest.raises(ValueError, match=words) as wrong:
        Trace.read(path)
    assert str(wrong.value).startswith(str(path))


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl.gz"
    path.write_bytes(b"\x1f\x8b\x08\x00")
    with pytest.raises(ValueError, match=r"gz is no text: a trace has a JSON object a line"):
        Trace.read(path)


@pytest.mark.parametrize("instants", [(), (1,), (1, 1)])
def test_a_trace_without_a_rate_is_refused(instants: tuple[float, ...], tmp_path: Path) -> None:
    lines = [json.dumps({"arrival": now, "service": 1}) for now in instants]
    with pytest.raises(ValueError, match="at least two requests, at different instants"):
        Trace.read(written(tmp_path, *lines))
