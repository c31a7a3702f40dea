"""A trivial prediction, over and over: what a server costs.

All servers are up the whole time, and take turns at the same number of connections.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from versus_litserve import wrk
from versus_litserve.effort import Effort, Sample, Samples
from versus_litserve.serving import serving
from versus_litserve.subjects import LITSERVE, OURS, PLAIN, TASK, THREAD, Setup

SETUP = Setup(
    handler="square",
    lit=30.0,
    ours=("--gateway-timeout", "30", "--queue-timeout", "10", "--execution-timeout", "20"),
)
SUBJECTS = (LITSERVE, OURS, PLAIN, THREAD, TASK)
CONNECTIONS = (1, 8, 32)


async def throughput(only: str, effort: Effort, rounds: int) -> AsyncIterator[tuple[str, Samples]]:
    """Yield the samples of one server at a time, with its name, which begins with `only`."""
    async with AsyncExitStack() as stack:
        ports = {}
        for subject in (one for one in SUBJECTS if one.name.startswith(only)):
            server = await stack.enter_async_context(serving(subject, SETUP))
            ports[subject.name] = server.port
            await wrk.run(server.port, 8, 1)  # warm
        for number in range(rounds):
            for connections in CONNECTIONS:
                for name in ports if number % 2 == 0 else reversed(ports):
                    rate = await wrk.run(ports[name], connections, effort.wrk)
                    yield name, _samples(rate, connections)


def _samples(rate: wrk.Rate, connections: int) -> Samples:
    note = f"{rate.errors} errors" if rate.errors else ""
    return {
        f"rate{connections}": Sample([rate.per_second], note),
        f"p50_{connections}": Sample([rate.p50 * 1000]),
        f"p99_{connections}": Sample([rate.p99 * 1000]),
    }
