"""The ASGI middleware by example: ties, streams, disconnects, refusals, and what each is told."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
from contextvars import ContextVar
from typing import Any

import anyio
import pytest

from tests.adapters.asgi_harness import (
    EVENTS,
    HINT,
    TRAILERS,
    Bench,
    Served,
    Wire,
    hello,
    now,
    part,
    start,
)
from timeouts import (
    STATUSES,
    ExecutionTimeout,
    FirstItemTimeout,
    GatewayTimeout,
    IdleTimeout,
    PolicyFailed,
    QueueTimeout,
    QueueTimeoutError,
    Server,
    Status,
    remaining,
)
from timeouts.adapters.asgi import Timeouts
from timeouts.testing import VirtualLoop, run_virtual, settle

# ── before the head ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("begun", [(), (start(),), (start(), part(b""))])
def test_an_expiry_before_the_first_bytes_is_a_true_504(begun: Any) -> None:
    """Also where the head, and empty chunks, were there already: they are held back."""

    async def main() -> None:
        app = Served(*begun, 60, part(b"late", more=False))
        bench = Bench(app, GatewayTimeout(30) | ExecutionTimeout(10))
        wire = await bench.get()
        assert (wire.status, wire.complete, wire.times) == (504, True, [10.0, 10.0])
        assert wire.problem == {
            "type": "urn:timeouts:execution_timeout",
            "title": "Execution timeout",
            "status": 504,
            "detail": "ran for 10 s; ExecutionTimeout allows 10 s",
            "error": "execution_timeout",
            "policy": "ExecutionTimeout(10)",
            "limit": 10.0,
            "elapsed": 10.0,
            "started": True,
            "work": "stopped",
        }
        assert int(wire.headers["content-length"]) == len(wire.body)
        timing = "queue;dur=0.000, exec;dur=10000.000, total;dur=10000.000"
        assert wire.headers["server-timing"] == timing
        assert app.notes == ["begun", "cancelled"]
        assert bench.books() == (0, 0, 0)

    run_virtual(main())


def test_an_answer_at_the_very_deadline_is_late() -> None:
    async def main() -> None:
        app = hello(10)
        wire = await Bench(app, GatewayTimeout(10)).get()
        assert (wire.status, wire.times[0]) == (504, 10)
        assert len(wire.sent) == 2

    run_virtual(main())


def test_the_head_goes_out_with_the_first_bytes() -> None:
    """Hints are no part of the response, and are not held back."""

    async def main() -> None:
        hint = {"type": HINT, "links": []}
        app = Served(hint, 1, start(), 1, part(b""), 1, part(b"a"), part(b"", more=False))
        wire = await Bench(app, GatewayTimeout(10)).get()
        assert wire.times == [0, 3, 3, 3]
        assert wire.headers["server-timing"].endswith("total;dur=3000.000")
        assert (wire.body, wire.complete) == (b"a", True)

    run_virtual(main())


def test_an_empty_end_before_trailers_is_passed_on() -> None:
    async def main() -> None:
        trailers = {"type": TRAILERS, "headers": [], "more_trailers": False}
        app = Served(start(trailers=True), part(b"a"), part(b"", more=False), trailers)
        wire = await Bench(app).get()
        assert (wire.body, wire.complete, wire.violations) == (b"a", True, [])

    run_virtual(main())


def test_the_client_is_told_on_time_by_an_application_that_swallows_its_cancellation(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its slot is held until it ends; what it still sends is refused, and it is cancelled once."""

    async def main() -> None:
        app = hello(5, stubborn=True)
        bench = Bench(app, ExecutionTimeout(1) | QueueTimeout(30), slots=1)
        wire = bench.request()
        await asyncio.sleep(2)
        assert (wire.status, wire.times, wire.problem["work"]) == (504, [1, 1], "still running")
        assert bench.books() == (0, 0, 1)
        app.sends = app.sends[1:]
        second = bench.request()
        await asyncio.sleep(2.5)
        assert (second.status, bench.books()) == (None, (1, 0, 1))
        await asyncio.sleep(1)
        assert (second.status, second.times[0], bench.books()) == (200, 5, (0, 0, 0))
        assert app.notes == ["begun", "cancelled", "Unwanted", "begun", "done"]

    run_virtual(main())
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


