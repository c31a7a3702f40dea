"""Traces for OpenTelemetry: where in a request's life the time went, as spans under the server's own.

    server's span  ├─ queue ─┤├─ execute ─────────┤├─ abandoned ─┤
                   arrival    a worker takes it    the answer      the end of work nobody waits for

Laws:
- A span is a phase of the job, with the instants of the server's clock: `queue` ends where `execute`
  begins. Only `execute` is ever open; the others are written when they are over, so a job that never
  starts leaves nothing behind.
- `execute` is the current span of the handler, in a worker process as well.
"""

from __future__ import annotations

import math
import time
from importlib.metadata import version
from threading import Lock
from typing import Any

from timeouts.errors import TimeoutsError, Withdrawn
from timeouts.job import Job
from timeouts.observe import facts
from timeouts.observe.observer import Observer
from timeouts.outcome import Outcome

try:
    from opentelemetry import context as contexts
    from opentelemetry import propagate, trace
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Status, StatusCode, Tracer, TracerProvider
except ImportError as missing:
    raise ImportError(
        "timeouts.observe.opentelemetry needs opentelemetry-api, which is not installed: "
        'pip install "timeouts[opentelemetry]"'
    ) from missing


class OpenTelemetryTraces(Observer):
    """Trace each job: `Server(predict, limits, observers=[OpenTelemetryTraces()])`.

    A job's spans are children of the span that is current where it arrives. The handler sees `execute`
    as the current span, in tasks, threads and worker processes; the last are sent its W3C headers (or
    what else is configured to propagate) with the call.

    Args:
        tracer_provider: who makes spans; default: the global one.

    Cannot do: export the spans of a worker process that was killed before its exporter had sent them.
    """

    def __init__(self, tracer_provider: TracerProvider | None = None) -> None:
        self._tracer = trace.get_tracer("timeouts", version("timeouts"), tracer_provider)
        self._traces: dict[Job, Trace] = {}

    def arrived(self, job: Job, now: float) -> None:  # noqa: ARG002 - the job has it
        """Remember under which span the job came."""
        self._traces[job] = Trace(self._tracer, job)

    def started(self, job: Job, now: float) -> None:  # noqa: ARG002 - the job has it
        """Begin `execute`, and make it the handler's."""
        if (seen := self._traces.get(job)) is not None:
            _surround(job, seen.begin())

    def answered(self, job: Job, outcome: Outcome, now: float) -> None:
        """End the span of the phase that is over."""
        if (seen := self._traces.get(job)) is not None and seen.answer(outcome, now):
            del self._traces[job]

    def late(self, job: Job, outcome: Outcome, now: float) -> None:  # noqa: ARG002 - nobody receives it
        """Write down how long the work went on."""
        if (seen := self._traces.get(job)) is not None and seen.end(now):
            del self._traces[job]


class Trace:
    """The spans of one job. Its hooks may come from several threads, and in any order."""

    __slots__ = ("_answered", "_execute", "_job", "_late", "_lock", "_offset", "_parent", "_tracer")

    def __init__(self, tracer: Tracer, job: Any) -> None:
        self._tracer = tracer
        self._job = job
        self._parent = contexts.get_current()
        self._offset = time.time_ns() - _nanoseconds(job.clock.now())
        self._execute: Span | None = None
        self._answered: float | None = None
        self._late: float | None = None
        self._lock = Lock()

    def begin(self) -> Context:
        """Begin `execute`, once; return the context in which the handler is to run."""
        with self._lock:
            return trace.set_span_in_context(self._running(), self._parent)

    def answer(self, outcome: Outcome, now: float) -> bool:
        """The caller is told; return whether that was the last of it."""
        job = self._job
        with self._lock:
            never = job.started == math.inf
            span = self._span("queue", job.arrived) if never else self._running()
            since = job.arrived if never else job.started
            self._answered = end = max(since, now)  # threads may read a clock in another order
            _tell(span, job, outcome)
            span.end(self._wall(end))
            return job.error is None or never or self._has_ended()

    def end(self, now: float) -> bool:
        """The work is over; return whether that was the last of it."""
        with self._lock:
            self._late = now
            return self._has_ended()

    def _running(self) -> Span:
        """Return `execute`. Where it is not there yet, the wait has just come to its end."""
        if self._execute is None:
            self._span("queue", self._job.arrived).end(self._wall(self._job.started))
            self._execute = self._span("execute", self._job.started)
        return self._execute

    def _has_ended(self) -> bool:
        """Write `abandoned` as soon as both of its ends are known; return whether they are."""
        if self._answered is None or self._late is None:
            return False
        span = self._span("abandoned", self._answered)
        span.set_attribute("timeouts.work", self._job.error.work)
        span.end(self._wall(max(self._answered, self._late)))
        return True

    def _span(self, name: str, since: float) -> Span:
        return self._tracer.start_span(name, self._parent, start_time=self._wall(since))

    def _wall(self, instant: float) -> int:
        """Return an instant of the server's clock as the wall clock has it, in nanoseconds."""
        return self._offset + _nanoseconds(instant)


class Attached:
    """A context that is current inside a block; pickled, it is the headers that a request would have."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._token: Any = None

    def __enter__(self) -> None:
        self._token = contexts.attach(self._context)

    def __exit__(self, *_: object) -> None:
        contexts.detach(self._token)

    def __reduce__(self) -> tuple[Any, ...]:
        """Become a dict of strings: a context itself cannot leave its process."""
        headers: dict[str, str] = {}
        propagate.inject(headers, self._context)
        return _received, (headers,)


def _received(headers: dict[str, str]) -> Attached:
    return Attached(propagate.extract(headers))


def _surround(job: Any, context: Context) -> None:
    """Have the handler run in a context: in this process, or in another."""
    if job.context is not None:
        job.context.run(contexts.attach, context)
    job.around = Attached(context)


def _tell(span: Span, job: Job, outcome: Outcome) -> None:
    """Write on a span how its job ended."""
    error = job.error or facts.expiry(job, outcome) or outcome.error
    span.set_attributes(
        {
            "timeouts.outcome": facts.outcome_name(job, outcome),
            "timeouts.work": facts.work_name(job, outcome),
            "timeouts.started": job.error is None or job.error.started,
        }
    )
    if isinstance(error, TimeoutsError):
        span.set_attribute("timeouts.policy", facts.policy_name(job, outcome))
        if (limit := facts.finite(error.limit)) is not None:
            span.set_attribute("timeouts.limit", float(limit))
    elif error is not None:
        span.record_exception(error)
    if error is not None and not isinstance(error, Withdrawn):  # a caller who leaves is no failure
        span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))


def _nanoseconds(instant: float) -> int:
    return round(instant * 1e9)
