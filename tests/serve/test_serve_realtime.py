"""`timeouts serve` as it is run: real processes, signals, sockets and clients."""

from __future__ import annotations

import io
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.serve.served import Running, eventually, gone, refused, serving, starting

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(120)]

KINDS = [
    pytest.param("model:predict", "process", id="process"),
    pytest.param("model:predict", "thread", id="thread"),
    pytest.param("model:block", "task", id="task"),
]
LATE = 1.5
"""Seconds that an answer may be late, on a machine that is busy with other tests."""


@pytest.fixture
def callers() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as pool:
        yield pool


def running(server: Running, callers: ThreadPoolExecutor, **body: Any) -> Future[httpx.Response]:
    """Send a request, and wait until its job runs."""
    before = server.stats()["running"]
    future = callers.submit(server.post, **body)
    eventually(lambda: bool(server.stats()["running"] > before))
    return future


# ── each kind of workers ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("name", "workers"), KINDS)
def test_a_hung_predict_is_told_on_time_and_the_next_job_is_served(
    name: str, workers: str, tmp_path: Path
) -> None:
    flags = ("--workers", workers, "--slots", "2", "--execution-timeout", "0.5")
    with serving(tmp_path, name, *flags) as server:
        began = time.monotonic()
        got = (
            server.post(x=5 if workers == "thread" else 60)
            if workers != "task"
            else server.post(x=60, polite=True)
        )
        assert time.monotonic() - began < 0.5 + LATE
        assert got.status_code == 504
        assert got.headers["content-type"] == "application/problem+json"
        told = got.json()
        assert (told["error"], told["limit"], told["started"]) == ("execution_timeout", 0.5, True)
        assert got.headers["server-timing"].startswith("queue;dur=")
        assert server.post().status_code == 200
        if workers != "thread":
            eventually(lambda: server.stats()["abandoned"] == 0)
        family = server.family()
        server.signal(signal.SIGTERM)
        assert server.ended() == 0
        if workers == "process":
            gone(family)


def test_a_worker_that_crashes_is_a_502_at_once_and_replaced(tmp_path: Path) -> None:
    with serving(tmp_path, "model:crash", "--workers", "process", "--slots", "1") as server:
        for _ in range(2):
            began = time.monotonic()
            got = server.post()
            assert time.monotonic() - began < LATE + 5  # the second waits for the new worker
            assert got.status_code == 502
            assert got.json()["error"] == "worker_lost"
        assert server.get("/live").status_code == 200


@pytest.mark.parametrize("workers", ["thread", "process"])
def test_a_handler_that_leaves_by_system_exit_ends_only_its_own_request(
    workers: str, tmp_path: Path
) -> None:
    with serving(tmp_path, "model:leave", "--workers", workers, "--slots", "1") as server:
        for _ in range(2):
            assert server.post().status_code in {500, 502}
        assert server.get("/live").status_code == 200


@pytest.mark.parametrize("workers", ["thread", "process"])
def test_what_a_handler_raises_is_in_the_log_and_not_in_the_answer(
    workers: str, tmp_path: Path
) -> None:
    with serving(tmp_path, "model:fail", "--workers", workers, "--slots", "1") as server:
        got = server.post(secret="hunter2")
        assert got.status_code == 500
        assert got.headers["content-type"] == "application/problem+json"
        assert "hunter2" not in got.text
        assert "Traceback" not in got.text
        assert "server-timing" in got.headers
        server.logged("the secret is hunter2")
        assert "in fail" in server.log


def test_a_handler_that_blocks_its_loop_delays_nobody_else_and_is_not_live(
    tmp_path: Path, callers: ThreadPoolExecutor
) -> None:
    with serving(tmp_path, "model:block", "--execution-timeout", "0.5") as server:
        blocker = callers.submit(server.post, x=6)
        eventually(lambda: server.stats()["running"] + server.stats()["abandoned"] > 0)
        began = time.monotonic()
        others = [callers.submit(server.post) for _ in range(3)]
        for one in [blocker, *others]:
            assert one.result().status_code == 504
        assert time.monotonic() - began < 0.5 + LATE
        live = server.get("/live")
        assert live.status_code == 503
        assert "event loop of block has been blocked" in live.json()["routes"]["/predict"]
        eventually(lambda: server.get("/live").status_code == 200)
        assert server.post().status_code == 200


