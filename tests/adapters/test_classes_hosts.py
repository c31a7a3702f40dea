"""Each host reads the same headers in the same way, and its queue serves by them. Nothing sleeps."""

from __future__ import annotations

import asyncio
import gc
import sys
import warnings
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import flask
import httpx
import pytest
from fastapi import Depends, FastAPI
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.adapters.asgi_harness import Bench, Wire, hello
from tests.adapters.classed import CLASSES, AliceFirst, Doorman, Watched
from tests.adapters.wsgi_bench import GUARD, Client, Hanging, request, serve
from timeouts import FIFO, GatewayTimeout, PredictedWait, Priority, QueueTimeout, guard
from timeouts.adapters.asgi import Timeouts as AsgiTimeouts
from timeouts.adapters.asgi.exchange import Exchange
from timeouts.adapters.fastapi import Limited, install
from timeouts.adapters.litserve.front import EndpointTimeouts
from timeouts.adapters.wsgi import Timeouts as WsgiTimeouts
from timeouts.observe import PrometheusMetrics
from timeouts.testing import run_virtual

LIMITS = GatewayTimeout(60, reserve=0)
SENT = {"X-Tenant": "alice", "X-Priority": "interactive"}
MEANT = (0.0, "alice")
LAST = 10.0


def saying(**headers: str) -> dict[str, Any]:
    """Make the headers of a request on the wire."""
    return {"headers": tuple((f"x-{name}".encode(), v.encode()) for name, v in headers.items())}


async def posted(app: Any, **headers: str) -> int:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://model") as client:
        return (await client.post("/work", headers=headers)).status_code


# ── one meaning everywhere ───────────────────────────────────────────────────────────────────────


async def work(_: Request) -> Response:
    return Response()


def by_asgi(doorman: Doorman, **options: Any) -> None:
    app = Starlette(routes=[Route("/work", work, methods=["POST"])])
    front = AsgiTimeouts(app, LIMITS, observers=[doorman], **options)
    assert asyncio.run(posted(front, **SENT)) == 200


def by_starlette(doorman: Doorman, **options: Any) -> None:
    app = Starlette(routes=[Route("/work", work, methods=["POST"])])
    LIMITS.apply(app, observers=[doorman], **options)
    assert asyncio.run(posted(app, **SENT)) == 200


def by_fastapi(doorman: Doorman, **options: Any) -> None:
    app = FastAPI()
    app.post("/work")(lambda: "done")
    LIMITS.apply(app, observers=[doorman], **options)
    assert asyncio.run(posted(app, **SENT)) == 200


def by_limited(doorman: Doorman, **options: Any) -> None:
    app = FastAPI()
    limited = Limited(LIMITS, observers=[doorman], **options)
    app.post("/work", dependencies=[Depends(limited)])(lambda: "done")
    install(app)
    assert asyncio.run(posted(app, **SENT)) == 200


def by_litserve(doorman: Doorman, **options: Any) -> None:
    app = Starlette(routes=[Route("/work", work, methods=["POST"])])
    queue: dict[str, Any] = {"slots": None, "capacity": 1, "discipline": FIFO}
    front = EndpointTimeouts(
        app,
        Limited(LIMITS).server.limits,
        paths=frozenset({"/work"}),
        observers=[doorman],
        **queue,
        **options,
    )
    assert asyncio.run(posted(front, **SENT)) == 200


def environ() -> WSGIEnvironment:
    return request("/work", HTTP_X_TENANT="alice", HTTP_X_PRIORITY="interactive")


