"""What a request brings to LitServe's worker beside its payload: when it arrived, and until when its caller waits.

Law: both halves act at one instant, because the job in the back has arrived when the one in front has.
`time.monotonic()` is one clock for all processes of a machine (on Linux and macOS), so an instant of it may
travel between them; headers do not reach LitServe's worker.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Any, NamedTuple

from timeouts.adapters.litserve.guest import FastAPI, HTTPException, Request
from timeouts.adapters.litserve.told import honest, unpacked
from timeouts.current import SERVING

Endpoint = Callable[..., Awaitable[Any]]


class Letter(NamedTuple):
    """A payload, the instant of its arrival, and the last one of its caller's own budget."""

    payload: Any
    arrived: float
    deadline: float


def written(payload: Any) -> Letter:
    """Write a letter for the request that is being served."""
    call = SERVING.get()
    if call is None:
        return Letter(payload, monotonic(), math.inf)
    return Letter(payload, call.arrived, call.deadline)


def opened(request: Any) -> Letter:
    """Return what LitServe has brought; what came another way arrives now."""
    return request if isinstance(request, Letter) else Letter(request, monotonic(), math.inf)


def bundled(requests: Sequence[Any]) -> Letter:
    """Return one letter for a batch, which is wanted as long as anybody waits for it."""
    payloads, arrivals, deadlines = zip(*map(opened, requests), strict=True)
    return Letter([*payloads], max(arrivals), max(deadlines))


class Writing(Request):
    """A request whose payload is put into a letter when it is read."""

    async def json(self) -> Any:
        """Read it as JSON."""
        return written(await super().json())

    async def form(self, **limits: Any) -> Any:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride] - LitServe awaits it
        """Read it as a form."""
        return written(await super().form(**limits))


def hand_over(app: FastAPI, path: str, *, writes: bool) -> None:
    """Put the POST route of a path around itself, so that letters go in and errors of ours come out.

    Args:
        app: LitServe's application.
        path: of the route.
        writes: whether the payload may be a letter; what a spec puts into the queue is its own business.
    """
    routes: Any = app.router.routes
    route = next(r for r in routes if r.path == path and "POST" in (r.methods or ()))
    routes.remove(route)
    around = _honest(_writing(route.endpoint) if writes else route.endpoint)
    app.add_api_route(path, around, methods=["POST"], dependencies=route.dependencies)


def _writing(endpoint: Endpoint) -> Endpoint:
    @functools.wraps(endpoint)  # FastAPI reads the signature
    async def write(request: Any) -> Any:
        if isinstance(request, Request):
            return await endpoint(Writing(request.scope, request.receive))
        return await endpoint(written(request))

    return write


def _honest(endpoint: Endpoint) -> Endpoint:
    @functools.wraps(endpoint)
    async def answer(*args: Any, **kwargs: Any) -> Any:
        try:
            response = await endpoint(*args, **kwargs)
        except HTTPException as refused:
            raise unpacked(refused) from None
        if hasattr(response, "body_iterator"):
            response.body_iterator = honest(response.body_iterator)
        return response

    return answer
