"""A cluster of two nodes on this machine, and the benches that promises are tried on."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.ray_bench import RayBench, RayFromTasksBench
from tests.processes.house import Logged, command_of, descendants_of, wait_for_deaths
from tests.shells.bench import Bench
from timeouts.testing.hostile import Witness

# Ray has no wheels for it.
collect_ignore_glob = ["test_*.py"] if sys.version_info >= (3, 14) else []

LOOPBACK = "127.0.0.2"  # Ray takes 127.0.0.1 for whatever address the machine has outside
NODE = {"num_cpus": 4, "object_store_memory": 100 << 20, "node_ip_address": LOOPBACK}

ENVIRONMENT = {
    "PYTHONPATH": os.pathsep.join(sys.path),
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # or it warns of what it will do one day
    "RAY_AUTH_MODE": "disabled",  # or it makes a token in the home directory; nobody else comes here
    "RAY_USAGE_STATS_ENABLED": "0",
}


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """Start a head and one more node, on the loopback; end every process of theirs."""
    with _folder() as folder, pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        import ray
        from ray.cluster_utils import Cluster

        head = {**NODE, "include_dashboard": False, "temp_dir": str(folder)}
        made = Cluster(initialize_head=True, head_node_args=head)
        try:
            made.add_node(**NODE)
            ray.init(
                address=made.address,
                log_to_driver=False,
                logging_level=logging.ERROR,
                _node_ip_address=LOOPBACK,
            )
            yield made
        finally:
            below = [pid for pid in descendants_of(os.getpid()) if _is_of_ray(command_of(pid))]
            ray.shutdown()
            made.shutdown()
            wait_for_deaths(below)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    folder = tempfile.mkdtemp(
        prefix="ray-", dir="/tmp"
    )  # a short path, for sockets are named after it
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Witness]:
    """Meets the handlers of one test."""
    with Witness(tmp_path / "witness") as seen:
        yield seen


@pytest.fixture
def logged() -> Iterator[Logged]:
    """Hears what the library logs."""
    handler, logger = Logged(), logging.getLogger("timeouts")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


@pytest.fixture
def bench() -> type[Bench]:
    """Actors, called from threads."""
    return RayBench


@pytest.fixture
def unlimited_bench() -> type[Bench]:
    """Actors, called from tasks, for scenarios without limits."""
    return RayFromTasksBench


def _is_of_ray(command: str) -> bool:
    """Tell Ray's own processes from workers of servers that other tests have open, which have its path in their command."""
    return "ray" in command and "timeouts.workers" not in command
