"""All routes of one process: their servers, started, reloaded, drained and closed together."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable
from typing import Any

from timeouts.errors import StartupFailed
from timeouts.observe import Observer
from timeouts.observe.observer import logger
from timeouts.serve.admissions import rule
from timeouts.serve.disciplines import maker
from timeouts.serve.endpoint import Endpoint
from timeouts.serve.plan import Plan, Served
from timeouts.server import Server

ENDING = 2.0  # seconds for what is stopped to end; a task that blocks its loop will not


class Gateway:
    """The endpoints of a plan.

    Args:
        plan: what to serve.
        observers: who looks on at each route, by its path.
    """

    def __init__(self, plan: Plan, observers: dict[str, Iterable[Observer]]) -> None:
        self.plan = plan
        self.drain_timeout: float = plan.options["drain_timeout"].value
        self.endpoints = {
            served.path: Endpoint(served, _server(served, observers.get(served.path, ())), plan)
            for served in plan.routes
        }
        self.draining = False

    @property
    def servers(self) -> dict[str, Server]:
        """The server of each route."""
        return {path: endpoint.server for path, endpoint in self.endpoints.items()}

    def open(self) -> None:
        """Have all workers started; does not wait for them."""
        for server in self.servers.values():
            server.shell.pool.open()

    async def ready(self) -> None:
        """Wait until the workers of all routes are there, and say so in the log."""
        for path, server in self.servers.items():
            try:
                await server.astart()
            except StartupFailed:
                continue  # the log has it, and the next attempt follows by itself
            logger.info("%s is ready", path)

    def reload(self, plan: Plan) -> None:
        """Put the jobs that come from now on under the limits of another plan; drop none."""
        routes = {served.path: served for served in plan.routes}
        for path, endpoint in self.endpoints.items():
            if path in routes:
                endpoint.served = _relimited(endpoint.server, endpoint.served, routes[path])
        for path in routes.keys() ^ self.endpoints.keys():
            logger.warning("%s comes or goes only with a restart", path)
        for option, chosen in plan.options.items():
            if chosen.value != self.plan.options[option].value:
                logger.warning("%s changes only with a restart", option)
        for fixed in ("budgets", "classes", "statuses"):
            if getattr(plan, fixed) != getattr(self.plan, fixed):
                logger.warning("%s change only with a restart", fixed)
        self.plan = dataclasses.replace(
            self.plan, routes=tuple(endpoint.served for endpoint in self.endpoints.values())
        )

    async def drain(self) -> None:
        """Take no new work, wait for what waits and runs, and end what is left of it then."""
        self.draining = True
        await asyncio.gather(*(s.adrain(self.drain_timeout) for s in self.servers.values()))
        self.close()

    def close(self) -> None:
        """End everything now."""
        self.draining = True
        for server in self.servers.values():
            server.close()

    async def aclose(self) -> None:
        """End everything, and wait for the end of what is being stopped."""
        await asyncio.gather(*(server.aclose() for server in self.servers.values()))


def _server(served: Served, observers: Iterable[Observer]) -> Server:
    options: dict[str, Any] = {name: chosen.value for name, chosen in served.options.items()}
    options |= {
        "workers": served.kind,
        "discipline": maker(options["discipline"]),
        "admission": rule(options["admission"]),
        "drain_timeout": ENDING,
    }
    looking = (*served.target.given.get("observers", ()), *observers)
    return _Served(served.handler.function, served.limits, observers=looking, **options)


class _Served(Server):
    """The server behind a route: the handler's parameters may have any name."""

    reserved = ()


def _relimited(server: Server, old: Served, new: Served) -> Served:
    """Put a route under the limits of another plan; return what is in force then."""
    capacity = new.options["capacity"]
    for option in ("workers", "slots", "discipline", "admission"):
        if old.options[option].value != new.options[option].value:
            logger.warning("%s of %s changes only with a restart", option, old.path)
    if (old.limits, old.options["capacity"].value) != (new.limits, capacity.value):
        try:
            server.relimit(new.limits, capacity.value)
        except (TypeError, ValueError) as wrong:  # for these workers, if not for those of the plan
            logger.error("%s keeps its limits: %s", old.path, wrong)
            return old
        logger.info("%s is now under %r", old.path, new.limits)
    options = {**old.options, "capacity": capacity}
    return dataclasses.replace(old, policies=new.policies, options=options)
