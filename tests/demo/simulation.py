"""The demo's run without a clock: the pure core under the demo's schedule and recorder, time jumping along."""

import heapq
import math
from concurrent.futures import Future
from typing import Any

from timeouts import ExecutionTimeout, GatewayTimeout, Job, Outcome, QueueTimeout, WorkerLost
from timeouts.commands import Cancel, Command, Late, Learned, Reply, Start
from timeouts.core import Core
from timeouts.demo.recorder import Record, Recorder
from timeouts.demo.schedule import Kind, Request
from timeouts.testing import ManualClock
from timeouts.workers import StopMode

KILL = 0.125  # seconds from a cancel until nothing is left of the work, where it can be killed
LIMITS = GatewayTimeout(1.5, reserve=0) | QueueTimeout(0.8) | ExecutionTimeout(1.0)


def request(number: int, at: float, cost: float, kind: Kind = Kind.QUICK) -> Request:
    return Request(number, at, kind, cost, image=0)


class Simulation:
    """One run of the requests; each is answered with its own number, or killed if the workers can be."""

    def __init__(
        self, requests: tuple[Request, ...], slots: int, stop_mode: StopMode = "abandon"
    ) -> None:
        self._kills = stop_mode == "kill"
        self._killed: set[int] = set()
        self.clock = ManualClock()
        self.recorder = Recorder(requests, self.clock, start=0.0)
        self._core = Core(LIMITS, slots=slots)
        self._requests = {request.number: request for request in requests}
        self._agenda = [(request.at, request.number, "arrive") for request in requests]
        heapq.heapify(self._agenda)

    def run(self, until: float = math.inf) -> tuple[tuple[Record, ...], float]:
        """Return what was seen until then, or until all is over; and when that was."""
        while (now := self._next()) < min(until, math.inf):
            self.clock.advance_to(now)
            if self._core.next_timer() <= now:
                self._obey(self._core.tick(now))
            else:
                self._do(*heapq.heappop(self._agenda)[1:], now)
        if until < math.inf:
            self.clock.advance_to(until)
        return self.recorder.seen(), self.clock.now()

    def _next(self) -> float:
        return min(self._core.next_timer(), self._agenda[0][0] if self._agenda else math.inf)

    def _do(self, number: int, what: str, now: float) -> None:
        if what == "dead":
            self._obey(self._core.finish(number, Outcome(error=WorkerLost()), now, "killed"))
            return
        if what == "finish":
            if number not in self._killed:
                self._obey(self._core.finish(number, Outcome(number), now))
            return
        job = Job(number)
        commands = self._core.arrive(job, now)
        self.recorder.arrived(job, now)
        self._obey(commands)

    def _obey(self, commands: list[Command]) -> None:
        now = self.clock.now()
        for command in commands:
            match command:
                case Start():
                    (job,) = command.jobs
                    self.recorder.started(job, now)
                    end = now + self._requests[_number(job)].cost
                    heapq.heappush(self._agenda, (end, _number(job), "finish"))
                case Cancel(jobs=jobs) if self._kills:
                    for job in jobs:
                        self._killed.add(_number(job))
                        heapq.heappush(self._agenda, (now + KILL, _number(job), "dead"))
                case Cancel():
                    pass  # nothing can stop a thread
                case Reply(job=job, outcome=outcome):
                    self.recorder.answered(job, outcome, now)
                    self.recorder.told(self._requests[_number(job)], _settled(outcome))
                case Late(job=job, outcome=outcome):
                    self.recorder.late(job, outcome, now)
                case Learned():
                    pass


def simulate(
    *requests: Request, slots: int, until: float = math.inf, stop_mode: StopMode = "abandon"
) -> tuple[Record, ...]:
    return Simulation(requests, slots, stop_mode).run(until)[0]


def _number(job: Job) -> int:
    assert isinstance(job.key, int)
    return job.key


def _settled(outcome: Outcome) -> Future[Any]:
    future: Future[Any] = Future()
    if outcome.error is None:
        future.set_result(outcome.value)
    else:
        future.set_exception(outcome.error)
    return future
