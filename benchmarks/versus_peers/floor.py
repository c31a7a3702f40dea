"""What the machine allows: bare prototypes with no queue, no policy, no care for what goes wrong.

Nobody should run a server on these. They tell how far a library is from what is possible.
"""

from __future__ import annotations

import mmap
import os
import pickle
import select
import signal
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from time import perf_counter
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

if TYPE_CHECKING:
    from versus_peers.work import Array

HEADER = struct.Struct("<Q")
COARSE = 0.002  # `poll` waits whole milliseconds, and rounds up
READ = 65_536


class Prototype:
    """A forked worker, a socketpair, pickle both ways, a wait that ends at the deadline."""

    def __init__(self, handler: Callable[[Any], Any]) -> None:
        self._handler = handler
        self._fork()

    def _fork(self) -> None:
        self._killed = False
        self._end, theirs = socket.socketpair()
        self._pid = os.fork()
        if not self._pid:
            self._end.close()
            _serve(theirs, self._handler)
        theirs.close()
        self._poll = select.poll()
        self._poll.register(self._end, select.POLLIN)

    def call(self, x: object, limit: float) -> Any:
        """Return what the handler makes of `x`; on expiry the worker is killed.

        The caller is told at once. The next call waits for the death and forks another worker.

        Raises:
            TimeoutError: the handler took longer than `limit` seconds.
        """
        deadline = perf_counter() + limit
        if self._killed:
            self.reap()
            self._fork()
        _send(self._end, x)
        if not (self._poll.poll(max(0.0, limit - COARSE) * 1000) or self._by(deadline)):
            self._killed = True
            os.kill(self._pid, signal.SIGKILL)
            raise TimeoutError
        return _receive(self._end)

    def _by(self, deadline: float) -> bool:
        left = max(0.0, deadline - perf_counter())
        return bool(select.select([self._end], [], [], left)[0])

    def kill(self) -> None:
        """Kill the worker and wait for its death."""
        os.kill(self._pid, signal.SIGKILL)
        self.reap()

    def reap(self) -> None:
        """Wait for the death of a worker that was killed."""
        os.waitpid(self._pid, 0)
        self._end.close()


def _serve(end: socket.socket, handler: Callable[[Any], Any]) -> NoReturn:
    with suppress(BaseException):
        while True:
            _send(end, handler(_receive(end)))
    os._exit(0)


def _send(end: socket.socket, x: object) -> None:
    data = pickle.dumps(x, 5)
    end.sendall(HEADER.pack(len(data)) + data)


def _receive(end: socket.socket) -> Any:
    data = end.recv(READ)
    if not data:
        raise EOFError
    size = HEADER.size + HEADER.unpack_from(data)[0]
    if len(data) < size:
        whole = bytearray(size)
        whole[: len(data)] = data
        rest = memoryview(whole)[len(data) :]
        while rest:
            rest = rest[end.recv_into(rest) :]
        return pickle.loads(memoryview(whole)[HEADER.size :])  # noqa: S301 - from our own worker
    return pickle.loads(memoryview(data)[HEADER.size :])  # noqa: S301 - from our own worker


class PingPong:
    """One byte through a socketpair to another process and back."""

    def __init__(self) -> None:
        self._end, theirs = socket.socketpair()
        self._pid = os.fork()
        if not self._pid:
            self._end.close()
            while byte := theirs.recv(1):
                theirs.send(byte)
            os._exit(0)
        theirs.close()

    def call(self) -> None:
        """Send the byte and have it back."""
        self._end.send(b"x")
        self._end.recv(1)

    def kill(self) -> None:
        """End the process."""
        self._end.close()
        os.waitpid(self._pid, 0)


class Arena:
    """A shared memory that is kept: copied into, copied out of, and the same on the way back.

    Where it is copied to is kept as well: no page is touched for the first time.
    """

    def __init__(self, like: Array) -> None:
        shared = mmap.mmap(-1, like.nbytes)
        self._arena = np.frombuffer(shared, like.dtype)
        self._out = np.zeros_like(like)
        self._end, theirs = socket.socketpair()
        self._pid = os.fork()
        if not self._pid:
            self._end.close()
            while byte := theirs.recv(1):
                np.copyto(self._out, self._arena)
                np.copyto(self._arena, self._out)
                theirs.send(byte)
            os._exit(0)
        theirs.close()

    def call(self, array: Array) -> Array:
        """Return the array as it comes back."""
        np.copyto(self._arena, array)
        self._end.send(b"x")
        self._end.recv(1)
        np.copyto(self._out, self._arena)
        return self._out

    def kill(self) -> None:
        """End the process."""
        self._end.close()
        os.waitpid(self._pid, 0)


def seconds_to_kill() -> float:
    """Return the seconds from SIGKILL to the proof of death, for a worker that sleeps."""
    pid = os.fork()
    if not pid:
        signal.pause()
    fd = os.pidfd_open(pid)
    select.select([], [], [], 0.005)  # it sleeps by now
    start = perf_counter()
    os.kill(pid, signal.SIGKILL)
    select.select([fd], [], [])
    end = perf_counter()
    os.close(fd)
    os.waitpid(pid, 0)
    return end - start
