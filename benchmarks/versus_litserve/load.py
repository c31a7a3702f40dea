"""An open loop: requests go out when it is their time, whether or not the earlier ones are answered.

Latency counts from the instant that a request was scheduled for; how late it really went out is told
apart, as a measure of the generator.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from time import monotonic

from versus_litserve.client import Answer, Client

GIVE_UP = 3.0  # seconds after which nobody waits for an answer any more
CONNECTIONS = 100


@dataclass(frozen=True)
class Sent:
    """A request of an open loop: when it should have gone out, and what became of it."""

    scheduled: float
    answer: Answer

    @property
    def late(self) -> float:
        """Seconds from the scheduled instant until the request went out."""
        return self.answer.sent - self.scheduled

    def good(self, within: float) -> bool:
        """Tell whether it was answered with a result, in time."""
        return self.answer.status == 200 and self.answer.at - self.scheduled <= within


async def offer(
    client: Client, rate: float, seconds: float, values: dict[str, object]
) -> list[Sent]:
    """Send requests at an even rate for a while; return what became of them."""
    await client.connect(CONNECTIONS)
    start = monotonic() + 0.05
    async with asyncio.TaskGroup() as group:
        tasks = []
        for number in range(round(rate * seconds)):
            scheduled = start + number / rate
            await asyncio.sleep(max(0.0, scheduled - monotonic()))
            tasks.append(group.create_task(_send(client, scheduled, values)))
    return [task.result() for task in tasks]


async def _send(client: Client, scheduled: float, values: dict[str, object]) -> Sent:
    return Sent(scheduled, await client.post(GIVE_UP, **values))
