"""Putting both halves around the endpoints of a LitServer.

Law: everything is checked before anything is changed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from timeouts.adapters.litserve.back import ProcessBack, back_of
from timeouts.adapters.litserve.behind import checked_stack, named, put_behind
from timeouts.adapters.litserve.chain import way_of
from timeouts.adapters.litserve.ending import end_with_workers
from timeouts.adapters.litserve.front import EndpointTimeouts
from timeouts.adapters.litserve.letter import hand_over
from timeouts.adapters.litserve.slots import MOST, Slots
from timeouts.adapters.routes import Limits
from timeouts.deadline import seconds
from timeouts.observe import Observer
from timeouts.options import checked_count, checked_observers
from timeouts.stack import Stack
from timeouts.statuses import Statuses

SLACK = 30.0  # seconds, for killing a process, and for batches that wait for one another


def put_around(
    server: Any,
    limits: Stack,
    workers: Mapping[str, Any],
    *,
    routes: Mapping[str, Limits],
    slots: float | None,
    statuses: Statuses,
    observers: Iterable[Observer],
    **front: Any,
) -> None:
    """Put limits on a server; the arguments are those of `apply`."""
    stacks = _stacks(server, limits, workers, routes)
    _check_slots(slots)
    front |= {
        "statuses": statuses,
        "observers": checked_observers(observers),
        "max_body": _max_body(server.max_payload_size),
    }
    _check(**front)
    for api, stack in stacks:
        number = _default_slots(server, api) if slots is None else slots
        paths = frozenset(_paths(api))
        server.app.add_middleware(
            EndpointTimeouts,
            limits=_without_soft_limits(stack),
            paths=paths,
            slots=_shared(number, api, workers),
            **front,
        )
        for path in paths:
            hand_over(server.app, path, writes=api.spec is None)
        back = back_of(api) or put_behind(api, stack, workers)
        back.fronted, back.statuses = True, statuses
    end_with_workers(server)


def _stacks(
    server: Any, limits: Stack, workers: Mapping[str, Any], routes: Mapping[str, Limits]
) -> list[tuple[Any, Stack]]:
    """Return which stack each endpoint is under; those that are left as they are are left out."""
    apis = {api.api_path: api for api in server.litapi_connector}
    if not isinstance(routes, Mapping):
        raise TypeError(f"routes must be a mapping from paths to limits; got {routes!r}")
    if strange := [path for path in routes if path not in apis]:
        raise ValueError(f"routes names {strange[0]!r}; the paths of this server are {[*apis]}")
    return [
        (api, _stack(api, routes.get(path, limits), workers, own=path in routes))
        for path, api in apis.items()
        if routes.get(path, limits) is not None
    ]


def _stack(api: Any, limits: Limits, workers: Mapping[str, Any], *, own: bool) -> Stack:
    way_of(api)
    back = back_of(api)
    if back is None:
        return checked_stack(api, limits, workers)
    if own or back.fronted:
        raise ValueError(f"{named(api)} has limits already: apply them once")
    return back.limits


def _check(*, observers: object, **front: Any) -> None:  # noqa: ARG001 - they are told once, when it is real
    """Refuse now what the front half would refuse in an API server, which starts much later."""
    EndpointTimeouts(_nowhere, Stack(), paths=frozenset(), slots=None, observers=(), **front)


async def _nowhere(*_: Any) -> None:
    """Stand for the application."""


def _check_slots(slots: float | None) -> None:
    if slots is not None and MOST < checked_count("slots", slots, least=1) < math.inf:
        raise ValueError(f"slots must be at most {MOST}, or math.inf for no bound; got {slots!r}")


def _default_slots(server: Any, api: Any) -> float:
    """Return how many workers LitServe has for an endpoint, each of which takes a batch at a time."""
    if api.enable_async:
        return math.inf
    workers: Any = server.workers_per_device
    if isinstance(workers, Mapping):
        workers = workers.get(api.api_path, 1)
    elif not isinstance(workers, int):
        workers = workers[[*server.litapi_connector].index(api)]
    return int(len(server.devices) * workers)


def _shared(number: float, api: Any, workers: Mapping[str, Any]) -> Slots | None:
    if number == math.inf:
        return None
    return Slots(int(number), api.max_batch_size, api.batch_timeout, _patience(api, workers))


def _patience(api: Any, workers: Mapping[str, Any]) -> float:
    """Return by when, after an expiry, the back half has another process, or has failed to start one."""
    if api.enable_async:
        return math.inf
    back = back_of(api)
    options = back.workers if isinstance(back, ProcessBack) else workers
    return seconds(options["startup_timeout"]) + SLACK


def _max_body(max_payload_size: object) -> float:
    """Return LitServe's own bound, which stands further in, where a body that is read whole is here already."""
    return max_payload_size if isinstance(max_payload_size, int) else math.inf


def _paths(api: Any) -> list[str]:
    if api.spec is None:
        return [api.api_path]
    return [path for path, _, methods in api.spec.endpoints if "POST" in methods]


def _without_soft_limits(stack: Stack) -> Stack:
    """Return the rules for the front half: a soft limit is raised inside predict, and nowhere else."""
    policies: list[Any] = [*stack.policies]
    if not any(getattr(p, "soft", math.inf) < math.inf for p in policies):
        return stack
    return Stack(*(replace(p, soft=None) if hasattr(p, "soft") else p for p in policies))
