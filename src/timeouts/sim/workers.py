"""What stopping a run costs its worker.

    "cancel"    the worker is free at once: a task that is cancelled
    Kill(...)   the slot is gone with its worker until another one is ready: a process that is killed
    "abandon"   the work goes on to its end, and holds its slot: a thread

Law: the core is told what a pool of workers would tell it, by the same inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from timeouts.commands import Commands
from timeouts.core import Core
from timeouts.job import Job
from timeouts.options import whole_number
from timeouts.outcome import Outcome
from timeouts.sim.checked import finite


@dataclass(frozen=True)
class Kill:
    """Workers that are killed, and replaced.

    Args:
        recovery: seconds until another worker is ready.
        spares: workers that are kept ready to take the place of one that is gone. Each is worth one
            kill in `recovery` seconds.

    Cannot do: take time for the kill itself; add it to `recovery`. Any number may start at once.
    """

    recovery: float = 1.0
    spares: int = 0

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        finite("recovery", self.recovery, zero=True)
        whole_number("spares", self.spares, least=0)


Stop = Literal["cancel", "kill", "abandon"] | Kill
At = Callable[[float, Callable[[float], None]], None]


def checked_stop(stop: Any) -> Stop:
    """Return the way to stop, or refuse what is none; `"kill"` stands for `Kill()`."""
    if stop == "kill":
        return Kill()
    if isinstance(stop, Kill) or stop in ("cancel", "abandon"):
        return stop  # type: ignore[no-any-return]
    raise ValueError(f'stop must be "cancel", "kill", "abandon" or a Kill; got {stop!r}')


_STOPPED = Outcome()


class Workers:
    """The workers of one run.

    Args:
        core: who is told.
        stop: what stopping costs.
        at: has something done at an instant.
        obey: carries out what the core then commands.
    """

    def __init__(
        self, core: Core, stop: Stop, at: At, obey: Callable[[Commands, float], None]
    ) -> None:
        self._core = core
        self._stop = stop
        self._at = at
        self._obey = obey
        self._slots = core.slots
        self._spares = stop.spares if isinstance(stop, Kill) else 0

    def stop(self, job: Job, now: float) -> None:
        """Obey a Cancel."""
        if isinstance(self._stop, Kill):
            self._at(now + self._stop.recovery, partial(self._ready, self._stop.recovery))
            ended = self._core.finish(job.key, _STOPPED, now, "killed", vacate=True)
            self._obey(ended, now)
            if self._spares:
                self._spares -= 1
                self._obey(self._core.enlist(now), now)
        elif self._stop == "cancel":
            self._obey(self._core.finish(job.key, _STOPPED, now), now)

    def _ready(self, recovery: float, now: float) -> None:
        self._obey(self._core.recovered(recovery, now), now)
        if self._core.slots < self._slots:
            self._obey(self._core.enlist(now), now)
        else:
            self._spares += 1