def test_without_workers_it_is_not_live_and_only_the_log_tells_all(tmp_path: Path) -> None:
    with starting(tmp_path, "model:cannot") as server:
        server.logged("serving http")
        eventually(lambda: server.get("/live").status_code == 503)
        live, ready, got = server.get("/live"), server.get("/ready"), server.post()
        assert "no worker can be had" in live.json()["detail"]
        assert (ready.status_code, got.status_code) == (503, 503)
        assert got.json()["error"] == "startup_failed"
        assert "retry-after" in got.headers
        for answer in (live, ready, got):
            assert "Traceback" not in answer.text
        assert "secret" not in got.text
        server.logged("no such weights: the secret")
        assert "Traceback" in server.log
        server.signal(signal.SIGTERM)
        assert server.ended() == 0


# ── bodies ───────────────────────────────────────────────────────────────────────────────────────


def test_events_of_a_generator_and_the_error_at_an_expiry(tmp_path: Path) -> None:
    flags = ("--workers", "process", "--slots", "1", "--execution-timeout", "1")
    with serving(tmp_path, "model:count", *flags) as server:
        got = server.post(n=3)
        assert got.headers["content-type"] == "text/event-stream"
        assert got.text == "data: 0\n\ndata: 1\n\ndata: 2\n\n"
        late = server.post(n=10**6, gap=0.3)
        assert late.status_code == 200
        *items, last, empty = late.text.split("\n\n")
        assert items[0] == "data: 0"
        event, data = last.split("\n")
        assert (event, empty) == ("event: error", "")
        assert json.loads(data.removeprefix("data: "))["error"] == "execution_timeout"
        failed = server.post(n=1, fail=True)
        assert failed.text.startswith("data: 0\n\nevent: error\n")
        assert "secret" not in failed.text


def test_arrays_there_and_back(tmp_path: Path) -> None:
    array = np.arange(12.0).reshape(3, 4)
    file = io.BytesIO()
    np.save(file, array)
    with serving(tmp_path, "model:double") as server, server.client() as client:
        headers = {"content-type": "application/x-npy", "accept": "application/x-npy"}
        got = client.post("/predict", content=file.getvalue(), headers=headers)
        assert got.headers["content-type"] == "application/x-npy"
        assert (np.load(io.BytesIO(got.content)) == array * 2).all()
        lists = client.post(
            "/predict", content=file.getvalue(), headers=headers | {"accept": "*/*"}
        )
        assert lists.json() == (array * 2).tolist()
        assert client.post("/predict", json={"x": [1, 2]}).json() == [2, 4]


def test_bytes_there_and_back(tmp_path: Path) -> None:
    with serving(tmp_path, "model:reverse") as server, server.client() as client:
        headers = {"content-type": "application/octet-stream"}
        got = client.post("/predict", content=bytes(range(256)), headers=headers)
        assert got.headers["content-type"] == "application/octet-stream"
        assert got.content == bytes(range(256))[::-1]


def test_budgets_shorten_and_what_they_say_badly_is_refused(tmp_path: Path) -> None:
    (tmp_path / "timeouts.toml").write_text(
        '[timeouts]\ngateway = 30\n[serve]\nbudgets = ["x-request-timeout-seconds"]\n'
    )
    with serving(tmp_path, "model:predict") as server, server.client() as client:
        name = "x-request-timeout-seconds"
        late = client.post("/predict", json={"x": 3}, headers={name: "0.3"})
        assert (late.status_code, late.json()["error"]) == (504, "gateway_timeout")
        bad = client.post("/predict", json={}, headers={name: "soon"})
        assert bad.status_code == 400
        assert name in bad.json()["detail"]
        assert client.post("/predict", json={}, headers={name: "5"}).status_code == 200


