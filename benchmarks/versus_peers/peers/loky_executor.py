"""loky: an executor that survives the death of a worker by starting anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from versus_peers.peers.executor import RebuiltExecutor


class LokyExecutor(RebuiltExecutor):
    """`submit(f, x).result(timeout)`; on expiry `shutdown(kill_workers=True)` and a new one."""

    name = "loky"
    packages = ("loky",)
    cannot: ClassVar[Mapping[str, str]] = {}
    ends: ClassVar[tuple[type[Exception], ...]] = (Exception,)

    def _make(self) -> Any:
        from loky import ProcessPoolExecutor

        return ProcessPoolExecutor(self._slots, initializer=self._load)

    def _end(self, pool: Any) -> None:
        pool.shutdown(wait=True, kill_workers=True)
