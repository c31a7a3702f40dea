"""What a worker says in passing: its standard error, and the stacks that it is made to write.

Law: the server never waits for whoever reads its own standard error. What that reader is too slow
for is dropped, and the worker is never held up.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
from collections import deque

STDERR = 2
LAST_LINES = 20
_BOTTOM = (b'File "<string>", line 1 in <module>\n', b"  ...\n")
_OWN = (os.path.dirname(__file__), 'File "<string>", line 1 in <module>')  # noqa: PTH120 - a prefix
_PIECE = 4096  # POSIX: a pipe that can be written to takes this much at once


class Ear:
    """Listens to a pipe for as long as the worker lives."""

    def __init__(self) -> None:
        self._end, self.given = os.pipe()
        os.set_blocking(self._end, False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._end, self._hear)

    def hear(self, data: bytes) -> None:
        """Take what was written."""
        raise NotImplementedError

    def close(self) -> None:
        """Hear the rest, and stop listening."""
        if self._end >= 0:
            while self._hear():
                pass
            self._loop.remove_reader(self._end)
            os.close(self._end)
            self._end = -1

    def _hear(self) -> bool:
        data = b""
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._end, 65536)
            if not data:
                self._loop.remove_reader(self._end)
        if data:
            self.hear(data)
        return bool(data)


class LastWords(Ear):
    """Passes a worker's standard error on to the server's, and keeps the last lines."""

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque(maxlen=LAST_LINES)
        self._open = b""
        super().__init__()

    def hear(self, data: bytes) -> None:
        """Keep the last lines; pass it on as far as it is taken."""
        *lines, self._open = (self._open[-_PIECE:] + data).split(b"\n")
        self._lines.extend(lines)
        for start in range(0, len(data), _PIECE):
            _pass_on(data[start : start + _PIECE])

    def text(self) -> str:
        """Return the last lines."""
        lines = [*self._lines, self._open] if self._open else [*self._lines]
        return b"\n".join(lines[-LAST_LINES:]).decode(errors="replace")


class Dump(Ear):
    """Collects the stacks of a worker's threads."""

    def __init__(self) -> None:
        self._text = b""
        self.complete: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        super().__init__()

    def hear(self, data: bytes) -> None:
        """Collect; the last line of the last thread, the main one, is known."""
        self._text += data
        if self._text.endswith(_BOTTOM) and not self.complete.done():
            self.complete.set_result(None)

    def text(self) -> str:
        """Return the stacks, without the frames below the handler's, which are our own."""
        lines = self._text.decode(errors="replace").splitlines(keepends=True)
        return "".join(line for line in lines if not any(own in line for own in _OWN))


def _pass_on(piece: bytes) -> None:
    with contextlib.suppress(OSError, ValueError):
        poll = select.poll()
        poll.register(STDERR, select.POLLOUT)
        if poll.poll(0):
            os.write(STDERR, piece)
