"""The warden of a machine, which knows when the processes of workers there have ended.

Ray tells of an actor's death as soon as that is decided, some 20 ms before the process has ended, and
5 s before where it was stopped by a signal. A slot may only be given up when the work is known to be over.

Laws:
- `watch` ends when the process has ended, and not before. What does not die by itself in the grace
  that `kill` gives it is killed by SIGKILL.
- A pid is looked at, and killed, only where it means the process that it belongs to.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

from timeouts.workers.process import native

_PULSE = 0.02  # seconds between two looks, where the kernel has no better way


def whereabouts() -> str:
    """Return what two processes have in common that can speak of pids: a boot, and a namespace."""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115 - no path
    return os.uname().nodename


class Warden:
    """Watches over processes: in the server for its own machine, and as an actor for another's."""

    def __init__(self) -> None:
        self._deaths: dict[int, asyncio.Future[None]] = {}
        self._fds: dict[int, int] = {}

    async def take(self, pid: int, where: str) -> bool:
        """Begin to watch a process; return whether that is possible."""
        if where != whereabouts():
            return False
        loop = asyncio.get_running_loop()
        self._deaths[pid] = loop.create_future()
        fd = native.watch_process(pid)
        if fd is not None:
            self._fds[pid] = fd
            loop.add_reader(fd, self._on_end, pid)
        return True

    async def watch(self, pid: int) -> None:
        """Return when the process has ended."""
        if pid in self._fds:
            await asyncio.shield(self._deaths[pid])
        else:
            while _exists(pid):  # noqa: ASYNC110 - there is no event for it
                await asyncio.sleep(_PULSE)
            self._deaths[pid].set_result(None)
        self._deaths.pop(pid, None)

    async def kill(self, pid: int, grace: float) -> None:
        """Kill a process that has not ended in so many seconds."""
        death = self._deaths.get(pid)
        if death is not None:
            await asyncio.wait([death], timeout=grace)
            if pid in self._deaths and not death.done():
                self._kill(pid)

    async def stay(self) -> None:
        """Never return: who waits for this is told of the warden's own end."""
        await asyncio.Event().wait()

    def close(self) -> None:
        """Watch over nobody any more."""
        for fd in self._fds.values():
            asyncio.get_running_loop().remove_reader(fd)
            os.close(fd)
        self._fds.clear()
        self._deaths.clear()

    def _kill(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            if pid in self._fds:
                signal.pidfd_send_signal(self._fds[pid], signal.SIGKILL)
            else:
                os.kill(pid, signal.SIGKILL)

    def _on_end(self, pid: int) -> None:
        fd = self._fds.pop(pid)
        asyncio.get_running_loop().remove_reader(fd)
        os.close(fd)
        self._deaths[pid].set_result(None)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
