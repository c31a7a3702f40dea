"""The families of metrics, made once for each registry and shared by all who count there.

Law: a label has few values: `server` is the user's word, the others are classes, outcomes and states.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

from timeouts.observe import facts

try:
    from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram
    from prometheus_client.core import GaugeMetricFamily, Metric
    from prometheus_client.registry import Collector
except ImportError as missing:
    raise ImportError(
        "timeouts.observe.prometheus needs prometheus-client, which is not installed: "
        'pip install "timeouts[prometheus]"'
    ) from missing

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""Seconds, for what a user waits for."""
SHORT = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 10)
"""Seconds, for what should take next to no time."""

GAUGES = {
    "jobs_waiting": ("waiting", "Jobs that wait in the queue."),
    "jobs_running": ("running", "Jobs that run and whose callers wait."),
    "jobs_abandoned": ("abandoned", "Jobs that were answered and whose work still holds a slot."),
    "slots": ("slots", "Slots in service: running + abandoned + free."),
}


class Families(Collector):
    """All families of one namespace in one registry; it collects the gauges itself.

    Attributes:
        servers: those whose books are read at a scrape, each with its label.
    """

    def __init__(self, registry: CollectorRegistry, namespace: str) -> None:
        self._namespace = namespace
        self.servers: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()
        common: dict[str, Any] = {"namespace": namespace, "registry": registry}

        def counter(name: str, about: str, *labels: str) -> Counter:
            return Counter(name, about, ("server", *labels), **common)

        def histogram(name: str, about: str, *labels: str, buckets: Any = BUCKETS) -> Histogram:
            return Histogram(name, about, ("server", *labels), buckets=buckets, **common)

        self.jobs = counter(
            "jobs_total", "Jobs whose callers were told.", "outcome", "policy", "work"
        )
        self.late_work = counter(
            "late_work_total", "Ends of work whose callers had been told before.", "work"
        )
        self.waiting = histogram("waiting_seconds", "From arrival to start.", "expired")
        self.service = histogram("service_seconds", "From start to end.", "expired")
        self.sojourn = histogram("sojourn_seconds", "From arrival to answer.", "expired")
        self.lateness = histogram(
            "lateness_seconds", "From a deadline to the telling of its expiry.", buckets=SHORT
        )
        self.kills = counter(
            "kills_total", "Worker processes that were stopped for a job.", "outcome"
        )
        self.kill_seconds = histogram(
            "kill_seconds", "From the decision to stop a worker to its proven death.", buckets=SHORT
        )
        self.respawns = counter("respawns_total", "Worker processes that replaced a lost one.")
        self.respawn_seconds = histogram(
            "respawn_seconds", "From the proven death of a worker to a ready replacement."
        )
        registry.register(self)

    def describe(self) -> list[Metric]:
        """Name the gauges, so that the registry need not collect them to know."""
        return [*self._gauges().values(), self._reserve()]

    def collect(self) -> Iterable[Metric]:
        """Read the books of all servers that are there; those with the same label add up.

        Of several reserves with the same label it is the longest.
        """
        sums: dict[str, list[float]] = {}
        reserves: dict[str, float] = {}
        for server, label in list(self.servers.items()):
            stats = server.stats()
            reserve = facts.reserve(server.limits, server.advice)
            if reserve is not None:
                reserves[label] = max(reserve, reserves.get(label, 0.0))
            seen = [float(getattr(stats, field)) for field, _ in GAUGES.values()]
            sums[label] = [a + b for a, b in zip(seen, sums.get(label, [0.0] * 4), strict=True)]
        gauges = self._gauges()
        for label, numbers in sums.items():
            for gauge, number in zip(gauges.values(), numbers, strict=True):
                gauge.add_metric([label], number)
        held_back = self._reserve()
        for label, reserve in reserves.items():
            held_back.add_metric([label], reserve)
        return [*gauges.values(), held_back]

    def _reserve(self) -> GaugeMetricFamily:
        about = 'What reserve="auto" holds back of the gateway timeout at present.'
        return GaugeMetricFamily(f"{self._namespace}_reserve_seconds", about, labels=["server"])

    def _gauges(self) -> dict[str, GaugeMetricFamily]:
        return {
            name: GaugeMetricFamily(f"{self._namespace}_{name}", about, labels=["server"])
            for name, (_, about) in GAUGES.items()
        }


_MADE: weakref.WeakKeyDictionary[CollectorRegistry, dict[str, Families]] = (
    weakref.WeakKeyDictionary()
)


def families(registry: CollectorRegistry, namespace: str) -> Families:
    """Return the families of a namespace in a registry; the first who asks makes them."""
    made = _MADE.setdefault(registry, {})
    if namespace not in made:
        made[namespace] = Families(registry, namespace)
    return made[namespace]


__all__ = ["REGISTRY", "CollectorRegistry", "Families", "families"]
