"""The ASGI application of `timeouts serve`: the routes, and what can be seen of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from timeouts.adapters.asgi.client import ASGIApp, Receive, Scope, Send
from timeouts.http.problem import Answer, phrase, plain_problem
from timeouts.serve import health, openapi
from timeouts.serve.gateway import Gateway
from timeouts.serve.payload import JSON, as_json


def application(gateway: Gateway, registry: CollectorRegistry, *routes: BaseRoute) -> ASGIApp:
    """Return the application of a gateway; its workers start and end with its lifespan.

    Requests for a handler go to its endpoint directly: Starlette's layers would cost more than the core.
    """
    endpoints, rest = gateway.endpoints, _rest(gateway, registry, *routes)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = endpoints.get(scope["path"]) if scope["type"] == "http" else None
        await (rest if endpoint is None else endpoint)(scope, receive, send)

    return app


def _rest(gateway: Gateway, registry: CollectorRegistry, *routes: BaseRoute) -> Starlette:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        gateway.open()
        try:
            yield
        finally:
            await gateway.aclose()

    looks = Looks(gateway, registry)
    app = Starlette(
        lifespan=lifespan,
        routes=[
            Route("/live", looks.live),
            Route("/ready", looks.ready),
            Route("/stats", looks.stats),
            Route("/metrics", looks.metrics),
            Route("/openapi.json", looks.openapi),
            *routes,
        ],
        exception_handlers={HTTPException: _told, Exception: _failed},
    )
    app.router.redirect_slashes = False  # it would redirect to whatever host the client names
    return app


def new_registry() -> CollectorRegistry:
    """Return a registry that knows this process and its interpreter."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


class Looks:
    """What can be seen of a gateway."""

    def __init__(self, gateway: Gateway, registry: CollectorRegistry) -> None:
        self._gateway = gateway
        self._registry = registry

    async def live(self, _: Request) -> Response:
        """Say whether the server lives; if not, only a new one would help."""
        return _verdict(
            {path: await health.ailment(one) for path, one in self._gateway.servers.items()}
        )

    async def ready(self, _: Request) -> Response:
        """Say whether the server wants requests."""
        return _verdict({path: health.unready(one) for path, one in self._gateway.servers.items()})

    async def stats(self, _: Request) -> Response:
        """Show the books of each route."""
        books = {path: one.stats()._asdict() for path, one in self._gateway.servers.items()}
        return _json(books)

    async def metrics(self, request: Request) -> Response:
        """Show the metrics, in the format that Prometheus asks for."""
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(self._registry), headers={"content-type": media_type})

    async def openapi(self, _: Request) -> Response:
        """Show what the routes take and give."""
        return _json(openapi.document(self._gateway.endpoints))


def _verdict(reasons: dict[str, str | None]) -> Response:
    wrong = {path: reason for path, reason in reasons.items() if reason is not None}
    if not wrong:
        return _json({"ok": True})
    detail = "; ".join(f"{path}: {reason}" for path, reason in wrong.items())
    return _response(plain_problem(503, detail, routes=wrong))


def _json(content: Any) -> Response:
    return Response(as_json(content), media_type=JSON)


def _told(_: Request, error: Exception) -> Response:
    """Turn Starlette's own refusals, such as a 404, into problem documents."""
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for these alone
    refusal = plain_problem(error.status_code, phrase(error.status_code))
    headers = [*refusal.headers, *(error.headers or {}).items()]
    return _response(refusal._replace(headers=headers))


def _failed(_: Request, __: Exception) -> Response:
    """Say that something failed; what, Starlette has logged."""
    return _response(plain_problem(500, "the server failed; the error is in its log"))


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, dict(answer.headers))
