"""What the configuration of `timeouts serve` says of a route, for a simulation of it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, NamedTuple

from timeouts.handler import handler_of
from timeouts.options import checked_limits
from timeouts.serve.admissions import NOBODY
from timeouts.serve.disciplines import DEFAULT
from timeouts.serve.file import Pooled, read
from timeouts.serve.limits import policies
from timeouts.serve.plan import PREDICT
from timeouts.stack import Stack, UselessPolicyWarning
from timeouts.workers import StopMode

STOPS: dict[str, StopMode] = {
    "task": "cancel",
    "thread": "abandon",
    "process": "kill",
    "ray": "kill",
}


class Served(NamedTuple):
    """Limits, workers and queue; None where the file does not say."""

    limits: Stack
    slots: int | None
    capacity: int | None
    stop: StopMode | None
    discipline: str = DEFAULT
    workers: str | None = None
    admission: str = NOBODY


def served(path: Path, route: str = PREDICT) -> Served:
    """Read what is in force for a route.

    Raises:
        ValueError: the file cannot be read, says something that makes no sense, or has no such route.
    """
    settings = read(path)
    if route != PREDICT and route not in settings.routes:
        known = ", ".join(dict.fromkeys((PREDICT, *settings.routes)))
        raise ValueError(f"{path} has no route {route!r}; known are {known}")
    tables = [(settings.timeouts, f"{path} [timeouts]")]
    pools: list[Pooled] = [settings.serve]
    if route in settings.routes:
        own = settings.routes[route]
        tables.append((own.timeouts, f'{path} [routes."{route}".timeouts]'))
        pools.insert(0, own)
    handler = handler_of(simulated)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UselessPolicyWarning)
        stack = Stack(*(chosen.value for chosen in policies(handler, (), tables)))
    workers = _said(pools, "workers")
    return Served(
        checked_limits(stack, handler),
        _said(pools, "slots"),
        _said(pools, "capacity"),
        None if workers is None else STOPS[workers],
        _said(pools, "discipline") or DEFAULT,
        workers,
        _said(pools, "admission") or NOBODY,
    )


def simulated() -> None:
    """Stand for the handler: it is a plain function."""


def _said(pools: list[Pooled], option: str) -> Any:
    return next((value for pool in pools if (value := getattr(pool, option)) is not None), None)
