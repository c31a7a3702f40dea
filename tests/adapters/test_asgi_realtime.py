"""FastAPI behind the middleware, under real uvicorn and hypercorn, asked by httpx, curl and bare sockets."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.adapters.asgi_servers import PATIENCE, SERVERS, eventually, serving

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(120)]


@pytest.fixture(scope="module", params=SERVERS)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """Give a server's address, and its log."""
    log = tmp_path_factory.mktemp("served") / "log"
    with serving("tests.adapters.asgi_app:limited", SERVERS[request.param], log) as address:
        yield address, log


@pytest.fixture
def client(served: tuple[str, Path]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served[0], timeout=PATIENCE, trust_env=False) as client:
        yield client
        eventually(lambda: books(client) == (0, 0, 0))


def stats(client: httpx.Client) -> dict[str, Any]:
    told: dict[str, Any] = client.get("/live/stats").json()
    return told


def books(client: httpx.Client) -> tuple[int, int, int]:
    told = stats(client)
    return told["waiting"], told["running"], told["abandoned"]


def outcomes(client: httpx.Client, name: str) -> int:
    count: int = stats(client)["outcomes"].get(name, 0)
    return count


def curl(address: str, *options: str) -> subprocess.CompletedProcess[bytes]:
    command = ["curl", "-sS", "--noproxy", "*", "--max-time", str(PATIENCE), *options, address]
    return subprocess.run(command, capture_output=True, check=False, timeout=2 * PATIENCE)


def test_an_answer_in_time_is_the_applications_own(client: httpx.Client) -> None:
    got = client.get("/hello")
    assert (got.status_code, got.json()) == (200, "hello")
    assert got.headers["server-timing"].startswith("queue;dur=")
    assert client.post("/echo", content=b"x" * 900_000).json() == 900_000
    assert client.post("/echo", content=iter([b"x", b"y" * 100_000])).json() == 100_001
    assert 0 < client.get("/left").json() <= 0.7
    assert client.get("/nowhere").status_code == 404


def test_a_route_that_hangs_is_answered_on_time(client: httpx.Client) -> None:
    began = time.monotonic()
    got = client.get("/hang")
    took = time.monotonic() - began
    assert (got.status_code, got.headers["content-type"]) == (504, "application/problem+json")
    told = got.json()
    assert (told["error"], told["started"], told["limit"]) == ("first_item_timeout", True, 0.7)
    assert 0.7 <= told["elapsed"] <= took < PATIENCE
    assert client.get("/hello").status_code == 200  # on the same connection


def test_a_plain_route_is_told_on_time_and_holds_its_slot_until_its_thread_ends(
    client: httpx.Client,
) -> None:
    got = client.get("/thread/3")
    assert (got.status_code, got.json()["work"]) == (504, "still running")
    assert books(client) == (0, 0, 1)
    eventually(lambda: books(client) == (0, 0, 0))


@pytest.mark.parametrize("path", ["/stalls", "/promised"])
def test_a_body_that_stalls_is_an_incomplete_message(
    client: httpx.Client, served: tuple[str, Path], path: str
) -> None:
    """To httpx and to curl, whose exit status 18 says "partial file"; and the log says why."""
    seen: list[bytes] = []
    with (
        client.stream("GET", path) as got,
        pytest.raises(httpx.RemoteProtocolError, match=r"incomplete chunked read|without sending"),
    ):
        seen.extend(got.iter_bytes())
    assert (got.status_code, seen) == (200, [b"first"])
    done = curl(served[0] + path)
    assert (done.returncode, done.stdout) == (18, b"first")
    assert "cut short: gave no further item in 0.5" in served[1].read_text()


def test_a_stream_of_events_ends_in_an_error_event(
    client: httpx.Client, served: tuple[str, Path]
) -> None:
    got = client.get("/events")
    first, last, end = got.text.split("\n\n")
    assert (got.status_code, first, end) == (200, "data: first", "")
    name, data = last.split("\n")
    told = json.loads(data.removeprefix("data: "))
    assert (name, told["error"], told["status"]) == ("event: error", "idle_timeout", 504)
    done = curl(served[0] + "/events")
    assert (done.returncode, done.stdout.count(b"event: error")) == (0, 1)


def test_a_budget_in_a_header(client: httpx.Client) -> None:
    def asked(seconds: str) -> httpx.Response:
        return client.get("/hang", headers={"x-request-timeout-seconds": seconds})

    got = asked("0.2")
    assert (got.status_code, got.json()["error"]) == (504, "gateway_timeout")
    assert (asked("0").status_code, asked("-1").status_code) == (504, 400)


def test_an_upload_that_is_too_large_is_refused(
    client: httpx.Client, served: tuple[str, Path], tmp_path: Path
) -> None:
    large = b"x" * 3_000_000
    for content in (large, iter([large[:500_000], large[500_000:]])):
        got = client.post("/echo", content=content)
        assert (got.status_code, got.headers["connection"]) == (413, "close")
    (tmp_path / "large").write_bytes(large)
    done = curl(
        served[0] + "/echo", "--data-binary", f"@{tmp_path / 'large'}", "-w", "%{http_code}"
    )
    assert done.stdout.endswith(b"413"), done


def raw(address: str, *lines: str) -> socket.socket:
    """Say something on a bare connection."""
    url = urlsplit(address)
    connection = socket.create_connection((str(url.hostname), url.port or 0), PATIENCE)
    connection.sendall("\r\n".join([*lines, "Host: here", "", ""]).encode())
    return connection


def test_an_upload_that_stalls_is_refused(served: tuple[str, Path]) -> None:
    with raw(served[0], "POST /echo HTTP/1.1", "Content-Length: 10") as connection:
        got = b""
        while chunk := connection.recv(4096):
            got += chunk
    assert got.startswith(b"HTTP/1.1 408")
    assert b"body_timeout allows 1 s" in got


def test_a_client_that_leaves_withdraws_its_job(
    client: httpx.Client, served: tuple[str, Path]
) -> None:
    """While it runs, while it streams, and not while it uploads, for then there is none."""
    for path in ("/patient/hang", "/patient/stream"):
        before = outcomes(client, "withdrawn")
        with raw(served[0], f"GET {path} HTTP/1.1"):
            eventually(lambda: books(client) == (0, 1, 0))
        eventually(lambda before=before: outcomes(client, "withdrawn") == before + 1)  # type: ignore[misc]
    arrived = sum(stats(client)["outcomes"].values())
    with raw(served[0], "POST /echo HTTP/1.1", "Content-Length: 10"):
        pass
    assert sum(stats(client)["outcomes"].values()) == arrived


def test_a_client_that_leaves_stops_a_worker_process(
    client: httpx.Client, served: tuple[str, Path]
) -> None:
    with raw(served[0], "GET /patient/process HTTP/1.1"):
        eventually(lambda: stats(client)["process"]["running"] == 1)
    eventually(lambda: stats(client)["process"] == {"running": 0, "abandoned": 0})


def test_a_client_that_does_not_read_is_broken_off(
    client: httpx.Client, served: tuple[str, Path]
) -> None:
    """Its application is stopped on time; when it reads at last, the message is incomplete."""
    before = outcomes(client, "gateway_timeout")
    with raw(served[0], "GET /flood HTTP/1.1") as connection:
        eventually(lambda: outcomes(client, "gateway_timeout") == before + 1)
        eventually(lambda: books(client) == (0, 0, 0))
        got = b""
        while chunk := connection.recv(1 << 20):
            got = (got + chunk)[-100:]
    assert not got.endswith(b"0\r\n\r\n")
