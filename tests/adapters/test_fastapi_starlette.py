"""Limits on an application of Starlette: applied once, in time, on the right side of its middleware."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from timeouts import (
    STATUSES,
    ExecutionTimeout,
    GatewayTimeout,
    GatewayTimeoutError,
    PolicyFailed,
    QueueFull,
    QueueTimeout,
    QueueTimeoutError,
    Status,
    TimeoutsError,
)
from timeouts.testing import VirtualLoop, run_virtual

LIMITS = GatewayTimeout(9) | QueueTimeout(2) | ExecutionTimeout(5)


async def work(request: Request) -> Response:
    await asyncio.sleep(float(request.query_params.get("for", "0")))
    return PlainTextResponse("done")


async def fails(request: Request) -> Response:
    raise {"full": QueueFull, "late": GatewayTimeoutError, "policy": PolicyFailed}[
        request.query_params["by"]
    ]("as told")


def application() -> Starlette:
    return Starlette(routes=[Route("/work", work), Route("/fails", fails)])


async def get(app: Any, path: str, **options: Any) -> httpx.Response:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://model") as client:
        return await client.get(path, **options)


def test_apply_changes_the_application_and_returns_it() -> None:
    async def scenario() -> None:
        app = application()
        clock = VirtualLoop.running().clock
        assert LIMITS.apply(app, slots=1, clock=clock) is app
        first, second, third = await asyncio.gather(
            get(app, "/work?for=1"), get(app, "/work?for=60"), get(app, "/work")
        )
        assert (first.status_code, first.text) == (200, "done")
        assert (second.status_code, second.json()["error"]) == (504, "execution_timeout")
        assert (third.status_code, third.json()["error"]) == (503, "queue_timeout")
        assert VirtualLoop.running().time() == 6
        outcomes = {"completed": 1, "execution_timeout": 1, "queue_timeout": 1}
        assert app.state.timeouts.stats().outcomes == outcomes

    run_virtual(scenario())


def test_limits_are_applied_once() -> None:
    app = application()
    LIMITS.apply(app)
    with pytest.raises(
        ValueError, match=r"has had apply\(\) or install\(\) already: call one of them"
    ):
        LIMITS.apply(app)


def test_an_application_that_serves_is_not_changed() -> None:
    async def scenario() -> None:
        app = application()
        await get(app, "/work")
        with pytest.raises(RuntimeError, match="has begun to serve"):
            LIMITS.apply(app)
        assert not hasattr(app.state, "timeouts")

    run_virtual(scenario())


def test_options_that_make_no_sense_change_nothing() -> None:
    app = application()
    for options, wrong in [({"slots": 0}, ValueError), ({"slot": 1}, TypeError)]:
        with pytest.raises(wrong, match="slot"):
            LIMITS.apply(app, **options)
    assert LIMITS.apply(app) is app


async def through(request: Request, call_next: Any) -> Any:
    return await call_next(request)


def test_a_middleware_that_would_complete_a_cut_answer_is_refused_outside() -> None:
    """At the first request; inside it does no harm."""

    async def scenario() -> None:
        inside, outside = application(), application()
        inside.add_middleware(BaseHTTPMiddleware, dispatch=through)
        for app in (inside, outside):
            LIMITS.apply(app, clock=VirtualLoop.running().clock)
        outside.add_middleware(BaseHTTPMiddleware, dispatch=through)
        outside.add_middleware(CORSMiddleware, allow_origins=["*"])
        assert (await get(inside, "/work?for=60")).status_code == 504
        with pytest.raises(RuntimeError, match="BaseHTTPMiddleware there completes an answer"):
            await get(outside, "/work")

    run_virtual(scenario(), leaks_ok=True)


def test_middleware_that_is_added_later_sees_our_answers() -> None:
    """So a browser may read them."""

    async def scenario() -> None:
        app = application()
        LIMITS.apply(app, clock=VirtualLoop.running().clock)
        app.add_middleware(CORSMiddleware, allow_origins=["*"])
        got = await get(app, "/work?for=60", headers={"origin": "http://page"})
        assert (got.status_code, got.headers["access-control-allow-origin"]) == (504, "*")

    run_virtual(scenario())


def test_an_error_of_ours_raised_inside_is_a_problem_document(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With the codes of the application; the cause of a 500 is for the log."""

    async def scenario() -> None:
        app = application()
        ours = STATUSES.override({QueueTimeoutError: Status(504, "X"), QueueFull: Status(503, "X")})
        LIMITS.apply(app, statuses=ours)
        for by, status in [("full", 503), ("late", 504), ("policy", 500)]:
            got = await get(app, f"/fails?by={by}")
            assert got.status_code == status
            assert got.headers["content-type"] == "application/problem+json"
        assert app.state.timeouts.stats().outcomes == {"completed": 3}

    run_virtual(scenario())
    (record,) = caplog.records
    assert record.getMessage() == "a request failed: as told"


def test_a_handler_of_the_application_s_own_stays() -> None:
    async def own(request: Request, error: Exception) -> Response:
        return PlainTextResponse(f"sorry: {error}", 418)

    async def scenario() -> None:
        app = application()
        app.add_exception_handler(TimeoutsError, own)
        LIMITS.apply(app)
        assert (await get(app, "/fails?by=late")).text == "sorry: as told"

    run_virtual(scenario())


def test_an_application_that_is_told_that_nobody_wants_its_answer_does_not_answer_that(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It has swallowed its cancellation; what `send` raises then is no error of ours to be told."""

    async def stubborn(request: Request) -> Response:
        for _ in range(2):
            try:
                await asyncio.sleep(8)
            except asyncio.CancelledError:
                continue
        return PlainTextResponse("late")

    async def scenario() -> None:
        told: list[Exception] = []

        async def note(request: Request, error: Exception) -> Response:
            told.append(error)
            return PlainTextResponse("")

        app = Starlette(routes=[Route("/", stubborn)])
        app.add_exception_handler(TimeoutsError, note)
        ExecutionTimeout(5).apply(app, clock=VirtualLoop.running().clock)
        assert (await get(app, "/")).json()["work"] == "still running"
        await asyncio.sleep(20)
        assert app.state.timeouts.stats().abandoned == 0
        assert told == []

    with caplog.at_level(logging.INFO, "timeouts"):
        run_virtual(scenario())
    assert caplog.records == []


@pytest.mark.realtime
@pytest.mark.parametrize("guest", ["starlette", "fastapi"])
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
    assert 'pip install "timeouts[fastapi]"' in told.stdout
