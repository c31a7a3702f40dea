"""The WSGI middleware on a server of a few lines: laws, then streams, ties and refusals. Nothing sleeps."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import flask
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.adapters.wsgi_bench import (
    GUARD,
    Client,
    Closing,
    Hanging,
    Late,
    Response,
    request,
    serve,
)
from timeouts import (
    STATUSES,
    ExecutionTimeout,
    FirstItemTimeout,
    GatewayTimeout,
    IdleTimeout,
    Job,
    Policy,
    QueueTimeout,
    QueueTimeoutError,
    Status,
    TimeoutsError,
    checkpoint,
    guard,
    policy,
    remaining,
)
from timeouts.adapters.headers import Budgets
from timeouts.adapters.wsgi import Timeouts
from timeouts.http.problem import problem
from timeouts.testing import ManualClock

EVENTS = [("Content-Type", "text/event-stream")]


def hello(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


# ── law: who is in time notices nothing ──────────────────────────────────────────────────────────


class Recipe(NamedTuple):
    """An application in all the ways that PEP 3333 allows."""

    status: str
    headers: list[tuple[str, str]]
    written: list[bytes]
    chunks: list[bytes]
    shape: str
    length: int | None
    restarted: bool

    def head(self) -> list[tuple[str, str]]:
        total = sum(map(len, self.written + self.chunks))
        length = (
            [] if self.length is None else [("Content-Length", str(max(0, total + self.length)))]
        )
        return [*self.headers, *length]

    def app(self) -> tuple[WSGIApplication, list[str]]:
        closes: list[str] = []

        def start(start_response: StartResponse) -> None:
            if self.restarted:
                start_response("500 First", [("Content-Type", "text/x-first")])
                try:
                    raise LookupError("changed its mind")
                except LookupError:
                    write = start_response(self.status, self.head(), sys.exc_info())
            else:
                write = start_response(self.status, self.head())
            for chunk in self.written:
                write(chunk)

        def lazily(start_response: StartResponse) -> Iterator[bytes]:
            start(start_response)
            yield from self.chunks

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            if self.shape == "lazy generator":
                return lazily(start_response)
            start(start_response)
            shapes: dict[str, Callable[[], Iterable[bytes]]] = {
                "list": lambda: list(self.chunks),
                "tuple": lambda: tuple(self.chunks),
                "generator": lambda: (chunk for chunk in self.chunks),
                "closing": lambda: Closing(iter(self.chunks), lambda: closes.append("closed")),
                "file": lambda: FileWrapper(io.BytesIO(b"".join(self.chunks)), 2),
            }
            return shapes[self.shape]()

        return app, closes


CHUNKS = st.lists(st.binary(max_size=4), max_size=4)
TOKENS = st.text("abcxyz", min_size=1, max_size=5)
RECIPES = st.builds(
    Recipe,
    status=st.sampled_from(["200 OK", "204 No Content", "302 Found", "418 I'm a teapot"]),
    headers=st.lists(st.tuples(TOKENS.map("X-{}".format), TOKENS), max_size=3),
    written=CHUNKS,
    chunks=CHUNKS,
    shape=st.sampled_from(["list", "tuple", "generator", "lazy generator", "closing", "file"]),
    length=st.sampled_from([None, 0, 0, -1, 1]),
    restarted=st.booleans(),
)


@pytest.fixture(scope="module")
def stage() -> Iterator[tuple[Timeouts, Callable[[WSGIApplication], None]]]:
    """One middleware, and a way to put another application behind it: examples share its threads."""
    present: list[WSGIApplication] = [hello]

    def whichever(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return present[0](environ, start_response)

    def play(app: WSGIApplication) -> None:
        present[0] = app

    with Timeouts(whichever) as limited:
        yield limited, play


@given(recipe=RECIPES)
def test_who_is_in_time_notices_nothing(
    stage: tuple[Timeouts, Callable[[WSGIApplication], None]], recipe: Recipe
) -> None:
    """The same status, headers and bytes as without; one start_response; one close; one timing more."""
    bare, bare_closes = recipe.app()
    without = serve(bare)
    app, closes = recipe.app()
    limited, play = stage
    play(app)
    within = serve(limited)
    assert within.head_without_timing() == without.heads[-1]
    assert within.body == without.body
    assert len(within.heads) == 1
    assert [name for name, _ in within.heads[0][1]].count("Server-Timing") == 1
    assert closes == bare_closes
    assert limited.server.stats().running == 0


PLAIN = st.builds(
    Recipe,
    status=st.just("200 OK"),
    headers=st.just([("Content-Type", "text/plain")]),
    written=CHUNKS,
    chunks=CHUNKS,
    shape=st.sampled_from(["list", "generator", "closing", "file"]),
    length=st.sampled_from([None, 0]),
    restarted=st.booleans(),
)


@given(recipe=PLAIN, body=st.binary(max_size=3), method=st.sampled_from(["GET", "POST"]))
def test_both_sides_keep_to_pep_3333(
    stage: tuple[Timeouts, Callable[[WSGIApplication], None]],
    recipe: Recipe,
    body: bytes,
    method: str,
) -> None:
    """The standard library's validator on either side of it has nothing to object."""
    app, _ = recipe.app()
    limited, play = stage
    play(validator(app))
    sent = request(method=method, body=body)
    assert serve(validator(limited), sent).body == b"".join(recipe.written + recipe.chunks)


