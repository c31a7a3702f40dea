"""A job with a caller: what the handler is to be called with, and how its caller is told.

Law: `answer` is called once, by whoever obeys the core's Reply. `armed` is the instant until which
the caller last promised to wait; whoever makes the deadline earlier than that must ring.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Future, InvalidStateError
from contextvars import Context, copy_context
from threading import RLock
from typing import TYPE_CHECKING, Any

from timeouts.errors import ServerClosed, Withdrawn
from timeouts.gate import Bell, Gate, LoopGate
from timeouts.job import ABANDONED, Job
from timeouts.outcome import Outcome

if TYPE_CHECKING:
    from timeouts.callers import Callers
    from timeouts.clock import Clock

NOTHING: Any = object()
_NESTING = RLock()  # re-entered where a garbage collection calls
TAKEN = Outcome()
"""In place of an outcome that its caller has: an error kept here would come back round to itself."""


class Call(Job):
    """A job whose caller waits on a gate: a blocked thread or a suspended coroutine.

    Attributes:
        armed: until when the caller waits.
        callers: who brought it.
        timed: whether the timer waits too, since the caller may not always be waiting.
        context: the caller's context variables, in which the handler runs.
        outcome: the answer.
        item: the item of a stream that is on its way to the consumer.
        demand: rung when the consumer asks for the next item, or is gone.
        eager: whether its caller is arriving just now, on the loop of the work: it may begin at once.
        loop, task, ended: a task worker's own notes.
        nested: the calls made inside it for which its handler blocks; None before the first.
        thread: the thread that runs it, a thread worker's own note.
        request, worker: what is sent, and to whom: a process worker's own notes.
        around: a context manager that can be pickled, which a process worker enters around the handler.
    """

    __slots__ = (
        "args",
        "armed",
        "around",
        "callers",
        "clock",
        "context",
        "demand",
        "eager",
        "ended",
        "function",
        "gate",
        "item",
        "kwargs",
        "loop",
        "nested",
        "outcome",
        "request",
        "task",
        "thread",
        "timed",
        "worker",
    )

    def __init__(  # noqa: PLR0917 - positional, because keywords cost time on the hot path
        self,
        key: Hashable,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        gate: Gate | LoopGate | None,
        clock: Clock,
        deadline: float,
        priority: float,
        tenant: Hashable = None,
    ) -> None:
        Job.__init__(self, key, deadline=deadline, priority=priority, tenant=tenant)
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self.clock = clock
        self.gate: Any = gate
        self.armed = math.inf
        self.callers: Callers | None = None
        self.nested: set[Call] | None = None
        self.context: Context | None = copy_context()
        self.outcome: Outcome | None = None
        self.item: Any = NOTHING
        self.demand: Bell | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.task: asyncio.Task[None] | None = None
        self.thread = 0
        self.request: Any = None
        self.worker: Any = None
        self.around: Any = None
        self.timed = False
        self.eager = False
        self.ended = False

    def __repr__(self) -> str:
        """Show key, handler and phase."""
        name = getattr(self.function, "__qualname__", type(self.function).__qualname__)
        return f"<Call {self.key} of {name}, {self.phase}>"

    def answer(self, outcome: Outcome) -> None:
        """Tell the caller."""
        self.outcome = outcome
        self.gate.ring()

    def nest(self, call: Call) -> None:
        """Note a call for which this one's handler blocks, in any of the handler's threads."""
        with _NESTING:
            nested = self.nested = self.nested or set()
        nested.add(call)

    def unnest(self, call: Call) -> None:
        """Forget a call for which the handler blocks no longer."""
        if self.nested is not None:
            self.nested.discard(call)

    def take_context(self) -> Context:
        """Give the context to whoever runs the call: kept, it would refer back to the call."""
        context, self.context = self.context, None
        return copy_context() if context is None else context  # an empty one is false

    def take_item(self) -> Any:
        """Give the item that has arrived to the consumer."""
        item, self.item = self.item, NOTHING
        return item

    def result(self) -> Any:
        """Return or raise the outcome, once; only for a call that has been answered."""
        outcome, self.outcome = self.outcome, TAKEN
        if outcome is None:
            raise RuntimeError(f"{self!r} has not been answered")
        if outcome.error is None:
            return outcome.value
        try:
            return outcome.unwrap()
        finally:
            del self, outcome  # the error's traceback keeps this frame, as in `unwrap`

    def leave(self) -> None:
        """Withdraw it, if anybody has brought it."""
        if self.callers is not None:
            self.callers.leave(self)

    def rearm(self) -> None:
        """Have the caller look at its deadline again: it is earlier than it was."""
        self.gate.ring()


def is_unwanted(call: Call) -> bool:
    """Tell whether a call's work has been given up for another reason than time.

    What is nested in an expired one shares its deadline, and is told so by a limit of its own.
    """
    return call.phase is ABANDONED and isinstance(call.error, (Withdrawn, ServerClosed))


class JobFuture(Future[Any]):
    """A future whose cancellation, possible until it is settled, withdraws its job."""

    call: Call

    def cancel(self) -> bool:
        """Withdraw the job, unless it has been answered."""
        if not super().cancel():
            return False
        if call := self.take_call():
            self.set_running_or_notify_cancel()  # or `concurrent.futures.wait` would never see it
            call.leave()
        return True

    def take_call(self) -> Call | None:
        """Give the call to the first who asks: who cancels, or who answers."""
        call: Call | None = self.__dict__.pop("call", None)
        return call


class Submission(Call):
    """A job whose caller holds a future, on which nobody need be waiting; a timer waits instead."""

    __slots__ = ("future",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.future = JobFuture()
        self.future.call = self

    def answer(self, outcome: Outcome) -> None:
        """Settle the future; one that its holder has cancelled stays cancelled."""
        self.outcome = outcome
        future = self.future
        if future.take_call() is None:  # cancelled
            return
        try:
            if outcome.error is None:
                future.set_result(outcome.value)
            else:
                future.set_exception(outcome.error)
        except InvalidStateError:  # cancelled at this very moment, or settled by its holder
            if future.cancelled():
                future.set_running_or_notify_cancel()

    def rearm(self) -> None:
        """Nothing: the timer is what waits for it."""
