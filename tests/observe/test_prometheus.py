"""Metrics balance with the books, whatever happens, and keep what was cut short apart."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from tests.observe.traffic import Request, play, requests
from timeouts import ExecutionTimeout, GatewayTimeout, Observer, Policy, QueueTimeout, Server
from timeouts.call import Call
from timeouts.errors import WorkerLost
from timeouts.job import Job
from timeouts.observe.prometheus import PrometheusMetrics
from timeouts.outcome import Outcome
from timeouts.testing import ManualClock


class Scrape:
    """What a registry has to tell at one moment."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.samples = [sample for family in registry.collect() for sample in family.samples]

    def sum(self, name: str, **labels: str) -> float:
        """Return the sum of all series of a name that have these labels."""
        return sum(
            sample.value
            for sample in self.samples
            if sample.name == f"timeouts_{name}" and labels.items() <= sample.labels.items()
        )

    def by(self, name: str, label: str) -> dict[str, float]:
        """Return the sums by the values of one label, without those that are nothing."""
        sums: Counter[str] = Counter()
        for sample in self.samples:
            if sample.name == f"timeouts_{name}" and sample.value:
                sums[sample.labels[label]] += sample.value  # type: ignore[assignment]
        return dict(sums)


def metrics(**options: Any) -> tuple[PrometheusMetrics, CollectorRegistry]:
    registry = CollectorRegistry()
    return PrometheusMetrics(registry, **options), registry


def seen(*script: Request, **options: Any) -> Scrape:
    """Play a script and return what is scraped afterwards."""
    observer, registry = metrics()
    play(list(script), [observer], **options)
    return Scrape(registry)


class Tally(Observer):
    """Counts what the intervals must be counts of, from the hooks alone."""

    def __init__(self) -> None:
        self.started_ = self.expired_waiting = self.expired_running = self.ended = 0

    def started(self, job: Job, now: float) -> None:
        self.started_ += 1

    def answered(self, job: Job, outcome: Outcome, now: float) -> None:
        if job.error is None:
            self.ended += 1
        elif isinstance(job.error, TimeoutError):
            self.expired_running += job.error.started
            self.expired_waiting += not job.error.started


# Laws.


@given(st.lists(requests, max_size=12), st.none() | st.integers(0, 12), st.integers(0, 3))
def test_the_sum_of_jobs_is_what_arrived_and_neither_waits_nor_runs(
    script: list[Request], closes: int | None, capacity: int
) -> None:
    """At every moment, by outcome as well, and the gauges are the books."""
    observer, registry = metrics()

    def look(server: Server) -> None:
        stats, scrape = server.stats(), Scrape(registry)
        assert scrape.sum("jobs_total") == stats.arrived - stats.waiting - stats.running
        assert scrape.by("jobs_total", "outcome") == stats.outcomes
        for gauge in ("waiting", "running", "abandoned"):
            assert scrape.sum(f"jobs_{gauge}") == getattr(stats, gauge)
        assert scrape.sum("slots") == stats.slots

    play(script, [observer], closes=closes, capacity=capacity, look=look)


@given(st.lists(requests, max_size=12), st.none() | st.integers(0, 12))
def test_late_work_and_abandoned_jobs_are_those_that_were_still_running(
    script: list[Request], closes: int | None
) -> None:
    """Work is counted as it was when the caller was told, and once more at its end."""
    observer, registry = metrics()

    def look(server: Server) -> None:
        scrape = Scrape(registry)
        running_on = scrape.sum("jobs_total", work="still running")
        assert scrape.sum("late_work_total") + server.stats().abandoned == running_on

    play(script, [observer], closes=closes, look=look)


@given(st.lists(requests, max_size=12), st.none() | st.integers(0, 12))
def test_what_a_limit_cut_short_is_kept_apart(script: list[Request], closes: int | None) -> None:
    """Every interval is in one histogram if it came to its end or expired, and in none otherwise."""
    (observer, registry), tally = metrics(), Tally()
    play(script, [observer, tally], closes=closes)
    scrape = Scrape(registry)

    def count(interval: str, expired: str) -> float:
        return scrape.sum(f"{interval}_seconds_count", expired=expired)

    expired = tally.expired_waiting + tally.expired_running
    assert count("waiting", "false") == tally.started_
    assert count("waiting", "true") == tally.expired_waiting
    assert count("service", "false") == count("sojourn", "false") == tally.ended
    assert count("service", "true") == tally.expired_running
    assert count("sojourn", "true") == expired
    assert scrape.sum("lateness_seconds_count") == expired
    ruled = scrape.sum("jobs_total") - scrape.sum("jobs_total", policy="none")
    assert ruled == expired


