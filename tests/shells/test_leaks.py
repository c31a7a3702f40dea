"""A call that is over leaves nothing behind: no cycle, no object, no task, no file, no thread."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import threading
import weakref
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from typing import Any

import pytest

from tests.shells.recorder import GUARD, Recorder
from timeouts import (
    ExecutionTimeout,
    ExecutionTimeoutError,
    GatewayTimeout,
    QueueTimeout,
    Server,
)
from timeouts.call import Call
from timeouts.testing import AsyncHang, Hang, ManualClock, VirtualLoop, run_virtual


class Boom(Exception):
    """The handler's own error."""


class Payload:
    """Something large that a caller passes in or gets out."""


def fail(payload: Any = None) -> Any:
    raise Boom


async def afail(payload: Any = None) -> Any:
    raise Boom


async def afail_later(payload: Any = None) -> Any:
    await asyncio.sleep(0)
    raise Boom


def fail_midway(payload: Any = None) -> Generator[int, None, None]:
    yield 1
    raise Boom


async def afail_midway(payload: Any = None) -> AsyncGenerator[int, None]:
    yield 1
    raise Boom


# `except ... as error` and a weak reference, since `pytest.raises` makes a cycle of its own.


Error = weakref.ref[BaseException]


def call(server: Server) -> Error:
    try:
        server.call(1)
    except Boom as error:
        return weakref.ref(error)
    raise AssertionError


def acall(server: Server) -> Error:
    async def main() -> Error:
        try:
            await server.acall(1)
        except Boom as error:
            return weakref.ref(error)
        raise AssertionError

    return asyncio.run(main())


def submit(server: Server) -> Error:
    return weakref.ref(server.submit(1).exception(GUARD) or AssertionError())


def iterate(server: Server) -> Error:
    try:
        for _ in server.call(1):
            pass
    except Boom as error:
        return weakref.ref(error)
    raise AssertionError


def aiterate(server: Server) -> Error:
    async def main() -> Error:
        try:
            async for _ in server.acall(1):
                pass
        except Boom as error:
            return weakref.ref(error)
        raise AssertionError

    return asyncio.run(main())


@pytest.fixture
def no_collector() -> Iterator[None]:
    """No garbage collector: what a cycle holds stays."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


LIMITS = GatewayTimeout(60) | QueueTimeout(20) | ExecutionTimeout(30)
WAYS = [
    *((handler, way) for handler in (fail, afail, afail_later) for way in (call, acall, submit)),
    *((handler, way) for handler in (fail_midway, afail_midway) for way in (iterate, aiterate)),
]


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("limits", [None, LIMITS], ids=["unlimited", "limited"])
@pytest.mark.parametrize(("handler", "way"), WAYS)
def test_a_failed_call_leaves_no_cycle(
    handler: Callable[..., Any], way: Callable[[Server], Error], limits: Any
) -> None:
    """When its caller drops the error, the error is gone, and with it all frames it refers to."""
    with Server(handler, limits, slots=1) as server:
        error = way(server)
    for thread in threading.enumerate():
        if handler.__name__ in thread.name:
            thread.join(GUARD)
    assert error() is None


@pytest.mark.usefixtures("no_collector")
def test_an_expired_call_leaves_no_cycle_in_threads() -> None:
    """Once the abandoned work has ended."""
    clock, recorder = ManualClock(), Recorder()
    options: Any = {"clock": clock, "observers": [recorder], "slots": 1}
    with Hang() as hang, Server(hang.predict, ExecutionTimeout(5), **options) as server:
        future = server.submit()
        hang.wait_for_entries(1)
        clock.advance(5)
        error = weakref.ref(future.exception(GUARD) or Boom())
        assert isinstance(error(), ExecutionTimeoutError)
        hang.release()
        recorder.wait_for("late", 1)
        recorder.facts.clear()
        del future
        server.close()
    for thread in threading.enumerate():
        if "Hang.predict" in thread.name:
            thread.join(GUARD)
    assert error() is None


@pytest.mark.usefixtures("no_collector")
def test_an_expired_call_leaves_no_cycle_in_tasks() -> None:
    """Once the cancellation has run its course."""

    async def main() -> Error:
        with AsyncHang() as hang:
            async with Server(
                hang.predict, ExecutionTimeout(5), clock=VirtualLoop.running().clock
            ) as server:
                try:
                    await server.acall()
                except ExecutionTimeoutError as error:
                    return weakref.ref(error)
            raise AssertionError

    assert run_virtual(main())() is None


@pytest.mark.usefixtures("no_collector")
def test_arguments_and_results_are_let_go_at_once() -> None:
    """A finished call behind a long-lived one in the heap of timers does not keep its payload."""
    with Hang() as hang, Server(echo_or_hang, LIMITS, slots=2) as server:
        hanging = server.submit(hang, budget=50)
        hang.wait_for_entries(1)
        sent, got = [], []
        for _ in range(20):
            payload = Payload()
            sent.append(weakref.ref(payload))
            got.append(weakref.ref(server.call(payload)))
            del payload
        server.call(None)  # the worker's thread drops a call when it has told the caller
        assert [ref for ref in sent + got if ref() is not None] == []
        hang.release()
        hanging.result(GUARD)


def echo_or_hang(work: Any) -> Any:
    return work.predict() if isinstance(work, Hang) else work


@pytest.mark.usefixtures("no_collector")
def test_calls_stay_flat_over_rounds() -> None:
    """However many have been made, with or without errors, none but the latest is left."""
    before = living_calls()
    with Server(fail, LIMITS, slots=2) as plain, Server(afail, LIMITS) as tasks:
        for _ in range(3):
            for _ in range(50):
                for server in (plain, tasks):
                    call(server)
                    submit(server)
            assert living_calls() <= before + 4  # those that their workers are about to drop


def living_calls() -> int:
    """Return how many calls there are, of whatever kind."""
    return sum(issubclass(type(thing), Call) for thing in gc.get_objects())


def test_a_dropped_stream_ends_by_itself() -> None:
    """Its generator is closed, the slot is free, nobody has to call close()."""
    recorder = Recorder()
    with Server(fail_midway, slots=1, observers=[recorder]) as server:
        items = server.call()
        assert next(items) == 1
        del items
        recorder.wait_for("late", 1)
        assert dict(server.stats().outcomes) == {"withdrawn": 1}
        assert server.stats().free == 1


@pytest.mark.parametrize("threads", [False, True], ids=["task", "thread"])
def test_cancelled_futures_count_as_done(threads: bool) -> None:
    """concurrent.futures.wait and as_completed see a cancelled job like any cancelled future."""
    with Hang() as hang:

        async def apredict() -> None:
            await asyncio.to_thread(hang.predict)

        with Server(hang.predict if threads else apredict, slots=1) as server:
            runs, waits = server.submit(), server.submit()
            hang.wait_for_entries(1)
            assert waits.cancel()
            assert waits.cancel()
            done, _ = concurrent.futures.wait([waits], timeout=GUARD)
            assert done == {waits}
            assert list(concurrent.futures.as_completed([waits], timeout=GUARD)) == [waits]
            hang.release()
            runs.result(GUARD)
