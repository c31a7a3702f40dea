"""What is written down while a scenario runs.

Laws:
- The books balance: attempts = outcomes + left.
- What is in the margins counts nowhere: neither requests that arrive there, nor what workers do then.
- Work is counted by the time for which slots are held, and useful if its answer came in time.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Hashable
from typing import TYPE_CHECKING

from timeouts.core import Core
from timeouts.sim.scenario import Request

if TYPE_CHECKING:
    from timeouts.sim.machine import Attempt

WINDOWS = 60
"""In so many parts of its duration is a run told."""


class Tally:
    """What became of requests.

    Attributes:
        offered: how many there were.
        latencies: from arrival to answer, of those answered in time.
        told: from arrival to the last no, of the others.
        fates: the work of each request that has an end, and whether it was answered in time.
    """

    def __init__(self) -> None:
        self.offered = 0
        self.latencies = array("d")
        self.told = array("d")
        self.fates: list[tuple[float, bool]] = []

    def __add__(self, other: Tally) -> Tally:
        both = Tally()
        both.offered = self.offered + other.offered
        both.latencies = self.latencies + other.latencies
        both.told = self.told + other.told
        both.fates = self.fates + other.fates
        return both


class Books:
    """The books of one run.

    Args:
        duration: seconds in which requests arrive.
        margin: seconds at the beginning and at the end that are not counted.
        slots: how many workers there should be.

    Attributes:
        tallies: by the names of the clients.
        budgets: how many requests had which budget.
        outcomes: of attempts, by name.
        inside: attempts that have no outcome.
        attempts: how many there were.
        waited: how long they waited, all together.
        windows: how many requests came, and how many of them were answered in time, by part of the whole
            run.
        queue, held, gone: the jobs that waited, the slots that were held, and those that were without a
            worker, each times seconds.
        useful: how long slots were held for answers that came in time.
    """

    def __init__(self, duration: float, margin: float, slots: int) -> None:
        self._duration = duration
        self._begin = margin
        self._end = duration - margin
        self._slots = slots
        self._now = 0.0
        self.tallies: dict[str, Tally] = {}
        self.budgets: Counter[float] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.inside: dict[Hashable, Attempt] = {}
        self.attempts = 0
        self.waited = 0.0
        self.windows = [[0, 0] for _ in range(WINDOWS)]
        self.queue = self.held = self.gone = self.useful = 0.0

    def pass_time(self, now: float, core: Core) -> None:
        """Add up what was the case since the last time."""
        if now > self._now:
            span = self._counted(self._now, now)
            self._now = now
            self.queue += core.waiting * span
            self.held += (core.running + core.abandoned) * span
            self.gone += (self._slots - core.slots) * span

    def offered(self, request: Request) -> None:
        """A request has come."""
        self._window(request)[0] += 1
        if self._counts(request):
            self._tally(request).offered += 1
            self.budgets[request.client.budget] += 1

    def asked(self, attempt: Attempt) -> None:
        """It is asked, for the first time or again."""
        if self._counts(attempt.request):
            self.attempts += 1
            self.inside[attempt.key] = attempt

    def replied(self, attempt: Attempt, name: str, now: float) -> None:
        """An attempt has an outcome."""
        if self.inside.pop(attempt.key, None) is not None:
            self.outcomes[name] += 1
            self.waited += min(attempt.started, now) - attempt.arrived

    def answered(self, attempt: Attempt, now: float) -> None:
        """The answer has come in time."""
        request = attempt.request
        self._window(request)[1] += 1
        self.useful += self._counted(attempt.started, now)
        if self._counts(request):
            tally = self._tally(request)
            tally.latencies.append(now - request.arrived)
            tally.fates.append((request.work, True))

    def doomed(self, attempt: Attempt, now: float) -> None:
        """There will be no answer in time, and the caller knows it."""
        request = attempt.request
        if self._counts(request):
            tally = self._tally(request)
            tally.told.append(now - request.arrived)
            tally.fates.append((request.work, False))

    def close(self, core: Core) -> None:
        """Nothing will happen any more."""
        self.pass_time(self._duration, core)
        for attempt in self.inside.values():
            self.waited += min(attempt.started, self._now) - attempt.arrived

    def _counts(self, request: Request) -> bool:
        return self._begin <= request.arrived < self._end

    def _counted(self, since: float, until: float) -> float:
        """Return how much of a span is not in the margins."""
        return max(0.0, min(until, self._end) - max(since, self._begin))

    def _tally(self, request: Request) -> Tally:
        name = request.client.name
        tally = self.tallies.get(name)
        if tally is None:
            tally = self.tallies[name] = Tally()
        return tally

    def _window(self, request: Request) -> list[int]:
        return self.windows[int(request.arrived / self._duration * WINDOWS)]
