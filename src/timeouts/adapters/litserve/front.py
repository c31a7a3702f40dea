"""The front half: what stands before LitServe's API server, once for each endpoint.

Laws:
- Only as many requests are let in as LitServe's workers can take, so the wait is in a queue of ours,
  where it is bounded, told on time, and left by clients that leave.
- LitServe is never cancelled: it would keep a request that was cancelled in its books for ever.
- Only POST requests to the endpoint are under limits; health checks, documents and preflights pass by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from timeouts.adapters.asgi import Timeouts
from timeouts.adapters.asgi.application import Applications, Front
from timeouts.adapters.asgi.client import ASGIApp, Receive, Scope, Send
from timeouts.adapters.litserve.slots import SharedFront, Slots
from timeouts.adapters.litserve.told import outspoken
from timeouts.discipline import Discipline
from timeouts.observe import Observer
from timeouts.stack import Stack


class EndpointTimeouts(Timeouts):
    """Puts one endpoint under limits.

    Args:
        app: the application further in.
        limits: of the endpoint.
        paths: of the endpoint.
        slots: shared with the other API servers; None for no bound.
        capacity, discipline, observers: as for `Timeouts`.
        **options: as for `Timeouts`.
    """

    def __init__(
        self,
        app: ASGIApp,
        limits: Stack,
        *,
        paths: frozenset[str],
        slots: Slots | None,
        capacity: float,
        discipline: Callable[[], Discipline],
        observers: Iterable[Observer],
        **options: Any,
    ) -> None:
        super().__init__(
            outspoken(app), limits, on_expiry="detach", body_timeout=None, **options
        )  # as in LitServe, an upload may take its time: it has no slot
        self._paths = paths
        queue: dict[str, Any] = {
            "capacity": capacity,
            "discipline": discipline,
            "observers": observers,
            "workers": Applications("detach"),
        }
        self.server = (
            Front(self.app, limits, **queue)
            if slots is None
            else SharedFront(self.app, limits, slots, **queue)
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as ASGI has it."""
        limited = (
            scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in self._paths
        )
        await (super().__call__ if limited else self.app)(scope, receive, send)
