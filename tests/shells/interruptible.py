"""A manual clock that knows its threads: one can be waited for, or interrupted as by Ctrl-C."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tests.shells.recorder import GUARD
from timeouts.gate import Gate
from timeouts.testing import ManualClock


class InterruptibleClock(ManualClock):
    """Raises KeyboardInterrupt out of the present or the next wait of a thread."""

    def __init__(self) -> None:
        super().__init__()
        self._gates: dict[int, Gate] = {}
        self._interrupted: set[int] = set()
        self._seen = threading.Condition()

    def interrupt(self, thread: threading.Thread) -> None:
        """Interrupt a thread."""
        assert thread.ident is not None
        with self._seen:
            self._interrupted.add(thread.ident)
            if gate := self._gates.get(thread.ident):
                gate.ring()

    def wait_for_thread(self, thread: threading.Thread, done: Callable[[], bool]) -> None:
        """Block until the thread waits here, or is done."""
        with self._seen:
            assert self._seen.wait_for(lambda: thread.ident in self._gates or done(), GUARD)

    def look_again(self) -> None:
        """Have those who wait for a thread look whether it is done."""
        with self._seen:
            self._seen.notify_all()

    def wait(self, gate: Gate, until: float) -> bool:
        """Wait as a manual clock does, unless interrupted."""
        me = threading.get_ident()
        with self._seen:
            self._gates[me] = gate
            self._seen.notify_all()
            if me in self._interrupted:
                gate.ring()
        rung = super().wait(gate, until)
        with self._seen:
            del self._gates[me]
            if me in self._interrupted:
                self._interrupted.discard(me)
                raise KeyboardInterrupt
        return rung
