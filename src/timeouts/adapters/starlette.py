"""Limits on an application of Starlette that you already have: `limits.apply(app)`.

Laws:
- An application has limits once, and before its first request.
- A `TimeoutsError` that is raised inside, by a guarded function, is a problem document too, unless the
  application has a handler of its own for it.
- No middleware that would complete an answer that was cut short stands outside the limits.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from timeouts.adapters.asgi import Timeouts
from timeouts.adapters.asgi.client import ASGIApp, Receive, Scope, Send
from timeouts.errors import TimeoutsError
from timeouts.http.problem import tell
from timeouts.stack import Stack
from timeouts.statuses import Statuses

try:
    from starlette.applications import Starlette
    from starlette.middleware.base import BaseHTTPMiddleware
    from starlette.requests import Request
    from starlette.responses import Response
except ImportError as missing:
    raise ImportError(
        "timeouts.adapters.starlette needs Starlette, which is not installed: "
        'pip install "timeouts[fastapi]" has it'
    ) from missing

Choose = Callable[[Scope], Timeouts | None]
"""Which front a request goes through; None lets it pass."""

NEXT = "timeouts.next"


def apply(limits: Stack | None, app: Starlette, **options: Any) -> None:
    """Put an application under limits.

    `app.state.timeouts` is then the `Timeouts` in front of it, for its `stats()`. Middleware that is
    added later stands outside of it.

    Args:
        limits: a policy, or policies joined with `|`, outermost first; None for none.
        app: the application. It is changed in place.
        **options: as for `timeouts.adapters.asgi.Timeouts`.

    Raises:
        TypeError: an option is unknown, or makes no sense; the message names it and its value.
        ValueError: an option makes no sense, or the application has limits already.
        RuntimeError: the application has begun to serve.
    """
    front = Timeouts(onward, limits, **options)
    install(app, front, front.statuses, lambda _: front)


def install(app: Starlette, front: Timeouts | None, statuses: Statuses, choose: Choose) -> None:
    """Put an application behind fronts, and have its `TimeoutsError`s told as they tell theirs."""
    if hasattr(app.state, "timeouts"):
        raise ValueError(
            f"{app!r} has had apply() or install() already: call one of them, once, with limits joined by |"
        )
    if app.middleware_stack is not None:
        raise RuntimeError(f"{app!r} has begun to serve: apply the limits before its first request")
    app.state.timeouts = front
    app.add_middleware(Fronts, host=app, choose=choose)
    app.exception_handlers.setdefault(TimeoutsError, teller(statuses))


async def onward(scope: Scope, receive: Receive, send: Send) -> None:
    """Go on to what lies behind a front; one front may stand before several applications."""
    await scope[NEXT](scope, receive, send)


class Fronts:
    """A middleware that sends each request through the front it is meant for."""

    def __init__(self, app: ASGIApp, host: Starlette, choose: Choose) -> None:
        _refuse_outside(host)
        self.app = app
        self._choose = choose

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as ASGI has it."""
        front = self._choose(scope) if scope["type"] == "http" else None
        if front is None:
            await self.app(scope, receive, send)
            return
        scope[NEXT] = self.app
        await front(scope, receive, send)


def _refuse_outside(host: Starlette) -> None:
    for outside in host.user_middleware:
        kind: Any = outside.cls
        if kind is Fronts:
            return
        if inspect.isclass(kind) and issubclass(kind, BaseHTTPMiddleware):
            raise RuntimeError(
                f"{outside!r} stands outside the limits, and a BaseHTTPMiddleware there completes "
                "an answer that was cut short: add it before the limits are applied"
            )


def teller(statuses: Statuses) -> Any:
    """Return an exception handler that answers a `TimeoutsError` with a problem document."""

    async def answer(_: Request, error: TimeoutsError) -> Response:
        status, headers, body = tell(error, statuses)
        return Response(body, status, dict(headers))

    return answer
