"""Thousands of calls that are over leave no memory behind, whatever became of them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from timeouts import ExecutionTimeout, GatewayTimeout, QueueTimeout, Server, TimeoutsError

pytestmark = pytest.mark.realtime

LIMITS = GatewayTimeout(60) | QueueTimeout(20) | ExecutionTimeout(30)
CALLS = 600  # of each way
ROUNDS = 4


class Boom(Exception):
    """The handler's own error."""


def echo(value: int) -> int:
    return value


async def aecho(value: int) -> int:
    return value


def fail(value: int) -> int:
    raise Boom(value)


async def afail(value: int) -> int:
    raise Boom(value)


def blocking(server: Server, budget: float | None) -> None:
    """Call from eight threads."""

    def call(number: int) -> None:
        with contextlib.suppress(Boom, TimeoutsError):
            server.call(number, budget=budget)

    with ThreadPoolExecutor(8) as callers:
        list(callers.map(call, range(CALLS)))


def awaiting(server: Server, budget: float | None) -> None:
    """Call from as many coroutines as there are calls."""

    async def main() -> None:
        calls = [server.acall(number, budget=budget) for number in range(CALLS)]
        await asyncio.gather(*calls, return_exceptions=True)

    asyncio.run(main())


def submitting(server: Server, budget: float | None) -> None:
    """Hold all futures at once, and then none."""
    for future in [server.submit(number, budget=budget) for number in range(CALLS)]:
        future.exception()


def allocated() -> int:
    """Return how many blocks of memory Python's own objects take."""
    gc.collect()
    return sys.getallocatedblocks()


@pytest.mark.parametrize("budget", [None, 1e-9], ids=["in time", "too late"])
@pytest.mark.parametrize("handler", [echo, aecho, fail, afail])
def test_memory_is_flat_over_rounds(
    handler: Callable[[int], Any], budget: float | None, caplog: pytest.LogCaptureFixture
) -> None:
    """A leak of one object in two calls would show: the rest is noise of pools, caches and books."""
    caplog.set_level(logging.CRITICAL, "timeouts")  # or pytest would keep what is told of late ends
    with Server(handler, LIMITS, slots=4, capacity=CALLS) as server:
        grown = list[int]()
        for _ in range(ROUNDS):
            before = allocated()
            for way in (blocking, awaiting, submitting):
                way(server, budget)
            grown.append(allocated() - before)
        stats = server.stats()
    assert min(grown[1:]) < 3 * CALLS / 2  # the first round fills what is kept for good
    assert stats.arrived == sum(stats.outcomes.values()) == 3 * CALLS * ROUNDS
