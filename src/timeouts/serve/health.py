"""Whether a server lives, and whether it is ready; if not, why not.

*Live* is false when only a new process would help: the handlers' event loop is blocked, or no worker
can be had. *Ready* is false when requests should go elsewhere for now.
"""

from __future__ import annotations

import asyncio
from typing import Any

from timeouts.errors import TimeoutsError
from timeouts.server import Server

PATIENCE = 1.0  # seconds for a loop to answer; what blocks it for less delays nobody for long


async def ailment(server: Server) -> str | None:
    """Return why a server is as good as dead; None if it lives."""
    core = server.shell.core
    if (error := core.withheld) is not None:
        return f"no worker can be had: {_gist(error)}"
    stuck = core.abandoned >= min(core.max_abandoned, core.slots) > 0
    if stuck and server.stop_mode != "kill":
        return f"no worker can be had: {core.abandoned} abandoned jobs still run"
    loop = getattr(server.shell.pool, "home", None)
    if loop is not None and not await _beats(loop):
        return f"the event loop of {server.handler.name} has been blocked for {PATIENCE:g} s"
    return None


def unready(server: Server) -> str | None:
    """Return why requests should go elsewhere for now; None if they are welcome."""
    core = server.shell.core
    if not core.open:
        return "it is shutting down"
    if not core.slots:
        return "no worker is ready yet"
    if core.waiting >= core.capacity and core.free < 1:
        return f"its queue is full: {core.waiting} wait"
    return None


def _gist(error: TimeoutsError) -> str:
    """Leave the traceback of a worker to the log."""
    gist, trace, _ = str(error).partition(": Traceback (most")
    return f"{gist}; the log has its traceback" if trace else gist


async def _beats(loop: Any) -> bool:
    here, beat = asyncio.get_running_loop(), asyncio.Event()
    if loop is here:
        return True
    try:
        loop.call_soon_threadsafe(lambda: here.call_soon_threadsafe(beat.set))
        async with asyncio.timeout(PATIENCE):
            await beat.wait()
    except (RuntimeError, TimeoutError):  # closed, or blocked
        return False
    return True
