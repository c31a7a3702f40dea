"""Handlers that take their process with them, or fail in ways that seem to.

Each tells its witness, if it is given one, before it does so.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
from typing import Any, NoReturn

from timeouts.testing.hostile.witness import tell


def exits(code: int = 3, witness: str | None = None, *, last_words: str = "") -> NoReturn:
    """End the process at once, without any cleaning up; its last words go to standard error."""
    tell(witness)
    os.write(2, last_words.encode())
    os._exit(code)


def segfaults(witness: str | None = None) -> NoReturn:
    """Read where there is no memory, as broken C code does."""
    tell(witness)
    crash: Any = faulthandler._sigsegv  # type: ignore[attr-defined]  # noqa: SLF001 - made for this
    crash()
    raise AssertionError("the process should be dead")


def kills_itself(number: int = signal.SIGKILL, witness: str | None = None) -> None:
    """Send itself a signal, SIGKILL as the kernel does when memory runs out."""
    tell(witness)
    os.kill(os.getpid(), number)


def closes_descriptors(witness: str | None = None) -> int:
    """Close every descriptor of the process, whosever it is, and return 1."""
    tell(witness)
    os.closerange(0, 65536)
    return 1


def raises(error: BaseException) -> NoReturn:
    """Raise this error: SystemExit or KeyboardInterrupt, say."""
    raise error


def overflows(depth: int = 0) -> int:
    """Call itself without end: RecursionError."""
    return overflows(depth + 1) + 1


def shouts(mebibytes: int = 8, last_words: str = "") -> int:
    """Print so much to standard error, and then the last words; return how many characters."""
    line = "hostile " * 127 + "shout!\n"
    count = (mebibytes << 20) // len(line)
    for _ in range(count):
        sys.stderr.write(line)
    sys.stderr.write(last_words)
    sys.stderr.flush()
    return count * len(line)
