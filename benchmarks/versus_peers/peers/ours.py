"""The process workers of this package, all three policies in force."""

# ruff: noqa: D102 - as `Peer` says

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import ExitStack
from typing import Any, ClassVar, TypeVar

from versus_peers.peers.base import Caller, Handler, Peer

T = TypeVar("T")


class Ours(Peer):
    """`server.call` from threads; the model, where there is one, is preloaded."""

    name = "timeouts"
    packages = ("timeouts",)
    spares: ClassVar[int] = 0

    async def open(
        self,
        handler: Handler,
        *,
        slots: int,
        limits: Sequence[float],
        load: Callable[[], None] | None = None,
    ) -> None:
        from timeouts import (
            ExecutionTimeout,
            GatewayTimeout,
            ProcessWorkers,
            QueueTimeout,
            Server,
        )

        self._exits = ExitStack()
        self._servers = {
            limit: self._exits.enter_context(
                Server(
                    handler,
                    GatewayTimeout(30) | QueueTimeout(20) | ExecutionTimeout(limit),
                    slots=slots,
                    capacity=math.inf,
                    workers=ProcessWorkers(preload=load, spares=self.spares),
                )
            )
            for limit in limits
        }

    async def call(self, x: object, limit: float) -> Any:
        return self._servers[limit].call(x)

    async def ready(self, x: object, limit: float) -> Any:
        return await self.call(x, limit)  # the start of a worker is not covered by a call's limit

    async def flood(self, xs: Sequence[object], limit: float) -> None:
        submit = self._servers[limit].submit
        for future in [submit(x) for x in xs]:
            future.result()

    async def close(self) -> None:
        for server in self._servers.values():
            server.close()
        self._exits.close()


class OursSpare(Ours):
    """The same with a worker in reserve."""

    name = "timeouts, spares=1"
    rows = frozenset({"told", "recovery", "half"})
    spares = 1


class OursAwaited(Ours):
    """`await server.acall` from coroutines of one event loop, without threads."""

    name = "timeouts, awaited"
    rows = frozenset({"happy", "flight", "told", "half", "array"})

    def run(self, main: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return asyncio.run(main())

    async def call(self, x: object, limit: float) -> Any:
        return await self._servers[limit].acall(x)

    async def flood(self, xs: Sequence[object], limit: float) -> None:
        acall = self._servers[limit].acall
        await asyncio.gather(*[acall(x) for x in xs])

    async def together(self, callers: Iterable[Caller]) -> None:
        await asyncio.gather(*[caller() for caller in callers])
