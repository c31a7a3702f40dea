"""Task workers: `async def` handlers as tasks of an event loop.

Law: on expiry the task is cancelled, and its slot returns when the cancellation has run its course.
Only tasks made here are ever cancelled, never the caller's own, so the caller's cancel count stays
as it was.

From Python 3.12 on, the work of an `acall` that finds a free slot begins at once, without a turn of
the loop, as it does when a coroutine is awaited directly. It does not where the loop has a task factory, or
for an `acall` made inside a handler.

Where a task runs: a caller that awaits gets it on its own loop, so that what the handler uses and
what its caller uses belong together; `call` and `submit`, which have no loop, get it on the loop in
which the server was entered (`async with`), or else on one in a thread of its own. With `own_loop` all
of them get it there, so that a handler that blocks its loop delays nobody's answer.
"""

from __future__ import annotations

import asyncio
import functools
import math
import sys
import threading
from asyncio import AbstractEventLoop
from collections.abc import Callable
from typing import Any

from timeouts.call import Call
from timeouts.current import SERVING
from timeouts.errors import Work, WorkerLost
from timeouts.gate import Gate, LoopGate
from timeouts.handler import Handler, failure
from timeouts.job import RUNNING
from timeouts.outcome import Outcome
from timeouts.stack import Stack
from timeouts.workers.base import Shell, StopMode, refuse_soft_limits
from timeouts.workers.loop_thread import LoopThread, running_loop


class TaskWorkers:
    """Run an `async def` handler as tasks.

    Args:
        own_loop: whether all tasks run on one loop in a thread of its own, rather than on their
            callers' loops; default False. A caller is then told on time even if a handler blocks its
            loop. What the handler uses must belong to that loop.

    Cannot do: stop code that blocks the loop: nothing on that loop is told on time meanwhile. A task
    that swallows its cancellation runs on, holds its slot and is counted as abandoned.
    """

    stop_mode: StopMode = "cancel"
    late_slots = False
    default_slots: float = math.inf
    max_abandoned: float = math.inf

    def __init__(self, *, own_loop: bool = False) -> None:
        if not isinstance(own_loop, bool):
            raise TypeError(f"own_loop must be True or False; got {own_loop!r}")
        self.own_loop = own_loop

    def check(self, handler: Handler, slots: float, limits: Stack) -> None:  # noqa: ARG002 - any number will do
        """Refuse plain functions, and soft limits."""
        if not handler.is_async:
            raise TypeError(
                f"task workers run async def handlers; {handler.name} is none: "
                'leave workers out, or use workers="thread"'
            )
        refuse_soft_limits(limits, "task")

    def open(self, shell: Shell, handler: Handler, slots: float) -> TaskPool:  # noqa: ARG002 - as above
        """Make the pool."""
        return TaskPool(shell, handler, own_loop=self.own_loop)

    def __repr__(self) -> str:
        """Show what was written."""
        return f"TaskWorkers({'own_loop=True' if self.own_loop else ''})"