GATED = """
import time
from pathlib import Path


def predict(name: str) -> None:
    with open("names", "a") as file:
        file.write(name + " ")
    while name == "first" and not Path("gate").exists():
        time.sleep(0.01)
"""
CLASSES = """
[serve]
workers = "thread"
slots = 1
discipline = "priority"

[serve.classes]
tenant = "x-tenant"
priority = "x-priority"
levels = { interactive = 0, batch = 10 }
"""


def test_the_queue_serves_by_the_level_in_a_header(
    tmp_path: Path, callers: ThreadPoolExecutor
) -> None:
    (tmp_path / "gated.py").write_text(GATED)
    file = tmp_path / "timeouts.toml"
    file.write_text(CLASSES)
    with serving(tmp_path, "gated:predict") as server:

        def ask(name: str) -> int:
            headers = {"X-Priority": name, "X-Tenant": f"tenant-{name}"}
            with server.client() as client:
                return client.post("/predict", json={"name": name}, headers=headers).status_code

        futures = [callers.submit(ask, "first")]
        eventually(lambda: bool(server.stats()["running"] == 1))
        for number, name in enumerate(("batch", "what", "interactive"), start=1):
            futures.append(callers.submit(ask, name))
            eventually(lambda n=number: bool(server.stats()["waiting"] == n))  # type: ignore[misc]
        (tmp_path / "gate").touch()
        assert [future.result() for future in futures] == [200] * 4
        assert (tmp_path / "names").read_text() == "first interactive batch what "
        assert "tenant-" not in server.get("/metrics").text + server.log
        file.write_text(CLASSES.replace("10", "9"))
        server.signal(signal.SIGHUP)
        server.logged("classes change only with a restart")


# ── signals ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("workers", ["process", "thread"])
def test_sighup_changes_the_limits_of_those_who_come_later(
    workers: str, tmp_path: Path, callers: ThreadPoolExecutor
) -> None:
    file = tmp_path / "timeouts.toml"
    file.write_text(f'[timeouts]\nexecution = 20\n[serve]\nworkers = "{workers}"\nslots = 2\n')
    with serving(tmp_path, "model:predict") as server:
        kept = running(server, callers, x=3)
        file.write_text(f'[timeouts]\nexecution = 0.5\n[serve]\nworkers = "{workers}"\nslots = 3\n')
        server.signal(signal.SIGHUP)
        server.logged("/predict is now under")
        server.logged("slots of /predict changes only with a restart")
        late = server.post(x=2)
        assert (late.status_code, late.json()["limit"]) == (504, 0.5)
        assert kept.result().status_code == 200
        for broken in ("[timeouts", "[timeouts]\nqueeue = 3\n", "[timeouts]\nexecution = -1\n"):
            file.write_text(broken)
            before = server.log.count("nothing was reloaded")
            server.signal(signal.SIGHUP)
            eventually(lambda b=before: server.log.count("nothing was reloaded") > b)  # type: ignore[misc]
        assert "queeue" in server.log
        again = server.post(x=2)
        assert (again.status_code, again.json()["limit"]) == (504, 0.5)


