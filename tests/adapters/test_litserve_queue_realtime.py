"""The queue in front of LitServe: two API servers that share the two workers of one endpoint."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpx
import pytest

from tests.adapters.asgi_servers import PATIENCE, eventually
from tests.adapters.litserve_servers import Served, served, took

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(120)]

WORKERS = 2
API_SERVERS = 2
CAPACITY = 4  # of each API server's queue
HELD = 3.0  # seconds, longer than anybody may wait


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served("pair", tmp_path_factory.mktemp("pair"), API_SERVERS) as server:
        yield server


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(32) as threads:
        yield threads


def ask(server: Served, **told: object) -> httpx.Response:
    """Ask over a connection of its own, which either API server may get."""
    with httpx.Client(base_url=server.address, timeout=PATIENCE, trust_env=False) as client:
        return client.post("/predict", json=told)


@pytest.fixture
def busy(
    server: Served, threads: ThreadPoolExecutor, request: pytest.FixtureRequest
) -> list[Future[httpx.Response]]:
    """Keep all workers busy."""
    marks = [f"{request.node.name}-{number}" for number in range(WORKERS)]
    held = [threads.submit(ask, server, do="sleep", seconds=HELD, mark=mark) for mark in marks]
    eventually(lambda: all((server.marks / mark).exists() for mark in marks))
    return held


def test_setup_was_called_once_for_each_worker(server: Served) -> None:
    assert len([*server.marks.glob("setup-*")]) == WORKERS  # preload: all others are forks


def test_no_request_waits_beside_an_idle_worker_whichever_api_server_has_it(
    server: Served, threads: ThreadPoolExecutor
) -> None:
    for _ in range(4):
        asked = [threads.submit(ask, server, do="when", seconds=1.5) for _ in range(WORKERS)]
        (began, ended), (began_too, ended_too) = (f.result().json()["answer"] for f in asked)
        assert max(began, began_too) < min(ended, ended_too)


def test_never_more_run_than_there_are_workers(server: Served, threads: ThreadPoolExecutor) -> None:
    asked = [threads.submit(ask, server, do="when", seconds=0.1) for _ in range(8)]
    answers = [future.result() for future in asked]  # some may have come to a queue that was full
    spans: list[Any] = [each.json()["answer"] for each in answers if each.status_code == 200]
    assert len(spans) > WORKERS
    for instant, _ in spans:
        assert sum(began <= instant < ended for began, ended in spans) <= WORKERS


def test_who_waits_too_long_is_told_on_time(
    server: Served, busy: list[Future[httpx.Response]]
) -> None:
    began = time.monotonic()
    answer = ask(server, mark="waited")
    assert 1 <= took(began) < HELD
    assert not any(held.done() for held in busy)
    assert (answer.status_code, answer.json()["error"]) == (503, "queue_timeout")
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) >= 1
    assert [held.result().status_code for held in busy] == [200] * WORKERS
    assert not (server.marks / "waited").exists()


def test_more_than_may_wait_are_refused_at_once(
    server: Served, threads: ThreadPoolExecutor, busy: list[Future[httpx.Response]]
) -> None:
    asked = [threads.submit(ask, server) for _ in range(API_SERVERS * CAPACITY + 12)]
    answers = [future.result() for future in asked]
    assert not any(held.done() for held in busy)
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert all(answer.json()["error"] == "queue_full" for answer in refused)
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)


def test_who_has_left_is_never_started(server: Served, busy: list[Future[httpx.Response]]) -> None:
    with (
        suppress(httpx.ReadTimeout),
        httpx.Client(base_url=server.address, timeout=0.3, trust_env=False) as client,
    ):
        client.post("/predict", json={"mark": "left"})
        pytest.fail("it was answered")
    assert [held.result().status_code for held in busy] == [200] * WORKERS
    assert ask(server).status_code == 200
    assert not (server.marks / "left").exists()


def test_health_checks_and_documents_pass_by(
    server: Served, busy: list[Future[httpx.Response]]
) -> None:
    for path in ("/health", "/info", "/openapi.json"):
        assert server.client.get(path).status_code == 200
    assert server.client.get("/predict").status_code == 405
    assert not any(held.done() for held in busy)


def test_each_process_logs_over_a_connection_of_its_own(server: Served) -> None:
    def logs(number: int) -> bool:
        return ask(server, log=number).status_code == 200

    with ThreadPoolExecutor(WORKERS) as threads:
        assert all(threads.map(logs, range(20)))  # also after `setup` has logged, before the forks
    for number in range(20):
        eventually((server.marks / f"logged-predict-{number}").exists)
    assert len([*server.marks.glob("logged-setup-*")]) == WORKERS


def test_a_spare_takes_the_place_of_one_that_was_stopped(
    server: Served, threads: ThreadPoolExecutor
) -> None:
    hung = [threads.submit(ask, server, do="sleep", seconds=60) for _ in range(WORKERS)]
    answers = [future.result() for future in hung]
    assert [answer.status_code for answer in answers] == [504] * WORKERS
    assert {answer.json()["error"] for answer in answers} == {"execution_timeout"}
    assert {ask(server).status_code for _ in range(WORKERS)} == {200}
    assert len([*server.marks.glob("setup-*")]) == WORKERS
