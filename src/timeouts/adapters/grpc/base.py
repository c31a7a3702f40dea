"""What the interceptors of both servers share: the limits, the `Server` that keeps them, and a call.

Law: a call is a job like any other, with a caller that is gRPC's thread or task.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from timeouts.adapters.classes import Classes, checked_classes
from timeouts.adapters.grpc.answer import Answer, answer, checked_statuses
from timeouts.adapters.grpc.guest import grpc
from timeouts.adapters.grpc.limits import checked_methods
from timeouts.adapters.headers import Lookup
from timeouts.call import Call
from timeouts.current import SERVING
from timeouts.decorate import Options
from timeouts.errors import TimeoutsError
from timeouts.gate import Gate, LoopGate
from timeouts.handler import handler_of
from timeouts.server import Server
from timeouts.stack import Stack
from timeouts.statuses import Statuses

_NEVER = 1e12
"""Seconds. The longest `grpc-timeout` is 3.6e11; the sync server writes "no deadline" as 9.2e18."""


class Limited:
    """A gRPC server's limits, and the `Server` that keeps them.

    Attributes:
        server: the queue and the workers; its `stats()` are those of all methods.
    """

    def __init__(
        self,
        shape: Callable[..., Any],
        limits: Any,
        methods: object,
        statuses: object,
        options: Options,
        *,
        classes: Classes,
    ) -> None:
        self.own: dict[str, Stack | None] = checked_methods(methods, handler_of(shape))
        self.statuses: Statuses = checked_statuses(statuses)
        self.classes = checked_classes(classes)
        self.server = Server(shape, limits, **options)

    def leaves_alone(self, method: str) -> bool:
        """Tell whether a method is under no limits."""
        return self.own.get(method, self) is None

    def close(self) -> None:
        """End everything now: refuse what waits, cancel what runs, take nothing new."""
        self.server.close()

    def __repr__(self) -> str:
        """Show the limits."""
        own = f", methods={self.own!r}" if self.own else ""
        return f"{type(self).__name__}({self.server.limits!r}{own})"


class Rpc(ABC):
    """One call. Called itself, it runs the handler: it is the function of a job.

    Attributes:
        begun: whether the handler has begun.
        response: what a handler with a single response has returned.
    """

    def __init__(self, limited: Limited, method: str, handler: Any) -> None:
        self.__qualname__ = method  # by which the log names a job
        self.begun = False
        self.response: Any = None
        self.behavior = behavior_of(handler)
        self.asks_many: bool = handler.request_streaming
        self.gives_many: bool = handler.response_streaming
        self.shell = limited.server.shell
        self._callers = limited.server.callers
        self._arrived = self.shell.clock.now()
        self._stack = limited.own.get(method)
        self._statuses = limited.statuses
        self._classes = limited.classes

    @abstractmethod
    def __call__(self, request: Any, context: Any) -> Any:
        """Run the handler, as a stream; one with a single response leaves it in `response`."""

    def job(self, gate: Gate | LoopGate, request: Any, context: Any) -> Call:
        """Make the job, as of the instant at which gRPC handed the call over."""
        args, budget = (request, context), budget_of(context)
        asked = self._classes.read(from_context(context))
        call = self._callers.make(Call, gate, SERVING.get(), self, args, {}, budget, *asked)
        call.arrived = self._arrived
        call.stack = self._stack
        return call

    def arrive(self, call: Call) -> None:
        """Let the job arrive. What has passed since gRPC handed the call over has passed."""
        self.shell.tick(self.shell.clock.now())
        self.shell.arrive(call)

    def leave(self, call: Call) -> None:
        """Withdraw the job, unless it has been answered."""
        self._callers.leave(call)

    def answer(self, error: TimeoutsError, context: Any) -> Answer:
        """Return how the call ends with an error; metadata that the handler has set stays."""
        error.with_traceback(None)  # which would refer to the call, and the call to the error
        told = answer(error, self._statuses, begun=self.begun)
        return told._replace(metadata=(*(context.trailing_metadata() or ()), *told.metadata))


def behavior_of(handler: Any) -> Any:
    """Return the function behind a method, whichever of the four kinds it is."""
    return getattr(handler, _kind(handler))


def around(handler: Any, behavior: Callable[..., Any]) -> Any:
    """Return a method of the same kind, with the same serializers, around another function."""
    make = getattr(grpc, f"{_kind(handler)}_rpc_method_handler")
    return make(behavior, handler.request_deserializer, handler.response_serializer)


def _kind(handler: Any) -> str:
    asks = "stream" if handler.request_streaming else "unary"
    return f"{asks}_{'stream' if handler.response_streaming else 'unary'}"


def from_context(context: Any) -> Lookup:
    """Return a lookup in the metadata that came with a call; of a key that comes twice the values are joined by ", "."""

    def lookup(name: str) -> str | None:
        values = [_text(value) for key, value in context.invocation_metadata() or () if key == name]
        return ", ".join(values) if values else None

    return lookup


def _text(value: str | bytes) -> str:
    """Return a value as text; that of a key which ends in `-bin` is bytes."""
    return value if isinstance(value, str) else value.decode("latin-1")


def budget_of(context: Any) -> float | None:
    """Return the seconds that the client still grants; None if it has set no deadline.

    Where nothing is left it is the smallest number there is: the job expires as it arrives.
    """
    left: float | None = context.time_remaining()
    if left is None or left > _NEVER:
        return None
    return max(left, sys.float_info.min)
