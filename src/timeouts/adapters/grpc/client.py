"""The interceptor for sync channels: a call takes along what is left of the job that makes it.

Laws:
- The deadline of a call is the earlier of the caller's own and what is left, less a margin.
- A call for which nothing is left is never sent.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from timeouts.adapters.grpc.guest import grpc
from timeouts.adapters.headers import MARGIN, checked_margin, granted
from timeouts.current import remaining
from timeouts.deadline import Seconds

Proceed = Callable[[Any, Any], Any]


class BudgetInterceptor(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """Shorten the timeout of every call of a channel to what is left of the job that makes it.

    For `grpc.intercept_channel`. Nothing changes outside a handler, or where no limit applies.

    Args:
        margin: seconds held back for the answer to come back and be passed on; default 0.005.

    Raises:
        TypeError, ValueError: the margin is no duration.

    The calls raise:
        DeadlineExceeded: a deadline of this job has passed; the class is the policy's own.
        GatewayTimeoutError: less than a millisecond beyond the margin is left.

    Cannot do: see the job from a thread that the handler started itself, unless it runs in a copy of
    the handler's context (`contextvars`).
    """

    def __init__(self, *, margin: Seconds = MARGIN) -> None:
        self._margin = checked_margin(margin)

    def intercept_unary_unary(
        self, continuation: Proceed, client_call_details: Any, request: Any
    ) -> Any:
        """Call with what is left; gRPC calls this, and the other three for other kinds of calls."""
        return continuation(shortened(client_call_details, self._margin), request)

    def intercept_unary_stream(
        self, continuation: Proceed, client_call_details: Any, request: Any
    ) -> Any:
        """As above."""
        return continuation(shortened(client_call_details, self._margin), request)

    def intercept_stream_unary(
        self, continuation: Proceed, client_call_details: Any, request_iterator: Any
    ) -> Any:
        """As above."""
        return continuation(shortened(client_call_details, self._margin), request_iterator)

    def intercept_stream_stream(
        self, continuation: Proceed, client_call_details: Any, request_iterator: Any
    ) -> Any:
        """As above."""
        return continuation(shortened(client_call_details, self._margin), request_iterator)


class _Details(grpc.ClientCallDetails):
    """The details of a call, whoever made them, with another timeout."""

    def __init__(self, details: Any, timeout: float) -> None:
        self._details = details
        self.timeout = timeout

    def __getattr__(self, name: str) -> Any:
        return getattr(self._details, name)


def shortened(details: Any, margin: float) -> Any:
    """Return the details of a call with a timeout of at most what is left, less the margin.

    Raises:
        DeadlineExceeded: nothing is left.
    """
    left = remaining()
    if left == math.inf:
        return details
    budget, own = granted(left, margin), details.timeout
    return _Details(details, budget if own is None else min(own, budget))
