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
from typing import TYPE_CHECKING

from timeouts.gate import Gate, LoopGate

if TYPE_CHECKING:
    from timeouts.call import Call
    from timeouts.workers.process.channel import Worker
    from timeouts.workers.process.pool import ProcessPool

LOOK = 0.005  # seconds between two looks at a loop that is to let go of a channel


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

    __slots__ = ("_pool", "_worker", "call")

    def __init__(self, pool: ProcessPool, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._pool = pool
        self._worker: Worker | None = None
        self.call: Call | None = None

    def offer(self, worker: Worker) -> None:
        """Say whom to listen to from now on."""
        self.call = worker.call
        if get_ident() == self._thread:
            self._listen(worker)
        else:
            with contextlib.suppress(RuntimeError):  # the loop is closed, so nobody waits
                self.loop.call_soon_threadsafe(self._listen, worker)

    async def wait(self, seconds: float = math.inf) -> bool:
        """Suspend until rung, at most `seconds`, and listen meanwhile."""
        if self._worker is not None:
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
        if self.call is not None and worker.call is self.call and not worker.watching:
            listener = worker.listeners.get(self.loop) or Listener(self._pool, worker, self.loop)
            listener.listen(self)

    def _stop_listening(self) -> None:
        if (
            self._worker is not None
            and (listener := self._worker.listeners.get(self.loop)) is not None
        ):
            listener.rest(self)


class Listener:
    """A loop's reader of one channel, which stays from call to call: to come and go costs as much as a call.

    Law: it reads for nobody but the gate of the call that the worker serves. Woken for another party
    it goes, and before the descriptor is closed it has gone: the number will be somebody else's.
    """

    __slots__ = ("_gate", "_is_there", "_pool", "_worker", "loop")

    def __init__(self, pool: ProcessPool, worker: Worker, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._pool = pool
        self._worker = worker
        self._gate: WireLoopGate | None = None
        self._is_there = False
        for other in list(worker.listeners):
            if other.is_closed():
                worker.listeners.pop(other, None)
        worker.listeners[loop] = self

    def listen(self, gate: WireLoopGate) -> None:
        """Read for a gate from now on."""
        self._gate = gate
        if not self._is_there:
            self._is_there = True
            self.loop.add_reader(self._worker.fd, self._hear)

    def rest(self, gate: WireLoopGate) -> None:
        """Read for this gate no longer."""
        if self._gate is gate:
            self._gate = None

    def go(self) -> None:
        """Let go of the descriptor, on its loop."""
        self._gate = None
        if self._is_there:
            self._is_there = False
            self.loop.remove_reader(self._worker.fd)

    async def gone(self) -> None:
        """Have it go, and wait until it has; on any loop."""
        with contextlib.suppress(RuntimeError):  # its loop is closed
            self.loop.call_soon_threadsafe(self.go)
        while self._is_there and not self.loop.is_closed():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(LOOK)

    def _hear(self) -> None:
        gate, worker = self._gate, self._worker
        if gate is None or worker.call is not gate.call or worker.watching:
            self.go()
            return
        try:
            frames = worker.receive_now()
        except EOFError:  # its end is told by a ring
            self.go()
            return
        if frames:
            self._pool.hear(worker, frames)
