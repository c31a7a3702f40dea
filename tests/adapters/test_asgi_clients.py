"""The clients of the ASGI middleware: what they bring, what they are refused, and what their leaving does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.adapters.asgi_harness import Bench, Served, Wire, hello, now, part, start
from timeouts import (
    FIFO,
    EarliestDeadlineFirst,
    ExecutionTimeout,
    GatewayTimeout,
    IdleTimeout,
    Job,
    Observer,
    QueueTimeout,
)
from timeouts.adapters.asgi import Timeouts
from timeouts.adapters.headers import Budgets
from timeouts.testing import VirtualLoop, run_virtual, settle

# ── at the door ──────────────────────────────────────────────────────────────────────────────────


def test_who_waits_too_long_is_told_by_503() -> None:
    async def main() -> None:
        bench = Bench(hello(10), QueueTimeout(4), slots=1)
        bench.request()
        wire = await bench.get()
        assert (wire.status, wire.times) == (503, [4, 4])
        told = wire.problem
        assert (told["error"], told["started"], told["work"]) == (
            "queue_timeout",
            False,
            "never started",
        )
        assert wire.headers["server-timing"].startswith("queue;dur=4000.000, exec;dur=0.000")
        assert int(wire.headers["retry-after"]) >= 1
        await bench.done()

    run_virtual(main())


def test_one_more_than_capacity_is_a_429_that_says_when_to_come_back() -> None:
    async def main() -> None:
        bench = Bench(hello(10), QueueTimeout(30), slots=1, capacity=1)
        await bench.get()  # from which the pace is known
        bench.request(), bench.request()
        wire = await bench.get()
        assert (wire.status, now(), wire.headers["retry-after"]) == (429, 10, "20")
        assert wire.problem["limit"] == 1
        await bench.done()
        assert bench.books() == (0, 0, 0)

    run_virtual(main())


def test_who_would_be_refused_is_refused_before_a_body_is_read() -> None:
    async def main() -> None:
        app = hello(10)
        bench = Bench(app, slots=1, capacity=0)
        bench.request()
        await settle()
        for parts in ((), (b"a",)):
            wire = await bench.get(*parts, whole=False)
            assert (wire.status, now()) == (429, 0)
        await bench.done()
        assert app.notes.count("begun") == 1
        assert bench.outcomes == {"completed": 1, "queue_full": 2}

    run_virtual(main())


def test_a_drained_server_refuses_and_finishes_what_it_has() -> None:
    async def main() -> None:
        bench = Bench(hello(3), GatewayTimeout(30))
        first = bench.request()
        await settle()
        assert not await bench.asgi.server.adrain(1)
        wire = await bench.get()
        assert (wire.status, wire.problem["error"]) == (503, "shutting_down")
        await bench.done()
        assert first.status == 200

    run_virtual(main())


def test_a_closed_server_tells_those_who_run() -> None:
    async def main() -> None:
        bench = Bench(hello(30), slots=1)
        first, second = bench.request(), bench.request()
        await asyncio.sleep(1)
        bench.asgi.server.close()
        await bench.done()
        assert (now(), first.status, second.status) == (1, 503, 503)
        assert first.problem["error"] == "server_closed"

    run_virtual(main())


def test_the_discipline_and_observers_know_the_request() -> None:
    class Seen(Observer):
        def arrived(self, job: Job, now: float) -> None:
            paths.append(job.args[0]["path"])  # type: ignore[attr-defined]

    paths: list[str] = []

    async def main() -> None:
        bench = Bench(
            hello(2),
            slots=1,
            discipline=EarliestDeadlineFirst,
            observers=[Seen()],
            routes={"/urgent": GatewayTimeout(30)},
        )
        bench.request(), bench.request(path="/slow"), bench.request(path="/urgent")
        await bench.done()
        assert paths == ["/", "/slow", "/urgent"]

    run_virtual(main())


# ── bodies ───────────────────────────────────────────────────────────────────────────────────────


def test_a_slow_upload_is_not_the_applications_fault() -> None:
    """The job arrives with the last byte, and its limits count from there."""

    async def main() -> None:
        got: list[Any] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            got.append(await receive())
            got.append(await receive())
            await hello(2)(scope, receive, send)

        bench = Bench(app, GatewayTimeout(3))
        wire = bench.request(b"one", whole=False)
        await asyncio.sleep(20)
        wire.upload(b"two")
        await bench.done()
        assert (wire.status, now()) == (200, 22)
        assert [message["body"] for message in got] == [b"one", b"two"]
        assert wire.headers["server-timing"].endswith("total;dur=2000.000")

    run_virtual(main())


def test_an_upload_that_takes_too_long_is_a_408() -> None:
    async def main() -> None:
        bench = Bench(hello(), body_timeout=5)
        wire = bench.request(b"a", whole=False)
        await asyncio.sleep(3)
        wire.upload(b"b", more=True)
        await bench.done()
        assert (wire.status, now(), wire.headers["connection"]) == (408, 5, "close")
        assert "body_timeout allows 5 s" in wire.problem["detail"]
        assert wire.headers["server-timing"].endswith("total;dur=5000.000")
        assert bench.asgi.stats().arrived == 0
        unlimited = Bench(hello(), body_timeout=None)
        wire = unlimited.request(whole=False)
        await asyncio.sleep(1000)
        wire.upload(b"")
        await unlimited.done()
        assert wire.status == 200

    run_virtual(main())


def test_an_upload_that_is_too_large_is_a_413() -> None:
    """At once where it is announced; else when it has come to be too large."""

    async def main() -> None:
        announced = ((b"content-length", b"11"),)
        for parts, options in [
            ((b"x" * 11,), {}),
            ((b"x" * 6, b"x" * 5), {}),
            ((), {"whole": False, "headers": announced}),
            ((b"x",), {"whole": False, "headers": announced}),
        ]:
            began = now()
            wire = await Bench(hello(), max_body=10).get(*parts, **options)
            assert (wire.status, wire.headers["connection"], wire.times[1]) == (413, "close", began)
            assert now() == began + (2 if "whole" in options else 0)  # for what may still come
            assert "max_body allows 10 bytes" in wire.problem["detail"]
            assert wire.complete
        assert (await Bench(hello(), max_body=10).get(b"x" * 10)).status == 200
        assert (await Bench(hello(), max_body=0).get()).status == 200

    run_virtual(main())


@pytest.mark.parametrize("version", ["2", "3"])
def test_later_versions_of_http_have_no_connection_header(version: str) -> None:
    async def main() -> None:
        wire = await Bench(hello(), max_body=1).get(b"xx", http_version=version)
        assert (wire.status, "connection" in wire.headers) == (413, False)

    run_virtual(main())


def test_a_servers_own_timeout_is_not_ours() -> None:
    """An error of `receive` goes back to the server, whatever its class."""

    async def main() -> None:
        async def receive() -> Any:
            await asyncio.sleep(1)
            raise TimeoutError("the server's own")

        wire = Wire()
        with pytest.raises(TimeoutError, match="the server's own"):
            await Bench(hello()).asgi(wire.scope, receive, wire.send)

    run_virtual(main())


def test_a_receive_that_is_cancelled_cleans_up_and_may_even_go_on() -> None:
    """Its first step was made without a task's help; the rest is as if it had been awaited."""

    async def main() -> None:
        notes: list[str] = []

        async def receive() -> Any:
            try:
                await asyncio.sleep(5)
            except asyncio.CancelledError:
                notes.append("cancelled")
                await asyncio.sleep(1)
                return {"type": "http.request", "body": b"after all"}

        wire = Wire()
        task = asyncio.create_task(Bench(hello()).asgi(wire.scope, receive, wire.send))
        await asyncio.sleep(1)
        task.cancel()
        await task
        assert (notes, wire.body, now()) == (["cancelled"], b"hello", 2)

    run_virtual(main())