def test_a_validator_has_nothing_to_object_to_a_problem() -> None:
    with Timeouts(hello, capacity=0, slots=1) as limited:
        limited.close()
        assert serve(validator(limited), request()).status == 503


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_an_answer_without_a_body(status: str) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, [])
        return []

    with Timeouts(app) as limited:
        got = serve(limited)
    assert (got.heads[0][0], got.body) == (status, b"")


def test_the_answer_to_head_keeps_its_content_length() -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "5")])
        return []

    with Timeouts(app) as limited:
        got = serve(limited, request(method="HEAD"))
    assert (got.headers["Content-Length"], got.body) == ("5", b"")


def test_parts_come_one_by_one_as_they_are_made() -> None:
    """Nothing is produced ahead, nothing is held back once the body has begun."""
    made: list[bytes] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        for chunk in (b"", b"a", b"", b"b", b"c"):
            made.append(chunk)
            yield chunk

    with Timeouts(app) as limited:
        body = iter(limited(request(), Response().start_response))
        assert next(body) == b"a"
        assert made == [b"", b"a"]
        assert next(body) == b"b"
        assert made == [b"", b"a", b"", b"b"]
        assert list(body) == [b"c"]


def test_what_was_written_does_not_wait_for_the_first_chunk() -> None:
    with Hanging(after=[b" and iterated"]) as hanging:

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            start_response("200 OK", [])(b"written")
            return hanging._chunks()

        with Timeouts(app) as limited:
            body = iter(limited(request(), Response().start_response))
            assert next(body) == b"written"
            hanging.gate.set()
            assert list(body) == [b" and iterated"]


# ── law: the head may change until the first byte ────────────────────────────────────────────────


def test_an_error_before_the_first_byte_may_change_the_head() -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "9")])
        try:
            raise LookupError("no such model")
        except LookupError:
            start_response("404 Not Found", [("X-Changed", "1")], sys.exc_info())
        return [b"gone"]

    with Timeouts(app) as limited:
        got = serve(limited)
    assert got.head_without_timing() == ("404 Not Found", [("X-Changed", "1")])
    assert got.body == b"gone"


@pytest.mark.parametrize("way", ["written", "iterated"])
def test_an_error_after_the_first_byte_is_raised(way: str) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        write = start_response("200 OK", [])
        if way == "written":
            write(b"a")
        else:
            yield b"a"
        try:
            raise LookupError("too late")
        except LookupError:
            start_response("404 Not Found", [], sys.exc_info())

    with Timeouts(app) as limited, pytest.raises(LookupError, match="too late"):
        serve(limited)


