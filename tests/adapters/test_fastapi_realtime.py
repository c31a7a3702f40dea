"""Routes of FastAPI that depend on limits, under real uvicorn: on time, and no slot returns too early."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.adapters.asgi_servers import PATIENCE, SERVERS, eventually, serving

pytestmark = pytest.mark.realtime
IDLE = [0, 0, 0]


@pytest.fixture(scope="module", params=["uvicorn-httptools-uvloop"])
def address(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    log = tmp_path_factory.mktemp("served") / "log"
    with serving("tests.adapters.fastapi_app:app", SERVERS[request.param], log) as address:
        yield address
    wrong = log.read_text()
    assert wrong.count("Traceback") <= wrong.count("RuntimeError: the body of an answer was cut"), (
        wrong
    )
    assert "late: its caller" not in wrong, wrong


@pytest.fixture
def client(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=PATIENCE, trust_env=False) as client:
        yield client
        eventually(lambda: all(rest[:3] == IDLE for rest in books(client).values()))


def told(client: httpx.Client) -> dict[str, Any]:
    got: dict[str, Any] = client.get("/books").json()
    return got


def books(client: httpx.Client) -> dict[str, Any]:
    """Return how many wait, run and are abandoned, and the outcomes, for each of the limits."""
    return {name: rest for name, rest in told(client).items() if name != "ended"}


@pytest.mark.parametrize("path", ["/short/thread", "/short/dependency"])
def test_a_thread_is_told_on_time_and_holds_its_slot_until_it_ends(
    client: httpx.Client, path: str
) -> None:
    """A route's, and a dependency's."""
    before = told(client)["ended"]
    began = time.monotonic()
    got = client.get(path, params={"seconds": 2})
    took = time.monotonic() - began
    assert (got.status_code, got.json()["work"]) == (504, "still running")
    assert 0.5 <= got.json()["elapsed"] <= took < PATIENCE
    now = told(client)
    assert (now["short"][:3], now["ended"]) == ([0, 0, 1], before)

    def released() -> bool:
        now = told(client)
        over: bool = now["ended"] > before
        free: bool = now["short"][2] == 0
        assert over or not free, "the slot has returned, and the thread runs"
        return free

    eventually(released)


def test_a_coroutine_is_stopped_on_time(client: httpx.Client) -> None:
    got = client.get("/short/hang")
    assert (got.status_code, got.json()["policy"]) == (504, "GatewayTimeout(0.5)")
    eventually(lambda: books(client)["short"][:3] == IDLE)


def test_what_runs_after_the_answer_holds_no_slot(client: httpx.Client) -> None:
    before = told(client)["ended"]
    assert client.get("/short/background").json() == "at once"
    now = told(client)
    assert (now["short"][:3], now["ended"]) == (IDLE, before)
    eventually(lambda: told(client)["ended"] > before)


def test_who_waits_too_long_is_told_on_time(address: str, client: httpx.Client) -> None:
    """While a thread has the only slot."""
    with ThreadPoolExecutor() as pool:
        first = pool.submit(
            httpx.get, f"{address}/one?seconds=1.5", timeout=PATIENCE, trust_env=False
        )
        eventually(lambda: books(client)["one"][1] == 1)
        got = client.get("/one?seconds=0")
        assert (got.status_code, got.json()["error"]) == (503, "queue_timeout")
        assert not first.done()
        assert first.result().json() == "late"


@pytest.mark.parametrize("path", ["/stream/async", "/stream/thread?seconds=1.5"])
def test_a_body_that_stalls_is_an_incomplete_message(client: httpx.Client, path: str) -> None:
    """Through a middleware of the user's that stands inside the limits."""
    seen: list[bytes] = []
    with (
        client.stream("GET", path) as got,
        pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"),
    ):
        seen.extend(got.iter_bytes())
    assert (got.status_code, seen) == (200, [b"first"])


def test_a_guarded_route_kills_its_process(client: httpx.Client) -> None:
    got = client.get("/guarded/process")
    assert (got.status_code, got.headers["content-type"]) == (504, "application/problem+json")
    assert got.json()["policy"] == "GatewayTimeout(0.5)"
    eventually(lambda: books(client)["killed"][:3] == IDLE)


def test_a_client_that_leaves_takes_its_work_along(address: str, client: httpx.Client) -> None:
    """That of a worker process too."""
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(
            f"{address}/patient/process", timeout=httpx.Timeout(PATIENCE, read=1), trust_env=False
        )
    eventually(lambda: books(client)["patient"] == [0, 0, 0, {"withdrawn": 1}])
    eventually(lambda: books(client)["worker"] == [0, 0, 0, {"withdrawn": 1}])
