"""Limits on an application of Flask, and what guarded views of Flask and Django answer. Nothing sleeps."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from typing import Any

import flask
import httpx
import pytest
from django.core.asgi import get_asgi_application

from tests.adapters.wsgi_bench import GUARD, Client, Late, request, serve
from tests.adapters.wsgi_django_app import WORKED, project
from timeouts import (
    STATUSES,
    EarliestDeadlineFirst,
    ExecutionTimeout,
    GatewayTimeout,
    PolicyFailed,
    QueueFull,
    Status,
    TimeoutsError,
    guard,
)
from timeouts.adapters.flask import install
from timeouts.adapters.headers import Budgets
from timeouts.adapters.wsgi import Timeouts
from timeouts.testing import ManualClock

OURS = STATUSES.override({QueueFull: Status(503, "UNAVAILABLE")})


def application() -> flask.Flask:
    app = flask.Flask(__name__)

    @app.get("/hello")
    def hello() -> str:
        return "hello"

    @app.get("/full")
    def full() -> str:
        error = QueueFull("no more")
        error.retry_after = 1.5
        raise error

    @app.get("/policy")
    def policy() -> str:
        raise PolicyFailed("a secret")

    return app


def test_apply_changes_the_application_and_returns_it() -> None:
    clock, late = ManualClock(), Late()
    entered, gate = threading.Event(), threading.Event()
    app = application()

    @app.get("/hang")
    def hang() -> str:
        entered.set()
        assert gate.wait(GUARD)
        return "late"

    assert GatewayTimeout(5).apply(app, slots=2, clock=clock, observers=[late]) is app
    assert serve(app, request("/hello")).body == b"hello"
    client = Client(app, request("/hang"))
    assert entered.wait(GUARD)
    clock.advance(5)
    assert client.answer().status == 504
    front: Timeouts = app.extensions["timeouts"]
    assert app.wsgi_app == front
    stats = front.stats()
    assert (stats.abandoned, stats.outcomes) == (1, {"completed": 1, "gateway_timeout": 1})
    gate.set()
    assert late.seen.wait(GUARD)
    front.close()


@pytest.mark.parametrize("first", [install, GatewayTimeout(5).apply])
@pytest.mark.parametrize("second", [install, GatewayTimeout(5).apply])
def test_limits_are_applied_once(first: Any, second: Any) -> None:
    app = application()
    first(app)
    front = app.wsgi_app
    with pytest.raises(
        ValueError, match=r"has had apply\(\) or install\(\) already: call one of them"
    ):
        second(app)
    assert app.wsgi_app == front


def test_an_application_that_serves_is_not_changed() -> None:
    app = application()
    app.test_client().get("/hello")
    with pytest.raises(RuntimeError, match="has begun to serve"):
        GatewayTimeout(5).apply(app)
    assert not isinstance(app.wsgi_app, Timeouts)
    assert "timeouts" not in app.extensions


def test_options_that_make_no_sense_change_nothing() -> None:
    app = application()
    for options, wrong in [({"slots": 0}, ValueError), ({"slot": 1}, TypeError)]:
        with pytest.raises(wrong, match="slot"):
            GatewayTimeout(5).apply(app, **options)
    assert not isinstance(app.wsgi_app, Timeouts)
    assert GatewayTimeout(5).apply(app) is app


def test_an_error_of_ours_in_a_view_is_a_problem_document(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With the codes of the application; the cause of a 500 is for the log."""
    limited, alone = application(), application()
    GatewayTimeout(5).apply(limited, statuses=OURS)
    install(alone, statuses=OURS)
    for app in (limited, alone):
        got = app.test_client().get("/full")
        assert (got.status_code, got.content_type) == (503, "application/problem+json")
        assert got.headers["Retry-After"] == "2"
    assert alone.test_client().get("/hello").text == "hello"
    assert "a secret" not in alone.test_client().get("/policy").text
    (record,) = caplog.records
    assert (record.name, record.getMessage()) == ("timeouts", "a request failed: a secret")


