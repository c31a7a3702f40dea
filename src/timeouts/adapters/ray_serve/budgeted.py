"""`budgeted`: a deployment handle whose calls end in time, and take along what is left.

Laws:
- The deadline of a call is the earlier of its budget and that of the job that makes it.
- At its deadline the caller is told, by a `GatewayTimeoutError`, whatever Ray is doing: routing,
  waiting for a replica, running. Then the request is cancelled, whether or not anybody waits for it.
- What the replica is granted is less than what the caller waits, by the margin. A call for which
  nothing is left is never sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import math
import sys
from collections.abc import AsyncGenerator, Generator
from concurrent.futures import Future
from contextlib import aclosing, closing
from typing import Any

from timeouts.adapters.headers import MARGIN, checked_margin, granted
from timeouts.adapters.ray_serve.errors import own
from timeouts.adapters.ray_serve.guest import (
    DeploymentResponseGenerator,
    RayTaskError,
    RequestCancelledError,
)
from timeouts.clock import MONOTONIC
from timeouts.current import remaining
from timeouts.deadline import Seconds, seconds
from timeouts.handler import Handler
from timeouts.server import Server
from timeouts.workers.base import Shell
from timeouts.workers.loop_thread import running_loop
from timeouts.workers.task import TaskPool, TaskWorkers


def budgeted(
    handle: Any, budget: Seconds = None, *, margin: Seconds = MARGIN, carry: bool = True
) -> BudgetedHandle:
    """Bound the calls of a deployment handle, and let them carry what is left to the replica.

    `budgeted(handle, 2.5).predict.remote(x)` stands for `handle.predict.remote(x)`. The response is
    awaited, or asked for its `result()`, as Ray's own; that of `options(stream=True)` is iterated over.

    Args:
        handle: a `DeploymentHandle`, or a method of one.
        budget: seconds from `remote()` to the end of the answer; default: no more than what is left of
            the job that calls, as `timeouts.remaining()` has it.
        margin: seconds of it held back for the answer to come back; default 0.005.
        carry: whether the replica is told; default True. The method there must be an `endpoint`.

    Raises:
        TypeError, ValueError: an argument makes no sense; the message names it and its value.

    The calls raise:
        GatewayTimeoutError: the budget is over, here or in the replica.
        TimeoutsError: what the replica raised, as itself, with its fields.
        DeadlineExceeded: at once, nothing was left of the job that calls.

    Cannot do: stop a `def` without a guard in the replica, which Ray does not stop either; bound the
    first `remote()` of a handle itself, in which Ray looks up the deployment; hand a response to another
    handle's `remote()` before it is there.
    """
    if not hasattr(handle, "remote"):
        raise TypeError(f"budgeted takes a DeploymentHandle or a method of one; got {handle!r}")
    return BudgetedHandle(handle, seconds(budget, "budget"), checked_margin(margin), carry)


class BudgetedHandle:
    """A deployment handle, or a method of one, with a budget for every call; made by `budgeted`."""

    def __init__(self, handle: Any, budget: float, margin: float, carry: bool) -> None:
        self._handle = handle
        self._terms = budget, margin, carry

    def remote(self, *args: Any, **kwargs: Any) -> Any:
        """Call as the handle's own `remote` does; return a `BudgetedResponse`, or a `BudgetedStream`."""
        budget, margin, carry = self._terms
        left = min(budget, remaining())
        if left < math.inf:
            carried = granted(left, margin)
            kwargs = kwargs | {"timeouts_budget": carried} if carry else kwargs
        response = self._handle.remote(*args, **kwargs)
        if isinstance(response, DeploymentResponseGenerator):
            return BudgetedStream(response, MONOTONIC.now() + left)
        return BudgetedResponse(response, _ANSWERS.submit(response, budget=left))

    def options(self, **options: Any) -> BudgetedHandle:
        """Return one whose handle has these options, such as `stream=True`."""
        return BudgetedHandle(self._handle.options(**options), *self._terms)

    def __getattr__(self, name: str) -> BudgetedHandle:
        """Return one of a method of the deployment."""
        if name.startswith("_"):
            raise AttributeError(name)
        return BudgetedHandle(getattr(self._handle, name), *self._terms)

    def __repr__(self) -> str:
        """Show the handle."""
        return f"<budgeted {self._handle!r}>"


