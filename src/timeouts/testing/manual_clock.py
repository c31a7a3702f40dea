"""A clock that stands still until a test moves it, for code that blocks in threads.

Laws:
- Time moves only by `advance` and `advance_to`, and never back.
- A waiter is on the clock's list before it blocks, and moving time rings every gate that is due, so
  no wake-up is lost. Of a ring and a due instant that meet, the instant is told.
- `wait_for_waiters` counts nobody whom the clock has woken already.
"""

from __future__ import annotations

import math
import threading

from timeouts.gate import Gate
from timeouts.testing.deadlock import GUARD, Deadlock, wait_guarded


class ManualClock:
    """A `timeouts.clock.Clock` moved by hand.

    The usual test starts a thread, lets it reach its wait, and moves time to the instant of
    interest:

        clock = ManualClock()
        thread.start()
        clock.wait_for_waiters(1)
        clock.advance(5)

    Args:
        start: the first instant.
        guard: real seconds after which a blocked thread, or a test that waits for one, fails with
            `Deadlock` instead of hanging; `math.inf` for never.

    Cannot do: know that a gate was rung by somebody else. Its thread counts as waiting until it has
    really woken up; join it, or wait for what it does next.
    """

    def __init__(self, start: float = 0.0, *, guard: float = GUARD) -> None:
        self._now = start
        self._guard = guard
        self._waiting: dict[Gate, float] = {}
        self._changed = threading.Condition()

    def now(self) -> float:
        """Return the present instant."""
        return self._now

    def wait(self, gate: Gate, until: float) -> bool:
        """Block until `gate` is rung (True) or time has been moved to the instant `until` (False).

        Raises:
            Deadlock: neither happened within the guard's real seconds.
        """
        with self._changed:
            due = until <= self._now
            if not due:
                self._waiting[gate] = until
                self._changed.notify_all()
        if due:
            return gate.wait(0)
        try:
            wait_guarded(gate, self._guard, self._complaint(until))
        finally:
            with self._changed:
                rung = self._waiting.pop(gate, None) is not None  # `_move` has not taken it off
        return rung

    def advance(self, seconds: float) -> None:
        """Move time on by `seconds` and wake whoever is due."""
        with self._changed:
            self._move(self._now + seconds, f"seconds must be zero or more; got {seconds!r}")

    def advance_to(self, instant: float) -> None:
        """Move time on to `instant` and wake whoever is due."""
        with self._changed:
            self._move(instant, f"instant must not lie before {self._now:g}; got {instant!r}")

    def deadlines(self) -> tuple[float, ...]:
        """Return the instants that threads wait for, earliest first; `math.inf` for a bare ring."""
        with self._changed:
            return tuple(sorted(self._waiting.values()))

    def wait_for_waiters(self, count: int, *, finite: bool = False) -> None:
        """Block, really, until at least `count` threads wait on this clock.

        Args:
            count: how many.
            finite: whether to count only those that wait for an instant, not for a ring alone.

        Raises:
            Deadlock: fewer came within the guard's real seconds.
        """
        limit = None if self._guard == math.inf else self._guard
        with self._changed:
            if not self._changed.wait_for(lambda: self._count(finite=finite) >= count, limit):
                raise Deadlock(
                    f"{count} threads should wait on the clock, but {self._count(finite=finite)} do; "
                    f"waited for them for {self._guard:g} real seconds"
                )

    def _count(self, *, finite: bool) -> int:
        return sum(not finite or until < math.inf for until in self._waiting.values())

    def _move(self, instant: float, refusal: str) -> None:
        if not self._now <= instant < math.inf:
            raise ValueError(f"{refusal}: time is finite and never goes back")
        self._now = instant
        for gate in [gate for gate, until in self._waiting.items() if until <= instant]:
            del self._waiting[gate]
            gate.ring()

    def _complaint(self, until: float) -> str:
        if until == math.inf:
            return "a thread waits for a ring, and nobody rang its gate"
        return (
            f"a thread waits for the instant {until:g}, the clock stands at {self._now:g}, "
            "and nobody moved time or rang the thread's gate"
        )

    def __repr__(self) -> str:
        """Show the instant and who waits."""
        return f"<ManualClock at {self._now:g}, {len(self._waiting)} waiting>"
