"""How a test meets handlers that run in other processes, without a sleep and without a queue.

Law: to tell costs a handler one write, which cannot block it, and never fails where nobody listens.
"""

from __future__ import annotations

import contextlib
import os
import select
import time
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from timeouts.testing.deadlock import GUARD, Deadlock


class Sighting(NamedTuple):
    """A process that was seen, and what it said."""

    pid: int
    word: str


class Witness:
    """A pipe with a name, into which hostile handlers write their pids as they begin.

        with Witness(tmp_path / "seen") as seen:
            future = server.submit(hostile.forks_daemon, seen.path)
            worker, daemon = seen.wait(2)

    Args:
        path: where to put the pipe; its folder must exist, and be seen by the workers.
        guard: real seconds after which a wait fails with `Deadlock`.
    """

    def __init__(self, path: str | os.PathLike[str], *, guard: float = GUARD) -> None:
        self.path = os.fspath(path)
        self._guard = guard
        self._rest = b""
        self._seen: list[Sighting] = []
        os.mkfifo(self.path)
        self._fd = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)

    def seen(self) -> list[Sighting]:
        """Return who has been seen so far, in order."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._take(os.read(self._fd, 65536))
        return list(self._seen)

    def wait(self, count: int) -> list[Sighting]:
        """Block until at least `count` processes have been seen; return them."""
        until = time.monotonic() + self._guard
        while len(self.seen()) < count:
            if not select.select([self._fd], [], [], max(0.0, until - time.monotonic()))[0]:
                raise Deadlock(
                    f"{count} processes should be seen; {self._seen} were, "
                    f"after {self._guard:g} real seconds"
                )
        return self.seen()

    def forget(self) -> None:
        """Begin anew."""
        self.seen()
        self._seen.clear()

    def close(self) -> None:
        """Remove the pipe."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            Path(self.path).unlink()

    def _take(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            pid, _, word = line.decode().partition(" ")
            self._seen.append(Sighting(int(pid), word))

    def __enter__(self) -> Self:
        """Listen."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Remove the pipe."""
        self.close()


def tell(path: str | None, word: str = "") -> None:
    """Tell the witness at `path`, if there is one, of this process."""
    if path is None:
        return
    with contextlib.suppress(OSError):  # nobody listens, or not fast enough
        fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(fd, f"{os.getpid()} {word}\n".encode())
        finally:
            os.close(fd)
