"""Limits on an application of Flask that you already have: `limits.apply(app)`.

Laws:
- An application has limits once.
- A `TimeoutsError` that is raised in a view, by a guarded function, is a problem document too, unless
  the application has a handler of its own for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from timeouts.adapters.wsgi import Timeouts
from timeouts.errors import TimeoutsError
from timeouts.http.problem import tell
from timeouts.stack import Stack
from timeouts.statuses import STATUSES, Statuses

try:
    from flask import Flask, Response
except ImportError as missing:
    raise ImportError(
        'timeouts.adapters.flask needs Flask, which is not installed: pip install "timeouts[flask]"'
    ) from missing


def apply(limits: Stack | None, app: Flask, **options: Any) -> None:
    """Put an application under limits, and do as `install`.

    `app.extensions["timeouts"]` is then the `Timeouts` around its `wsgi_app`, for its `stats()`.

    Args:
        limits: a policy, or policies joined with `|`, outermost first; None for none.
        app: the application. It is changed in place.
        **options: as for `timeouts.adapters.wsgi.Timeouts`.

    Raises:
        TypeError: an option is unknown, or makes no sense; the message names it and its value.
        ValueError: an option makes no sense, or the application has limits already.
        RuntimeError: the application has begun to serve.
    """
    front = Timeouts(app.wsgi_app, limits, **options)
    install(app, statuses=front.statuses)
    app.extensions["timeouts"] = front
    app.wsgi_app = front  # type: ignore[method-assign]  # as Flask's documentation does it


def install(app: Flask, *, statuses: Statuses = STATUSES) -> None:
    """Answer the `TimeoutsError`s of views with problem documents, and set no limits.

    Args:
        app: the application. It is changed in place.
        statuses: the table of codes.

    Raises:
        ValueError: the application has limits already.
        RuntimeError: the application has begun to serve.
    """
    if "timeouts" in app.extensions:
        raise ValueError(
            f"{app!r} has had apply() or install() already: call one of them, once, with limits joined by |"
        )
    if TimeoutsError not in app.error_handler_spec[None][None]:
        try:
            app.register_error_handler(TimeoutsError, _teller(statuses))
        except AssertionError as begun:
            raise RuntimeError(
                f"{app!r} has begun to serve: apply the limits before its first request"
            ) from begun
    app.extensions["timeouts"] = None


def _teller(statuses: Statuses) -> Callable[[TimeoutsError], Response]:
    def answer(error: TimeoutsError) -> Response:
        status, headers, body = tell(error, statuses)
        return Response(body, status, headers)

    return answer
