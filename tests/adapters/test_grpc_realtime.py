"""Both of gRPC's servers under limits, over the loopback: one suite, since they promise the same."""

from __future__ import annotations

import functools
import gc
import logging
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import pytest

from tests.adapters.classed import CLASSES, Doorman
from tests.adapters.grpc_hosts import (
    KINDS,
    PATIENCE,
    Host,
    method,
    poll,
    tasks,
    threads,
    writers,
)
from timeouts import (
    STATUSES,
    ExecutionTimeout,
    ExecutionTimeoutError,
    FirstItemTimeout,
    GatewayTimeout,
    IdleTimeout,
    Observer,
    Priority,
    QueueTimeout,
    QueueTimeoutError,
    Status,
)

pytestmark = pytest.mark.realtime

Serve = Callable[..., Host]
UNARY = method("unary_unary")


@pytest.fixture(params=[threads, tasks, writers], ids=lambda make: make.__name__)
def serve(request: pytest.FixtureRequest) -> Iterator[Serve]:
    """Start hosts that end with the test."""
    with ExitStack() as stack:

        def start(*args: Any, **options: Any) -> Host:
            host: Host = request.param(*args, **options)
            return stack.enter_context(host)

        yield start


def failed(call: Callable[[], Any]) -> Any:
    """Return the error with which an RPC ends."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value


def metadata(error: Any) -> dict[str, str]:
    return dict(error.trailing_metadata())


def answered(call: Any) -> bytes:
    """Return the response of a unary call, or those of a stream, joined."""
    if isinstance(call, bytes):
        return call
    return b" ".join(call)


# ── what passes through ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_method_answers_as_before(serve: Serve, kind: str) -> None:
    host = serve(GatewayTimeout(PATIENCE))
    assert answered(host.stub(kind)("a b c", compression=grpc.Compression.Gzip)) == b"a b c"
    poll(lambda: host.outcomes() == {"completed": 1})


def test_metadata_passes_both_ways(serve: Serve) -> None:
    host = serve(GatewayTimeout(PATIENCE))
    response, call = host.channel.unary_unary(UNARY).with_call(
        b"metadata", metadata=(("ask", "heard"),)
    )
    assert response == b"heard"
    assert metadata(call)["own"] == "kept"


@pytest.mark.parametrize("kind", KINDS)
def test_a_handlers_own_error_is_unknown(
    serve: Serve, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    host = serve(GatewayTimeout(PATIENCE))
    error = failed(lambda: answered(host.stub(kind)("a boom")))
    assert error.code() is grpc.StatusCode.UNKNOWN
    assert "boom" in error.details()
    assert "timeouts-error" not in metadata(error)
    poll(lambda: any(record.exc_info for record in caplog.records))
    assert "in step" in caplog.text  # the handler's own frame


@pytest.mark.parametrize("kind", KINDS)
def test_a_handler_may_abort(serve: Serve, kind: str) -> None:
    host = serve(GatewayTimeout(PATIENCE))
    error = failed(lambda: answered(host.stub(kind)("metadata abort")))
    assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "no such thing")
    assert metadata(error)["own"] == "kept"


def test_a_guarded_functions_error_has_its_status(serve: Serve) -> None:
    """It never started, but the handler that called it did, and a retry would run that again."""
    error = failed(lambda: serve(GatewayTimeout(PATIENCE)).stub("unary_unary")("full"))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    told = metadata(error)
    assert (told["timeouts-started"], told["timeouts-work"]) == ("true", "stopped")


def test_a_method_that_is_not_there_is_unimplemented(serve: Serve) -> None:
    host = serve(GatewayTimeout(PATIENCE))
    error = failed(lambda: host.channel.unary_unary("/test.Service/Other")(b""))
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED
    assert host.stats().arrived == 0


# ── expiry ───────────────────────────────────────────────────────────────────────────────────────


def test_a_hung_handler_is_told_on_time(serve: Serve) -> None:
    """The client has set no deadline: it would wait for ever."""
    host = serve(ExecutionTimeout(0.3), slots=1)
    began = time.monotonic()
    error = failed(lambda: host.stub("unary_unary")("metadata hang"))
    assert 0.25 < time.monotonic() - began < PATIENCE / 2
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert "ExecutionTimeout allows 0.3 s" in error.details()
    assert metadata(error) == {
        "own": "kept",
        "timeouts-error": "execution_timeout",
        "timeouts-started": "true",
        "timeouts-work": "still running",
    }
    if host.interceptor.server.stop_mode == "cancel":
        poll(lambda: host.books() == (0, 0, 0))
        assert host.ended == ["CancelledError"]
    else:
        assert host.books() == (0, 0, 1)
        host.release.set()
        poll(lambda: host.books() == (0, 0, 0))
        assert host.stub("unary_unary")("next") == b"next"


def test_who_waits_too_long_has_never_started(serve: Serve) -> None:
    host = serve(QueueTimeout(0.3), slots=1)
    host.hang()
    error = failed(lambda: host.stub("unary_unary")("second"))
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    told = metadata(error)
    assert told["timeouts-error"] == "queue_timeout"
    assert (told["timeouts-started"], told["timeouts-work"]) == ("false", "never started")
    assert "second" not in host.begun


def test_a_full_queue_is_told_at_once(serve: Serve) -> None:
    host = serve(QueueTimeout(PATIENCE), slots=1, capacity=1)
    host.hang()
    host.later("waits")
    poll(lambda: host.stats().waiting == 1)
    error = failed(lambda: host.stub("unary_unary")("third"))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert 0 <= int(metadata(error)["grpc-retry-pushback-ms"]) <= PATIENCE * 1000
    assert host.begun == ["hang"]


def test_the_table_of_statuses_may_be_the_users(serve: Serve) -> None:
    ours = STATUSES.override({QueueTimeoutError: Status(504, "DEADLINE_EXCEEDED")})
    host = serve(QueueTimeout(0.1), slots=1, statuses=ours)
    host.hang()
    error = failed(lambda: host.stub("unary_unary")("second"))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED


# ── budgets ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", KINDS)
def test_the_clients_deadline_is_the_budget(serve: Serve, kind: str) -> None:
    """On the wire gRPC rounds it up, to three digits or fewer."""
    host = serve(GatewayTimeout(1000))
    left = float(answered(host.stub(kind)("left", timeout=PATIENCE)))
    assert PATIENCE - 10 < left <= PATIENCE * 1.1


def test_a_longer_deadline_lengthens_nothing(serve: Serve) -> None:
    host = serve(GatewayTimeout(PATIENCE))
    assert float(host.stub("unary_unary")("left", timeout=1000)) <= PATIENCE


def test_without_limits_and_deadline_there_is_no_limit(serve: Serve) -> None:
    assert serve().stub("unary_unary")("left") == b"inf"


def test_a_reserve_is_held_back_from_the_clients_deadline(serve: Serve) -> None:
    """What the client grants is less than what a start needs, so it is told before it gives up."""
    host = serve(GatewayTimeout(1000, reserve=900), slots=1)
    error = failed(lambda: host.stub("unary_unary")("never", timeout=PATIENCE))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert metadata(error)["timeouts-started"] == "false"
    assert host.begun == []


# ── clients that leave ───────────────────────────────────────────────────────────────────────────


def test_who_leaves_while_waiting_never_starts(serve: Serve) -> None:
    host = serve(GatewayTimeout(PATIENCE), slots=1)
    host.hang()
    leaver = host.later("leaver")
    poll(lambda: host.stats().waiting == 1)
    leaver.cancel()
    poll(lambda: host.outcomes() == {"withdrawn": 1})
    assert host.stats().waiting == 0
    host.release.set()
    assert host.begun == ["hang"]


def test_who_leaves_while_running_withdraws(serve: Serve) -> None:
    host = serve(GatewayTimeout(1000), slots=1)
    leaver = host.hang()
    leaver.cancel()
    poll(lambda: host.outcomes() == {"withdrawn": 1})
    if host.interceptor.server.stop_mode == "abandon":
        assert host.books() == (0, 0, 1)
        host.release.set()
    poll(lambda: host.books() == (0, 0, 0))
    assert host.stub("unary_unary")("next") == b"next"


def test_who_leaves_a_stream_that_is_paused_withdraws(serve: Serve) -> None:
    """The responses are too large to be on their way all at once, and nobody reads them."""
    host = serve(GatewayTimeout(1000), slots=1)
    stream = host.stub("unary_stream")("large " * 50)
    assert len(next(stream)) == 1_000_000
    poll(lambda: host.books() == (0, 1, 0))
    stream.cancel()
    poll(lambda: host.outcomes() == {"withdrawn": 1})
    poll(lambda: host.books() == (0, 0, 0))
    assert len(host.begun) < 50


def test_a_stream_that_nobody_reads_expires(serve: Serve) -> None:
    """No gap between items is counted while gRPC waits for the client, but the time of the work is."""
    host = serve(ExecutionTimeout(0.5) | IdleTimeout(0.3), slots=1)
    stream = host.stub("unary_stream")("large " * 50)
    assert len(next(stream)) == 1_000_000
    poll(lambda: host.outcomes() == {"execution_timeout": 1})
    poll(lambda: host.books() == (0, 0, 0))
    error = failed(lambda: list(stream))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED


# ── streams ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["unary_stream", "stream_stream"])
@pytest.mark.parametrize(
    ("limits", "before", "name"),
    [
        (FirstItemTimeout(0.3), 0, "first_item_timeout"),
        (IdleTimeout(0.3), 2, "idle_timeout"),
        (ExecutionTimeout(0.3), 2, "execution_timeout"),
    ],
    ids=repr,
)
def test_a_stream_that_expires_never_ends_cleanly(
    serve: Serve, kind: str, limits: Any, before: int, name: str
) -> None:
    """What came before arrives, and then the error."""
    host = serve(limits, slots=1)
    stream = host.stub(kind)("a " * before + "hang b")
    assert [next(stream) for _ in range(before)] == [b"a"] * before
    error = failed(lambda: next(stream))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert metadata(error)["timeouts-error"] == name
    host.release.set()
    poll(lambda: host.books() == (0, 0, 0))
    assert "b" not in host.begun


def test_stream_limits_do_not_bound_the_whole_stream(serve: Serve) -> None:
    host = serve(FirstItemTimeout(PATIENCE) | IdleTimeout(PATIENCE))
    assert answered(host.stub("unary_stream")("a b c d")) == b"a b c d"


def test_a_stream_waits_in_the_queue_like_any_call(serve: Serve) -> None:
    host = serve(QueueTimeout(0.2), slots=1)
    host.hang()
    error = failed(lambda: next(host.stub("unary_stream")("second")))
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert "second" not in host.begun


@pytest.mark.parametrize("kind", ["stream_unary", "stream_stream"])
def test_half_an_upload_is_not_taken_for_a_whole_one(serve: Serve, kind: str) -> None:
    """The client has sent one message and is yet to send the next when the call expires."""
    host = serve(ExecutionTimeout(0.3), slots=1)
    last = threading.Event()

    def upload() -> Iterator[bytes]:
        yield b"first"
        last.wait(PATIENCE)

    call = getattr(host.channel, kind)(method(kind))
    try:
        error = failed(lambda: answered_fully(call(upload())))
    finally:
        last.set()
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    poll(lambda: host.books() == (0, 0, 0))
    assert host.begun == ["first"]
    assert "end" not in host.ended


def answered_fully(call: Any) -> bytes:
    return call if isinstance(call, bytes) else b" ".join(list(call))


# ── methods ──────────────────────────────────────────────────────────────────────────────────────


def test_a_method_may_have_limits_of_its_own(serve: Serve) -> None:
    """Slots are shared, whatever the limits."""
    host = serve(QueueTimeout(1000), methods={UNARY: QueueTimeout(0.1)}, slots=1)
    stream = host.stub("unary_stream")("hang")
    poll(lambda: host.hanging == 1)
    error = failed(lambda: host.stub("unary_unary")("second"))
    assert "QueueTimeout allows 0.1 s" in error.details()
    stream.cancel()


def test_a_method_without_limits_takes_no_slot(serve: Serve) -> None:
    host = serve(QueueTimeout(0.1), methods={method("unary_stream"): None}, slots=1, capacity=0)
    host.hang()
    assert answered(host.stub("unary_stream")("left")) == b"inf"
    assert host.stats().arrived == 1


# ── who asks, and how important it is ────────────────────────────────────────────────────────────


def test_the_queue_serves_by_the_level_in_the_metadata(serve: Serve) -> None:
    host = serve(GatewayTimeout(PATIENCE), slots=1, discipline=Priority, classes=CLASSES)
    hanging = host.hang()
    levels = ("batch", "what", "normal", "interactive")
    for number, level in enumerate(levels, start=1):
        host.later(level, metadata=(("x-priority", level),))
        poll(lambda n=number: host.stats().waiting == n)  # type: ignore[misc]
    hanging.cancel()
    host.release.set()
    assert [call.result(PATIENCE) for call in host.calls[1:]] == [
        level.encode() for level in levels
    ]
    assert host.begun == ["hang", "interactive", "normal", "batch", "what"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_comes_as_what_its_metadata_say(serve: Serve, kind: str) -> None:
    doorman = Doorman()
    host = serve(GatewayTimeout(PATIENCE), classes=CLASSES, observers=[doorman])
    sent = (("x-tenant", "alice"), ("x-priority", "interactive"))
    assert answered(host.stub(kind)("a", metadata=sent)) == b"a"
    assert answered(host.stub(kind)("a", metadata=sent * 2)) == b"a"
    assert answered(host.stub(kind)("a")) == b"a"
    assert doorman.seen == [(0.0, "alice"), (10.0, "alice, alice"), (10.0, None)]


def test_nothing_is_read_unless_it_was_opted_in(serve: Serve) -> None:
    doorman = Doorman()
    host = serve(GatewayTimeout(PATIENCE), observers=[doorman])
    sent = (("x-tenant", "alice"), ("x-priority", "interactive"))
    assert answered(host.stub("unary_unary")("a", metadata=sent)) == b"a"
    assert doorman.seen == [(0.0, None)]


# ── the end ──────────────────────────────────────────────────────────────────────────────────────


def test_a_close_answers_everybody(serve: Serve) -> None:
    host = serve(GatewayTimeout(PATIENCE), slots=1)
    running = host.hang()
    waiting = host.later("waits")
    poll(lambda: host.stats().waiting == 1)
    host.interceptor.close()
    assert failed(waiting.result).code() is grpc.StatusCode.UNAVAILABLE
    assert failed(running.result).code() is grpc.StatusCode.UNAVAILABLE
    late = failed(lambda: host.stub("unary_unary")("late"))
    assert metadata(late)["timeouts-error"] == "shutting_down"
    assert host.begun == ["hang"]


@pytest.mark.parametrize("make", [threads, tasks, writers])
def test_nothing_is_left_behind(make: Callable[..., Host]) -> None:
    """Neither a thread nor a task, after successes, expiries and clients that left."""
    before = set(threading.enumerate())
    with make(GatewayTimeout(0.3) | QueueTimeout(0.2), slots=1) as host:
        for kind in KINDS:
            assert answered(host.stub(kind)("a b")) == b"a b"
        host.hang()
        leaver = host.later("leaver")
        failed(lambda: host.stub("unary_unary")("expires"))
        leaver.cancel()
    poll(lambda: {t for t in threading.enumerate() if t.name.startswith("rpc")} <= before)
    assert getattr(host, "left", []) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_that_is_over_leaves_nothing(serve: Serve, kind: str) -> None:
    """Not even for the garbage collector: a request may be large."""
    calls: list[weakref.ref[Any]] = []

    class Keeper(Observer):
        def arrived(self, job: Any, now: float) -> None:
            calls.append(weakref.ref(job.function))

    host = serve(GatewayTimeout(PATIENCE), observers=[Keeper()])
    gc.disable()
    try:
        assert answered(host.stub(kind)("a")) == b"a"
        poll(lambda: calls[0]() is None)
    finally:
        gc.enable()


def test_an_observer_sees_the_methods(serve: Serve) -> None:
    seen: list[str] = []

    class Names(Observer):
        def arrived(self, job: Any, now: float) -> None:
            seen.append(repr(job))

    host = serve(GatewayTimeout(PATIENCE), observers=[Names()])
    host.stub("unary_unary")("a")
    assert f"of {UNARY}, " in seen[0]


# ── what only one of them does ───────────────────────────────────────────────────────────────────


def test_waiting_for_a_thread_of_grpcs_is_waiting() -> None:
    """With one thread the second call waits for the first to be answered, and is then too late."""
    with threads(QueueTimeout(0.2) | ExecutionTimeout(0.6), threads=1, slots=8) as host:
        first = host.hang()
        error = failed(lambda: host.stub("unary_unary")("second"))
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert metadata(error)["timeouts-started"] == "false"
        assert failed(first.result).code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert host.begun == ["hang"]


def test_it_counts_though_nothing_else_happened_meanwhile() -> None:
    """Gone past its limit, the call is not started when a thread comes."""
    alone = {method("unary_stream"): None}
    with threads(QueueTimeout(0.2), methods=alone, threads=1) as host:
        asked: list[str] = []
        pass_on = host.interceptor.intercept_service

        def intercept_service(proceed: Any, details: Any) -> Any:
            asked.append(details.method)
            return pass_on(proceed, details)

        host.interceptor.intercept_service = intercept_service
        stream = host.stub("unary_stream")("hang")
        poll(lambda: host.hanging == 1)
        second = host.later("second")
        poll(lambda: UNARY in asked)
        time.sleep(0.4)
        host.release.set()
        assert failed(second.result).code() is grpc.StatusCode.UNAVAILABLE
        assert host.begun == ["hang"]
        assert answered(stream) == b"hang"


def test_requests_read_on_another_thread_end_with_an_error_too() -> None:
    """As handlers of bidirectional streams do; that thread knows nothing of the job."""
    last, ended = threading.Event(), list[str]()

    def handler(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        def read() -> None:
            try:
                ended.extend(request.decode() for request in requests)
                ended.append("end")
            except ExecutionTimeoutError as error:
                ended.append(error.name)

        reader = threading.Thread(target=read)
        reader.start()
        reader.join(PATIENCE)
        yield b""

    def upload() -> Iterator[bytes]:
        yield b"first"
        last.wait(PATIENCE)

    host = threads(ExecutionTimeout(0.3))
    host.stream_stream = handler  # type: ignore[attr-defined]
    with host:
        call: Any = host.channel.stream_stream(method("stream_stream"))
        try:
            error = failed(lambda: list(call(upload())))
        finally:
            last.set()
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        poll(lambda: host.books() == (0, 0, 0))
    assert ended == ["first", "execution_timeout"]


def test_a_client_that_leaves_in_mid_upload_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    """The handler's read fails, which is nobody's fault and no warning."""
    last = threading.Event()

    def upload() -> Iterator[bytes]:
        yield b"first"
        last.wait(PATIENCE)

    with threads(GatewayTimeout(PATIENCE)) as host:
        call = host.channel.stream_unary(method("stream_unary")).future(upload())
        try:
            poll(lambda: host.begun == ["first"])
            call.cancel()
            poll(lambda: host.books() == (0, 0, 0) and host.stats().arrived == 1)
        finally:
            last.set()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_def_handler_on_an_aio_server_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    """It says so once, in the log."""
    caplog.set_level(logging.WARNING, logger="timeouts")
    host = tasks(GatewayTimeout(PATIENCE))
    host.unary_unary = functools.partial(_def_handler)  # type: ignore[attr-defined]
    with host:
        assert [host.stub("unary_unary")("a") for _ in range(2)] == [b"a", b"a"]
        assert host.stats().arrived == 0
    told = [record.getMessage() for record in caplog.records if record.name == "timeouts"]
    assert told == [f"{UNARY} is no async def handler, so it is under no limits"]


def _def_handler(request: bytes, context: Any) -> bytes:
    return request


def test_a_guarded_function_in_a_handler_shares_the_deadline(serve: Serve) -> None:
    host = serve(GatewayTimeout(PATIENCE))
    assert 0 < float(host.stub("unary_unary")("nested", timeout=5)) <= 5.5
