"""Requests of every kind on virtual time: in time, late, refused, impatient, stubborn, failing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple

from hypothesis import strategies as st

from timeouts import ExecutionTimeout, GatewayTimeout, Observer, QueueTimeout, Server
from timeouts.testing import VirtualLoop, run_virtual

LIMITS = GatewayTimeout(9, reserve=0) | QueueTimeout(3) | ExecutionTimeout(7)


class Request(NamedTuple):
    """One request, in whole seconds.

    Args:
        after: since the one before came.
        takes: how long the handler works.
        fails: whether it raises then.
        stubborn: how long it runs on when it is cancelled.
        budget: what its caller grants.
        leaves: when its caller leaves.
    """

    after: int = 0
    takes: int = 1
    fails: bool = False
    stubborn: int = 0
    budget: int | None = None
    leaves: int | None = None


requests = st.builds(
    Request,
    after=st.integers(0, 4),
    takes=st.integers(0, 12),
    fails=st.booleans(),
    stubborn=st.sampled_from([0, 0, 2]),
    budget=st.none() | st.integers(1, 10),
    leaves=st.none() | st.none() | st.integers(0, 6),
)


async def predict(request: Request) -> str:
    """Work as the request says."""
    try:
        await asyncio.sleep(request.takes)
    except asyncio.CancelledError:
        await asyncio.sleep(request.stubborn)
        raise
    if request.fails:
        raise LookupError("as it was asked to")
    return "value"


def play(
    script: list[Request],
    observers: list[Observer],
    *,
    closes: int | None = None,
    look: Callable[[Server], object] = lambda _: None,
    **options: Any,
) -> None:
    """Send the requests to a server; look at it whenever something may have happened, and at the end.

    Args:
        script: the requests.
        observers: of the server.
        closes: the instant at which it is closed, if it is.
        look: is given the server.
        **options: of the server.
    """

    async def main() -> None:
        options.setdefault("limits", LIMITS)
        options.setdefault("slots", 2)
        clock = VirtualLoop.running().clock
        server = Server(predict, clock=clock, observers=observers, **options)
        async with server, asyncio.TaskGroup() as callers:
            callers.create_task(_close(server, closes))
            callers.create_task(_watch(server, script, look))
            for request in script:
                await asyncio.sleep(request.after)
                callers.create_task(_send(server, request))
        look(server)

    run_virtual(main())


async def _send(server: Server, request: Request) -> None:
    with contextlib.suppress(Exception):
        async with asyncio.timeout(request.leaves):
            await server.acall(request, budget=request.budget)


async def _close(server: Server, instant: int | None) -> None:
    if instant is not None:
        await asyncio.sleep(instant)
        server.close()


async def _watch(server: Server, script: list[Request], look: Callable[[Server], object]) -> None:
    for _ in range(20 + sum(request.after for request in script)):
        await asyncio.sleep(0)  # after those who act at this instant
        look(server)
        await asyncio.sleep(1)
