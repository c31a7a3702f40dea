"""The laws of the ASGI middleware, for any application: who is in time notices nothing; one reply; books balance."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.adapters.asgi_harness import (
    HINT,
    START,
    TRAILERS,
    App,
    Bench,
    Message,
    Wire,
    part,
    start,
)
from timeouts import (
    ExecutionTimeout,
    FirstItemTimeout,
    GatewayTimeout,
    IdleTimeout,
    QueueTimeout,
    QueueTimeoutError,
    Stack,
)
from timeouts.testing import run_virtual, settle

PAUSE, RECEIVE, RAISE, REFUSED = "pause", "receive", "raise", "refused"
HEADERS = st.sampled_from(
    [(b"content-type", b"text/event-stream"), (b"x-one", b"1"), (b"server-timing", b"db;dur=1")]
)
CHUNKS = st.sampled_from([b"", b"a", b"data: a\n\n", b"data: b\n"])
Step = tuple[str, Any]
PAUSES: st.SearchStrategy[Step] = st.tuples(st.just(PAUSE), st.integers(0, 3))
BETWEEN: st.SearchStrategy[list[Step]] = st.lists(
    st.one_of(PAUSES, st.sampled_from([(RECEIVE, None), (RAISE, None)])), max_size=2
)
HEADS = st.builds(
    lambda status, headers, trailers: ("send", start(status, *headers, trailers=trailers)),
    st.sampled_from([200, 404]),
    st.lists(HEADERS, max_size=2),
    st.booleans(),
)
HINTS: st.SearchStrategy[list[Step]] = st.lists(
    st.just(("send", {"type": HINT, "links": [b"</style.css>; rel=preload"]})), max_size=1
)
PARTS = st.one_of(
    st.builds(lambda body, more: ("send", part(body, more=more)), CHUNKS, st.booleans()),
    st.builds(
        lambda more: ("send", {"type": TRAILERS, "headers": [], "more_trailers": more}),
        st.booleans(),
    ),
    st.just(("send", start(418))),
)


@st.composite
def any_steps(draw: st.DrawFn) -> list[Step]:
    """Draw what an application does, in any order once it has sent a head."""
    steps = [*draw(BETWEEN), *draw(HINTS), *draw(BETWEEN), draw(HEADS)]
    for sent in draw(st.lists(PARTS, max_size=5)):
        steps += [*draw(BETWEEN), sent]
    return steps + draw(BETWEEN)


@st.composite
def proper_steps(draw: st.DrawFn) -> list[Step]:
    """Draw what an application does that keeps to the protocol, though it may break off."""
    head: Step = ("send", start(200, *draw(st.lists(HEADERS, max_size=2))))
    steps = [*draw(BETWEEN), *draw(HINTS), *draw(BETWEEN), head]
    bodies = draw(st.lists(CHUNKS, max_size=4))
    for number, body in enumerate(bodies, start=1):
        steps += [*draw(BETWEEN), ("send", part(body, more=number < len(bodies)))]
    return steps + draw(BETWEEN)


async def do(step: Step, receive: Any, send: Any) -> None:
    kind, what = step
    if kind == "send":
        await send(what)
    elif kind == PAUSE:
        await asyncio.sleep(what)
    elif kind == RECEIVE:
        await receive()
    elif kind == RAISE:
        raise ValueError("the application's own")
    else:
        raise QueueTimeoutError("a guard's within the application")


def playing(steps: list[Step]) -> App:
    """Make the application that does these steps; having waited for a client for ever, it ends."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for step in steps:
            await do(step, receive, send)

    return app


@given(any_steps(), st.lists(st.binary(max_size=3), max_size=3))
def test_who_is_in_time_notices_nothing(steps: list[Step], body: list[bytes]) -> None:
    """The same request and response with the middleware as without it, whatever the application does."""

    async def seen(bench: Bench | None) -> tuple[Any, ...]:
        wire, got = Wire(*body), list[Message]()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            for step in steps:
                if step[0] != RECEIVE:
                    await do(step, receive, send)
                elif not got or got[-1]["more_body"]:
                    got.append(await receive())

        if bench is not None:
            bench.asgi.app = app
        await wire.serve(app if bench is None else bench.asgi)
        return wire.seen(), got, kind_of(wire.raised)

    async def main() -> None:
        bench = Bench(playing([]), GatewayTimeout(1000) | IdleTimeout(900), slots=1)
        assert await seen(bench) == await seen(None)
        assert bench.books() == (0, 0, 0)

    run_virtual(main())


