"""`limits.apply(server)`: the options, and which of them go with what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from timeouts.adapters.asgi.middleware import NO_BUDGETS, NO_ROUTES
from timeouts.adapters.classes import NO_CLASSES, Classes
from timeouts.adapters.headers import Budgets
from timeouts.adapters.litserve.around import put_around
from timeouts.adapters.litserve.behind import checked_stack, named, put_behind
from timeouts.adapters.litserve.ending import end_on_sigterm
from timeouts.adapters.litserve.guest import litserve
from timeouts.adapters.routes import Limits
from timeouts.deadline import Seconds
from timeouts.discipline import Discipline, EarliestDeadlineFirst
from timeouts.observe import Observer
from timeouts.stack import Stack
from timeouts.statuses import STATUSES, Statuses
from timeouts.workers import ProcessWorkers

FRONT: dict[str, Any] = {
    "routes": NO_ROUTES,
    "slots": None,
    "capacity": 1000,
    "statuses": STATUSES,
    "budgets": NO_BUDGETS,
    "classes": NO_CLASSES,
    "discipline": EarliestDeadlineFirst,
    "observers": (),
}
"""The options of the front half, and their defaults."""


def apply(
    limits: Stack,
    host: Any,
    *,
    routes: Mapping[str, Limits] = NO_ROUTES,
    slots: float | None = None,
    capacity: float = 1000,
    statuses: Statuses = STATUSES,
    budgets: Budgets = NO_BUDGETS,
    classes: Classes = NO_CLASSES,
    discipline: Callable[[], Discipline] = EarliestDeadlineFirst,
    observers: Iterable[Observer] = (),
    spares: int = 0,
    preload: bool = False,
    startup_timeout: Seconds = 600.0,
) -> None:
    """Put a `LitServer`, or one `LitAPI`, under limits: `limits.apply(server)`, before `server.run()`.

    A server gets both halves. In front, requests wait in a queue of ours, one for each endpoint, and are
    answered on time. In the back, everything that LitServe does with a request, from `decode_request` to
    `encode_response`, runs in a process that can be stopped; `setup` is called there. A `LitAPI`
    gets the back half only; on a server it then keeps these limits. SIGTERM, unless it has a handler already,
    shuts the server down as SIGINT does.

    Args:
        limits: a policy, or policies joined with `|`, outermost first. `FirstItemTimeout` and
            `IdleTimeout` are for an API that streams.
        host: a `LitServer` or a `LitAPI`. It is changed in place.
        routes: limits of their own by `api_path`. None leaves that endpoint as it is.
        slots: how many batches of each endpoint, or requests where there are no batches, are in LitServe at
            once; default: one for each of its workers, and no bound for an API with `enable_async`.
        capacity: how many more may wait, for each endpoint and API server; default 1,000. One more is
            answered with 429.
        statuses: the table of codes.
        budgets: the headers that may shorten the limits, such as `Budgets("grpc-timeout")`; default none.
        classes: the headers that say who asks and how important it is, for a `discipline` that looks at it,
            such as `Classes(tenant="x-tenant")`; default none.
        discipline: the order of the queue, a class such as `EarliestDeadlineFirst` (default), `Priority` or `FairShare`.
        observers: who else looks on, in each API server; `job.args[0]` is the scope of the request.
        spares: how many more processes each worker keeps ready, in each of which `setup` has been called,
            to take the place of one that was stopped; default 0.
        preload: whether to call `setup` once, in a process from which all others are then forked, so that a
            replacement costs a fork. It must not touch a GPU, nor start threads. Default False.
        startup_timeout: seconds that `setup` may take; default 600, None for no limit.

    Raises:
        TypeError, ValueError: an option makes no sense, or the host has limits already; the message names
            what and its value.
        RuntimeError: the server runs already.

    Cannot do: stop code of an API with `enable_async` that blocks its loop. Stop the work of a client that
    leaves once it has begun. Bound what goes past the API server (MCP). Know that a worker of LitServe's own
    was killed (`restart_workers=True`): its requests end by their limits, and their slots come back
    `startup_timeout` and half a minute later.
    """
    front: dict[str, Any] = {
        "routes": routes,
        "slots": slots,
        "capacity": capacity,
        "statuses": statuses,
        "budgets": budgets,
        "classes": classes,
        "discipline": discipline,
        "observers": observers,
    }
    workers = {"spares": spares, "preload": preload, "startup_timeout": startup_timeout}
    _check(**workers)
    if isinstance(host, litserve.LitAPI):
        _refuse(front, host)
        put_behind(host, checked_stack(host, limits, workers), workers)
    elif isinstance(host, litserve.LitServer):
        if hasattr(host.app.state, "timeouts"):
            raise ValueError(
                f"server.app of {host!r} has limits already: apply them to the server alone"
            )
        put_around(host, limits, workers, **front)
    else:
        raise TypeError(f"limits are applied to a LitServer or a LitAPI; got {host!r}")
    end_on_sigterm()


def _check(*, spares: Any, preload: Any, startup_timeout: Any) -> None:
    ProcessWorkers(spares=spares, startup_timeout=startup_timeout)  # refuses in the user's words
    if not isinstance(preload, bool):
        raise TypeError(f"preload must be True or False; got {preload!r}")


def _refuse(front: Mapping[str, Any], api: Any) -> None:
    for name, value in front.items():
        if value != FRONT[name]:
            raise ValueError(
                f"{name} is for a LitServer, which has the queue, and not for {named(api)}; got {name}={value!r}"
            )