def test_an_application_is_left_alone_where_it_must_not_be_cancelled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """`send` takes and drops, `receive` tells of a disconnect; the slot is held, the end is logged."""
    caplog.set_level(logging.INFO)

    async def main() -> None:
        hint = {"type": HINT, "links": []}
        app = Served("receive", 5, "receive", hint, start(), part(b"a"), part(b"", more=False), 5)
        bench = Bench(app, ExecutionTimeout(1), slots=1, on_expiry="detach")
        assert bench.asgi.server.stop_mode == "abandon"
        wire = await bench.get(b"x")
        assert (wire.status, wire.times, wire.problem["work"]) == (504, [1, 1], "still running")
        await asyncio.sleep(8)
        assert bench.books() == (0, 0, 1)
        await asyncio.sleep(1)
        assert bench.books() == (0, 0, 0)
        assert app.notes == ["begun", "http.request", "http.disconnect", "done"]
        assert (len(wire.sent), wire.violations) == (2, [])

    run_virtual(main())
    assert "returned after 10 s, late: its caller had ExecutionTimeoutError" in caplog.text


def test_an_application_that_blocks_the_loop_is_not_cancelled_where_it_must_not_be() -> None:
    """Time may pass in the very first step, before the task is known."""

    async def main() -> None:
        seen: list[int] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            VirtualLoop.running()._jump(5.0)  # as `time.sleep(5)` would
            await send(start())
            await send(part(b"late"))
            task = asyncio.current_task()
            assert task is not None
            await asyncio.sleep(1)
            seen.append(task.cancelling())

        bench = Bench(app, ExecutionTimeout(1), on_expiry="detach")
        wire = await bench.get()
        await asyncio.sleep(2)
        assert (wire.status, seen, bench.books()) == (504, [0], (0, 0, 0))

    run_virtual(main())


def test_an_application_is_spared_while_anyio_shields_it() -> None:
    """As it does while a thread runs; the cancellation comes as soon as it leaves the scope, and once."""

    async def main() -> None:
        notes: list[float] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            with anyio.CancelScope(shield=True), anyio.CancelScope():
                await asyncio.sleep(3)
            try:
                notes.append(now())
                await asyncio.sleep(60)
            finally:
                notes.append(now())

        bench = Bench(app, ExecutionTimeout(1))
        wire = await bench.get()
        assert (wire.status, wire.times[0], wire.problem["work"]) == (504, 1, "still running")
        assert bench.books() == (0, 0, 1)
        await asyncio.sleep(3)
        assert bench.books() == (0, 0, 0)
        assert notes == [3, pytest.approx(3, abs=0.1)]

    run_virtual(main())


def test_the_table_of_codes_can_be_changed() -> None:
    async def main() -> None:
        table = STATUSES.override({QueueTimeoutError: Status(504, "DEADLINE_EXCEEDED")})
        bench = Bench(hello(9), QueueTimeout(1), slots=1, statuses=table)
        bench.request()
        wire = await bench.get()
        assert (wire.status, wire.problem["status"]) == (504, 504)
        await bench.done()

    run_virtual(main())


# ── after the head ───────────────────────────────────────────────────────────────────────────────


def told_by(body: bytes) -> dict[str, Any]:
    """Return what the last event of a stream says."""
    *_, last, end = body.split(b"\n\n")
    name, data = last.split(b"\n")
    assert (name, end) == (b"event: error", b"")
    told: dict[str, Any] = json.loads(data.removeprefix(b"data: "))
    return told


def test_a_stream_of_events_ends_in_the_document_of_a_504() -> None:
    async def main() -> None:
        app = Served(start(200, EVENTS), part(b"data: a\n\n"), 60)
        wire = await Bench(app, IdleTimeout(2)).get()
        assert (wire.status, wire.complete, wire.raised, wire.times[-1]) == (200, True, None, 2)
        assert wire.body.startswith(b"data: a\n\nevent: error\n")
        told = told_by(wire.body)
        assert (told["error"], told["status"], told["work"]) == ("idle_timeout", 504, "stopped")

    run_virtual(main())


