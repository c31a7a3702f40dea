"""anyio.to_process: a private pipe per worker, killed on cancellation; for event loops only."""

# ruff: noqa: D102 - as `Peer` says

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from versus_peers.peers.base import Handler, LoopPeer


class AnyioProcess(LoopPeer):
    """`to_process.run_sync(f, x, cancellable=True)` under `fail_after`, on asyncio."""

    name = "anyio.to_process"
    packages = ("anyio",)

    def __init__(self) -> None:
        import anyio.to_process

        self._library: Any = anyio

    def _group(self) -> Any:
        return self._library.create_task_group()

    async def open(
        self,
        handler: Handler,
        *,
        slots: int,
        limits: Sequence[float],  # noqa: ARG002
        load: Callable[[], None] | None = None,  # noqa: ARG002 - it has no initializer
    ) -> None:
        self._handler = handler
        self._free = self._library.Semaphore(slots)
        self._limiter = self._library.CapacityLimiter(slots)

    async def call(self, x: object, limit: float) -> Any:
        async with self._free:
            with self._library.fail_after(limit):
                return await self._library.to_process.run_sync(
                    self._handler, x, cancellable=True, limiter=self._limiter
                )

    async def close(self) -> None:
        """Do nothing: its workers end with the loop."""
