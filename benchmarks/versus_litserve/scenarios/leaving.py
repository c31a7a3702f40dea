"""Clients that leave, and a server that is told to."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from contextlib import suppress
from time import monotonic, sleep

from versus_litserve.client import statuses
from versus_litserve.effort import Effort, Sample, Samples
from versus_litserve.serving import Serving, serving
from versus_litserve.subjects import Setup, Subject

HOLD, PATIENCE = 2.0, 0.3
TO_END = 10.0  # seconds that a server has to end


async def gone(subject: Subject, effort: Effort) -> Samples:
    """A busy worker; ten clients wait behind it and hang up; then one comes that stays."""
    async with serving(subject, Setup(lit=30.0)) as server, asyncio.TaskGroup() as group:
        post = server.client.post
        holder = group.create_task(post(effort.never, seconds=HOLD))
        await asyncio.sleep(0.1)
        await asyncio.gather(
            *(
                server.client.leave(PATIENCE, seconds=0.3, mark="gone")
                for _ in range(effort.leavers)
            )
        )
        stays = await post(effort.never)
        await asyncio.sleep(0.5)  # whatever else may yet begin
        free = (await holder).at
        started = len(server.noted("gone"))
    return {
        "gone": Sample([started]),
        "gone_next": Sample([(stays.at - free) * 1000], statuses([stays])),
    }


async def ended(subject: Subject, effort: Effort) -> Samples:
    """SIGTERM to the main process while a request of 0.5 s is running: what is left of it all?"""
    async with serving(subject, Setup(lit=30.0)) as server, asyncio.TaskGroup() as group:
        running = group.create_task(server.client.post(effort.never, seconds=0.5))
        await asyncio.sleep(0.1)
        server.process.send_signal(signal.SIGTERM)
        left = await asyncio.to_thread(_left, server)
        answer = await running
        listens = server.listens()
    answered = f"the running request: {statuses([answer])}"
    return {
        "orphans": Sample([left], answered),
        "port": Sample([float(listens)]),
    }


def _left(server: Serving) -> int:
    """Wait for the end of the main process, and a little for the others; return how many stay."""
    with suppress(subprocess.TimeoutExpired):
        server.process.wait(TO_END)
    end = monotonic() + 2.0
    while (left := len(server.processes())) and monotonic() < end:
        sleep(0.05)
    return left