# Examples.


def test_each_expiry_is_counted_under_its_rule_and_what_is_known_of_its_work() -> None:
    """The first runs too long, the second waits too long, the budget of the third is short."""
    scrape = seen(Request(takes=99), Request(takes=1), Request(takes=1, budget=2), slots=1)
    jobs = [
        tuple(s.labels[label] for label in ("outcome", "policy", "work"))
        for s in scrape.samples
        if s.name == "timeouts_jobs_total"
    ]
    assert sorted(jobs) == [
        ("execution_timeout", "ExecutionTimeout", "still running"),
        ("gateway_timeout", "Budget", "never started"),
        ("queue_timeout", "QueueTimeout", "never started"),
    ]
    assert scrape.by("late_work_total", "work") == {"stopped": 1}


def test_the_intervals_are_the_true_ones() -> None:
    """One runs for 2 s, the other waits for 2 s and runs for 3 s; both are in time."""
    scrape = seen(Request(takes=2), Request(takes=3), slots=1)
    assert scrape.sum("waiting_seconds_sum", expired="false") == 2
    assert scrape.sum("service_seconds_sum", expired="false") == 5
    assert scrape.sum("sojourn_seconds_sum", expired="false") == 2 + 5


def test_a_run_that_was_cut_short_is_seen_at_its_limit_and_apart() -> None:
    """The bucket of 10 s has it, though it would have taken 99 s: which is why it is kept apart."""
    scrape = seen(Request(takes=99), limits=ExecutionTimeout(7))
    assert scrape.sum("service_seconds_sum", expired="true") == 7
    assert scrape.sum("service_seconds_count", expired="false") == 0


def test_a_caller_who_leaves_ends_no_interval() -> None:
    """Neither did the work end, nor a limit pass."""
    scrape = seen(Request(takes=5, leaves=2))
    assert scrape.by("jobs_total", "outcome") == {"withdrawn": 1}
    assert scrape.sum("service_seconds_count") == scrape.sum("sojourn_seconds_count") == 0


def test_lateness_is_counted_until_the_caller_is_told() -> None:
    """The server's time goes on between the decision and the hook of this observer: 0.5 s here."""
    clock = ManualClock()

    class Slow(Observer):
        def answered(self, job: Job, outcome: Outcome, now: float) -> None:
            clock.advance(0.5)

    observer, registry = metrics()
    server = Server(
        lambda: None, QueueTimeout(3), slots=1, clock=clock, observers=[Slow(), observer]
    )
    server._shell.core.slots = 0
    future = server.submit()
    clock.advance(3)
    assert future.exception(20) is not None
    assert Scrape(registry).sum("lateness_seconds_sum") == 0.5
    server.close()


def test_a_lost_worker_is_a_failure_with_its_work_killed() -> None:
    """A worker that was lost is not a limit that passed."""
    observer, registry = metrics()
    job = Job(1)
    job.arrived, job.started = 0.0, 1.0
    observer.answered(job, Outcome(error=WorkerLost("it died", started=True, work="killed")), 2.0)
    assert Scrape(registry).sum("jobs_total", outcome="failed", work="killed", policy="none") == 1


def test_a_soft_limit_counts_as_an_expiry() -> None:
    """Its run was cut short as well; stats() count it as failed, since its handler has raised."""
    observer, registry = metrics()
    policy = ExecutionTimeout(10, soft=8)
    server = Server(lambda: None, clock=ManualClock(30))
    call = server.callers.make(Call, None, None, lambda: None, (), {})
    call.arrived, call.started, call.stack = 0.0, 20.0, GatewayTimeout(60) | policy
    error = policy.error(policy=policy, limit=8.0, elapsed=8.5, started=True, work="stopped")
    observer.answered(call, Outcome(error=error), 28.5)
    scrape = Scrape(registry)
    assert (
        scrape.sum("jobs_total", outcome="failed", policy="ExecutionTimeout", work="stopped") == 1
    )
    assert scrape.sum("service_seconds_sum", expired="true") == 8.5
    assert scrape.sum("lateness_seconds_sum") == 2  # 20 + 8, told at 30
    server.close()


def test_a_timeout_of_another_server_is_the_handlers_own_failure() -> None:
    """The handler called elsewhere and let the error out: no rule of this job has passed."""
    observer, registry = metrics()
    job = Job(1)
    job.arrived, job.started, job.stack = 0.0, 1.0, GatewayTimeout(60) | ExecutionTimeout(10)
    elsewhere = ExecutionTimeout(5, soft=2)
    error = elsewhere.error(policy=elsewhere, limit=2.0, started=True, work="killed")
    observer.answered(job, Outcome(error=error), 3.0)
    scrape = Scrape(registry)
    assert scrape.sum("jobs_total", outcome="failed", policy="none", work="done") == 1
    assert scrape.sum("service_seconds_count", expired="false") == 1