# ── budgets ──────────────────────────────────────────────────────────────────────────────────────


def asking(seconds: str) -> dict[str, Any]:
    return {"headers": ((b"x-request-timeout-seconds", seconds.encode()),)}


BUDGETS = Budgets("x-request-timeout-seconds")


def test_a_budget_shortens_and_never_lengthens() -> None:
    async def main() -> None:
        bench = Bench(Served(60), GatewayTimeout(3), budgets=BUDGETS)
        for seconds, limit in [("2", 2), ("9", 3)]:
            began = now()
            wire = await bench.get(**asking(seconds))
            assert (wire.status, wire.ended) == (504, began + limit)
        assert (await Bench(hello(5)).get(**asking("2"))).status == 200  # not asked for by name

    run_virtual(main())


@pytest.mark.parametrize("options", [{}, {"whole": False}])
def test_a_budget_of_nothing_is_over_at_once(options: Any) -> None:
    async def main() -> None:
        app = hello()
        bench = Bench(app, budgets=BUDGETS)
        wire = await bench.get(**asking("0"), **options)
        assert (wire.status, wire.problem["started"], now()) == (504, False, 0)
        assert (app.notes, bench.outcomes) == ([], {"gateway_timeout": 1})

    run_virtual(main())


def test_a_budget_goes_on_while_the_body_comes() -> None:
    """It is the caller's own: at its end he is answered, and what never came never starts."""

    async def main() -> None:
        app = hello()
        bench = Bench(app, budgets=BUDGETS)
        wire = await bench.get(b"a", whole=False, **asking("2"))
        assert (wire.status, now(), wire.problem["started"], app.notes) == (504, 2, False, [])

    run_virtual(main())


