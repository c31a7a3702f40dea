"""wrapt_timeout_decorator without signals: a process per call, forked from the caller's own."""

# ruff: noqa: D102 - as `Peer` says

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Semaphore
from typing import Any, ClassVar

from versus_peers.peers.base import Handler, Peer


class WraptProcess(Peer):
    """`@timeout(limit, use_signals=False)`; a model loaded here comes to each by copy-on-write."""

    name = "wrapt_timeout_decorator"
    packages = ("wrapt_timeout_decorator",)
    cannot: ClassVar[Mapping[str, str]] = {"flight": "no pool: a process per call"}

    async def open(
        self,
        handler: Handler,
        *,
        slots: int,
        limits: Sequence[float],  # noqa: ARG002
        load: Callable[[], None] | None = None,
    ) -> None:
        self._handler, self._free = handler, Semaphore(slots)
        self._limited: dict[float, Handler] = {}
        if load is not None:
            load()

    async def call(self, x: object, limit: float) -> Any:
        limited = self._limited.get(limit)
        if limited is None:
            limited = self._limited[limit] = self._decorate(limit)
        with self._free:
            return limited(x)

    def _decorate(self, limit: float) -> Handler:
        from wrapt_timeout_decorator import timeout

        limited: Handler = timeout(limit, use_signals=False)(self._handler)
        return limited

    async def close(self) -> None:
        """Do nothing: each process has ended with its call."""
