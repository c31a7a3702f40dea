"""mpire: a pool that interrupts Python code by a signal, looked at every 0.1 s."""

# ruff: noqa: D102 - as `Peer` says

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from versus_peers.peers.base import Handler, Peer


class MpirePool(Peer):
    """`apply_async(f, (x,), task_timeout=...)`: an exception in the worker, which lives on."""

    name = "mpire"
    packages = ("mpire",)
    stops = "Python code only"

    async def open(
        self,
        handler: Handler,
        *,
        slots: int,
        limits: Sequence[float],  # noqa: ARG002
        load: Callable[[], None] | None = None,
    ) -> None:
        from mpire import WorkerPool

        self._handler, self._load = handler, load
        self._pool = WorkerPool(slots)

    def _submit(self, x: object, limit: float) -> Any:
        return self._pool.apply_async(
            self._handler, (x,), worker_init=self._load, task_timeout=limit
        )

    async def call(self, x: object, limit: float) -> Any:
        return self._submit(x, limit).get()

    async def flood(self, xs: Sequence[object], limit: float) -> None:
        for result in [self._submit(x, limit) for x in xs]:
            result.get()

    async def close(self) -> None:
        self._pool.terminate()
