"""`endpoint`: what Ray Serve calls in a replica: budgets in, errors out.

Laws:
- The budget that came along is the budget of the job: one more limit, which may shorten the others.
- When Ray cancels the request, because the client is gone or the caller's budget is over, the job is
  withdrawn: waiting it never starts, running it is stopped as its workers can, also a `def`.
- Who came by HTTP is answered by HTTP: an error of ours becomes its problem document. Who came by a
  handle gets the error itself.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import Any, NamedTuple, Protocol, overload

from timeouts.adapters.classes import (
    NO_CLASSES,
    UNCLASSED,
    Classes,
    ServiceClass,
    checked_classes,
)
from timeouts.adapters.headers import Budgets, MalformedBudget, from_asgi
from timeouts.adapters.ray_serve.errors import own
from timeouts.adapters.ray_serve.guest import RayTaskError, Request, Response
from timeouts.decorate import Guard
from timeouts.errors import TimeoutsError
from timeouts.http.problem import Answer, plain_problem, problem
from timeouts.statuses import STATUSES, Statuses

NO_BUDGETS = Budgets()


class Endpoint(Protocol):
    """What `endpoint` makes: an `async def`, or an async generator, that has a guard."""

    guarded: Guard

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it; inside the deployment, too, with `await` or `async for`."""
        ...


@overload
def endpoint(function: Callable[..., Any], /) -> Endpoint: ...
@overload
def endpoint(
    *, budgets: Budgets = NO_BUDGETS, classes: Classes = NO_CLASSES, statuses: Statuses = STATUSES
) -> Callable[[Callable[..., Any]], Endpoint]: ...
def endpoint(
    function: Callable[..., Any] | None = None,
    /,
    *,
    budgets: Budgets = NO_BUDGETS,
    classes: Classes = NO_CLASSES,
    statuses: Statuses = STATUSES,
) -> Any:
    """Let a method of a deployment, or a function that is one, take budgets and answer HTTP.

    Written above `@guard(...)`, or on an `async def` without a guard, whose only limit is then the
    budget. The result is an `async def`, or an async generator, also of a `def`: so Ray can cancel it,
    and it holds none of the replica's threads. Call it with `await` inside the deployment too. Its
    attribute `guarded` is the guard: `self.predict.guarded.server.start()` starts the workers early.

    Args:
        function: what is decorated; parentheses can be left out.
        budgets: for HTTP, the headers that may shorten the limits; default none.
        classes: for HTTP, the headers that say who asks and how important it is, for a `discipline` of the
            guard that looks at it; default none.
        statuses: for HTTP, the table of codes.

    Raises:
        TypeError: it is a plain `def` without a guard, or an option is of the wrong type.

    Cannot do: turn an error into an HTTP answer once a `StreamingResponse` has begun; end a plain
    Ray call at the caller's side, which `budgeted` does.
    """
    _check(budgets, statuses)
    checked_classes(classes)
    if function is None:
        return functools.partial(endpoint, budgets=budgets, classes=classes, statuses=statuses)
    served = Served(_guarded(function), budgets, classes, statuses)
    answering = _stream(served) if served.guarded.server.handler.is_stream else _unary(served)
    answering.guarded = served.guarded
    return functools.wraps(function)(answering)


def _unary(served: Served) -> Any:
    async def answering(*args: Any, timeouts_budget: float | None = None, **kwargs: Any) -> Any:
        return await served.answer(args, kwargs, timeouts_budget)

    return answering


def _stream(served: Served) -> Any:
    async def answering(
        *args: Any, timeouts_budget: float | None = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        async with aclosing(served.run(args, kwargs, timeouts_budget)) as items:
            async for item in items:
                yield item

    return answering


class Served(NamedTuple):
    """A guard and how it answers; travels with its method, by value if need be."""

    guarded: Guard
    budgets: Budgets
    classes: Classes
    statuses: Statuses

    def run(
        self, args: Any, kwargs: Any, budget: float | None, asked: ServiceClass = UNCLASSED
    ) -> Any:
        """Call the guard with a budget; of nothing left, with the least there is."""
        allowed = None if budget is None else max(budget, sys.float_info.min)
        callers = self.guarded.server.callers
        return callers.awaiting(self.guarded.__wrapped__, args, kwargs, allowed, *asked)

    async def call(
        self, args: Any, kwargs: Any, budget: float | None, asked: ServiceClass = UNCLASSED
    ) -> Any:
        """Answer a call; what another deployment raised, of ours, is raised as itself."""
        try:
            return await self.run(args, kwargs, budget, asked)
        except RayTaskError as wrapped:
            if (error := own(wrapped)) is None:
                raise
            raise error from None

    async def answer(self, args: Any, kwargs: Any, budget: float | None) -> Any:
        """Answer a call; one that came by HTTP by a problem document, if it comes to that."""
        request = next((arg for arg in args if isinstance(arg, Request)), None)
        if request is None:
            return await self.call(args, kwargs, budget)
        lookup = from_asgi(request.scope["headers"])
        try:
            budget = self.budgets.read(lookup)
        except MalformedBudget as wrong:
            return _response(plain_problem(400, str(wrong)))
        try:
            return await self.call(args, kwargs, budget, self.classes.read(lookup))
        except TimeoutsError as error:
            return _response(problem(error, self.statuses))


def _guarded(function: Callable[..., Any]) -> Guard:
    if isinstance(function, Guard):
        return function
    if iscoroutinefunction(function) or isasyncgenfunction(function):
        return Guard(function, None, {})
    raise TypeError(
        f"endpoint takes a guarded function or an async def; got {function!r}: write @guard(...) below it"
    )


def _check(budgets: object, statuses: object) -> None:
    if not isinstance(budgets, Budgets):
        raise TypeError(
            f'budgets must be Budgets, such as Budgets("grpc-timeout"); got {budgets!r}'
        )
    if not isinstance(statuses, Statuses):
        raise TypeError(f"statuses must be a table such as timeouts.STATUSES; got {statuses!r}")


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, dict(answer.headers))
