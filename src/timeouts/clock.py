"""Time and waiting, injected: whoever needs an instant, or wants to sleep until one, asks a `Clock`.

Law: a wait ends when its gate is rung or when its instant has come, and says which. A ring promises
nothing, so every waiter looks again at what it waits for.
"""

from __future__ import annotations

import time
from typing import Protocol

from timeouts.gate import Gate


class Clock(Protocol):
    """A monotonic clock that knows how to wait."""

    def now(self) -> float:
        """Return the present instant in seconds; it never goes back."""
        ...

    def wait(self, gate: Gate, until: float) -> bool:
        """Block until `gate` is rung (True) or the instant `until` has come (False).

        "Has come" is the timer's word: `now()` may still be a hair earlier.
        """
        ...


class MonotonicClock:
    """The real clock, `time.monotonic`: the one asyncio's loops use as well."""

    now = staticmethod(time.monotonic)

    def wait(self, gate: Gate, until: float) -> bool:
        """Block until `gate` is rung (True) or the instant `until` has come (False)."""
        return gate.wait(until - time.monotonic())


MONOTONIC = MonotonicClock()
