"""trio-parallel: a private pipe per worker, killed on cancellation; for trio only."""

# ruff: noqa: D102 - as `Peer` says

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

from versus_peers.peers.base import Handler, LoopPeer


class TrioProcess(LoopPeer):
    """`run_sync(f, x, kill_on_cancel=True)` under `fail_after`."""

    name = "trio-parallel"
    packages = ("trio-parallel", "trio")

    def __init__(self) -> None:
        import trio
        import trio_parallel

        self._library: Any = trio
        self._parallel: Any = trio_parallel

    def _group(self) -> Any:
        return self._library.open_nursery()

    async def open(
        self,
        handler: Handler,
        *,
        slots: int,
        limits: Sequence[float],  # noqa: ARG002
        load: Callable[[], None] | None = None,
    ) -> None:
        self._handler = handler
        self._free = self._library.Semaphore(slots)
        self._limiter = self._library.CapacityLimiter(slots)
        self._exits = AsyncExitStack()
        self._workers = await self._exits.enter_async_context(
            self._parallel.open_worker_context(init=load or bool)
        )

    async def call(self, x: object, limit: float) -> Any:
        try:
            async with self._free:
                with self._library.fail_after(limit):
                    return await self._workers.run_sync(
                        self._handler, x, kill_on_cancel=True, limiter=self._limiter
                    )
        except self._library.TooSlowError as expiry:
            raise TimeoutError from expiry

    async def close(self) -> None:
        await self._exits.aclose()
