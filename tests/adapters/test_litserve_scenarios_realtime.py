"""What LitServe's own `timeout=1` promises and cannot keep, because a busy worker would have to tell it.

`LITSERVE_ROUNDS=50` runs each scenario so often.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.adapters.asgi_servers import eventually
from tests.adapters.litserve_servers import Served, served, took

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(120)]

ROUNDS = int(os.environ.get("LITSERVE_ROUNDS", "1"))
LIMIT = 1.0
HELD = 3.0
LATER = 0.2  # seconds, longer than a batch waits for others
KINDS = ("single", "batched", "streaming", "batched-streaming")


@pytest.fixture(scope="module", params=KINDS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    with served(request.param, tmp_path_factory.mktemp(request.param)) as server:
        yield server


@pytest.mark.parametrize("number", range(ROUNDS))
def test_behind_a_busy_worker_a_504_comes_when_the_time_is_up_and_not_when_the_worker_is_free(
    server: Served, number: int
) -> None:
    with ThreadPoolExecutor() as threads:
        mark = server.marks / f"{number}-holds"
        held = threads.submit(server.ask, do="sleep", seconds=HELD, mark=mark.name)
        eventually(mark.exists)
        begun = time.monotonic()
        eventually(lambda: took(begun) > LATER)
        began = time.monotonic()
        answer = server.ask(mark=f"{number}-late")
        assert took(began) >= LIMIT
        assert not held.done()
        assert (answer.status_code, answer.json()["error"]) == (504, "queue_timeout")
        assert (answer.json()["started"], answer.json()["limit"]) == (False, LIMIT)
        assert held.result().status_code == 200
    assert server.ask().status_code == 200
    assert not (server.marks / f"{number}-late").exists()
