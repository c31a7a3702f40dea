"""nginx in front: whose limit answers, what a disconnect does, and what passes through.

The configuration is the one of `docs/how-to/behind-nginx.md`, with ports and limits of the tests.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.serve.behind_nginx import Nginx, Served, nginx, nginx_or_skip, seconds, served, until
from timeouts.serve.app import application, new_registry
from timeouts.serve.gateway import Gateway
from timeouts.serve.plan import plan
from timeouts.serve.runner import Runner

pytestmark = pytest.mark.realtime

MODULE = """
import os
import time
from pathlib import Path


def predict(seconds: float = 0.0, mark: str = "") -> float:
    if mark:
        Path(mark).write_text(str(os.getpid()))
    time.sleep(seconds)
    return seconds


def count(folder: str):
    number = 0
    while True:
        while not Path(folder, str(number)).exists():  # the client asks for it
            time.sleep(0.01)
        yield number
        number += 1
"""
CONFIG = """
[serve]
workers = "process"
slots = 1
drain_timeout = 0.1
budgets = ["x-request-timeout-seconds"]

[timeouts]
gateway = 1

[routes."/patient"]
handler = "model:predict"
timeouts = { gateway = 600 }

[routes."/scarce"]
handler = "model:predict"
capacity = 1
timeouts = { gateway = 600 }

[routes."/queue"]
handler = "model:predict"
timeouts = { gateway = 600, queue = 1 }