def test_a_policy_that_fails_is_no_limit_that_passed() -> None:
    """It is named, but it cut nothing short at an instant: it has none."""

    class Broken(Policy):
        def deadline(self, job: Job) -> float:
            raise LookupError("a policy's own bug")

    scrape = seen(Request(), limits=Broken())
    assert scrape.sum("jobs_total", outcome="policy_failed", policy="Broken") == 1
    assert scrape.sum("lateness_seconds_count") == scrape.sum("sojourn_seconds_count") == 0


def test_kills_and_respawns() -> None:
    """A kill is counted under what its job was told."""
    observer, registry = metrics()
    job = Job(1)
    job.error = ExecutionTimeout(1).error()
    observer.killed(job, 4711, "killed by SIGKILL", 0.25, 9.0)
    observer.respawned(0, 4712, 1.5, 10.5)
    scrape = Scrape(registry)
    assert scrape.by("kills_total", "outcome") == {"execution_timeout": 1}
    assert scrape.sum("kill_seconds_sum") == 0.25
    assert scrape.sum("respawns_total") == 1
    assert scrape.sum("respawn_seconds_sum") == 1.5


# Registries and names.


def test_what_is_collected_can_be_scraped() -> None:
    """The text says the same, and Prometheus can read it."""
    observer, registry = metrics()
    play([Request(), Request(takes=99)], [observer])
    text = generate_latest(registry).decode()
    read = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    told = {(s.name, *sorted(s.labels.items())): s.value for s in Scrape(registry).samples}
    assert read == told


def test_several_servers_share_one_registry() -> None:
    """Each has its label; the families are there once."""
    registry = CollectorRegistry()
    for route in ("embed", "rank"):
        play([Request()], [PrometheusMetrics(registry, server=route)])
    assert Scrape(registry).by("jobs_total", "server") == {"embed": 1, "rank": 1}


def test_two_servers_of_one_observer_add_up() -> None:
    """One label, one sum."""
    observer, registry = metrics()
    servers = [Server(lambda: None, slots=3, observers=[observer]) for _ in range(2)]
    assert Scrape(registry).sum("slots") == 6
    del servers


def test_a_server_that_is_gone_is_no_longer_scraped() -> None:
    """The metrics keep no server alive; what was counted stays."""
    observer, registry = metrics()
    server = Server(lambda: None, slots=3, observers=[observer])
    server.call()
    server.close()
    del server
    gc.collect()
    scrape = Scrape(registry)
    assert scrape.sum("slots") == 0
    assert scrape.sum("jobs_total") == 1


def test_unlimited_slots_are_infinite() -> None:
    """As task workers have them by default."""
    observer, registry = metrics()
    play([], [observer], slots=None, look=lambda _: None)
    server = Server(_coroutine, observers=[observer])
    assert Scrape(registry).sum("slots") == float("inf")
    server.close()


async def _coroutine() -> None:
    """Nothing."""


def test_the_namespace_begins_every_name() -> None:
    """Each family has the label `server`, and none that is not listed here."""
    observer, registry = metrics(namespace="models")
    play([Request(), Request(takes=99)], [observer])
    samples = Scrape(registry).samples
    assert {s.name.partition("_")[0] for s in samples} == {"models"}
    known = {"server", "outcome", "policy", "work", "expired", "le"}
    assert all("server" in s.labels and set(s.labels) <= known for s in samples)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"registry": "default"}, TypeError, "registry must be a CollectorRegistry; got 'default'"),
        ({"server": 7}, TypeError, "server must be a string; got 7"),
        ({"server": ""}, ValueError, "server must be a name"),
        ({"namespace": None}, TypeError, "namespace must be a string; got None"),
    ],
)
def test_nonsense_is_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        PrometheusMetrics(**{"registry": CollectorRegistry(), **options})


def test_the_default_registry_is_prometheus_clients_own() -> None:
    """In a process of its own, so that nothing stays behind in this one."""
    script = (
        "from timeouts.observe import PrometheusMetrics; from prometheus_client import REGISTRY\n"
        "PrometheusMetrics(); PrometheusMetrics(server='other')\n"
        "print(REGISTRY.get_sample_value('timeouts_respawns_total', {'server': 'default'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=50, check=True
    )
    assert done.stdout == "0.0\n"
