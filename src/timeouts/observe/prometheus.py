"""Metrics for Prometheus: one family for each notion, with labels of few values.

Laws, which hold whenever nothing is on its way:
- The sum of `jobs_total` is `stats().arrived - waiting - running`; by outcome it is `stats().outcomes`.
- The sum of `late_work_total` and of abandoned jobs is that of `jobs_total{work="still running"}`.
- An interval that a limit has cut short is never counted with those that came to their own end: it
  would be seen at the limit, whatever it would have become. It is kept apart, as `expired="true"`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from timeouts.job import Job
from timeouts.observe import facts
from timeouts.observe.observer import Observer
from timeouts.observe.prometheus_families import REGISTRY, CollectorRegistry, families
from timeouts.outcome import Outcome

if TYPE_CHECKING:
    from timeouts.server import Server


class PrometheusMetrics(Observer):
    """Count what a server does: `Server(predict, limits, observers=[PrometheusMetrics()])`.

    Args:
        registry: where to register; default: prometheus-client's own. Several of these may share one.
        namespace: what the names of the metrics begin with.
        server: the value of the label `server`: the name of the handler or route, one of few.

    Raises:
        TypeError, ValueError: an argument makes no sense; the message names it and its value.

    Cannot do: serve the metrics; `prometheus_client.start_http_server` or the host's own page does.
    Add up several server processes: each is scraped by itself. (The gauges are read at a scrape, which
    prometheus-client's multiprocess mode does not support.)
    """

    def __init__(
        self,
        registry: CollectorRegistry | None = None,
        *,
        namespace: str = "timeouts",
        server: str = "default",
    ) -> None:
        if registry is not None and not isinstance(registry, CollectorRegistry):
            raise TypeError(f"registry must be a CollectorRegistry; got {registry!r}")
        _check_name("namespace", namespace)
        _check_name("server", server)
        self._families = all_ = families(REGISTRY if registry is None else registry, namespace)
        self._server = server
        self._jobs: dict[tuple[str, str, str], Any] = {}
        self._waiting, self._waiting_expired = _both(all_.waiting, server)
        self._service, self._service_expired = _both(all_.service, server)
        self._sojourn, self._sojourn_expired = _both(all_.sojourn, server)
        self._lateness = all_.lateness.labels(server)
        self._kill_seconds = all_.kill_seconds.labels(server)
        self._respawns = all_.respawns.labels(server)
        self._respawn_seconds = all_.respawn_seconds.labels(server)

    def opened(self, server: Server) -> None:
        """Read this server's books at each scrape, while it is there."""
        self._families.servers[server] = self._server

    def started(self, job: Job, now: float) -> None:  # noqa: ARG002 - the job knows it better
        """Count a wait that came to its end."""
        self._waiting.observe(job.started - job.arrived)

    def answered(self, job: Job, outcome: Outcome, now: float) -> None:
        """Count a job, and the intervals that are over with it."""
        self._counter(job, outcome).inc()
        error = facts.expiry(job, outcome)
        if error is not None:
            deadline = facts.deadline_of(job, error)
            self._lateness.observe(_between(deadline, _clock_of(job).now()))
            self._sojourn_expired.observe(_between(job.arrived, now))
            if error.started:
                self._service_expired.observe(_between(job.started, now))
            else:
                self._waiting_expired.observe(_between(job.arrived, now))
        elif job.error is None:
            self._service.observe(_between(job.started, now))
            self._sojourn.observe(_between(job.arrived, now))

    def late(self, job: Job, outcome: Outcome, now: float) -> None:  # noqa: ARG002 - the error says it
        """Count the end of work that nobody waited for."""
        work = "stopped" if job.error is None else job.error.work
        self._families.late_work.labels(self._server, work).inc()

    def killed(self, job: Job, pid: int, cause: str, seconds: float, now: float) -> None:  # noqa: ARG002
        """Count a worker that was stopped."""
        outcome = "failed" if job.error is None else job.error.name
        self._families.kills.labels(self._server, outcome).inc()
        self._kill_seconds.observe(seconds)

    def respawned(self, number: int, pid: int, seconds: float, now: float) -> None:  # noqa: ARG002
        """Count a worker that took the place of a lost one."""
        self._respawns.inc()
        self._respawn_seconds.observe(seconds)

    def _counter(self, job: Job, outcome: Outcome) -> Any:
        if job.error is None and outcome.error is None:  # nearly always
            key = ("completed", "none", facts.DONE)
        else:
            key = (
                facts.outcome_name(job, outcome),
                facts.policy_name(job, outcome),
                facts.work_name(job, outcome),
            )
        counter = self._jobs.get(key)
        if counter is None:
            counter = self._jobs[key] = self._families.jobs.labels(self._server, *key)
        return counter


def _both(histogram: Any, server: str) -> tuple[Any, Any]:
    """Return the histogram of intervals that ended by themselves, and of those cut short."""
    return histogram.labels(server, "false"), histogram.labels(server, "true")


def _check_name(parameter: str, value: object) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{parameter} must be a string; got {value!r}")
    if not value:
        raise ValueError(f"{parameter} must be a name, which an empty string is not")


def _between(since: float, now: float) -> float:
    """Return the seconds between two instants, which two threads may have read in the other order."""
    return now - since if now > since else 0.0


def _clock_of(job: Any) -> Any:
    return job.clock  # a server's jobs are calls
