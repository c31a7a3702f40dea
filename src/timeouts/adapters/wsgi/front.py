"""The server behind the middleware: many routes, one queue and one set of slots.

Law: each job is under the rules of its own route.
"""

from __future__ import annotations

from typing import Any

from timeouts.callers import Callers
from timeouts.observe import Observer
from timeouts.server import Server


class Front(Server):
    """A server whose only argument is an exchange, which brings its own limits."""

    def _open(self) -> None:
        super()._open()
        self.callers = ExchangeCallers(self._shell, self._handler)


class ExchangeCallers(Callers):
    """Brings exchanges to the shell."""

    def make(self, *args: Any, **kwargs: Any) -> Any:
        """Make a call under the limits of its route."""
        call = super().make(*args, **kwargs)
        call.stack = call.args[0].limits
        return call


class Timekeeper(Observer):
    """Notes the instants of a job on its exchange, for `Server-Timing`."""

    def arrived(self, job: Any, now: float) -> None:
        """Note when it arrived."""
        job.args[0].arrived = now

    def started(self, job: Any, now: float) -> None:
        """Note when a worker took it."""
        job.args[0].started = now
