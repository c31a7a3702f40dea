"""Hooks for httpx: each request tells what is left and waits no longer; with nothing left none is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from timeouts import GatewayTimeout, GatewayTimeoutError, Server
from timeouts.adapters.headers import MalformedBudget
from timeouts.adapters.httpx_hooks import abudget_hook, budget_hook
from timeouts.testing import ManualClock, VirtualLoop, run_virtual

URL = "http://next.test/"
HEADER = "x-request-timeout-seconds"
PHASES = {"connect", "read", "write", "pool"}


class Next:
    """The next service: keeps the requests that reach it."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response] | None = None) -> None:
        self.requests: list[httpx.Request] = []
        self._answer = answer or (lambda _: httpx.Response(200))
        self.transport = httpx.MockTransport(self._handle)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self._answer(request)

    @property
    def told(self) -> list[str | None]:
        return [request.headers.get(HEADER) for request in self.requests]

    @property
    def timeouts(self) -> list[dict[str, float]]:
        return [request.extensions["timeout"] for request in self.requests]


def served(
    service: Next, call: Callable[[httpx.Client], Any], limit: float | None = 2.5, **options: Any
) -> Any:
    """Make calls from inside a handler, while time stands still."""
    client = {key: options.pop(key) for key in ("timeout", "headers") if key in options}

    def handler() -> Any:
        hooks: Any = {"request": [budget_hook(**options)]}
        with httpx.Client(
            transport=service.transport, event_hooks=hooks, follow_redirects=True, **client
        ) as http:
            return call(http)

    with Server(handler, GatewayTimeout(limit), clock=ManualClock()) as server:
        return server.call()


def test_the_next_service_is_told_what_is_left() -> None:
    service = Next()
    served(service, lambda http: http.get(URL))
    assert service.told == ["2.495000"]


def test_the_headers_are_those_asked_for() -> None:
    service = Next()

    def handler() -> None:
        hook = budget_hook("grpc-timeout", margin=0.5)
        with httpx.Client(transport=service.transport, event_hooks={"request": [hook]}) as http:
            http.get(URL)

    with Server(handler, GatewayTimeout(2.5), clock=ManualClock()) as server:
        server.call()
    assert service.requests[0].headers["grpc-timeout"] == "2000000u"
    assert service.told == [None]


def test_no_phase_waits_longer_than_is_left() -> None:
    """The margin is for the answer: the next service may use all it is told, and still be heard."""
    service = Next()
    served(service, lambda http: http.get(URL), timeout=httpx.Timeout(60, connect=1, pool=None))
    assert service.timeouts == [{"connect": 1, "read": 2.5, "write": 2.5, "pool": 2.5}]


def test_timeouts_that_are_off_are_on_inside_a_job() -> None:
    service = Next()
    served(service, lambda http: http.get(URL), timeout=None)
    assert service.timeouts == [dict.fromkeys(PHASES, 2.5)]


def test_where_no_limit_applies_a_request_is_left_as_it_is() -> None:
    service = Next()
    served(service, lambda http: http.get(URL, headers={HEADER: "7"}), limit=None, timeout=60)
    assert service.told == ["7"]
    assert service.timeouts == [dict.fromkeys(PHASES, 60)]


@pytest.mark.parametrize(
    ("own", "told"), [("0.5", "0.5"), ("0", "0"), ("60", "2.495000"), ("90000", "2.495000")]
)
def test_a_header_of_the_callers_own_is_only_shortened(own: str, told: str) -> None:
    service = Next()
    served(service, lambda http: http.get(URL, headers={HEADER: own}))
    assert service.told == [told]


def test_a_malformed_header_of_the_callers_own_is_not_sent() -> None:
    service = Next()
    with pytest.raises(MalformedBudget, match="x-request-timeout-seconds"):
        served(service, lambda http: http.get(URL, headers={HEADER: "soon"}))
    assert service.requests == []


def test_with_nothing_left_no_request_is_sent() -> None:
    service = Next()
    with pytest.raises(GatewayTimeoutError, match=r"has 2.5 s left; .* margin of 3 s"):
        served(service, lambda http: http.get(URL), margin=3)
    assert service.requests == []


def test_each_hop_of_a_redirect_is_told_what_is_left_by_then() -> None:
    """And a hop for which nothing is left is not made."""
    clock = ManualClock()

    def redirect(request: httpx.Request) -> httpx.Response:
        clock.advance(1)
        return httpx.Response(302, headers={"location": URL})

    service = Next(redirect)

    def handler() -> None:
        hooks: Any = {"request": [budget_hook(margin=0.5)]}
        with httpx.Client(
            transport=service.transport, event_hooks=hooks, follow_redirects=True
        ) as http:
            http.get(URL)

    with Server(handler, GatewayTimeout(3.25), clock=clock) as server:
        error = server.submit().exception(10)
    assert isinstance(error, GatewayTimeoutError)
    assert service.told == ["2.750000", "1.750000", "0.750000"]
    assert [timeout["read"] for timeout in service.timeouts] == [3.25, 2.25, 1.25]


def test_timeouts_that_requests_share_are_not_changed() -> None:
    """One job's hurry is not the next one's."""
    shared = dict.fromkeys(PHASES, 60.0)
    service = Next()
    served(service, lambda http: http.get(URL, extensions={"timeout": shared}))
    assert service.timeouts == [dict.fromkeys(PHASES, 2.5)]
    assert shared == dict.fromkeys(PHASES, 60.0)


def test_an_async_client_does_the_same() -> None:
    service = Next()

    async def handler(margin: float) -> None:
        hooks: Any = {"request": [abudget_hook(margin=margin)]}
        async with httpx.AsyncClient(transport=service.transport, event_hooks=hooks) as http:
            await http.get(URL)

    async def main() -> None:
        clock = VirtualLoop.running().clock
        async with Server(handler, GatewayTimeout(2.5), clock=clock) as server:
            await server.acall(0.5)
            with pytest.raises(GatewayTimeoutError):
                await server.acall(3)

    run_virtual(main())
    assert service.told == ["2.000000"]
    assert service.timeouts == [dict.fromkeys(PHASES, 2.5)]


def test_outside_a_handler_an_async_client_is_left_alone() -> None:
    service = Next()

    async def main() -> None:
        hooks: Any = {"request": [abudget_hook()]}
        async with httpx.AsyncClient(transport=service.transport, event_hooks=hooks) as http:
            await http.get(URL)

    asyncio.run(main())
    assert service.told == [None]


@pytest.mark.parametrize("hook", [budget_hook, abudget_hook])
def test_nonsense_is_refused_where_the_hook_is_made(hook: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="must be one of grpc-timeout"):
        hook("x-timeout")
    with pytest.raises(ValueError, match="margin must be"):
        hook(margin=-1)
