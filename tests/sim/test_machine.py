"""The loop: nothing is decided in it, and nothing is lost."""

from __future__ import annotations

import warnings
from collections import Counter
from math import inf, isclose
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sim.house import run
from tests.sim.naive import Rules, serve
from timeouts import (
    FIFO,
    LIFO,
    EarliestDeadlineFirst,
    ExecutionTimeout,
    GatewayTimeout,
    Priority,
    QueueTimeout,
    Stack,
    UselessPolicyWarning,
)
from timeouts.sim import Client, Kill, Request, Retry
from timeouts.testing import stacks

CLIENT = Client()


@st.composite
def asked(draw: st.DrawFn) -> list[tuple[float, float]]:
    """Arrivals in order and works, in whole seconds: ties are common and exact."""
    gaps = draw(st.lists(st.integers(0, 3), min_size=1, max_size=25))
    works = draw(st.lists(st.sampled_from([0, 1, 2, 3, 5, 8, inf]), min_size=25, max_size=25))
    return [(float(sum(gaps[: at + 1])), float(works[at])) for at in range(len(gaps))]


limit = st.sampled_from([1, 2, 3, 4, 6, 9, inf])
rules = st.builds(
    Rules,
    slots=st.integers(1, 3),
    capacity=st.sampled_from([0, 1, 2, inf]),
    gateway=limit,
    queue=limit,
    execution=limit,
    budget=limit,
    stop=st.sampled_from(["cancel", "abandon", "kill"]),
    recovery=st.integers(0, 4),
).flatmap(
    lambda made: st.integers(0, int(min(made.gateway, 4)) - 1).map(
        lambda reserve: made._replace(reserve=reserve)
    )
)


def stack_of(rule: Rules) -> Stack:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UselessPolicyWarning)
        return (
            GatewayTimeout(rule.gateway, rule.reserve)
            | QueueTimeout(rule.queue)
            | ExecutionTimeout(rule.execution)
        )


def stop_of(rule: Rules) -> Any:
    return Kill(rule.recovery) if rule.stop == "kill" else rule.stop


@given(asked(), rules)
def test_every_job_fares_as_in_a_naive_simulator(
    asked: list[tuple[float, float]], rule: Rules
) -> None:
    client = Client(budget=rule.budget)
    requests = [Request(arrived, work, client) for arrived, work in asked]
    done = run(
        requests, stack_of(rule), slots=rule.slots, capacity=rule.capacity, stop=stop_of(rule)
    )
    expected = {key: fate for key, fate in enumerate(serve(asked, rule), start=1) if fate[1] < inf}
    assert done.fates == expected


clients = st.builds(
    Client,
    name=st.sampled_from("abc"),
    budget=limit,
    at_deadline=st.sampled_from(["leaves", "tells", "stays"]),
    retry=st.builds(Retry, attempts=st.integers(1, 3), backoff=st.sampled_from([0, 1, 2])),
    priority=st.integers(0, 3),
)
stops = st.sampled_from(["cancel", "abandon", Kill(2), Kill(3, spares=1), Kill(0)])
servers = st.fixed_dictionaries(
    {
        "limits": stacks(),
        "slots": st.integers(1, 3),
        "capacity": st.sampled_from([0, 1, 3, inf]),
        "stop": stops,
        "discipline": st.sampled_from([FIFO, LIFO, Priority, EarliestDeadlineFirst]),
    }
)


@st.composite
def requests(draw: st.DrawFn) -> list[Request]:
    kinds = draw(st.lists(clients, min_size=1, max_size=3))
    return [Request(*one, draw(st.sampled_from(kinds))) for one in draw(asked())]


@given(requests(), servers)
def test_the_books_balance(requests: list[Request], server: dict[str, Any]) -> None:
    done = run(requests, **server)
    core, books = done.core, done.books
    told = Counter(name for name, _ in done.fates.values())
    assert books.outcomes == told == core.outcomes
    assert books.attempts == core.arrived == sum(told.values()) + len(books.inside)
    assert len(books.inside) == core.waiting + core.running
    assert sum(tally.offered for tally in books.tallies.values()) == len(requests)
    ends = sum(len(tally.fates) for tally in books.tallies.values())
    assert len(requests) == ends + len(books.inside)
    answered = sum(len(tally.latencies) for tally in books.tallies.values())
    assert answered <= told["completed"]
    assert sum(came for came, _ in books.windows) == len(requests)
    assert sum(answered for _, answered in books.windows) == answered


