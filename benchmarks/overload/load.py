"""The two ways to ask: an open loop of clients that leave, and a closed loop of patient ones.

Laws:
- Requests of the open loop go out when it is their time, whether or not the earlier ones are answered.
- A client's patience begins when its request goes out; how late that is, is told of the generator.
- Who has no answer by then closes the connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from time import monotonic

from overload.counting import Asked
from overload.lines import Lines
from timeouts.sim import Poisson
from timeouts.sim.chance import stream

CONNECTIONS = 50
WARM = 0.2  # seconds until all patient clients ask
NEVER = 30.0  # seconds; no patient client waits so long


def schedule(rate: float, seconds: float, seed: int) -> list[float]:
    """Return the instants, from 0 on, at which independent callers ask: those of a simulation with this seed."""
    instants: list[float] = []
    for instant in Poisson(rate).instants(stream(seed, "arrivals")):
        if instant >= seconds:
            break
        instants.append(instant)
    return instants


async def offer(lines: Lines, instants: Sequence[float], patience: float) -> list[Asked]:
    """Send a request at each instant; return what became of them."""
    await lines.connect(CONNECTIONS)
    start = monotonic() + 0.1
    async with asyncio.TaskGroup() as group:
        tasks = []
        for number, instant in enumerate(instants):
            await asyncio.sleep(max(0.0, start + instant - monotonic()))
            tasks.append(group.create_task(_ask(lines, number, start + instant, patience)))
    return [task.result() for task in tasks]


async def _ask(lines: Lines, number: int, scheduled: float, patience: float) -> Asked:
    answer = await lines.ask(patience, number)
    return Asked(scheduled, answer.sent, answer.status, answer.at)


async def saturate(lines: Lines, clients: int, seconds: float, numbers: Iterator[int]) -> float:
    """Have so many clients ask again and again; return how many are answered a second, once they all ask."""
    begin = monotonic() + WARM
    end, ended = begin + seconds, list[float]()
    await asyncio.gather(*(_again(lines, end, ended, numbers) for _ in range(clients)))
    within = sorted(at for at in ended if begin <= at < end)
    if len(within) < 2:
        raise RuntimeError(f"{len(within)} answers in {seconds:g} s: the machine is too busy")
    return (len(within) - 1) / (within[-1] - within[0])


async def _again(lines: Lines, end: float, ended: list[float], numbers: Iterator[int]) -> None:
    while monotonic() < end:
        answer = await lines.ask(NEVER, next(numbers))
        if answer.status != 200:
            raise RuntimeError(f"a server without limits answered {answer.status or 'nothing'}")
        ended.append(answer.at)
