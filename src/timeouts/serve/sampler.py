"""Which jobs of a route are shown, and what has become of them; and how late expiries were told.

Laws:
- At most `MOST` jobs are held, and none while nobody looks.
- What goes well never crowds out what goes wrong: places are kept for work that starts, and for jobs
  that end with an error of ours.
- A sample may leave jobs out. The counts leave none out.

Hooks only add a job or note an instant on it; `look` alone takes jobs out, so no order among hooks of
several threads can go wrong. It shows a job for some time after it is done, for viewers that are slow.
"""

from __future__ import annotations

import math
from itertools import count
from typing import Any

from timeouts.errors import Rejected, StartupFailed, TimeoutsError, Withdrawn
from timeouts.job import DONE, RUNNING, Job
from timeouts.observe import Observer
from timeouts.outcome import Outcome
from timeouts.serve.histogram import Histogram, Tally

MOST = 60
_ARRIVING, _STARTING = 24, 40  # of these places, how many such jobs may take
KEPT = 0.5  # seconds that a job is shown after its end
BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # of lateness, in seconds


class Sampler(Observer):
    """Looks on at one route, for the live page."""

    def __init__(self) -> None:
        self.lateness = Histogram(BOUNDS)
        self.kills = Tally()
        self.kinds = {"completed": "completed", "failed": "failed"}
        self.looking = False
        self._shown: dict[Job, _Shown] = {}
        self._numbers = count(1)

    def arrived(self, job: Job, now: float) -> None:  # noqa: ARG002 - the job knows it
        """Show the job, if there is a place."""
        if self.looking and len(self._shown) < _ARRIVING:
            self._show(job)

    def started(self, job: Job, now: float) -> None:  # noqa: ARG002 - as above
        """Show the job, if it is not over already and there is a place."""
        if self.looking and len(self._shown) < _STARTING and job.phase is RUNNING:
            self._show(job)

    def answered(self, job: Job, outcome: Outcome, now: float) -> None:
        """Note the answer, and how late it was if a limit was reached."""
        error = job.error
        if error is not None:
            self._count(error, now - job.expires)
            if self.looking and len(self._shown) < MOST:
                self._show(job)
        shown = self._shown.get(job)
        if shown is not None:
            shown.answered, shown.expires = now, job.expires
            shown.outcome = _name(error, outcome)
            shown.kind = self.kinds[shown.outcome]

    def late(self, job: Job, outcome: Outcome, now: float) -> None:  # noqa: ARG002 - nobody gets it
        """Note when the work of an answered job has ended, and whether it was killed."""
        killed = job.error is not None and job.error.work == "killed"
        if killed:
            self.kills.add()
        shown = self._shown.get(job)
        if shown is not None:
            shown.ended, shown.killed = now, killed

    def look(self, now: float) -> list[dict[str, Any]]:
        """Return what is known of the jobs that are shown; one thread looks."""
        everything = list(self._shown.values())
        for shown in everything:
            if now - shown.done > KEPT:
                del self._shown[shown.job]
            elif shown.done == math.inf and shown.job.phase is DONE:
                shown.done = now
        return [shown.document() for shown in everything]

    def rest(self) -> None:
        """Show nothing until somebody looks again."""
        self.looking = False
        self._shown.clear()

    def _count(self, error: TimeoutsError, lateness: float) -> None:
        self.kinds[error.name] = kind = kind_of(type(error))
        if kind == "expired":
            self.lateness.add(lateness)

    def _show(self, job: Job) -> None:
        self._shown.setdefault(job, _Shown(job, next(self._numbers)))


class _Shown:
    """A job that is shown."""

    __slots__ = (
        "answered",
        "done",
        "ended",
        "expires",
        "job",
        "killed",
        "kind",
        "number",
        "outcome",
    )

    def __init__(self, job: Job, number: int) -> None:
        self.job = job
        self.number = number
        self.answered = self.ended = self.expires = self.done = math.inf
        self.killed = False
        self.outcome = self.kind = ""

    def document(self) -> dict[str, Any]:
        """Return what is known, in seconds; an instant that has yet to come is infinite."""
        at_once = self.answered if self.job.phase is DONE else math.inf
        instants = {
            "arrived": self.job.arrived,
            "started": self.job.started,
            "answered": self.answered,
            "ended": self.ended if self.ended < math.inf else at_once,
            "lateness": self.answered - self.expires if self.kind == "expired" else math.inf,
        }
        return {
            "number": self.number,
            "outcome": self.outcome,
            "kind": self.kind,
            "killed": self.killed,
            **{name: round(seconds, 4) for name, seconds in instants.items()},
        }


def kind_of(error: type[TimeoutsError]) -> str:
    """Return what a kind of error means to who looks: expired, refused, withdrawn or failed."""
    if issubclass(error, Withdrawn):
        return "withdrawn"
    if issubclass(error, StartupFailed):
        return "refused"
    if issubclass(error, TimeoutError):
        return "expired"
    return "refused" if issubclass(error, Rejected) else "failed"


def _name(error: TimeoutsError | None, outcome: Outcome) -> str:
    """Return the name of an outcome, as the books have it."""
    if error is not None:
        return error.name
    return "completed" if outcome.error is None else "failed"
