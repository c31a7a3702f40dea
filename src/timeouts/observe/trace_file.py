"""A file of recorded requests that grows: rows are put down at once, and written some at a time.

Laws:
- A row costs one append. Whoever brings the last one of a batch, or the first one after `EVERY` seconds, writes
  them all; nobody else waits for the disk meanwhile.
- What goes wrong with the file is logged once, and ends the recording and nothing else.
- Whole lines are written, in one piece where the system can: a file that is cut off lacks its last line alone.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import NamedTuple

from timeouts.observe.observer import logger

BATCH = 256
EVERY = 1.0


class Row(NamedTuple):
    """One request: instants and durations in seconds.

    Attributes:
        arrived: when it came.
        service: how long it ran; 0 if it never did.
        stopped: whether its work was stopped then, or never began.
        budget: what its caller granted; infinite for no limit.
        priority: its rank.
    """

    arrived: float
    service: float
    stopped: bool
    budget: float
    priority: float

    def line(self, since: float) -> str:
        """Write it as `timeouts.sim.trace` reads it, with instants counted from another one."""
        rest = ', "stopped": true' if self.stopped else ""
        if self.budget < inf:
            rest += f', "budget": {self.budget:.6f}'
        if self.priority:
            rest += f', "priority": {self.priority!r}'
        return f'{{"arrival": {self.arrived - since:.6f}, "service": {self.service:.6f}{rest}}}\n'


class TraceFile:
    """A file that takes rows from any thread, until it has enough of them.

    Args:
        path: the file; it is made at once.
        limit: how many rows it takes.
        overwrite: whether it may stand in the place of another.

    Raises:
        FileExistsError: there is one, with something in it.
        OSError: it cannot be made, such as where a folder is.
    """

    def __init__(self, path: Path, limit: int, *, overwrite: bool) -> None:
        self.path = path
        self.open = True
        taken = overwrite or path.is_dir() or _is_empty(path)  # a folder is refused as what it is
        self._file = path.open("wb" if taken else "xb", buffering=0)
        self._left = limit
        self._rows: list[Row] = []
        self._due = -inf
        self._since: float | None = None
        self._process = os.getpid()
        self._lock = threading.Lock()

    def add(self, row: Row, now: float) -> None:
        """Put a row down."""
        self._rows.append(row)
        if (len(self._rows) >= BATCH or now >= self._due) and self._lock.acquire(blocking=False):
            try:
                self._due = now + EVERY
                self._write()
            finally:
                self._lock.release()

    def close(self) -> None:
        """Write what is left, and take no more."""
        if os.getpid() != self._process:  # the lock may have been held when this one was forked
            self._end()
            return
        with self._lock:
            self._write()
            self._end()

    def _write(self) -> None:
        """Write the rows; those that come meanwhile are for the next time."""
        count = len(self._rows)  # appended to meanwhile, so it stays the same list
        rows = self._rows[: min(count, self._left)]
        del self._rows[:count]
        if not (rows and self.open) or os.getpid() != self._process:
            return  # a child that was forked has its parent's file, and no business in it
        if self._since is None:
            self._since = rows[0].arrived
        try:
            self._put("".join(row.line(self._since) for row in rows).encode("ascii"))
        except OSError as why:
            logger.warning("%s cannot be written, recording ends: %s", self.path, why.strerror)
            self._end()
            return
        self._left -= len(rows)
        if not self._left:
            logger.warning("%s has all the rows that it may have, recording ends", self.path)
            self._end()

    def _put(self, lines: bytes) -> None:
        rest = memoryview(lines)
        while rest:
            rest = rest[self._file.write(rest) :]

    def _end(self) -> None:
        self.open = False
        with suppress(OSError):
            self._file.close()


def _is_empty(path: Path) -> bool:
    """Tell a file that nothing is lost with, such as that of a server which could not start."""
    try:
        return path.stat().st_size == 0
    except OSError:
        return False
