"""The interceptors for `grpc.aio` channels, which want one object for each kind of call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from timeouts.adapters.grpc.client import shortened
from timeouts.adapters.grpc.guest import aio
from timeouts.adapters.headers import MARGIN, checked_margin
from timeouts.deadline import Seconds

Proceed = Callable[[Any, Any], Awaitable[Any]]


def aio_budget_interceptors(*, margin: Seconds = MARGIN) -> list[Any]:
    """Return what shortens the timeout of every call of a channel to what is left of its job.

    For `grpc.aio.insecure_channel(..., interceptors=...)`; otherwise as `BudgetInterceptor`.

    Args:
        margin: seconds held back for the answer to come back and be passed on; default 0.005.

    Raises:
        TypeError, ValueError: the margin is no duration.
    """
    kept = checked_margin(margin)
    return [kind(kept) for kind in (_UnaryUnary, _UnaryStream, _StreamUnary, _StreamStream)]


class _Budget:
    def __init__(self, margin: float) -> None:
        self._margin = margin


class _UnaryUnary(_Budget, aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(
        self, continuation: Proceed, client_call_details: Any, request: Any
    ) -> Any:
        return await continuation(shortened(client_call_details, self._margin), request)


class _UnaryStream(_Budget, aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(
        self, continuation: Proceed, client_call_details: Any, request: Any
    ) -> Any:
        return await continuation(shortened(client_call_details, self._margin), request)


class _StreamUnary(_Budget, aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(
        self, continuation: Proceed, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return await continuation(shortened(client_call_details, self._margin), request_iterator)


class _StreamStream(_Budget, aio.StreamStreamClientInterceptor):
    async def intercept_stream_stream(
        self, continuation: Proceed, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return await continuation(shortened(client_call_details, self._margin), request_iterator)
