"""The failure of a wait that nothing can end.

Law: a test that cannot go on fails and says who waits for what; it never hangs. Time in a test is
virtual, so the guards below are the only real seconds: they pass only when the test is broken.
"""

from __future__ import annotations

from timeouts.gate import Gate

GUARD = 30.0
"""Real seconds after which a blocked thread is taken to be blocked for good."""


class Deadlock(AssertionError):
    """Something waits for what cannot come any more; the message says who, and for what."""


def wait_guarded(gate: Gate, guard: float, complaint: str) -> None:
    """Block until `gate` is rung; raise `Deadlock` with the complaint after `guard` real seconds."""
    if not gate.wait(guard):
        raise Deadlock(f"{complaint}; blocked for {guard:g} real seconds")
