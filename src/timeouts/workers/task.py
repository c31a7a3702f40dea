"""Task workers: `async def` handlers as tasks of an event loop.

Law: on expiry the task is cancelled, and its slot returns when the cancellation has run its course.
Only tasks made here are ever cancelled, never the caller's own, so the caller's cancel count stays
as it was.

Where a task runs: a caller that awaits gets it on its own loop, so that what the handler uses and
what its caller uses belong together; `call` and `submit`, which have no loop, get it on the loop in
which the server was entered (`async with`), or else on one in a thread of its own.
"""

from __future__ import annotations

import asyncio
import functools
import math
import threading
from collections.abc import Callable
from typing import Any

from timeouts.call import Call
from timeouts.current import SERVING
from timeouts.errors import WorkerLost
from timeouts.gate import LoopGate
from timeouts.handler import Handler, outcome_of_async
from timeouts.job import RUNNING
from timeouts.outcome import Outcome
from timeouts.workers.base import Shell, StopMode
from timeouts.workers.loop_thread import LoopThread, running_loop


class TaskWorkers:
    """Run an `async def` handler as tasks.

    Cannot do: stop code that blocks the loop: nothing on that loop is told on time meanwhile. A task
    that swallows its cancellation runs on, holds its slot and is counted as abandoned.
    """

    stop_mode: StopMode = "cancel"
    default_slots: float = math.inf
    max_abandoned: float = math.inf

    def check(self, handler: Handler, slots: float) -> None:
        """Refuse plain functions."""
        if not handler.is_async:
            raise TypeError(
                f"task workers run async def handlers; {handler.name} is none: "
                'leave workers out, or use workers="thread"'
            )

    def open(self, shell: Shell, handler: Handler) -> TaskPool:
        """Make the pool."""
        return TaskPool(shell, handler)

    def __repr__(self) -> str:
        """Show what was written."""
        return "TaskWorkers()"


class TaskPool:
    """Tasks on the callers' loops, or on the pool's home loop."""

    def __init__(self, shell: Shell, handler: Handler) -> None:
        self.shell = shell
        self.home: asyncio.AbstractEventLoop | None = None
        self._run = self._run_stream if handler.is_stream else self._run_plain
        self._name = handler.name
        self._thread: LoopThread | None = None
        self._making = threading.Lock()

    def start(self, call: Call) -> None:
        """Make a task for the call on its loop."""
        self._on(self._loop_of(call), self._spawn, call)

    def cancel(self, call: Call) -> None:
        """Cancel the call's task."""
        self._on(self._loop_of(call), self._cancel, call)

    def settle_in(self, loop: asyncio.AbstractEventLoop) -> None:
        """Make the loop home to callers that have none."""
        self.home = loop

    def close(self) -> None:
        """End the pool's own thread, if it has one, when the last task on its loop is done."""
        if self._thread is not None:
            self._thread.close()

    def _loop_of(self, call: Call) -> asyncio.AbstractEventLoop:
        return call.gate.loop if isinstance(call.gate, LoopGate) else self._home()

    def _home(self) -> asyncio.AbstractEventLoop:
        if self.home is not None:
            return self.home
        with self._making:
            if self._thread is None:
                self._thread = LoopThread(f"{self._name}-loop")
        return self._thread.loop

    def _on(
        self, loop: asyncio.AbstractEventLoop, act: Callable[..., None], call: Call
    ) -> None:
        if running_loop() is loop:
            act(loop, call)
            return
        try:
            loop.call_soon_threadsafe(act, loop, call)
        except RuntimeError:
            lost = WorkerLost("the event loop of the job is closed", started=True, work="stopped")
            self._end(call, Outcome(error=lost))

    def _spawn(self, loop: asyncio.AbstractEventLoop, call: Call) -> None:
        call.task = loop.create_task(self._run(call), context=call.context, name=self._name)
        call.task.add_done_callback(functools.partial(self._seal, call))

    def _cancel(self, _: asyncio.AbstractEventLoop, call: Call) -> None:
        # A task that has not begun sees by itself that it is not wanted.
        if call.entered and call.task is not None:
            call.task.cancel()

    async def _run_plain(self, call: Call) -> None:
        if self._enter(call):
            self._end(call, await outcome_of_async(call.function, call.args, call.kwargs))

    async def _run_stream(self, call: Call) -> None:
        if self._enter(call):
            call.demand = demand = LoopGate(asyncio.get_running_loop())
            self._end(call, await outcome_of_async(self._produce, (call, demand), {}))

    async def _produce(self, call: Call, demand: LoopGate) -> None:
        items = call.function(*call.args, **call.kwargs)
        try:
            async for item in items:
                if not self.shell.deliver(call, item):
                    return
                await demand.wait()
        finally:
            await items.aclose()
            del self, call  # see `outcome_of`: this frame may live on in a traceback

    def _enter(self, call: Call) -> bool:
        """Begin a call's work, unless it was answered before it could begin."""
        if call.phase is RUNNING:
            call.entered = True
            SERVING.set(call)
            return True
        self._end(call, Outcome())
        return False

    def _end(self, call: Call, outcome: Outcome) -> None:
        call.ended = True
        self.shell.finish(call, outcome)

    def _seal(self, call: Call, _: asyncio.Task[Any]) -> None:
        """Report a task that was cancelled from outside before its first step, and so ran no code."""
        call.task = None
        if not call.ended:
            self._end(call, Outcome(error=asyncio.CancelledError()))
