"""An ASGI application as work: a task for each request, and what becomes of it on expiry.

Law: a job is over with the last message of its response. What the application does after that (a
background task) is under no limit and holds no slot; only an error of it is kept, for the server's log.
"""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop
from typing import Any, Literal

from timeouts.adapters.asgi.shield import is_shielded
from timeouts.call import Call
from timeouts.handler import Handler
from timeouts.options import checked_stack
from timeouts.outcome import Outcome
from timeouts.policy import Policy
from timeouts.server import Server
from timeouts.stack import Stack
from timeouts.workers import StopMode, TaskWorkers
from timeouts.workers.base import Shell, refuse_soft_limits
from timeouts.workers.task import TaskPool

LOOK_AGAIN = 0.05  # seconds until an application that is spared for now is looked at again

OnExpiry = Literal["cancel", "detach"]


class Unwanted(OSError):
    """What `send` raises in an application whose client has been answered already, or is gone.

    No `TimeoutsError`: an application that answers those would try to answer this one.
    """


class Applications(TaskWorkers):
    """Run an application once for each request, and cancel it on expiry, or leave it alone."""

    def __init__(self, on_expiry: OnExpiry) -> None:
        super().__init__()
        self.stop_mode: StopMode = "cancel" if on_expiry == "cancel" else "abandon"

    def check(self, handler: Handler, slots: float, limits: Stack) -> None:
        """Nothing: the rules are those of the routes, and have been checked with them."""

    def open(self, shell: Shell, handler: Handler, slots: float) -> ApplicationPool:  # noqa: ARG002 - as above
        """Make the pool."""
        return ApplicationPool(shell, handler, stops=self.stop_mode == "cancel")


class ApplicationPool(TaskPool):
    """Applications as tasks of their callers' loops."""

    def __init__(self, shell: Shell, handler: Handler, *, stops: bool) -> None:
        super().__init__(shell, handler)
        self._stops = stops

    def start(self, call: Call) -> None:
        """Make a task; one whose request has just come in is on its own loop already."""
        if call.eager:
            call.loop = loop = call.gate.loop
            self._spawn(call, loop)
        else:
            super().start(call)

    def _cancel(self, call: Call, _: AbstractEventLoop) -> None:
        """Cancel the application once, if it may be: not what it does after its response, and no wait for a thread."""
        task = call.task
        if task is None or call.error is None or not self._stops:
            return
        if is_shielded(task):
            loop = asyncio.get_running_loop()
            loop.call_later(LOOK_AGAIN, self._cancel, call, loop)
        else:
            task.cancel()

    def _end(self, call: Call, outcome: Outcome, *, begun: bool = True) -> None:
        exchange: Any = call
        exchange.task = None
        if exchange.ended and begun:
            exchange.afterwards = outcome.error
        if isinstance(outcome.error, Unwanted):
            outcome = Outcome(error=asyncio.CancelledError())  # it was stopped, as was meant
        super()._end(call, outcome, begun=begun)


def checked(limits: object) -> Stack:
    """Return the stack that was meant, if an application can be under it."""
    stack = checked_stack(limits)
    refuse_soft_limits(stack, "task")
    return stack


class Front(Server):
    """A queue and slots in front of an application, any of whose responses may be a stream."""

    reserved = ()

    def _checked(self, limits: Policy | Stack | None) -> Stack:
        return checked(limits)
