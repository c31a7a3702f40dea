"""How late 10,000 waiting callers are told that their deadlines have passed.

They wait behind busy slots, their deadlines are spread evenly over one second, in random order, after
the last of them has come. Lateness: from a caller's deadline to the instant at which he has the error.

A full round of the garbage collector stops everything in the process, 10,000 waiting callers or bare
timers alike, for some 0.1 s. One is made before the first deadline, so that none is due after it;
a server that cannot afford one calls `gc.freeze()` once it is warm.
"""

from __future__ import annotations

import asyncio
import gc
import math
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from random import Random
from statistics import median, quantiles
from time import monotonic

from measure import bar, is_quick, print_header
from timeouts import (
    ExecutionTimeout,
    GatewayTimeout,
    GatewayTimeoutError,
    QueueTimeout,
    Server,
)

LIMITS = GatewayTimeout(30) | QueueTimeout(20) | ExecutionTimeout(25)
SLOTS = 4
SPREAD = 1.0
PAUSE = 0.5
BASE = "bare call_at"


def deadlines(callers: int) -> list[float]:
    """Return the callers' deadlines, which begin when all of them have come."""
    first = monotonic() + PAUSE + callers * 3e-4
    instants = [first + SPREAD * n / callers for n in range(callers)]
    Random(1).shuffle(instants)
    return instants


def begin(server: Server, instants: list[float]) -> None:
    """See that all callers wait, and have the garbage collector do its round now."""
    gc.collect()
    assert server.stats().waiting == len(instants)
    assert monotonic() < min(instants), "this machine is too busy to tell anything"


async def bare_timers(callers: int) -> list[float]:
    """What the event loop itself can do: `call_at` and nothing else."""
    loop = asyncio.get_running_loop()
    late: list[float] = []
    done = asyncio.Event()

    def tell(deadline: float) -> None:
        late.append(monotonic() - deadline)
        if len(late) == callers:
            done.set()

    for deadline in deadlines(callers):
        loop.call_at(deadline, tell, deadline)
    gc.collect()
    await done.wait()
    return late


async def coroutines(callers: int) -> list[float]:
    """Callers that await `acall`."""
    late: list[float] = []
    release = asyncio.Event()

    async def caller(server: Server, deadline: float) -> None:
        try:
            await server.acall(budget=deadline - monotonic())
        except GatewayTimeoutError:
            late.append(monotonic() - deadline)

    async with Server(release.wait, LIMITS, slots=SLOTS, capacity=math.inf) as server:
        busy = [asyncio.create_task(server.acall()) for _ in range(SLOTS)]
        instants = deadlines(callers)
        tasks = [asyncio.create_task(caller(server, deadline)) for deadline in instants]
        await asyncio.sleep(0)  # each of them has had its turn
        begin(server, instants)
        await asyncio.gather(*tasks)
        release.set()
        await asyncio.gather(*busy)
    return late


def futures(callers: int) -> list[float]:
    """Callers that hold the future of a `submit`; one timer thread serves them all."""
    late: list[float] = []
    told, release = threading.Semaphore(0), threading.Event()

    def tell(deadline: float, future: Future[object]) -> None:
        late.append(monotonic() - deadline)
        assert isinstance(future.exception(), GatewayTimeoutError)
        told.release()

    with Server(release.wait, LIMITS, slots=SLOTS, capacity=math.inf) as server:
        for _ in range(SLOTS):
            server.submit()
        instants = deadlines(callers)
        for deadline in instants:
            future = server.submit(budget=deadline - monotonic())
            future.add_done_callback(partial(tell, deadline))
        begin(server, instants)
        for _ in range(callers):
            told.acquire()
        release.set()
    return late


def main() -> None:
    quick = is_quick(__doc__)
    callers, rounds = (100, 1) if quick else (10_000, 3)
    print_header(f"{callers:,} callers, deadlines spread over {SPREAD:g} s")
    ways: dict[str, Callable[[int], list[float]]] = {
        BASE: lambda n: asyncio.run(bare_timers(n)),
        "acall": lambda n: asyncio.run(coroutines(n)),
        "submit": futures,
    }
    late: dict[str, list[list[float]]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, told in ways.items():
            late[way].append(told(callers))
    print_lateness(late)


def print_lateness(late: dict[str, list[list[float]]]) -> None:
    """Print a row for each way: the medians, over the rounds, of each round's figures."""
    print(f"{'':12}  {'p50':>8}  {'p99':>8}  {'max':>8}  bar, for p99")
    for way, rounds in late.items():
        p50, p99, most = map(median, zip(*map(percentiles, rounds), strict=True))
        verdict = bar(" ms", p99, None if way == BASE else 10)
        print(f"{way:12}  {p50:5.2f} ms  {p99:5.2f} ms  {most:5.2f} ms  {verdict}".rstrip())


def percentiles(seconds: list[float]) -> tuple[float, float, float]:
    """Return p50, p99 and the maximum, in ms."""
    assert min(seconds) > -0.001, "told before the deadline"
    millis = [1e3 * lateness for lateness in seconds]
    cuts = quantiles(millis, n=100)
    return cuts[49], cuts[98], max(millis)


if __name__ == "__main__":
    main()
