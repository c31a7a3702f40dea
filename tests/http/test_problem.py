"""Errors as HTTP answers: documents that any JSON reader takes, and nothing of the inside in them."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import timeouts
from timeouts import (
    STATUSES,
    ExecutionTimeout,
    GatewayTimeout,
    PayloadError,
    PolicyFailed,
    QueueFull,
    QueueTimeoutError,
    ServerClosed,
    ShuttingDown,
    StartupFailed,
    StartupTimeoutError,
    Status,
    TimeoutsError,
)
from timeouts.http.problem import answer, details, phrase, plain_problem, problem, retry_after

ERRORS = [
    value
    for value in vars(timeouts).values()
    if isinstance(value, type) and issubclass(value, TimeoutsError)
]
NUMBERS = st.floats(allow_nan=True, allow_infinity=True)


@st.composite
def errors(draw: st.DrawFn) -> TimeoutsError:
    """Draw any error of ours, with any numbers in it."""
    error: TimeoutsError = draw(st.sampled_from(ERRORS))(
        draw(st.none() | st.text()),
        policy=draw(st.sampled_from([None, GatewayTimeout(3), ExecutionTimeout(None)])),
        limit=draw(st.none() | NUMBERS),
        elapsed=draw(NUMBERS),
        started=draw(st.booleans()),
        work=draw(st.sampled_from(["never started", "still running", "stopped", "killed"])),
    )
    if hasattr(error, "retry_after"):
        error.retry_after = draw(st.none() | NUMBERS)
    return error


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


@given(errors())
def test_any_error_is_an_answer(error: TimeoutsError) -> None:
    """Strict JSON with all the fields; headers without line breaks; a length that is right."""
    told = problem(error)
    document = json.loads(told.body, parse_constant=refuse)
    assert document["status"] == told.status == STATUSES.of(error).http
    assert document["error"] == error.name
    assert document["type"] == f"urn:timeouts:{error.name}"
    assert (document["started"], document["work"]) == (error.started, error.work)
    assert {"title", "detail", "policy", "limit", "elapsed"} <= document.keys()
    headers = dict(told.headers)
    assert headers["Content-Type"] == "application/problem+json"
    assert headers["Content-Length"] == str(len(told.body))
    assert all(value.isascii() and value.isprintable() for value in headers.values())


@given(errors())
def test_retry_after_is_a_whole_number_of_at_least_one(error: TimeoutsError) -> None:
    headers = dict(problem(error).headers)
    estimate = getattr(error, "retry_after", None)
    if estimate is None or not math.isfinite(estimate):
        assert "Retry-After" not in headers
    else:
        assert headers["Retry-After"].isdigit()
        assert int(headers["Retry-After"]) >= max(1, estimate)


@pytest.mark.parametrize(
    ("estimate", "told"), [(0.0, "1"), (-3.0, "1"), (0.2, "1"), (1.0, "1"), (1.001, "2")]
)
def test_retry_after_is_rounded_up(estimate: float, told: str) -> None:
    error = QueueFull()
    error.retry_after = estimate
    assert retry_after(error) == [("Retry-After", told)]


@pytest.mark.parametrize("kind", [PayloadError, PolicyFailed, StartupFailed, StartupTimeoutError])
def test_what_is_inside_stays_there(kind: type[TimeoutsError]) -> None:
    """Their messages hold tracebacks, paths and values: the class says enough."""
    error = kind('Traceback (most recent call last):\n  File "/srv/model.py", line 1')
    error.__cause__ = ValueError("/srv/secret")
    told = problem(error).body.decode()
    assert "Traceback" not in told
    assert "/srv" not in told
    detail = details(error)["detail"]
    assert detail
    assert "traceback" not in detail
    assert not detail.endswith(".")


def test_a_cause_of_any_error_stays_inside() -> None:
    error = QueueTimeoutError("waited 5 s")
    error.__cause__ = ValueError("secret")
    assert b"secret" not in problem(error).body


def test_the_document_of_a_policy_s_error() -> None:
    error = QueueTimeoutError(policy=timeouts.QueueTimeout(5), limit=5.0, elapsed=5.2)
    assert details(error) == {
        "type": "urn:timeouts:queue_timeout",
        "title": "Queue timeout",
        "status": 503,
        "detail": "waited 5.2 s in the queue; QueueTimeout allows 5 s",
        "error": "queue_timeout",
        "policy": "QueueTimeout(5)",
        "limit": 5.0,
        "elapsed": 5.2,
        "started": False,
        "work": "never started",
    }


def test_the_table_of_codes_counts() -> None:
    table = STATUSES.override({QueueTimeoutError: Status(504, "DEADLINE_EXCEEDED")})
    told = problem(QueueTimeoutError("late"), table)
    assert told.status == json.loads(told.body)["status"] == 504


@pytest.mark.parametrize("kind", [ServerClosed, ShuttingDown])
def test_a_server_that_goes_invites_back(kind: Any) -> None:
    error = kind("the server was closed")
    error.retry_after = 2.34567
    assert details(error)["retry_after"] == 2.346
    assert dict(problem(error).headers)["Retry-After"] == "3"


def test_a_plain_problem_has_the_phrase_of_its_code() -> None:
    told = plain_problem(413, "too large", limit=3)
    assert json.loads(told.body) == {
        "type": "about:blank",
        "title": phrase(413),
        "status": 413,
        "detail": "too large",
        "limit": 3,
    }
    assert (phrase(404), phrase(499), phrase(599)) == (
        "Not Found",
        "Client Closed Request",
        "Unknown",
    )


def test_answers_share_no_headers() -> None:
    answer(400, {}).headers.append(("X", "y"))
    assert len(answer(400, {}).headers) == 2
