"""Generators that do not react, in worker processes: their consumers are told, or leave, and the slot comes back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from tests.processes.house import Logged, is_there
from tests.shells.recorder import GUARD
from timeouts import (
    FirstItemTimeout,
    FirstItemTimeoutError,
    IdleTimeout,
    IdleTimeoutError,
    ProcessWorkers,
    Server,
)
from timeouts.testing import hostile

pytestmark = pytest.mark.realtime


def stubborn(how: str, path: str | None = None) -> Iterator[int]:
    """Hang before the first item, before the second, or when it is to close."""
    if how == "first":
        hostile.holds_gil(path)
    try:
        yield 1
        if how == "second":
            hostile.holds_gil(path)
        yield 2
    finally:
        if how == "closing":
            hostile.swallows_everything(path)


def test_hung_items_are_told_and_their_workers_stopped() -> None:
    """The first one, and one between others, in C code that holds the GIL."""
    limits = FirstItemTimeout(0.3) | IdleTimeout(0.3)
    with Server(stubborn, limits, slots=1, workers="process") as server:
        assert list(server.call("not at all")) == [1, 2]
        with pytest.raises(FirstItemTimeoutError):
            next(server.call("first"))
        items = server.call("second")
        assert next(items) == 1  # by another worker
        with pytest.raises(IdleTimeoutError):
            next(items)
        assert list(server.call("not at all")) == [1, 2]


def test_one_that_does_not_close_is_killed(
    witness: hostile.Witness, logged: Logged, caplog: pytest.LogCaptureFixture
) -> None:
    """When its grace is over; its consumer, who has left, neither waits for that nor reads a warning."""
    caplog.set_level(logging.INFO, logger="timeouts")
    workers = ProcessWorkers(stream_grace=0.1)
    with Server(stubborn, slots=1, workers=workers) as server:
        items = server.call("closing", witness.path)
        assert next(items) == 1
        items.close()
        (worker,) = witness.wait(1)
        assert list(server.call("not at all")) == [1, 2]
        assert not is_there(worker.pid)
        logged.wait_for("in stubborn", "killed by SIGKILL")


def test_one_that_closes_in_time_keeps_its_worker() -> None:
    """Whoever stops early, whether by `close`, by leaving a loop, or in a coroutine."""

    async def leave(server: Server) -> None:
        items: Any = server.acall("not at all")
        async with contextlib.aclosing(items):
            assert await anext(items) == 1

    with Server(stubborn, slots=1, workers=ProcessWorkers(stream_grace=GUARD)) as server:
        pool: Any = server._shell.pool
        (before,) = pool._staff._workers.values()
        for _ in range(3):
            items = server.call("not at all")
            assert next(items) == 1
            items.close()
            for item in server.call("not at all"):
                assert item == 1
                break
            asyncio.run(leave(server))
        assert list(server.call("not at all")) == [1, 2]
        assert list(pool._staff._workers.values()) == [before]
