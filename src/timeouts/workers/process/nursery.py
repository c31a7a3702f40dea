"""Where workers are born and buried: the server's side of the keeper and the template.

Everything here runs on the pool's own loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import tempfile
from collections.abc import Callable
from typing import Any

from timeouts.errors import StartupFailed
from timeouts.workers.process import native
from timeouts.workers.process.birth import Birth
from timeouts.workers.process.child import keeper, pages


class Nursery:
    """One keeper and one template, from their start to their end.

    Args:
        birth: what new processes must know.
        on_death: called with the pid of a worker that has died, where no pidfd tells.
        on_end: called when the template has ended, wanted or not.
    """

    def __init__(
        self, birth: Birth, on_death: Callable[[int], None], on_end: Callable[[], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_death = on_death
        self._on_end = on_end
        self._told: asyncio.Future[None] = self._loop.create_future()
        self._births: dict[int, asyncio.Future[Any]] = {}
        self._burials: dict[int, asyncio.Future[Any]] = {}
        self._rest = b""
        self._control, theirs = socket.socketpair()
        self._control.setblocking(False)
        end, self._leash = os.pipe()
        with tempfile.TemporaryFile() as written, theirs:
            written.write(birth.write())
            written.flush()
            written.seek(0)
            given = (end, theirs.fileno(), written.fileno())
            try:
                self._keeper = subprocess.Popen(  # noqa: S603 - our own program
                    birth.command(keeper.__name__, keeper.main.__name__, *given, os.getpid()),
                    stdin=subprocess.DEVNULL,
                    env=pages.with_wish(dict(os.environ)) if birth.preloads else None,
                    pass_fds=given,
                    start_new_session=True,
                )
            except OSError:
                os.close(self._leash)
                self._control.close()
                raise
            finally:
                os.close(end)
        self._loop.add_reader(self._control, self._hear)

    async def ready(self) -> None:
        """Wait until workers can be born.

        Raises:
            StartupFailed: they never will; the message has the traceback.
        """
        await asyncio.shield(self._told)

    async def spawn(self, number: int, fds: list[int]) -> int:
        """Have a worker born; return its pid."""
        born = self._births[number] = self._loop.create_future()
        try:
            self._order("spawn", number, fds)
            pid: int = await born
            return pid
        finally:
            self._births.pop(number, None)

    async def bury(self, pid: int) -> int | None:
        """Have a worker buried once it is dead, with all it left behind; return its exit code, None if unknown."""
        buried = self._burials[pid] = self._loop.create_future()
        try:
            self._order("bury", pid)
        except OSError:
            await self.ended()
            return None
        code: int | None = await buried
        return code

    def have_deaths_told(self) -> None:
        """Have the template tell of each death, because no pidfd does."""
        with contextlib.suppress(OSError):  # it has died itself
            self._order("tell", 0)

    def close(self) -> None:
        """Have everything killed."""
        if self._leash >= 0:
            os.close(self._leash)
            self._leash = -1
            self._loop.remove_reader(self._control)
            self._control.close()
            self._fail("the server was closed")

    async def ended(self) -> None:
        """Wait until everything is dead; only after `close`."""
        watched = None
        if self._keeper.poll() is None:
            watched = native.watch_process(self._keeper.pid)
        if watched is not None:
            dead = asyncio.Event()
            self._loop.add_reader(watched, dead.set)
            try:
                await dead.wait()
            finally:
                self._loop.remove_reader(watched)
                os.close(watched)
        while self._keeper.poll() is None:  # noqa: ASYNC110 - where nothing else tells
            await asyncio.sleep(0.005)
        for buried in self._burials.values():
            if not buried.done():
                buried.set_result(None)
        self._burials.clear()

    def forget(self) -> None:
        """Close the descriptors that a fork of the server has inherited; the processes are its parent's."""
        with contextlib.suppress(OSError):
            os.close(self._leash)
        self._control.close()
        self._keeper.returncode = 0  # or its destructor would complain, and wait

    def _order(self, order: str, argument: int, fds: list[int] | None = None) -> None:
        data = json.dumps([order, argument]).encode() + b"\n"
        if fds:
            socket.send_fds(self._control, [data], fds)
        else:
            self._control.send(data)

    def _hear(self) -> None:
        try:
            data = self._control.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(self._control)
            self._fail("the template process has died")
            self._on_end()
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            what, *about = json.loads(line)
            getattr(self, f"_{what}")(*about)

    def _ready(self) -> None:
        if not self._told.done():
            self._told.set_result(None)

    def _failed(self, text: str) -> None:
        self._fail(text)

    def _spawned(self, number: int, pid: int) -> None:
        if (born := self._births.get(number)) and not born.done():
            born.set_result(pid)

    def _unborn(self, number: int, why: str) -> None:
        if (born := self._births.get(number)) and not born.done():
            born.set_exception(StartupFailed(f"no worker could be made: {why}"))

    def _died(self, pid: int) -> None:
        self._on_death(pid)

    def _gone(self, pid: int, code: int) -> None:
        if (buried := self._burials.pop(pid, None)) and not buried.done():
            buried.set_result(code)

    def _fail(self, text: str) -> None:
        waiters: list[asyncio.Future[Any]] = [self._told, *self._births.values()]
        for waiting in waiters:
            if not waiting.done():
                failure = StartupFailed(f"the worker processes could not be started: {text}")
                waiting.set_exception(failure)
                waiting.exception()  # nobody may be waiting
