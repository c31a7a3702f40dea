"""Doorbells: how one party wakes another, whichever thread or event loop each of them is in.

Law: `ring` ends the present or the next `wait`, from any thread, and ringing twice is ringing once.
A ring promises nothing: whoever is woken looks again at what it waits for.
"""

from __future__ import annotations

import asyncio
import math
import threading
from threading import get_ident
from typing import Protocol


class Bell(Protocol):
    """What can be rung."""

    def ring(self) -> None:
        """Wake the waiter, from any thread."""
        ...


class Gate:
    """The doorbell of a thread, which blocks on it."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def ring(self) -> None:
        """Wake the waiter, from any thread."""
        try:  # noqa: SIM105 - `suppress` costs ten times as much, on the hot path
            self._lock.release()
        except RuntimeError:  # it has been rung already
            pass

    def wait(self, seconds: float = math.inf) -> bool:
        """Block until rung, at most `seconds`; return whether it was rung."""
        if seconds > threading.TIMEOUT_MAX:
            return self._lock.acquire()
        return self._lock.acquire(timeout=max(0, seconds))


class LoopGate:
    """The doorbell of a coroutine, which awaits it; made inside the loop it belongs to."""

    __slots__ = ("_future", "_rung", "_thread", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._thread = get_ident()
        self._rung = False
        self._future: asyncio.Future[None] | None = None

    def ring(self) -> None:
        """Wake the waiter, from any thread."""
        try:
            if get_ident() == self._thread:
                self._ring()
            else:
                self.loop.call_soon_threadsafe(self._ring)
        except RuntimeError:  # the loop is closed, so nobody waits
            pass

    def _ring(self) -> None:
        self._rung = True
        future = self._future
        if future is not None and not future.done():
            future.set_result(None)

    def _time_out(self, future: asyncio.Future[None]) -> None:
        if not future.done():
            future.set_result(None)

    async def wait(self, seconds: float = math.inf) -> bool:
        """Suspend until rung, at most `seconds`; return whether it was rung."""
        if not self._rung:
            self._future = future = self.loop.create_future()
            timer = None
            if seconds < math.inf:
                timer = self.loop.call_later(seconds, self._time_out, future)
            try:
                await future
            finally:
                self._future = None
                if timer is not None:
                    timer.cancel()
        rung, self._rung = self._rung, False
        return rung