def test_a_budget_ends_at_its_instant_even_if_a_timer_is_early() -> None:
    """An application must never be given half a body."""

    class Slow:
        def now(self) -> float:
            return now() * 0.999

        def wait(self, gate: Any, until: float) -> bool:
            raise NotImplementedError

    async def main() -> None:
        app, wire = hello(), Wire(b"a", whole=False, **asking("2"))
        await wire.serve(Timeouts(app, budgets=BUDGETS, clock=Slow()))
        assert (wire.status, app.notes) == (504, [])

    run_virtual(main())


def test_a_malformed_budget_is_a_400_that_names_it() -> None:
    async def main() -> None:
        app = hello()
        wire = await Bench(app, budgets=BUDGETS).get(**asking("soon"))
        assert (wire.status, app.notes) == (400, [])
        assert wire.problem["detail"].startswith("x-request-timeout-seconds must be")
        assert "server-timing" in wire.headers

    run_virtual(main())


# ── routes ───────────────────────────────────────────────────────────────────────────────────────


def test_routes_have_rules_of_their_own_and_one_queue() -> None:
    async def main() -> None:
        routes = {
            "/export": GatewayTimeout(50),
            "/api/*": ExecutionTimeout(2) | IdleTimeout(1),
            "/live": None,
        }
        bench = Bench(hello(20), GatewayTimeout(5), routes=routes, slots=1)
        wires = {path: bench.request(path=path) for path in ("/export", "/api/x", "/", "/live")}
        await bench.done()
        assert {path: wire.status for path, wire in wires.items()} == {
            "/export": 200,
            "/api/x": 504,
            "/": 504,
            "/live": 200,
        }
        assert "server-timing" not in wires["/live"].headers
        assert wires["/api/x"].times[0] == 22
        assert bench.asgi.stats().arrived == 3

    run_virtual(main())


# ── nonsense ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"app": 1}, r"app must be an ASGI application; got 1"),
        ({"app": Served}, r"app must be an ASGI application; got <class"),
        ({"limits": 3}, r"limits must be a policy .*; got 3"),
        ({"limits": GatewayTimeout}, r"write an instance, not the class"),
        ({"limits": ExecutionTimeout(2, soft=1)}, r"has a soft limit"),
        ({"routes": {"/a": ExecutionTimeout(2, soft=1)}}, r"has a soft limit"),
        ({"routes": {"api": None}}, r"a route must be a path .*; got 'api'"),
        ({"routes": []}, r"routes must be a mapping from paths to limits; got \[\]"),
        ({"slots": 0}, r"slots must be at least 1; got 0"),
        ({"slots": 1.5}, r"slots must be a whole number or math.inf; got 1.5"),
        ({"capacity": -1}, r"capacity must be at least 0; got -1"),
        ({"on_expiry": "kill"}, r"on_expiry must be .*; got 'kill'"),
        ({"budgets": "grpc-timeout"}, r"budgets must be Budgets, .*; got 'grpc-timeout'"),
        ({"classes": "x-tenant"}, r"classes must be Classes, .*; got 'x-tenant'"),
        ({"statuses": {}}, r"statuses must be a table, .*; got \{\}"),
        ({"body_timeout": -1}, r"body_timeout must be .*-1"),
        ({"max_body": -1}, r"max_body must be at least 0; got -1"),
        ({"max_body": "1k"}, r"max_body must be a whole number or math.inf; got '1k'"),
        ({"discipline": FIFO()}, r"discipline must be a class.*: write the class, not an instance"),
        ({"observers": 1}, r"observers must be a sequence"),
        ({"clock": 1}, r"clock must have now\(\) and wait\(\); got 1"),
    ],
)
def test_nonsense_is_refused_at_once(options: dict[str, Any], told: str) -> None:
    with pytest.raises((TypeError, ValueError), match=told):
        Timeouts(**{"app": hello(), **options})


