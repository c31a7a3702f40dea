"""The server's end of one worker: an actor, its process, and the call that it serves."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from timeouts.observe.observer import logger
from timeouts.workers import roster
from timeouts.workers.process.parcel import Unsendable
from timeouts.workers.ray import guest
from timeouts.workers.ray.guest import ray
from timeouts.workers.ray.letters import Letter, seal

if TYPE_CHECKING:
    from timeouts.call import Call
    from timeouts.outcome import Outcome
    from timeouts.stack import Stack

Ward: TypeAlias = Callable[..., Any]
"""Asks a warden, by the name of a method, wherever he is; what is returned can be awaited."""

GRACE = 0.1
"""Seconds in which Ray ends the process of an actor that is killed; then its warden does."""


class Worker(roster.Worker):
    """One actor, as the server sees it.

    Attributes:
        number: its place in the pool, from 0; free again when it is gone.
        actor: Ray's handle.
        pid, node: its process, once it has been placed.
        ward: asks whoever tells of its death; None where only Ray does.
        died: done when its process has ended.
        gone: whether it is dead, and its call answered.
        stopping: whether somebody sees to its end already.
        cause: why it died.
        explained: set when that is known.
        verdict: what its call is told, if that is not simply that the worker was lost.
        between: whether its stream waits to be asked for the next item.
        farewell: set when a call that was asked to stop has ended.
        jobs: how many it has served.
    """

    def __init__(self, number: int, actor: Any, limits: Stack) -> None:
        super().__init__()
        self.number = number
        self.actor = actor
        self.pid = 0
        self.node = ""
        self.ward: Ward | None = None
        self.died: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.gone = False
        self.stopping = True  # until it is ready, whoever hires it sees to its end
        self.cause = "its process has ended"
        self.explained = asyncio.Event()
        self.verdict: Outcome | None = None
        self.between = False
        self.farewell: asyncio.Event | None = None
        self.jobs = 0
        self._limits: Stack | None = limits

    def __repr__(self) -> str:
        """Show place, pid and node."""
        return f"<worker {self.number}, pid {self.pid} on node {self.node[:8]}>"

    def assign(self, call: Call) -> None:
        """Give it a call."""
        self.jobs += 1
        super().assign(call)

    def ask(self, call: Call) -> Any:
        """Send the call; return the reference to the answer."""
        left, age = call.deadline - call.started, call.started - call.arrived
        limits, entered = self._told(call.stack), _written(call.around)
        about = (left, age, call.advice.execution, limits, entered)
        if isinstance(request := call.request, bytes):
            return self.actor.serve.remote(pickle.dumps((call.key, *about, request), 5))
        return self.actor.serve.remote(pickle.dumps((call.key, *about, None), 5), request)

    def ask_on(self, call: Call) -> Any:
        """Ask for the next item of the call's stream."""
        self.between = False
        return self.actor.proceed.remote(call.key)

    def ask_to_leave(self, call: Call) -> Any:
        """Say that no more items of the call's stream are wanted."""
        return self.actor.leave.remote(call.key)

    def end_farewell(self) -> None:
        """Its call has ended: whoever waits for that may stop waiting."""
        if self.farewell is not None:
            self.farewell.set()

    def kill(self) -> None:
        """Have it killed, wherever it is by now."""
        with contextlib.suppress(Exception):  # Ray has been shut down, and it with that
            guest.insist()
            ray.kill(self.actor, no_restart=True)
        with contextlib.suppress(Exception):
            if self.ward is not None:
                self.ward("kill", self.pid, GRACE)

    def _told(self, limits: Stack | None) -> Letter | None:
        """Write the limits, which `remaining()` there obeys, if they are others than before."""
        if limits is self._limits:
            return None
        self._limits = limits
        try:
            return seal(limits)
        except Unsendable:  # a policy may be a stranger's
            logger.exception("%r cannot be sent to a Ray actor", limits)
            return None


def _written(manager: Any) -> bytes | None:
    if manager is None:
        return None
    try:
        return pickle.dumps(manager, 5)
    except Exception:  # noqa: BLE001 - whatever it is, it is not the caller's
        logger.exception("%r cannot be sent to a Ray actor", manager)
        return None
