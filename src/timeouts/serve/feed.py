"""What the live page is told: frames of all routes, made once for all who look.

Laws:
- A frame is made at most every `INTERVAL`, however many look; nothing is made while nobody does.
- Counts come from the books and are exact. Jobs are a sample.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from timeouts.clock import MONOTONIC, Clock
from timeouts.explain import ENDPOINTS
from timeouts.serve.endpoint import Endpoint
from timeouts.serve.gateway import Gateway
from timeouts.serve.payload import as_json
from timeouts.serve.sampler import Sampler
from timeouts.stack import Stack

INTERVAL = 0.15  # seconds from one frame to the next
WINDOW = 2.0  # seconds over which rates are taken


class Feed:
    """Makes frames of a gateway.

    Args:
        gateway: what is looked at.
        samplers: the observer of each route, by its path.
        clock: where the instants of frames come from; that of the servers.
    """

    def __init__(
        self, gateway: Gateway, samplers: Mapping[str, Sampler], clock: Clock = MONOTONIC
    ) -> None:
        self.viewers = 0
        self._gateway = gateway
        self._samplers = samplers
        self._clock = clock
        self._rates = {path: Rates() for path in samplers}
        self._since = clock.now()
        self._latest = b""
        self._made = -math.inf

    @contextmanager
    def watched(self) -> Generator[None]:
        """Look at jobs for the length of a block; blocks may overlap."""
        self.viewers += 1
        for sampler in self._samplers.values():
            sampler.looking = True
        try:
            yield
        finally:
            self.viewers -= 1
            if not self.viewers:
                self._rest()

    def _rest(self) -> None:
        self._made = -math.inf
        for sampler in self._samplers.values():
            sampler.rest()

    @property
    def over(self) -> bool:
        """Whether nothing will happen any more: all routes are drained or closed."""
        cores = [server.shell.core for server in self._gateway.servers.values()]
        return not any(core.open for core in cores) and all(core.idle for core in cores)

    def frame(self) -> bytes:
        """Return the present frame, as JSON."""
        now = self._clock.now()
        if now - self._made >= INTERVAL:
            routes = self._gateway.endpoints.items()
            self._latest = as_json(
                {
                    "since": self._since,
                    "now": round(now, 4),
                    "draining": self._gateway.draining,
                    "routes": {path: self._route(path, one, now) for path, one in routes},
                }
            )
            self._made = now
        return self._latest

    def _route(self, path: str, endpoint: Endpoint, now: float) -> dict[str, Any]:
        server, sampler = endpoint.server, self._samplers[path]
        jobs = sampler.look(now)  # before the books, so that no job is shown that they do not have
        books = server.stats()
        return {
            "handler": endpoint.served.target.name,
            "stop_mode": server.stop_mode,
            "limits": _limits(server.limits),
            "capacity": server.shell.core.capacity,
            "books": books._asdict(),
            "kinds": sampler.kinds.copy(),
            "rates": self._rates[path].at(now, {"arrived": books.arrived, **books.outcomes}),
            "killed": sampler.kills.read(),
            "lateness": {"bounds": sampler.lateness.bounds, "counts": sampler.lateness.read()},
            "jobs": jobs,
        }


class Rates:
    """How fast counts grow, per second, over the last `WINDOW`."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, Mapping[str, int]]] = deque()

    def at(self, now: float, counts: Mapping[str, int]) -> dict[str, float]:
        """Return the rate of each count; none before there is anything to compare with."""
        while self._seen and self._seen[0][0] < now - WINDOW:
            self._seen.popleft()
        self._seen.append((now, counts))
        since, before = self._seen[0]
        if since == now:
            return {}
        return {
            name: round((value - before.get(name, 0)) / (now - since), 2)
            for name, value in counts.items()
        }


def _limits(stack: Stack) -> list[dict[str, Any]]:
    """Return the limits in force, outermost first, and what each of them bounds."""
    return [
        {"rule": repr(policy), "interval": policy.interval, "bounds": ENDPOINTS[policy.interval]}
        for policy in stack.policies
    ]
