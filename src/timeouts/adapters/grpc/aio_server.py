"""The interceptor for `grpc.aio.server`, whose handlers run as tasks.

Laws:
- The handler is a task of its own, on the loop of the gRPC server; an expiry cancels it.
- gRPC cancels its own task when the client has left, and drops a stream that it no longer sends; the
  job is withdrawn by either. (A callback of gRPC's would say so too, but ties each call into a cycle.)
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from types import TracebackType
from typing import Any, Self, Unpack

from timeouts.adapters.classes import NO_CLASSES, Classes
from timeouts.adapters.grpc.aio_written import written
from timeouts.adapters.grpc.base import Limited, Rpc, around, behavior_of
from timeouts.adapters.grpc.guest import aio
from timeouts.adapters.grpc.limits import Limits
from timeouts.call import NOTHING, Call
from timeouts.decorate import Options
from timeouts.errors import TimeoutsError
from timeouts.gate import LoopGate
from timeouts.observe.observer import logger
from timeouts.statuses import STATUSES, Statuses


class AioTimeoutInterceptor(Limited, aio.ServerInterceptor):
    """Put the methods of a `grpc.aio.server` under limits; `async with` drains and closes them.

    Args:
        limits: a policy, or policies joined with `|`, outermost first; None for no limits.
        methods: other limits for single methods, by their full names (`"/pkg.Service/Method"`). None
            as the limits leaves the method alone: it takes no slot, and waits for none.
        statuses: the table of codes.
        classes: the metadata that say who asks and how important it is, for a `discipline` that looks at it,
            such as `Classes(tenant="x-tenant")`; default none.
        **options: as for `Server`: slots (default: unlimited), capacity, discipline, admission,
            observers, clock, drain_timeout. Slots and queue are shared by all methods.

    Raises:
        TypeError, ValueError: an argument makes no sense; the message names it and its value.

    Cannot do: stop code that blocks the loop, or limit a `def` handler, which gRPC runs on a thread:
    it is left alone, with a warning in the log (logger `timeouts`). Make it `async def`.
    """

    def __init__(
        self,
        limits: Limits = None,
        *,
        methods: Mapping[str, Limits] | None = None,
        statuses: Statuses = STATUSES,
        classes: Classes = NO_CLASSES,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(rpc, limits, methods, statuses, options, classes=classes)
        self._warned = set[str]()

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any
    ) -> Any:
        """Return the method that was asked for, under its limits; called by gRPC."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or self.leaves_alone(method):
            return handler
        if not _is_async(behavior_of(handler)):
            self._warn(method)
            return handler
        call = _AioRpc(self, method, handler)
        return around(handler, call.stream if call.gives_many else call.unary)

    def _warn(self, method: str) -> None:
        if method not in self._warned:
            self._warned.add(method)
            logger.warning("%s is no async def handler, so it is under no limits", method)

    async def __aenter__(self) -> Self:
        """Use the limits for the length of a block; inside it start and stop the gRPC server."""
        await self.server.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        """Drain and close; after an exception, close at once. Cancelled tasks are waited for."""
        await self.server.__aexit__(kind, error, trace)


async def rpc(*_: Any) -> AsyncGenerator[Any]:
    """Stand for the jobs, each of which is an `Rpc`: all are streams, a unary one without items."""
    raise NotImplementedError
    yield


def _is_async(behavior: Any) -> bool:
    return inspect.iscoroutinefunction(behavior) or inspect.isasyncgenfunction(behavior)


class _AioRpc(Rpc):
    """A call whose caller is gRPC's task, which runs `unary` or `stream`."""

    async def unary(self, request: Any, context: Any) -> Any:
        """Suspend until there is a response."""
        async with self._job(request, context) as call:
            await self.shell.wait_async(call)
            call.result()
        return self.response

    async def stream(self, request: Any, context: Any) -> AsyncGenerator[Any]:
        """Give the responses, each when gRPC has sent the one before."""
        async with self._job(request, context) as call:
            await self.shell.wait_async(call)
            while call.item is not NOTHING:
                yield call.take_item()
                self.shell.resume(call)
                await self.shell.wait_async(call)
            call.result()

    @asynccontextmanager
    async def _job(self, request: Any, context: Any) -> AsyncGenerator[Call]:
        call = self.job(LoopGate(asyncio.get_running_loop()), request, context)
        try:
            self.arrive(call)
            yield call
        except TimeoutsError as error:
            await context.abort(*self.answer(error, context))
        finally:
            self.leave(call)

    async def __call__(self, request: Any, context: Any) -> AsyncGenerator[Any]:
        """Run the handler, as a task of its own."""
        self.begun = True
        if not self.gives_many:
            self.response = await self.behavior(request, context)
            return
        async with aclosing(self._items(request, context)) as items:
            async for item in items:
                yield item

    def _items(self, request: Any, context: Any) -> AsyncGenerator[Any]:
        items: AsyncGenerator[Any]
        if inspect.isasyncgenfunction(self.behavior):
            items = self.behavior(request, context)
        else:
            items = written(self.behavior, request, context)
        return items
