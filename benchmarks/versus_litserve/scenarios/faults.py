"""A worker that is busy, one that hangs, one that dies: when is who told what?"""

from __future__ import annotations

import asyncio

from versus_litserve.client import Answer, statuses
from versus_litserve.effort import Effort, Sample, Samples
from versus_litserve.serving import Serving, serving
from versus_litserve.subjects import Setup, Subject
from versus_litserve.work import FOREVER

LIMIT = 1.0
MILLI = 1000
FIRST = 0.1  # a head start for the request that is to hold the worker


async def held(subject: Subject, effort: Effort) -> Samples:
    """One worker, held for 10 s; those behind it may wait for 1 s."""
    setup = Setup(lit=LIMIT, ours=("--queue-timeout", str(LIMIT)))
    async with serving(subject, setup) as server, asyncio.TaskGroup() as group:
        await _warm(server)
        holder = group.create_task(server.client.post(effort.never, seconds=effort.hold))
        await asyncio.sleep(FIRST)
        waiters = []
        for _ in range(effort.waiters):
            waiters.append(group.create_task(server.client.post(effort.never)))
            await asyncio.sleep(0.01)
        answers = [await waiter for waiter in waiters]
        holder.cancel()
    note = statuses(answers)
    return {
        "held_told": Sample([answer.seconds for answer in answers], note),
        "held_late": Sample([(answer.seconds - LIMIT) * MILLI for answer in answers]),
    }


async def hung(subject: Subject, effort: Effort) -> Samples:
    """A run that never returns and may take 1 s; another request comes right behind it."""
    setup = Setup(lit=LIMIT, ours=("--execution-timeout", str(LIMIT)))
    told, following = [], []
    async with serving(subject, setup) as server:
        await _warm(server)
        for _ in range(effort.repeats):
            first, second = await _one_behind_the_other(server, effort)
            told.append(first)
            following.append((second, first.sent + LIMIT))
            if not first.status:
                break
    return {
        "hung_late": Sample([(answer.seconds - LIMIT) * MILLI for answer in told], statuses(told)),
        "hung_next": Sample(
            [(answer.at - expiry) * MILLI for answer, expiry in following],
            statuses(answer for answer, _ in following),
        ),
    }


async def _one_behind_the_other(server: Serving, effort: Effort) -> tuple[Answer, Answer]:
    async with asyncio.TaskGroup() as group:
        first = group.create_task(server.client.post(effort.never, seconds=FOREVER))
        await asyncio.sleep(FIRST)
        second = group.create_task(server.client.post(effort.never))
    return first.result(), second.result()


async def crash(subject: Subject, effort: Effort) -> Samples:
    """A run that ends its process."""
    answers, figures = [], []
    async with serving(subject, Setup(lit=30.0, restart=True)) as server:
        for _ in range(effort.repeats):
            await _warm(server)
            answers.append(await server.client.post(effort.never, seconds=0.1, crash=True))
            figures.append((answers[-1].at - server.noted("crash")[-1]) * MILLI)
            if not answers[-1].status:
                break
    return {"crash": Sample(figures, statuses(answers))}


async def _warm(server: Serving) -> None:
    answer = await server.client.post(limit=10.0)
    if answer.status != 200:
        raise RuntimeError(f"an idle server answered {statuses([answer])}")
