"""Thread workers: `def` handlers on a pool of threads.

Law: a thread cannot be stopped. On expiry the caller is answered on time, the work is abandoned, and
its slot is held until the thread really ends; abandoned threads are counted, and capped.

The threads are our own and daemonic rather than a `ThreadPoolExecutor`'s, for one reason: that
executor joins its threads when the interpreter exits, so that one hung handler would keep the whole
process from ever ending.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from timeouts.call import Call
from timeouts.current import SERVING
from timeouts.gate import Gate, LoopGate
from timeouts.handler import Handler, failure, outcome_of
from timeouts.job import RUNNING
from timeouts.observe.observer import logger
from timeouts.options import whole_number
from timeouts.outcome import Outcome
from timeouts.stack import Stack
from timeouts.workers.base import Shell, StopMode, refuse_soft_limits

Jobs = SimpleQueue["tuple[ThreadPool, Call] | None"]


class ThreadWorkers:
    """Run a `def` handler on threads of this process.

    Args:
        max_abandoned: how many abandoned threads may still run before new work is refused with
            `TooManyAbandoned` instead of being started beside them; default: as many as there are
            slots, which means that new work waits for one of them to end.

    Cannot do: stop a thread. A handler that never returns holds its slot for ever, and one that
    computes slows down every other thread (CPython's GIL). C code that holds the GIL delays even the
    answer to the caller. `checkpoint()` lets a handler stop itself. A `def` that returns a coroutine
    is not awaited: make it `async def`.

    Nor does a Ctrl-C always find a good moment. One that lands in this library's own bytecode, rather
    than in the handler or while the caller is blocked, can leave a command half obeyed and cost a slot.
    A process that catches KeyboardInterrupt and goes on should close the server and make another.
    """

    stop_mode: StopMode = "abandon"
    late_slots = False

    def __init__(self, *, max_abandoned: int | None = None) -> None:
        self.max_abandoned: float = math.inf
        if max_abandoned is not None:
            self.max_abandoned = whole_number("max_abandoned", max_abandoned, least=1)

    @property
    def default_slots(self) -> float:
        """As many threads as `concurrent.futures` takes by default: cores + 4, at most 32."""
        return min(32, (os.cpu_count() or 1) + 4)

    def check(self, handler: Handler, slots: float, limits: Stack) -> None:
        """Refuse coroutine functions, unbounded threads, and soft limits."""
        if handler.is_async:
            raise TypeError(
                f"thread workers run def handlers; {handler.name} is async: "
                'leave workers out, or use workers="task"'
            )
        if slots == math.inf:
            raise ValueError("slots must be a finite number for thread workers; got inf")
        refuse_soft_limits(limits, "thread")

    def open(self, shell: Shell, handler: Handler, slots: float) -> ThreadPool:
        """Make the pool; threads start with the jobs that need them."""
        return ThreadPool(shell, handler, slots)

    def __repr__(self) -> str:
        """Show what was written."""
        limit = "" if self.max_abandoned == math.inf else f"max_abandoned={self.max_abandoned}"
        return f"ThreadWorkers({limit})"


class ThreadPool:
    """Threads that take calls from one queue; as many as were ever needed at once, at most `slots`."""

    blocking_gate: type[Gate] = Gate
    loop_gate: type[LoopGate] = LoopGate
    pack: None = None
    quiet = True

    def __init__(self, shell: Shell, handler: Handler, slots: float) -> None:
        self.shell = shell
        self.run = _run_stream if handler.is_stream else _run_plain
        self.full = False
        self._slots = slots
        self._name = handler.name
        self._jobs: Jobs = SimpleQueue()
        # One token for each idle thread (deque operations are atomic), until there are as many
        # threads as slots: then every call finds one, for the core starts no more than that.
        self._idle: deque[None] = deque()
        self._numbers = itertools.count(1)
        self._threads: list[threading.Thread] = []
        self._opening = threading.RLock()  # re-entered where a garbage collection calls back
        self._retire = weakref.finalize(self, _retire, self._jobs, self._threads)
        self._retire.atexit = False  # daemon threads need no farewell
        self._closed = False

    def start(self, call: Call) -> None:
        """Hand the call to an idle thread, or to a new one."""
        try:
            with self._opening:  # so that no call comes behind the farewell
                if self._closed:
                    self._new_thread(_serve_last, (self, call)).start()
                else:
                    self._claim()
                    self._jobs.put((self, call))
        except RuntimeError as no_more_threads:
            self.shell.finish(call, Outcome(error=no_more_threads))

    def settle(self) -> None:
        """Count the thread that calls this as idle."""
        if not self.full:
            self._idle.append(None)

    def cancel(self, call: Call) -> None:
        """Wake a stream that waits for its consumer; nothing else in a thread can be stopped."""
        if call.demand is not None:
            call.demand.ring()

    def settle_in(self, loop: asyncio.AbstractEventLoop) -> None:
        """Nothing: threads need no loop."""

    def open(self) -> None:
        """Nothing: they start with the jobs that need them."""

    def forget(self) -> None:
        """Nothing: threads do not survive a fork."""

    def close(self) -> None:
        """Let every thread end after its present call."""
        with self._opening:
            self._closed = True
            self._retire()

    def _claim(self) -> None:
        if self.full:
            return
        try:
            self._idle.pop()
        except IndexError:
            thread = self._new_thread(_work, (self._jobs,))
            thread.start()
            self._threads.append(thread)
            self.full = len(self._threads) >= self._slots

    def _new_thread(self, target: Callable[..., None], args: tuple[Any, ...]) -> threading.Thread:
        name = f"{self._name}-{next(self._numbers)}"
        return threading.Thread(target=target, args=args, name=name, daemon=True)


def _work(jobs: Jobs) -> None:
    # A waiting thread refers to no pool, so a pool that nobody uses any more can be collected.
    while (job := jobs.get()) is not None:
        pool, call = job
        outcome = call.take_context().run(_serve, pool, call)
        if call.timed:  # `finish` may run the callbacks of a future: this thread is busy till then
            _finish(pool, call, outcome)
            pool.settle()
        else:
            pool.settle()
            _finish(pool, call, outcome)
        del job, pool, call, outcome


def _serve_last(pool: ThreadPool, call: Call) -> None:
    """Serve a call that was on its way when the pool was closed."""
    _finish(pool, call, call.take_context().run(_serve, pool, call))


def _finish(pool: ThreadPool, call: Call, outcome: Outcome) -> None:
    try:
        pool.shell.finish(call, outcome)
    except BaseException:  # noqa: BLE001 - a callback's SystemExit ends the callback, not the worker
        logger.exception("whoever was told the end of %r failed", call)


def _retire(jobs: Jobs, threads: list[threading.Thread]) -> None:
    for _ in threads:
        jobs.put(None)


def _serve(pool: ThreadPool, call: Call) -> Outcome:
    if call.phase is not RUNNING:  # answered before its work began
        return Outcome(error=call.error)
    SERVING.set(call)
    call.thread = threading.get_ident()
    try:
        return pool.run(pool.shell, call)
    finally:
        del call  # an error's traceback keeps this frame, as it does those below, and they the call


def _run_plain(_: Shell, call: Call) -> Outcome:
    function, args, kwargs = call.function, call.args, call.kwargs
    del call
    return outcome_of(function, args, kwargs)


def _run_stream(shell: Shell, call: Call) -> Outcome:
    call.demand = demand = Gate()
    try:
        return Outcome(_produce(shell, call, demand))
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the caller's
        return failure(error)
    finally:
        del call


def _produce(shell: Shell, call: Call, demand: Gate) -> Any:
    """Produce items one by one, each when it is asked for, all on this thread."""
    items = call.function(*call.args, **call.kwargs)
    try:
        while True:
            try:
                item = next(items)
            except StopIteration as end:
                return end.value
            if not shell.deliver(call, item):
                return None
            demand.wait(math.inf)
            if call.phase is not RUNNING:
                return None
    finally:
        items.close()
        del shell, call  # this frame may live on in a traceback; see `failure`
