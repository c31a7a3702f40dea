"""The interceptor for `grpc.server`, whose handlers run on threads.

Laws:
- gRPC's thread waits and answers; the handler runs on a thread of ours, which may outlive the answer.
- A call arrives when gRPC hands it over, before it waits for one of gRPC's threads: that wait counts.
- The job ends with the RPC, however that ends: gRPC says so, and the job is withdrawn.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from contextvars import Context, copy_context
from types import TracebackType
from typing import Any, Self, Unpack

from timeouts.adapters.classes import NO_CLASSES, Classes
from timeouts.adapters.grpc.base import Limited, Rpc, around, behavior_of
from timeouts.adapters.grpc.guest import grpc
from timeouts.adapters.grpc.limits import Limits
from timeouts.call import NOTHING, Call
from timeouts.current import checkpoint
from timeouts.decorate import Options
from timeouts.errors import TimeoutsError
from timeouts.gate import Gate
from timeouts.statuses import STATUSES, Statuses


class TimeoutInterceptor(Limited, grpc.ServerInterceptor):
    """Put the methods of a `grpc.server` under limits; `with` drains and closes them.

    Args:
        limits: a policy, or policies joined with `|`, outermost first; None for no limits.
        methods: other limits for single methods, by their full names (`"/pkg.Service/Method"`). None
            as the limits leaves the method alone: it takes no slot, and waits for none.
        statuses: the table of codes.
        classes: the metadata that say who asks and how important it is, for a `discipline` that looks at it,
            such as `Classes(tenant="x-tenant")`; default none.
        **options: as for `Server`: slots, workers (a `ThreadWorkers`), capacity, discipline,
            admission, observers, clock, drain_timeout. Slots and queue are shared by all methods.

    Raises:
        TypeError, ValueError: an argument makes no sense; the message names it and its value.

    Cannot do: stop a handler's thread. The client is told on time, the thread runs on, holds its slot
    and is counted as abandoned. Nor can it answer without one of gRPC's own threads: a call holds one
    while it waits or runs, so give gRPC's pool `slots + capacity` of them. With fewer, a call
    waits for a thread first; that counts as waiting, but an expiry is told only when a thread is there.
    Handlers that gRPC runs without a thread (`experimental_non_blocking`) are left alone.
    """

    def __init__(
        self,
        limits: Limits = None,
        *,
        methods: Mapping[str, Limits] | None = None,
        statuses: Statuses = STATUSES,
        classes: Classes = NO_CLASSES,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(rpc, limits, methods, statuses, options, classes=classes)
        if self.server.stop_mode != "abandon":
            raise ValueError(
                "workers must be threads, such as ThreadWorkers(max_abandoned=8), since a context of "
                f"gRPC's cannot leave its process: guard what the handler calls; got {options!r}"
            )

    def intercept_service(
        self, continuation: Callable[[Any], Any], handler_call_details: Any
    ) -> Any:
        """Return the method that was asked for, under its limits; called by gRPC."""
        handler = continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or self.leaves_alone(method):
            return handler
        if getattr(behavior_of(handler), "experimental_non_blocking", False):
            return handler
        call = _SyncRpc(self, method, handler)
        return around(handler, call.stream if call.gives_many else call.unary)

    def __enter__(self) -> Self:
        """Use the limits for the length of a block; inside it start and stop the gRPC server."""
        self.server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        """Drain and close; after an exception, close at once."""
        self.server.__exit__(kind, error, trace)


def rpc(*_: Any) -> Generator[Any]:
    """Stand for the jobs, each of which is an `Rpc`: all are streams, a unary one without items."""
    raise NotImplementedError
    yield


class _SyncRpc(Rpc):
    """A call that holds one of gRPC's threads, which runs `unary` or `stream`."""

    def unary(self, request: Any, context: Any) -> Any:
        """Block until there is a response."""
        with self._job(request, context) as call:
            self.shell.wait(call)
            call.result()
        return self.response

    def stream(self, request: Any, context: Any) -> Iterator[Any]:
        """Give the responses, each when gRPC has sent the one before."""
        with self._job(request, context) as call:
            self.shell.wait(call)
            while call.item is not NOTHING:
                yield call.take_item()
                self.shell.resume(call)
                self.shell.wait(call)
            call.result()

    @contextmanager
    def _job(self, request: Any, context: Any) -> Generator[Call]:
        call = self.job(Gate(), request, context)
        leave = functools.partial(self.leave, call)
        try:
            self.arrive(call)
            if not context.add_callback(leave):
                leave()
            yield call
        except TimeoutsError as error:
            told = self.answer(error, context)
            context.set_trailing_metadata(told.metadata)
            context.abort(told.code, told.details)

    def __call__(self, request: Any, context: Any) -> Generator[Any]:
        """Run the handler, on a thread of ours."""
        self.begun = True
        if self.asks_many:
            request = _requests(request, copy_context())
        if self.gives_many:
            yield from self.behavior(request, context)
        else:
            self.response = self.behavior(request, context)


def _requests(requests: Iterator[Any], job: Context) -> Iterator[Any]:
    """Give the client's messages; those of a call that was answered end with an error.

    gRPC ends them as if the client had sent its last one, and the handler might keep half an upload.

    Args:
        requests: from gRPC.
        job: where the job is known; the handler may read the messages on a thread of its own.
    """
    try:
        yield from requests
    except grpc.RpcError:  # the client has left
        job.run(checkpoint)
        raise
    job.run(checkpoint)