class BudgetedResponse:
    """The answer of a call, on its way."""

    def __init__(self, response: Any, future: Future[Any]) -> None:
        self._future = future
        future.add_done_callback(functools.partial(_settled, response))

    def __await__(self) -> Generator[Any, None, Any]:
        """Suspend until it is there. Who is cancelled meanwhile cancels the request."""
        return asyncio.wrap_future(self._future).__await__()

    def result(self) -> Any:
        """Block until it is there.

        Raises:
            RuntimeError: inside a coroutine, whose loop it would block.
        """
        _refuse_loops("await response")
        try:
            return self._future.result()
        except BaseException:
            self.cancel()
            raise

    def cancel(self) -> None:
        """Cancel the request, unless it has been answered."""
        self._future.cancel()


class BudgetedStream:
    """The items of a call, as they are produced; for `async for`, or `for` outside of coroutines."""

    def __init__(self, response: Any, deadline: float) -> None:
        self._response = response
        self._deadline = deadline

    async def __aiter__(self) -> AsyncGenerator[Any, None]:
        """Give the items as they come; who leaves early cancels the request."""
        stream = _ITEMS.acall(self._response, budget=_until(self._deadline))
        try:
            async with aclosing(stream) as items:
                async for item in items:
                    yield item
        except BaseException:
            _give_up(self._response)
            raise

    def __iter__(self) -> Generator[Any, None, None]:
        """Do the same, blocking."""
        _refuse_loops("async for item in response")
        stream = _ITEMS.call(self._response, budget=_until(self._deadline))
        try:
            with closing(stream) as items:
                yield from items
        except BaseException:
            _give_up(self._response)
            raise

    def cancel(self) -> None:
        """Cancel the request, unless it has been answered."""
        _give_up(self._response)


def _until(deadline: float) -> float:
    """Return the seconds left; of nothing left, the least there is."""
    return max(deadline - MONOTONIC.now(), sys.float_info.min)


def _refuse_loops(right: str) -> None:
    if running_loop() is not None:
        raise RuntimeError(f"this would block the event loop: inside a coroutine write `{right}`")


# ── how Ray's responses are waited for ───────────────────────────────────────────────────────────


async def _answer(response: Any) -> Any:
    try:
        return await response
    except (RayTaskError, RequestCancelledError) as error:
        raise _unwrapped(error) from None


async def _items(response: Any) -> AsyncGenerator[Any, None]:
    try:
        async for item in response:
            yield item
    except (RayTaskError, RequestCancelledError) as error:
        raise _unwrapped(error) from None


def _unwrapped(error: Exception) -> BaseException:
    if isinstance(error, RequestCancelledError):
        return asyncio.CancelledError()
    return own(error) or error


def _settled(response: Any, future: Future[Any]) -> None:
    if future.cancelled() or future.exception() is not None:
        _give_up(response)


def _give_up(response: Any) -> None:
    """Cancel a request, also one whose answer nobody has begun to wait for; harmless if it is over."""
    with contextlib.suppress(Exception):  # that of a request which never came to a replica
        response.cancel()


class _Elsewhere(TaskWorkers):
    """Tasks that wait for work in another process: when they end, the work may well go on."""

    def open(self, shell: Shell, handler: Handler, slots: float) -> TaskPool:  # noqa: ARG002 - as its base
        return _Waiting(shell, handler)


class _Waiting(TaskPool):
    ended = "still running"


_ANSWERS = Server(_answer, workers=_Elsewhere())
_ITEMS = Server(_items, workers=_Elsewhere())
