"""Servers over process workers that many cases share, and how to look at them from outside."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self

from tests.shells.recorder import GUARD, Recorder
from timeouts import ProcessWorkers, Server
from timeouts.testing import hostile


class House:
    """A server of `hostile.run` over two workers, with a recorder, shared by many cases.

    Each case must leave it as it has found it, which `settle` checks.
    """

    def __init__(self, limits: Any = None, *, slots: int = 2, **options: Any) -> None:
        self.recorder = Recorder()
        self.server = Server(
            hostile.run,
            limits,
            slots=slots,
            workers=ProcessWorkers(**options),
            observers=[self.recorder],
        )

    def settle(self) -> None:
        """Wait until all workers are there and free; see the books balance, with nobody in them."""
        server = self.server
        server.start()
        server._wait_until(lambda: server._shell.core.free == server._slots, GUARD)
        stats = server.stats()
        assert (stats.waiting, stats.running, stats.abandoned) == (0, 0, 0), stats
        assert stats.free == stats.slots == self.server._slots, stats
        assert stats.arrived == sum(stats.outcomes.values()), stats

    def notice(self, dead: set[int]) -> None:
        """Wait until the server knows that these workers are dead: until then they count as free."""
        noticed = self.server._wait_until(lambda: not self.pids() & dead, GUARD)
        assert noticed, f"{self.pids() & dead} are still taken for workers"

    def counted(self, act: Callable[[], object]) -> dict[str, int]:
        """Return how many outcomes of each name were added while something was done."""
        before = self.server.stats().outcomes
        act()
        after = self.server.stats().outcomes
        return {n: c - before.get(n, 0) for n, c in after.items() if c != before.get(n, 0)}

    def pids(self) -> set[int]:
        """Return the workers of the server, as they are now."""
        staff = self.server._shell.pool._staff  # type: ignore[attr-defined]
        return {w.pid for w in staff._workers.values() if w is not None}

    def keeper(self) -> int:
        """Return the pid of the keeper."""
        return self._nursery()._keeper.pid  # type: ignore[no-any-return]

    def template(self) -> int:
        """Return the pid of the template."""
        (pid,) = children_of(self.keeper())
        return pid

    def _nursery(self) -> Any:
        return self.server._shell.pool._staff._nursery  # type: ignore[attr-defined]

    def close(self) -> None:
        """Close the server, and wait for the end of its processes."""
        self.server.__exit__(None, None, None)


class Logged(logging.Handler):
    """Waits for what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._changed = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        with self._changed:
            self.lines.append(record.getMessage())
            self._changed.notify_all()

    def wait_for(self, *parts: str) -> str:
        """Block until a message with all these parts has come; return it."""

        def find() -> str | None:
            return next((m for m in self.lines if all(part in m for part in parts)), None)

        with self._changed:
            found = self._changed.wait_for(find, GUARD)
        assert found, f"never logged: {parts}; logged: {self.lines}"
        return found


def pid_of_worker(*_: object) -> int:
    """Return the worker's pid; for `hostile.run`."""
    return os.getpid()


def held(path: str) -> int:
    """Block until the test writes into a pipe; return the worker's pid."""
    with open(path, "rb") as pipe:  # noqa: PTH123 - a pipe
        pipe.read(1)
    return os.getpid()


class Hold:
    """Keeps a worker busy until it is let go."""

    def __init__(self, server: Server, path: Path) -> None:
        os.mkfifo(path)
        self._path = path
        self._future = server.submit(held, str(path))
        self._fd = os.open(path, os.O_WRONLY)  # returns when the worker has opened its end
        self.running = True

    def let_go(self) -> int:
        """Return the pid of the worker, which has not died meanwhile."""
        if self.running:
            self.running = False
            os.write(self._fd, b".")
            os.close(self._fd)
            self._path.unlink()
        pid: int = self._future.result(GUARD)
        return pid


def is_there(pid: int) -> bool:
    """Tell whether there is a process of this pid, be it a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def is_alive(pid: int) -> bool:
    """Tell whether a process runs or could: it is there, and no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return stat[stat.rindex(b")") + 2 :].split()[0] not in (b"Z", b"X")


def wait_for_deaths(pids: Iterable[int]) -> None:
    """Block until all these processes have died; fail if they don't."""
    until = time.monotonic() + GUARD
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            watched = os.pidfd_open(pid)
            try:
                left = max(0.0, until - time.monotonic())
                died = select.select([watched], [], [], left)[0]
            finally:
                os.close(watched)
            assert died, f"process {pid} lives on: {command_of(pid)}"


def command_of(pid: int) -> str:
    """Return what a process runs."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()[:200]
    return "?"


def children_of(pid: int) -> list[int]:
    """Return the children of a process, whichever of its threads has made them."""
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for thread in threads for child in thread.read_text().split()]


def descendants_of(pid: int) -> list[int]:
    """Return all processes below one."""
    below = []
    with contextlib.suppress(OSError):
        for child in children_of(pid):
            below += [child, *descendants_of(child)]
    return below


class Script:
    """A program in a Python of its own, as a user would run it.

    Args:
        text: its source.
        path: where to write it; left out, it is given to `python -c`.
        arguments: for the program.
        flags: for the interpreter; warnings are errors by default.
        env: what is different in its environment.
        **options: for `Popen`.
    """

    def __init__(
        self,
        text: str,
        path: Path | None = None,
        *,
        arguments: tuple[str, ...] = (),
        flags: tuple[str, ...] = ("-W", "error"),
        env: dict[str, str] | None = None,
        **options: Any,
    ) -> None:
        text = textwrap.dedent(text)
        what = ["-c", text]
        if path is not None:
            path.write_text(text)
            what = [str(path)]
        self.process = subprocess.Popen(
            [sys.executable, *flags, *what, *arguments],
            **{
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
                "text": True,
                "env": {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **(env or {})},
                **options,
            },
        )

    @property
    def pid(self) -> int:
        return self.process.pid

    def line(self) -> str:
        """Return the next line that it prints."""
        assert self.process.stdout is not None
        line: str = self.process.stdout.readline().rstrip("\n")
        assert line, f"it ended: {self.end()}"
        return line

    def numbers(self) -> list[int]:
        """Return the numbers in the next line."""
        return [int(number) for number in self.line().split()]

    def end(self, seconds: float = GUARD) -> tuple[int, str, str]:
        """Wait for its end; return its exit code and what it has printed."""
        try:
            out, err = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            self.process.communicate()
            raise
        return self.process.returncode, out, err

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.__exit__(None, None, None)
