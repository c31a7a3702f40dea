"""Servers over Ray actors that many cases share, and how to look at them from outside."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tests.shells.recorder import GUARD, Recorder
from timeouts import RayWorkers, Server
from timeouts.testing import hostile

PATIENCE = 2 * GUARD


class Hall:
    """A server of `hostile.run` over two actors, with a recorder, shared by many cases."""

    def __init__(self, limits: Any = None, *, slots: int = 2, **options: Any) -> None:
        self.recorder = Recorder()
        self.server = Server(
            hostile.run,
            limits,
            slots=slots,
            workers=RayWorkers(**options),
            observers=[self.recorder],
        )

    def settle(self) -> None:
        """Wait until all actors are there and free; see the books balance, with nobody in them."""
        server = self.server
        server.start()
        assert server._wait_until(lambda: server._shell.core.free == server._slots, PATIENCE)
        stats = server.stats()
        assert (stats.waiting, stats.running, stats.abandoned) == (0, 0, 0), stats
        assert stats.free == stats.slots == self.server._slots, stats
        assert stats.arrived == sum(stats.outcomes.values()), stats

    def workers(self) -> list[Any]:
        """Return the workers, as they are now."""
        staff = self.server._shell.pool._staff  # type: ignore[attr-defined]
        return [worker for worker in staff._workers.values() if worker is not None]

    def pids(self) -> set[int]:
        """Return their processes."""
        return {worker.pid for worker in self.workers() if worker.pid}

    def close(self) -> None:
        """Close the server, and wait for the end of its actors."""
        self.server.__exit__(None, None, None)


def eventually(condition: Callable[[], object]) -> None:
    """Wait until something is so; fail if it never is."""
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def actors() -> list[str]:
    """Return the classes of all actors that Ray believes to be alive."""
    import ray

    table = ray._private.state.actors()
    return [a["ActorClassName"] for a in table.values() if a["State"] != "DEAD"]
