"""The one thread that waits on behalf of callers who do not: holders of futures, paused consumers.

Law: while somebody is armed for an instant, the shell is ticked at that instant, not before, and at
most one thread exists for it, however many there are.
"""

from __future__ import annotations

import math
import threading
import weakref
from typing import Protocol

from timeouts.clock import Clock
from timeouts.gate import Gate


class Ticked(Protocol):
    """Whom the timer serves."""

    def next_timer(self) -> float:
        """Return the next instant at which something expires."""
        ...

    def tick(self, now: float) -> None:
        """Let time pass."""
        ...


class Timer:
    """Ticks a shell at its next deadline, once somebody has asked for it by `arm`.

    The thread starts with the first `arm`, refers to its shell only weakly, and ends with it.
    """

    def __init__(self, shell: Ticked, clock: Clock, name: str) -> None:
        self._shell = weakref.ref(shell)
        self._clock = clock
        self._name = name
        self._gate = Gate()
        self._armed = math.inf
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._closed = False
        weakref.finalize(shell, self._gate.ring).atexit = False

    def arm(self, instant: float) -> None:
        """See to it that the shell is ticked at `instant`, if it has not been sooner."""
        if instant >= self._armed or self._closed:
            return
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                    thread.start()
                    self._thread = thread
        self._gate.ring()

    def close(self) -> None:
        """End the thread."""
        self._closed = True
        self._gate.ring()

    def _run(self) -> None:
        while not self._closed:
            # Infinity first: whoever arms while the next instant is being looked up rings for sure.
            self._armed = math.inf
            until = self._next_timer()
            self._armed = until
            if not self._clock.wait(self._gate, until):
                self._tick(max(until, self._clock.now()))

    def _next_timer(self) -> float:
        shell = self._shell()
        if shell is None:
            self._closed = True
            return -math.inf
        return shell.next_timer()

    def _tick(self, now: float) -> None:
        if shell := self._shell():
            shell.tick(now)
