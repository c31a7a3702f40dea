"""The standard library's ProcessPoolExecutor: as it is, and with the recipe that stops a call."""

# ruff: noqa: D102 - as `Peer` says

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from threading import Lock, Semaphore
from typing import Any, ClassVar

from versus_peers.peers.base import CANNOT_STOP, Handler, Peer


class Executor(Peer):
    """`submit(f, x).result(timeout)`: the caller is told, the work runs on."""

    name = "ProcessPoolExecutor"
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
        self._handler, self._slots, self._load = handler, slots, load
        # The limit of `result` counts from `submit`: a call comes when a worker is free, so that
        # it need not be spent in the queue.
        self._free, self._lock = Semaphore(slots), Lock()
        self._pool = self._make()

    def _make(self) -> Any:
        return ProcessPoolExecutor(self._slots, initializer=self._load)

    async def call(self, x: object, limit: float) -> Any:
        with self._free:
            return self._pool.submit(self._handler, x).result(limit)

    async def flood(self, xs: Sequence[object], limit: float) -> None:
        for future in [self._pool.submit(self._handler, x) for x in xs]:
            future.result(limit)

    async def close(self) -> None:
        self._end(self._pool)

    def _end(self, pool: Any) -> None:
        for process in list(pool._processes.values()):  # noqa: SLF001 - as `kill_workers` of 3.14
            process.kill()
        pool.shutdown(cancel_futures=True)


class RebuiltExecutor(Executor):
    """On expiry kill all workers, neighbours included, and make a new executor."""

    name = "ProcessPoolExecutor, rebuilt"
    stops = "all workers"
    ends: ClassVar[tuple[type[Exception], ...]] = (TimeoutError, BrokenProcessPool)
    cannot: ClassVar[Mapping[str, str]] = {
        "happy": "as without",
        "flight": "as without",
        "array": "as without",
    }

    async def call(self, x: object, limit: float) -> Any:
        with self._free:
            pool = self._pool
            try:
                return pool.submit(self._handler, x).result(limit)
            except self.ends:
                with self._lock:
                    if self._pool is pool:
                        self._end(pool)
                        self._pool = self._make()
                raise
