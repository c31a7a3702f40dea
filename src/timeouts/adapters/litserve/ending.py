"""How LitServe's main process ends: with all that it has started.

LitServe shuts down on SIGINT. On SIGTERM, which is what containers and service managers send, it dies at once,
and its API servers and workers serve on without it. And when one of its workers has failed to start, the
interpreter waits at its end for the others, for ever.

Law: a handler that somebody else has set for SIGTERM stays.
"""

from __future__ import annotations

import atexit
import functools
import os
import signal
import threading
from typing import Any


def end_on_sigterm() -> None:
    """Make SIGTERM do what SIGINT does."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    if in_main_thread and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, functools.partial(_interrupt, os.getpid()))


def end_with_workers(server: Any) -> None:
    """Have the interpreter end a server's workers at its own end."""
    atexit.register(_end_workers, server)


def _interrupt(main: int, number: int, _: object) -> None:
    if os.getpid() == main:
        raise KeyboardInterrupt
    signal.signal(number, signal.SIG_DFL)  # a fork ends as it would have without us
    signal.raise_signal(number)


def _end_workers(server: Any) -> None:
    for worker in getattr(server, "inference_workers", ()):
        worker.terminate()
