"""How two processes talk over a stream socket: frames of a kind, a number and a body.

Laws:
- A frame is small: what is bigger travels in shared memory (`post`). An idle channel takes a whole
  frame at once, so sending never blocks.
- Every frame carries the number of the call that it belongs to. One with another number is never
  taken for an answer.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import NamedTuple

CHUNK = 4096
"""Bytes to read at once: nearly every frame, and little enough to be at hand without asking the kernel for memory."""
HEAD = Struct("<IBI")
HEAD_SIZE = HEAD.size
_NONE = (-1, 0, 0)
CALL_HEAD = Struct("<IBIddd")
CALL_TIMES = Struct("<ddd")
CALL_TIMES_SIZE = CALL_TIMES.size
"""What a call says of time, in seconds: how much is left of the caller's budget, how long ago it came, and after how
much work it is best stopped, as far as that has been learned."""


class Kind(IntEnum):
    """What a frame is for."""

    CALL = 1  # to the worker: run the handler
    NEXT = 2  # to the worker: the next item of the stream
    STOP = 3  # to the worker: no more items are wanted
    READY = 4  # from the worker: it may be called
    UNFIT = 5  # from the worker: its start failed, with this traceback
    VALUE = 6
    ERROR = 7
    ITEM = 8
    AROUND = 9  # to the worker: what to enter around the handler of the call that follows
    LIMITS = 10  # to the worker: the limits of the calls that follow


CALL, NEXT, STOP, READY, UNFIT, VALUE, ERROR, ITEM, AROUND, LIMITS = Kind
GO = b"!"
"""What a worker that has been born waits for, before all frames."""
RETIRE = 0x80
"""Added to the kind of an answer: the worker has had enough and wants to be replaced."""


class Frame(NamedTuple):
    """One message."""

    kind: int
    number: int
    body: bytes


def frame(kind: int, number: int, body: bytes = b"") -> bytes:
    """Write a frame."""
    return HEAD.pack(len(body), kind, number) + body


def call_frame(number: int, left: float, age: float, learned: float, body: bytes) -> bytes:
    """Write the frame of a call, in one piece: it is on every caller's way."""
    return CALL_HEAD.pack(CALL_TIMES_SIZE + len(body), CALL, number, left, age, learned) + body


class Reader:
    """Takes bytes as they come and gives whole frames."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes; give the frames that are complete."""
        if not self._rest:  # nearly always: one frame, and the whole of it
            length, kind, number = HEAD.unpack_from(data) if len(data) >= HEAD_SIZE else _NONE
            if length + HEAD_SIZE == len(data):
                return [Frame(kind, number, data[HEAD_SIZE:])]
        return self._take(self._rest + data)

    def _take(self, data: bytes) -> list[Frame]:
        frames, at = [], 0
        while len(data) - at >= HEAD_SIZE:
            length, kind, number = HEAD.unpack_from(data, at)
            end = at + HEAD_SIZE + length
            if end > len(data):
                break
            frames.append(Frame(kind, number, data[at + HEAD_SIZE : end]))
            at = end
        self._rest = data[at:]
        return frames
