"""Calls made inside a handler: they go with the job whose handler blocks for them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from timeouts import GatewayTimeout, GatewayTimeoutError, Server, ServerClosed, Withdrawn
from timeouts.testing import ManualClock

GUARD = 20.0


class Inner:
    """A server whose handler blocks until it is let go."""

    def __init__(self, clock: ManualClock) -> None:
        self.running = threading.Event()
        self.release = threading.Event()
        self.server = Server(self.work, slots=1, clock=clock)

    def work(self) -> str:
        self.running.set()
        assert self.release.wait(GUARD)
        return "done"

    def stream(self) -> Iterator[str]:
        yield self.work()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def inner(clock: ManualClock) -> Iterator[Inner]:
    made = Inner(clock)
    yield made
    made.release.set()
    made.server.close()


class Outer:
    """A server whose handler blocks for something, and notes what comes of that."""

    def __init__(self, blocks: Callable[[], Any], clock: ManualClock, limits: Any = None) -> None:
        self.told: list[object] = []
        self.over = threading.Event()
        self._blocks = blocks
        self.server = Server(self.handle, limits, slots=1, clock=clock)

    def handle(self) -> None:
        try:
            self.told.append(self._blocks())
        except BaseException as error:
            self.told.append(error)
        finally:
            self.over.set()


def test_what_a_handler_blocks_for_goes_with_its_caller(inner: Inner, clock: ManualClock) -> None:
    with Outer(inner.server.call, clock).server as server:
        future = server.submit()
        assert inner.running.wait(GUARD)
        future.cancel()
        assert _outer(server).over.wait(GUARD)
    assert [type(told) for told in _outer(server).told] == [Withdrawn]
    assert inner.server.stats().outcomes == {"withdrawn": 1}
    assert inner.server.stats().abandoned == 1


def test_a_nested_call_that_waits_gives_up_its_place(inner: Inner, clock: ManualClock) -> None:
    first = inner.server.submit()
    assert inner.running.wait(GUARD)
    with Outer(inner.server.call, clock).server as server:
        future = server.submit()
        _wait_until(lambda: inner.server.stats().waiting == 1)
        future.cancel()
        assert _outer(server).over.wait(GUARD)
        assert inner.server.stats().waiting == 0
    inner.release.set()
    assert first.result(GUARD) == "done"
    assert inner.server.stats().outcomes == {"withdrawn": 1, "completed": 1}


def test_a_nested_stream_goes_too(clock: ManualClock) -> None:
    source = Inner(clock)
    streams = Server(source.stream, slots=1, clock=clock)
    with Outer(lambda: list(streams.call()), clock).server as server:
        future = server.submit()
        assert source.running.wait(GUARD)
        future.cancel()
        assert _outer(server).over.wait(GUARD)
    assert [type(told) for told in _outer(server).told] == [Withdrawn]
    source.release.set()
    streams.close()


def test_with_a_closed_server_goes_what_its_handlers_block_for(
    inner: Inner, clock: ManualClock
) -> None:
    outer = Outer(inner.server.call, clock)
    future = outer.server.submit()
    assert inner.running.wait(GUARD)
    outer.server.close()
    assert isinstance(future.exception(GUARD), ServerClosed)
    assert outer.over.wait(GUARD)
    assert [type(told) for told in outer.told] == [Withdrawn]


def test_who_expires_leaves_the_nested_call_to_the_deadline_they_share(
    inner: Inner, clock: ManualClock
) -> None:
    """The limit is to be blamed, not a caller who has left."""
    outer = Outer(inner.server.call, clock, GatewayTimeout(5))
    with outer.server as server:
        future = server.submit()
        assert inner.running.wait(GUARD)
        clock.wait_for_waiters(2, finite=True)
        clock.advance(5)
        assert isinstance(future.exception(GUARD), GatewayTimeoutError)
        assert outer.over.wait(GUARD)
    assert [type(told) for told in outer.told] == [GatewayTimeoutError]


def test_a_handler_whose_caller_has_left_already_starts_nothing_it_would_block_for(
    inner: Inner, clock: ManualClock
) -> None:
    begun, left = threading.Event(), threading.Event()

    def late() -> Any:
        begun.set()
        assert left.wait(GUARD)
        return inner.server.call()

    outer = Outer(late, clock)
    with outer.server as server:
        future = server.submit()
        assert begun.wait(GUARD)
        future.cancel()
        left.set()
        assert outer.over.wait(GUARD)
    assert isinstance(outer.told[0], (Withdrawn, GatewayTimeoutError))
    assert inner.server.stats().running == 0


def test_a_nested_call_that_is_over_is_forgotten(clock: ManualClock) -> None:
    kept: list[Any] = []

    def inside() -> Any:
        from timeouts.current import SERVING

        kept.append(SERVING.get())
        return plain.call(-3) + next(iter(stream.call()))

    plain = Server(abs, clock=clock)
    stream = Server(lambda: (yield 4), clock=clock)
    with Outer(inside, clock).server as server:
        server.call()
        assert _outer(server).told == [7]
        assert kept[0].nested == set()
    plain.close()
    stream.close()


def _outer(server: Server) -> Outer:
    owner: Outer = server.handler.function.__self__  # type: ignore[attr-defined]
    return owner


def _wait_until(so: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(2000):
        if so():
            return
        pause.wait(0.005)
    raise AssertionError("it never came to that")