def twice(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [])
    start_response("200 OK", [])
    return []


def never(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    return [b"headless"]


@pytest.mark.parametrize(
    ("app", "words"),
    [(twice, "called twice, and without exc_info"), (never, "without calling start_response")],
)
def test_an_application_that_breaks_the_rules_is_told(app: WSGIApplication, words: str) -> None:
    with Timeouts(app) as limited, pytest.raises(AssertionError, match=words):
        serve(limited)


def test_an_application_s_own_error_arrives_as_itself() -> None:
    """Before the head, and in the middle of a body."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/early":
            raise OSError("its own")
        start_response("200 OK", [])
        yield b"a"
        raise OSError("its own")

    with Timeouts(app) as limited:
        for path, body in [("/early", b""), ("/late", b"a")]:
            response = Response()
            with pytest.raises(OSError, match="its own"):
                serve(limited, request(path), response)
            assert response.body == body


# ── law: the answer is on time, and the thread is counted ────────────────────────────────────────


def test_an_application_that_hangs_is_answered_on_time() -> None:
    clock, late = ManualClock(), Late()
    with Hanging() as hanging:
        limited = Timeouts(hanging, GatewayTimeout(5), clock=clock, slots=1, observers=[late])
        client = Client(limited)
        assert hanging.entered.wait(GUARD)
        clock.advance(5)
        got = client.answer()
        assert got.status == 504
        assert got.headers["Content-Type"] == "application/problem+json"
        assert got.headers["Content-Length"] == str(len(got.body))
        told = json.loads(got.body)
        assert (told["error"], told["started"]) == ("gateway_timeout", True)
        assert (told["policy"], told["limit"]) == ("GatewayTimeout(5)", 5)
        stats = limited.server.stats()
        assert (stats.running, stats.abandoned, stats.free) == (0, 1, 0)
        hanging.gate.set()
        assert late.seen.wait(GUARD)
        assert limited.server.stats().free == 1
        assert hanging.closers == hanging.runners  # once, in the thread that ran it
        limited.close()


def test_who_waits_for_a_slot_is_told_when_to_come_back() -> None:
    """503 with Retry-After for the wait, 429 for a full queue: neither has run."""
    clock = ManualClock()
    with (
        Hanging() as hanging,
        Timeouts(hanging, QueueTimeout(3), slots=1, capacity=1, clock=clock) as limited,
    ):
        first = Client(limited)
        assert hanging.entered.wait(GUARD)
        waiting = Client(limited)
        clock.wait_for_waiters(3)  # the first, the second, and the timer that helps them
        full = serve(limited)
        assert (full.status, full.headers["Retry-After"]) == (429, "3")
        clock.advance(3)
        got = waiting.answer()
        assert (got.status, json.loads(got.body)["started"]) == (503, False)
        assert "Retry-After" in got.headers
        hanging.gate.set()
        assert first.answer().body == b"late"


def test_max_abandoned_refuses_instead_of_starting_beside_them() -> None:
    clock = ManualClock()
    with Hanging() as hanging:
        limited = Timeouts(hanging, ExecutionTimeout(1), slots=4, max_abandoned=1, clock=clock)
        client = Client(limited)
        assert hanging.entered.wait(GUARD)
        clock.advance(1)
        assert client.answer().status == 504
        refused = serve(limited)
        assert (refused.status, json.loads(refused.body)["error"]) == (503, "too_many_abandoned")
        limited.close()


def test_a_complete_answer_frees_its_slot_before_it_is_read() -> None:
    """A slow client holds no slot and runs into no limit: a list, and a body of the length it said."""
    clock = ManualClock()

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "2")])
        return [b"a", b"b"] if environ["PATH_INFO"] == "/list" else iter([b"a", b"b"])

    with Timeouts(app, ExecutionTimeout(1), slots=1, clock=clock) as limited:
        whole = limited(request("/list"), Response().start_response)
        assert limited.server.stats().free == 1
        parts = iter(limited(request("/parts"), Response().start_response))
        assert (next(parts), next(parts)) == (b"a", b"b")
        assert limited.server.stats().free == 1
        clock.advance(9)
        assert list(whole) == [b"ab"]
        assert list(parts) == []


def test_a_closed_middleware_says_503() -> None:
    limited = Timeouts(hello)
    with limited as entered:
        assert entered is limited
        assert serve(limited).body == b"hello"
    assert serve(limited).status == 503


# ── law: an expiry never looks like a normal end ─────────────────────────────────────────────────


@pytest.mark.parametrize("limit", [FirstItemTimeout(2), ExecutionTimeout(2)], ids=repr)
def test_before_the_first_byte_an_expiry_is_a_504(limit: Policy) -> None:
    """The application has called start_response(200), and yielded nothing: nobody has been told."""
    clock = ManualClock()
    with Hanging(b"", b"") as hanging:
        limited = Timeouts(hanging, limit, clock=clock)
        client = Client(limited)
        assert hanging.entered.wait(GUARD)
        clock.advance(2)
        got = client.answer()
        assert (got.status, len(got.heads)) == (504, 1)
        limited.close()


def expire_midway(*before: bytes, headers: list[tuple[str, str]]) -> Response:
    clock, late = ManualClock(), Late()
    with Hanging(*before, headers=headers) as hanging:
        limited = Timeouts(hanging, IdleTimeout(2), clock=clock, observers=[late])
        client = Client(limited)
        try:
            assert hanging.entered.wait(GUARD)
            clock.advance(2)
            return client.answer()
        finally:
            hanging.gate.set()
            assert late.seen.wait(GUARD)
            assert len(hanging.closers) == 1
            limited.close()


def test_after_the_first_byte_an_expiry_is_raised_on_the_server() -> None:
    """Not as a TimeoutError, which servers take for a client that has left."""
    with pytest.raises(RuntimeError, match=r"cut short: gave no further item in 2 s") as caught:
        expire_midway(b"a", b"b", headers=[])
    assert not isinstance(caught.value, OSError)
    assert isinstance(caught.value.__cause__, TimeoutsError)


def test_a_stream_of_events_ends_in_an_error_event() -> None:
    got = expire_midway(b"data: 1\n\n", headers=EVENTS)
    first, last, end = got.body.split(b"\n\n")
    assert (got.status, first, end) == (200, b"data: 1", b"")
    event, data = last.split(b"\n")
    assert event == b"event: error"
    told = json.loads(data.removeprefix(b"data: "))
    assert (told["error"], told["status"], told["work"]) == ("idle_timeout", 504, "still running")


def test_the_end_of_an_event_may_be_spread_over_parts() -> None:
    got = expire_midway(b"data: 1\r\n", b"\r", b"\n", headers=EVENTS)
    assert got.body.endswith(b"}\n\n")


@pytest.mark.parametrize(
    ("parts", "headers"),
    [
        ((b"data: 1\n\n", b"data: hal"), EVENTS),
        ((b"data: 1\n\n",), [*EVENTS, ("Content-Encoding", "gzip")]),
        ((b"data: 1\n\n",), [*EVENTS, ("Content-Length", "99")]),
    ],
    ids=["in the middle of an event", "encoded", "of a fixed length"],
)
def test_where_no_event_can_be_added_the_stream_is_cut(
    parts: tuple[bytes, ...], headers: list[tuple[str, str]]
) -> None:
    with pytest.raises(RuntimeError, match="cut short"):
        expire_midway(*parts, headers=headers)


def test_a_slow_client_is_not_the_application_s_fault() -> None:
    """A thousand seconds between two parts, and the stream goes on."""
    clock = ManualClock()

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        yield b"a"
        yield b"b"

    with Timeouts(app, IdleTimeout(2) | FirstItemTimeout(2), clock=clock) as limited:
        body = iter(limited(request(), Response().start_response))
        assert next(body) == b"a"
        clock.advance(1000)
        assert list(body) == [b"b"]


# ── law: closed once, by the thread that ran it ──────────────────────────────────────────────────


@pytest.mark.parametrize("read", [0, 1])
def test_a_server_that_closes_early_withdraws_the_job(read: int) -> None:
    """As it does when its client has left; even before it asked for the first part."""
    late = Late()
    with Hanging(b"a", b"b") as hanging, Timeouts(hanging, observers=[late]) as limited:
        body: Any = limited(request(), Response().start_response)
        for _ in range(read):
            next(body)
        body.close()
        assert late.seen.wait(GUARD)
        assert hanging.closers == hanging.runners
        assert limited.server.stats().outcomes == {"withdrawn": 1}


def test_a_server_that_refuses_the_head_withdraws_the_job() -> None:
    late = Late()

    def refuse(*_: object) -> Any:
        raise ValueError("invalid header")

    with Hanging(b"a", b"b") as hanging, Timeouts(hanging, observers=[late]) as limited:
        with pytest.raises(ValueError, match="invalid header"):
            limited(request(), refuse)
        assert late.seen.wait(GUARD)
        assert limited.server.stats().outcomes == {"withdrawn": 1}


# ── Server-Timing ────────────────────────────────────────────────────────────────────────────────


def test_server_timing_tells_the_wait_and_the_work() -> None:
    """2 s in the queue, 3 s in the application; the sum is the total."""
    clock = ManualClock()
    with Hanging() as first, Hanging() as second:
        apps = {"/1": first, "/2": second}

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            return apps[environ["PATH_INFO"]](environ, start_response)

        with Timeouts(app, GatewayTimeout(9), slots=1, clock=clock) as limited:
            running = Client(limited, request("/1"))
            assert first.entered.wait(GUARD)
            waiting = Client(limited, request("/2"))
            clock.wait_for_waiters(3)
            clock.advance(2)
            first.gate.set()
            assert second.entered.wait(GUARD)
            clock.advance(3)
            second.gate.set()
            got = waiting.answer().headers["Server-Timing"]
            assert got == "queue;dur=2000.000, exec;dur=3000.000, total;dur=5000.000"
            running.answer()


def test_server_timing_is_on_errors_too() -> None:
    clock = ManualClock()
    with Hanging() as hanging:
        limited = Timeouts(hanging, ExecutionTimeout(2), clock=clock)
        client = Client(limited)
        assert hanging.entered.wait(GUARD)
        clock.advance(2)
        timing = client.answer().headers["Server-Timing"]
        assert timing == "queue;dur=0.000, exec;dur=2000.000, total;dur=2000.000"
        limited.close()
    refused = serve(limited, request(body=b"x", CONTENT_LENGTH="many"))
    assert refused.headers["Server-Timing"].startswith("queue;dur=0.000, exec;dur=0.000")


# ── the request's body ───────────────────────────────────────────────────────────────────────────


def echo(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [environ["wsgi.input"].read()]


class Trickle(io.BytesIO):
    """A connection that gives at most three bytes at a time, and on which time passes."""

    def __init__(self, data: bytes, clock: ManualClock) -> None:
        super().__init__(data)
        self._clock = clock

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert size > 0, "a read without a bound may never return"
        self._clock.advance(1)
        return super().read(min(3, size))


@given(body=st.binary(max_size=20), following=st.binary(max_size=5))
def test_a_slow_upload_is_read_whole_and_counted_by_no_limit(body: bytes, following: bytes) -> None:
    """And not a byte of what follows on the connection is touched."""
    clock = ManualClock()
    stream = Trickle(body + following, clock)
    sent = request(method="POST", CONTENT_LENGTH=str(len(body))) | {"wsgi.input": stream}
    with Timeouts(echo, GatewayTimeout(1), slots=1, clock=clock) as limited:
        got = serve(limited, sent)
    assert got.body == body
    assert stream.getvalue()[stream.tell() :] == following
    assert got.headers["Server-Timing"].endswith("total;dur=0.000")


def test_a_stream_with_an_end_of_its_own_is_read_to_it() -> None:
    """Chunked, under a server that says so; under one that does not, nothing can be read."""
    with Timeouts(echo) as limited:
        for terminated, expected in [(True, b"chunked"), (False, b"")]:
            sent = request(method="POST") | {"wsgi.input": io.BytesIO(b"chunked")}
            sent["wsgi.input_terminated"] = terminated
            assert serve(limited, sent).body == expected


@pytest.mark.parametrize(
    ("more", "status", "words"),
    [
        ({"body": b"12345"}, 413, "longer than 4 bytes"),
        (
            {"body": b"12345", "CONTENT_LENGTH": "", "wsgi.input_terminated": True},
            413,
            "than 4 bytes",
        ),
        ({"body": b"12", "CONTENT_LENGTH": "3"}, 400, "ended after 2 of 3 bytes"),
        ({"body": b"12", "CONTENT_LENGTH": "-2"}, 400, "must be a whole number; got '-2'"),
        ({"body": b"12", "CONTENT_LENGTH": "٢"}, 400, "must be a whole number"),
    ],
)
def test_a_bad_upload_never_reaches_the_application(
    more: dict[str, Any], status: int, words: str
) -> None:
    with Timeouts(echo, max_body=4) as limited:
        got = serve(limited, request(method="POST", **more))
        assert (got.status, json.loads(got.body)["status"]) == (status, status)
        assert words in json.loads(got.body)["detail"]
        assert limited.server.stats().arrived == 0
        assert serve(limited, request(method="POST", body=b"1234")).body == b"1234"


def test_no_more_is_read_than_may_be_brought() -> None:
    """Not a byte of a body that announces itself too long; one byte more of a body without end."""
    with Timeouts(echo, max_body=100_000) as limited:
        stream = io.BytesIO(bytes(300_000))
        sent = request(method="POST", CONTENT_LENGTH="300000") | {"wsgi.input": stream}
        assert serve(limited, sent).status == 413
        assert stream.tell() == 0
        del sent["CONTENT_LENGTH"]
        sent["wsgi.input_terminated"] = True
        assert serve(limited, sent).status == 413
        assert stream.tell() == 100_001


def test_the_server_s_own_environ_stays_as_it_was() -> None:
    """An application that is abandoned may go on changing its own."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["PATH_INFO"] = "/changed"
        return hello(environ, start_response)

    sent = request("/sent")
    with Timeouts(app) as limited:
        serve(limited, sent)
    assert sent["PATH_INFO"] == "/sent"


# ── routes ───────────────────────────────────────────────────────────────────────────────────────


def left(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [f"{remaining():g}".encode()]


def test_a_route_has_limits_of_its_own() -> None:
    routes = {
        "/slow": GatewayTimeout(60),
        "/api/*": ExecutionTimeout(2),
        "/café": ExecutionTimeout(3),
    }
    with Timeouts(left, GatewayTimeout(9), routes=routes, clock=ManualClock()) as limited:
        told = {
            path: serve(limited, request(path.encode().decode("latin-1"))).body
            for path in ("/", "/slow", "/api/x", "/api", "/café")
        }
    assert told == {"/": b"9", "/slow": b"60", "/api/x": b"2", "/api": b"9", "/café": b"3"}


def test_routes_share_the_slots() -> None:
    """One that waits behind another route's hang is told by its own rule."""
    clock = ManualClock()
    routes = {"/fast": QueueTimeout(2)}
    with (
        Hanging() as hanging,
        Timeouts(hanging, GatewayTimeout(9), routes=routes, slots=1, clock=clock) as limited,
    ):
        slow = Client(limited)
        assert hanging.entered.wait(GUARD)
        fast = Client(limited, request("/fast"))
        clock.wait_for_waiters(3)
        clock.advance(2)
        assert json.loads(fast.answer().body)["policy"] == "QueueTimeout(2)"
        clock.advance(7)
        assert json.loads(slow.answer().body)["policy"] == "GatewayTimeout(9)"


def test_a_route_without_limits_passes_though_every_slot_is_held() -> None:
    """In the server's own thread, untouched: a health check answers."""
    clock = ManualClock()

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/live":
            start_response("200 OK", [])
            return [str(threading.get_ident()).encode()]
        return hanging(environ, start_response)

    with (
        Hanging() as hanging,
        Timeouts(app, routes={"/live": None}, slots=1, capacity=0, clock=clock) as limited,
    ):
        client = Client(limited)
        assert hanging.entered.wait(GUARD)
        assert serve(limited).status == 429
        got = serve(limited, request("/live"))
        assert got.heads == [("200 OK", [])]
        assert got.body == str(threading.get_ident()).encode()
        hanging.gate.set()
        client.answer()


# ── budgets, deadlines within, codes ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("header", "told"), [("2.5", b"2.5"), ("99", b"9")])
def test_a_budget_shortens_and_never_lengthens(header: str, told: bytes) -> None:
    budgets = Budgets("x-request-timeout-seconds")
    with Timeouts(left, GatewayTimeout(9), budgets=budgets, clock=ManualClock()) as limited:
        got = serve(limited, request(HTTP_X_REQUEST_TIMEOUT_SECONDS=header))
    assert got.body == told


def test_a_budget_with_nothing_left_is_504_and_never_started() -> None:
    with Timeouts(left, budgets=Budgets("x-request-timeout-seconds")) as limited:
        got = serve(limited, request(HTTP_X_REQUEST_TIMEOUT_SECONDS="0"))
    assert (got.status, json.loads(got.body)["started"]) == (504, False)


def test_a_malformed_budget_is_400_and_names_the_header() -> None:
    with Timeouts(left, budgets=Budgets("grpc-timeout")) as limited:
        got = serve(limited, request(HTTP_GRPC_TIMEOUT="soon"))
        assert (got.status, limited.server.stats().arrived) == (400, 0)
    assert "grpc-timeout" in json.loads(got.body)["detail"]


def test_a_budget_that_was_not_opted_in_is_not_read() -> None:
    with Timeouts(left, GatewayTimeout(9), clock=ManualClock()) as limited:
        assert serve(limited, request(HTTP_GRPC_TIMEOUT="1S")).body == b"9"


def test_guards_within_share_the_deadline() -> None:
    clock = ManualClock()

    @guard(ExecutionTimeout(60), clock=clock)
    def predict() -> float:
        return remaining()

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [f"{predict():g}".encode()]

    with Timeouts(app, GatewayTimeout(7), clock=clock) as limited:
        assert serve(limited).body == b"7"
    predict.close()


def test_a_checkpoint_ends_abandoned_work() -> None:
    clock, late = ManualClock(), Late()
    entered, gate = threading.Event(), threading.Event()

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        entered.set()
        assert gate.wait(GUARD)
        checkpoint()
        raise AssertionError("no time was left")

    limited = Timeouts(app, ExecutionTimeout(1), clock=clock, observers=[late])
    client = Client(limited)
    assert entered.wait(GUARD)
    clock.advance(1)
    assert client.answer().status == 504
    gate.set()
    assert late.seen.wait(GUARD)
    limited.close()


def test_an_error_of_ours_that_the_application_lets_out_has_its_code() -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        raise QueueTimeoutError("within")

    ours = STATUSES.override({QueueTimeoutError: Status(504, "DEADLINE_EXCEEDED")})
    for statuses, code in [(STATUSES, 503), (ours, 504)]:
        with Timeouts(app, statuses=statuses) as limited:
            got = serve(limited)
        assert (got.status, json.loads(got.body)["detail"]) == (code, "within")
        assert serve(limited, request(method="HEAD")).body == b""


@policy
class Buggy(Policy):
    """A policy that fails on every job."""

    def deadline(self, job: Job) -> float:
        raise ZeroDivisionError("secret")


def test_a_policy_s_bug_is_500_and_in_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "timeouts"), Timeouts(hello, Buggy()) as limited:
        got = serve(limited)
    assert got.status == 500
    assert b"secret" not in got.body
    assert "secret" in caplog.text


# ── Flask ────────────────────────────────────────────────────────────────────────────────────────


def test_a_flask_view_under_a_guard_tells_its_own_limit() -> None:
    """The view's limit is told by an error handler, the application's by the middleware around it."""
    clock = ManualClock()
    entered, gate = threading.Event(), threading.Event()
    app = flask.Flask("shop")

    @app.get("/predict/<int:item>")
    @guard(ExecutionTimeout(2), clock=clock)
    def predict(item: int) -> str:
        if item:
            entered.set()
            assert gate.wait(GUARD)
        return f"{flask.request.path}: {remaining():g}"

    @app.errorhandler(TimeoutsError)
    def tell(error: TimeoutsError) -> tuple[bytes, int, list[tuple[str, str]]]:
        status, headers, body = problem(error)
        return body, status, headers

    with Timeouts(app.wsgi_app, GatewayTimeout(9), clock=clock) as limited:
        assert serve(limited, request("/predict/0")).body == b"/predict/0: 2"
        client = Client(limited, request("/predict/1"))
        assert entered.wait(GUARD)
        clock.advance(2)
        got = client.answer()
        assert (got.status, json.loads(got.body)["policy"]) == (504, "ExecutionTimeout(2)")
        assert got.headers["Content-Type"] == "application/problem+json"
        gate.set()
    predict.close()


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    """Nothing."""


class Asgi:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Nothing."""


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"app": "shop:app"}, TypeError, "app must be a WSGI application; got 'shop:app'"),
        ({"app": asgi}, TypeError, "is async: use timeouts.adapters.asgi"),
        ({"app": Asgi()}, TypeError, "is async: use timeouts.adapters.asgi"),
        ({"limits": 5}, TypeError, "limits must be a policy"),
        ({"limits": ExecutionTimeout(2, soft=1)}, ValueError, "has a soft limit"),
        ({"routes": {"predict": None}}, ValueError, 'a route must be a path such as "/predict"'),
        ({"routes": {"/a": 5}}, TypeError, "limits must be a policy"),
        ({"routes": {"/a": ExecutionTimeout(2, soft=1)}}, ValueError, "has a soft limit"),
        ({"routes": [1]}, TypeError, "routes must be a mapping"),
        ({"slots": 0}, ValueError, "slots must be at least 1"),
        ({"capacity": -1}, ValueError, "capacity must be at least 0"),
        (
            {"budgets": "grpc-timeout"},
            TypeError,
            'budgets must be Budgets, such as Budgets\\("grpc',
        ),
        ({"statuses": {}}, TypeError, "statuses must be Statuses"),
        ({"max_abandoned": 0}, ValueError, "max_abandoned must be at least 1"),
        ({"max_body": -1}, ValueError, "max_body must be at least 0"),
        ({"max_body": "1M"}, TypeError, "max_body must be a whole number"),
        ({"observers": 3}, TypeError, "observers must be a sequence"),
        ({"clock": 3}, TypeError, "clock must have"),
    ],
)
def test_a_wrong_argument_is_refused_at_construction(
    arguments: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        Timeouts(**{"app": hello, **arguments})


def test_an_application_may_be_a_class() -> None:
    """As in PEP 3333's own example."""

    class App:
        def __init__(self, environ: WSGIEnvironment, start_response: StartResponse) -> None:
            self.start = start_response

        def __iter__(self) -> Iterator[bytes]:
            self.start("200 OK", [])
            yield b"hello"

    with Timeouts(App) as limited:
        assert serve(limited).body == b"hello"


def test_it_shows_the_application_and_the_limits() -> None:
    shown = repr(Timeouts(hello, GatewayTimeout(30) | ExecutionTimeout(10)))
    assert shown == f"<Timeouts of {hello!r} under GatewayTimeout(30) | ExecutionTimeout(10)>"
