"""Huge pages for what the template has loaded, so that a fork need not copy a table of small ones.

Forking copies one entry for each page, and a death frees them one by one: 22 and 45 ms for 424 MB in
pages of 4 KiB, 0.7 and 2 ms in pages of 2 MiB (Linux 6.18). The allocator is asked for them from the
start (`glibc.malloc.hugetlb`); what it did not give is gathered afterwards (`MADV_COLLAPSE`, Linux 6.1).
All of it is a wish: where the kernel knows no such thing, forks only take longer.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

TUNABLES = "GLIBC_TUNABLES"
WISH = "glibc.malloc.hugetlb=1"
HUGE = 2 << 20
_AT_ONCE = 32 * HUGE
_MADV_COLLAPSE = 25


def with_wish(environ: dict[str, str]) -> dict[str, str]:
    """Return an environment in which the allocator asks for huge pages."""
    present = environ.get(TUNABLES)
    return {**environ, TUNABLES: f"{present}:{WISH}" if present else WISH}


def forget_wish() -> None:
    """Take the wish out of this process's environment: it is not for those whom it starts."""
    present = os.environ.get(TUNABLES, "").removesuffix(WISH).rstrip(":")
    os.environ.pop(TUNABLES, None)
    if present:
        os.environ[TUNABLES] = present


def gather(seconds: float) -> None:
    """Put this process's own memory into huge pages, the largest pieces first, for at most `seconds`."""
    try:
        madvise = ctypes.CDLL(None).madvise
    except (AttributeError, OSError):
        return
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    until = monotonic() + seconds
    for start, end in sorted(_own_memory(), key=lambda piece: piece[0] - piece[1]):
        for at in range(start, end, _AT_ONCE):
            if monotonic() > until:
                return
            madvise(at, min(_AT_ONCE, end - at), _MADV_COLLAPSE)


def _own_memory() -> Iterator[tuple[int, int]]:
    """Give the whole huge pages within each piece of private, writable, anonymous memory."""
    try:
        lines = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        where, rights, _, _, inode, *_ = line.split()
        if rights == "rw-p" and inode == "0":
            start, end = (int(number, 16) for number in where.split("-"))
            start, end = -(-start // HUGE) * HUGE, end // HUGE * HUGE
            if start < end:
                yield start, end