@pytest.mark.parametrize(
    ("headers", "begun"),
    [
        ([EVENTS], [b"data: a\n\n", b"data: b"]),
        ([EVENTS], [b"data: a\n\n", b"data: b\n"]),
        ([EVENTS, (b"content-encoding", b"gzip")], [b"\x1f\x8b\n\n"]),
        ([EVENTS, (b"Content-Length", b"100")], [b"data: a\n\n"]),
        ([(b"content-type", b"text/plain")], [b"a\n\n"]),
        ([], [b"a\n\n"]),
    ],
)
def test_any_other_body_stays_incomplete(headers: Any, begun: list[bytes]) -> None:
    """The middleware raises: to return would look like an end to middlewares around it."""

    async def main() -> None:
        app = Served(start(200, *headers), *map(part, begun), 60)
        wire = await Bench(app, IdleTimeout(2)).get()
        assert (wire.status, wire.body, wire.complete) == (200, b"".join(begun), False)
        assert isinstance(wire.raised, RuntimeError)
        assert "cut short: gave no further item in 2 s" in str(wire.raised)
        assert wire.ended == 2

    run_virtual(main())


def test_an_incomplete_body_stays_so_through_a_middleware_that_ends_what_returns() -> None:
    async def main() -> None:
        app = Served(start(), part(b"a"), 60)
        within = Timeouts(app, IdleTimeout(2), clock=VirtualLoop.running().clock)

        async def ending(scope: Any, receive: Any, send: Any) -> None:
            await within(scope, receive, send)
            await send(part(b"", more=False))

        wire = await Wire().serve(ending)
        assert (wire.body, wire.complete, wire.ended) == (b"a", False, 2)

    run_virtual(main())


@pytest.mark.parametrize("at", [0, 1])
def test_the_first_bytes_have_a_limit_of_their_own(at: int) -> None:
    async def main() -> None:
        app = Served(at, start(), 2 - at, part(b"a"), 60, part(b"", more=False))
        assert (await Bench(app, FirstItemTimeout(3)).get()).body == b"a"
        wire = await Bench(app, FirstItemTimeout(2)).get()
        assert wire.problem["error"] == "first_item_timeout"

    run_virtual(main())


def test_a_slow_client_is_not_taken_for_an_idle_application() -> None:
    """While a message is on its way nothing is counted; the gap begins when it has gone."""

    async def main() -> None:
        app = Served(start(200, EVENTS), part(b"data: a\n\n"), 2, part(b"data: b\n\n"), 60)
        wire = Wire(reads=False)
        serving = asyncio.create_task(wire.serve(Bench(app, IdleTimeout(3)).asgi))
        await asyncio.sleep(100)
        wire.read()
        await serving
        assert wire.times == [100, 100, 102, 105]
        assert told_by(wire.body)["error"] == "idle_timeout"

    run_virtual(main())


@pytest.mark.parametrize("mode", ["cancel", "detach"])
@pytest.mark.parametrize("first", [True, False])
def test_a_message_that_is_stuck_on_its_way_breaks_the_response_off(mode: Any, first: bool) -> None:
    """Nobody knows how much of it has left, so no event can follow it. Nothing hangs."""

    async def main() -> None:
        wire = Wire(reads=not first)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(start(200, EVENTS))
            if not first:
                await send(part(b"data: a\n\n"))
                wire._reads.clear()
            await send(part(b"data: b\n\n"))

        bench = Bench(app, GatewayTimeout(5), on_expiry=mode)
        await wire.serve(bench.asgi)
        assert wire.ended == pytest.approx(5, abs=0.1)
        assert not wire.complete
        assert "cut short" in str(wire.raised)
        assert bench.books() == (0, 0, int(mode == "detach"))
        wire.leave()
        await settle()
        assert bench.books() == (0, 0, 0)

    run_virtual(main())


