"""Shared memory for what is too large for a message: lent by the process that writes, borrowed by the one that reads.

Laws:
1. A region that is lent is not lent again before its borrower has returned it, and no two regions
   that are lent overlap.
2. A borrower returns a region only when no view of it exists any more, in whatever thread or
   garbage collection the last one went. This is told by the number of references to the object that
   all views of a region refer to, which the borrower itself holds as well. A weak reference would not
   do: its callback comes before the finalizers of a cycle, which may still read and even keep a view.
3. Memory is bounded: regions that nobody uses keep at most `keep` bytes; a borrower keeps at most
   `most` regions and copies what comes beyond them.

The memory is one file without a name, mapped in segments that are never moved, because fresh pages
are what costs. Nothing survives both processes.

What this cannot do: give idle memory back where a hole cannot be made in a file (macOS: only at the
end); tell the last view on a Python without the GIL, where everything is copied; know of a view in
a child that the borrower forks: it must not outlive the borrower's own; survive, where there is no
memfd (macOS), a disk that is full: writing then ends the process with SIGBUS.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from sys import getrefcount
from threading import Lock
from typing import Any, NamedTuple

MIB = 1024 * 1024
KEEP = 128 * MIB  # what idle regions may keep, in bytes
MOST = 32  # regions that a borrower keeps views of
GRAIN = 64 * 1024  # a multiple of any page
SEGMENT = 16 * MIB  # the first one; they grow with the file
_STEP = MIB  # copied at a time: other threads may want to run in between


class Region(NamedTuple):
    """A part of the shared file, and the segment in which both sides map it."""

    start: int  # of the segment
    length: int  # of the segment
    offset: int
    size: int


def new_file() -> int:
    """Return the descriptor of a new file for one direction: memory only, or at least without a name."""
    if sys.platform == "linux":
        with suppress(OSError):  # forbidden by a sandbox, or by vm.memfd_noexec
            fd = os.memfd_create("timeouts", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            # A file that shrinks would kill whoever looks at its end.
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
            return fd
    return _unlinked_file()


def _unlinked_file() -> int:
    fd, path = tempfile.mkstemp(prefix="timeouts-")
    os.unlink(path)  # noqa: PTH108 - one call, no object
    return fd


def copy_into(target: memoryview, at: int, source: bytes | bytearray | memoryview) -> None:
    """Copy bytes to a place, in steps: one copy of 64 MiB would hold the GIL for all its time."""
    if len(source) <= _STEP:
        target[at : at + len(source)] = source
        return
    with memoryview(source) as whole:
        for begin in range(0, len(whole), _STEP):
            part = whole[begin : begin + _STEP]
            target[at + begin : at + begin + len(part)] = part


class Maps:
    """The segments of one file that this process has mapped."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._maps: dict[tuple[int, int], mmap.mmap] = {}
        self._closed = False

    def at(self, start: int, length: int) -> mmap.mmap:
        """Return a segment, mapped at most once; ValueError where the file has no such segment."""
        found = self._maps.get((start, length))
        if found is None:
            found = self._maps[start, length] = self._map(start, length)
        return found

    def _map(self, start: int, length: int) -> mmap.mmap:
        if self._closed:
            raise ValueError("this end is closed")
        if not 0 < length <= os.fstat(self._fd).st_size - start or start < 0 or start % GRAIN:
            raise ValueError(f"no segment at {start} of {length} bytes")
        return mmap.mmap(self._fd, length, offset=start)

    def forget(self, offset: int, size: int) -> None:
        """Give the memory of a part of the file back; what is read there now is zeros."""
        if not hasattr(mmap, "MADV_REMOVE"):
            return
        for (start, length), mapped in self._maps.items():
            begin, end = max(start, offset), min(start + length, offset + size)
            if begin < end:
                with suppress(OSError):  # not every file system can make holes
                    mapped.madvise(mmap.MADV_REMOVE, begin - start, end - begin)

    def close(self) -> None:
        """Unmap all at once, or, what is still viewed, with the last view."""
        self._closed = True
        while self._maps:
            _, mapped = self._maps.popitem()
            with suppress(BufferError):
                mapped.close()


