"""The soft limit: an exception inside the handler, some time before its worker is killed.

It is no `Exception`, so the usual `except Exception` does not swallow it; who catches it by name may
clean up, and may even still return a value. It cannot interrupt C code that does not return.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class SoftTimeout(BaseException):
    """Raised inside a handler in a worker process when its soft limit has passed."""

    def __init__(self) -> None:
        super().__init__("the soft limit has passed; the worker is killed at the hard one")


def within(seconds: float, run: Callable[[], T]) -> T:
    """Run a function, and raise `SoftTimeout` inside it after `seconds`; in the main thread only."""
    armed = True

    def interrupt(*_: Any) -> None:
        if armed:
            raise SoftTimeout

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-6))
    try:
        return run()
    finally:
        armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
