"""What is said to the other process, as one small body of bytes; what is too large goes through shared memory.

    body    0  stream                                        a small value, nothing to return
            1  count  offset …  stream                       the same, with regions that are returned
            2  count  offset …  region                       a large one: the region holds its block
    block   length of the stream, count, length and flag of each buffer; stream; aligned buffers

Law: whatever happens between `wrap` and `unwrap`, every region is with exactly one side. A value
that cannot be loaded, a body that was never sent (`recall`) and one that nobody wants (`skip`) give
their region back like any other.

A message is copied once on each way: into the region. What arrives views it, and is private to the
receiver until its last view is gone. The region then goes back with the next body the other way, so
whoever only ever speaks, and never hears, needs ever more memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from struct import Struct
from struct import error as StructError  # noqa: N812 - a class
from typing import Any, NamedTuple

from timeouts.workers.process.arena import KEEP, MOST, Borrower, Lender, Region, copy_into
from timeouts.workers.process.parcel import Parcel, load

INLINE = 32 * 1024  # bytes of a stream that still goes into the body
RETURNS = 1024  # regions returned by one body
_ALIGNED = 64
_PLAIN, _SMALL, _LARGE = b"\0", b"\1", b"\2"
_COUNT = Struct("<I")
_REGION = Struct("<4Q")
_BLOCK = Struct("<2Q")


class Letter(NamedTuple):
    """A body that was opened."""

    returned: tuple[int, ...]
    stream: memoryview | None
    region: Region | None


class Post:
    """One end of a connection: what it says goes through `out_fd`, what it hears through `in_fd`.

    One thread at a time may wrap and one unwrap; views may be dropped by any. Both descriptors are
    files of `arena.new_file`, and the Post's own from here on.

    Args:
        out_fd: the file whose memory this end lends.
        in_fd: the file whose memory it borrows; the other end's `out_fd`.
        keep: how many bytes of memory, lent to nobody, to keep for the next message.
        most: how many large values that arrived may be in use at a time before they are copied.
    """

    def __init__(self, out_fd: int, in_fd: int, *, keep: int = KEEP, most: int = MOST) -> None:
        self._fds = [out_fd, in_fd]
        self._lender = Lender(out_fd, keep=keep)
        self._borrower = Borrower(in_fd, most=most)

    def wrap(self, parcel: Parcel | bytes) -> bytes:
        """Return the body that stands for a parcel: it must be sent, or recalled."""
        if isinstance(parcel, Parcel):
            parcel = light(parcel)
        if isinstance(parcel, Parcel):
            region = self._put(parcel)  # first: if it fails, nothing was taken to be returned
            return b"".join((_LARGE, self._returns(), _REGION.pack(*region)))
        if self._borrower.idle:
            return _PLAIN + parcel
        return b"".join((_SMALL, self._returns(), parcel))

    def unwrap(self, body: bytes) -> Any:
        """Return the value of a body; raise what loading it raises, ValueError if it is no body."""
        if body[:1] == _PLAIN:
            return load(memoryview(body)[1:])
        letter = _opened(body)
        self._lender.take_back(letter.returned)
        if letter.stream is not None:
            return load(letter.stream)
        assert letter.region is not None  # noqa: S101 - for the type checker
        return _delivered(self._borrower.borrow(letter.region))

    def skip(self, body: bytes) -> None:
        """Take what a body returns and return what it lends, without loading its value."""
        letter = _opened(body)
        self._lender.take_back(letter.returned)
        if letter.region is not None:
            self._borrower.refuse(letter.region)

    def recall(self, body: bytes) -> None:
        """Undo a `wrap` whose body has not been sent, not even in part."""
        letter = _opened(body)
        if letter.region is not None:
            self._lender.take_back([letter.region.offset])
        self._borrower.undo(letter.returned)

    def close(self) -> None:
        """Let go of both files; values that arrived stay valid. Twice is no error."""
        self._lender.close()
        self._borrower.close()
        while self._fds:
            os.close(self._fds.pop())

    def _put(self, parcel: Parcel) -> Region:
        sizes = [len(buffer) for buffer in parcel.buffers]
        length = sum(map(len, parcel.pieces))
        starts, total = _layout(length, sizes)
        region = self._lender.lend(total)
        try:
            with self._lender.memory(region) as memory:
                _write_block(memory, parcel, length, starts)
        except BaseException:
            self._lender.take_back([region.offset])
            raise
        return region

    def _returns(self) -> bytes:
        offsets = self._borrower.done(RETURNS)
        return _COUNT.pack(len(offsets)) + _offsets(len(offsets)).pack(*offsets)


def light(parcel: Parcel) -> Parcel | bytes:
    """Return a small parcel as the bytes that it is: while it waits, nothing else need be kept."""
    pieces = parcel.pieces
    if parcel.buffers or len(pieces) != 1 or len(pieces[0]) > INLINE:
        return parcel
    return bytes(pieces[0])


def _opened(body: bytes) -> Letter:
    kind = body[:1]
    if kind == _PLAIN:
        return Letter((), memoryview(body)[1:], None)
    try:
        (count,) = _COUNT.unpack_from(body, 1)
        begin = 1 + _COUNT.size + 8 * count
        if kind in (_SMALL, _LARGE) and begin <= len(body):
            returned = _offsets(count).unpack_from(body, 1 + _COUNT.size)
            if kind == _SMALL:
                return Letter(returned, memoryview(body)[begin:], None)
            return Letter(returned, None, Region(*_REGION.unpack(body[begin:])))
    except StructError:
        pass
    raise ValueError("no body of a message, or not all of it")


@lru_cache(maxsize=64)
def _offsets(count: int) -> Struct:
    return Struct(f"<{count}Q")


# ── the block in a region ────────────────────────────────────────────────────────────────────────


def _layout(length: int, sizes: Sequence[int]) -> tuple[list[int], int]:
    """Return where the stream and then each buffer starts, and the size of it all."""
    at = _BLOCK.size + 8 * len(sizes)
    starts, at = [at], at + length
    for size in sizes:
        at = -(-at // _ALIGNED) * _ALIGNED
        starts.append(at)
        at += size
    return starts, at


def _write_block(memory: memoryview, parcel: Parcel, length: int, starts: Sequence[int]) -> None:
    at, *places = starts
    flagged = [2 * len(buffer) + buffer.readonly for buffer in parcel.buffers]
    _BLOCK.pack_into(memory, 0, length, len(flagged))
    _offsets(len(flagged)).pack_into(memory, _BLOCK.size, *flagged)
    for piece in parcel.pieces:
        copy_into(memory, at, piece)
        at += len(piece)
    for place, buffer in zip(places, parcel.buffers, strict=True):
        copy_into(memory, place, buffer)


def _read_block(block: memoryview) -> tuple[memoryview, list[memoryview]]:
    """Return the stream and the buffers, the last one first."""
    if len(block) < _BLOCK.size:
        raise ValueError("a block without a head")
    length, count = _BLOCK.unpack_from(block)
    if count > (len(block) - _BLOCK.size) // 8:
        raise ValueError(f"a block of {len(block)} bytes cannot hold {count} buffers")
    flagged = _offsets(count).unpack_from(block, _BLOCK.size)
    sizes = [flags >> 1 for flags in flagged]
    starts, total = _layout(length, sizes)
    if total != len(block):
        raise ValueError(f"a block of {len(block)} bytes that should have {total}")
    return block[starts[0] : starts[0] + length], [
        block[start : start + flags // 2].toreadonly()
        if flags & 1
        else block[start : start + flags // 2]
        for start, flags in zip(starts[:0:-1], flagged[::-1], strict=True)
    ]


def _delivered(block: memoryview) -> Any:
    """Load a value that views a block, and keep no view beside it: not even in a traceback."""
    with block:
        stream, buffers = _read_block(block)
    with stream:
        try:
            return load(stream, _popped(buffers))
        finally:
            buffers.clear()


def _popped(buffers: list[memoryview]) -> Iterator[memoryview]:
    while buffers:
        yield buffers.pop()