class TaskPool:
    """Tasks on the callers' loops, or on the pool's home loop."""

    blocking_gate: type[Gate] = Gate
    loop_gate: type[LoopGate] = LoopGate
    pack: None = None
    quiet = True
    ended: Work = "stopped"  # what is known of the work when its task has ended

    def __init__(self, shell: Shell, handler: Handler, *, own_loop: bool = False) -> None:
        self.shell = shell
        self._own_loop = own_loop
        self.home: AbstractEventLoop | None = None
        self._is_stream = handler.is_stream
        self._name = handler.name
        self._thread: LoopThread | None = None
        self._homing = threading.RLock()
        self._closed = False

    def start(self, call: Call) -> None:
        """Make a task for the call on its loop."""
        if self._is_with_its_caller(call):
            self._start_on(call.gate.loop, call)
            return
        with self._homing:  # so that a close() finds the call on its way, or is found by it
            if not self._closed:
                self._start_at_home(call)
                return
        self._end(call, Outcome(error=call.error))

    def _start_at_home(self, call: Call) -> None:
        try:
            home = self._home()
        except RuntimeError as no_more_threads:
            self._end(call, Outcome(error=no_more_threads))
        else:
            self._start_on(home, call)

    def cancel(self, call: Call) -> None:
        """Cancel the call's task; one that is yet to be made sees by itself that it is not wanted."""
        if call.loop is not None:
            self._on(call.loop, self._cancel, call)

    def settle_in(self, loop: AbstractEventLoop) -> None:
        """Make the loop home to callers that have none."""
        if not self._own_loop:
            self.home = loop

    def _is_with_its_caller(self, call: Call) -> bool:
        return isinstance(call.gate, LoopGate) and not self._own_loop

    def open(self) -> None:
        """Nothing: they start with the jobs that need them."""

    def forget(self) -> None:
        """Nothing: threads do not survive a fork."""

    def close(self) -> None:
        """End the pool's own thread, if it has one, when the last task on its loop is done."""
        with self._homing:
            self._closed = True
        if self._thread is not None:
            self._thread.close()

    def _start_on(self, loop: AbstractEventLoop, call: Call) -> None:
        call.loop = loop
        if loop.get_task_factory() is not None and running_loop() is loop:
            # An eager one would run the job here, its end would start the next, and so on down the stack.
            loop.call_soon(self._spawn, call, loop)
        else:
            self._on(loop, self._spawn, call)

    def _on(
        self, loop: AbstractEventLoop, act: Callable[[Call, AbstractEventLoop], None], call: Call
    ) -> None:
        if running_loop() is loop:
            act(call, loop)
            return
        try:
            loop.call_soon_threadsafe(act, call, loop)
        except RuntimeError:
            lost = _lost("the event loop of the job is closed", begun=call.task is not None)
            self._end(call, Outcome(error=lost))

    def _home(self) -> AbstractEventLoop:
        if self.home is None:
            self._thread = LoopThread(f"{self._name}-loop")
            self.home = self._thread.loop
        return self.home

    def _spawn(self, call: Call, loop: AbstractEventLoop) -> None:
        if call.phase is not RUNNING:  # answered before its work began
            self._end(call, Outcome(error=call.error))
            return
        task = self._task(call, loop)
        if task.done():  # an eager one may be
            return
        call.task = task
        task.add_done_callback(functools.partial(self._seal, call))
        if call.phase is not RUNNING:  # in an eager first step time may have passed
            self._cancel(call, loop)

    def _task(self, call: Call, loop: AbstractEventLoop) -> asyncio.Task[None]:
        work, context = self._run(call), call.take_context()
        if sys.version_info >= (3, 12) and call.eager and loop.get_task_factory() is None:
            return asyncio.Task(work, loop=loop, context=context, name=self._name, eager_start=True)
        return loop.create_task(work, context=context, name=self._name)

    def _cancel(self, call: Call, _: AbstractEventLoop) -> None:
        if call.task is not None:
            call.task.cancel()

    async def _run(self, call: Call) -> None:
        SERVING.set(call)
        try:
            outcome = Outcome()
            if self._is_stream:
                await self._produce(call)
            else:
                outcome = Outcome(await call.function(*call.args, **call.kwargs))
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the caller's
            outcome = failure(error)
        self._end(call, outcome)
        del call, outcome  # this frame may live on behind a traceback's; see `failure`

    async def _produce(self, call: Call) -> None:
        call.demand = demand = LoopGate(asyncio.get_running_loop())
        items = call.function(*call.args, **call.kwargs)
        try:
            async for item in items:
                if not self.shell.deliver(call, item):
                    return
                await demand.wait()
        finally:
            await items.aclose()
            del self, call  # this frame may live on in a traceback; see `failure`

    def _end(self, call: Call, outcome: Outcome, *, begun: bool = True) -> None:
        if call.ended:  # its loop was closed under it, and only now is its coroutine collected
            return
        call.ended = True
        call.task = None
        cancelled = isinstance(outcome.error, asyncio.CancelledError)
        if cancelled and call.phase is RUNNING and not self._is_with_its_caller(call):
            # Its caller is elsewhere and has cancelled nothing: a bare CancelledError would tell him lies.
            lost = _lost("the task was cancelled from outside", begun=begun)
            outcome = Outcome(error=lost)
        self.shell.finish(call, outcome, self.ended)

    def _seal(self, call: Call, _: asyncio.Task[Any]) -> None:
        """Report a task that was cancelled before its first step, and so never ran any code."""
        self._end(call, Outcome(error=asyncio.CancelledError()), begun=False)


def _lost(message: str, *, begun: bool) -> WorkerLost:
    return WorkerLost(message, started=begun, work="stopped" if begun else "never started")
