"""A bench for Ray workers: as for worker processes, time is in the hands of the test, and killing is real."""

from __future__ import annotations

from tests.shells.bench import BlockingBench, ThreadFromTasksBench
from tests.shells.process_bench import Far


class RayBench(Far, BlockingBench):
    """Ray actors, called from threads."""

    workers = "ray"
    sync_streams = True


class RayFromTasksBench(Far, ThreadFromTasksBench):
    """Ray actors, called from tasks; as with threads, no limits can be tried."""

    workers = "ray"
