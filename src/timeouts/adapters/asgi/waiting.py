"""Waiting for a job on behalf of a client that may leave.

Law: who leaves withdraws the job at once. Most answers are there within milliseconds, and a task that
watches the client costs as much as they do; so it is made when an answer has not come by then, and a
client that has left before is noticed then.
"""

from __future__ import annotations

from timeouts.adapters.asgi.client import Client
from timeouts.call import NOTHING, Call
from timeouts.shell import Shell

WATCH_AFTER = 0.025  # seconds


async def outlast(call: Call, client: Client, shell: Shell) -> None:
    """Suspend until the call has an item or an outcome; a client that leaves gives it one."""
    if call.outcome is None and call.item is NOTHING:
        await call.gate.wait(min(call.armed - call.clock.now(), WATCH_AFTER))
    if call.outcome is None:
        client.watch(lambda: shell.withdraw(call))
        await shell.wait_async(call)