def greet(_: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    start("200 OK", [])
    return [b"hello"]


def by_wsgi(doorman: Doorman, **options: Any) -> None:
    with WsgiTimeouts(greet, LIMITS, observers=[doorman], **options) as limited:
        assert serve(limited, environ()).status == 200


def by_flask(doorman: Doorman, **options: Any) -> None:
    app = flask.Flask(__name__)
    app.get("/work")(lambda: "done")
    LIMITS.apply(app, observers=[doorman], **options)
    with app.extensions["timeouts"]:
        assert serve(app, environ()).status == 200


def by_ray_serve(doorman: Doorman, **options: Any) -> None:
    if sys.version_info >= (3, 14):
        pytest.skip("Ray has no wheels for Python 3.14")
    with warnings.catch_warnings():  # of Ray's own imports
        warnings.simplefilter("ignore")
        from timeouts.adapters.ray_serve import endpoint

    @endpoint(**options)
    @guard(LIMITS, observers=[doorman])
    async def handler(_: Any) -> str:
        return "done"

    raw = [(name.lower().encode(), value.encode()) for name, value in SENT.items()]
    asked = Request({"type": "http", "method": "POST", "path": "/", "headers": raw})
    assert asyncio.run(handler(asked)) == "done"


HOSTS = pytest.mark.parametrize(
    "host",
    [
        by_asgi,
        by_starlette,
        by_fastapi,
        by_limited,
        by_litserve,
        by_wsgi,
        by_flask,
        by_ray_serve,
    ],
)
Host = Callable[..., None]


@HOSTS
def test_a_request_comes_as_what_its_headers_say(host: Host) -> None:
    doorman = Doorman()
    host(doorman, classes=CLASSES)
    assert doorman.seen == [MEANT]


@HOSTS
def test_nothing_is_read_unless_it_was_opted_in(host: Host) -> None:
    doorman = Doorman()
    host(doorman)
    assert doorman.seen == [(0.0, None)]


@HOSTS
def test_what_are_no_classes_is_refused_at_construction(host: Host) -> None:
    with pytest.raises(TypeError, match=r"classes must be Classes, such as .*; got 'x-tenant'"):
        host(Doorman(), classes="x-tenant")


# ── ASGI ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_queue_serves_by_level_and_who_names_none_comes_last() -> None:
    async def main() -> None:
        bench = Bench(hello(1), LIMITS, slots=1, discipline=Priority, classes=CLASSES)
        first = bench.request()
        await asyncio.sleep(0.5)
        said = ["root", "batch", "normal", "interactive", "interactive, batch", "-1"]
        wires = {level: bench.request(**saying(priority=level)) for level in said}
        silent = bench.request()
        await bench.done()
        assert (first.times[0], silent.times[0]) == (1, 8)
        assert {level: wire.times[0] for level, wire in wires.items()} == {
            "interactive": 2,
            "normal": 3,
            "root": 4,
            "batch": 5,
            "interactive, batch": 6,
            "-1": 7,
        }
        assert all(wire.status == 200 for wire in wires.values())

    run_virtual(main())


def test_the_queue_serves_by_tenant() -> None:
    async def main() -> None:
        bench = Bench(hello(1), LIMITS, slots=1, discipline=AliceFirst, classes=CLASSES)
        bench.request()
        await asyncio.sleep(0.5)
        wires = [bench.request(**saying(tenant=tenant)) for tenant in ("bob", "", "alice")]
        await bench.done()
        assert [wire.times[0] for wire in wires] == [3, 4, 2]

    run_virtual(main())


@given(st.lists(st.tuples(st.binary(), st.binary())))
def test_no_header_makes_an_error(headers: list[tuple[bytes, bytes]]) -> None:
    async def main() -> None:
        sent = ((b"x-tenant", b"\xff"), (b"x-priority", b"\x00"), *headers)
        wire = await Bench(hello(), LIMITS, classes=CLASSES).get(headers=sent)
        assert (wire.status, wire.body) == (200, b"hello")

    run_virtual(main())


def test_who_is_refused_before_its_body_is_read_has_a_class_too() -> None:
    async def main() -> None:
        doorman = Doorman()
        options: dict[str, Any] = {"slots": 1, "capacity": 0, "discipline": Priority}
        bench = Bench(hello(1), LIMITS, observers=[doorman], classes=CLASSES, **options)
        bench.request()
        await asyncio.sleep(0.5)
        wire = await bench.get(b"a", whole=False, **saying(tenant="bob", priority="normal"))
        assert (wire.status, doorman.seen[-1]) == (429, (5.0, "bob"))
        await bench.done()

    run_virtual(main())


def test_a_new_tenant_each_time_leaves_nothing_behind() -> None:
    """No label in the metrics, and no exchange that is over."""
    fronts: list[Any] = []

    async def main() -> None:
        registry = CollectorRegistry()
        options: dict[str, Any] = {"slots": 2, "discipline": AliceFirst}
        metrics = PrometheusMetrics(registry)
        bench = Bench(hello(1), LIMITS, observers=[metrics], classes=CLASSES, **options)
        fronts.append(bench.asgi)
        rows = []
        for number in range(2, 50):
            bench.request(**saying(tenant=f"tenant-{number}", priority=f"level-{number}"))
            bench.request(**saying(tenant=f"tenant-{number}", priority="batch"))
            await bench.done()
            bench.requests.clear()
            shown = generate_latest(registry)
            assert b"tenant-" not in shown
            assert b"level-" not in shown
            rows.append(len(shown.splitlines()))
        assert rows == rows[:1] * len(rows)

    run_virtual(main())
    gc.collect()
    exchanges = [one for one in gc.get_objects() if isinstance(one, Exchange)]
    assert not [one for one in exchanges if one._front in fronts]


def test_admission_is_chosen_as_for_a_server() -> None:
    """Behind one who runs and one who waits, 4 s each, nobody can start within 3 s."""

    async def main() -> None:
        limits, admission = QueueTimeout(3), PredictedWait()
        bench = Bench(hello(4), limits, slots=1, discipline=FIFO, admission=admission)
        await bench.get()
        bench.request()
        waits = bench.request()
        await asyncio.sleep(0)
        told: Wire = await bench.get()
        assert (told.status, told.problem["error"]) == (503, "wait_too_long")
        await bench.done()
        assert waits.problem["error"] == "queue_timeout"

    run_virtual(main())


# ── WSGI ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_wsgi_queue_serves_by_level() -> None:
    served: list[str] = []
    queue = Watched()
    with Hanging() as hanging:

        def app(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            if environ["PATH_INFO"] == "/hang":
                return hanging(environ, start)
            served.append(environ["HTTP_X_PRIORITY"])
            return greet(environ, start)

        options: dict[str, Any] = {"slots": 1, "discipline": lambda: queue, "classes": CLASSES}
        with WsgiTimeouts(app, LIMITS, **options) as limited:
            clients = [Client(limited, request("/hang"))]
            assert hanging.entered.wait(GUARD)
            for level in ("batch", "what", "normal", "interactive"):
                clients.append(Client(limited, request(HTTP_X_PRIORITY=level)))
                queue.wait_for_one()
            hanging.gate.set()
            assert [client.answer().status for client in clients] == [200] * 5
    assert served == ["interactive", "normal", "batch", "what"]


@pytest.mark.parametrize("front", [AsgiTimeouts, WsgiTimeouts])
def test_an_admission_that_is_none_is_refused(front: Any) -> None:
    with pytest.raises(TypeError, match=r"admission must be .*; got 5"):
        front(hello() if front is AsgiTimeouts else greet, LIMITS, admission=5)


def test_wsgi_has_an_admission_as_well() -> None:
    rule = PredictedWait(dark=True)
    with WsgiTimeouts(greet, LIMITS, discipline=FIFO, admission=rule) as limited:
        assert limited.server.given["admission"] is rule