class Lender:
    """The writing end: owns the file's space. Any thread may call it."""

    def __init__(self, fd: int, *, keep: int = KEEP) -> None:
        self._fd = fd
        self._keep = keep
        self._maps = Maps(fd)
        self._lock = Lock()
        self._lent: dict[int, Region] = {}  # by offset, and in all their size
        self._idle: dict[int, Region] = {}  # these have memory; the longest idle comes first
        self._bare: dict[int, Region] = {}  # these have none
        self._written: dict[int, int] = {}  # how much memory a region has
        self._idle_memory = 0
        self._segment = (0, 0)
        self._used = 0

    def lend(self, size: int) -> Region:
        """Return a region that nobody uses."""
        with self._lock:
            need = _rounded(size)
            room = self._reuse(need) or self._carve(need)
            self._lent[room.offset] = room
            pages = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
            self._written[room.offset] = max(self._written.get(room.offset, 0), pages)
            return room._replace(size=size)

    def memory(self, region: Region) -> memoryview:
        """Return a region's memory, to be written and released before the region is sent."""
        start, length, offset, size = region
        with memoryview(self._maps.at(start, length)) as whole:
            return whole[offset - start : offset - start + size]

    def take_back(self, offsets: Sequence[int]) -> None:
        """Take regions back; ValueError, and nothing is taken, where one of them is not lent."""
        with self._lock:
            if len(set(offsets)) != len(offsets) or not self._lent.keys() >= set(offsets):
                raise ValueError("regions returned that were not lent")
            for offset in offsets:
                self._idle[offset] = self._lent.pop(offset)
                self._idle_memory += self._written[offset]
            while self._idle_memory > self._keep:
                self._strip(next(iter(self._idle)))

    def close(self) -> None:
        """Unmap everything; the descriptor is its owner's."""
        with self._lock:
            self._maps.close()

    def _reuse(self, need: int) -> Region | None:
        for rooms in (self._idle, self._bare):
            fits = [room for room in rooms.values() if need <= room.size <= 2 * need]
            if fits:
                room = min(reversed(fits), key=_size_of)  # of these the last used: it is in caches
                del rooms[room.offset]
                self._idle_memory -= self._written[room.offset] if rooms is self._idle else 0
                return room
        return None

    def _carve(self, size: int) -> Region:
        start, length = self._segment
        if self._used + size > length:
            start, length = self._extend(start + length, size)
        room = Region(start, length, start + self._used, size)
        self._used += size
        return room

    def _extend(self, start: int, size: int) -> tuple[int, int]:
        length = max(SEGMENT, start, size)
        if os.fstat(self._fd).st_size < start + length:  # more, where mapping has failed before
            os.ftruncate(self._fd, start + length)
        self._maps.at(start, length)
        self._segment, self._used = (start, length), 0
        return self._segment

    def _strip(self, offset: int) -> None:
        self._bare[offset] = room = self._idle.pop(offset)
        self._idle_memory -= self._written.pop(offset)
        self._maps.forget(offset, room.size)


def _rounded(size: int) -> int:
    """Round up to a power of two: what is not written takes no memory, and few sizes are reused more."""
    return max(GRAIN, 1 << (size - 1).bit_length())


def _size_of(room: Region) -> int:
    return room.size


class Borrower:
    """The reading end: views what was lent. Any thread may call it, and drop views."""

    def __init__(self, fd: int, *, most: int = MOST) -> None:
        self._maps = Maps(fd)
        self._most = most if _COUNTS else 0
        self._lock = Lock()
        self._held: dict[
            int, Any
        ] = {}  # what all views of a region refer to, by the region's offset
        self._done: list[int] = []

    @property
    def idle(self) -> bool:
        """Whether there is nothing to return, and there will be nothing: no region is held."""
        return not self._held and not self._done

    def borrow(self, region: Region) -> memoryview:
        """Return the one view of a region from which all others are to be made.

        ValueError where no such region can have been lent.
        """
        start, length, offset, size = region
        with self._lock:
            if not 0 < size <= start + length - offset or offset < start or offset % GRAIN:
                raise ValueError(f"no region at {offset} of {size} bytes")
            if offset in self._held or offset in self._done:
                raise ValueError(f"the region at {offset} is lent already")
            segment = self._maps.at(start, length)
            if len(self._held) >= self._most:
                self._settle()
            if len(self._held) >= self._most:
                return self._copied(segment, region)
            self._held[offset] = shared = _array_of(size).from_buffer(segment, offset - start)
            return memoryview(shared).cast("B")

    def refuse(self, region: Region) -> None:
        """Return a region unseen."""
        with self._lock:
            self._done.append(region.offset)

    def done(self, most: int) -> list[int]:
        """Return the offsets of regions that nobody views any more: they are to be sent back."""
        with self._lock:
            self._settle()
            offsets, self._done = self._done[:most], self._done[most:]
            return offsets

    def undo(self, offsets: Iterable[int]) -> None:
        """Take over again what `done` gave: it has not been sent."""
        with self._lock:
            self._done.extend(offsets)

    def close(self) -> None:
        """Leave nothing but the regions that are still viewed; the descriptor is its owner's."""
        with self._lock:
            self._settle()
            if self._held:  # a small view must not keep the memory of the whole file
                self._forget_the_rest()
            self._held.clear()
            self._maps.close()

    def _settle(self) -> None:
        for offset, count in zip(list(self._held), _references(self._held), strict=True):
            if count <= _ALONE:
                del self._held[offset]
                self._done.append(offset)

    def _copied(self, segment: mmap.mmap, region: Region) -> memoryview:
        copy = bytearray(region.size)
        at = region.offset - region.start
        with memoryview(segment) as whole, whole[at : at + region.size] as part:
            copy_into(memoryview(copy), 0, part)
        self._done.append(region.offset)
        return memoryview(copy)

    def _forget_the_rest(self) -> None:
        begin = 0
        for offset, shared in sorted(self._held.items()):
            self._maps.forget(begin, offset - begin)
            begin = -(-(offset + len(shared)) // GRAIN) * GRAIN
        self._maps.forget(begin, sys.maxsize)


@lru_cache(maxsize=64)
def _array_of(size: int) -> type[ctypes.Array[ctypes.c_char]]:
    """Return the type of `size` bytes: making one takes longer than all the rest."""
    return ctypes.c_char * size


def _references(objects: dict[int, Any]) -> list[int]:
    """Count in C, without a frame that would hold, or borrow, a reference of its own."""
    return list(map(getrefcount, objects.values()))


_ALONE = _references({0: object()})[0]  # of an object that only the dict refers to
_COUNTS = sys.implementation.name == "cpython" and getattr(sys, "_is_gil_enabled", lambda: True)()
