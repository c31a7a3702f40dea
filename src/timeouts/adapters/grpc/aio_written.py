"""Handlers that write their responses (`await context.write(...)`) as streams of items.

Law: `write` returns when its message has been sent, as gRPC's own does, so no handler runs ahead.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import wrapt

_END: Any = object()


class _Context(wrapt.ObjectProxy):  # type: ignore[type-arg]
    """The context of an RPC, whose messages go through a queue."""

    def __init__(self, context: Any, messages: asyncio.Queue[Any]) -> None:
        super().__init__(context)
        self._self_messages = messages

    async def write(self, message: Any) -> None:
        """Send a message."""
        self._self_messages.put_nowait(message)
        await self._self_messages.join()


async def written(
    behavior: Callable[[Any, Any], Awaitable[None]], request: Any, context: Any
) -> AsyncGenerator[Any]:
    """Run a handler that writes, and give what it writes."""
    messages: asyncio.Queue[Any] = asyncio.Queue()
    work = asyncio.ensure_future(behavior(request, _Context(context, messages)))
    work.add_done_callback(lambda _: messages.put_nowait(_END))
    try:
        while (message := await messages.get()) is not _END:
            yield message
            messages.task_done()
        await work
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
