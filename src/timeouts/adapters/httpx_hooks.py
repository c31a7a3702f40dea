"""Hooks for httpx clients: every request tells what is left, and waits no longer than that.

Laws:
- A request for which nothing is left is never sent.
- A hook only shortens: a header or a timeout that the caller has set to less stays as it is.
- Each request counts anew: the second hop of a redirect is told what the first has left.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from timeouts.adapters.headers import DEFAULT, MARGIN, checked_margin, headers_for, read
from timeouts.adapters.notations import known
from timeouts.current import remaining
from timeouts.deadline import Seconds

if TYPE_CHECKING:
    import httpx

_PHASES = ("connect", "read", "write", "pool")


def budget_hook(*names: str, margin: Seconds = MARGIN) -> Callable[[httpx.Request], None]:
    """Return a request hook for `httpx.Client`.

    Args:
        names: which headers to write; default `x-request-timeout-seconds`.
        margin: seconds held back for the answer to come back and be passed on; default 0.005.

    Raises:
        ValueError: a name is unknown, or the margin is no duration.

    Cannot do: bound the call as a whole. httpx bounds connect, read, write and pool each by itself,
    and a response that trickles is read for as long as it does; the limits of the job still hold.
    """
    chosen, kept = known(names) or (DEFAULT,), checked_margin(margin)

    def propagate(request: httpx.Request) -> None:
        left = remaining()
        if left < math.inf:
            _tell(request, headers_for(left, chosen, kept))
            _cap(request, left)

    return propagate


def abudget_hook(
    *names: str, margin: Seconds = MARGIN
) -> Callable[[httpx.Request], Awaitable[None]]:
    """Return a request hook for `httpx.AsyncClient`; otherwise as `budget_hook`."""
    propagate = budget_hook(*names, margin=margin)

    async def apropagate(request: httpx.Request) -> None:
        propagate(request)

    return apropagate


def _tell(request: httpx.Request, headers: dict[str, str]) -> None:
    for name, text in headers.items():
        own = request.headers.get(name)
        if own is None or read(name, own) > read(name, text):
            request.headers[name] = text


def _cap(request: httpx.Request, left: float) -> None:
    """Bound each phase by what is left. The dict may be shared with other requests: it is replaced."""
    timeout = request.extensions.get("timeout", {})
    capped = {phase: _shorter(timeout.get(phase), left) for phase in _PHASES}
    request.extensions = {**request.extensions, "timeout": capped}


def _shorter(own: float | None, left: float) -> float:
    return left if own is None else min(own, left)
