"""Flask and Django behind the middleware, under real gunicorn processes and real clients."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.adapters.asgi_servers import PATIENCE, eventually
from tests.adapters.wsgi_servers import SYNC, THREADS, gunicorn

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(120)]

FLASK = "tests.adapters.wsgi_flask_app:limited"
DJANGO = "tests.adapters.wsgi_django_app:limited"
FLASKS = [
    pytest.param((FLASK, *SYNC), id="flask-sync"),
    pytest.param((FLASK, *THREADS, "--preload"), id="flask-gthread-preload"),
]
DJANGOS = [pytest.param((DJANGO, *THREADS), id="django-gthread")]
in_flask = pytest.mark.parametrize("served", FLASKS, indirect=True, scope="module")


@pytest.fixture(scope="module", params=[*FLASKS, *DJANGOS])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """Give a server's address, and its log."""
    app, *options = request.param
    log = tmp_path_factory.mktemp("gunicorn") / "log"
    with gunicorn(app, log, *options) as address:
        yield address, log


@pytest.fixture
def client(served: tuple[str, Path]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served[0], timeout=PATIENCE, trust_env=False) as client:
        yield client


def test_an_answer_in_time_is_the_application_s_own(client: httpx.Client) -> None:
    got = client.get("/hello")
    assert (got.status_code, got.text) == (200, "hello")
    assert got.headers["content-length"] == "5"
    assert got.headers["server-timing"].startswith("queue;dur=")
    head = client.head("/hello")
    assert (head.status_code, head.headers["content-length"], head.content) == (200, "5", b"")


def test_a_view_that_hangs_is_answered_on_time_and_the_next_is_served(
    client: httpx.Client,
) -> None:
    """By the same worker process, also a sync one, whose only thread is free again."""
    began = time.monotonic()
    got = client.get("/hang")
    took = time.monotonic() - began
    assert got.status_code == 504
    assert got.headers["content-type"] == "application/problem+json"
    told = got.json()
    assert (told["error"], told["started"], told["limit"]) == ("gateway_timeout", True, 0.3)
    assert 0.3 <= told["elapsed"] <= took < PATIENCE
    assert client.get("/hello").text == "hello"


def test_a_body_that_stalls_is_an_incomplete_message(
    client: httpx.Client, served: tuple[str, Path]
) -> None:
    """Never the normal end of a chunked body; and the log says why."""
    seen: list[bytes] = []
    with (
        client.stream("GET", "/stalls") as got,
        pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"),
    ):
        seen.extend(got.iter_bytes())
    assert (got.status_code, seen) == (200, [b"first"])
    eventually(lambda: "cut short: gave no further item" in served[1].read_text())


def test_an_upload_arrives_whole(client: httpx.Client) -> None:
    body = os.urandom(300_000)
    assert client.post("/echo", content=body).content == body
    assert client.get("/hello").text == "hello"


@pytest.mark.parametrize("served", DJANGOS, indirect=True, scope="module")
def test_a_view_of_django_that_calls_a_process_is_told_of_its_limit(client: httpx.Client) -> None:
    """By the middleware for our errors; the process is killed, and the next one serves."""
    assert client.get("/process/ok").text == "worked"
    got = client.get("/process/hang")
    assert (got.status_code, got.json()["policy"]) == (504, "ExecutionTimeout(0.5)")
    assert got.headers["content-type"] == "application/problem+json"
    assert client.get("/process/ok").text == "worked"


@in_flask
def test_a_chunked_upload_arrives_whole(client: httpx.Client) -> None:
    """Django reads no body without a Content-Length, with or without us."""
    got = client.post("/echo", content=iter([b"one ", b"two ", b"three"]))
    assert got.content == b"one two three"


@in_flask
def test_a_stream_of_events_ends_in_an_error_event(client: httpx.Client) -> None:
    got = client.get("/events")
    first, last, end = got.text.split("\n\n")
    assert (got.status_code, first, end) == (200, "data: first", "")
    assert last.startswith('event: error\ndata: {"type":"urn:timeouts:idle_timeout"')


@in_flask
def test_streams_files_and_empty_answers_pass(client: httpx.Client) -> None:
    assert client.get("/stream").text == "".join(str(number) * 1000 for number in range(5))
    assert client.get("/file").content == b"f" * 100_000
    empty = client.get("/empty")
    assert (empty.status_code, empty.content) == (204, b"")
    assert client.get("/hello").text == "hello"


@in_flask
def test_a_client_that_leaves_in_the_middle_withdraws_the_job(client: httpx.Client) -> None:
    """WSGI tells it with the next part that cannot be sent."""

    def withdrawn() -> int:
        count: int = client.get("/stats").json()["outcomes"].get("withdrawn", 0)
        return count

    before = withdrawn()
    with client.stream("GET", "/endless") as got:
        next(got.iter_bytes())
    eventually(lambda: withdrawn() == before + 1)


@in_flask
def test_views_know_what_is_left_in_a_worker_that_was_forked(client: httpx.Client) -> None:
    """The parent's threads are not the child's: its server has begun anew."""
    assert 0 < float(client.get("/left").text) <= 30
    stats = client.get("/stats").json()
    assert stats["pid"] != stats["parent"]
    assert stats["running"] == 0


def test_a_heartbeat_shorter_than_the_limit_kills_the_worker_instead(tmp_path: Path) -> None:
    """`--timeout 2` under a limit of 30 s: gunicorn ends the process, and with it the request."""
    options = [*SYNC, "--timeout", "2", "--preload"]  # imports that take longer are no hang
    with (
        gunicorn(FLASK, tmp_path / "log", *options) as address,
        httpx.Client(base_url=address, timeout=PATIENCE, trust_env=False) as client,
    ):
        victim = client.get("/stats").json()["pid"]
        with suppress(httpx.RemoteProtocolError):  # nothing at all, or just a 500
            assert client.get("/hang/longer").status_code == 500
        assert client.get("/stats").json()["pid"] != victim
    assert "WORKER TIMEOUT" in (tmp_path / "log").read_text()
