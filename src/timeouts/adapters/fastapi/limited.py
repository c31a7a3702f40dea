"""Limits as a dependency: `@app.post("/predict", dependencies=[Depends(limited)])`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypedDict, Unpack

from starlette.requests import HTTPConnection

from timeouts.adapters.asgi import Timeouts
from timeouts.adapters.asgi.application import OnExpiry
from timeouts.adapters.classes import Classes
from timeouts.adapters.headers import Budgets
from timeouts.adapters.starlette import onward
from timeouts.admission import Admission
from timeouts.clock import Clock
from timeouts.deadline import Seconds
from timeouts.discipline import Discipline
from timeouts.observe import Observer
from timeouts.policy import Policy
from timeouts.server import Server, Stats
from timeouts.stack import Stack
from timeouts.statuses import Statuses

ENFORCED = "timeouts.enforced"


class Options(TypedDict, total=False):
    """What limits pass on to the `Timeouts` behind them."""

    slots: float
    capacity: float
    on_expiry: OnExpiry
    budgets: Budgets
    classes: Classes
    statuses: Statuses
    body_timeout: Seconds
    max_body: float
    discipline: Callable[[], Discipline]
    admission: Admission | None
    observers: Iterable[Observer]
    clock: Clock


class Limited:
    """Limits for the routes that depend on it, with a queue and slots that these share.

    Depend on it anywhere: in a route's `dependencies`, a router's, the application's, a parameter's
    default, or another dependency. A route under several is under the nearest one alone, and not under
    the limits of the application. `limits.apply(app)` or `install(app)` enforces it; until one of them
    has been called, and for routes that are added after the first request, it raises.

    Args:
        limits: a policy, or policies joined with `|`, outermost first; None for none.
        **options: as for `timeouts.adapters.asgi.Timeouts`, without `routes`.

    Raises:
        TypeError, ValueError: an argument makes no sense; the message names it and its value.

    Cannot do: bound a websocket, a static frontend, or a route of an application that is mounted and
    has had no limits applied itself: it raises there.
    """

    def __init__(self, limits: Policy | Stack | None = None, /, **options: Unpack[Options]) -> None:
        if "routes" in options:
            raise TypeError(
                "routes are for limits.apply(app): these are the limits of whoever depends"
            )
        self.front = Timeouts(onward, limits, **options)

    async def __call__(self, connection: HTTPConnection) -> None:
        """Do nothing, if the request is under these limits.

        Raises:
            RuntimeError: nobody enforces them.
        """
        if self not in connection.scope.get(ENFORCED, ()):
            raise RuntimeError(
                f"{self!r} is declared for {connection.scope['path']!r}, and nobody enforces it: call "
                "limits.apply(app) or timeouts.adapters.fastapi.install(app), and add the route before "
                "the first request (a websocket cannot be under limits)"
            )

    @property
    def server(self) -> Server:
        """The server behind, for its `adrain()`."""
        return self.front.server

    def stats(self) -> Stats:
        """Return the books: how many wait, run and were answered how."""
        return self.front.stats()

    def __repr__(self) -> str:
        """Show the limits."""
        return f"Limited({self.front.routes.default!r})"


# As a class: older FastAPIs do not know where to look a name up that an instance's method is annotated with.
Limited.__call__.__annotations__["connection"] = HTTPConnection
