"""Spans are the phases of a job: contiguous, under the caller's own, and none is left open."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
import time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import baggage, context, trace
from opentelemetry.trace import StatusCode

from tests.observe import traffic
from tests.observe.spans import SECOND, Kept, by_parent, seconds, told
from tests.observe.traffic import Request, play, requests
from tests.shells.recorder import Recorder
from timeouts import ExecutionTimeout, QueueTimeout, Server, ThreadWorkers
from timeouts.call import Call
from timeouts.errors import ExecutionTimeoutError
from timeouts.observe import EventStream
from timeouts.observe.events import Answered, Event, Late, Started
from timeouts.observe.opentelemetry import OpenTelemetryTraces
from timeouts.outcome import Outcome
from timeouts.testing import Hang, ManualClock, VirtualLoop, run_virtual


def traced(*script: Request, **options: Any) -> Kept:
    """Play a script and return its spans."""
    kept = Kept()
    play(list(script), [OpenTelemetryTraces(kept.provider)], **options)
    return kept


@given(st.lists(requests, max_size=12), st.none() | st.integers(0, 12))
def test_every_span_ends_and_nothing_is_kept(script: list[Request], closes: int | None) -> None:
    """Whether a job starts or not, is told or leaves."""
    kept = Kept()
    traces = OpenTelemetryTraces(kept.provider)
    play(script, [traces], closes=closes)
    assert kept.begun == len(kept.spans)
    assert not traces._traces


@given(st.lists(requests, max_size=12), st.none() | st.integers(0, 12))
def test_the_spans_are_the_phases(script: list[Request], closes: int | None) -> None:
    """As many as there were, and as long; one begins where the one before ends."""
    kept = Kept()
    events: list[Event] = []
    play(script, [OpenTelemetryTraces(kept.provider), EventStream(events.append)], closes=closes)
    answered = [e for e in events if isinstance(e, Answered)]
    started = [e for e in events if isinstance(e, Started)]
    late = [e for e in events if isinstance(e, Late)]

    def lengths(name: str) -> list[float]:
        return sorted(round(seconds(span), 6) for span in kept.of(name))

    never = [e.sojourn for e in answered if e.service is None]
    assert lengths("queue") == sorted([e.waited for e in started] + never)
    assert lengths("execute") == sorted(e.service for e in answered if e.service is not None)
    at = {e.job: e.now for e in answered}
    assert lengths("abandoned") == sorted(e.now - at[e.job] for e in late)


def test_one_phase_begins_where_the_other_ends() -> None:
    """To the nanosecond, or a viewer would show a gap."""
    kept = traced(Request(takes=99, stubborn=2))
    queue, execute, abandoned = (kept.one(name) for name in ("queue", "execute", "abandoned"))
    assert queue.end_time == execute.start_time
    assert execute.end_time == abandoned.start_time
    assert (seconds(execute), seconds(abandoned)) == (7, 2)


def test_the_spans_are_children_of_the_one_that_was_current() -> None:
    """Each caller's own, though all are served by one server."""
    kept = Kept()
    tracer = kept.provider.get_tracer("test")

    async def request(server: Server) -> None:
        with tracer.start_as_current_span("request"):
            await server.acall(Request(takes=1))

    async def main() -> None:
        traces = OpenTelemetryTraces(kept.provider)
        clock = VirtualLoop.running().clock
        async with (
            Server(traffic.predict, slots=1, clock=clock, observers=[traces]) as server,
            asyncio.TaskGroup() as callers,
        ):
            for _ in range(3):
                callers.create_task(request(server))

    run_virtual(main())
    families = by_parent(kept.spans)
    callers = kept.of("request")
    assert len(callers) == 3
    for caller in callers:
        children = families[caller.context.span_id]
        assert [child.name for child in children] == ["queue", "execute"]
        assert {child.context.trace_id for child in children} == {caller.context.trace_id}


def test_execute_is_current_in_the_handler_with_what_the_caller_had() -> None:
    """In a thread, and what the caller has in its baggage is there as well; afterwards it is gone."""
    kept = Kept()
    found: list[Any] = []

    def handler() -> None:
        found.append((trace.get_current_span().get_span_context(), baggage.get_baggage("tenant")))

    token = context.attach(baggage.set_baggage("tenant", "blue"))
    try:
        with Server(handler, observers=[OpenTelemetryTraces(kept.provider)]) as server:
            server.call()
            server.submit().result(20)
        assert trace.get_current_span() is trace.INVALID_SPAN
    finally:
        context.detach(token)
    executed = [span.context for span in kept.of("execute")]
    assert found == [(span, "blue") for span in executed]


def test_execute_is_current_in_a_task() -> None:
    """Also in one that begins at once on its caller's loop."""
    kept = Kept()
    found: list[Any] = []

    async def handler() -> None:
        found.append(trace.get_current_span().get_span_context())
        await asyncio.sleep(0)

    async def main() -> None:
        clock = VirtualLoop.running().clock
        traces = OpenTelemetryTraces(kept.provider)
        async with Server(handler, clock=clock, observers=[traces]) as server:
            await server.acall()
            assert trace.get_current_span() is trace.INVALID_SPAN

    run_virtual(main())
    assert found == [kept.one("execute").context]