def test_a_handler_of_the_application_s_own_stays() -> None:
    app = application()

    @app.errorhandler(TimeoutsError)
    def own(error: TimeoutsError) -> tuple[str, int]:
        return f"sorry: {error}", 418

    GatewayTimeout(5).apply(app)
    assert app.test_client().get("/full").text == "sorry: no more"


def test_the_queue_has_the_order_that_is_asked_for() -> None:
    """With one slot taken, the one whose budget ends first is next, though it came last."""
    served: list[str] = []
    clock = ManualClock()
    entered, gate = threading.Event(), threading.Event()
    app = flask.Flask(__name__)

    @app.get("/<name>")
    def view(name: str) -> str:
        served.append(name)
        if name == "first":
            entered.set()
            assert gate.wait(GUARD)
        return name

    GatewayTimeout(60).apply(
        app,
        slots=1,
        discipline=EarliestDeadlineFirst,
        budgets=Budgets("x-request-timeout-seconds"),
        clock=clock,
    )
    clients = [Client(app, request("/first"))]
    assert entered.wait(GUARD)
    for waiters, (name, budget) in enumerate([("relaxed", "50"), ("urgent", "40")], start=3):
        clients.append(Client(app, request(f"/{name}", HTTP_X_REQUEST_TIMEOUT_SECONDS=budget)))
        clock.wait_for_waiters(waiters)  # the clients, and the timer that helps them
    gate.set()
    assert [client.answer().status for client in clients] == [200, 200, 200]
    assert served == ["first", "urgent", "relaxed"]
    app.extensions["timeouts"].close()


# ── guarded views ────────────────────────────────────────────────────────────────────────────────


def test_a_guarded_view_of_flask_keeps_its_parameters() -> None:
    clock = ManualClock()
    entered, gate = threading.Event(), threading.Event()
    app = flask.Flask(__name__)

    @app.get("/double/<int:x>")
    @guard(ExecutionTimeout(5), clock=clock, workers="thread")
    def double(x: int) -> dict[str, Any]:
        """Double."""
        if x == 0:
            entered.set()
            assert gate.wait(GUARD)
        return {"doubled": 2 * x, "path": flask.request.path}

    install(app)
    assert json.loads(serve(app, request("/double/4")).body) == {"doubled": 8, "path": "/double/4"}
    client = Client(app, request("/double/0"))
    assert entered.wait(GUARD)
    clock.advance(5)
    got = client.answer()
    assert (got.status, json.loads(got.body)["policy"]) == (504, "ExecutionTimeout(5)")
    gate.set()
    double.close()


def test_a_guarded_view_of_django_is_told_by_the_middleware() -> None:
    """And any other error stays Django's."""
    assert serve(project, request("/guarded/ok")).body == WORKED
    got = serve(project, request("/guarded/full"))
    assert (got.status, json.loads(got.body)["error"]) == (429, "queue_full")
    assert got.headers["Content-Type"] == "application/problem+json"
    assert serve(project, request("/guarded/nothing")).status == 500


@pytest.mark.realtime
def test_a_guarded_coroutine_of_django_is_told_by_the_middleware_too() -> None:
    """Under ASGI, where Django calls its middleware from a loop."""

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(get_asgi_application())
        async with httpx.AsyncClient(transport=transport, base_url="http://model") as client:
            return await client.get("/coroutine")

    got = asyncio.run(ask())
    assert (got.status_code, got.json()["policy"]) == (504, "ExecutionTimeout(0.1)")


@pytest.mark.realtime
@pytest.mark.parametrize("guest", ["flask", "django"])
def test_a_missing_guest_is_named(guest: str) -> None:
    """In a process of its own, which has never seen it."""
    script = (
        f"import sys; sys.modules['{guest}'] = None\n"
        "import timeouts\n"
        f"try:\n    import timeouts.adapters.{guest}\n"
        "except ImportError as missing:\n    print(missing)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert f'pip install "timeouts[{guest}]"' in told.stdout
