"""What an observer has a worker enter around the handler: there for its call, and for no other."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace import TracerProvider

from tests.observe.spans import Kept
from timeouts import Job, Observer, ProcessWorkers, Server
from timeouts.observe.opentelemetry import OpenTelemetryTraces
from timeouts.workers.process import around

pytestmark = pytest.mark.realtime

INSIDE: list[str] = []


class Mark:
    """Notes that it has been entered, in the process in which it is."""

    def __init__(self, name: Any) -> None:
        self.name = name

    def __enter__(self) -> None:
        if self.name == "stuck":
            raise LookupError("it cannot be entered")
        INSIDE.append(self.name)

    def __exit__(self, *_: object) -> None:
        INSIDE.remove(self.name)
        if self.name == "sticky":
            raise LookupError("it cannot be left")


class Around(Observer):
    """Has each call surrounded by what is on the list."""

    def __init__(self, *managers: Any) -> None:
        self._managers = iter(managers)

    def started(self, job: Any, now: float) -> None:
        job.around = next(self._managers, None)


def inside(fails: bool = False) -> list[str]:
    """Return what is around this call."""
    if fails:
        raise ValueError(*INSIDE)
    return list(INSIDE)


def items() -> Iterator[list[str]]:
    """Yield it twice."""
    yield list(INSIDE)
    yield list(INSIDE)


@contextmanager
def serving(handler: Any, *observers: Observer, **options: Any) -> Generator[Server]:
    with Server(
        handler, slots=1, workers=ProcessWorkers(**options), observers=list(observers)
    ) as server:
        yield server


def test_it_is_there_for_its_call_and_for_no_other() -> None:
    """Whatever comes of the call."""
    with serving(inside, Around(Mark("first"), Mark("second"), None, Mark("third"))) as server:
        assert server.call() == ["first"]
        with pytest.raises(ValueError, match="second"):
            server.call(fails=True)
        assert server.call() == []
        assert server.submit().result(20) == ["third"]


def test_it_is_there_for_every_item_of_a_stream() -> None:
    """And gone with the last."""
    with serving(items, Around(Mark("stream"))) as server:
        assert list(server.call()) == [["stream"], ["stream"]]
        assert list(server.call()) == [[], []]


@pytest.mark.parametrize(
    ("manager", "left"),
    [
        (Mark(lambda: None), []),  # cannot be pickled
        (Mark("x" * (around.MOST + 1)), []),
        (Mark("stuck"), []),
        ("no context manager", []),
        (Mark("sticky"), ["sticky"]),
    ],
)
def test_what_fails_about_it_changes_nothing_for_the_caller(manager: Any, left: list[str]) -> None:
    """The handler runs, with it or without, and so does the next."""
    with serving(inside, Around(manager, Mark("next"))) as server:
        assert server.call() == left
        assert server.call() == ["next"]


def test_what_cannot_be_sent_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """With the reason."""
    assert around.sent(1, Mark(lambda: None)) == b""
    assert "cannot be sent to a worker process" in caplog.text
    assert around.sent(1, Mark("x" * around.MOST)) == b""
    assert "at most 16384 are sent along" in caplog.text


# Traces.


def provide() -> None:
    """Have spans of a worker recorded there."""
    trace.set_tracer_provider(TracerProvider(shutdown_on_exit=False))


def span_in_worker(_: int = 0) -> tuple[int, int, int, Any]:
    """Return where in which trace a span of the handler's stands, and what the caller's baggage is."""
    with trace.get_tracer("handler").start_as_current_span("inference") as span:
        seen: Any = span
        parent = 0 if seen.parent is None else seen.parent.span_id
        return os.getpid(), seen.context.trace_id, parent, baggage.get_baggage("tenant")


def spans_in_worker() -> Iterator[tuple[int, int, int, Any]]:
    """Yield that for each of two items."""
    yield span_in_worker()
    yield span_in_worker()


@pytest.mark.parametrize("start_method", ["fork", "spawn"])
def test_a_span_of_the_handlers_joins_the_trace_of_its_caller(start_method: Any) -> None:
    """It is a child of `execute`, which is a child of the caller's span; baggage comes along."""
    kept = Kept()
    traces = OpenTelemetryTraces(kept.provider)
    tracer = kept.provider.get_tracer("test")
    options = {"setup": provide, "start_method": start_method}
    with serving(span_in_worker, traces, **options) as server:
        token = context.attach(baggage.set_baggage("tenant", "blue"))
        try:
            with tracer.start_as_current_span("request") as request:
                pid, trace_id, parent, tenant = server.call(1)
        finally:
            context.detach(token)
        (first,) = kept.of("execute")
        assert pid != os.getpid()
        assert trace_id == request.get_span_context().trace_id == first.context.trace_id
        assert parent == first.context.span_id
        assert first.parent.span_id == request.get_span_context().span_id
        assert tenant == "blue"

        _, trace_id, parent, tenant = server.call(2)
        second = kept.of("execute")[1]
        assert (trace_id, parent) == (second.context.trace_id, second.context.span_id)
        assert trace_id != first.context.trace_id
        assert tenant is None


def test_each_item_of_a_stream_is_in_the_trace() -> None:
    """All of them under one `execute`."""
    kept = Kept()
    with serving(spans_in_worker, OpenTelemetryTraces(kept.provider), setup=provide) as server:
        parents = [parent for _, _, parent, _ in server.call()]
    assert parents == [kept.one("execute").context.span_id] * 2


def test_without_an_observer_nothing_is_sent_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """The way of a call is as short as ever."""
    monkeypatch.setattr(around, "sent", None)
    with serving(inside) as server:
        assert server.call() == []


def test_a_job_that_never_starts_is_not_sent() -> None:
    """Its observer has nothing to surround."""
    told: list[Job] = []

    class Refused(Around):
        def answered(self, job: Job, *_: Any) -> None:
            told.append(job)

    with serving(inside, Refused(Mark("first"))) as server:
        server.drain()
        with pytest.raises(Exception, match="shutting down"):
            server.call()
    assert getattr(told[0], "around") is None  # noqa: B009 - a call's, not every job's