def test_what_is_written_on_a_span() -> None:
    """On that of the phase in which the job was answered; others have nothing to say."""
    kept = traced(Request(takes=99), Request(takes=1), Request(takes=1, budget=2), slots=1)
    executed = kept.one("execute")
    waited = sorted((span for span in kept.of("queue") if told(span)), key=seconds)
    assert told(executed) == {
        "outcome": "execution_timeout",
        "policy": "ExecutionTimeout",
        "limit": 7,
        "work": "still running",
        "started": True,
    }
    assert [told(span) for span in waited] == [
        {
            "outcome": "gateway_timeout",
            "policy": "Budget",
            "limit": 2,
            "work": "never started",
            "started": False,
        },
        {
            "outcome": "queue_timeout",
            "policy": "QueueTimeout",
            "limit": 3,
            "work": "never started",
            "started": False,
        },
    ]
    for span in (executed, *waited):
        assert span.status.status_code is StatusCode.ERROR
    assert executed.status.description == (
        "ExecutionTimeoutError: ran for 7 s; ExecutionTimeout allows 7 s"
    )
    assert told(kept.one("abandoned")) == {"work": "stopped"}


def test_success_failure_and_leaving() -> None:
    """A handler's error is recorded; a caller who leaves is no failure of ours."""
    kept = traced(Request(), Request(fails=True), Request(takes=5, leaves=2), slots=3)
    done, failed, left = kept.of("execute")
    assert [told(span)["outcome"] for span in (done, failed, left)] == [
        "completed",
        "failed",
        "withdrawn",
    ]
    assert done.status.status_code is left.status.status_code is StatusCode.UNSET
    assert failed.status.description == "LookupError: as it was asked to"
    assert failed.events[0].attributes["exception.type"] == "LookupError"


def test_a_refusal_is_a_wait_of_no_length() -> None:
    """It shows in the trace of its caller."""
    kept = traced(Request(takes=2), Request(), slots=1, capacity=0)
    refused = kept.of("queue")[1]
    assert told(refused)["outcome"] == "queue_full"
    assert seconds(refused) == 0


def test_instants_are_told_by_the_wall_clock() -> None:
    """The server's clock may begin anywhere."""
    kept = Kept()
    before = time.time_ns()
    with Server(lambda: None, observers=[OpenTelemetryTraces(kept.provider)]) as server:
        server.call()
    span = kept.one("execute")
    slack = SECOND // 100  # the wall clock may be adjusted meanwhile
    assert before - slack <= span.start_time <= span.end_time <= time.time_ns() + slack


def test_a_thread_that_never_ends_leaves_no_span_open() -> None:
    """What is known is exported at the answer; `abandoned` comes when the thread ends."""
    kept, clock, recorder = Kept(), ManualClock(), Recorder()
    traces = OpenTelemetryTraces(kept.provider)
    with Hang() as hang:
        server = Server(
            hang.predict,
            ExecutionTimeout(5),
            slots=1,
            workers=ThreadWorkers(),
            clock=clock,
            observers=[traces, recorder],
        )
        future = server.submit()
        hang.wait_for_entries(1)
        clock.advance(5)
        assert isinstance(future.exception(20), ExecutionTimeoutError)
        assert kept.begun == len(kept.spans) == 2
        clock.advance(3)
        hang.release()
        recorder.wait_for("late", 1)
        server.close()
    assert seconds(kept.one("abandoned")) == 3
    assert not traces._traces


def _call(now: float) -> Call:
    clock = ManualClock(now)
    call = Call(1, print, (), {}, None, clock, float("inf"), 0.0)
    call.arrived, call.started = now, now + 1
    call.error = ExecutionTimeoutError(policy=ExecutionTimeout(2), limit=2.0, started=True)
    return call


def test_the_hooks_of_a_job_may_come_in_any_order() -> None:
    """Threads race: each order gives the same three spans, and leaves nothing behind."""
    for order in itertools.permutations(["started", "answered", "late"]):
        kept = Kept()
        traces = OpenTelemetryTraces(kept.provider)
        call = _call(10)
        traces.arrived(call, 10)
        facts = {
            "started": (call, 11),
            "answered": (call, Outcome(error=call.error), 13),
            "late": (call, Outcome(), 17),
        }
        for hook in order:
            getattr(traces, hook)(*facts[hook])
        lengths = {span.name: seconds(span) for span in kept.spans}
        assert lengths == {"queue": 1, "execute": 2, "abandoned": 4}, order
        assert kept.begun == 3, order
        assert not traces._traces, order


def test_instants_that_were_read_in_the_other_order_make_no_negative_span() -> None:
    """The thread that answers may have read the clock before the one that started."""
    kept = Kept()
    traces = OpenTelemetryTraces(kept.provider)
    call = _call(10)
    call.error = None
    traces.arrived(call, 10)
    traces.started(call, 11)
    traces.answered(call, Outcome(), 10.5)
    assert seconds(kept.one("execute")) == 0


def test_threads_that_race_begin_one_span() -> None:
    """`started` and `answered` of one job, from two threads at once, many times."""
    kept = Kept()
    traces = OpenTelemetryTraces(kept.provider)
    barrier = threading.Barrier(2, timeout=20)
    calls = [_call(10) for _ in range(50)]

    def starter() -> None:
        for call in calls:
            barrier.wait()
            traces.started(call, 11)

    for call in calls:
        traces.arrived(call, 10)
    thread = threading.Thread(target=starter)
    thread.start()
    with contextlib.suppress(threading.BrokenBarrierError):
        for call in calls:
            barrier.wait()
            traces.answered(call, Outcome(error=call.error), 13)
            traces.late(call, Outcome(), 14)
    thread.join(20)
    assert len(kept.of("execute")) == len(kept.of("queue")) == len(calls)
    assert not traces._traces


def test_without_a_provider_nothing_is_made() -> None:
    """The API alone gives spans that record nothing; jobs are served all the same."""
    events: list[Event] = []
    play([Request()], [OpenTelemetryTraces(), EventStream(events.append)], limits=QueueTimeout(3))
    assert len(events) == 3
