"""The slots of one endpoint, shared by all its API servers. A slot is a worker of LitServe's, and takes a batch.

LitServe forks as many API servers as it has workers, and the kernel hands out connections as it likes: with
slots of its own, one server would keep clients waiting while workers of another's are idle. So the slots are
bytes in a pipe that all have inherited, as in GNU make's jobserver.

Laws:
- Over all processes there are never more batches in LitServe than there are bytes, nor more requests in a
  batch than it may have. Who comes too late for a batch waits here, where it is told on time.
- A byte goes back into the pipe with the end of each batch, so a server whose queue is long does not keep
  it from the others.
- Who has expired, and is not over long after the back half must have seen to that, was in a worker of
  LitServe's that is gone. LitServe will never say so, so the request is given up, and its byte goes back.

Cannot do: bring back the bytes of an API server that was killed. LitServe does not start another one. Know
when LitServe closes a batch: it may do so before its `batch_timeout` has passed here.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Hashable
from multiprocessing import Pipe
from typing import Any

from timeouts.adapters.asgi.application import Front
from timeouts.call import Call
from timeouts.callers import Callers
from timeouts.commands import Cancel, Start
from timeouts.errors import Withdrawn, Work
from timeouts.observe.observer import logger
from timeouts.outcome import Outcome
from timeouts.shell import Shell

MOST = 4096  # what every system's pipes hold


class Slots:
    """Bytes in a pipe, made before the fork; its descriptors go with the last who holds it.

    Args:
        number: how many batches may be in LitServe at once.
        size: how many requests a batch may have.
        window: seconds from the first of them to the last.
        patience: seconds from an expiry until its request is given up.
    """

    def __init__(
        self, number: int, size: int = 1, window: float = 0.0, patience: float = math.inf
    ) -> None:
        self.number = number
        self.size = size
        self.window = window
        self.patience = patience
        self._reader, self._writer = Pipe(duplex=False)
        self.fd = self._reader.fileno()
        for end in (self._reader, self._writer):
            os.set_blocking(end.fileno(), False)
        os.write(self._writer.fileno(), bytes(number))

    def take(self) -> bool:
        """Take one, if one is there."""
        try:
            return bool(os.read(self.fd, 1))
        except BlockingIOError:
            return False

    def give(self) -> None:
        """Give one back."""
        os.write(self._writer.fileno(), b"\0")


class SharedFront(Front):
    """A queue of this process in front of slots that are everybody's."""

    def __init__(self, app: Any, limits: Any, slots: Slots, **options: Any) -> None:
        self._shared = slots
        super().__init__(app, limits, **options)

    def _open(self) -> None:
        super()._open()
        self._shell.core.slots = 0
        self._shell = SharedShell(
            self._shared,
            self._shell.core,
            self._clock,
            self._announcer,
            self._kind,
            self._handler,
            self._slots,
        )
        self.callers = Callers(self._shell, self._handler)


class Batch:
    """Requests that hold one byte together."""

    __slots__ = ("_closes", "_room", "running")

    def __init__(self, room: int, closes: float) -> None:
        self._room = room
        self._closes = closes
        self.running = 0

    def takes_one_more(self, now: float) -> bool:
        """Tell whether it is not full, and not too late."""
        return self._room > 0 and now <= self._closes

    def board(self) -> None:
        """One more runs in it."""
        self._room -= 1
        self.running += 1


class SharedShell(Shell):
    """Has a slot of the core's in service for each job that runs, and looks for one while somebody waits."""

    def __init__(self, slots: Slots, *parts: Any) -> None:
        super().__init__(*parts)
        self._slots = slots
        self._batch: Batch | None = None  # the last one
        self._aboard: dict[Hashable, Batch] = {}
        self._overdue: dict[Hashable, asyncio.TimerHandle] = {}
        self._looking = False

    def arrive(self, call: Call) -> None:
        """Look for a slot first: a call is not to wait, or be refused, beside an idle worker."""
        self._offer(self.clock.now())
        super().arrive(call)
        self._settle()

    def knock(self, call: Call) -> bool:
        """As above."""
        self._offer(self.clock.now())
        refused = super().knock(call)
        self._settle()
        return refused

    def finish(
        self, call: Call, outcome: Outcome, work: Work = "stopped", *, vacate: bool = True
    ) -> None:
        """The byte goes with the last job of its batch, to whoever is the next to look for one."""
        batch = self._aboard.pop(call.key)
        if overdue := self._overdue.pop(call.key, None):
            overdue.cancel()
        super().finish(call, outcome, work, vacate=vacate)
        batch.running -= 1
        self._end(batch)
        self._settle()

    def _start(self, command: Start, now: float) -> None:
        for job in command.jobs:
            assert self._batch is not None  # noqa: S101 - whose slot it is
            self._batch.board()
            self._aboard[job.key] = self._batch
        super()._start(command, now)

    def _cancel(self, command: Cancel, _: float) -> None:
        super()._cancel(command, _)
        for job in command.jobs:
            if self._slots.patience < math.inf and not isinstance(job.error, Withdrawn):
                loop = asyncio.get_running_loop()
                self._overdue[job.key] = loop.call_later(self._slots.patience, self._give_up, job)

    def _give_up(self, call: Any) -> None:
        del self._overdue[call.key]
        logger.error("%r is given up: the worker that had it is gone", call)
        if call.task is not None:
            call.task.cancel()

    def _offer(self, now: float) -> bool:
        """Put one slot into service, if a batch takes one more."""
        if self._batch is None or not self._batch.takes_one_more(now):
            if not self._slots.take():
                return False
            self._batch = Batch(self._slots.size, now + self._slots.window)
        self.enlist()
        return True

    def _look(self) -> None:
        now = self.clock.now()
        while self.core.waiting and self._offer(now):
            pass
        self._settle()

    def _end(self, batch: Batch) -> None:
        if not batch.running:
            self._slots.give()
            if batch is self._batch:
                self._batch = None

    def _settle(self) -> None:
        """Give back what nobody here needs; watch the pipe while somebody waits, and no longer."""
        self.dismiss()
        if self._batch is not None:
            self._end(self._batch)
        wanted = self.core.waiting > 0
        if wanted != self._looking:
            self._looking = wanted
            loop = asyncio.get_running_loop()
            if wanted:
                loop.add_reader(self._slots.fd, self._look)
            else:
                loop.remove_reader(self._slots.fd)