# ── clients that leave ───────────────────────────────────────────────────────────────────────────


def test_a_client_that_leaves_withdraws_a_job_that_waits_and_it_never_starts() -> None:
    async def main() -> None:
        app = hello(10)
        bench = Bench(app, slots=1)
        first, second, third = bench.request(), bench.request(), bench.request()
        await asyncio.sleep(1)
        second.leave()
        await settle()
        assert (second.ended, bench.books()) == (1, (1, 1, 0))
        await bench.done()
        assert (first.times[0], second.sent, third.times[0]) == (10, [], 20)
        assert app.notes.count("begun") == 2

    run_virtual(main())


@pytest.mark.parametrize("sends", [(), (start(), part(b"a"))])
@pytest.mark.parametrize("mode", ["cancel", "detach"])
def test_a_client_that_leaves_withdraws_a_job_that_runs(sends: Any, mode: Any) -> None:
    """The application is stopped, or left alone: then it holds its slot, and notices nothing."""

    async def main() -> None:
        app = Served(*sends, 10, part(b"b"))
        bench = Bench(app, slots=1, on_expiry=mode)
        wire = bench.request()
        await asyncio.sleep(1)
        wire.leave()
        await settle()
        assert (wire.ended, wire.raised, bench.outcomes) == (1, None, {"withdrawn": 1})
        assert bench.books() == (0, 0, int(mode == "detach"))
        await asyncio.sleep(10)
        assert bench.books() == (0, 0, 0)
        assert app.notes == ["begun", "cancelled" if mode == "cancel" else "done"]

    run_virtual(main())


def test_a_client_that_leaves_while_uploading_brings_no_job() -> None:
    async def main() -> None:
        for parts in ((), (b"a",)):
            bench = Bench(hello(), slots=1)
            wire = bench.request(*parts, whole=False)
            await asyncio.sleep(1)
            wire.leave()
            await settle()
            assert (wire.ended, wire.sent, wire.raised) == (now(), [], None)
            assert bench.asgi.stats().arrived == 0
        wire = Wire(whole=False)
        wire.leave()
        await wire.serve(Bench(hello()).asgi)
        assert (wire.sent, wire.raised) == ([], None)

    run_virtual(main())


def test_an_application_that_listens_hears_the_client_leave() -> None:
    async def main() -> None:
        app = Served("receive", "receive")
        bench = Bench(app, on_expiry="detach")
        wire = bench.request(b"x")
        await asyncio.sleep(1)
        wire.leave()
        await bench.done()
        await settle()
        assert app.notes == ["begun", "http.request", "http.disconnect", "done"]

    run_virtual(main())


def test_an_application_that_listens_hears_of_its_expiry() -> None:
    async def main() -> None:
        app = Served("receive", "receive")
        bench = Bench(app, GatewayTimeout(3), on_expiry="detach")
        wire = await bench.get(b"x")
        await settle()
        assert (wire.status, bench.books()) == (504, (0, 0, 0))
        assert app.notes == ["begun", "http.request", "http.disconnect", "done"]

    run_virtual(main())


def test_a_server_that_cancels_withdraws_the_job_and_keeps_its_count() -> None:
    async def main() -> None:
        app = Served(10)
        bench = Bench(app, slots=1)
        bench.request()
        await asyncio.sleep(1)
        bench.requests[0].cancel()
        await bench.done()
        await settle()
        assert (bench.requests[0].cancelled(), bench.requests[0].cancelling()) == (True, 1)
        assert (bench.outcomes, bench.books()) == ({"withdrawn": 1}, (0, 0, 0))
        assert app.notes == ["begun", "cancelled"]

    run_virtual(main())


def test_an_expiry_leaves_the_servers_task_uncancelled() -> None:
    async def main() -> None:
        bench = Bench(Served(10), GatewayTimeout(1))
        await bench.get()
        assert bench.requests[0].cancelling() == 0

    run_virtual(main())


def test_a_server_whose_receive_fails_has_no_client_any_more() -> None:
    async def main() -> None:
        wire = Wire(b"x")
        given = [{"type": "http.request", "body": b"x"}]

        async def receive() -> Any:
            if given:
                return given.pop()
            raise ConnectionError("gone")

        VirtualLoop.running().set_exception_handler(lambda *_: None)  # it is logged, as unheard
        bench = Bench(Served(10))
        await bench.asgi(wire.scope, receive, wire.send)
        assert now() < 1
        assert bench.outcomes == {"withdrawn": 1}
        await settle()

    run_virtual(main())
