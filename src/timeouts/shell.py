"""The shell around the core: a lock, a clock, and obedience.

Laws:
- The core is fed under the lock; its commands are obeyed outside it, so no code of the user's but
  policies and disciplines, which are pure, ever runs under the lock.
- Whoever waits, waits with a limit of his own. Woken by it, he ticks the core with that instant or
  a later one, so an early wake-up cannot miss its own deadline.
- A withdrawal may come from a garbage collection that interrupts a thread inside the lock. It goes
  through an inbox, which whoever held the lock empties on leaving it.
"""

from __future__ import annotations

import functools
import math
import threading
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

from timeouts.call import NOTHING, Call, is_unwanted
from timeouts.clock import Clock
from timeouts.commands import Cancel, Commands, Late, Learned, Reply, Start
from timeouts.core import Core
from timeouts.errors import TimeoutsError, Work
from timeouts.gate import Bell
from timeouts.handler import Handler
from timeouts.job import DONE, RUNNING, WAITING
from timeouts.observe.observer import Announcer
from timeouts.outcome import Outcome
from timeouts.timer import Timer
from timeouts.workers.base import WorkerKind

T = TypeVar("T")


class Shell:
    """Feeds one core and obeys it with one pool of workers."""

    def __init__(  # noqa: PLR0917 - what one server is made of
        self,
        core: Core,
        clock: Clock,
        announcer: Announcer,
        kind: WorkerKind,
        handler: Handler,
        slots: float,
    ) -> None:
        self.core = core
        self.clock = clock
        self.pool = kind.open(self, handler, slots)
        self.timer = Timer(self, clock, f"{handler.name}-timer")
        self._announcer = announcer
        self._lock = threading.Lock()
        self._inbox: deque[Call] = deque()
        self._watchers: set[Bell] = set()
        self._obeying: dict[type, Callable[[Any, float], None]] = {
            Start: self._start,
            Reply: self._reply,
            Cancel: self._cancel,
            Late: self._late,
            Learned: self._learned,
        }

    # What callers tell.

    def arrive(self, call: Call) -> None:
        """A call comes in, as of the instant at which its caller made it."""
        now = call.arrived
        if self._announcer.arrived:
            self._announcer.arrived(call, now)
        with self._lock:
            commands = self.core.arrive(call, now)
            call.armed = call.expires
        self._obey(commands, now)
        if call.timed:
            self.timer.arm(call.expires)

    def knock(self, call: Call) -> bool:
        """Refuse a call before it arrives, if it would be refused now; return whether it was."""
        now = call.arrived
        with self._lock:
            commands = self.core.knock(call, now)
        refused = call.phase is DONE
        if refused and self._announcer.arrived:
            self._announcer.arrived(call, now)
        self._obey(commands, now)
        return refused

    def wait(self, call: Call) -> None:
        """Block until the call has an item or an outcome, and tick when its limit comes."""
        clock = self.clock
        while call.outcome is None and call.item is NOTHING:
            until = call.armed
            if not clock.wait(call.gate, until):
                self.tick(max(until, clock.now()))
            if call.outcome is None:
                call.armed = _wake_up(call)

    async def wait_async(self, call: Call) -> None:
        """Suspend until the call has an item or an outcome, and tick when its limit comes."""
        clock = self.clock
        while call.outcome is None and call.item is NOTHING:
            until = call.armed
            if not await call.gate.wait(until - clock.now()):
                self.tick(max(until, clock.now()))
            if call.outcome is None:
                call.armed = _wake_up(call)

    def resume(self, call: Call) -> None:
        """The consumer of a call's stream asks for the next item."""
        now = self.clock.now()
        with self._lock:
            commands = self.core.resume(call.key, now)
            call.armed = call.expires
        self._obey(commands, now)
        if call.demand is not None:
            call.demand.ring()

    def withdraw(self, call: Call) -> None:
        """The caller has left; no error if it was answered. Safe in a finalizer."""
        self._inbox.append(call)
        self._empty_inbox()

    # What workers tell.

    def finish(
        self, call: Call, outcome: Outcome, work: Work = "stopped", *, vacate: bool = False
    ) -> None:
        """The call's work is over; `vacate` if its slot is gone with its worker."""
        now = self.clock.now()
        with self._lock:
            commands = self.core.finish(call.key, outcome, now, work, vacate=vacate)
        self._obey(commands, now)

    def progress(self, call: Call) -> bool:
        """The call's stream has produced an item; return whether anybody still wants it."""
        now = self.clock.now()
        with self._lock:
            commands = self.core.progress(call.key, now)
            wanted = call.phase is RUNNING
        self._obey(commands, now)
        return wanted

    def deliver(self, call: Call, item: Any) -> bool:
        """Do as `progress`, and bring the item to the consumer."""
        wanted = self.progress(call)
        if wanted:
            call.item = item
            self.timer.arm(call.expires)  # until the consumer comes back, nobody else waits for it
            call.gate.ring()
        return wanted

    def enlist(self) -> None:
        """A worker has come, and a slot with it."""
        self.feed(self.core.enlist)

    def dismiss(self) -> bool:
        """The worker of a free slot is gone; return whether there was a free one.

        No time passes here, so there is nothing to obey: a pool calls this under its own lock.
        """
        with self._lock:
            before = self.core.slots
            self.core.dismiss(-math.inf)
            return self.core.slots < before

    def withhold(self, error: TimeoutsError) -> None:
        """No worker is there, and none will be soon."""
        self.feed(functools.partial(self.core.withhold, error))

    def killed(self, call: Call, pid: int, cause: str, since: float) -> None:
        """A worker was stopped because of a call; that was decided at the instant `since`."""
        if self._announcer.killed:
            now = self.clock.now()
            self._announcer.killed(call, pid, cause, now - since, now)

    def respawned(self, number: int, pid: int, since: float) -> None:
        """A worker is ready in the place of one that was gone at the instant `since`."""
        now = self.clock.now()
        self.feed(functools.partial(self.core.recovered, now - since), now)
        if self._announcer.respawned:
            self._announcer.respawned(number, pid, now - since, now)

    # What time and the owner tell.

    def tick(self, now: float) -> None:
        """Let time pass."""
        self.feed(self.core.tick, now)

    def next_timer(self) -> float:
        """Return the next instant at which something expires."""
        return self.read(self.core.next_timer)

    def feed(self, decide: Callable[[float], Commands], now: float | None = None) -> None:
        """Give the core an input that concerns no single call, and obey."""
        now = self.clock.now() if now is None else now
        with self._lock:
            commands = decide(now)
        self._obey(commands, now)

    def read(self, look: Callable[[], T]) -> T:
        """Look at the core under the lock."""
        with self._lock:
            seen = look()
        self._empty_inbox()
        return seen

    @contextmanager
    def watching(self, bell: Bell) -> Generator[None]:
        """Have a bell rung after whatever happens, for those who wait for the core to fall quiet."""
        self._watchers.add(bell)
        try:
            yield
        finally:
            self._watchers.discard(bell)

    # Obedience.

    def _obey(self, commands: Commands, now: float) -> None:
        self._carry_out(commands, now)
        if self._inbox:
            self._empty_inbox()
        if self._watchers:
            self.wake_watchers()

    def wake_watchers(self) -> None:
        """Have those who wait for quiet look again."""
        for bell in tuple(self._watchers):
            bell.ring()

    def _carry_out(self, commands: Commands, now: float) -> None:
        if len(commands) == 1:  # as nearly always on the hot path: no other answer hangs on it
            self._obeying[type(commands[0])](commands[0], now)
            return
        rest = iter(commands)
        try:
            for command in rest:
                self._obeying[type(command)](command, now)
        except BaseException:
            # An interrupt, or a callback's SystemExit, is not for the others to pay.
            self._carry_out(list(rest), now)
            raise

    def _start(self, command: Start, now: float) -> None:
        calls: Any = command.jobs  # this shell feeds its core nothing but calls
        for call in calls:
            if self._announcer.started:
                self._announcer.started(call, now)
            if call.expires < call.armed:
                call.rearm()
            if call.timed:
                self.timer.arm(call.expires)
            self.pool.start(call)

    def _reply(self, command: Reply, now: float) -> None:
        call: Any = command.job
        if self._announcer.answered:
            self._announcer.answered(call, command.outcome, now)
        call.answer(command.outcome)

    def _cancel(self, command: Cancel, _: float) -> None:
        calls: Any = command.jobs
        for call in calls:
            self.pool.cancel(call)
            if call.nested and is_unwanted(call):
                for nested in tuple(call.nested):
                    nested.leave()

    def _late(self, command: Late, now: float) -> None:
        if self._announcer.late:
            self._announcer.late(command.job, command.outcome, now)

    def _learned(self, command: Learned, now: float) -> None:
        if self._announcer.learned:
            self._announcer.learned(command.advice, now)

    def _empty_inbox(self) -> None:
        while self._inbox and self._lock.acquire(blocking=False):
            commands: Commands = []
            try:
                now = self.clock.now()
                while self._inbox:
                    commands += self.core.withdraw(self._inbox.popleft().key, now)
            finally:
                self._lock.release()
            self._carry_out(commands, now)
            if self._watchers:
                self.wake_watchers()


def _wake_up(call: Call) -> float:
    """Return until when a caller is to wait.

    Once his job is decided, time no longer counts: another thread is on its way to answer, and
    asking the clock again and again would only hold it up.
    """
    return call.expires if call.phase is RUNNING or call.phase is WAITING else math.inf
