"""One server, three ways to call it: `call` blocks, `acall` awaits, `submit` gives a future."""

from __future__ import annotations

import asyncio
import copy
import math
import os
import weakref
from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import Future
from types import TracebackType
from typing import Any, NamedTuple, Self

from timeouts.admission import Admission
from timeouts.callers import Callers
from timeouts.clock import MONOTONIC, Clock
from timeouts.core import Core
from timeouts.deadline import Seconds, seconds
from timeouts.discipline import Discipline, EarliestDeadlineFirst
from timeouts.estimate import Advice
from timeouts.explain import Explanation
from timeouts.gate import Gate, LoopGate
from timeouts.handler import Handler, handler_of
from timeouts.observe import LateLogger, Observer
from timeouts.observe.observer import Announcer
from timeouts.options import (
    checked_admission,
    checked_clock,
    checked_count,
    checked_discipline,
    checked_limits,
    checked_observers,
    refuse_reserved,
)
from timeouts.policy import Policy
from timeouts.shell import Shell
from timeouts.stack import Stack
from timeouts.workers import StopMode, WorkerKind, worker_kind
from timeouts.workers.loop_thread import running_loop


class Stats(NamedTuple):
    """The books of a server at one instant.

    They balance: `running + abandoned + free == slots`, and
    `arrived == sum(outcomes.values()) + waiting + running`. `hopeless` is how many arrivals the
    `admission` has held for hopeless, whether it refused them or not.
    """

    waiting: int
    running: int
    abandoned: int
    free: float
    slots: float
    arrived: int
    outcomes: Mapping[str, int]
    hopeless: int = 0


