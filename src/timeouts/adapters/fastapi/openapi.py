"""The OpenAPI document of an application tells what its limits may answer.

Laws:
- An answer is listed on the routes that may give it, and on no other.
- What the user has declared of an answer stays as it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from types import NoneType
from typing import Any

from timeouts.adapters.asgi import Timeouts
from timeouts.adapters.fastapi.guest import fastapi
from timeouts.adapters.fastapi.routes import calls_of, limits_of, routes_of
from timeouts.decorate import BoundGuard, Guard
from timeouts.errors import GatewayTimeoutError, QueueFull, ShuttingDown, TimeoutsError, WorkerLost
from timeouts.http.openapi import PROBLEM, response, responses
from timeouts.server import Server
from timeouts.stack import Stack
from timeouts.statuses import Statuses

SCHEMA = "TimeoutsProblem"

Told = dict[int, dict[str, Any]]
Errors = set[type[TimeoutsError]]


def extend(app: fastapi.FastAPI, front: Timeouts | None, statuses: Statuses) -> None:
    """Have the document of an application list the answers of its limits."""
    written = app.openapi

    def openapi() -> dict[str, Any]:
        document = written()
        for route in routes_of(app):
            if hasattr(route, "dependant"):
                _describe(document, route, front, statuses)
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's documentation does it


def _describe(document: Any, route: Any, front: Timeouts | None, statuses: Statuses) -> None:
    """Add the answers to the operations of a route, if it is in the document at all."""
    item = document["paths"].get(route.path_format, {})
    for method in route.methods:
        operation = item.get(method.lower())
        if operation is None:
            continue
        told = _answers(route, front, statuses, has_body="requestBody" in operation)
        if told:
            _schemas(document)[SCHEMA] = PROBLEM
        for code, answer in sorted(told.items()):
            if not operation["responses"].keys() & {"default", f"{code // 100}XX"}:
                operation["responses"].setdefault(str(code), answer)


def _schemas(document: Any) -> Any:
    return document.setdefault("components", {}).setdefault("schemas", {})


def _answers(route: Any, front: Timeouts | None, statuses: Statuses, *, has_body: bool) -> Told:
    """Return what may be answered: by whom it is guarded, and by the front before it."""
    told: Told = {}
    for server in _guards(route):
        told |= responses(_of_server(server), statuses, SCHEMA)
    own = limits_of(route)
    front = own[-1].front if own else front
    stack = None if front is None else front.routes.of(route.path_format)
    if front is not None and stack is not None:
        told |= responses(_of_front(front, stack), front.statuses, SCHEMA)
        told |= _of_requests(front, has_body=has_body)
    return told


def _guards(route: Any) -> Iterator[Server]:
    for called in calls_of(route.dependant):
        function = called
        while not isinstance(function, (Guard, BoundGuard, NoneType)):
            function = getattr(function, "__wrapped__", None)  # a decorator may stand around it
        if function is not None:
            yield function.server


def _of_server(server: Server) -> Errors:
    errors = _of_stack(server.limits)
    return errors | {WorkerLost} if server.stop_mode == "kill" else errors


def _of_front(front: Timeouts, stack: Stack) -> Errors:
    errors = _of_stack(stack)
    return errors | {GatewayTimeoutError} if front.budgets.names else errors


def _of_stack(stack: Stack) -> Errors:
    return {QueueFull, ShuttingDown, *(policy.error for policy in stack.policies)}


def _of_requests(front: Timeouts, *, has_body: bool) -> Told:
    """Return the refusals of requests that are not complete, not small, or not understood."""
    possible = {
        400: bool(front.budgets.names),
        408: has_body and front.body_timeout < math.inf,
        413: has_body and front.max_body < math.inf,
    }
    return {code: response(code, SCHEMA) for code, may_be in possible.items() if may_be}
