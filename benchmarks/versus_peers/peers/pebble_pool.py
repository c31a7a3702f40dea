"""pebble: a pool whose manager looks at all limits every 0.1 s and kills what has expired."""

# ruff: noqa: D102 - as `Peer` says

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from versus_peers.peers.base import Handler, Peer


class PebblePool(Peer):
    """`pebble.ProcessPool` with the start method it takes by default."""

    name = "pebble"
    packages = ("pebble",)

    def _options(self) -> dict[str, Any]:
        return {}

    async def open(
        self,
        handler: Handler,
        *,
        slots: int,
        limits: Sequence[float],  # noqa: ARG002
        load: Callable[[], None] | None = None,
    ) -> None:
        from pebble import ProcessPool

        self._handler = handler
        self._pool = ProcessPool(max_workers=slots, initializer=load, **self._options())

    async def call(self, x: object, limit: float) -> Any:
        return self._pool.schedule(self._handler, args=(x,), timeout=limit).result()

    async def flood(self, xs: Sequence[object], limit: float) -> None:
        futures = [self._pool.schedule(self._handler, args=(x,), timeout=limit) for x in xs]
        for future in futures:
            future.result()

    async def close(self) -> None:
        self._pool.stop()
        self._pool.join(timeout=5)


class PebbleForkserver(PebblePool):
    """The same, safe beside the threads of a server."""

    name = "pebble, forkserver"

    def _options(self) -> dict[str, Any]:
        from multiprocessing import get_context

        return {"context": get_context("forkserver")}
