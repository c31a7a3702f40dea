"""Ctrl-C as something to look at, rather than an exception out of any line.

Law: inside the block the first Ctrl-C breaks nothing off in the middle, neither a picture that is being drawn nor what a
server is doing. The second one is an exception, as ever.

`KeyboardInterrupt` may come between any two steps of Python. Inside rich it can leave a console that keeps all that is
printed later to itself.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Self


class Interrupt:
    """Takes Ctrl-C for the length of a block, in the main thread, unless the program has its own way with it.

    Attributes:
        came: whether there was one.
    """

    def __init__(self) -> None:
        self.came = False
        self._taken = False

    def __enter__(self) -> Self:
        """Take it."""
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._note)
            self._taken = True
        return self

    def __exit__(self, *failure: object) -> None:
        """Give it back."""
        if self._taken:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _note(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - as signals call it
        self.came = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
