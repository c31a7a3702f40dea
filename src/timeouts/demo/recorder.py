"""What was seen of each request: an observer of the server, and the callers' own watches.

Law: the server says when work starts and ends, but when a caller was told is what the caller's watch
says. All instants are seconds after the start.
"""

from __future__ import annotations

import copy
import math
import threading
from collections.abc import Hashable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from timeouts.clock import Clock
from timeouts.demo.schedule import Request
from timeouts.errors import TimeoutsError
from timeouts.job import Job
from timeouts.observe import Observer
from timeouts.outcome import Outcome

ANSWERED, FAILED, UNANSWERED = "answered", "failed", "no answer yet"


@dataclass(slots=True)
class Record:
    """The life of one request; `math.inf` stands for "not yet".

    Attributes:
        request: what was asked.
        arrived: when the server had it; `request.at` is when it should have been sent.
        started: when a worker took it.
        deadline: by when the stage it was last in had to end.
        told: when its caller had the answer or the error.
        ended: when its work was over and its worker free.
        value, error: what the caller was told.
    """

    request: Request
    arrived: float = math.inf
    started: float = math.inf
    deadline: float = math.inf
    told: float = math.inf
    ended: float = math.inf
    value: Any = field(default=None, repr=False)
    error: BaseException | None = field(default=None, repr=False)

    @property
    def verdict(self) -> str:
        """What became of it, in a word: the policy that ended it, or one of the words above."""
        if self.told == math.inf:
            return UNANSWERED
        if self.error is None:
            return ANSWERED
        if not isinstance(self.error, TimeoutsError):
            return FAILED
        return type(self.error if self.error.policy is None else self.error.policy).__name__

    @property
    def expired(self) -> bool:
        """Whether a policy ended it."""
        return isinstance(self.error, TimeoutsError) and self.error.policy is not None

    @property
    def killed(self) -> bool:
        """Whether its work was killed, and is known to be dead."""
        return (
            isinstance(self.error, TimeoutsError)
            and self.error.work == "killed"
            and self.ended < math.inf
        )

    @property
    def after(self) -> float:
        """How long its caller had waited when told, counted from the scheduled instant."""
        return self.told - self.request.at

    @property
    def late(self) -> float:
        """How long after the deadline its caller was told."""
        return self.told - self.deadline


class Recorder(Observer):
    """Write down when what happened to the requests, which arrive in the order of their schedule.

    Attributes:
        start: the instant that all others are counted from; known before the first request arrives.
    """

    def __init__(self, requests: Iterable[Request], clock: Clock, start: float = math.inf) -> None:
        self.start = start
        self._records = {request.number: Record(request) for request in requests}
        self._coming = iter(self._records.values())
        self._of: dict[Hashable, Record] = {}
        self._jobs: dict[Hashable, Job] = {}
        self._clock = clock
        self._lock = threading.Lock()

    def arrived(self, job: Job, now: float) -> None:
        """The next request of the schedule has arrived: one sender sends them in that order."""
        with self._lock:
            record = self._of[job.key] = next(self._coming)
            record.arrived = now - self.start
            self._jobs[job.key] = job

    def started(self, job: Job, now: float) -> None:
        """A worker takes it, which gives it the deadline of its second stage."""
        with self._lock:
            self._of[job.key].started = now - self.start

    def answered(self, job: Job, outcome: Outcome, now: float) -> None:
        """An outcome of the work itself means that the work is over."""
        with self._lock:
            if not isinstance(outcome.error, TimeoutsError):
                self._of[job.key].ended = now - self.start

    def late(self, job: Job, outcome: Outcome, now: float) -> None:  # noqa: ARG002 - the hook's own
        """Abandoned work is over at last."""
        with self._lock:
            self._of[job.key].ended = now - self.start

    def told(self, request: Request, future: Future[Any]) -> None:
        """The caller looks at its watch."""
        now = self._clock.now() - self.start
        with self._lock:
            record = self._records[request.number]
            record.told = now
            record.error = future.exception()
            record.value = None if record.error else future.result()

    def seen(self) -> tuple[Record, ...]:
        """Return copies of the records of all requests that have arrived, in that order."""
        with self._lock:
            for key, record in self._of.items():
                record.deadline = self._jobs[key].expires - self.start
            return tuple(copy.copy(record) for record in self._of.values())

    @property
    def all_told(self) -> bool:
        """Whether every request of the schedule has arrived and been answered."""
        return all(record.told < math.inf for record in self._records.values())
