"""The ladder on which a worker is stopped: each rung optional, each bounded, the last one certain.

    stacks   it writes the stacks of all its threads into the log, even with the GIL held
    SIGTERM  it may end in peace, for as long as the grace lasts
    SIGKILL  it and its process group are dead at once; no handler can refuse

Before the ladder comes the soft limit, which is the handler's own business (`ExecutionTimeout(soft=…)`).
Everything here is driven from outside the worker.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from timeouts.workers.process.channel import Worker
from timeouts.workers.process.dumps import Dump

DUMP_LIMIT = 0.1  # seconds; a stopped process, or one deep in the kernel, writes nothing


class Ladder(NamedTuple):
    """Which rungs there are.

    Attributes:
        stacks: whether the stacks are wanted.
        term_grace: seconds between SIGTERM and SIGKILL; 0 for no SIGTERM.
    """

    stacks: bool
    term_grace: float

    async def climb(self, worker: Worker, dump: Dump) -> None:
        """Kill a worker, after what else there is; its death follows."""
        if self.stacks and not worker.died.done():
            worker.dump()
            await _first(worker.died, dump.complete, seconds=DUMP_LIMIT)
        if self.term_grace and not worker.died.done():
            worker.terminate()
            await _first(worker.died, seconds=self.term_grace)
        worker.kill()


async def _first(*events: asyncio.Future[None], seconds: float) -> None:
    await asyncio.wait(events, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
