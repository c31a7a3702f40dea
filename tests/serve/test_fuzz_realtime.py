"""`timeouts serve` against strangers: schemathesis, garbage, the slow, the silent and the many."""

from __future__ import annotations

import json
import random
import re
import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis.specs.openapi.schemas  # now, and not deep inside a test: CPython 3.11 may fail to parse it there
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from tests.serve.served import Running, eventually, serving

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(180)]

MODEL = '''
import asyncio
import gc
from collections.abc import Iterator
from typing import Annotated

from pydantic import BaseModel, Field


class Item(BaseModel):
    name: str
    sizes: list[int] = []


def predict(item: Item, x: float = 0.0, tags: dict[str, bool] | None = None) -> Item:
    """Return what came."""
    return item


def census() -> int:
    """Count the tasks of all loops."""
    gc.collect()
    return sum(isinstance(one, asyncio.Task) and not one.done() for one in gc.get_objects())


# Bounds that the document tells, or a fuzzer asks for a gigabyte and gets it.
def count(
    n: Annotated[int, Field(ge=0, le=500)] = 3,
    size: Annotated[int, Field(ge=0, le=100_000)] = 1,
) -> Iterator[str]:
    for _ in range(n):
        yield "x" * size


def large(n: Annotated[int, Field(ge=0, le=50_000_000)] = 10) -> bytes:
    return b"x" * n


def one(data: bytes) -> bytes:
    return data
'''
FILE = """
[serve]
body_timeout = 1.5
write_timeout = 1.5
max_body = 100_000
budgets = ["x-request-timeout-seconds", "grpc-timeout"]

[serve.classes]
tenant = "x-tenant"
priority = "x-priority"
levels = { interactive = 0, batch = 10 }

[routes."/census"]
handler = "strange:census"
[routes."/count"]
handler = "strange:count"
slots = 2
[routes."/large"]
handler = "strange:large"
[routes."/one"]
handler = "strange:one"
"""
GOOD = b'{"item":{"name":"a"}}'
MANY = 2000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("strange")
    (folder / "strange.py").write_text(MODEL)
    (folder / "timeouts.toml").write_text(FILE)
    with _allowed_files(MANY * 2 + 1000), serving(folder, "strange:predict") as server:
        yield server
        assert "Traceback" not in server.log.replace("cut short", ""), server.log[-5000:]


