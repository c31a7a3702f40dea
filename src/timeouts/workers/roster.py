"""Who of a pool's workers is idle, and who is in reserve: for kinds whose workers come and go.

Laws:
- There are as many idle workers as the core has free slots, and those that are just being started.
  A slot comes into service with a worker that is ready; it leaves with one that is lost, unless one
  from the reserve takes its place at once.
- Whoever takes a worker from the idle ones gives it its call in the same breath.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

from timeouts.call import Call
from timeouts.job import RUNNING
from timeouts.workers.base import Shell


class Worker:
    """A worker and the call that it serves.

    Law: a call is claimed once: by whoever brings its answer, or by whoever buries the worker.

    Attributes:
        condemned: whether it is to be stopped, and so takes no further call.
    """

    def __init__(self) -> None:
        self.condemned = False
        self._calls: list[Call] = []

    def assign(self, call: Call) -> None:
        """Give it a call."""
        self._calls.append(call)

    def claim(self) -> Call | None:
        """Take its call away from it, which one party can do once."""
        try:
            return self._calls.pop()
        except IndexError:
            return None

    @property
    def call(self) -> Call | None:
        """The call that it serves."""
        try:
            return self._calls[-1]
        except IndexError:  # asked first, it may be claimed in between
            return None


W = TypeVar("W", bound=Worker)


class Roster(Generic[W]):
    """The workers of one pool that serve nobody just now.

    Attributes:
        lock: under which a call and its worker belong together; see `serving`.
        idle: those in service.
        spares: those in reserve, the longest in it first.
    """

    def __init__(self, shell: Shell, slots: int) -> None:
        self.lock = threading.RLock()  # re-entered where a garbage collection calls back
        self._shell = shell
        self._slots = slots
        self.idle: deque[W] = deque()
        self.spares: deque[W] = deque()

    def take(self, call: Call) -> W | None:
        """Give a call to an idle worker; None if it was answered before its work began."""
        with self.lock:
            if call.phase is not RUNNING:
                return None
            worker = self.idle.pop()
            call.worker = worker
            worker.assign(call)
        return worker

    def put_back(self, worker: W, *, fit: bool) -> tuple[bool, bool]:
        """A worker has ended its call; return whether it goes on, and whether its slot goes with it."""
        with self.lock:
            fit = fit and not worker.condemned
            if fit:
                self.idle.append(worker)
            elif self.spares:
                self.idle.append(self.spares.popleft())
            else:
                return False, True
        return fit, False

    def admit(self, worker: W) -> None:
        """A worker is ready: put it into service, or into the reserve."""
        with self.lock:
            self.spares.append(worker)
        self.promote()

    def promote(self) -> None:
        """Put workers from the reserve into service, for as many slots as lack one."""
        while self._in_service() < self._slots:
            with self.lock:
                if not self.spares:
                    return
                self.idle.append(self.spares.popleft())
            self._shell.enlist()

    def strike_off(self, worker: W) -> None:
        """A worker that serves nobody is gone: take its slot out of service, unless there is a reserve."""
        with self.lock:
            if worker in self.spares:
                self.spares.remove(worker)
            elif worker in self.idle:
                self.idle.remove(worker)
                if self.spares:
                    self.idle.append(self.spares.popleft())
                elif not self._shell.dismiss():
                    self.idle.append(worker)  # a call is on its way to it, and brings us back here

    @property
    def working(self) -> bool:
        """Whether any slot is in service."""
        return bool(self._in_service())

    @property
    def complete(self) -> bool:
        """Whether all slots are in service."""
        return self._in_service() >= self._slots

    def _in_service(self) -> float:
        return self._shell.read(lambda: self._shell.core.slots)

    @staticmethod
    def serving(call: Call) -> W | None:
        """Return the worker that serves a call just now; only under the lock."""
        worker: W | None = call.worker
        return worker if worker is not None and worker.call is call else None
