"""The workers of somebody else's executor, as a worker kind.

Laws:
- A slot is held until the executor's own future is done, whatever its caller has been told meanwhile.
- The executor is asked from the bottom of a thread's stack only. An end that starts the next job, whose end is
  told at once, would pile up a stack; and an executor may tell the end of a job that never ran (cancelled, or on
  a pool that broke) under its own lock, on which asking it for more would wait for ever.
"""

from __future__ import annotations

import asyncio
import functools
import math
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from typing import Any

from timeouts.adapters.executor.carried import Carried
from timeouts.call import Call
from timeouts.errors import WorkerLost
from timeouts.gate import Gate, LoopGate
from timeouts.handler import Handler, failure
from timeouts.job import RUNNING
from timeouts.observe.observer import logger
from timeouts.outcome import Outcome
from timeouts.stack import Stack
from timeouts.workers.base import Shell, StopMode, refuse_soft_limits

Act = Callable[[], object]


class ExecutorWorkers:
    """Run functions on an executor."""

    stop_mode: StopMode = "abandon"
    late_slots = False
    max_abandoned: float = math.inf

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    @property
    def default_slots(self) -> float:
        """As many as the executor has workers; CPython's tell it by a private name, and others follow."""
        workers: Any = getattr(self._executor, "_max_workers", None)
        if not isinstance(workers, int):
            raise TypeError(
                f"slots must be named, as in limits.wrap(executor, slots=4): {self._executor!r} "
                "does not say how many calls it runs at once"
            )
        return workers

    def check(self, handler: Handler, slots: float, limits: Stack) -> None:  # noqa: ARG002 - it runs any function
        """Refuse unbounded slots, and soft limits."""
        if slots == math.inf:
            raise ValueError(
                "slots must be a finite number, at most the executor's own workers: what waits in "
                "the executor's queue counts as running; got inf"
            )
        refuse_soft_limits(limits, "executor")

    def open(self, shell: Shell, handler: Handler, slots: float) -> ExecutorPool:  # noqa: ARG002 - the core counts
        """Make the pool; the executor is asked for nothing before the first job."""
        return ExecutorPool(shell, self._executor, handler.name)


class Turn(threading.local):
    """What this thread has still to ask of the executor; None while it is not about it."""

    todo: deque[Act] | None = None


class ExecutorPool:
    """Hands calls to an executor and reports their ends."""

    blocking_gate: type[Gate] = Gate
    loop_gate: type[LoopGate] = LoopGate
    pack: None = None
    quiet = True

    def __init__(self, shell: Shell, executor: Executor, name: str) -> None:
        self.shell = shell
        self.used = False
        self._executor = executor
        self._name = name
        self._turn = Turn()
        self._refusal: RuntimeError | None = None

    def start(self, call: Call) -> None:
        """Submit the call to the executor."""
        self._ask(functools.partial(self._submit, call))

    def cancel(self, call: Call) -> None:
        """Cancel the executor's future, which ends the call if it has not begun there."""
        self._ask(functools.partial(self._cancel, call))

    def let_go(self) -> None:
        """Shut the executor down without waiting for what runs on it."""
        self._ask(self._shut_down)

    def settle_in(self, loop: asyncio.AbstractEventLoop) -> None:
        """Nothing: the executor needs no loop."""

    def open(self) -> None:
        """Nothing: the executor starts its workers when it likes."""

    def forget(self) -> None:
        """Nothing: whether an executor survives a fork is seen by whether it was `used`."""

    def close(self) -> None:
        """Nothing: who closes the server may want to keep the executor."""

    def _ask(self, act: Act) -> None:
        if self._turn.todo is None:
            self._work_off(deque((act,)))
        else:
            self._turn.todo.append(act)

    def _work_off(self, todo: deque[Act]) -> None:
        self._turn.todo = todo
        try:
            while todo:
                todo.popleft()()
        finally:
            self._turn.todo = None
            if todo:  # an interrupt is not for the others to pay
                self._work_off(todo)

    def _submit(self, call: Call) -> None:
        if call.phase is not RUNNING:  # answered before its work began
            self._finish(call, Outcome(error=call.error))
            return
        try:
            call.request = future = self._future_of(call)
            future.add_done_callback(functools.partial(self._ended, call))
        except BrokenExecutor as broken:
            self._finish(call, Outcome(error=_lost(broken, begun=False)))
        except Exception as error:  # noqa: BLE001 - it is a stranger's code
            self._finish(call, failure(error))
        else:
            if call.phase is not RUNNING:  # answered meanwhile, by somebody who found no future
                self._cancel(call)

    def _future_of(self, call: Call) -> Future[Any]:
        if self._refusal is not None:
            raise self._refusal
        self.used = True
        return self._executor.submit(Carried(call), *call.args, **call.kwargs)

    def _cancel(self, call: Call) -> None:
        try:
            if call.request is not None:
                call.request.cancel()
        except Exception:  # noqa: BLE001 - it is a stranger's code
            logger.exception("the executor failed to cancel %r", call)

    def _shut_down(self) -> None:
        if self._refusal is None:
            self._executor.shutdown(wait=False)

    def _ended(self, call: Call, future: Future[Any]) -> None:
        """Report an end that the executor tells, in whichever thread it likes."""
        call.request = None  # it refers back to the call
        try:
            outcome, may_be_locked = _outcome(call, future), _may_be_locked(future)
        except Exception as error:  # noqa: BLE001 - it is a stranger's code
            outcome, may_be_locked = failure(error), False
        if self._turn.todo is not None or not may_be_locked:
            self._finish(call, outcome)
            return
        self._turn.todo = todo = deque[Act]()
        self._finish(call, outcome)
        self._turn.todo = None
        if todo:
            self._work_off_elsewhere(todo)

    def _work_off_elsewhere(self, todo: deque[Act]) -> None:
        try:
            threading.Thread(
                target=self._work_off, args=(todo,), name=f"{self._name}-next", daemon=True
            ).start()
        except RuntimeError as no_more_threads:  # the interpreter is about to end
            self._refusal = no_more_threads
            self._work_off(todo)

    def _finish(self, call: Call, outcome: Outcome) -> None:
        try:
            self.shell.finish(call, outcome)
        except BaseException:  # noqa: BLE001 - a callback's SystemExit is no end of the executor's thread
            logger.exception("whoever was told the end of %r failed", call)


def _may_be_locked(future: Future[Any]) -> bool:
    return future.cancelled() or isinstance(future.exception(), BrokenExecutor)


def _outcome(call: Call, future: Future[Any]) -> Outcome:
    if future.cancelled():
        return Outcome(error=call.error or _cancelled())
    error = future.exception()
    if error is None:
        return Outcome(future.result())
    if isinstance(error, BrokenExecutor) and not call.thread:  # else it is the function's own
        return Outcome(error=_lost(error, begun=True))
    return Outcome(error=error)


def _cancelled() -> WorkerLost:
    return WorkerLost("the executor cancelled the job before it ran, as one that is shut down does")


def _lost(broken: BrokenExecutor, *, begun: bool) -> WorkerLost:
    work: Any = "stopped" if begun else "never started"
    lost = WorkerLost(f"the executor is broken: {broken}", started=begun, work=work)
    lost.__cause__ = broken
    return lost
