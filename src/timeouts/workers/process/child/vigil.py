"""How a worker waits for its next call: awake for a moment while calls follow each other, asleep otherwise.

To be woken on a processor that has gone idle costs about as much as all the rest of a short call, the more so where processors are
virtual. Who was asked again at once will be so again, and stays awake for as long as that.

Laws:
- A worker that is asked more rarely than it takes to fall asleep and wake up sleeps.
- To stay awake in vain, or while somebody else wants the processor, is paid for by `REST` of plain sleep: so it takes a small
  share of a processor at most.
"""

from __future__ import annotations

import os
import select
import socket
from time import monotonic

AWAKE = 200e-6
"""Seconds to stay awake: about as long as it costs to sleep (Karlin et al., "Competitive randomized algorithms for non-uniform
problems", 1990), for both sides together."""
SOON = 300e-6
"""Seconds of a wait in sleep after which it is worth a try: much of it was waking up."""
TAKEN = 100e-6
"""Seconds; a processor that nobody wants is given back within a few microseconds."""
REST = 0.005
"""Seconds."""


class Vigil:
    """The waits of one worker at its channel."""

    def __init__(self, sock: socket.socket) -> None:
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._soon = False
        self._rests_until = 0.0 if hasattr(os, "sched_yield") else float("inf")

    def keep(self) -> None:
        """Return when there is something to read."""
        start = monotonic()
        if self._soon and start > self._rests_until and not self._stays_awake(start):
            self._rests_until = monotonic() + REST
        self._poll.poll()
        self._soon = monotonic() - start < SOON

    def _stays_awake(self, now: float) -> bool:
        """Return whether that was worth it: it was asked in time, and nobody else wanted the processor."""
        until = now + AWAKE
        while not self._poll.poll(0):
            before = now
            os.sched_yield()
            now = monotonic()
            if now > until or now - before > TAKEN:
                return False
        return True
