"""The server's end of one worker: a process, a private channel, and the call that it serves.

Laws:
- One party at a time reads a channel: the thread that called, the event loop that awaits, or, for
  those who do neither, the pool's own thread. No descriptor or lock is shared between workers.
- A pid is signalled only before its burial is ordered; until then nobody else can have it.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import pickle
import select
import signal
import socket
import time
from typing import TYPE_CHECKING, Any

from timeouts.observe.observer import logger
from timeouts.workers import roster
from timeouts.workers.process import around, native
from timeouts.workers.process.frames import (
    CHUNK,
    GO,
    LIMITS,
    NEXT,
    STOP,
    Frame,
    Reader,
    call_frame,
    frame,
)
from timeouts.workers.process.post import Post

if TYPE_CHECKING:
    from timeouts.call import Call
    from timeouts.outcome import Outcome
    from timeouts.stack import Stack
    from timeouts.workers.process.dumps import Dump, LastWords
    from timeouts.workers.process.gates import Listener
    from timeouts.workers.process.nursery import Nursery

_COARSE = 0.002  # `poll` rounds up to whole milliseconds; the rest of a wait is for `select`
_FEW = 1024  # descriptors that `select` can take
_LONGEST = 1e6


class Worker(roster.Worker):
    """One worker process, as the server sees it.

    Attributes:
        number: its place in the pool, from 0; free again when it is gone.
        died: done when its process has died, though it may not be buried.
        buried: whether its burial has been ordered, so that its pid may be anybody's.
        left: done when it and all that it left behind is dead and buried.
        stopping: whether somebody sees to its end already.
        cause: why it died.
        verdict: what its call is told, if that is not simply that the worker was lost.
        unasked: whether its call never reached it.
        asking: whether its call is on its way to it, so that nobody can say yet.
        watching: whether the pool's thread reads the channel, rather than a caller.
        between: whether its stream waits to be asked for the next item.
        farewell: set when a call that was asked to stop has ended.
        limits: those that it was told last.
        listeners: by loop, what reads the channel there.
    """

    def __init__(  # noqa: PLR0917 - what belongs to one worker
        self,
        number: int,
        sock: socket.socket,
        post: Post,
        nursery: Nursery,
        words: LastWords,
        dumped: Dump,
        limits: Stack,
    ) -> None:
        super().__init__()
        self.number = number
        self.pid = 0
        self.sock = sock
        self.post = post
        self.nursery = nursery
        self.words = words
        self.dumped = dumped
        self.loop = asyncio.get_running_loop()
        self.died: asyncio.Future[None] = self.loop.create_future()
        self.left: asyncio.Future[None] = self.loop.create_future()
        self.buried = False
        self.stopping = False
        self.cause = "it has not died"
        self.verdict: Outcome | None = None
        self.unasked = False
        self.asking = False
        self.watching = True
        self.watched = False
        self.between = False
        self.farewell: asyncio.Event | None = None
        self.limits: Stack | None = limits
        self.listeners: dict[asyncio.AbstractEventLoop, Listener] = {}
        self.fd = sock.fileno()
        self._reader = Reader()
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)

    def __repr__(self) -> str:
        """Show place and pid."""
        return f"<worker {self.number}, pid {self.pid}>"

    @property
    def gone(self) -> bool:
        """Whether it has left; may be asked in any thread."""
        return self.left.done()

    # The call.

    def begin(self) -> None:
        """Let it set up what it needs: until now it has only been born."""
        with contextlib.suppress(OSError):  # it has died, which is told in another way
            self.send(GO)

    def assign(self, call: Call) -> None:
        """Give it a call."""
        self.asking = True
        super().assign(call)

    def ask(self, call: Call) -> None:
        """Send the call. Raises OSError if the worker cannot take it."""
        number: Any = call.key
        left, age = call.deadline - call.started, call.started - call.arrived
        learned = call.advice.execution
        data = call_frame(number, left, age, learned, self.post.wrap(call.request))
        if call.around is not None:
            data = around.sent(number, call.around) + data
        if call.stack is not self.limits:
            data = self._told(call.stack) + data
        self.send(data)

    def _told(self, limits: Stack | None) -> bytes:
        """Write the frame that puts the worker under other limits, which `remaining()` there obeys."""
        self.limits = limits
        try:
            return frame(LIMITS, 0, pickle.dumps(limits, 5))
        except Exception:  # noqa: BLE001 - a policy may be a stranger's
            logger.exception("%r cannot be sent to a worker process", limits)
            return b""

    def ask_on(self, call: Call) -> None:
        """Ask for the next item of the call's stream."""
        self.between = False
        with contextlib.suppress(OSError):  # it has died, which is told in another way
            self.send(frame(NEXT, call.key))  # type: ignore[arg-type]

    def ask_to_stop(self, call: Call) -> None:
        """Say that no more items of the call's stream are wanted."""
        with contextlib.suppress(OSError):
            self.send(frame(STOP, call.key))  # type: ignore[arg-type]

    def send(self, data: bytes) -> None:
        """Send a frame, which an idle channel has room for."""
        if self.sock.send(data, socket.MSG_DONTWAIT) != len(data):
            raise BlockingIOError("the channel of a worker is full")

    # Reading.

    def receive(self, seconds: float) -> list[Frame] | None:
        """Block until frames arrive; None after `seconds`.

        Raises:
            EOFError: the worker has closed its end, most likely by dying.
        """
        start = time.monotonic()
        limit = None if seconds == math.inf else min(seconds, _LONGEST)
        if limit is None:
            self._poll.poll()
        elif not (limit > _COARSE and self._poll.poll((limit - _COARSE) * 1e3)):
            rest = max(0.0, limit - (time.monotonic() - start))
            if not self._poll_finely(rest):
                return None
        return self.receive_now()

    def receive_now(self) -> list[Frame]:
        """Read what is there.

        Raises:
            EOFError: the worker has closed its end.
        """
        try:
            data = self.sock.recv(CHUNK, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            raise EOFError
        return self._reader.feed(data)

    def _poll_finely(self, seconds: float) -> bool:
        if self.fd < _FEW:
            return bool(select.select([self.fd], [], [], seconds)[0])
        return bool(self._poll.poll(seconds * 1e3))

    # The end.

    def hang_up(self) -> None:
        """End the conversation: whoever waits for the worker is woken, and nothing it says is heard."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def dump(self) -> None:
        """Have it write its stacks."""
        self._signal(os.kill, native.DUMP_SIGNAL)

    def terminate(self) -> None:
        """Ask it to end."""
        self._signal(os.kill, signal.SIGTERM)

    def kill(self) -> None:
        """Kill its whole process group, and itself wherever it has gone."""
        self._signal(os.killpg, signal.SIGKILL)
        self._signal(os.kill, signal.SIGKILL)

    def _signal(self, how: object, which: int) -> None:
        if self.pid and not self.buried:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                how(self.pid, which)  # type: ignore[operator]

    def end_farewell(self) -> None:
        """Its call has ended: whoever waits for that may stop waiting."""
        if (farewell := self.farewell) is not None:
            self.loop.call_soon_threadsafe(farewell.set)

    def lay_to_rest(self, cause: str) -> None:
        """It is dead and buried: keep what it said last, close the rest; what was received stays valid."""
        self.close()
        last = self.words.text()
        self.cause = f"{cause}; its last words were:\n{last}" if last else cause
        self.left.set_result(None)

    def close(self) -> None:
        """Let go of all descriptors but the channel's, which somebody may be about to listen to.

        Closed under him, its number could be another worker's by then, and he would wait for that one.
        """
        self.hang_up()
        self.post.close()
        self.words.close()
        self.dumped.close()
