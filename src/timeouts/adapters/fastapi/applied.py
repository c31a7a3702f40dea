"""Limits on an application of FastAPI that you already have: `limits.apply(app)`."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from timeouts.adapters import starlette
from timeouts.adapters.asgi import Timeouts
from timeouts.adapters.asgi.client import Scope
from timeouts.adapters.fastapi.guest import fastapi
from timeouts.adapters.fastapi.limited import ENFORCED
from timeouts.adapters.fastapi.openapi import extend
from timeouts.adapters.fastapi.routes import Declared
from timeouts.stack import Stack
from timeouts.statuses import STATUSES, Statuses


def apply(limits: Stack | None, app: fastapi.FastAPI, **options: Any) -> None:
    """Put an application under limits, and do as `install`.

    `app.state.timeouts` is then the `Timeouts` in front of it, for its `stats()`. A route that depends
    on limits of its own is not under these. Middleware that is added later stands outside.

    Args:
        limits: a policy, or policies joined with `|`, outermost first; None for none.
        app: the application. It is changed in place.
        **options: as for `timeouts.adapters.asgi.Timeouts`.

    Raises:
        TypeError: an option is unknown, or makes no sense; the message names it and its value.
        ValueError: an option makes no sense, or the application has limits already.
        RuntimeError: the application has begun to serve.
    """
    front = Timeouts(starlette.onward, limits, **options)
    _put_in_front(app, front, front.statuses)


def install(app: fastapi.FastAPI, *, statuses: Statuses = STATUSES) -> None:
    """Enforce the limits that routes depend on, and put the application as a whole under none.

    A `TimeoutsError` from anywhere in a route or a dependency, such as a guarded function, is answered
    with a problem document, unless the application has a handler of its own for it. The OpenAPI
    document lists these answers for the routes that have limits, or are guarded.

    Args:
        app: the application. It is changed in place.
        statuses: the table of codes.

    Raises:
        ValueError: the application has limits already.
        RuntimeError: the application has begun to serve.
    """
    _put_in_front(app, None, statuses)


def _put_in_front(app: fastapi.FastAPI, front: Timeouts | None, statuses: Statuses) -> None:
    starlette.install(app, front, statuses, Chooser(app, front).choose)
    extend(app, front, statuses)


class Chooser:
    """Chooses the front of a request: that of its route's own limits, or that of the application."""

    def __init__(self, app: fastapi.FastAPI, front: Timeouts | None) -> None:
        self._app = app
        self._front = front

    @cached_property
    def _declared(self) -> Declared:
        return Declared(self._app)  # at the first request, when all routes are there

    def choose(self, scope: Scope) -> Timeouts | None:
        """Return the front, and note on the request whose limits it enforces."""
        limits = self._declared.of(scope)
        if not limits:
            return self._front
        scope[ENFORCED] = limits
        return limits[-1].front
