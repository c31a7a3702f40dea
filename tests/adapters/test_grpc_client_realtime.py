"""Calls that take along what is left: from sync and aio handlers, in all four kinds, over the loopback."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import grpc.aio
import pytest

from tests.adapters.grpc_hosts import KINDS, PATIENCE, Host, method, poll, threads
from timeouts import (
    DeadlineExceeded,
    ExecutionTimeout,
    ExecutionTimeoutError,
    GatewayTimeout,
    GatewayTimeoutError,
    guard,
    remaining,
)
from timeouts.adapters.grpc import BudgetInterceptor, TimeoutInterceptor, aio_budget_interceptors

pytestmark = pytest.mark.realtime

WIRE = 1.1  # gRPC rounds a timeout up on the wire, to three digits or fewer
UNARY = method("unary_unary")


@pytest.fixture
def back() -> Iterator[Host]:
    """A service whose own limit is long."""
    with threads(GatewayTimeout(1000)) as host:
        yield host


def ask(channel: Any, kind: str, **options: Any) -> float:
    """Ask the service how much is left there."""
    request = b"left" if kind.startswith("unary") else iter([b"left"])
    response = getattr(channel, kind)(method(kind))(request, **options)
    return float(response if kind.endswith("unary") else b"".join(response))


async def aask(port: int, kind: str, margin: float = 0.005, **options: Any) -> float:
    interceptors = aio_budget_interceptors(margin=margin)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", interceptors=interceptors) as channel:
        request = b"left" if kind.startswith("unary") else iter([b"left"])
        call = getattr(channel, kind)(method(kind))(request, **options)
        if kind.endswith("unary"):
            return float(await call)
        return float(b"".join([item async for item in call]))


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_takes_along_what_is_left(back: Host, kind: str) -> None:
    channel = grpc.intercept_channel(back.channel, BudgetInterceptor(margin=2))

    @guard(GatewayTimeout(10))
    def front() -> float:
        return ask(channel, kind)

    assert 0 < front() <= 8 * WIRE


@pytest.mark.parametrize("kind", KINDS)
def test_an_aio_call_takes_along_what_is_left(back: Host, kind: str) -> None:
    @guard(GatewayTimeout(10))
    async def front() -> float:
        return await aask(back.port, kind, margin=2)

    assert 0 < asyncio.run(front()) <= 8 * WIRE


def test_the_callers_own_shorter_timeout_stands(back: Host) -> None:
    channel = grpc.intercept_channel(back.channel, BudgetInterceptor())

    @guard(GatewayTimeout(100))
    def front() -> float:
        return ask(channel, "unary_unary", timeout=PATIENCE)

    assert PATIENCE / 2 < front() <= PATIENCE * WIRE

    @guard(GatewayTimeout(100))
    async def afront() -> float:
        return await aask(back.port, "unary_unary", timeout=PATIENCE)

    assert PATIENCE / 2 < asyncio.run(afront()) <= PATIENCE * WIRE


def test_outside_a_handler_nothing_changes(back: Host) -> None:
    channel = grpc.intercept_channel(back.channel, BudgetInterceptor())
    assert 990 < ask(channel, "unary_unary") <= 1000
    assert 990 < asyncio.run(aask(back.port, "unary_unary")) <= 1000


@pytest.mark.parametrize("kind", KINDS)
def test_with_nothing_left_nothing_is_sent(back: Host, kind: str) -> None:
    channel = grpc.intercept_channel(back.channel, BudgetInterceptor(margin=20))

    @guard(GatewayTimeout(10))
    def front() -> float:
        return ask(channel, kind)

    @guard(GatewayTimeout(10))
    async def afront() -> float:
        return await aask(back.port, kind, margin=20)

    runs: list[Callable[[], float]] = [front, lambda: asyncio.run(afront())]
    for run in runs:
        with pytest.raises(GatewayTimeoutError, match="margin of 20 s") as caught:
            run()
        assert caught.value.started
    assert back.stats().arrived == 0


def test_abandoned_work_sends_nothing(back: Host) -> None:
    """It is told which limit has ended its job."""
    channel = grpc.intercept_channel(back.channel, BudgetInterceptor())
    release = threading.Event()
    told: list[type[DeadlineExceeded]] = []

    @guard(ExecutionTimeout(0.1))
    def front() -> None:
        release.wait(PATIENCE)
        try:
            ask(channel, "unary_unary")
        except DeadlineExceeded as error:
            told.append(type(error))

    with pytest.raises(ExecutionTimeoutError):
        front()
    release.set()
    poll(lambda: told == [ExecutionTimeoutError])
    assert back.stats().arrived == 0


def test_a_budget_travels_through_two_services(back: Host) -> None:
    """The client grants 6 s; the service in the middle keeps a margin of 2."""
    channel = grpc.intercept_channel(back.channel, BudgetInterceptor(margin=2))

    def middle(request: bytes, context: Any) -> bytes:
        return f"{remaining()} {ask(channel, 'unary_unary')}".encode()

    handlers: Any = {"Middle": grpc.unary_unary_rpc_method_handler(middle)}
    with (
        TimeoutInterceptor(GatewayTimeout(100)) as limits,
        ThreadPoolExecutor(4) as pool,
    ):
        server = grpc.server(pool, interceptors=[limits])
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("test.Front", handlers),)
        )
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            with grpc.insecure_channel(f"127.0.0.1:{port}") as client:
                call: Any = client.unary_unary("/test.Front/Middle")
                answer = call(b"", timeout=6)
        finally:
            server.stop(0).wait(PATIENCE)
    here, there = map(float, answer.split())
    assert 0 < there <= (here - 2) * WIRE <= 6 * WIRE
