"""What a server takes when nothing happens, and when too much does."""

from __future__ import annotations

import asyncio
from time import monotonic

from versus_litserve.client import statuses
from versus_litserve.effort import Effort, Sample, Samples
from versus_litserve.processes import cpu_seconds, forget_peaks, peak_megabytes
from versus_litserve.serving import serving
from versus_litserve.subjects import Setup, Subject

LIMIT = 1.0


async def idle(subject: Subject, effort: Effort) -> Samples:
    """Processor time of all processes while nobody asks for anything, in percent of one core."""
    async with serving(subject, Setup(lit=30.0)) as server:
        await server.client.post(effort.never)
        await asyncio.sleep(min(2.0, effort.idle))
        processes = server.processes()
        before, start = cpu_seconds(processes), monotonic()
        await asyncio.sleep(effort.idle)
        used, passed = cpu_seconds(processes) - before, monotonic() - start
    return {"idle": Sample([100 * used / passed], f"{len(processes)} processes")}


async def bodies(subject: Subject, effort: Effort) -> Samples:
    """1,000 bodies of 100 kB behind a busy worker, where 100 may wait (LitServe has no such bound)."""
    setup = Setup(lit=LIMIT, ours=("--queue-timeout", str(LIMIT)))
    async with serving(subject, setup) as server, asyncio.TaskGroup() as group:
        post = server.client.post
        await post(effort.never)
        holder = group.create_task(post(effort.never, seconds=effort.hold / 2))
        await asyncio.sleep(0.1)
        processes = server.processes()
        forget_peaks(processes)
        before = peak_megabytes(processes)
        data = "x" * 100_000
        answers = await asyncio.gather(
            *(post(effort.never, data=data) for _ in range(effort.bodies))
        )
        grown = peak_megabytes(processes) - before
        holder.cancel()
    refused = sum(answer.status == 429 for answer in answers)
    return {
        "refused": Sample([100 * refused / max(1, effort.bodies - 100)], statuses(answers)),
        "grown": Sample([grown], f"from {before:.0f} MB"),
    }