@given(requests(), servers, st.sampled_from([0, 3, 20]))
def test_littles_law(requests: list[Request], server: dict[str, Any], margin: int) -> None:
    """How many wait, integrated over time, is how long each waits, added up. The same for slots."""
    done = run(requests, duration=80, margin=margin, **server)
    begin, end = margin, 80 - margin
    waited = held = 0.0
    for key, attempt in done.attempts.items():
        told = done.fates.get(key, ("left", inf))[1]
        waited += overlap(attempt.arrived, min(attempt.started, told), begin, end)
        held += overlap(attempt.started, done.freed.get(key, inf), begin, end)
    assert isclose(done.books.queue, waited, abs_tol=1e-9)
    assert isclose(done.books.held, held, abs_tol=1e-9)
    if not margin and not done.books.inside:
        assert done.books.waited >= waited - 1e-9


def overlap(since: float, until: float, begin: float, end: float) -> float:
    return max(0.0, min(until, end) - max(since, begin))


@given(requests(), servers)
def test_work_that_never_starts_wastes_nothing(
    requests: list[Request], server: dict[str, Any]
) -> None:
    """Slots are held for those alone that have started, from then on."""
    done = run(requests, **server)
    if not any(attempt.started < inf for attempt in done.attempts.values()):
        assert done.books.held == 0
    assert 0 <= done.books.useful <= done.books.held + 1e-9
    assert done.core.slots <= server["slots"]
    assert done.core.free >= 0


@given(requests(), servers)
def test_a_caller_who_leaves_or_tells_is_told_at_his_deadline_at_the_latest(
    requests: list[Request], server: dict[str, Any]
) -> None:
    done = run(requests, **server)
    for key, attempt in done.attempts.items():
        if attempt.request.client.at_deadline != "stays" and attempt.worthless < inf:
            assert done.fates[key][1] <= attempt.worthless


@given(st.lists(st.integers(1, 5), min_size=1, max_size=20), st.integers(1, 3))
def test_without_load_nobody_waits(works: list[int], slots: int) -> None:
    """Each comes when all before are done."""
    arrivals = [float(sum(works[:at])) for at in range(len(works))]
    asked = [Request(now, work, CLIENT) for now, work in zip(arrivals, works, strict=True)]
    done = run(asked, slots=slots)
    assert done.books.waited == done.books.queue == 0
    assert all(name == "completed" for name, _ in done.fates.values())
    assert done.books.useful == done.books.held == sum(works)


def test_a_job_withdrawn_from_the_queue_wastes_nothing() -> None:
    asked = [Request(0, 10, CLIENT), Request(1, 10, Client("b", budget=3))]
    done = run(asked)
    assert done.fates == {1: ("completed", 10), 2: ("withdrawn", 4)}
    assert done.books.useful == done.books.held == 10


def test_an_answer_at_the_very_deadline_is_worth_nothing() -> None:
    """A deadline that equals now has passed, for callers as for policies."""
    done = run([Request(0, 5, Client(budget=5, at_deadline="stays"))])
    assert done.fates == {1: ("completed", 5)}
    assert done.books.useful == 0
    assert list(done.books.tallies["all"].told) == [5]


def test_who_waits_has_left_before_a_slot_becomes_free_at_that_instant() -> None:
    """Both leave at 3; the second does not start on the slot of the first."""
    done = run([Request(0, 10, Client(budget=3)), Request(0, 10, Client(budget=3))])
    assert done.fates == {1: ("withdrawn", 3), 2: ("withdrawn", 3)}
    assert done.attempts[2].started == inf


def test_what_stopping_costs() -> None:
    """The second request starts when the slot is back."""
    asked = [Request(0, 10, CLIENT), Request(0, 1, Client("b"))]
    limits = ExecutionTimeout(4)
    when = {
        stop: run(asked, limits, stop=stop).fates[2][1]
        for stop in ("cancel", "abandon", Kill(3), Kill(3, spares=1))
    }
    assert when == {"cancel": 5, "abandon": 11, Kill(3): 8, Kill(3, spares=1): 5}