@pytest.mark.parametrize("workers", ["process", "thread"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains(
    workers: str, number: int, tmp_path: Path, callers: ThreadPoolExecutor
) -> None:
    """Who runs and who waits is answered, who comes meanwhile is sent elsewhere."""
    with serving(tmp_path, "model:predict", "--workers", workers, "--slots", "1") as server:
        family = server.family()
        runs = running(server, callers, x=2, n=1)
        waits = callers.submit(server.post, x=0.5, n=2)
        eventually(lambda: server.stats()["waiting"] == 1)
        server.signal(number)
        server.logged("draining")
        eventually(lambda: server.get("/ready").status_code == 503)
        newcomer = server.post()
        assert newcomer.status_code == 503
        assert newcomer.json()["error"] == "shutting_down"
        assert 1 <= int(newcomer.headers["retry-after"]) <= 30
        assert (runs.result().json(), waits.result().json()) == (2, 4)
        assert server.ended() == 0
        if workers == "process":
            gone(family)


@pytest.mark.parametrize("workers", ["process", "thread"])
def test_what_is_left_when_the_drain_is_over_is_told_to_come_back(
    workers: str, tmp_path: Path, callers: ThreadPoolExecutor
) -> None:
    flags = ("--workers", workers, "--slots", "1", "--drain-timeout", "0.5")
    with serving(tmp_path, "model:predict", *flags) as server:
        family = server.family()
        runs = running(server, callers, x=20)
        waits = callers.submit(server.post)
        eventually(lambda: server.stats()["waiting"] == 1)
        server.signal(signal.SIGTERM)
        for left in (runs.result(), waits.result()):
            assert left.status_code == 503
            assert int(left.headers["retry-after"]) >= 1
        assert runs.result().json()["started"]
        assert not waits.result().json()["started"]
        assert server.ended() == 0
        if workers == "process":
            gone(family)


@pytest.mark.parametrize(("name", "workers"), KINDS)
def test_the_second_signal_stops_at_once(
    name: str, workers: str, tmp_path: Path, callers: ThreadPoolExecutor
) -> None:
    with serving(tmp_path, name, "--workers", workers, "--slots", "1") as server:
        family = server.family()
        runs = running(server, callers, x=25)
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        server.logged("draining")
        server.signal(signal.SIGTERM)
        assert server.ended() == 0
        assert time.monotonic() - began < 8
        assert "Traceback" not in server.log
        assert runs.exception() is not None or runs.result().status_code == 503
        if workers == "process":
            gone(family)


def test_no_process_survives_a_killed_server(tmp_path: Path, callers: ThreadPoolExecutor) -> None:
    with serving(tmp_path, "model:predict", "--workers", "process", "--slots", "2") as server:
        callers.submit(server.post, x=60)
        eventually(lambda: server.stats()["running"] == 1)
        family = server.family()
        assert len(family) >= 2
        server.signal(signal.SIGKILL)
        server.ended()
        gone(family)


def test_a_grandchild_ends_with_the_worker_of_an_expired_job(tmp_path: Path) -> None:
    flags = ("--workers", "process", "--slots", "1", "--execution-timeout", "0.5")
    with serving(tmp_path, "model:parents", *flags) as server:
        before = server.family()
        assert server.post(x=60).status_code == 504
        eventually(lambda: server.stats()["free"] == 1)
        eventually(lambda: len(server.family()) <= len(before))


def test_a_client_that_leaves_is_withdrawn_whether_it_waits_or_runs(tmp_path: Path) -> None:
    note = tmp_path / "note"
    with serving(tmp_path, "model:predict", "--workers", "process", "--slots", "1") as server:
        body = json.dumps({"x": 60, "note": str(note)}).encode()
        head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        clients = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(5)]
        for client in clients:
            client.sendall(head.encode() + body)
        eventually(lambda: (server.stats()["running"], server.stats()["waiting"]) == (1, 4))
        for client in clients:
            client.close()
        eventually(lambda: (server.stats()["free"], server.stats()["waiting"]) == (1, 0))
        assert server.post().status_code == 200
        assert server.stats()["outcomes"]["withdrawn"] == 5
        assert note.read_text() == "begun\n", "those who left while they waited never ran"


# ── what is refused ──────────────────────────────────────────────────────────────────────────────


REFUSED = [
    (("model",), "MODULE:ATTRIBUTE"),
    (("nothing:predict",), "no module 'nothing'"),
    (("model.py:predict",), "write model:predict"),
    (("model:nothing",), "model has no 'nothing'"),
    (("model:plain",), "must be a function"),
    (("model:Model.predict",), "of an instance"),
    (("model:predict", "--port", "99999"), "--port: port must be at most 65535"),
    (("model:predict", "--port", "x"), "Invalid value for '--port'"),
    (("model:predict", "--slots", "0"), "--slots: slots must be at least 1; got 0"),
    (("model:predict", "--capacity", "-1"), "--capacity: capacity must be at least 0"),
    (("model:predict", "--workers", "gpu"), "--workers: workers must be 'task'"),
    (("model:predict", "--workers", "task"), "--workers:"),
    (("model:block", "--workers", "process"), "--workers: process workers run def handlers"),
    (("model:predict", "--queue-timeout", "soon"), "--queue-timeout:"),
    (("model:predict", "--queue-timeout", "-1"), "--queue-timeout:"),
    (("model:predict", "--drain-timeout", "soon"), "--drain-timeout: drain_timeout must be"),
    (("model:predict", "--execution-timeout", "3", "--reserve", "1"), "there is none"),
    (("model:predict", "--gateway-timeout", "3", "--reserve", "5"), "--reserve:"),
    (("model:predict", "--config", "nothing.toml"), "nothing.toml cannot be read"),
    (("model:predict", "--host", "no.such.host.invalid"), "no.such.host.invalid"),
    (("model:predict", "--slot", "3"), "--slots"),
]


@pytest.mark.parametrize(("arguments", "said"), REFUSED, ids=[" ".join(a) for a, _ in REFUSED])
def test_what_makes_no_sense_is_refused_in_a_clear_line(
    arguments: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    code, output = refused(tmp_path, *arguments)
    assert code != 0
    assert said in output
    assert "Traceback" not in output


def test_a_port_that_is_taken_is_said_in_a_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, output = refused(
            tmp_path, "model:predict", "--workers", "process", "--port", str(port)
        )
    assert code != 0
    assert "address already in use" in output
    assert "Traceback" not in output


# ── files ────────────────────────────────────────────────────────────────────────────────────────


def test_several_routes_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "timeouts.toml").write_text(
        '[routes."/count"]\nhandler = "model:count"\n'
        '[routes."/v1/fail"]\nhandler = "model:fail"\nslots = 1\ntimeouts = { execution = 2 }\n'
    )
    with serving(tmp_path, "model:predict") as server:
        assert server.post(n=4).json() == 8
        assert server.post("/count", n=1).text == "data: 0\n\n"
        assert server.post("/v1/fail", secret="x").status_code == 500
        assert server.post("/v1/nothing").status_code == 404
        assert server.post("/count/").status_code == 404, "no redirect to where a client says"
        assert set(server.get("/stats").json()) == {"/predict", "/count", "/v1/fail"}
        assert {"/predict", "/count", "/v1/fail"} < set(server.get("/openapi.json").json()["paths"])


def test_who_sets_no_limit_has_the_default_ones(tmp_path: Path) -> None:
    with serving(tmp_path, "model:predict") as server:
        assert server.get("/ready").status_code == 200
        assert "http://127.0.0.1:" in server.url
    from timeouts import GatewayTimeout
    from timeouts.handler import handler_of
    from timeouts.serve.limits import policies

    ((policy, source),) = policies(handler_of(lambda: None), (), ())
    assert (policy, source) == (GatewayTimeout(30), "default")


def test_a_guard_s_own_limits_are_kept(tmp_path: Path) -> None:
    with serving(tmp_path, "model:guarded", "--execution-timeout", "0.3") as server:
        late = server.post(x=2)
        assert (late.status_code, late.json()["policy"]) == (504, "ExecutionTimeout(0.3)")
        assert server.stats()["slots"] == 2


def test_a_method_of_an_instance_is_served(tmp_path: Path) -> None:
    with serving(tmp_path, "model:model.predict") as server:
        assert server.post(x=3).json() == 3


MISSING = """
import sys
from timeouts import cli

sys.modules[sys.argv.pop(1)] = None
cli.main()
"""


@pytest.mark.parametrize(
    ("guest", "flags", "said"),
    [
        ("httptools", (), 'httptools is not installed: pip install "timeouts[serve]"'),
        ("starlette", (), 'starlette is not installed: pip install "timeouts[serve]"'),
        ("uvicorn", (), 'uvicorn is not installed: pip install "timeouts[serve]"'),
        # which a module that is not serve's says in its own words
        ("prometheus_client", (), 'prometheus_client is not installed: pip install "timeouts[serve]"'),
        ("ray", ("--workers", "ray"), '--workers: workers="ray" needs ray, which is not installed'),
    ],
)  # fmt: skip
def test_a_missing_guest_is_one_line(guest: str, flags: tuple[str, ...], said: str) -> None:
    words = [sys.executable, "-c", MISSING, guest, "serve", "base64:b64encode", *flags]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"timeouts: {said}")
    assert done.stderr.count("\n") == 1