def test_a_message_that_is_just_leaving_is_waited_for_a_moment() -> None:
    async def main() -> None:
        wire = Wire()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(start(200, EVENTS))
            await send(part(b"data: a\n\n"))
            VirtualLoop.running().call_later(5.01, wire.read)
            wire._reads.clear()
            await send(part(b"data: b\n\n"))
            await asyncio.sleep(60)

        bench = Bench(app, GatewayTimeout(5), on_expiry="detach")
        await wire.serve(bench.asgi)
        assert wire.ended == pytest.approx(5.01)
        assert told_by(wire.body)["work"] == "still running"
        await asyncio.sleep(60)
        assert bench.books() == (0, 0, 0)

    run_virtual(main())


def test_a_client_that_does_not_take_the_last_event_is_left() -> None:
    async def main() -> None:
        wire = Wire()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(start(200, EVENTS))
            await send(part(b"data: a\n\n"))
            wire._reads.clear()
            await asyncio.sleep(60)

        bench = Bench(app, GatewayTimeout(5))
        await wire.serve(bench.asgi)
        assert (wire.ended, wire.complete) == (6, False)
        assert "cut short" in str(wire.raised)

    run_virtual(main())


def test_what_comes_after_the_response_is_under_no_limit_and_holds_no_slot() -> None:
    """Background tasks; the server waits for them, as it would without us."""

    async def main() -> None:
        app = hello(after=(50,))
        bench = Bench(app, GatewayTimeout(5), slots=1)
        wire = bench.request()
        await asyncio.sleep(1)
        assert (wire.complete, wire.ended, bench.books()) == (True, None, (0, 0, 0))
        await bench.done()
        assert (wire.ended, wire.raised, app.notes) == (50, None, ["begun", "done"])

    run_virtual(main())


def test_an_error_after_the_response_is_the_servers() -> None:
    async def main() -> None:
        for after in ([ValueError("no disk")], [5, ValueError("no disk")], [QueueTimeoutError()]):
            wire = await Bench(hello(after=tuple(after)), GatewayTimeout(9)).get()
            assert (wire.body, wire.complete) == (b"hello", True)
            assert wire.raised is after[-1]

    run_virtual(main())


def test_a_server_that_cancels_reaches_what_comes_after_the_response() -> None:
    async def main(mode: Any, notes: list[str]) -> None:
        app = hello(after=(50,))
        bench = Bench(app, on_expiry=mode)
        bench.request()
        await asyncio.sleep(1)
        bench.requests[0].cancel()
        await bench.done()
        assert (now(), bench.requests[0].cancelled()) == (1, True)
        await asyncio.sleep(50)
        assert app.notes == notes

    run_virtual(main("cancel", ["begun", "cancelled"]))
    run_virtual(main("detach", ["begun", "done"]))


# ── the application's own failures ───────────────────────────────────────────────────────────────


def test_an_application_that_says_nothing_is_the_servers_to_answer() -> None:
    async def main() -> None:
        for app in (Served(), Served(start())):
            bench = Bench(app, GatewayTimeout(5))
            wire = await bench.get()
            assert (wire.sent, wire.raised, bench.outcomes) == ([], None, {"completed": 1})

    run_virtual(main())


def test_its_errors_reach_the_server_as_themselves() -> None:
    async def main() -> None:
        error = ValueError("bad image")
        for sends in ((), (start(),), (start(), part(b"a"))):
            bench = Bench(Served(*sends, error), GatewayTimeout(5))
            wire = await bench.get()
            assert wire.raised is error
            assert (bool(wire.sent), wire.complete, bench.outcomes) == (
                len(sends) == 2,
                False,
                {"failed": 1},
            )

    run_virtual(main())


def test_an_error_of_a_guard_within_is_told_with_its_code() -> None:
    async def main() -> None:
        refused = QueueTimeoutError("waited 5 s")
        refused.retry_after = 2.1
        wire = await Bench(Served(start(), refused)).get()
        assert (wire.status, wire.headers["retry-after"]) == (503, "3")
        wire = await Bench(Served(start(200, EVENTS), part(b"data: a\n\n"), refused)).get()
        assert told_by(wire.body)["detail"] == "waited 5 s"

    run_virtual(main())


