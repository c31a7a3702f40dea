"""The jobs that the live page shows are a sample, bounded; what it counts is exact. No clock: jobs and instants are made up."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeouts import errors
from timeouts.commands import Cancel, Commands, Late, Learned, Reply, Start
from timeouts.core import Core
from timeouts.errors import TimeoutsError
from timeouts.job import Job
from timeouts.outcome import Outcome
from timeouts.policy import ExecutionTimeout, GatewayTimeout, QueueTimeout
from timeouts.serve.histogram import Histogram, Tally
from timeouts.serve.payload import as_json
from timeouts.serve.sampler import KEPT, MOST, Sampler, kind_of

LIMITS = GatewayTimeout(9) | QueueTimeout(4) | ExecutionTimeout(6)


class Route:
    """A core and the sampler that looks on at it, called as a shell does."""

    def __init__(self, *, slots: int = 2, capacity: int = 3, looking: bool = True) -> None:
        self.core = Core(LIMITS, slots=slots, capacity=capacity)
        self.sampler = Sampler()
        self.sampler.looking = looking
        self.held: list[Job] = []
        self.now = 0.0
        self.keys = itertools.count()

    def arrive(self) -> Job:
        job = Job(next(self.keys))
        job.arrived = self.now
        self.sampler.arrived(job, self.now)
        self.obey(self.core.arrive(job, self.now))
        return job

    def finish(self, job: Job, outcome: Outcome | None = None, *, killed: bool = False) -> None:
        self.held.remove(job)
        self.obey(
            self.core.finish(
                job.key, outcome or Outcome(1), self.now, "killed" if killed else "stopped"
            )
        )

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.obey(self.core.tick(self.now))

    def withdraw(self, job: Job) -> None:
        self.obey(self.core.withdraw(job.key, self.now))

    def obey(self, commands: Commands) -> None:
        for command in commands:
            match command:
                case Start():
                    for job in command.jobs:
                        self.held.append(job)
                        self.sampler.started(job, self.now)
                case Reply():
                    self.sampler.answered(command.job, command.outcome, self.now)
                case Late():
                    self.sampler.late(command.job, command.outcome, self.now)
                case Cancel() | Learned():
                    pass

    def look(self) -> list[Any]:
        """Return what is shown, as it comes out of JSON."""
        shown: list[Any] = json.loads(as_json(self.sampler.look(self.now)))
        return shown

    def one(self) -> Any:
        (shown,) = self.look()
        return shown


steps = st.lists(
    st.tuples(
        st.sampled_from(["arrive", "arrive", "finish", "kill", "fail", "withdraw", "wait", "look"]),
        st.integers(0, 5),
    ),
    max_size=120,
)


def play(route: Route, script: list[tuple[str, int]]) -> list[Any]:
    """Play a script on a route; return all that was shown on the way."""
    shown: list[Any] = []
    jobs: list[Job] = []
    for act, number in script:
        held = route.held[number % len(route.held)] if route.held else None
        if act == "arrive":
            jobs.append(route.arrive())
        elif act == "wait":
            route.wait(number)
        elif act == "look":
            shown += route.look()
        elif act == "withdraw" and jobs:
            route.withdraw(jobs[number % len(jobs)])
        elif act in ("finish", "kill", "fail") and held is not None:
            outcome = Outcome(error=ValueError()) if act == "fail" else Outcome(1)
            route.finish(held, outcome, killed=act == "kill" and held.error is not None)
    return shown + route.look()


@given(steps, st.booleans())
def test_counts_are_exact_whatever_is_shown(script: list[tuple[str, int]], looking: bool) -> None:
    """Each expiry in the books is in the histogram once, and each kill is counted, seen or not."""
    route = Route(looking=looking)
    kills = 0
    late = route.sampler.late

    def counting(job: Job, outcome: Outcome, now: float) -> None:
        nonlocal kills
        kills += job.error is not None and job.error.work == "killed"
        late(job, outcome, now)

    route.sampler.late = counting  # type: ignore[method-assign]
    play(route, script)
    books, kinds = route.core.outcomes, route.sampler.kinds
    expired = sum(number for name, number in books.items() if kinds[name] == "expired")
    assert sum(route.sampler.lateness.read()) == expired
    assert route.sampler.kills.read() == kills


@given(steps)
def test_what_is_shown_has_happened(script: list[tuple[str, int]]) -> None:
    """Instants are in order, an answer has a name that is in the books, and an end an answer."""
    route = Route()
    for job in play(route, script):
        instants = [job[name] for name in ("arrived", "started", "answered", "ended")]
        happened = [instant for instant in instants if instant is not None]
        assert happened == sorted(happened)
        assert (job["answered"] is not None) == bool(job["outcome"])
        assert not job["outcome"] or job["outcome"] in route.core.outcomes
        assert job["ended"] is None or job["answered"] is not None
        assert not job["killed"] or job["ended"] is not None


@given(steps)
def test_nobody_looks_nothing_is_held(script: list[tuple[str, int]]) -> None:
    route = Route(looking=False)
    assert play(route, script) == []
    assert route.sampler._shown == {}


def test_memory_is_bounded_over_many_jobs() -> None:
    """A hundred thousand jobs, of which many are refused, expire, or are held for long."""
    route = Route(slots=50, capacity=200)
    for number in range(100_000):
        route.arrive()
        if number % 7 == 0:
            route.wait(0.01)
        if number % 2 and route.held:
            route.finish(route.held[0])
        assert len(route.sampler._shown) <= MOST
        if number % 1000 == 0:
            route.look()
    assert route.core.arrived == 100_000
    assert min(route.core.outcomes[name] for name in ("completed", "queue_full")) > 10_000
    assert sum(route.core.outcomes.values()) + route.core.waiting + route.core.running == 100_000


def test_what_goes_well_does_not_crowd_out_what_goes_wrong() -> None:
    """With a thousand jobs in the queue, work that starts is shown, and so is one that is refused."""
    route = Route(slots=10, capacity=1000)
    for _ in range(1011):
        route.arrive()
    kinds = [job["kind"] for job in route.look()]
    assert kinds.count("refused") == 1
    for job in route.held[:10]:
        route.finish(job)
    running = [j for j in route.look() if j["started"] is not None and j["answered"] is None]
    assert len(running) == 10


def test_a_job_is_shown_from_its_arrival_to_some_time_after_its_end() -> None:
    route = Route()
    job = route.arrive()
    assert route.one()["answered"] is None
    route.wait(1)
    route.finish(job)
    route.now += 100  # nobody has looked for long: the end is shown all the same
    shown = route.one()
    assert (shown["arrived"], shown["started"], shown["answered"], shown["ended"]) == (0, 0, 1, 1)
    assert (shown["outcome"], shown["kind"], shown["killed"]) == ("completed", "completed", False)
    route.now += KEPT
    assert len(route.look()) == 1  # this instant is the last
    route.now += KEPT
    route.look()
    assert route.look() == []


def test_a_killed_job_shows_its_answer_and_then_its_end() -> None:
    route = Route()
    job = route.arrive()
    route.wait(6.25)
    expired = route.one()
    assert (expired["kind"], expired["answered"], expired["ended"]) == ("expired", 6.25, None)
    assert expired["lateness"] == 0.25
    route.now += 1
    route.finish(job, killed=True)
    killed = route.one()
    assert (killed["kind"], killed["killed"], killed["ended"]) == ("expired", True, 7.25)
    assert killed["number"] == expired["number"]
    assert sum(route.sampler.lateness.read()) == 1
    assert route.sampler.kills.read() == 1


def test_a_start_that_is_told_after_the_end_shows_nothing() -> None:
    """Where threads race, the hook of a start may come last."""
    route = Route()
    job = route.arrive()
    route.finish(job)
    route.look()
    route.now += 2 * KEPT
    route.look()
    route.sampler.started(job, 0)
    assert route.look() == []


def test_who_rests_holds_nothing_and_goes_on_counting() -> None:
    route = Route()
    route.arrive()
    route.sampler.rest()
    route.arrive()
    route.wait(6)
    assert route.look() == []
    assert sum(route.sampler.lateness.read()) == 2


KINDS = {
    errors.QueueFull: "refused",
    errors.TooManyAbandoned: "refused",
    errors.ShuttingDown: "refused",
    errors.StartupTimeoutError: "refused",
    errors.QueueTimeoutError: "expired",
    errors.ExecutionTimeoutError: "expired",
    errors.GatewayTimeoutError: "expired",
    errors.IdleTimeoutError: "expired",
    errors.Withdrawn: "withdrawn",
    errors.WorkerLost: "failed",
    errors.ServerClosed: "failed",
    errors.PolicyFailed: "failed",
}


@pytest.mark.parametrize(("error", "kind"), KINDS.items())
def test_kinds_of_errors(error: type[TimeoutsError], kind: str) -> None:
    assert kind_of(error) == kind


@given(st.lists(st.integers(-1, 12)))
def test_a_histogram_counts_each_value_once(values: list[int]) -> None:
    histogram = Histogram((1, 5, 10))
    for value in values:
        histogram.add(value)
        histogram.read()  # looking changes nothing
    naive = [
        sum(value <= 1 for value in values),
        sum(1 < value <= 5 for value in values),
        sum(5 < value <= 10 for value in values),
        sum(value > 10 for value in values),
    ]
    assert histogram.read() == naive


def test_a_tally_does_not_count_its_own_looks() -> None:
    tally = Tally()
    assert tally.read() == tally.read() == 0
    tally.add()
    assert tally.read() == tally.read() == 1
