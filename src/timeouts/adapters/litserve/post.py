"""A server whose jobs come by letter: each has arrived when its letter says, and ends by its deadline."""

from __future__ import annotations

from typing import Any

from timeouts.callers import AnyCall, Callers
from timeouts.server import Server


class Backstage(Server):
    """Serves calls whose first argument is a letter."""

    def _open(self) -> None:
        super()._open()
        self.callers = Postman(self._shell, self._handler)


class Postman(Callers):
    """Brings calls as of their letters."""

    def make(self, kind: type[AnyCall], *invocation: Any) -> AnyCall:  # pyright: ignore[reportIncompatibleMethodOverride] - all by position
        """Make a call that arrives in the past."""
        call = super().make(kind, *invocation)
        self._shell.tick(call.arrived)  # or its run would begin there too
        _, call.arrived, call.deadline = call.args[0]
        return call