def test_the_cause_of_a_500_is_for_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        wire = await Bench(Served(PolicyFailed("secret"))).get()
        assert wire.status == 500
        assert "secret" not in wire.body.decode()

    run_virtual(main())
    assert "secret" in caplog.text


# ── all around ───────────────────────────────────────────────────────────────────────────────────

VARIABLE: ContextVar[str] = ContextVar("variable")


def test_the_application_knows_the_context_and_what_is_left() -> None:
    async def main() -> None:
        seen: list[Any] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            seen.append(VARIABLE.get())
            await asyncio.sleep(3)
            seen.append(remaining())
            await hello()(scope, receive, send)

        VARIABLE.set("of the server")
        await Bench(app, GatewayTimeout(10)).get()
        assert seen == ["of the server", 7]

    run_virtual(main())


def test_a_guard_within_shares_the_deadline() -> None:
    async def main() -> None:
        async def predict() -> None:
            await asyncio.sleep(60)

        server = Server(predict, ExecutionTimeout(30), clock=VirtualLoop.running().clock)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await server.acall()

        wire = await Bench(app, GatewayTimeout(5)).get()
        assert (wire.status, wire.times[0], wire.problem["limit"]) == (504, 5, 5)
        await settle()
        assert server.stats().outcomes in ({"gateway_timeout": 1}, {"withdrawn": 1})

    run_virtual(main())


def test_two_middlewares_share_the_deadline_and_one_answers() -> None:
    async def main() -> None:
        clock = VirtualLoop.running().clock
        inner = Timeouts(Served(60), ExecutionTimeout(30), clock=clock)
        outer = Bench(inner, GatewayTimeout(5))
        wire = await outer.get()
        assert (wire.status, wire.times, wire.violations) == (504, [5, 5], [])
        await settle()
        assert (outer.books(), inner.stats().abandoned) == ((0, 0, 0), 0)

    run_virtual(main())


def test_a_middleware_within_knows_what_is_left_of_the_one_around_it() -> None:
    async def main() -> None:
        seen: list[float] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            seen.append(remaining())
            await hello()(scope, receive, send)

        inner = Timeouts(app, GatewayTimeout(60), clock=VirtualLoop.running().clock)
        assert (await Bench(inner, GatewayTimeout(5)).get()).body == b"hello"
        assert (await Bench(app).get()).body == b"hello"
        assert seen == [5, math.inf]
        assert "GatewayTimeout(60)" in repr(inner)

    run_virtual(main())


def test_one_middleware_serves_two_loops_one_after_the_other() -> None:
    async def main() -> None:
        wire = await Wire().serve(limited)
        assert wire.body == b"hello"
        with contextlib.suppress(asyncio.CancelledError):
            task = asyncio.create_task(Wire().serve(limited))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            task.cancel()
            await task

    limited = Timeouts(Served(start(), part(b"hello", more=False)), GatewayTimeout(30), slots=1)
    asyncio.run(main())
    asyncio.run(main())
    stats = limited.stats()
    assert (stats.arrived, stats.free) == (4, 1)


@pytest.mark.parametrize("kind", ["websocket", "lifespan"])
def test_other_scopes_pass_by(kind: str) -> None:
    async def main() -> None:
        seen: list[Any] = []

        async def app(*args: Any) -> None:
            seen.append(args)

        args: Any = ({"type": kind}, object(), object())
        await Bench(app, GatewayTimeout(1)).asgi(*args)
        assert seen == [args]

    run_virtual(main())


@pytest.mark.filterwarnings("error")
def test_an_error_leaves_nothing_for_the_garbage_collector() -> None:
    async def main() -> None:
        class Witness(ValueError):
            pass

        import gc
        import weakref

        async def app(scope: Any, receive: Any, send: Any) -> None:
            error = Witness()
            seen.append(weakref.ref(error))
            try:
                raise error
            finally:
                del error

        seen: list[weakref.ref[Any]] = []
        bench = Bench(app)
        gc.collect()
        gc.disable()
        try:
            wire = Wire()
            with pytest.raises(Witness):
                await bench.asgi(wire.scope, wire.receive, wire.send)
            await settle()
            assert seen[0]() is None
        finally:
            gc.enable()

    run_virtual(main())
