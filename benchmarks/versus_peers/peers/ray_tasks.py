"""Ray: tasks on a cluster, here of one machine."""

# ruff: noqa: D102 - as `Peer` says

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from tempfile import TemporaryDirectory
from threading import Semaphore
from typing import Any

from versus_peers.peers.base import Handler, Peer


class RayTasks(Peer):
    """`ray.get(f.remote(x), timeout=...)`, on expiry `ray.cancel(..., force=True)`."""

    name = "ray"
    packages = ("ray",)
    share = 0.4  # each sample starts a cluster, and each expiry a worker

    async def open(
        self,
        handler: Handler,
        *,
        slots: int,
        limits: Sequence[float],  # noqa: ARG002
        load: Callable[[], None] | None = None,  # noqa: ARG002 - tasks have no initializer
    ) -> None:
        import ray

        self._ray: Any = ray
        self._files = TemporaryDirectory(prefix="ray-")
        self._ray.init(
            num_cpus=slots,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _temp_dir=self._files.name,
        )
        self._remote = self._ray.remote(max_retries=0)(handler)
        self._free = Semaphore(slots)

    async def call(self, x: object, limit: float) -> Any:
        with self._free:
            pending = self._remote.remote(x)
            try:
                return self._ray.get(pending, timeout=limit)
            except TimeoutError:
                self._ray.cancel(pending, force=True)
                raise

    async def flood(self, xs: Sequence[object], limit: float) -> None:
        self._ray.get([self._remote.remote(x) for x in xs], timeout=limit)

    async def close(self) -> None:
        self._ray.shutdown()
        self._files.cleanup()
