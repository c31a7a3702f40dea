"""Handlers that never end, each hard to stop in its own way. For workers that can be killed.

Law: each tells its witness, if it is given one, of every process that it is or makes, as soon as that
process is as stubborn as it will be.

Run in a thread, or in a test itself, they hang that for good.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import signal
import time
from collections.abc import Callable
from typing import Any, NoReturn

from timeouts.testing.hostile.witness import tell


def run(handler: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a handler: the one handler of a server that is to be tried with many."""
    return handler(*args, **kwargs)


def sleeps(witness: str | None = None) -> NoReturn:
    """Sleep for ever."""
    tell(witness)
    _sleep_on()


def spins(witness: str | None = None) -> NoReturn:
    """Loop for ever in Python code."""
    tell(witness)
    while True:
        pass


def backtracks(witness: str | None = None) -> bool:
    """Match a catastrophic regular expression, which takes some ten years."""
    tell(witness)
    return re.match(r"(a+)+$", "a" * 48 + "b") is not None


def holds_gil(witness: str | None = None) -> bool:
    """Loop for ever in C code that holds the GIL and never looks whether a signal has come."""
    tell(witness)
    return all(itertools.repeat(True))


def ignores_sigterm(witness: str | None = None) -> NoReturn:
    """Ignore all signals that can be ignored, and sleep."""
    for ignorable in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
        signal.signal(ignorable, signal.SIG_IGN)
    tell(witness)
    _sleep_on()


def swallows_everything(witness: str | None = None) -> NoReturn:
    """Catch whatever is raised, and go on; SIGTERM becomes such an error, too."""

    def give_up(*_: object) -> None:
        raise SystemExit

    signal.signal(signal.SIGTERM, give_up)
    tell(witness)
    while True:
        with contextlib.suppress(BaseException):
            _sleep_on()


def cleans_up_on_sigterm(witness: str | None = None) -> NoReturn:
    """Sleep; on SIGTERM tell the witness "cleaned", and exit."""

    def clean_up(*_: object) -> None:
        tell(witness, "cleaned")
        os._exit(0)

    signal.signal(signal.SIGTERM, clean_up)
    tell(witness)
    while True:
        time.sleep(0.05)  # a signal that comes just before a sleep is handled after it


def forks_grandchild(witness: str | None = None) -> NoReturn:
    """Fork a process that sleeps in the worker's own group, and wait for it."""
    child = _fork(lambda: sleeps(witness))
    tell(witness)
    os.waitpid(child, 0)
    _sleep_on()


def escapes_session(witness: str | None = None) -> NoReturn:
    """Fork a process that leaves group and session and ignores signals, and wait for it."""

    def escape() -> None:
        os.setsid()
        ignores_sigterm(witness)

    child = _fork(escape)
    tell(witness)
    os.waitpid(child, 0)
    _sleep_on()


def forks_daemon(witness: str | None = None) -> NoReturn:
    """Fork twice, with a session of its own in between, so that the daemon has lost its parents."""

    def become_daemon() -> None:
        os.setsid()
        _fork(lambda: ignores_sigterm(witness))

    os.waitpid(_fork(become_daemon), 0)
    tell(witness)
    _sleep_on()


def stops_itself(witness: str | None = None) -> NoReturn:
    """Stop itself by SIGSTOP; continued, do it again."""
    tell(witness)
    while True:
        os.kill(os.getpid(), signal.SIGSTOP)


def fills_a_pipe(witness: str | None = None) -> NoReturn:
    """Write into a pipe that nobody reads until it is full, and be blocked in the kernel then."""
    _, full = os.pipe()
    tell(witness)
    while True:
        os.write(full, bytes(1 << 20))


def takes_memory(witness: str | None = None, *, mebibytes: int = 300) -> NoReturn:
    """Take so much memory, touch all of it, and sleep."""
    taken = bytearray(b"\1") * (mebibytes << 20)
    tell(witness)
    _sleep_on()
    del taken


def _sleep_on() -> NoReturn:
    while True:
        time.sleep(3600)


def _fork(run_child: Callable[[], object]) -> int:
    child = os.fork()
    if child == 0:
        try:
            run_child()
        finally:
            os._exit(0)
    return child
