"""Handlers whose results and errors cannot cross between processes, or not unharmed."""

from __future__ import annotations

import ctypes
import mmap
import signal
import threading
from typing import Any, NoReturn

from timeouts.testing.hostile.stubborn import sleeps
from timeouts.testing.hostile.witness import tell


class Unrebuildable(Exception):
    """Pickles well, and cannot be loaded: exceptions are rebuilt from `args`, and these lack one."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what}, because {why}")


class Unpicklable(Exception):
    """Holds a lock, and so cannot leave its process."""

    def __init__(self) -> None:
        super().__init__("it holds a lock")
        self.lock = threading.Lock()


class Unspeakable(Exception):
    """Raises when it is asked for its message."""

    def __str__(self) -> str:
        """Fail."""
        raise RuntimeError("this error cannot say what it is")

    __repr__ = __str__


class _Explosive:
    """Raises `error` when it is loaded."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __reduce__(self) -> tuple[Any, ...]:
        return _explode, (self._error,)


class _Sticky:
    """Raises `error` when it is pickled, or hangs then."""

    def __init__(self, error: BaseException | None, witness: str | None = None) -> None:
        self._error = error
        self._witness = witness

    def __reduce__(self) -> tuple[Any, ...]:
        if self._error is None:
            sleeps(self._witness)
        raise self._error


def _look_away(*_: object) -> None:
    """Handle a signal by not looking."""


def _explode(error: BaseException) -> NoReturn:
    raise error


def gives_unpicklable() -> Any:
    """Return a lock."""
    return threading.Lock()


def gives_explosive(error: BaseException) -> Any:
    """Return what raises `error` when it is loaded, SystemExit for instance."""
    return _Explosive(error)


def gives_nested(depth: int = 100_000) -> Any:
    """Return a list in a list in a list: deeper than pickle goes."""
    nested: list[Any] = []
    for _ in range(depth):
        nested = [nested]
    return nested


def fails_on_sending(error: BaseException) -> Any:
    """Return what raises `error` when it is pickled."""
    return _Sticky(error)


def hangs_on_sending(witness: str | None = None, *, mebibytes: int = 64) -> Any:
    """Return much, with something behind it that is never pickled to its end."""
    return [bytes(mebibytes << 20), _Sticky(None, witness)]


def hangs_while_sending(witness: str | None = None, *, mebibytes: int = 64) -> memoryview:
    """Return much memory whose second half cannot be read: who sends it gets so far, and no further.

    The fault is a signal that nobody's Python code will ever see, because the instruction that causes it
    is tried again, for ever and in C code that holds the GIL.
    """
    memory = mmap.mmap(-1, mebibytes << 20)
    half = len(memory) // 2
    second = ctypes.addressof(ctypes.c_char.from_buffer(memory, half))
    if ctypes.CDLL(None).mprotect(ctypes.c_void_p(second), ctypes.c_size_t(half), 0):
        raise OSError("this memory cannot be protected")
    for fault in (signal.SIGSEGV, signal.SIGBUS):
        signal.signal(fault, _look_away)
    tell(witness)
    return memoryview(memory)


def sends(mebibytes: int = 64, witness: str | None = None) -> bytes:
    """Return so much; the witness is told just before."""
    much = bytes(mebibytes << 20)
    tell(witness)
    return much


def fails_unrebuildably() -> NoReturn:
    """Raise an error that cannot be loaded."""
    raise Unrebuildable("it failed", "it is hostile")


def fails_unpicklably() -> NoReturn:
    """Raise an error that cannot be pickled."""
    raise Unpicklable


def fails_unspeakably() -> NoReturn:
    """Raise an error that has no message."""
    raise Unspeakable
