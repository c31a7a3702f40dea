"""The parts of the gRPC adapter that need no server: arguments, budgets, answers."""

from __future__ import annotations

import math
import pickle
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeouts import (
    STATUSES,
    ExecutionTimeout,
    ExecutionTimeoutError,
    GatewayTimeout,
    IdleTimeout,
    PolicyFailed,
    QueueFull,
    QueueTimeout,
    QueueTimeoutError,
    Rejected,
    Status,
    TimeoutsError,
)
from timeouts.adapters.grpc import (
    AioTimeoutInterceptor,
    BudgetInterceptor,
    TimeoutInterceptor,
    aio_budget_interceptors,
)
from timeouts.adapters.grpc.answer import answer
from timeouts.adapters.grpc.base import around, behavior_of, budget_of
from timeouts.adapters.grpc.client import shortened

INTERCEPTORS = pytest.mark.parametrize("make", [TimeoutInterceptor, AioTimeoutInterceptor])


# ── arguments ────────────────────────────────────────────────────────────────────────────────────


@INTERCEPTORS
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"limits": 5}, TypeError, "limits must be a policy"),
        ({"limits": GatewayTimeout}, TypeError, "write an instance, not the class"),
        ({"methods": [("/a/b", None)]}, TypeError, "methods must be a dict such as"),
        ({"methods": {"b": QueueTimeout(1)}}, ValueError, "named in full.*got 'b'"),
        ({"methods": {b"/a/b": None}}, ValueError, "named in full.*got b'/a/b'"),
        ({"methods": {"/a/b/c": None}}, ValueError, "named in full"),
        ({"methods": {"/a/b": 5}}, TypeError, r"methods\['/a/b'\]: limits must be a policy"),
        ({"slots": 0}, ValueError, "slots must be"),
        ({"capacity": -1}, ValueError, "capacity must be at least 0"),
        ({"statuses": {QueueFull: 8}}, TypeError, "statuses must be a Statuses"),
        (
            {"statuses": STATUSES.override({QueueFull: Status(429, "EXHAUSTED")})},
            ValueError,
            "a gRPC code other than OK.*'EXHAUSTED' for QueueFull",
        ),
        (
            {"statuses": STATUSES.override({QueueFull: Status(200, "OK")})},
            ValueError,
            "other than OK",
        ),
        ({"observers": 3}, TypeError, "observers must be"),
        ({"classes": "x-tenant"}, TypeError, "classes must be Classes, such as"),
        ({"admission": 3}, TypeError, "admission must be"),
        ({"workers": "process"}, (TypeError, ValueError), "workers"),
        ({"threads": 3}, TypeError, "threads"),
    ],
    ids=repr,
)
def test_nonsense_is_refused(make: Any, options: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        make(**options)


@INTERCEPTORS
def test_soft_limits_are_refused_for_a_method_too(make: Any) -> None:
    soft = ExecutionTimeout(2, soft=1)
    with pytest.raises(ValueError, match="soft limit"):
        make(soft)
    with pytest.raises(ValueError, match="soft limit"):
        make(methods={"/a/b": soft})


@INTERCEPTORS
def test_stream_limits_may_stand_for_all_methods(make: Any) -> None:
    limits = make(IdleTimeout(5), methods={"/a/b": IdleTimeout(1), "/a/c": None})
    assert repr(limits) == (
        f"{make.__name__}(IdleTimeout(5), methods={{'/a/b': IdleTimeout(1), '/a/c': None}})"
    )


@pytest.mark.parametrize("margin", [-1, math.nan, True, math.inf, "soon"])
def test_a_margin_is_a_finite_duration(margin: Any) -> None:
    for make in (BudgetInterceptor, aio_budget_interceptors):
        with pytest.raises((TypeError, ValueError), match="margin"):
            make(margin=margin)


def test_a_missing_guest_is_named() -> None:
    """In a process of its own, which has never seen grpc."""
    script = (
        "import sys; sys.modules['grpc'] = None\n"
        "import timeouts\n"
        "try:\n    import timeouts.adapters.grpc\n"
        "except ImportError as missing:\n    print(missing)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert 'pip install "timeouts[grpc]"' in told.stdout


# ── budgets ──────────────────────────────────────────────────────────────────────────────────────


def context(left: float | None) -> Any:
    return SimpleNamespace(time_remaining=lambda: left)


@given(st.floats(min_value=0, max_value=3.6e11))
def test_a_deadline_is_the_budget_and_never_more(left: float) -> None:
    budget = budget_of(context(left))
    assert budget is not None
    assert budget > 0
    assert budget == left or budget < 1e-300


@pytest.mark.parametrize("left", [None, 9.223372035059148e18, math.inf])
def test_no_deadline_is_no_budget(left: float | None) -> None:
    assert budget_of(context(left)) is None


def test_nothing_left_expires_at_once() -> None:
    with TimeoutInterceptor() as limits:
        server = limits.server
        with pytest.raises(TimeoutsError, match="the caller's budget allows 0 s") as caught:
            next(server.call(None, None, budget=budget_of(context(0))))
        assert not caught.value.started


# ── answers ──────────────────────────────────────────────────────────────────────────────────────


def test_an_answer_says_what_a_client_must_know() -> None:
    error = QueueFull("3 jobs wait already")
    error.retry_after = 1.2345
    code, details, metadata = answer(error)
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert details == "3 jobs wait already"
    assert dict(metadata) == {
        "timeouts-error": "queue_full",
        "timeouts-started": "false",
        "timeouts-work": "never started",
        "grpc-retry-pushback-ms": "1235",
    }


def test_without_an_estimate_nothing_is_said_of_a_retry() -> None:
    told = dict(answer(ExecutionTimeoutError(started=True, work="still running")).metadata)
    assert "grpc-retry-pushback-ms" not in told
    assert (told["timeouts-started"], told["timeouts-work"]) == ("true", "still running")


def test_a_policys_bug_stays_inside() -> None:
    assert "secret" not in answer(PolicyFailed("secret")).details


def test_a_strangers_error_has_the_status_of_its_base() -> None:
    class Busy(Rejected):
        """Of a user's own policy."""

    assert answer(Busy()).code is grpc.StatusCode.UNAVAILABLE
    ours = STATUSES.override({Busy: Status(503, "ABORTED")})
    assert answer(Busy(), ours).code is grpc.StatusCode.ABORTED
    assert answer(QueueTimeoutError(), ours).code is grpc.StatusCode.UNAVAILABLE


# ── methods ──────────────────────────────────────────────────────────────────────────────────────


def test_a_method_keeps_its_kind_and_its_serializers() -> None:
    method: Any = grpc.stream_unary_rpc_method_handler(len, pickle.loads, pickle.dumps)
    new = around(method, max)
    assert (new.request_streaming, new.response_streaming) == (True, False)
    assert (new.request_deserializer, new.response_serializer) == (pickle.loads, pickle.dumps)
    assert behavior_of(new) is max


def test_what_is_not_there_or_needs_no_thread_is_left_alone() -> None:
    def watch(request: Any, context: Any, send: Any) -> None: ...

    watch.experimental_non_blocking = True  # type: ignore[attr-defined]
    details: Any = SimpleNamespace(method="/a/b", invocation_metadata=())
    with TimeoutInterceptor(GatewayTimeout(1)) as limits:
        assert limits.intercept_service(lambda _: None, details) is None
        method: Any = grpc.unary_stream_rpc_method_handler(watch)
        assert limits.intercept_service(lambda _: method, details) is method


def test_details_of_any_make_pass_through() -> None:
    """Only the timeout changes, and only under a limit."""
    details = SimpleNamespace(method="/a/b", timeout=3, metadata=(("a", "b"),), compression="gzip")
    assert shortened(details, 0) is details

    @ExecutionTimeout(100)
    def inside() -> Any:
        return shortened(details, 0)

    new = inside()
    assert (new.timeout, new.method, new.metadata, new.compression) == (
        3,
        "/a/b",
        (("a", "b"),),
        "gzip",
    )
    with pytest.raises(AttributeError):
        _ = new.credentials
