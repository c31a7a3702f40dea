"""An asyncio loop whose time jumps, so that a test of an hour takes a millisecond and none hangs.

Laws:
- Time passes only when nothing is ready, and then exactly to the next timer: a timer fires at its
  own instant, to the last bit, and equal instants fire together.
- Nothing ready and no timer is a deadlock, and raised as one, naming who waits.
- What another thread hands in is never lost, if the loop was told to expect threads.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Executor
from selectors import DefaultSelector, SelectorKey
from typing import Any, TypeVar, TypeVarTuple

from timeouts.testing.deadlock import GUARD, Deadlock
from timeouts.testing.loop_clock import LoopClock

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
Ready = list[tuple[SelectorKey, int]]


class LeakedTasks(AssertionError):
    """A coroutine ended and left tasks behind that will not end by themselves at this instant."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that jumps to the next timer instead of waiting for it.

    Timers tie where their instants are equal floats; whole seconds make that easy to arrange.

    Args:
        start: the first instant.
        threads: whether other threads hand work in (`call_soon_threadsafe`, `run_in_executor`).
            Then a loop without a timer waits for them, really. Time still jumps to the next timer
            while they work, so that a hung thread can be timed out: let threads meet the test at
            gates, and do not expect virtual time to stand still for them.
        guard: real seconds to wait for a thread before that is a deadlock too.

    Attributes:
        clock: a `timeouts.clock.Clock` on this loop's time.

    Cannot do: notice a program that its own timers keep going for ever, or real input and output:
    a socket that answers later than at once has lost against every timer.
    """

    def __init__(self, start: float = 0.0, *, threads: bool = False, guard: float = GUARD) -> None:
        self._now = start
        self._threads = threads
        self._guard = guard
        self._settling: list[asyncio.Future[None]] = []
        self._jumping = _JumpingSelector(self._idle)
        super().__init__(self._jumping)
        self._jump(start)
        self.clock = LoopClock(self, guard if threads else None)

    @classmethod
    def running(cls) -> VirtualLoop:
        """Return the running loop, which must be a virtual one."""
        loop = asyncio.get_running_loop()
        if not isinstance(loop, cls):
            raise TypeError(f"the running loop must be a VirtualLoop; it is {loop!r}")
        return loop

    def time(self) -> float:
        """Return the present instant."""
        return self._now

    async def settle(self) -> None:
        """Wait until every other task is blocked; no time passes meanwhile."""
        settled: asyncio.Future[None] = self.create_future()
        self._settling.append(settled)
        await settled

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Run a function in a thread, if threads are expected."""
        if not self._threads:
            raise RuntimeError(
                "this VirtualLoop does not wait for threads; make it with threads=True"
            )
        return super().run_in_executor(executor, func, *args)

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ARG002, ASYNC109
        """Wait for the executor's threads, really; a virtual timeout would be over at once."""
        await super().shutdown_default_executor()

    def _idle(self) -> Ready:
        """Decide what happens when nothing is ready: settle, jump, wait for threads, or give up."""
        if self._settling:
            return self._settle()
        if (timer := self._next_timer()) < math.inf:
            self._jump(timer)
            return []
        if self._threads and (ready := self._jumping.wait(self._guard)):
            return ready
        raise Deadlock(self._complaint())

    def _settle(self) -> Ready:
        settling, self._settling = self._settling, []
        for settled in settling:
            if not settled.done():
                settled.set_result(None)
        return []

    def _next_timer(self) -> float:
        # asyncio's own heap of timers, by its private name: `select` is told only the distance to
        # the first, and the present plus a distance need not be the instant, in floats.
        timers: list[asyncio.TimerHandle] = self.__dict__["_scheduled"]
        return timers[0].when() if timers else math.inf

    def _jump(self, instant: float) -> None:
        self._now = instant
        # asyncio fires what is due before now + resolution; the smallest step of a float makes that
        # "due by now", where its own nanosecond would be nothing beside a large instant.
        self._clock_resolution = math.ulp(instant)

    def _complaint(self) -> str:
        who = _listed(asyncio.all_tasks(self)) or "  (no task at all)"
        hint = f"; no thread came in {self._guard:g} real seconds" if self._threads else ""
        return f"at {self._now:g} nothing is ready and no timer is set{hint}; still waiting:\n{who}"


class _JumpingSelector(DefaultSelector):
    """Poll, and ask the loop what to do when there is nothing to do."""

    def __init__(self, idle: Callable[[], Ready]) -> None:
        super().__init__()
        self._idle = idle

    def select(self, timeout: float | None = None) -> Ready:
        """Return what is ready; asyncio passes 0 when it has callbacks to run."""
        ready = super().select(0)
        return ready if ready or timeout == 0 else self._idle()

    def wait(self, seconds: float) -> Ready:
        """Wait for input, really."""
        return super().select(None if seconds == math.inf else seconds)


def _listed(tasks: Iterable[asyncio.Task[Any]]) -> str:
    return "\n".join(sorted(f"  - {_described(task)}" for task in tasks))


def _described(task: asyncio.Task[Any]) -> str:
    coro = task.get_coro()
    frames = task.get_stack()
    where = f", line {frames[-1].f_lineno} of {frames[-1].f_code.co_filename}" if frames else ""
    return f"{task.get_name()}: {getattr(coro, '__qualname__', repr(coro))}{where}"


def run_virtual(
    main: Coroutine[Any, Any, T], *, threads: bool = False, leaks_ok: bool = False
) -> T:
    """Run a coroutine on a new `VirtualLoop`, as `asyncio.run` does on a real one.

    Args:
        main: the coroutine.
        threads: whether other threads hand work in; see `VirtualLoop`.
        leaks_ok: whether tasks may outlive `main`. They are cancelled in either case.

    Raises:
        Deadlock: everybody waits for what cannot come.
        LeakedTasks: `main` has returned, and a task still waits for something.
    """
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(threads=threads)) as runner:
        result = runner.run(main)
        if not leaks_ok:
            runner.run(_refuse_leaks())
    return result


async def _refuse_leaks() -> None:
    await settle()
    leaked = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    if leaked:
        raise LeakedTasks(f"the coroutine returned and left tasks behind:\n{_listed(leaked)}")


async def settle() -> None:
    """Wait until every other task of the running `VirtualLoop` is blocked; no time passes."""
    await VirtualLoop.running().settle()
