"""The floors, as peers: what the machine allows, measured in the same turns as the others."""

# ruff: noqa: D102 - as `Peer` says

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, ClassVar

from versus_peers.floor import Arena, PingPong, Prototype, seconds_to_kill
from versus_peers.peers.base import Handler, Peer


class PingPongFloor(Peer):
    """A byte through a socketpair and back: no argument, no result, no limit."""

    name = "floor: ping-pong"
    rows = frozenset({"happy"})

    async def open(
        self,
        handler: Handler,  # noqa: ARG002
        *,
        slots: int,  # noqa: ARG002
        limits: Sequence[float],  # noqa: ARG002
        load: Callable[[], None] | None = None,  # noqa: ARG002
    ) -> None:
        self._pair = PingPong()

    async def call(self, x: object, limit: float) -> Any:  # noqa: ARG002
        self._pair.call()
        return x

    async def close(self) -> None:
        self._pair.kill()


class PrototypeFloor(Peer):
    """The bare prototype; its workers are forked from here, which has loaded the model."""

    name = "floor: prototype"
    rows = frozenset({"happy", "told", "recovery", "kills"})

    async def open(
        self,
        handler: Handler,
        *,
        slots: int,  # noqa: ARG002
        limits: Sequence[float],  # noqa: ARG002
        load: Callable[[], None] | None = None,
    ) -> None:
        if load is not None:
            load()
        self._worker = Prototype(handler)

    async def call(self, x: object, limit: float) -> Any:
        return self._worker.call(x, limit)

    async def close(self) -> None:
        self._worker.kill()


class ArenaFloor(Peer):
    """An array through shared memory that is kept, copied four times."""

    name = "floor: arena"
    rows = frozenset({"array"})
    _arena: Arena | None = None

    async def open(
        self,
        handler: Handler,  # noqa: ARG002
        *,
        slots: int,  # noqa: ARG002
        limits: Sequence[float],  # noqa: ARG002
        load: Callable[[], None] | None = None,  # noqa: ARG002
    ) -> None:
        self._arena = None

    async def call(self, x: Any, limit: float) -> Any:  # noqa: ARG002
        if self._arena is None:
            self._arena = Arena(x)
        return self._arena.call(x)

    async def close(self) -> None:
        if self._arena is not None:
            self._arena.kill()


class KillFloor(Peer):
    """The seconds from SIGKILL to the proof of death; the row makes a rate of it."""

    name = "floor: kill"
    rows = frozenset({"half"})
    measured: ClassVar[int] = 25

    def kill_seconds(self) -> float:
        """Measure it."""
        return median(seconds_to_kill() for _ in range(self.measured))
