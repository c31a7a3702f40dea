"""The routes of an application, as FastAPI will go through them, and what each depends on.

Law: who depends on what is FastAPI's to say. A route is matched by its own `matches`, in their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from starlette.routing import Match, Mount, Route

from timeouts.adapters.asgi.client import Scope
from timeouts.adapters.fastapi.guest import fastapi
from timeouts.adapters.fastapi.limited import Limited


def routes_of(app: fastapi.FastAPI) -> Iterator[Any]:
    """Go through the routes of an application, those of the routers that it includes among them."""
    unfolded = getattr(fastapi.routing, "iter_route_contexts", None)
    routes: Iterable[Any] = app.routes if unfolded is None else unfolded(app.routes)
    for route in routes:
        if isinstance(getattr(route, "original_route", route), (Route, Mount)):
            yield route


def calls_of(dependant: Any) -> Iterator[Any]:
    """Go through what FastAPI calls for a route: the function, and what it depends on, nearest last."""
    if dependant is not None:
        yield dependant.call
        for within in dependant.dependencies:
            yield from calls_of(within)


def limits_of(route: Any) -> tuple[Limited, ...]:
    """Return the limits that a route depends on, the nearest to its function last."""
    calls = calls_of(getattr(route, "dependant", None))
    return tuple(call for call in calls if isinstance(call, Limited))


class Declared:
    """Which limits a request is to be under, by the route that it will take.

    The routes are read once: those that are added later are not known.
    """

    def __init__(self, app: fastapi.FastAPI) -> None:
        rows = [(route.matches, limits_of(route)) for route in routes_of(app)]
        while rows and not rows[-1][1]:
            rows.pop()
        self._rows = rows
        self._overrides = app.dependency_overrides

    def of(self, scope: Scope) -> tuple[Limited, ...]:
        """Return them, the nearest last; FastAPI's overrides of dependencies count."""
        for matches, limits in self._rows:
            if matches(scope)[0] is Match.FULL:
                stand_ins = (self._overrides.get(one, one) for one in limits)
                return tuple(one for one in stand_ins if isinstance(one, Limited))
        return ()
