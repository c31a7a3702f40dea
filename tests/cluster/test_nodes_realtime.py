"""Nodes come and go: who notices, and who does not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster import ways
from tests.cluster.conftest import NODE
from tests.cluster.hall import PATIENCE, Hall, eventually
from timeouts import WorkerLost
from timeouts.testing import hostile
from timeouts.testing.hostile import Witness
from timeouts.workers.ray import staff

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.timeout(120),  # the first test waits for a whole cluster to start
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Ray leaves sockets to the collector
]

SEAT = {**NODE, "num_cpus": 1, "resources": {"seat": 1}}


def test_a_lost_node_takes_its_own_jobs_and_its_slot(
    cluster: Any, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its job is lost and its slot out of service, until another node has a place; the others serve."""
    monkeypatch.setattr(
        staff, "whereabouts", lambda: "another machine"
    )  # wardens die with their nodes
    nodes = [cluster.add_node(**SEAT) for _ in range(2)]
    options = {"num_cpus": 0, "resources": {"seat": 1}}
    hall = Hall(options=options)
    try:
        hall.settle()
        places = {worker.node: worker.pid for worker in hall.workers()}
        assert len(places) == 2
        futures = [hall.server.submit(hostile.sleeps, witness.path) for _ in range(2)]
        witness.wait(2)
        queued = hall.server.submit(ways.where)
        lost = nodes.pop()
        cluster.remove_node(lost)
        eventually(lambda: any(future.done() for future in futures))
        (victim,) = (future for future in futures if future.done())
        error = victim.exception()
        assert isinstance(error, WorkerLost)
        assert "node" in str(error)
        assert hall.server.stats().slots == 1
        assert not queued.done()
        (survivor,) = (future for future in futures if not future.done())
        nodes.append(cluster.add_node(**SEAT))
        assert queued.result(PATIENCE)[1] not in places
        assert not survivor.done()
        assert hall.server.stats().slots == 2
    finally:
        hall.server.__exit__(KeyError, None, None)
        for node in nodes:
            cluster.remove_node(node)
