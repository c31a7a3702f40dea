"""The loop that takes a core through a scenario: a heap of what is to happen, and nothing more.

Laws:
- Nothing is decided here. Who starts, who is refused, who expires and when: the core says.
- At one instant, in this order: deadlines pass, callers leave, works end, workers are ready, requests
  arrive; among equals, who was to come first. Of callers who leave, the youngest: who waits has left
  before a slot becomes free for him.
- The core is ticked at each of its own timers, as a shell does it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from random import Random
from typing import Any

from timeouts.commands import Cancel, Commands, Reply, Start
from timeouts.core import Core
from timeouts.errors import TimeoutsError
from timeouts.job import DONE, Job
from timeouts.outcome import Outcome
from timeouts.sim.books import Books
from timeouts.sim.scenario import Request, Slowdown, factor_at
from timeouts.sim.workers import Stop, Workers

LEAVE, END, READY, ARRIVE = range(4)
Event = tuple[float, int, int, Callable[[Any, float], None], Any]
_ANSWER = Outcome()


class Attempt(Job):
    """One of the times that a request is made.

    Attributes:
        request: what is wanted.
        number: the how-manyth time this is, from 1.
        worthless: the instant from which an answer is worth nothing to its caller.
    """

    __slots__ = ("number", "request", "worthless")

    def __init__(self, key: int, request: Request, number: int, now: float) -> None:
        client = request.client
        self.request = request
        self.number = number
        self.worthless = now + client.budget
        told = client.at_deadline == "tells"
        super().__init__(
            key,
            deadline=self.worthless if told else math.inf,
            priority=client.priority,
            tenant=client.name,
        )


class Machine:
    """One run.

    Args:
        core: a fresh core.
        requests: what arrives, in order.
        slowdown: the schedule of factors.
        stop: what stopping a run costs.
        random: for the pauses between attempts.
        books: where it is written down.
    """

    def __init__(
        self,
        core: Core,
        *,
        requests: Iterator[Request],
        slowdown: Slowdown,
        stop: Stop,
        random: Random,
        books: Books,
    ) -> None:
        self._core = core
        self._requests = requests
        self._slowdown = slowdown
        self._random = random
        self._books = books
        self._workers = Workers(core, stop, self._when_ready, self._obey)
        self._heap: list[Event] = []
        self._ticket = 0
        self._attempts = 0

    def run(self) -> None:
        """Let everything happen that ever will."""
        self._expect()
        heap, core = self._heap, self._core
        while True:
            timer = core.next_timer()
            if heap and heap[0][0] < timer:
                now, _, _, happen, what = heappop(heap)
                happen(what, now)
            elif timer < math.inf:
                self._pass_time(timer)
                self._obey(core.tick(timer), timer)
            else:
                break
        self._books.close(core)

    def _plan(self, now: float, rank: int, happen: Callable[[Any, float], None], what: Any) -> None:
        self._ticket = ticket = self._ticket + 1
        heappush(self._heap, (now, rank, ticket, happen, what))

    def _when_ready(self, instant: float, ready: Callable[[float], None]) -> None:
        self._plan(instant, READY, self._ready, ready)

    def _pass_time(self, now: float) -> None:
        self._books.pass_time(now, self._core)

    # What happens.

    def _expect(self) -> None:
        request = next(self._requests, None)
        if request is not None:
            self._plan(request.arrived, ARRIVE, self._arrive, request)

    def _arrive(self, request: Request, now: float) -> None:
        self._books.offered(request)
        self._attempt(request, 1, now)
        self._expect()

    def _retry(self, last: Attempt, now: float) -> None:
        self._attempt(last.request, last.number + 1, now)

    def _attempt(self, request: Request, number: int, now: float) -> None:
        self._pass_time(now)
        self._attempts = key = self._attempts + 1
        attempt = Attempt(key, request, number, now)
        self._books.asked(attempt)
        if request.client.at_deadline == "leaves" and attempt.worthless < math.inf:
            heappush(self._heap, (attempt.worthless, LEAVE, -key, self._leave, attempt))
        self._obey(self._core.arrive(attempt, now), now)

    def _leave(self, attempt: Attempt, now: float) -> None:
        if attempt.phase is not DONE:
            self._pass_time(now)
            self._obey(self._core.withdraw(attempt.key, now), now)

    def _end(self, attempt: Attempt, now: float) -> None:
        if attempt.phase is not DONE:
            self._pass_time(now)
            self._obey(self._core.finish(attempt.key, _ANSWER, now), now)

    def _ready(self, ready: Callable[[float], None], now: float) -> None:
        self._pass_time(now)
        ready(now)

    # What the core commands.

    def _obey(self, commands: Commands, now: float) -> None:
        command: Any  # its jobs are attempts, all of them
        for command in commands:
            kind = type(command)
            if kind is Start:
                for attempt in command.jobs:
                    self._start(attempt, now)
            elif kind is Reply:
                self._reply(command.job, command.outcome, now)
            elif kind is Cancel:
                for attempt in command.jobs:
                    self._workers.stop(attempt, now)

    def _start(self, attempt: Attempt, now: float) -> None:
        work = attempt.request.work
        if self._slowdown:
            work *= factor_at(self._slowdown, now)
        if work < math.inf:
            self._plan(now + work, END, self._end, attempt)

    def _reply(self, attempt: Attempt, outcome: Outcome, now: float) -> None:
        error, request = outcome.error, attempt.request
        name = error.name if isinstance(error, TimeoutsError) else "completed"
        self._books.replied(attempt, name, now)
        if error is None and now < attempt.worthless:
            self._books.answered(attempt, now)
        elif attempt.number < request.client.retry.attempts:
            pause = request.client.retry.pause(attempt.number, self._random)
            self._plan(now + pause, ARRIVE, self._retry, attempt)
        else:
            self._books.doomed(attempt, now)
