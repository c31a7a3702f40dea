"""Who is compared, and how each of them is started."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from timeouts import GatewayTimeout
from versus_litserve.subjects import Setup, Subject

PATIENCE = 0.2  # seconds after which a client leaves
LESS = 0.17  # the same, with some 30 ms for the work taken off by hand
OURS, LITSERVE = "timeouts", "LitServe"


@dataclass(frozen=True)
class Row:
    """A server under limits.

    Attributes:
        name: of the row.
        server: whose workers these are: what they can do is measured of that server without limits.
        flags: how it is told its limits.
        limits: what the simulation is given; None for what it does not know.
        bar: the least share of what its workers can do; 0 for none.
    """

    name: str
    server: str
    flags: tuple[str, ...]
    limits: GatewayTimeout | None = None
    bar: float = 0.0

    def subject(self, workers: int) -> Subject:
        """Return what starts it."""
        return _subject(self.name, self.server, workers, self.flags)


ROWS = (
    Row(
        f'timeouts: GatewayTimeout({PATIENCE:g}, reserve="auto")',
        OURS,
        ("--gateway-timeout", f"{PATIENCE:g}", "--reserve", "auto"),
        GatewayTimeout(PATIENCE, reserve="auto"),
        bar=0.9,
    ),
    Row(
        f"timeouts: GatewayTimeout({PATIENCE:g}, reserve=0)",
        OURS,
        ("--gateway-timeout", f"{PATIENCE:g}", "--reserve", "0"),
        GatewayTimeout(PATIENCE, reserve=0),
    ),
    Row(f"LitServe: timeout={PATIENCE:g}", LITSERVE, (f"{PATIENCE:g}",)),
    Row(f"LitServe: timeout={LESS:g}, set by hand", LITSERVE, (f"{LESS:g}",)),
    Row("LitServe under the first row's limits", LITSERVE, ("0", f"{PATIENCE:g}")),
)
_WITHOUT_LIMITS = {OURS: ("--gateway-timeout", "none"), LITSERVE: ("0",)}


def without_limits(server: str, workers: int) -> Subject:
    """Return what starts a server that has all the time of the world."""
    return _subject(f"{server} without limits", server, workers, _WITHOUT_LIMITS[server])


def _subject(name: str, server: str, workers: int, flags: tuple[str, ...]) -> Subject:
    def ours(_: Setup, port: int) -> list[str]:
        serve = [str(Path(sys.executable).with_name("timeouts")), "serve", "overload.work:predict"]
        where = ["--host", "127.0.0.1", "--port", str(port)]
        return [*serve, *where, "--workers", "process", "--slots", str(workers), *flags]

    def litserve(_: Setup, port: int) -> list[str]:
        return [sys.executable, "-m", "overload.lit", str(port), str(workers), *flags]

    return Subject(name, *((ours, "/ready") if server == OURS else (litserve, "/health")))
