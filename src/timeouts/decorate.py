"""`guard`: put a function under limits without changing what it looks like.

Laws:
- Signature, docstring, binding, and the answers of `inspect` (is it a coroutine function? a
  generator?) stay as they were (wrapt).
- Nothing starts before the first call; decorating at import time costs nothing.
- A policy used as a decorator on a guarded function joins its stack as the outer rule: one queue and
  one set of workers, composed, not nested.
- A guard that travels is still a guard, with a server of its own where it arrives. It travels by name,
  as functions do; where cloudpickle copies functions that no other process could find, by value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import wrapt

from timeouts.admission import Admission
from timeouts.clock import Clock
from timeouts.deadline import Seconds
from timeouts.discipline import Discipline
from timeouts.guarded import Decorator
from timeouts.named import asked_by_cloudpickle, find, is_there
from timeouts.observe import Observer
from timeouts.policy import Policy
from timeouts.policy.base import Composable
from timeouts.server import Server
from timeouts.stack import Stack
from timeouts.workers import WorkerKind

if TYPE_CHECKING:  # generic to a type checker alone: at run time only the newest wrapt has them so
    BoundFunctionWrapper = wrapt.BoundFunctionWrapper[Any, Any]
    FunctionWrapper = wrapt.FunctionWrapper[Any, Any]
else:
    BoundFunctionWrapper = wrapt.BoundFunctionWrapper
    FunctionWrapper = wrapt.FunctionWrapper


class Options(TypedDict, total=False):
    """What a guard passes on to its `Server`."""

    slots: float | None
    workers: str | WorkerKind | None
    capacity: float
    discipline: Callable[[], Discipline]
    admission: Admission | None
    observers: Iterable[Observer]
    clock: Clock
    drain_timeout: Seconds


def guard(limits: Policy | Stack | None = None, **options: Unpack[Options]) -> Decorator:
    """Make a decorator that runs a function under limits, with a queue and workers of its own.

    The decorated function is called as before: `predict(x)` blocks (an `async def` returns its
    coroutine, a generator its items). Beside that it has `acall` (from a coroutine), `submit` (a
    `concurrent.futures.Future`), `server` and `close`. Methods share one server among all instances.

    Args:
        limits: a policy, or policies joined with `|`, outermost first; None for none.
        **options: as for `Server`: slots, workers, capacity, discipline, admission, observers, clock,
            drain_timeout.

    Raises:
        TypeError: what is decorated cannot be called, or is a class, or the parentheses of
            `@guard(...)` are missing.
        ValueError: an option makes no sense; the message names it.

    Cannot do: stop a `def` function, which runs in a thread; see `ThreadWorkers`.
    """
    if limits is not None and not isinstance(limits, Composable):
        hint = ": write an instance, not the class" if isinstance(limits, type) else ""
        raise TypeError(
            f"guard takes policies, as in @guard(ExecutionTimeout(1)); got {limits!r}{hint}"
        )

    def decorate(handler: Callable[..., Any]) -> Any:
        return Guard(handler, limits, options)

    return decorate


def under(limits: Composable, handler: Any) -> Any:
    """Decorate with a policy: join the stack of a guard that is there, or make one."""
    if isinstance(handler, Guard):
        return handler.joined(limits)
    return Guard(handler, Stack(*limits.policies), {})


class GuardServer(Server):
    """The server behind a guard: the guarded function's own arguments may have any name."""

    reserved = ()


class _Calls:
    """What a guarded function and a guarded bound method have in common.

    A later base than wrapt's, or its annotations would stand for those of what is guarded.
    """

    __wrapped__: Callable[..., Any]
    _self_server: Server

    def acall(self, *args: Any, **kwargs: Any) -> Any:
        """Call from a coroutine: an awaitable, or an async iterator for a generator."""
        return self._self_server.callers.awaiting(self.__wrapped__, args, kwargs)

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call and return a future at once."""
        return self._self_server.callers.enqueue(self.__wrapped__, args, kwargs)

    @property
    def server(self) -> Server:
        """The server behind the function; methods share one among all instances."""
        return self._self_server

    def close(self) -> None:
        """Close that server; later calls are refused with `ShuttingDown`."""
        self._self_server.close()


class BoundGuard(BoundFunctionWrapper, _Calls):
    """A guarded method, bound to its instance."""

    @property
    def _self_server(self) -> Server:  # type: ignore[override]
        return self._self_parent.server  # type: ignore[no-any-return]

    def __reduce_ex__(self, _: object) -> tuple[Any, ...]:
        """Pickle as methods are: by the instance and the name."""
        method: Any = self.__wrapped__
        return getattr, (method.__self__, method.__name__)


class Guard(FunctionWrapper, _Calls):
    """A function under limits; made by `guard`. Its server starts no worker before the first call."""

    def __init__(
        self, handler: Callable[..., Any], limits: Policy | Stack | None, options: Options
    ) -> None:
        server = GuardServer(handler, limits, **options)

        def run(function: Callable[..., Any], _: Any, args: Any, kwargs: Any) -> Any:
            return server.callers.native(function, args, kwargs)

        super().__init__(handler, run)
        self._self_server = server
        self._self_options = options

    def joined(self, outer: Composable) -> Guard:
        """Return a guard of the same function with further rules outside its own."""
        limits = Stack(*outer.policies, *self._self_server.limits.policies)
        return Guard(self.__wrapped__, limits, self._self_options)

    __bound_function_wrapper__ = BoundGuard

    def __reduce_ex__(self, _: object) -> tuple[Any, ...]:
        """Pickle by name, or else by what it was made of."""
        function: Any = self.__wrapped__
        at_home = function.__module__ != "__main__" and is_there(self)
        if at_home or not asked_by_cloudpickle():
            return find, (function.__module__, function.__qualname__)
        return Guard, (function, self._self_server.limits, self._self_options)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """What is guarded, to all but cloudpickle, which copies functions without what guards them."""
        return type(self) if asked_by_cloudpickle() else self.__wrapped__.__class__
