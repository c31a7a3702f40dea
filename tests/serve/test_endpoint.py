"""One handler behind HTTP, in memory and on virtual time: what a client gets, and when."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.adapters.asgi_harness import Wire
from tests.adapters.classed import Doorman
from timeouts import (
    ExecutionTimeout,
    FirstItemTimeout,
    GatewayTimeout,
    IdleTimeout,
    PayloadError,
    Priority,
    QueueTimeout,
    Server,
    Stack,
)
from timeouts.serve import health, openapi
from timeouts.serve.endpoint import Endpoint
from timeouts.serve.plan import plan
from timeouts.testing import VirtualLoop, run_virtual

JSON_TYPE = (b"content-type", b"application/json")


class Log:
    """What handlers have done."""

    def __init__(self) -> None:
        self.notes: list[str] = []


LOG = Log()


async def work(x: float = 0.0, what: str = "") -> Any:
    """Work for x seconds, then give or raise what is asked for."""
    LOG.notes.append("begun")
    try:
        await asyncio.sleep(x)
    except asyncio.CancelledError:
        LOG.notes.append("cancelled")
        raise
    if what == "object":
        return object()
    if what == "exit":
        raise SystemExit("hunter2")
    if what == "payload":
        raise PayloadError("hunter2")
    if what:
        raise ValueError("hunter2")
    return {"x": x}


async def stream(n: int, gap: float = 0.0, what: str = "") -> AsyncGenerator[Any, None]:
    """Give n items."""
    try:
        for number in range(n):
            await asyncio.sleep(gap)
            yield object() if what == "object" else number
        if what == "error":
            raise ValueError("hunter2")
    finally:
        LOG.notes.append("closed")


@pytest.fixture(autouse=True)
def module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = ModuleType("a_model")
    made.__dict__.update(work=work, stream=stream)
    monkeypatch.setitem(sys.modules, "a_model", made)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    LOG.notes.clear()


class Bench:
    """An endpoint on a virtual loop."""

    def __init__(self, name: str, limits: Any, text: str, **options: Any) -> None:
        Path("timeouts.toml").write_text(text)
        whole = plan(f"a_model:{name}", {})
        handler = whole.routes[0].handler.function
        clock = VirtualLoop.running().clock
        self.server = Server(handler, limits, clock=clock, **options)
        self.endpoint = Endpoint(whole.routes[0], self.server, whole)
        self.plan = whole
        self.tasks: list[asyncio.Task[Wire]] = []

    def post(self, *parts: bytes, headers: Any = (JSON_TYPE,), **options: Any) -> Wire:
        """Have a request come in."""
        wire = Wire(*parts, path="/predict", headers=headers, **options)
        self.tasks.append(asyncio.create_task(wire.serve(self.endpoint)))
        return wire

    def ask(self, **body: Any) -> Wire:
        """Have one come in with a JSON object."""
        return self.post(json.dumps(body).encode())

    async def done(self) -> None:
        """Wait until all are answered."""
        await asyncio.wait(self.tasks)

    async def get(self, *parts: bytes, **options: Any) -> Wire:
        """Have one come in and wait for its answer."""
        wire = self.post(*parts, **options)
        await self.done()
        return wire


Play = Callable[[Bench], Awaitable[None]]


def play(
    scenario: Play, name: str = "work", limits: Any = None, text: str = "", **options: Any
) -> None:
    """Play a scenario; at its end nobody waits or runs, and the protocol was kept."""

    async def main() -> None:
        bench = Bench(name, limits or Stack(), text, **options)
        async with bench.server:
            await scenario(bench)
            stats = bench.server.stats()
            assert (stats.waiting, stats.running) == (0, 0)
        for task in bench.tasks:
            wire = task.result()
            assert not wire.violations
            if wire.status is not None:
                assert wire.headers["server-timing"].startswith("queue;dur=")
                assert b"hunter2" not in wire.body
                assert b"Traceback" not in wire.body

    run_virtual(main(), threads=name == "stream")


def test_a_result_is_its_json() -> None:
    async def scenario(bench: Bench) -> None:
        wire = await bench.get(b'{"x":', b"2}")
        assert (wire.status, json.loads(wire.body)) == (200, {"x": 2.0})
        assert wire.headers["content-type"] == "application/json"
        assert wire.headers["content-length"] == str(len(wire.body))
        assert wire.headers["server-timing"] == (
            "queue;dur=0.000, exec;dur=2000.000, total;dur=2000.000"
        )

    play(scenario)


def test_an_expiry_is_told_at_its_very_instant() -> None:
    async def scenario(bench: Bench) -> None:
        wires = [bench.ask(x=60), bench.ask(x=60), bench.ask()]
        await bench.done()
        assert [wire.status for wire in wires] == [504, 503, 503]
        assert [wire.times[0] for wire in wires] == [5, 3, 3]
        assert wires[0].problem["error"] == "execution_timeout"
        assert wires[1].problem["error"] == "queue_timeout"
        assert int(wires[1].headers["retry-after"]) >= 1
        assert "retry-after" not in wires[0].headers
        assert LOG.notes == ["begun", "cancelled"]

    play(scenario, limits=QueueTimeout(3) | ExecutionTimeout(5), slots=1)


def test_a_full_queue_is_a_429_at_once() -> None:
    async def scenario(bench: Bench) -> None:
        bench.ask(x=5)
        await asyncio.sleep(1)
        wire = await_at_once = bench.ask()
        await asyncio.sleep(0.5)
        assert (wire.status, wire.times[0]) == (429, 1)
        assert int(await_at_once.headers["retry-after"]) >= 1
        await bench.done()

    play(scenario, limits=GatewayTimeout(30), slots=1, capacity=0)


def test_a_full_queue_is_told_before_the_body_is_there() -> None:
    """Nobody uploads, and nobody keeps, what would be refused."""

    async def scenario(bench: Bench) -> None:
        bench.ask(x=5)
        await asyncio.sleep(1)
        wire = bench.post(b"{", whole=False)
        await asyncio.sleep(0.5)
        assert (wire.status, wire.times[0]) == (429, 1)
        await bench.done()
        stats = bench.server.stats()
        assert (stats.arrived, dict(stats.outcomes)) == (2, {"queue_full": 1, "completed": 1})

    play(scenario, limits=GatewayTimeout(30), slots=1, capacity=0)


def test_statuses_are_overridden() -> None:
    async def scenario(bench: Bench) -> None:
        bench.ask(x=5)
        wire = bench.ask()
        await bench.done()
        assert (wire.status, wire.problem["status"]) == (504, 504)

    text = "[serve]\nstatuses = { queue_timeout = 504 }"
    play(scenario, limits=QueueTimeout(1), text=text, slots=1)


def test_a_client_that_leaves_is_withdrawn_at_once() -> None:
    """Whether it runs, waits, or still uploads."""

    async def scenario(bench: Bench) -> None:
        runs, waits = bench.ask(x=60), bench.ask()
        uploads = bench.post(b'{"x"', whole=False)
        await asyncio.sleep(1)
        assert (bench.server.stats().running, bench.server.stats().waiting) == (1, 1)
        for wire in (waits, uploads, runs):
            wire.leave()
        await bench.done()
        assert [wire.ended for wire in (runs, waits, uploads)] == [1, 1, 1]
        assert bench.server.stats().outcomes == {"withdrawn": 2}
        assert LOG.notes == ["begun", "cancelled"]
        assert not any(wire.sent for wire in (runs, waits, uploads))

    play(scenario, slots=1)


@pytest.mark.parametrize("what", ["error", "object", "exit", "payload"])
def test_what_fails_is_in_the_log_and_not_in_the_answer(
    what: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(bench: Bench) -> None:
        wire = bench.ask(what=what)
        await bench.done()
        assert (wire.status, wire.problem["title"]) == (500, "Internal Server Error") or (
            wire.problem["error"] == "payload"
        )
        assert (await bench.get(b"{}")).status == 200

    with caplog.at_level(logging.ERROR, "timeouts"):
        play(scenario)
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[1] is not None
    assert "hunter2" in str(record.exc_info[1]) or what == "object"


FAULTS: list[tuple[int, tuple[bytes, ...], dict[str, Any], str]] = [
    (405, (b"{}",), {"method": "GET"}, "/predict takes POST; got GET"),
    (405, (b"{}",), {"method": "DELETE"}, "got DELETE"),
    (415, (b"{}",), {"headers": ((b"content-type", b"text/html"),)}, "got 'text/html'"),
    (422, (b'{"y":1}',), {}, "y: "),
    (422, (b'{"x":"a"}',), {}, "x: "),
    (422, (b"nonsense",), {}, "body: "),
    (413, (b'{"x":', b" " * 200, b"1}"), {}, "max_body allows 100 bytes"),
    (413, (), {"headers": ((b"content-length", b"101"),), "whole": False}, "max_body allows 100"),
    (400, (b"{}",), {"headers": (JSON_TYPE, (b"grpc-timeout", b"soon"))}, "grpc-timeout must"),
]


@pytest.mark.parametrize(("code", "parts", "options", "said"), FAULTS, ids=range(len(FAULTS)))
def test_a_fault_of_the_request_is_no_job(
    code: int, parts: tuple[bytes, ...], options: dict[str, Any], said: str
) -> None:
    async def scenario(bench: Bench) -> None:
        wire = await bench.get(*parts, **options)
        assert wire.status == code
        assert said in wire.problem["detail"]
        assert wire.headers.get("allow") == ("POST" if code == 405 else None)
        assert wire.headers.get("connection") == ("close" if code == 413 else None)
        assert bench.server.stats().arrived == 0

    play(scenario, text='[serve]\nmax_body = 100\nbudgets = ["grpc-timeout"]')


def test_faults_are_listed() -> None:
    async def scenario(bench: Bench) -> None:
        wire = await bench.get(b'{"x":"a","y":1}')
        assert {fault["where"] for fault in wire.problem["errors"]} == {"x", "y"}

    play(scenario)


def test_a_slow_upload_is_a_408_and_a_patient_one_is_served() -> None:
    async def scenario(bench: Bench) -> None:
        slow, patient = bench.post(b"{", whole=False), bench.post(b"{", whole=False)
        await asyncio.sleep(1)
        patient.upload(b"}")
        await bench.done()
        assert (slow.status, slow.times[0]) == (408, 2)
        assert slow.headers["connection"] == "close"
        assert "body_timeout allows 2 s" in slow.problem["detail"]
        assert patient.status == 200
        assert bench.server.stats().arrived == 1

    play(scenario, text="[serve]\nbody_timeout = 2")


def test_a_budget_goes_on_while_the_body_comes() -> None:
    async def scenario(bench: Bench) -> None:
        headers = (JSON_TYPE, (b"grpc-timeout", b"3S"))
        never = bench.post(b"{", whole=False, headers=headers)
        late = bench.post(b'{"x":60', whole=False, headers=headers)
        await asyncio.sleep(2)
        late.upload(b"}")
        await bench.done()
        for wire in (never, late):
            assert (wire.status, wire.times[0]) == (504, 3)
            assert wire.problem["error"] == "gateway_timeout"
        assert not never.problem["started"]
        assert late.problem["started"]

    play(scenario, text='[serve]\nbudgets = ["grpc-timeout"]')


def test_a_budget_never_lengthens() -> None:
    async def scenario(bench: Bench) -> None:
        wire = await bench.get(b'{"x":60}', headers=(JSON_TYPE, (b"grpc-timeout", b"50S")))
        assert (wire.status, wire.times[0]) == (504, 2)

    text = '[serve]\nbudgets = ["grpc-timeout"]'
    play(scenario, limits=GatewayTimeout(2), text=text)


# ── who asks, and how important it is ────────────────────────────────────────────────────────────

CLASSES = """
[serve.classes]
tenant = "X-Tenant"
priority = "x-priority"
levels = { interactive = 0, batch = 10 }
"""


def test_the_queue_serves_by_level() -> None:
    """Also where the body is still to come when the request does."""

    async def scenario(bench: Bench) -> None:
        bench.ask(x=1)
        await asyncio.sleep(0.5)
        said = (b"what", b"batch", b"interactive")
        wires = {
            level: bench.post(b'{"x":1', whole=False, headers=(JSON_TYPE, (b"x-priority", level)))
            for level in said
        }
        await asyncio.sleep(0.1)
        for wire in wires.values():
            wire.upload(b"}")
        await bench.done()
        times = {level: wire.times[0] for level, wire in wires.items()}
        assert times == {b"interactive": 2, b"what": 3, b"batch": 4}

    limits = GatewayTimeout(30, reserve=0)
    play(scenario, limits=limits, text=CLASSES, slots=1, discipline=Priority)


@pytest.mark.parametrize(("text", "meant"), [(CLASSES, (0.0, "alice")), ("", (0.0, None))])
@pytest.mark.parametrize("options", [{}, {"capacity": 0}])
def test_a_request_comes_as_what_its_headers_say(text: str, meant: Any, options: Any) -> None:
    """If they were opted in; also one that is refused before its body is read."""
    doorman = Doorman()

    async def scenario(bench: Bench) -> None:
        bench.ask(x=1)
        await asyncio.sleep(0.5)
        headers = (JSON_TYPE, (b"x-tenant", b"alice"), (b"x-priority", b"interactive"))
        wire = bench.post(b"{}", headers=headers, whole="capacity" not in options)
        await bench.done()
        assert wire.status == (429 if "capacity" in options else 200)
        assert doorman.seen[-1] == meant

    limits = GatewayTimeout(30, reserve=0)
    play(scenario, limits=limits, text=text, slots=1, observers=[doorman], **options)


# ── streams ──────────────────────────────────────────────────────────────────────────────────────


def test_items_are_sent_as_they_come() -> None:
    async def scenario(bench: Bench) -> None:
        wire = bench.ask(n=3, gap=1)
        await bench.done()
        assert wire.headers["content-type"] == "text/event-stream"
        assert wire.headers["cache-control"] == "no-store"
        assert wire.body == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"
        assert wire.times == [1, 1, 2, 3, 3]
        assert wire.complete

    play(scenario, "stream")


def test_an_empty_stream_is_an_empty_answer() -> None:
    async def scenario(bench: Bench) -> None:
        wire = bench.ask(n=0)
        await bench.done()
        assert (wire.status, wire.body, wire.complete) == (200, b"", True)

    play(scenario, "stream")


def test_an_expiry_before_the_first_item_is_a_true_504() -> None:
    async def scenario(bench: Bench) -> None:
        wire = bench.ask(n=3, gap=60)
        await bench.done()
        assert (wire.status, wire.times[0]) == (504, 2)
        assert wire.problem["error"] == "first_item_timeout"

    play(scenario, "stream", FirstItemTimeout(2) | IdleTimeout(5))


def test_an_expiry_after_it_is_an_event_that_says_so() -> None:
    async def scenario(bench: Bench) -> None:
        wire = bench.ask(n=3, gap=2)
        await bench.done()
        assert wire.status == 200
        *_, last = wire.body.strip().split(b"\n\n")
        assert last.startswith(b"event: error\ndata: ")
        assert json.loads(last.partition(b"data: ")[2])["error"] == "execution_timeout"
        assert wire.times[-1] == 3

    play(scenario, "stream", ExecutionTimeout(3))


@pytest.mark.parametrize("what", ["error", "object"])
def test_a_stream_that_fails_says_so(what: str, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(bench: Bench) -> None:
        wire = bench.ask(n=1, what=what)
        await bench.done()
        if what == "error":
            assert wire.body.startswith(b"data: 0\n\nevent: error\ndata: ")
            assert wire.complete
        else:
            assert wire.status == 500

    play(scenario, "stream")
    assert any(record.exc_info for record in caplog.records)


def test_the_reader_of_a_stream_who_leaves_closes_it() -> None:
    async def scenario(bench: Bench) -> None:
        wire = bench.ask(n=100, gap=1)
        await asyncio.sleep(2.5)
        wire.leave()
        await bench.done()
        assert wire.ended == 2.5
        await asyncio.sleep(0)
        assert LOG.notes == ["closed"]
        assert bench.server.stats().outcomes == {"withdrawn": 1}

    play(scenario, "stream")


# ── health and the document ──────────────────────────────────────────────────────────────────────


def test_ready_is_who_wants_requests() -> None:
    async def scenario(bench: Bench) -> None:
        assert health.unready(bench.server) is None
        bench.ask(x=2)
        bench.ask()
        await asyncio.sleep(1)
        assert health.unready(bench.server) == "its queue is full: 1 wait"
        await bench.done()
        assert health.unready(bench.server) is None
        await bench.server.adrain()
        assert health.unready(bench.server) == "it is shutting down"
        assert await health.ailment(bench.server) is None, "to drain is no ailment"

    play(scenario, slots=1, capacity=1)


def test_live_is_false_while_all_threads_are_abandoned() -> None:
    import threading

    release = threading.Event()

    def hang() -> None:
        release.wait(30)

    async def main() -> None:
        server = Server(hang, ExecutionTimeout(0.01), slots=1, workers="thread")
        try:
            assert await health.ailment(server) is None
            with pytest.raises(TimeoutError):
                await server.acall()
            reason = await health.ailment(server)
            assert reason == "no worker can be had: 1 abandoned jobs still run"
        finally:
            release.set()
            server.close()

    asyncio.run(main())


def test_the_gist_of_a_failed_setup_is_without_its_traceback() -> None:
    from timeouts.errors import StartupFailed

    told = health._gist(
        StartupFailed("setup failed in a worker: Traceback (most recent call last)")
    )
    assert told == "setup failed in a worker; the log has its traceback"
    assert health._gist(StartupFailed("it took too long")) == "it took too long"


def test_the_document_says_what_a_route_takes_and_may_answer() -> None:
    async def scenario(bench: Bench) -> None:
        again = Endpoint(
            dataclasses.replace(bench.endpoint.served, path="/v1/again"), bench.server, bench.plan
        )
        document = openapi.document({"/predict": bench.endpoint, "/v1/again": again})
        json.dumps(document, allow_nan=False)
        post = document["paths"]["/predict"]["post"]
        assert post["summary"] == "Work for x seconds, then give or raise what is asked for."
        body = post["requestBody"]["content"]["application/json"]["schema"]
        assert body["properties"]["x"]["default"] == 0.0
        assert body["additionalProperties"] is False
        codes = {200, 400, 405, 408, 413, 415, 422, 429, 500, 502, 503, 504}
        assert set(post["responses"]) == set(map(str, codes))
        ids = [item["post"]["operationId"] for item in document["paths"].values() if "post" in item]
        assert len(set(ids)) == 2

    play(scenario)


def test_the_document_knows_overridden_statuses() -> None:
    async def scenario(bench: Bench) -> None:
        document = openapi.document({"/predict": bench.endpoint})
        responses = document["paths"]["/predict"]["post"]["responses"]
        assert "418" in responses
        assert "429" not in responses

    play(scenario, text="[serve.statuses]\nqueue_full = 418")


def test_a_stream_is_documented_as_events() -> None:
    async def scenario(bench: Bench) -> None:
        document = openapi.document({"/predict": bench.endpoint})
        (media,) = document["paths"]["/predict"]["post"]["responses"]["200"]["content"]
        assert media == "text/event-stream"

    play(scenario, "stream")