[routes."/count"]
handler = "model:count"
timeouts = { gateway = "none", first_item = 30, idle = 3 }
"""
LONG = 300.0  # seconds that no test waits for


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    nginx_or_skip()
    return tmp_path_factory.mktemp("nginx")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Served]:
    with served(folder, MODULE, CONFIG) as running:
        yield running


@pytest.fixture(scope="module")
def front(folder: Path, server: Served) -> Iterator[Nginx]:
    """An nginx that waits longer than the server."""
    with nginx(folder / "front", server.address) as running:
        yield running


@contextmanager
def hasty(folder: Path, server: Served, retried: str) -> Iterator[Nginx]:
    """An nginx that waits for less time than the server, in front of two addresses of it."""
    twice = f"{server.address}; server {server.address}"
    limits = {"proxy_read_timeout": "1s", "proxy_next_upstream": retried}
    with nginx(folder, twice, **limits) as running:
        yield running


@contextmanager
def asking(front: Nginx, path: str, **body: object) -> Iterator[socket.socket]:
    """Ask for a predict; who leaves the block leaves nginx without having heard the answer."""
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", front.port)) as client:
        client.sendall(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        yield client


def started(mark: Path) -> int:
    """Wait until a predict has left its mark; return its process."""
    return int(until(lambda: mark.exists() and mark.read_text(), "the predict starts"))


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


# ── the right way round ──────────────────────────────────────────────────────────────────────────


def test_an_answer_passes(front: Nginx) -> None:
    """The whole of it, with the intervals."""
    answer = front.post("/predict", seconds=0.0)
    assert (answer.status_code, answer.json()) == (200, 0.0)
    assert answer.headers["server-timing"].startswith("queue;dur=")


def test_the_504_of_the_server_comes_before_the_one_of_nginx(front: Nginx) -> None:
    """So a client knows which rule it was and what became of the work."""
    answer = front.post("/predict", seconds=LONG)
    assert answer.status_code == 504
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["server-timing"].startswith("queue;dur=")
    assert (answer.json()["policy"], answer.json()["started"]) == ("GatewayTimeout(1)", True)
    assert answer.elapsed.total_seconds() < seconds("proxy_read_timeout")
    assert front.has_told(504, answer.headers["server-timing"])


def test_a_budget_passes(front: Nginx) -> None:
    """nginx knows of none, but lets the header through."""
    headers = {"X-Request-Timeout-Seconds": "0.5"}
    answer = front.client.post("/patient", json={"seconds": LONG}, headers=headers)
    assert answer.status_code == 504
    assert "the caller's budget allows" in answer.json()["detail"]


def test_a_disconnect_stops_what_runs(front: Nginx, server: Served, tmp_path: Path) -> None:
    """The worker is stopped, and the next job has a new one."""
    server.idle("/patient")
    before, mark = server.outcomes("/patient", "withdrawn"), tmp_path / "mark"
    with asking(front, "/patient", seconds=LONG, mark=str(mark)):
        pid = started(mark)
        assert server.books("/patient")["running"] == 1
    until(lambda: is_gone(pid), "the worker is stopped")
    assert server.outcomes("/patient", "withdrawn") == before + 1
    assert front.post("/patient").status_code == 200
    assert front.has_told(499, "-")


def test_a_disconnect_takes_a_waiting_job_out(front: Nginx, server: Served, tmp_path: Path) -> None:
    """It never starts, though the worker it waited for becomes free."""
    server.idle("/patient")
    before, mark = server.outcomes("/patient", "withdrawn"), tmp_path / "mark"
    with asking(front, "/patient", seconds=LONG):
        until(lambda: server.books("/patient")["running"] == 1, "one runs")
        with asking(front, "/patient", mark=str(mark)):
            until(lambda: server.books("/patient")["waiting"] == 1, "another waits")
        until(lambda: server.books("/patient")["waiting"] == 0, "it is withdrawn")
        assert server.outcomes("/patient", "withdrawn") == before + 1
    server.idle("/patient")
    assert front.post("/patient").status_code == 200
    assert not mark.exists()


def test_events_pass_one_by_one(front: Nginx, tmp_path: Path) -> None:
    """Each is read before the next one is asked for; an expiry after them is told by the last."""
    (tmp_path / "0").touch()
    with front.client.stream("POST", "/count", json={"folder": str(tmp_path)}) as answer:
        lines = (line for line in answer.iter_lines() if line)
        for number in range(3):
            assert next(lines) == f"data: {number}"
            (tmp_path / str(number + 1)).touch()
        assert next(lines) == "data: 3"
        name, data = lines
    assert name == "event: error"
    problem = json.loads(data.removeprefix("data: "))
    assert (problem["status"], problem["error"]) == (504, "idle_timeout")


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────


def test_a_full_queue_tells_when_to_come_back(front: Nginx, server: Served) -> None:
    """429 and its `Retry-After` pass."""
    assert front.post("/scarce").status_code == 200  # how long work takes is known from work
    with asking(front, "/scarce", seconds=LONG), asking(front, "/scarce"):
        until(lambda: server.books("/scarce")["waiting"] == 1, "the queue is full")
        answer = front.post("/scarce")
    assert answer.status_code == 429
    assert answer.json()["error"] == "queue_full"
    assert int(answer.headers["retry-after"]) >= 1


def test_a_wait_that_was_too_long_tells_when_to_come_back(front: Nginx, server: Served) -> None:
    """503 and its `Retry-After` pass."""
    assert front.post("/queue").status_code == 200
    with asking(front, "/queue", seconds=LONG):
        until(lambda: server.books("/queue")["running"] == 1, "one runs")
        answer = front.post("/queue")
    assert answer.status_code == 503
    assert (answer.json()["error"], answer.json()["started"]) == ("queue_timeout", False)
    assert int(answer.headers["retry-after"]) >= 1


# ── the wrong way round ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("retried", "arrivals"), [("error timeout", 1), ("error timeout non_idempotent", 2)]
)
def test_the_wrong_way_round(
    retried: str, arrivals: int, folder: Path, server: Served, tmp_path: Path
) -> None:
    """nginx answers, and knows nothing; the server sees clients that leave."""
    server.idle("/patient")
    before, mark = server.books("/patient")["arrived"], tmp_path / "mark"
    withdrawn = server.outcomes("/patient", "withdrawn")
    with hasty(tmp_path / "hasty", server, retried) as front:
        answer = front.post("/patient", seconds=LONG, mark=str(mark))
        assert answer.status_code == 504
        assert front.has_told(504, "-")
    assert answer.headers["content-type"] == "text/html"
    assert "server-timing" not in answer.headers
    until(lambda: is_gone(started(mark)), "the worker is stopped")
    server.idle("/patient")
    assert server.books("/patient")["arrived"] == before + arrivals
    assert server.outcomes("/patient", "withdrawn") == withdrawn + arrivals


# ── idle connections ─────────────────────────────────────────────────────────────────────────────


def test_nginx_closes_an_idle_connection_before_the_server_does() -> None:
    """Else it would send a request on one that is being closed, and answer 502."""
    gateway = Gateway(plan("textwrap:dedent", {}), {})
    runner = Runner(application(gateway, new_registry()), gateway, lambda: None, access_log=False)
    assert seconds("keepalive_timeout") < runner.config.timeout_keep_alive


def test_a_pause_makes_no_502(server: Served, tmp_path: Path) -> None:
    """Around the time when nginx closes, too: it knows that it has closed."""
    with nginx(tmp_path / "front", server.address, keepalive_timeout="1s") as front:
        for pause in (0.0, 0.0, 0.9, 0.95, 1.0, 1.05, 1.1):
            time.sleep(pause)
            assert front.post("/predict").status_code == 200
    callers = server.callers("/predict")[-7:]
    assert 1 < len(set(callers)) < 7  # connections are used again, and not for ever
