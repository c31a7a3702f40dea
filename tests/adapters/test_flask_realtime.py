"""Flask and process workers under real gunicorn, which forks: the promises, and where a sync worker ends them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.adapters.asgi_servers import PATIENCE, eventually
from tests.adapters.wsgi_servers import SYNC, THREADS, gunicorn

pytestmark = pytest.mark.realtime
APP = "tests.adapters.wsgi_guarded_app:app"
PRELOADED = "tests.adapters.wsgi_guarded_preload:app"
IDLE = {"front": [0, 0, 0], "model": [0, 0, 0], "view": [0, 0, 0]}


@pytest.fixture(
    scope="module",
    params=[
        pytest.param([APP, *SYNC], id="sync"),
        pytest.param([PRELOADED, *THREADS, "--preload"], id="gthread-preload"),
    ],
)
def address(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Give a server's address; when it has ended, so have the processes that its views have used."""
    log = tmp_path_factory.mktemp("gunicorn") / "log"
    app, *options = request.param
    with gunicorn(app, log, *options) as address:
        assert httpx.get(f"{address}/warm", timeout=PATIENCE, trust_env=False).text == "warm"
        yield address
        used = httpx.get(f"{address}/model/0.0", timeout=PATIENCE, trust_env=False).json()["pid"]
    eventually(lambda: not Path(f"/proc/{used}").exists() or is_zombie(used))
    assert "Traceback" not in log.read_text(), log.read_text()


def is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.fixture
def client(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=PATIENCE, trust_env=False) as client:
        yield client
        eventually(lambda: books(client) == IDLE)


def books(client: httpx.Client) -> dict[str, Any]:
    told: dict[str, Any] = client.get("/books").json()
    assert told.pop("pid") != os.getpid()
    return told


def test_a_view_that_hangs_in_a_thread_is_told_on_time(client: httpx.Client) -> None:
    """And by the queue's limit the next one, while the thread has the only slot."""
    got, next_one = client.get("/thread/2.0"), client.get("/thread/0.0")
    assert (got.status_code, got.json()["error"]) == (504, "gateway_timeout")
    assert got.json()["work"] == "still running"
    assert (next_one.status_code, next_one.json()["error"]) == (503, "queue_timeout")


def test_a_guarded_view_is_stopped_and_the_next_is_served(client: httpx.Client) -> None:
    """In a worker process of the server's worker process."""
    before = client.get("/view/0.0").json()["pid"]
    got = client.get("/view/60.0")
    assert (got.status_code, got.headers["content-type"]) == (504, "application/problem+json")
    assert got.json()["policy"] == "ExecutionTimeout(0.5)"
    after = client.get("/view/0.0").json()["pid"]
    assert len({before, after, client.get("/books").json()["pid"]}) == 3


def test_what_a_view_calls_shares_its_deadline_and_is_stopped_with_it(client: httpx.Client) -> None:
    """The limit is the front's, 2.5 s; the model's own is longer. The thread of the view ends too."""
    before = client.get("/model/0.0").json()["pid"]
    got = client.get("/model/50.0")
    assert (got.status_code, got.json()["limit"]) == (504, 2.5)
    eventually(lambda: books(client) == IDLE)
    assert client.get("/model/0.0").json()["pid"] != before


def test_who_waits_is_told_on_time_by_threads_and_late_by_a_sync_worker(
    client: httpx.Client, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """A sync worker takes one request at a time: the next one waits in the kernel, where nobody sees it."""

    def ask(path: str) -> tuple[httpx.Response, float]:
        began = time.monotonic()
        got = httpx.get(f"{client.base_url}{path}", timeout=PATIENCE, trust_env=False)
        return got, time.monotonic() - began

    with ThreadPoolExecutor() as pool:
        first = pool.submit(ask, f"/thread/2.5?mark={tmp_path / 'mark'}")
        eventually((tmp_path / "mark").exists)
        got, took = ask("/thread/0.0")
    assert first.result()[0].status_code == 504
    assert (got.status_code, got.json()["error"]) == (503, "queue_timeout")
    assert took >= got.json()["elapsed"] >= 0.5
    if "sync" in request.node.callspec.id:
        assert took - got.json()["elapsed"] > 0.4, "the kernel's queue was not in the way"
