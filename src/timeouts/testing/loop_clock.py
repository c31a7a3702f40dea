"""An event loop's time as a `Clock`, so that threads and coroutines of one test share one time.

Law: the loop's own thread may read this clock and never wait on it, because that would block the
loop which has to move it. Coroutines wait by the loop's timers. Of a ring and an instant that meet,
the instant is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import math

from timeouts.gate import Gate
from timeouts.testing.deadlock import wait_guarded


class LoopClock:
    """A `timeouts.clock.Clock` on the time of a `VirtualLoop`.

    Args:
        loop: the loop whose time it tells.
        guard: real seconds that a thread may wait; None if the loop does not expect threads.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, guard: float | None) -> None:
        self._loop = loop
        self._guard = guard

    def now(self) -> float:
        """Return the loop's present instant."""
        return self._loop.time()

    def wait(self, gate: Gate, until: float) -> bool:
        """Block the calling thread until `gate` is rung (True) or the loop is at `until` (False).

        Raises:
            RuntimeError: called on the loop's own thread, or the loop expects no threads.
            Deadlock: neither happened within the guard's real seconds.
        """
        guard = self._checked_guard()
        if gate.wait(0):  # rung already: the loop must not jump for that
            return True
        alarm = _Alarm(self._loop, gate, until)
        if until < math.inf:
            self._loop.call_soon_threadsafe(alarm.set)
        try:
            wait_guarded(gate, guard, f"a thread waits for the loop to reach {until:g}")
        finally:
            with contextlib.suppress(RuntimeError):  # the loop is closed, and its timers with it
                self._loop.call_soon_threadsafe(alarm.cancel)
        return not alarm.gone_off

    def _checked_guard(self) -> float:
        if self._guard is None:
            raise RuntimeError(
                "this VirtualLoop does not wait for threads; make it with threads=True"
            )
        if _running_loop() is self._loop:
            raise RuntimeError(
                "waiting on a loop's clock would block the loop; await a timer instead"
            )
        return self._guard


class _Alarm:
    """A timer of the loop that rings a thread's gate; its methods belong on the loop's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, gate: Gate, until: float) -> None:
        self.gone_off = False
        self._loop = loop
        self._gate = gate
        self._until = until
        self._timer: asyncio.TimerHandle | None = None

    def set(self) -> None:
        """Go off at the instant."""
        self._timer = self._loop.call_at(self._until, self._go_off)

    def cancel(self) -> None:
        """Go off no more, so that no time is jumped to for nobody."""
        if self._timer is not None:
            self._timer.cancel()

    def _go_off(self) -> None:
        self.gone_off = True
        self._gate.ring()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
