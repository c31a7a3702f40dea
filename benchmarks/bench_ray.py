"""Ray workers on two nodes of one machine: hangs, a node that is lost on the way, and what a call costs.

A thousand jobs over four actors and eight spares, every twentieth hangs; halfway one of the nodes is removed.
"""

from __future__ import annotations

import logging
import os
import random
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from statistics import median
from time import monotonic, perf_counter, sleep
from typing import Any

from measure import bar, is_quick, per_operation, print_costs, print_header, take_turns
from timeouts import (
    ExecutionTimeout,
    ExecutionTimeoutError,
    GatewayTimeout,
    Observer,
    Outcome,
    QueueTimeout,
    RayWorkers,
    Server,
    WorkerLost,
)

LOOPBACK = "127.0.0.2"  # Ray takes 127.0.0.1 for whatever address the machine has outside
ACTORS = 4
SPARES = 8
LIMIT = 1.0
HANGING = 0.05
LIMITS = GatewayTimeout(30) | QueueTimeout(5) | ExecutionTimeout(10)


def predict(seconds: float) -> float:
    """Take so long."""
    sleep(seconds)
    return seconds


def echo(x: int) -> int:
    return x


class Watch(Observer):
    """Writes down where jobs ran, when callers were told, and when workers were killed and replaced."""

    def __init__(self) -> None:
        self.told: list[float] = []
        self.ran: dict[int, tuple[str, str]] = {}
        self.begun: dict[int, float] = {}
        self.proofs: list[float] = []
        self.last_kill = 0.0
        self.replaced: list[float] = []

    def answered(self, job: Any, outcome: Outcome, now: float) -> None:
        """Note where it ran."""
        del now
        if job.worker is not None:
            self.ran[job.key] = (job.worker.node, type(outcome.error).__name__)
        if outcome.error is not None:
            self.begun[id(outcome.error)] = job.started

    def killed(self, *about: Any) -> None:
        """Note when, and how long it took."""
        *_, took, self.last_kill = about
        self.proofs.append(took)

    def respawned(self, *about: Any) -> None:
        """Note how long it took."""
        *_, took, _ = about
        self.replaced.append(took)

    def tell(self, future: Future[float]) -> None:
        """Note how late a caller is told of an expiry."""
        error = future.exception()
        if isinstance(error, ExecutionTimeoutError):
            self.told.append(monotonic() - self.begun[id(error)] - LIMIT)


@contextmanager
def cluster() -> Iterator[Any]:
    """Start two nodes; the second may be removed."""
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
    import ray
    from ray.cluster_utils import Cluster

    with tempfile.TemporaryDirectory(
        prefix="ray-", dir="/tmp", ignore_cleanup_errors=True
    ) as folder:
        node = {
            "num_cpus": ACTORS + SPARES,
            "object_store_memory": 100 << 20,
            "node_ip_address": LOOPBACK,
        }
        made = Cluster(
            initialize_head=True,
            head_node_args={**node, "include_dashboard": False, "temp_dir": folder},
        )
        made.add_node(**node)
        ray.init(
            address=made.address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _node_ip_address=LOOPBACK,
        )
        try:
            yield made
        finally:
            ray.shutdown()
            made.shutdown()


def storm(nodes: Any, count: int, spares: int) -> None:
    """Serve the jobs, and print what became of them."""
    random.seed(1)
    times = [
        3600.0 if random.random() < HANGING else random.uniform(0.02, 0.05) for _ in range(count)
    ]
    watch = Watch()
    workers = RayWorkers(spares=spares, options={"scheduling_strategy": "SPREAD"})
    options: dict[str, Any] = {"slots": ACTORS, "workers": workers, "observers": [watch]}
    with Server(predict, ExecutionTimeout(LIMIT), **options) as server:
        begun = monotonic()
        futures = [server.submit(seconds) for seconds in times]
        for future in futures:
            future.add_done_callback(watch.tell)
        wait(futures[: count // 2])
        (second,) = nodes.worker_nodes
        lost_node = second.node_id if hasattr(second, "node_id") else second.unique_id
        remover = threading.Thread(target=nodes.remove_node, args=(second,))
        remover.start()
        wait(futures)
        took = monotonic() - begun
        while server.stats().free < ACTORS:
            sleep(0.001)
        back = max(0.0, monotonic() - watch.last_kill)
        remover.join()
    report(count, took, back, watch, futures, lost_node)


def report(  # noqa: PLR0917 - what one run has shown
    count: int, took: float, back: float, watch: Watch, futures: list[Future[float]], node: str
) -> None:
    """Print a row for each promise."""
    outcomes = Counter(type(future.exception()).__name__ for future in futures)
    elsewhere = [n for n, told in watch.ran.values() if told == WorkerLost.__name__ and n != node]
    late = sorted(watch.told)
    p99 = late[int(0.99 * len(late))] if late else 0.0
    rows = {
        "jobs": f"{count} in {took:.1f} s, over {ACTORS} actors",
        "completed": f"{outcomes['NoneType']}",
        "expired": f"{outcomes['ExecutionTimeoutError']}",
        "lost with the node": f"{outcomes['WorkerLost']}; others lost: {len(elsewhere)}",
        "anything else": f"{count - sum(outcomes[n] for n in ('NoneType', 'ExecutionTimeoutError', 'WorkerLost'))}",
        "told late by": f"median {median(late) * 1e3:.1f} ms, p99 {p99 * 1e3:.1f} ms, most {late[-1] * 1e3:.1f} ms  "
        + bar(" ms", p99 * 1e3, 50),
        "a kill is proven in": f"median {median(watch.proofs) * 1e3:.0f} ms, most {max(watch.proofs) * 1e3:.0f} ms",
        "a successor is ready in": f"median {median(watch.replaced):.2f} s, most {max(watch.replaced):.2f} s",
        "all slots back": f"{back:.3f} s after the last kill  " + bar(" s", back, 1),
    }
    width = max(map(len, rows))
    for name, value in rows.items():
        print(f"{name:{width}}  {value}")
    print()


def cost(count: int, rounds: int) -> None:
    """Print what a call costs, beside a call of a bare actor."""
    import ray

    bare = ray.remote(Echo).remote()

    def call_bare(count: int) -> None:
        for x in range(count):
            assert ray.get(bare.echo.remote(x)) == x

    with Server(echo, LIMITS, slots=1, workers="ray") as server:

        def call(count: int) -> None:
            for x in range(count):
                assert server.call(x) == x

        subjects = {
            "bare actor": per_operation(call_bare, count, perf_counter),
            "ray workers": per_operation(call, count, perf_counter),
        }
        print("a handler that does nothing, one caller, three policies")
        print_costs(take_turns(subjects, rounds))


class Echo:
    """The bare actor."""

    def echo(self, x: int) -> int:
        """Do nothing."""
        return x


def main() -> None:
    quick = is_quick(__doc__)
    print_header("Ray workers, two nodes on one machine")
    logging.disable(logging.ERROR)  # of every kill there is a line
    with cluster() as nodes:
        cost(*((10, 2) if quick else (50, 40)))
        storm(nodes, *((20, 0) if quick else (1000, SPARES)))


if __name__ == "__main__":
    main()