def _allowed_files(number: int) -> ExitStack:
    """Allow this process, and so the server it starts, more open files for a while."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = number if hard == resource.RLIM_INFINITY else min(number, hard)
    stack = ExitStack()
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
    return stack


@pytest.fixture(autouse=True)
def unharmed(server: Running) -> Iterator[None]:
    """It is live afterwards, answers, has nobody left in its books, and holds nothing more than before."""
    before = holdings(server)
    yield
    assert server.get("/live").status_code == 200
    assert server.post(item={"name": "a"}).json() == {"name": "a", "sizes": []}
    eventually(lambda: idle(server), lambda: server.get("/stats").text)
    eventually(
        lambda: all(now <= then for now, then in zip(holdings(server), before, strict=True)),
        lambda: (holdings(server), before),
    )


def idle(server: Running) -> bool:
    books = server.get("/stats").json().values()
    return all(not (one["waiting"] or one["running"] or one["abandoned"]) for one in books)


def holdings(server: Running) -> tuple[int, int]:
    """Return how many files and tasks the server holds, this very question included."""
    tasks = server.post("/census").json()
    return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir())), tasks


def memory(server: Running) -> int:
    """Return its resident memory in bytes."""
    pages = Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()


def connect(server: Running) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    client.settimeout(30)
    return client


def request(body: bytes = GOOD, path: str = "/predict", *headers: bytes) -> bytes:
    lines = [f"POST {path} HTTP/1.1".encode(), b"Host: a", b"Content-Type: application/json"]
    return b"\r\n".join([*lines, b"Content-Length: %d" % len(body), *headers, b"", body])


def answer(client: socket.socket) -> bytes:
    """Read until the answer is whole, or the server closes."""
    got = b""
    with suppress(ConnectionResetError):
        while not is_whole(got) and (part := client.recv(65536)):
            got += part
    return got


def is_whole(got: bytes) -> bool:
    head, found, body = got.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    return bool(found and length and len(body) >= int(length[1]))


def status(got: bytes) -> int:
    return int(got.split(b" ", 2)[1]) if got.startswith(b"HTTP/1.1 ") else 0


# ── schemathesis ─────────────────────────────────────────────────────────────────────────────────

CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]


def test_it_does_what_its_own_document_says(server: Running) -> None:
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    tried = 0
    operations: list[Any] = list(schema.get_all_operations())
    for found in operations:
        operation = found.ok()

        @settings(
            max_examples=30,
            deadline=None,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @schemathesis_given(operation)
        def attempt(case: Any) -> None:
            nonlocal tried
            tried += 1
            case.call_and_validate(checks=CHECKS)

        attempt()
    assert tried > 50


def schemathesis_given(operation: Any) -> Callable[[Any], Any]:
    """Draw cases of one operation, valid and invalid ones."""
    from hypothesis import given, strategies

    modes = list(schemathesis.GenerationMode)
    made = [operation.as_strategy(generation_mode=mode) for mode in modes]
    return given(case=strategies.one_of(made))


# ── garbage ──────────────────────────────────────────────────────────────────────────────────────

GARBAGE: dict[str, bytes] = {
    "nothing but noise": random.Random(1).randbytes(5000),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(30),
    "no version": b"GET /\r\n\r\n",
    "a version that is none": b"GET / HTTP/9.9\r\n\r\n",
    "a method that is none": b"B@D /predict HTTP/1.1\r\nHost: a\r\n\r\n",
    "a path that is none": b"POST \xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
    "nul in a header": request(GOOD, "/predict", b"X: a\x00b"),
    "a header without a colon": request(GOOD, "/predict", b"nonsense"),
    "two lengths": request(GOOD, "/predict", b"Content-Length: 3"),
    "a length below zero": b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
    "a length that is none": b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: ten\r\n\r\n",
    "a length beyond all bounds": b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 9"
    + b"9" * 30
    + b"\r\n\r\n",
    "length and chunks": request(GOOD, "/predict", b"Transfer-Encoding: chunked"),
    "chunks of no size": b"POST /predict HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "chunked twice": b"POST /predict HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "folded headers": b"POST /predict HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
    "bare line feeds": request().replace(b"\r\n", b"\n"),
    "budgets that are none": request(GOOD, "/predict", b"grpc-timeout: 99999999999999999S"),
    "two budgets": request(
        GOOD, "/predict", b"grpc-timeout: 1S", b"grpc-timeout: 2S", b"Connection: close"
    ),
    "a class of noise": request(
        GOOD, "/predict", b"X-Tenant: " + b"\xe9," * 9000, b"X-Priority: \xff", b"X-Priority: 0"
    ),
    "an upgrade": request(GOOD, "/predict", b"Connection: Upgrade", b"Upgrade: websocket"),
    "a content type of noise": request(GOOD, "/predict", b"Content-Type: " + b"\xe9" * 500),
    "deep JSON": request(b"[" * 50_000),
    "large numbers": request(b'{"item":{"name":"a","sizes":[1' + b"0" * 5000 + b"]}}"),
    "many faults": request(
        b"{" + b",".join(b'"%d":0' % n for n in range(5000)) + b"}",
        "/predict",
        b"Connection: close",
    ),
    "text that is no UTF-8": request(b'{"item":{"name":"\xff\xfe"}}'),
    "lone surrogates": request(b'{"item":{"name":"\\ud800"}}'),
    "half a head": b"POST /predict HTTP/1.1\r\nHost: a\r\nX-Half",
    "half a body": request()[:-5],
    "more than was announced": request() + b"GARBAGE",
    "a body for GET": b"GET /live HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    "a star": b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    "a tunnel": b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
    "another host's address": b"GET http://evil/live HTTP/1.1\r\nHost: evil\r\nConnection: close\r\n\r\n",
    "an empty array": request(b"\x93NUMPY\x01\x00", "/one"),
}


@pytest.mark.parametrize("sent", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_is_refused_or_closed_and_never_a_500(sent: bytes, server: Running) -> None:
    with connect(server) as client:
        with suppress(ConnectionError):
            client.sendall(sent)
        got = answer(client)
    assert status(got) < 500, got
    assert b"Traceback" not in got
    assert b"HTTP/1.1 5" not in got


def mutated(luck: random.Random, sent: bytes) -> bytes:
    """Change, remove or insert some bytes."""
    for _ in range(luck.randint(1, 4)):
        at = luck.randrange(len(sent))
        kept = at + luck.choice([0, 1, luck.randint(1, 9)])
        sent = sent[:at] + luck.randbytes(luck.choice([0, 1, 3])) + sent[kept:]
    return sent


def test_mutated_requests_are_never_a_500(server: Running) -> None:
    luck = random.Random(7)
    good = request(GOOD, "/predict", b"Connection: close")
    requests = [mutated(luck, good) for _ in range(400)]
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(server)) for _ in requests]
        for client, sent in zip(clients, requests, strict=True):
            client.sendall(sent)
        answers = [answer(client) for client in clients]
    for sent, got in zip(requests, answers, strict=True):
        assert b"HTTP/1.1 5" not in got, (sent, got)
    assert {status(got) for got in answers} >= {200, 400, 422}


def test_a_head_without_end_is_cut_off(server: Running) -> None:
    before = memory(server)
    with connect(server) as client, suppress(ConnectionError):
        client.sendall(b"POST /predict HTTP/1.1\r\n")
        for number in range(3000):
            client.sendall(b"X-%d: %s\r\n" % (number, b"a" * 10_000))
        pytest.fail("30 MB of headers were taken")
    assert memory(server) - before < 20 * 2**20


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_that_is_too_large_is_refused_and_not_kept(announced: bool, server: Running) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(64):
            yield b"x" * 65536

    body: Any = b"x" * 4_000_000 if announced else pieces()
    with server.client() as client, suppress(httpx.TransportError):
        got = client.post("/predict", content=body)
        assert got.status_code == 413
        assert "100000" in got.json()["detail"]


# ── the slow and the silent ──────────────────────────────────────────────────────────────────────


def test_a_slow_upload_is_a_408_in_time(server: Running) -> None:
    began = time.monotonic()
    with connect(server) as client:
        head, body = request().split(b"\r\n\r\n")
        client.sendall(head + b"\r\n\r\n")
        client.settimeout(0.2)
        got = b""
        for byte in body * 1000:
            with suppress(TimeoutError):
                got = client.recv(65536)
                break
            client.sendall(bytes([byte]))
    assert status(got) == 408, got
    assert b"connection: close" in got.lower()
    assert b"server-timing" in got.lower()
    assert time.monotonic() - began < 8


@pytest.mark.parametrize("sent", [b"", b"POST /pre", b"POST /predict HTTP/1.1\r\nHost: a\r\n"])
def test_who_says_nothing_or_half_of_it_is_let_go(sent: bytes, server: Running) -> None:
    with connect(server) as client:
        client.sendall(sent)
        began = time.monotonic()
        assert answer(client) == b""
        assert time.monotonic() - began < 8


def test_a_head_byte_by_byte_is_let_go_too(server: Running) -> None:
    with connect(server) as client:
        began = time.monotonic()
        with suppress(ConnectionError):
            for byte in request():
                client.sendall(bytes([byte]))
                time.sleep(0.05)
            pytest.fail("a head may take for ever")
        assert time.monotonic() - began < 8


def test_who_keeps_a_connection_may_use_it_again(server: Running) -> None:
    """For longer than a head may take: each request has a time of its own."""
    with connect(server) as client:
        for _ in range(5):
            client.sendall(request())
            assert status(answer(client)) == 200
            time.sleep(0.5)


@pytest.mark.parametrize("path", ["/count", "/large"])
def test_who_does_not_read_is_cut_off_and_holds_no_slot(path: str, server: Running) -> None:
    body = {"/count": b'{"n":500,"size":100000}', "/large": b'{"n":50000000}'}[path]
    with ExitStack() as stack:
        for _ in range(2):
            client = stack.enter_context(connect(server))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.sendall(request(body, path))
        eventually(lambda: server.stats(path)["arrived"] > 0)
        if path == "/count":
            assert server.post(path).text == 'data: "x"\n\n' * 3, "the slots are free again"
        eventually(lambda: idle(server))


def test_the_half_open_are_let_go(server: Running) -> None:
    """Who closes his half counts as gone, as with uvicorn: he may get his answer, or none."""
    with connect(server) as client:
        client.sendall(request(GOOD, "/predict", b"Connection: close"))
        client.shutdown(socket.SHUT_WR)
        assert status(answer(client)) in {0, 200}


# ── the many ─────────────────────────────────────────────────────────────────────────────────────


def test_two_thousand_idle_connections_keep_nobody_out(server: Running) -> None:
    before = memory(server)
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(server)) for _ in range(MANY)]
        began = time.monotonic()
        assert server.get("/live").status_code == 200
        assert server.post(item={"name": "a"}).status_code == 200
        assert time.monotonic() - began < 5
        for client in clients[::2]:
            client.close()
    assert memory(server) - before < 100 * 2**20


def test_the_document_is_valid_json_without_strangers(server: Running) -> None:
    document = json.loads(server.get("/openapi.json").content)
    assert document["openapi"].startswith("3.1")
