"""A stack of policies in front of any WSGI application: Flask and Django, under gunicorn or any server.

The application runs in a thread of a pool; the server's own thread waits for it, under the limits.

Laws:
- The answer is on time even if the application hangs. Its thread then holds its slot, and is counted.
- Who is in time notices nothing: the same status, headers and bytes, but for a `Server-Timing`, and
  one `start_response`.
- An expiry never looks like a normal end. Before the first byte of the body it is a 504; after it the
  body stays incomplete, or ends in an `error` event where it is a stream of events.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from timeouts.adapters.classes import NO_CLASSES, Classes, checked_classes
from timeouts.adapters.headers import Budgets, MalformedBudget, from_wsgi
from timeouts.adapters.routes import Limits, Routes
from timeouts.adapters.wsgi.body import Body, Parts
from timeouts.adapters.wsgi.exchange import Exchange, answer
from timeouts.adapters.wsgi.front import Front, Timekeeper
from timeouts.adapters.wsgi.upload import BadUpload, received
from timeouts.admission import Admission
from timeouts.clock import MONOTONIC, Clock
from timeouts.discipline import Discipline, EarliestDeadlineFirst
from timeouts.errors import TimeoutsError
from timeouts.http.problem import Answer, phrase, plain_problem, tell
from timeouts.http.timing import SERVER_TIMING, no_job, server_timing
from timeouts.observe import Observer
from timeouts.options import checked_count, checked_observers, checked_stack
from timeouts.server import Stats
from timeouts.stack import Stack
from timeouts.statuses import STATUSES, Statuses
from timeouts.workers import ThreadWorkers
from timeouts.workers.base import refuse_soft_limits

NO_BUDGETS = Budgets()
NO_ROUTES: Mapping[str, Limits] = {}
MAX_BODY = 64 * 2**20

_NOTHING_LEFT = math.ulp(0.0)


class Timeouts:
    """Put a WSGI application under limits: `app = Timeouts(app, GatewayTimeout(30))`.

    A limit that is reached is answered with a problem document (RFC 9457), with its code from
    `statuses`; so is any `TimeoutsError` that the application lets out. Every answer has a
    `Server-Timing` header. One instance has one queue and one set of slots, for each process.

    Args:
        app: the WSGI application.
        limits: a policy, or policies joined with `|`, outermost first; None for none. `FirstItemTimeout`
            and `IdleTimeout` bound a body that comes in pieces.
        routes: limits of their own by path, `"/predict"`, or by prefix, `"/api/*"`. None lets a path
            pass with no limit and no queue, such as that of a health check.
        slots: how many requests may run at once; default `min(32, cores + 4)`.
        capacity: how many may wait for a slot; default 1,000. One more is answered with 429.
        budgets: the headers that may shorten the limits, such as `Budgets("grpc-timeout")`; default none.
        classes: the headers that say who asks and how important it is, for a `discipline` that looks at it,
            such as `Classes(tenant="x-tenant")`; default none.
        statuses: the table of codes.
        max_abandoned: how many abandoned threads may still run before new requests are refused;
            default: as many as there are slots, and then requests wait.
        max_body: bytes that a request may bring, 64 MiB by default. One that brings more is answered
            with 413. Bodies are held in memory.
        discipline: the order of the queue, a class such as `EarliestDeadlineFirst` (default), `Priority` or `FairShare`.
        admission: who is let in beyond a place in the queue, such as `CoDel()`; default whoever finds a place.
        observers: who else looks on; `job.args[0].environ` is the request.
        clock: where time comes from; tests pass a manual one.

    Attributes:
        server: the server behind, for its `drain()`.
        statuses: the table of codes.

    Raises:
        TypeError, ValueError: an argument makes no sense; the message names it and its value.

    Cannot do: stop the application; see `ThreadWorkers`. Notice that a client has left before there is
    something to send to it: WSGI does not tell. Bound the time that a request takes to come in: it is
    read before its job arrives, and WSGI has no timeout for reads; that is for the proxy in front.
    Make a cut body visible to an HTTP/1.0 client, unless it has a Content-Length: it ends as the
    connection does.
    """

    def __init__(
        self,
        app: WSGIApplication,
        limits: Limits = None,
        *,
        routes: Mapping[str, Limits] = NO_ROUTES,
        slots: int | None = None,
        capacity: float = 1000,
        budgets: Budgets = NO_BUDGETS,
        classes: Classes = NO_CLASSES,
        statuses: Statuses = STATUSES,
        max_abandoned: int | None = None,
        max_body: float = MAX_BODY,
        discipline: Callable[[], Discipline] = EarliestDeadlineFirst,
        admission: Admission | None = None,
        observers: Iterable[Observer] = (),
        clock: Clock = MONOTONIC,
    ) -> None:
        _check_app(app)
        _check_kind("budgets", budgets, Budgets, 'Budgets("grpc-timeout")')
        _check_kind("statuses", statuses, Statuses, "STATUSES.override({...})")
        self._app = app
        self._routes = Routes(limits, routes, _checked)
        self._budgets = budgets
        self._classes = checked_classes(classes)
        self.statuses = statuses
        self._max_body = checked_count("max_body", max_body, least=0)
        self._clock = clock
        self.server = Front(
            answer,
            self._routes.default,
            slots=slots,
            workers=ThreadWorkers(max_abandoned=max_abandoned),
            capacity=capacity,
            discipline=discipline,
            admission=admission,
            observers=(Timekeeper(), *checked_observers(observers)),
            clock=clock,
        )

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, as PEP 3333 has it."""
        limits = self._routes.of(_path(environ))
        if limits is None:
            return self._app(environ, start_response)
        exchange = Exchange(self._app, environ, limits, self._clock.now())
        lookup = from_wsgi(environ)
        try:
            budget = self._budgets.read(lookup)
            exchange.environ = received(environ, self._max_body)
        except MalformedBudget as error:
            return self._refuse(exchange, 400, str(error), start_response)
        except BadUpload as error:
            return self._refuse(exchange, error.status, str(error), start_response)
        if budget is not None:
            budget = max(budget, _NOTHING_LEFT)
        priority, tenant = self._classes.read(lookup)
        parts = self.server.call(exchange, budget=budget, priority=priority, tenant=tenant)
        return self._respond(exchange, parts, start_response)

    def _respond(
        self,
        exchange: Exchange,
        parts: Parts,
        start_response: StartResponse,
    ) -> Iterable[bytes]:
        """Wait for the first part of the body, or the whole of it: only then is the head sent."""
        try:
            first = next(parts)
        except StopIteration as whole:
            self._begin(exchange, start_response)
            return [whole.value] if whole.value else []
        except TimeoutsError as error:
            told, timing = tell(error, self.statuses), self._timing(exchange)
            return _tell(exchange, told, timing, start_response)
        body = Body(first, parts, exchange.headers, self.statuses)
        try:
            self._begin(exchange, start_response)
        except BaseException:
            body.close()
            raise
        return body

    def _begin(self, exchange: Exchange, start_response: StartResponse) -> None:
        status: Any = exchange.status  # it has one, or `answer` would have raised
        headers = [*exchange.headers, (SERVER_TIMING, self._timing(exchange))]
        start_response(status, headers)

    def _refuse(
        self, exchange: Exchange, status: int, detail: str, start_response: StartResponse
    ) -> Iterable[bytes]:
        timing = no_job(exchange.arrived, self._clock.now())
        return _tell(exchange, plain_problem(status, detail), timing, start_response)

    def _timing(self, exchange: Exchange) -> str:
        return server_timing(exchange.arrived, exchange.started, self._clock.now())

    def stats(self) -> Stats:
        """Return the books of this process: how many wait, run and were answered how."""
        return self.server.stats()

    def close(self) -> None:
        """Close the server behind: what waits and runs is answered with 503, and so are later requests."""
        self.server.close()

    def __enter__(self) -> Self:
        """Use the middleware for the length of a block."""
        self.server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        """Drain and close; after an exception, close at once."""
        self.server.__exit__(kind, error, trace)

    def __repr__(self) -> str:
        """Show the application and the limits."""
        return f"<Timeouts of {self._app!r} under {self._routes.default!r}>"


def _tell(
    exchange: Exchange, told: Answer, timing: str, start_response: StartResponse
) -> Iterable[bytes]:
    """Give an answer of ours in place of the application's."""
    headers = [*told.headers, (SERVER_TIMING, timing)]
    start_response(f"{told.status} {phrase(told.status)}", headers)
    return [] if exchange.environ["REQUEST_METHOD"] == "HEAD" else [told.body]


def _checked(limits: Limits) -> Stack:
    stack = checked_stack(limits)
    refuse_soft_limits(stack, "thread")
    return stack


def _check_app(app: object) -> None:
    if not callable(app):
        raise TypeError(f"app must be a WSGI application; got {app!r}")
    if any(map(inspect.iscoroutinefunction, (app, type(app).__call__))):
        raise TypeError(
            f"app must be a WSGI application; {app!r} is async: use timeouts.adapters.asgi"
        )


def _check_kind(name: str, value: object, kind: type, right: str) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be {kind.__name__}, such as {right}; got {value!r}")


def _path(environ: WSGIEnvironment) -> str:
    """Return the path as people write it; WSGI has its bytes as latin-1."""
    path: str = environ.get("PATH_INFO", "")
    return path.encode("latin-1", "replace").decode("utf-8", "replace")
