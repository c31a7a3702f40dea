"""What the servers are given to do, and a log of it.

The work is 20 ms of processor time, not of time on the wall: who shares a core with others takes longer,
as a model on a busy machine does, and nobody does less for it. Each run writes a line when it begins and
one when it ends, with an instant that all processes of a machine share.
"""

from __future__ import annotations

import os
from functools import cache
from time import monotonic, thread_time

LOG = "OVERLOAD_LOG"  # the file
COST = 0.02  # seconds of processor time
BEGUN, ENDED = "begun", "ended"


def predict(number: int = -1) -> int:
    """Do the work of a request; a number below 0 leaves no trace."""
    _note(BEGUN, number)
    spin(COST)
    _note(ENDED, number)
    return number


def spin(seconds: float) -> None:
    """Have so much time of a processor."""
    end = thread_time() + seconds
    while thread_time() < end:
        for _ in range(200):
            pass


def _note(what: str, number: int) -> None:
    if number >= 0:
        os.write(_log(os.getpid()), f"{what} {number} {monotonic()} {os.getpid()}\n".encode())


@cache
def _log(pid: int) -> int:  # noqa: ARG001 - a process that was forked opens it again
    return os.open(os.environ[LOG], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
