"""Budgets that go out: what is left less the margin, rounded down, and no call with nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from queue import Queue
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeouts import (
    STATUSES,
    ExecutionTimeout,
    ExecutionTimeoutError,
    GatewayTimeout,
    GatewayTimeoutError,
    Server,
)
from timeouts.adapters.headers import Budgets, outgoing_headers
from timeouts.adapters.notations import NOTATIONS
from timeouts.testing import ManualClock

GRPC, SECONDS, ENVOY = NOTATIONS


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Serves `outgoing_headers` itself, while time stands still."""
    with Server(outgoing_headers, GatewayTimeout(3600), clock=ManualClock()) as served:
        yield served


@given(st.floats(0.001, 4000), st.floats(0, 10), st.sets(st.sampled_from(list(NOTATIONS))))
def test_the_next_service_is_never_granted_more(
    server: Server, budget: float, margin: float, names: set[str]
) -> None:
    """Not than is left, nor than is left less the margin; and never a zero."""
    left = min(budget, 3600)
    try:
        headers = server.call(*names, margin=margin, budget=budget)
    except GatewayTimeoutError:
        assert left - margin < 0.0010001
    else:
        assert set(headers) == (names or {SECONDS})
        granted = Budgets(*NOTATIONS).read(headers.get)
        assert granted is not None
        assert 0 < granted <= left - margin + 1e-9


def test_the_default_is_seconds_with_a_margin_of_5_ms(server: Server) -> None:
    assert server.call(budget=2.5) == {"x-request-timeout-seconds": "2.495000"}


def test_all_notations_say_the_same(server: Server) -> None:
    assert server.call(GRPC.upper(), ENVOY, SECONDS, margin="500ms", budget=1.0) == {
        "grpc-timeout": "500000u",
        "x-request-timeout-seconds": "0.500000",
        "x-envoy-expected-rq-timeout-ms": "500",
    }


def test_outside_a_handler_there_is_nothing_to_tell() -> None:
    assert outgoing_headers() == {}


def test_without_a_limit_there_is_nothing_to_tell() -> None:
    with Server(outgoing_headers) as server:
        assert server.call() == {}


def test_a_limit_beyond_all_notations_is_cut() -> None:
    with Server(outgoing_headers, GatewayTimeout(1e300), clock=ManualClock()) as server:
        assert server.call(GRPC, SECONDS) == {
            "grpc-timeout": "99999999S",
            "x-request-timeout-seconds": "99999999.000000",
        }


@pytest.mark.parametrize(("budget", "says"), [(0.25, "0.25"), (0.5, "0.5"), (0.5005, "0.5")])
def test_with_no_more_than_the_margin_left_there_is_no_call(
    server: Server, budget: float, says: str
) -> None:
    """The margin itself is a tie, settled for not calling; so is what would be written as zero."""
    with pytest.raises(GatewayTimeoutError) as caught:
        server.call(margin=0.5, budget=budget)
    error = caught.value
    assert str(error) == (
        f"has {says} s left; an outgoing call needs 0.001 s beyond its margin of 0.5 s"
    )
    assert (error.started, error.work, error.elapsed) == (True, "stopped", 0.0)
    assert STATUSES.of(error) == (504, "DEADLINE_EXCEEDED")


def test_the_error_tells_how_long_the_job_has_taken() -> None:
    clock = ManualClock()

    def handler() -> None:
        clock.advance(3)
        outgoing_headers(margin=2)

    clock.advance(7)
    with Server(handler, GatewayTimeout(4), clock=clock) as server:
        error = server.submit().exception(10)
    assert isinstance(error, GatewayTimeoutError)
    assert str(error).startswith("has 1 s left; ")
    assert error.elapsed == 3


def test_past_the_deadline_the_error_is_the_jobs_own() -> None:
    """`checkpoint` raises what the caller was told: whose limit it was."""
    clock, raised = ManualClock(), Queue[Exception]()

    def handler() -> None:
        clock.advance(3)
        try:
            outgoing_headers()
        except Exception as error:
            raised.put(error)
            raise

    with Server(handler, ExecutionTimeout(2), clock=clock) as server:
        assert isinstance(server.submit().exception(10), ExecutionTimeoutError)
        assert isinstance(raised.get(timeout=10), ExecutionTimeoutError)


@pytest.mark.parametrize(
    ("margin", "kind"),
    [
        (-1, ValueError),
        (math.nan, ValueError),
        (math.inf, ValueError),
        (None, ValueError),
        (True, TypeError),
    ],
)
def test_a_margin_is_a_finite_duration(margin: Any, kind: type[Exception]) -> None:
    """Refused even where no limit applies, and so in the first test that somebody writes."""
    with pytest.raises(kind, match="margin"):
        outgoing_headers(margin=margin)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must be one of grpc-timeout, .* got 'x-timeout'"):
        outgoing_headers("x-timeout")