def kind_of(error: BaseException | None) -> type | None:
    """A violation of the protocol is noticed by the middleware or by the server."""
    return RuntimeError if isinstance(error, RuntimeError) else type(error)


POLICIES = (GatewayTimeout, QueueTimeout, ExecutionTimeout, FirstItemTimeout, IdleTimeout)
Rules = dict[Any, int]
RULES: st.SearchStrategy[Rules] = st.dictionaries(
    st.sampled_from(POLICIES), st.integers(1, 6), max_size=3
)


class Played:
    """An application of steps, which notes what was done to its task."""

    def __init__(self, *, stubborn: bool) -> None:
        self._stubborn = stubborn
        self.tasks: list[asyncio.Task[Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.append(task)
        for step in scope["steps"]:
            try:
                await do(step, receive, send)
            except asyncio.CancelledError:
                if not self._stubborn:
                    raise


class Script(NamedTuple):
    """One request: what its application does, and when its client leaves, or its server cancels it."""

    steps: list[Step]
    leaves: int
    cancelled: int | None
    reads: bool


WHEN = st.integers(0, 12)
SCRIPTS = st.builds(Script, proper_steps(), WHEN, st.none() | WHEN, st.booleans())


@pytest.mark.filterwarnings("ignore::timeouts.stack.UselessPolicyWarning")
@given(
    st.lists(SCRIPTS, min_size=1, max_size=3),
    RULES,
    st.sampled_from(["cancel", "detach"]),
    st.booleans(),
    st.integers(1, 2),
)
def test_one_reply_on_time_and_the_books_balance(
    scripts: list[Script], rules: Rules, mode: Any, stubborn: bool, slots: int
) -> None:
    """Expiry, completion, a client that leaves, a server that cancels: all at integers, so that ties are common."""
    app = Played(stubborn=stubborn)

    async def main() -> None:
        stack = Stack(*(kind(seconds) for kind, seconds in rules.items()))
        bench = Bench(app, stack, slots=slots, on_expiry=mode)
        wires = [bench.request(b"x", steps=s.steps, reads=s.reads) for s in scripts]
        await settle()
        for now in range(13):
            for script, wire, task in zip(scripts, wires, bench.requests, strict=True):
                if script.leaves == now:
                    wire.leave()
                if script.cancelled == now:
                    task.cancel()
            await asyncio.sleep(1)
        await bench.done()
        for script, wire, task in zip(scripts, wires, bench.requests, strict=True):
            judge(script, wire, rules)
            assert task.cancelling() == (wire.cancelled_at is not None)
        await asyncio.sleep(100)  # in which every application comes to its end
        assert bench.books() == (0, 0, 0)

    run_virtual(main())
    for task in app.tasks:
        assert task.cancelling() <= (mode == "cancel")


def judge(script: Script, wire: Wire, rules: Rules) -> None:
    """At most one reply, whole or visibly not; whoever is there is answered, on time."""
    assert wire.violations == []
    assert wire.ended is not None
    assert [m["type"] for _, m in wire.sent].count(START) <= 1
    on_time = min(rules.get(GatewayTimeout, 99), script.leaves)
    if wire.cancelled_at is None and script.reads:
        quick = max(script.leaves, on_time) + 1.0  # the time for a last word
        assert wire.ended <= quick or wire.complete
    if wire.raised is None and wire.cancelled_at is None:
        assert wire.complete or wire.left or not wire.sent
    if wire.complete and isinstance(wire.raised, RuntimeError):
        raise AssertionError("cut short, and yet whole")


@given(proper_steps())
def test_an_error_of_ours_that_the_application_lets_out_is_told(steps: list[Step]) -> None:
    """By a problem if nothing was sent, by an event where one fits, and never as a normal end."""

    async def main() -> None:
        wire = Wire()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            for step in steps:
                if step[0] in ("send", PAUSE):
                    await do(step, receive, send)
                if wire.complete:
                    return
            raise QueueTimeoutError("no slot")

        bench = Bench(app)
        await wire.serve(bench.asgi)
        if wire.status == 503:
            assert wire.problem["error"] == "queue_timeout"
        elif wire.raised is not None:
            assert "cut short: no slot" in str(wire.raised)
            assert not wire.complete
        else:
            assert wire.complete
        assert bench.books() == (0, 0, 0)

    run_virtual(main())
