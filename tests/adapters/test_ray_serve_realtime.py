"""Guards and budgets in a real Ray Serve, on a real Ray, by handles and through its HTTP proxy."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.ray_serve_driver import Ask, driver
from timeouts import (
    ExecutionTimeout,
    ExecutionTimeoutError,
    GatewayTimeoutError,
    IdleTimeoutError,
    QueueFull,
    QueueTimeout,
    QueueTimeoutError,
)

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.timeout(
        180
    ),  # the first test waits for Ray to start, and any may meet a busy machine
    pytest.mark.skipif(sys.version_info >= (3, 14), reason="Ray has no wheels for Python 3.14"),
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

HANG = 600.0
LATE = 30.0  # seconds: far from both the limits and HANG


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    """One Ray and one Serve for all tests, in another process."""
    with driver() as asking:
        yield asking


def test_a_function_is_a_deployment(ask: Ask, tmp_path: Path) -> None:
    """Its hung worker is killed, its caller told on time, and the next one served by another."""
    witness = tmp_path / "pid"
    first = ask("call", "function", "", 0.0).value
    hung = ask("call", "function", "", HANG, str(witness))
    assert type(hung.error) is ExecutionTimeoutError
    assert hung.as_itself
    assert 1 <= hung.took < LATE
    assert int(witness.read_text()) == first
    assert ask("gone", first)
    assert ask("call", "function", "", 0.0).value != first


def test_an_error_keeps_its_fields(ask: Ask) -> None:
    """Through one deployment, and through two."""
    for deployment, method in [("function", ""), ("front", "through")]:
        error = ask("call", deployment, method, HANG).error
        assert (error.policy, error.limit, error.started) == (ExecutionTimeout(1), 1, True)
        assert error.elapsed >= 1
        assert str(error).endswith("ExecutionTimeout allows 1 s")


def test_an_error_that_is_not_ours_is_left_alone(ask: Ask) -> None:
    """Also with a budget."""
    failed = ask("call_within", 30.0, "model", "fails")
    assert failed.as_itself
    assert repr(failed.error) == "LookupError('no such label')"


@pytest.mark.parametrize("method", ["thread", "task"])
def test_methods_have_limits(ask: Ask, method: str) -> None:
    """On threads and as tasks, without anything of ours but the guard."""
    assert ask("call", "model", method, 0.0).value == 0
    late = ask("call", "model", method, 5.0)
    assert (late.error.policy, late.as_itself) == (ExecutionTimeout(0.5), True)


def test_the_wait_has_a_limit_of_its_own(ask: Ask, tmp_path: Path) -> None:
    """Told while the slot is still taken; Ray's cancel then stops the `def` that took it."""
    crowd = ask("crowd", str(tmp_path / "pid"))
    waited, full = sorted(crowd.turned_away, key=lambda came: -came.took)
    assert type(waited.error) is QueueTimeoutError
    assert (waited.error.policy, waited.error.work) == (QueueTimeout(1), "never started")
    assert 1 <= waited.took < LATE
    assert type(full.error) is QueueFull
    assert full.error.retry_after is None or full.error.retry_after > 0
    assert crowd.still_running
    assert crowd.afterwards.error is None


def test_streams(ask: Ask) -> None:
    """Items come as they are, and a pause that is too long ends them."""
    items, end = ask("stream", "items", 3, 0.0)
    assert (items, end.error) == ([0, 1, 2], None)
    items, end = ask("stream", "items", 3, 5.0)
    assert items == [0, 1, 2]
    assert type(end.error) is IdleTimeoutError


def test_a_stream_has_a_budget(ask: Ask) -> None:
    """For all of it."""
    items, end = ask("stream_within", 30.0, "aitems", 3, 0.0)
    assert (items, end.error) == ([0, 1, 2], None)
    items, end = ask("stream_within", 2.0, "aitems", 3, HANG)
    assert items == [0, 1, 2]
    assert type(end.error) is GatewayTimeoutError
    assert end.took < LATE


def test_a_budget_travels_and_shrinks(ask: Ask) -> None:
    """Driver → Front → Model."""
    here, there = ask("call_within", 20.0, "front", "lefts").value
    assert 0 < there < here < 20


@pytest.mark.parametrize("how", ["call_within", "acall_within"])
def test_a_budget_ends_the_work_wherever_it_is(ask: Ask, tmp_path: Path, how: str) -> None:
    """Driver → Front → a worker process of Model."""
    witness = tmp_path / "pid"
    late = ask(how, 2.0, "front", "hang", str(witness))
    assert type(late.error) is GatewayTimeoutError
    assert late.error.limit == pytest.approx(2, abs=0.1)
    assert 1.9 <= late.took < LATE
    assert ask("gone", int(witness.read_text()))


def test_a_caller_is_told_whatever_the_replica_does(ask: Ask) -> None:
    """A plain `def` runs on in its replica; the error says so."""
    late = ask("call_without_carrying", 0.5, "model", "plain", 5.0)
    assert type(late.error) is GatewayTimeoutError
    assert (late.error.started, late.error.work) == (True, "still running")
    assert 0.5 <= late.took < 5


def test_errors_over_http_are_problem_documents(ask: Ask, tmp_path: Path) -> None:
    """From `endpoint`, here and from the deployment behind; budgets come in the headers opted in."""
    witness = str(tmp_path / "pid")
    assert ask("post", "/front", {"sleep": 0.0})[0] == 200
    assert ask("post", "/front", {"remote": 0.0})[0] == 200
    for body in ({"sleep": HANG, "witness": witness}, {"remote": HANG}):
        status, headers, problem = ask("post", "/front", body, {"grpc-timeout": "1S"})
        assert (status, headers["content-type"]) == (504, "application/problem+json")
        assert (problem["error"], problem["started"]) == ("gateway_timeout", True)
    assert ask("gone", int(Path(witness).read_text()))
    status, _, problem = ask("post", "/front", {"sleep": 0.0}, {"grpc-timeout": "soon"})
    assert (status, problem["status"]) == (400, 400)


def test_a_client_that_leaves_takes_its_job_along(ask: Ask, tmp_path: Path) -> None:
    """Ray cancels the request, and so the worker is stopped."""
    assert ask("disconnect", str(tmp_path / "pid"))


def test_the_middleware_in_an_ingress(ask: Ask) -> None:
    """FastAPI in a replica."""
    assert ask("get", "/api/sleep/0")[0] == 200
    (early, _, waited), (late, _, ran) = ask("get_two", "/api/sleep/60")
    assert (early, waited["error"], waited["started"]) == (503, "queue_timeout", False)
    assert (late, ran["error"]) == (504, "execution_timeout")


def test_guards_of_a_script(ask: Ask) -> None:
    """They travel by value, with the limits, and so does what their worker processes need."""
    assert ask("run_script") == {
        "scaled": 0,
        "error": 1,
        "afterwards": 1.5,
        "shifted": 11,
    }


def test_workers_end_with_their_replica(ask: Ask) -> None:
    """Killed or deleted. (Last: nothing is left of the application.)"""
    assert ask("kill_replica")
    assert ask("delete_application")
