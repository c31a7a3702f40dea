"""What can be seen of a server as plain data, to be logged, counted or sent elsewhere.

Law: an event refers to no job and to nothing of the user's, so whoever keeps it keeps nothing alive.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from timeouts.job import Job
from timeouts.observe import facts
from timeouts.observe.observer import Observer
from timeouts.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Arrived:
    """A job has come, also one that is then refused.

    Attributes:
        now: the instant, in seconds on the server's clock; likewise in all events.
        job: its number; no other job of the server has it.
        budget: the seconds its caller grants; None for no limit.
    """

    now: float
    job: Hashable
    budget: float | None


@dataclass(frozen=True, slots=True)
class Started:
    """A worker takes a job.

    Attributes:
        waited: seconds since it arrived.
    """

    now: float
    job: Hashable
    waited: float


@dataclass(frozen=True, slots=True)
class Answered:
    """A caller gets his one answer.

    Attributes:
        outcome: `"completed"`, `"failed"`, or the name of an error, as in `stats().outcomes`.
        policy: the class of the rule that ended it; `"none"` where no rule did.
        limit: the seconds that this rule allowed, or the number of a bound; None where there was none.
        sojourn: seconds since it arrived.
        service: seconds since it started; None if it never did.
        lateness: seconds by which an expiry was told after its deadline; None if it did not expire.
        work: `"done"`, `"never started"`, `"still running"`, `"stopped"` or `"killed"`.
    """

    now: float
    job: Hashable
    outcome: str
    policy: str
    limit: float | None
    sojourn: float
    service: float | None
    lateness: float | None
    work: str


@dataclass(frozen=True, slots=True)
class Late:
    """The work of an answered job has ended.

    Attributes:
        work: `"stopped"` or `"killed"`.
        service: seconds since it started.
        error: the class of what it raised, if it did.
    """

    now: float
    job: Hashable
    work: str
    service: float
    error: str | None


@dataclass(frozen=True, slots=True)
class Killed:
    """A worker process was stopped because of a job, and is proven dead.

    Attributes:
        pid: what its process was.
        cause: how it died; with its last words, if there were any.
        seconds: from the decision to the proof.
    """

    now: float
    job: Hashable
    pid: int
    cause: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Respawned:
    """The place of a lost worker process is filled again.

    Attributes:
        number: the place, from 0.
        pid: of the new process, which is ready.
        seconds: from the proven death of the old one.
    """

    now: float
    number: int
    pid: int
    seconds: float


Event = Arrived | Started | Answered | Late | Killed | Respawned


class EventStream(Observer):
    """Turn what is seen into events, and hand each to a callback.

    Args:
        callback: is given every event, in the thread in which the thing happened, before the caller is
            told: it should do no more than put it somewhere. What it raises is logged.

    Cannot do: put events into order; where threads race, compare their `now`.
    """

    def __init__(self, callback: Callable[[Event], object]) -> None:
        if not callable(callback):
            raise TypeError(f"callback must take an event; got {callback!r}")
        self._tell = callback

    def arrived(self, job: Job, now: float) -> None:
        """Tell that a job has come."""
        self._tell(Arrived(now, job.key, facts.finite(job.deadline - now)))

    def started(self, job: Job, now: float) -> None:
        """Tell that it runs."""
        self._tell(Started(now, job.key, job.started - job.arrived))

    def answered(self, job: Job, outcome: Outcome, now: float) -> None:
        """Tell how its caller was answered."""
        error = facts.expiry(job, outcome)
        told = job.error or error
        self._tell(
            Answered(
                now,
                job.key,
                facts.outcome_name(job, outcome),
                facts.policy_name(job, outcome),
                None if told is None else facts.finite(told.limit),
                now - job.arrived,
                facts.finite(now - job.started),
                None if error is None else now - facts.deadline_of(job, error),
                facts.work_name(job, outcome),
            )
        )

    def late(self, job: Job, outcome: Outcome, now: float) -> None:
        """Tell how its work ended."""
        work = "stopped" if job.error is None else job.error.work
        error = None if outcome.error is None else type(outcome.error).__name__
        self._tell(Late(now, job.key, work, now - job.started, error))

    def killed(self, job: Job, pid: int, cause: str, seconds: float, now: float) -> None:
        """Tell that its worker is dead."""
        self._tell(Killed(now, job.key, pid, cause, seconds))

    def respawned(self, number: int, pid: int, seconds: float, now: float) -> None:
        """Tell that another is there."""
        self._tell(Respawned(now, number, pid, seconds))
