"""Doorbells that are also ears: whoever waits at one hears his worker directly, through no third party.

Law: whoever begins to listen to a worker has looked, or will look, at the deadline that came with it.
A thread that blocks already is rung first, and listens when it comes back to wait; a loop is told by
`rearm` if the deadline is nearer than the one it waits for.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from threading import get_ident
from typing import TYPE_CHECKING, Any

from timeouts.gate import Gate, LoopGate

if TYPE_CHECKING:
    from timeouts.call import Call
    from timeouts.workers.process.channel import Worker
    from timeouts.workers.process.pool import ProcessPool


class WireGate(Gate):
    """The doorbell of a thread, which blocks on it, and then on its worker's channel."""

    __slots__ = ("_offered", "_pool", "_thread", "_worker")

    def __init__(self, pool: ProcessPool) -> None:
        super().__init__()
        self._pool = pool
        self._offered: Worker | None = None
        self._worker: Worker | None = None
        self._thread = get_ident()

    def offer(self, worker: Worker) -> None:
        """Say whom to listen to from now on."""
        if get_ident() == self._thread:  # the waiter himself, who has yet to look at his deadline
            self._worker = worker
        else:
            self._offered = worker
            self.ring()

    def wait(self, seconds: float = math.inf) -> bool:
        """Block until rung, or until the worker has spoken, at most `seconds`."""
        worker = self._worker
        if worker is None:
            rung = super().wait(seconds)
            self._worker, self._offered = self._offered, None
            return rung
        if self._lock.acquire(blocking=False):
            return True
        try:
            frames = worker.receive(seconds)
        except EOFError:
            self._worker = None  # its end is told by a ring
            return True
        if frames is None:
            return False
        self._pool.hear(worker, frames)
        return True


class WireLoopGate(LoopGate):
    """The doorbell of a coroutine, whose loop also watches the worker's channel."""

    __slots__ = ("_call", "_listening", "_pool", "_worker")

    def __init__(self, pool: ProcessPool, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._pool = pool
        self._worker: Worker | None = None
        self._call: Call | None = None
        self._listening = False

    def offer(self, worker: Worker) -> None:
        """Say whom to listen to from now on."""
        self._call = worker.call
        if get_ident() == self._thread:
            self._listen(worker)
        else:
            with contextlib.suppress(RuntimeError):  # the loop is closed, so nobody waits
                self.loop.call_soon_threadsafe(self._listen, worker)

    async def wait(self, seconds: float = math.inf) -> bool:
        """Suspend until rung, at most `seconds`, and listen meanwhile."""
        if self._worker is not None and not self._listening:
            self._listen(self._worker)
        try:
            return await super().wait(seconds)
        except BaseException:
            self._stop_listening()  # the caller leaves
            raise

    def _ring(self) -> None:
        self._stop_listening()
        super()._ring()

    def _listen(self, worker: Worker) -> None:
        self._worker = worker
        if self._call is not None and worker.call is self._call and not worker.watching:
            self._listening = True
            self.loop.remove_reader(worker.fd)  # of one that is gone, and had the same number
            self.loop.add_reader(worker.fd, self._hear)

    def _stop_listening(self) -> None:
        if self._listening:
            self._listening = False
            if self._worker is not None:
                self.loop.remove_reader(self._worker.fd)

    def _hear(self) -> None:
        worker: Any = self._worker
        try:
            frames = worker.receive_now()
        except EOFError:  # its end is told by a ring
            self._stop_listening()
            self._worker = None
            return
        if frames:
            self._stop_listening()
            self._pool.hear(worker, frames)
