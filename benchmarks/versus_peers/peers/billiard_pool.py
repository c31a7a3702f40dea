"""billiard, the pool under celery: hard limits, looked at once a second."""

# ruff: noqa: D102 - as `Peer` says

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from versus_peers.peers.base import Handler, Peer


class BilliardPool(Peer):
    """`apply_async(f, (x,), timeout=...)`: its hard time limit, which kills the worker."""

    name = "billiard"
    packages = ("billiard",)

    async def open(
        self,
        handler: Handler,
        *,
        slots: int,
        limits: Sequence[float],  # noqa: ARG002
        load: Callable[[], None] | None = None,
    ) -> None:
        from billiard import Pool
        from billiard.exceptions import TimeLimitExceeded

        self._handler, self._expiry = handler, TimeLimitExceeded
        # Without a limit for the pool the limits of calls are not looked at.
        self._pool = Pool(slots, initializer=load, timeout=600)

    async def call(self, x: object, limit: float) -> Any:
        result = self._pool.apply_async(self._handler, (x,), timeout=limit)
        try:
            return result.get()
        except Exception as failure:
            if isinstance(getattr(failure, "exc", failure), self._expiry):  # it wraps its own
                raise TimeoutError from failure
            raise

    async def flood(self, xs: Sequence[object], limit: float) -> None:
        for result in [self._pool.apply_async(self._handler, (x,), timeout=limit) for x in xs]:
            result.get()

    async def close(self) -> None:
        self._pool.terminate()
        self._pool.join()
