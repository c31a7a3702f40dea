"""A stack of policies in front of any ASGI application: FastAPI, Starlette, LitServe and the like.

Laws:
- The answer is on time even if the application does not react.
- Who is in time notices nothing: the same status, headers and bytes, but for a `Server-Timing`.
- An expiry never looks like a normal end.
- Only tasks made here are ever cancelled, never the server's own.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import math
from collections.abc import Callable, Iterable, Mapping

from timeouts.adapters.asgi.application import Applications, Front, OnExpiry, checked
from timeouts.adapters.asgi.client import ASGIApp, Receive, Scope, Send
from timeouts.adapters.asgi.exchange import Exchange
from timeouts.adapters.classes import NO_CLASSES, Classes, checked_classes
from timeouts.adapters.headers import Budgets
from timeouts.adapters.routes import Limits, Routes
from timeouts.admission import Admission
from timeouts.clock import MONOTONIC, Clock
from timeouts.deadline import Seconds, seconds
from timeouts.discipline import Discipline, EarliestDeadlineFirst
from timeouts.observe import Observer
from timeouts.options import checked_count
from timeouts.server import Stats
from timeouts.shell import Shell
from timeouts.statuses import STATUSES, Statuses

NO_BUDGETS = Budgets()
NO_ROUTES: Mapping[str, Limits] = {}
MAX_BODY = 64 * 2**20
BODY_TIMEOUT = 30.0


class Timeouts:
    """Put an ASGI application under limits: `app.add_middleware(Timeouts, limits=GatewayTimeout(30))`.

    A limit that is reached is answered with a problem document (RFC 9457), with its code from
    `statuses`; so is any `TimeoutsError` that the application lets out. A client that disconnects
    withdraws its job at once. Every answer has a `Server-Timing` header. Websockets and the lifespan
    pass by.

    Args:
        app: the ASGI application.
        limits: a policy, or policies joined with `|`, outermost first; None for none. The job arrives
            when its body is complete. `FirstItemTimeout` and `IdleTimeout` bound a body that comes in
            pieces.
        routes: limits of their own by path, `"/predict"`, or by prefix, `"/api/*"`. None lets a path
            pass with no limit and no queue, such as that of a health check.
        slots: how many requests may run at once; default: no bound.
        capacity: how many may wait for a slot; default 1,000. One more is answered with 429.
        on_expiry: what becomes of the application: `"cancel"` (default), or `"detach"`, for hosts that
            leak when they are cancelled: it runs on, holds its slot until it ends, and is counted.
        budgets: the headers that may shorten the limits, such as `Budgets("grpc-timeout")`; default none.
        classes: the headers that say who asks and how important it is, for a `discipline` that looks at it,
            such as `Classes(tenant="x-tenant")`; default none.
        statuses: the table of codes.
        body_timeout: seconds in which the body of a request must be complete; 30 by default, None for
            no limit. Else the answer is 408.
        max_body: bytes that a request may bring, 64 MiB by default. One that brings more is answered
            with 413. Bodies are held in memory.
        discipline: the order of the queue, a class such as `EarliestDeadlineFirst` (default), `Priority` or `FairShare`.
        admission: who is let in beyond a place in the queue, such as `CoDel()`; default whoever finds a place.
        observers: who else looks on; `job.args[0]` is the scope of the request.
        clock: where time comes from; tests pass a manual one.

    Attributes:
        server: the server behind, for its `stats()` and `adrain()`.
        routes: which rules a path is under.

    Raises:
        TypeError, ValueError: an argument makes no sense; the message names it and its value.

    Cannot do: stop a `def` route, which its framework runs in a thread: the client is answered on
    time, and the request holds its slot until the thread ends. (A thread of `asyncio.to_thread` is not
    noticed: the slot is then free before it ends.) Stream a request body into the application while it
    comes. Answer on time while the event loop is blocked. Make a cut body visible to an HTTP/1.0
    client, unless it has a Content-Length, or to one of hypercorn's HTTP/2.
    """

    def __init__(
        self,
        app: ASGIApp,
        limits: Limits = None,
        *,
        routes: Mapping[str, Limits] = NO_ROUTES,
        slots: float = math.inf,
        capacity: float = 1000,
        on_expiry: OnExpiry = "cancel",
        budgets: Budgets = NO_BUDGETS,
        classes: Classes = NO_CLASSES,
        statuses: Statuses = STATUSES,
        body_timeout: Seconds = BODY_TIMEOUT,
        max_body: float = MAX_BODY,
        discipline: Callable[[], Discipline] = EarliestDeadlineFirst,
        admission: Admission | None = None,
        observers: Iterable[Observer] = (),
        clock: Clock = MONOTONIC,
    ) -> None:
        _check(app, on_expiry, budgets, statuses)
        self.app = app
        self.routes = Routes(limits, routes, checked)
        self.budgets = budgets
        self.classes = checked_classes(classes)
        self.reads_headers = bool(budgets.names or classes.names)
        self.statuses = statuses
        self.stops = on_expiry == "cancel"
        self.body_timeout = seconds(body_timeout, "body_timeout")
        self.max_body = checked_count("max_body", max_body, least=0)
        self.server = Front(
            app,
            self.routes.default,
            slots=slots,
            workers=Applications(on_expiry),
            capacity=capacity,
            discipline=discipline,
            admission=admission,
            observers=observers,
            clock=clock,
        )
        self.clock = clock
        self.keys = itertools.count(1)
        self._lingering: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as ASGI has it."""
        stack = self.routes.of(scope["path"]) if scope["type"] == "http" else None
        if stack is None:
            await self.app(scope, receive, send)
        else:
            await Exchange(self, stack, scope, receive, send).serve()

    @property
    def shell(self) -> Shell:
        """What the exchanges feed."""
        return self.server.shell

    def linger(self, task: asyncio.Task[None]) -> None:
        """Keep the task of an application that outlives its exchange from being collected."""
        self._lingering.add(task)
        task.add_done_callback(self._lingering.discard)

    def stats(self) -> Stats:
        """Return the books: how many wait, run and were answered how."""
        return self.server.stats()

    def __repr__(self) -> str:
        """Show the application and the limits."""
        return f"<Timeouts of {self.app!r} under {self.routes.default!r}>"


def _check(app: object, on_expiry: object, budgets: object, statuses: object) -> None:
    if not callable(app) or inspect.isclass(app):
        raise TypeError(f"app must be an ASGI application; got {app!r}")
    if on_expiry not in ("cancel", "detach"):
        raise ValueError(f'on_expiry must be "cancel" or "detach"; got {on_expiry!r}')
    if not isinstance(budgets, Budgets):
        raise TypeError(
            f'budgets must be Budgets, such as Budgets("grpc-timeout"); got {budgets!r}'
        )
    if not isinstance(statuses, Statuses):
        raise TypeError(
            f"statuses must be a table, such as STATUSES.override({{...}}); got {statuses!r}"
        )