class Server:
    """A queue and workers around a handler, under limits.

    It starts no thread before the first call. Leaving its `with` or `async with` block drains and
    closes it; leaving by an exception closes it at once.

    Args:
        handler: the predict function: `def`, `async def`, a generator of either kind, a method, or
            any callable object. A generator makes a stream: `call` then returns an iterator and
            `acall` an async iterator, lazily, and items are produced as they are asked for.
        limits: a policy, or policies joined with `|`, outermost first; None for no limits.
        slots: how many jobs may run at once; default: unlimited for tasks, `min(32, cores + 4)`
            for threads, the number of cores for processes. Work that cannot be stopped holds its slot until it ends by itself.
        workers: `"task"`, `"thread"`, `"process"`, `"ray"`, or an object with options such as
            `ProcessWorkers(...)`; default: tasks for `async def` handlers, threads for others.
        capacity: how many jobs may wait; default 1,000. One more is refused with `QueueFull`.
        discipline: the order of the queue, a class: `EarliestDeadlineFirst` (default; among jobs of equal budgets it is
            first in, first out), `FIFO`, `LIFO`, `AdaptiveLIFO`, `Priority`, `FairShare`, or one of your own.
        admission: `PredictedWait()` refuses on arrival who would expire before being started, `CoDel()` who has waited
            long in a queue that stands; default: whoever finds a place in the queue may wait.
        observers: who else looks on; late results are always logged (logger `timeouts`).
        clock: where time comes from; tests pass a manual one.
        drain_timeout: seconds that leaving the `with` block waits for jobs to end; default 30.

    Attributes:
        limits: the stack that jobs are under which come now.
        given: the options as they were given, for who builds another server like it.

    Raises:
        TypeError, ValueError: an argument makes no sense; the message names it and its value.
    """

    reserved: tuple[str, ...] = ("budget", "priority", "tenant")

    def __init__(
        self,
        handler: Callable[..., Any],
        limits: Policy | Stack | None = None,
        *,
        slots: float | None = None,
        workers: str | WorkerKind | None = None,
        capacity: float = 1000,
        discipline: Callable[[], Discipline] = EarliestDeadlineFirst,
        admission: Admission | None = None,
        observers: Iterable[Observer] = (),
        clock: Clock = MONOTONIC,
        drain_timeout: Seconds = 30.0,
    ) -> None:
        self.given = {
            "slots": slots,
            "workers": workers,
            "capacity": capacity,
            "discipline": discipline,
            "admission": admission,
            "observers": observers,
            "drain_timeout": drain_timeout,
        }
        self._handler = handler_of(handler)
        refuse_reserved(self._handler, self.reserved)
        self.limits = self._checked(limits)
        self._kind = worker_kind(workers, self._handler)
        self._slots = checked_count(
            "slots", self._kind.default_slots if slots is None else slots, least=1
        )
        self._kind.check(self._handler, self._slots, self.limits)
        self._capacity = checked_count("capacity", capacity, least=0)
        self._discipline = checked_discipline(discipline)
        self._admission = checked_admission(admission, self._discipline)
        self._announcer = Announcer((LateLogger(), *checked_observers(observers)))
        self._clock = checked_clock(clock)
        self._drain_timeout = seconds(drain_timeout, "drain_timeout")
        self._open()
        if self._announcer.opened:
            self._announcer.opened(self)
        _SERVERS.add(self)

    def _checked(self, limits: Policy | Stack | None) -> Stack:
        return checked_limits(limits, self._handler)

    def _open(self) -> None:
        core = Core(
            self.limits,
            slots=0 if self._kind.late_slots else self._slots,
            capacity=self._capacity,
            max_abandoned=self._kind.max_abandoned,
            discipline=self._discipline,
            stops=self._kind.stop_mode != "abandon",
            admission=self._admission,
        )
        self._shell = Shell(
            core, self._clock, self._announcer, self._kind, self._handler, self._slots
        )
        self.callers = Callers(self._shell, self._handler)

    def _reopen(self) -> None:
        was_open = self._shell.core.open
        self._shell.pool.forget()
        self._open()
        self._shell.core.open = was_open

    def call(
        self,
        /,
        *args: Any,
        budget: Seconds = None,
        priority: float = 0.0,
        tenant: Hashable = None,
        **kwargs: Any,
    ) -> Any:
        """Run the handler on the arguments and return its result, or an iterator over its items.

        Args:
            *args: for the handler.
            budget: seconds the caller still grants; may shorten the limits, never lengthen them.
            priority: for disciplines that rank; lower is served first.
            tenant: on whose behalf, for disciplines that share out.
            **kwargs: for the handler.

        Raises:
            TimeoutsError: a limit was reached, or the job was refused; see `timeouts.errors`.
            Exception: whatever the handler raised, as itself.
        """
        return self.callers.blocking(self._handler.function, args, kwargs, budget, priority, tenant)

    def acall(
        self,
        /,
        *args: Any,
        budget: Seconds = None,
        priority: float = 0.0,
        tenant: Hashable = None,
        **kwargs: Any,
    ) -> Any:
        """Do as `call` without blocking: return an awaitable, or an async iterator for a stream."""
        return self.callers.awaiting(self._handler.function, args, kwargs, budget, priority, tenant)

    def submit(
        self,
        /,
        *args: Any,
        budget: Seconds = None,
        priority: float = 0.0,
        tenant: Hashable = None,
        **kwargs: Any,
    ) -> Future[Any]:
        """Do as `call` and return a future at once. Cancelling the future withdraws the job.

        Its callbacks run in the worker that finished, as those of `concurrent.futures` do: one that
        blocks holds that worker up.

        Raises:
            TypeError: the handler gives a stream, which has no single result.
        """
        return self.callers.enqueue(self._handler.function, args, kwargs, budget, priority, tenant)

    @property
    def handler(self) -> Handler:
        """What it serves, its name, and what kind of function it is."""
        return self._handler

    @property
    def shell(self) -> Shell:
        """What adapters feed; another one after a fork."""
        return self._shell

    @property
    def advice(self) -> Advice:
        """What has been learned of the handler: `advice.reserve(30)` is what is held back of 30 s at present."""
        return self._shell.core.learner.advice

    def explain(self) -> Explanation:
        """Tell what the limits mean and, for numbers that are learned, what they are at present and why; print it."""
        learner = self._shell.core.learner
        return self._shell.read(lambda: self.limits.explain(learner.advice, learner.count))

    @property
    def stop_mode(self) -> StopMode:
        """What happens to a running job on expiry: `"cancel"`, `"abandon"` or `"kill"`."""
        return self._kind.stop_mode

    def stats(self) -> Stats:
        """Return the books, all read at one instant."""
        shell = self._shell
        return shell.read(lambda: _books(shell.core))

    def start(self) -> Self:
        """Start the workers and wait until they are ready; entering the `with` block does so too.

        Only process workers need time to get ready, and it is bounded by their `startup_timeout`.

        Raises:
            StartupFailed: none could be started; the message has the worker's traceback.
        """
        self._shell.pool.open()
        self._wait_until(self._settled, math.inf)
        self._raise_withheld()
        return self

    async def astart(self) -> Self:
        """Do as `start` without blocking."""
        self._shell.pool.open()
        await self._await_until(self._settled, math.inf)
        self._raise_withheld()
        return self

    def _raise_withheld(self) -> None:
        if (error := self._shell.core.withheld) is not None:
            raise copy.copy(error)

    def drain(self, timeout: Seconds = 30.0) -> bool:
        """Take no new work, and wait for what waits and runs.

        Args:
            timeout: the most seconds to wait; None for no limit.

        Returns:
            Whether all of it has ended. If not, `close()` ends it.
        """
        allowed = seconds(timeout)
        self._shell.feed(lambda now: self._shell.core.drain(now, allowed))
        return self._wait_until(lambda: self._shell.core.idle, allowed)

    async def adrain(self, timeout: Seconds = 30.0) -> bool:  # noqa: ASYNC109 - as in `drain`
        """Do as `drain` without blocking."""
        allowed = seconds(timeout)
        self._shell.feed(lambda now: self._shell.core.drain(now, allowed))
        return await self._await_until(lambda: self._shell.core.idle, allowed)

    def relimit(self, limits: Policy | Stack | None, capacity: float | None = None) -> None:
        """Put the jobs that come from now on under other limits; those that are here keep theirs.

        Args:
            limits: as in the constructor.
            capacity: how many jobs may wait from now on; None leaves it as it is.

        Raises:
            TypeError, ValueError: an argument makes no sense; the message names it and its value.
        """
        stack = self._checked(limits)
        self._kind.check(self._handler, self._slots, stack)
        if capacity is not None:
            self._capacity = checked_count("capacity", capacity, least=0)
        self.limits = stack
        core = self._shell.core
        self._shell.feed(lambda now: core.relimit(stack, self._capacity, now))

    def close(self) -> None:
        """End everything now: refuse what waits, cancel what runs, take nothing new.

        Does not wait: cancelled tasks end in their own time, abandoned threads when they can.
        """
        self._shell.feed(self._shell.core.close)
        self._shell.pool.close()
        self._shell.timer.close()

    async def aclose(self) -> None:
        """Do as `close`, and wait until what is cancelled or killed has ended, for `drain_timeout`."""
        self.close()
        if self._kind.stop_mode != "abandon":
            await self._await_until(self._nothing_abandoned, self._drain_timeout)

    def __enter__(self) -> Self:
        """Use the server for the length of a block.

        Raises:
            RuntimeError: the handler is async and so is the block; leaving it could not wait.
        """
        if self._handler.is_async and running_loop() is not None:
            raise RuntimeError(f"inside a coroutine write `async with` for {self!r}")
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        """Drain and close; after an exception, close at once. Cancelled tasks are waited for."""
        if kind is None:
            self.drain(self._drain_timeout)
        self.close()
        if self._kind.stop_mode != "abandon":
            self._wait_until(self._nothing_abandoned, self._drain_timeout)

    async def __aenter__(self) -> Self:
        """Use the server for the length of a block; this loop is home to async handlers."""
        self._shell.pool.settle_in(asyncio.get_running_loop())
        try:
            return await self.astart()
        except BaseException:
            self.close()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        """Drain and close; after an exception, close at once. Cancelled tasks are waited for."""
        try:
            if kind is None:
                await self.adrain(self._drain_timeout)
        finally:
            await self.aclose()

    def _nothing_abandoned(self) -> bool:
        return not self._shell.core.abandoned and self._shell.pool.quiet

    def _settled(self) -> bool:
        core = self._shell.core
        return core.slots >= self._slots or core.withheld is not None or not core.open

    def _wait_until(self, quiet: Callable[[], bool], patience: float) -> bool:
        gate, until = Gate(), self._clock.now() + patience
        with self._shell.watching(gate):
            while not self._shell.read(quiet):
                if not self._clock.wait(gate, until):
                    return self._shell.read(quiet)
        return True

    async def _await_until(self, quiet: Callable[[], bool], patience: float) -> bool:
        gate, until = LoopGate(asyncio.get_running_loop()), self._clock.now() + patience
        with self._shell.watching(gate):
            while not self._shell.read(quiet):
                if not await gate.wait(until - self._clock.now()):
                    return self._shell.read(quiet)
        return True

    def __repr__(self) -> str:
        """Show the handler and the limits."""
        return f"<Server of {self._handler.name} under {self.limits!r}>"


def _books(core: Core) -> Stats:
    return Stats(
        waiting=core.waiting,
        running=core.running,
        abandoned=core.abandoned,
        free=core.free,
        slots=core.slots,
        arrived=core.arrived,
        outcomes=dict(core.outcomes),
        hopeless=core.hopeless,
    )


_SERVERS: weakref.WeakSet[Server] = weakref.WeakSet()


def _reopen_in_child() -> None:
    """After a fork the threads are gone and the jobs are the parent's: begin anew."""
    for server in list(_SERVERS):
        server._reopen()  # noqa: SLF001 - this is the file of the class


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reopen_in_child)
