"""The live page at `/`, and the events that move it.

Laws:
- The page asks no other host for anything, and no script or style runs but its own files.
- At most `VIEWERS` look at once. Who leaves, or reads nothing for `PATIENCE` seconds, loses his place.
- Nobody who looks holds up a shutdown: the events end when the last job does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from importlib.resources import files
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import Message, Receive, Scope, Send

from timeouts.http.events import MEDIA_TYPE
from timeouts.http.problem import plain_problem
from timeouts.serve.feed import INTERVAL, Feed
from timeouts.serve.gateway import Gateway
from timeouts.serve.sampler import Sampler

VIEWERS = 16
PATIENCE = 3.0  # less than uvicorn's own when it shuts down
FILES = {
    "index.html": "text/html",
    "page.css": "text/css",
    "page.js": "text/javascript",
    "route.js": "text/javascript",
    "bars.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def live_page(gateway: Gateway, samplers: Mapping[str, Sampler]) -> list[BaseRoute]:
    """Return the routes of the page, of its files, and of its events."""
    folder = files("timeouts.serve") / "page"
    shown = {name: _file((folder / name).read_bytes(), media) for name, media in FILES.items()}
    return [
        Route("/", shown.pop("index.html")),
        *(Route(f"/page/{name}", endpoint) for name, endpoint in shown.items()),
        Route("/events", Events(Feed(gateway, samplers)), methods=["GET"]),
    ]


def _file(content: bytes, media_type: str) -> Any:
    async def endpoint(_: Request) -> Response:
        return Response(content, headers=_HEADERS, media_type=media_type)

    return endpoint


class Events:
    """Streams frames as server-sent events, as an ASGI application."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send frames until the viewer leaves, or nothing will happen any more."""
        if self._feed.viewers >= VIEWERS:
            full = plain_problem(503, f"{VIEWERS} look already, and no more may")
            headers = dict([*full.headers, ("Retry-After", "5")])
            await Response(full.body, full.status, headers)(scope, receive, send)
            return

        async def patient(message: Message) -> None:
            async with asyncio.timeout(PATIENCE):
                await send(message)

        with self._feed.watched(), suppress(TimeoutError):
            stream = StreamingResponse(self._events(), headers=_STREAM, media_type=MEDIA_TYPE)
            await stream(scope, receive, patient)

    async def _events(self) -> AsyncGenerator[bytes]:
        while True:
            yield b"data: " + self._feed.frame() + b"\n\n"
            if self._feed.over:
                return
            await asyncio.sleep(INTERVAL)


_STREAM = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # nginx would collect events