def test_spares_are_worth_a_kill_each_until_they_are_replaced() -> None:
    asked = [Request(0, 10, CLIENT) for _ in range(3)]
    done = run(asked, ExecutionTimeout(1), stop=Kill(5, spares=1))
    assert [done.attempts[key].started for key in (1, 2, 3)] == [0, 1, 6]
    assert done.core.slots == 1
    assert done.books.gone == 4  # from the second kill, at 2, until the first replacement, at 6


@pytest.mark.parametrize(
    ("stop", "recovery"), [("cancel", 0), (Kill(5), 5), (Kill(5, spares=1), 5)]
)
def test_the_core_learns_what_a_stop_costs(stop: Any, recovery: float) -> None:
    done = run([Request(0, 10, CLIENT)], ExecutionTimeout(1), stop=stop)
    assert done.core.learner.recovery == recovery


def test_a_replacement_that_is_not_needed_is_the_next_spare() -> None:
    asked = [Request(now, 10, CLIENT) for now in (0, 10, 10)]
    done = run(asked, ExecutionTimeout(1), stop=Kill(5, spares=1))
    assert [done.attempts[key].started for key in (1, 2, 3)] == [0, 10, 11]
    assert done.core.slots == 1


def test_a_slowdown_counts_from_the_start_of_the_work() -> None:
    asked = [Request(now, 1, CLIENT) for now in (0, 5, 10, 20)]
    done = run(asked, slowdown=((5, 3), (11, 1)))
    assert [done.fates[key][1] for key in (1, 2, 3, 4)] == [1, 8, 13, 21]


def test_retries_come_after_their_pause_with_the_same_work() -> None:
    retry = Retry(attempts=3, backoff=2, factor=3, jitter=0)
    asked = [Request(0, 50, CLIENT), Request(0, 7, Client("b", retry=retry))]
    done = run(asked, QueueTimeout(1))
    told = [done.fates[key] for key in (2, 3, 4)]
    assert told == [("queue_timeout", 1), ("queue_timeout", 4), ("queue_timeout", 11)]
    assert [attempt.number for attempt in done.attempts.values()] == [1, 1, 2, 3]
    assert list(done.books.tallies["b"].told) == [11]


def test_the_latency_of_a_retry_counts_from_the_first_attempt() -> None:
    retry = Retry(backoff=5, jitter=0)
    asked = [Request(0, 4, CLIENT), Request(0, 1, Client("b", retry=retry))]
    done = run(asked, QueueTimeout(1))
    assert list(done.books.tallies["b"].latencies) == [7]


@pytest.mark.parametrize(("jitter", "least", "most"), [(0, 1, 1), (0.5, 0.5, 1), (1, 0, 1)])
def test_jitter_takes_a_share_off_the_pause(jitter: float, least: float, most: float) -> None:
    from timeouts.sim.chance import stream

    random = stream(1, "test")
    pauses = [Retry(backoff=1, jitter=jitter).pause(1, random) for _ in range(200)]
    assert least <= min(pauses) <= max(pauses) <= most
    assert jitter == 0 or max(pauses) - min(pauses) > 0.9 * jitter


def test_what_is_in_the_margins_counts_nowhere() -> None:
    """Neither the requests that arrive there, nor the work that is done then."""
    asked = [Request(2, 6, CLIENT), Request(10, 2, CLIENT), Request(16, 3, CLIENT)]
    books = run(asked, duration=20, margin=5).books
    assert books.outcomes == {"completed": books.attempts} == {"completed": 1}
    assert books.tallies["all"].offered == 1
    assert list(books.tallies["all"].latencies) == [2]
    assert books.held == books.useful == (8 - 5) + (12 - 10)
    assert sum(answered for _, answered in books.windows) == 3  # the timeline is of the whole run


def test_work_that_hangs_holds_its_slot_for_ever() -> None:
    asked = [Request(0, inf, CLIENT), Request(1, 1, CLIENT)]
    done = run(asked, GatewayTimeout(5), stop="abandon", duration=20)
    assert done.fates == {1: ("gateway_timeout", 5), 2: ("gateway_timeout", 6)}
    assert done.core.abandoned == 1
    assert done.books.held == 20


def test_what_waits_or_runs_for_ever_is_left() -> None:
    asked = [Request(0, inf, CLIENT), Request(1, 1, CLIENT)]
    done = run(asked, duration=20)
    assert done.fates == {}
    assert list(done.books.inside) == [1, 2]
    assert done.books.waited == done.books.queue == 19
