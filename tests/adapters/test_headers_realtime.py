"""What is left is known in worker processes too, and is told from there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from timeouts import GatewayTimeout, GatewayTimeoutError, Server
from timeouts.adapters.headers import Budgets, outgoing_headers

pytestmark = pytest.mark.realtime


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Serves `outgoing_headers` itself in a worker process."""
    with Server(outgoing_headers, GatewayTimeout(600), slots=1, workers="process") as served:
        yield served


def granted(server: Server, budget: float | None) -> float:
    headers = server.call(budget=budget)
    left = Budgets("x-request-timeout-seconds").read(headers.get)
    assert left is not None
    return left


def test_a_worker_process_tells_what_is_left(server: Server) -> None:
    """Of the server's own limit, or of a budget that is shorter."""
    assert 300 < granted(server, None) < 600
    assert 30 < granted(server, 60) < 60


def test_in_a_worker_process_a_call_with_nothing_left_is_refused(server: Server) -> None:
    """The error comes back whole."""
    with pytest.raises(GatewayTimeoutError, match=r"s left; .* margin of 120 s") as caught:
        server.call(margin=120, budget=60)
    assert (caught.value.started, caught.value.work) == (True, "stopped")
    assert 0 <= caught.value.elapsed < 60
