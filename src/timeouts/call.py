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
from typing import TYPE_CHECKING, Any

from timeouts.gate import Bell
from timeouts.job import Job
from timeouts.outcome import Outcome

if TYPE_CHECKING:
    from timeouts.clock import Clock

NOTHING: Any = object()


class Call(Job):
    """A job whose caller waits on a gate: a blocked thread or a suspended coroutine.

    Attributes:
        armed: until when the caller waits.
        timed: whether the timer waits too, since the caller may not always be waiting.
        context: the caller's context variables, in which the handler runs.
        outcome: the answer.
        item: the item of a stream that is on its way to the consumer.
        demand: rung when the consumer asks for the next item, or is gone.
        task, entered, ended: a task worker's own notes.
    """

    __slots__ = (
        "args",
        "armed",
        "clock",
        "context",
        "demand",
        "ended",
        "entered",
        "function",
        "gate",
        "item",
        "kwargs",
        "outcome",
        "task",
        "timed",
    )

    def __init__(
        self,
        key: Hashable,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        *,
        clock: Clock,
        gate: Any,
        deadline: float,
        priority: float,
    ) -> None:
        super().__init__(key, deadline=deadline, priority=priority)
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self.clock = clock
        self.gate = gate
        self.armed = math.inf
        self.context: Context = copy_context()
        self.outcome: Outcome | None = None
        self.item: Any = NOTHING
        self.demand: Bell | None = None
        self.task: asyncio.Task[None] | None = None
        self.timed = False
        self.entered = False
        self.ended = False

    def answer(self, outcome: Outcome) -> None:
        """Tell the caller."""
        self.outcome = outcome
        self.gate.ring()

    def rearm(self) -> None:
        """Have the caller look at its deadline again: it is earlier than it was."""
        self.gate.ring()


class JobFuture(Future[Any]):
    """A future whose cancellation, possible until it is settled, withdraws its job."""

    def __init__(self) -> None:
        super().__init__()
        self.leave: Callable[[], None] | None = None

    def cancel(self) -> bool:
        """Withdraw the job, unless it has been answered."""
        if not super().cancel():
            return False
        if self.leave is not None:
            self.leave()
        return True


class Submission(Call):
    """A job whose caller holds a future, on which nobody need be waiting; a timer waits instead."""

    __slots__ = ("future",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.future = JobFuture()

    def answer(self, outcome: Outcome) -> None:
        """Settle the future; one that its holder has cancelled stays cancelled."""
        self.outcome = outcome
        self.future.leave = None
        try:
            if outcome.error is None:
                self.future.set_result(outcome.value)
            else:
                self.future.set_exception(outcome.error)
        except InvalidStateError:
            pass

    def rearm(self) -> None:
        """Nothing: the timer is what waits for it."""
