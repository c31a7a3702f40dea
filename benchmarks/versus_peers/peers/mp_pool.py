"""multiprocessing.Pool: the fastest of the shared pools, and the one that can stop nothing."""

# ruff: noqa: D102 - as `Peer` says

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from multiprocessing import Pool
from multiprocessing import TimeoutError as PoolTimeoutError
from typing import Any, ClassVar

from versus_peers.peers.base import CANNOT_STOP, Handler, Peer


class MpPool(Peer):
    """`apply_async(f, (x,)).get(timeout)`: the caller is told, the work runs on."""

    name = "multiprocessing.Pool"
    stops = ""
    cannot: ClassVar[Mapping[str, str]] = {
        "recovery": CANNOT_STOP,
        "half": CANNOT_STOP,
        "kills": CANNOT_STOP,
    }

    async def open(
        self,
        handler: Handler,
        *,
        slots: int,
        limits: Sequence[float],  # noqa: ARG002
        load: Callable[[], None] | None = None,
    ) -> None:
        self._handler = handler
        self._pool = Pool(slots, initializer=load)

    async def call(self, x: object, limit: float) -> Any:
        try:
            return self._pool.apply_async(self._handler, (x,)).get(limit)
        except PoolTimeoutError as expiry:
            raise TimeoutError from expiry

    async def flood(self, xs: Sequence[object], limit: float) -> None:
        for result in [self._pool.apply_async(self._handler, (x,)) for x in xs]:
            result.get(limit)

    async def close(self) -> None:
        self._pool.terminate()
        self._pool.join()
