"""`endpoint` and `budgeted` without a Ray that runs: requests and handles are plain objects here."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import pickle
import sys
import warnings
from collections.abc import AsyncIterator, Iterator
from typing import Any

import cloudpickle  # type: ignore[import-untyped,unused-ignore]
import pytest

from timeouts import (
    STATUSES,
    ExecutionTimeout,
    GatewayTimeout,
    GatewayTimeoutError,
    QueueFull,
    QueueTimeoutError,
    Status,
    TimeoutsError,
    guard,
    remaining,
)
from timeouts.adapters.headers import Budgets
from timeouts.testing import VirtualLoop, run_virtual

if sys.version_info >= (3, 14):
    pytest.skip("Ray has no wheels for Python 3.14", allow_module_level=True)

with warnings.catch_warnings():  # of Ray's own imports
    warnings.simplefilter("ignore")
    from starlette.requests import Request

    from tests.adapters.ray_serve_fakes import Handle, RayTaskError, Stream, wrapped
    from timeouts.adapters.ray_serve import budgeted, endpoint


# ── in the replica ───────────────────────────────────────────────────────────────────────────────


def request(**headers: str) -> Request:
    """Make the request that Ray hands over."""
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": raw})


def told(answer: Any) -> tuple[int, dict[str, Any]]:
    """Return the status and the document of an answer."""
    return answer.status_code, json.loads(answer.body)


class Model:
    """Has a method of each kind."""

    @endpoint
    @guard(ExecutionTimeout(9))
    def plain(self, x: int) -> int:
        """Give a result."""
        return x

    @endpoint
    @guard(ExecutionTimeout(9))
    def items(self, count: int) -> Iterator[int]:
        """Give items."""
        yield from range(count)

    @endpoint
    @guard(ExecutionTimeout(9))
    async def coroutine(self, x: int) -> int:
        """Give a result."""
        return x

    @endpoint
    async def unguarded(self) -> float:
        """Say what is left."""
        return remaining()


def test_ray_can_cancel_every_kind() -> None:
    """They are coroutine functions or asynchronous generators, and look as before otherwise."""
    assert inspect.iscoroutinefunction(Model.plain)
    assert inspect.iscoroutinefunction(Model.coroutine)
    assert inspect.isasyncgenfunction(Model.items)
    assert str(inspect.signature(Model.plain)) == "(self, x: 'int') -> 'int'"
    assert Model.plain.__doc__ == "Give a result."


def test_the_results_are_the_methods_own() -> None:
    """Of each kind."""

    async def main() -> list[Any]:
        model = Model()
        items = [item async for item in model.items(3)]
        return [await model.plain(1), await model.coroutine(2), items]

    assert asyncio.run(main()) == [1, 2, [0, 1, 2]]
    assert Model.plain.guarded.server.stats().outcomes == {"completed": 1}


def test_a_budget_is_what_is_left() -> None:
    """Of the job; without one, nothing is limited."""

    async def main() -> tuple[float, float]:
        return await Model().unguarded(timeouts_budget=5.0), await Model().unguarded()

    within, without = run_virtual(main())
    assert 4 < within <= 5
    assert without == float("inf")


@pytest.mark.parametrize(("budget", "left"), [(2.0, 2.0), (7.0, 5.0), (None, 5.0)])
def test_a_budget_shortens_and_never_lengthens(budget: float | None, left: float) -> None:
    """The earlier of the two holds."""

    async def main() -> Any:
        @endpoint
        @guard(GatewayTimeout(5), clock=VirtualLoop.running().clock)
        async def handler() -> float:
            return remaining()

        return await handler(timeouts_budget=budget)

    assert run_virtual(main()) == left


def test_who_is_cancelled_withdraws_the_job() -> None:
    """As Ray cancels a request whose client is gone."""

    async def main() -> Any:
        @endpoint
        @guard(GatewayTimeout(5), clock=VirtualLoop.running().clock)
        async def handler() -> None:
            await asyncio.Event().wait()

        task = asyncio.create_task(handler())
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return handler.guarded.server.stats().outcomes

    assert run_virtual(main()) == {"withdrawn": 1}


def test_a_stream_that_is_left_is_withdrawn() -> None:
    """At once, and not when it is collected."""

    async def main() -> Any:
        @endpoint
        async def handler() -> AsyncIterator[int]:
            yield 1
            await asyncio.Event().wait()

        items = handler()
        assert await anext(items) == 1
        await items.aclose()
        return handler.guarded.server.stats().outcomes

    assert asyncio.run(main()) == {"withdrawn": 1}


def test_an_error_is_answered_by_http_if_one_has_asked_by_http() -> None:
    """With the status of the table, the document and `Retry-After`; by a handle it is raised."""

    @endpoint(statuses=STATUSES.override({QueueTimeoutError: Status(504, "DEADLINE_EXCEEDED")}))
    async def handler(error: TimeoutsError, _: Any = None) -> None:
        raise error

    full, late = QueueFull("as many wait as may"), QueueTimeoutError(limit=5, elapsed=5)
    full.retry_after = 2.5
    answer = asyncio.run(handler(full, request()))
    assert told(answer)[0] == 429
    assert answer.headers["retry-after"] == "3"
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["content-length"]) == len(answer.body)
    status, document = told(asyncio.run(handler(late, request())))
    assert (status, document["error"], document["started"]) == (504, "queue_timeout", False)
    with pytest.raises(QueueFull):
        asyncio.run(handler(full))


def test_an_error_from_another_deployment_is_told_as_it_was() -> None:
    """Ray's wrapper has a name of its own, and no `retry_after`."""

    @endpoint
    async def handler(_: Any) -> None:
        raise wrapped(wrapped(full))

    full = QueueFull("as many wait as may")
    full.retry_after = 2.5
    answer = asyncio.run(handler(request()))
    status, document = told(answer)
    assert (status, document["error"], document["retry_after"]) == (429, "queue_full", 2.5)


def test_a_handle_is_told_too() -> None:
    """As itself, so that the next deployment sees the class."""

    @endpoint
    async def handler() -> None:
        raise wrapped(wrapped(QueueFull("as many wait as may")))

    with pytest.raises(QueueFull) as caught:
        asyncio.run(handler())
    assert type(caught.value) is QueueFull


def test_what_the_handler_raises_is_left_to_ray() -> None:
    """It answers 500."""

    @endpoint
    async def handler(_: Any) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        asyncio.run(handler(request()))


def test_budgets_come_in_the_headers_opted_in() -> None:
    """Others are not read; one that says nothing is refused; nothing left is told at once."""

    @endpoint(budgets=Budgets("grpc-timeout"))
    async def handler(_: Any) -> float:
        return remaining()

    assert asyncio.run(handler(request(grpc_timeout="5S"))) <= 5
    assert asyncio.run(handler(request(x_request_timeout_seconds="5"))) == float("inf")
    assert told(asyncio.run(handler(request(grpc_timeout="soon"))))[0] == 400
    assert told(asyncio.run(handler(request(grpc_timeout="0S"))))[0] == 504
    twice = request(**{"grpc_timeout": "5S", "grpc-timeout": "9S"})
    assert told(asyncio.run(handler(twice)))[0] == 400


def test_an_endpoint_travels_by_value() -> None:
    """With its guard."""

    @endpoint
    @guard(GatewayTimeout(5), slots=3)
    def handler(x: int) -> int:
        return x + 1

    copy = pickle.loads(cloudpickle.dumps(handler))
    assert copy.guarded.server.limits == GatewayTimeout(5) | guard()(len).server.limits
    assert copy.guarded.server.given["slots"] == 3
    assert asyncio.run(copy(1)) == 2


@pytest.mark.parametrize(
    ("decorate", "said"),
    [
        (lambda: endpoint(lambda x: x), r"write @guard\(...\) below it"),
        (lambda: endpoint(budgets="grpc-timeout"), 'Budgets, such as Budgets."grpc-timeout"'),  # type: ignore[call-overload]
        (lambda: endpoint(statuses={}), r"statuses must be a table .* got \{\}"),  # type: ignore[call-overload]
        (lambda: budgeted(print), "takes a DeploymentHandle or a method of one; got <built-in"),
        (lambda: budgeted(Handle(), -1), "budget must be more than zero seconds"),
        (lambda: budgeted(Handle(), margin=float("inf")), "margin must be a finite number"),
    ],
)
def test_nonsense_is_refused(decorate: Any, said: str) -> None:
    """Where it is written, and in the user's words."""
    with pytest.raises((TypeError, ValueError), match=said):
        decorate()


def test_without_ray_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nobody else needs it."""
    monkeypatch.setitem(sys.modules, "ray.serve.handle", None)
    monkeypatch.delitem(sys.modules, "timeouts.adapters.ray_serve.guest")
    with pytest.raises(ImportError, match=r'pip install "timeouts\[ray-serve\]"'):
        importlib.import_module("timeouts.adapters.ray_serve.guest")


# ── at the caller's side ─────────────────────────────────────────────────────────────────────────


def test_a_budget_is_carried_less_the_margin() -> None:
    """In a keyword argument, beside the call's own."""
    handle = Handle("a label")
    assert budgeted(handle, 5, margin=1).predict.remote(1, y=2).result() == "a label"
    assert handle.calls == [("predict", (1,), {"y": 2, "timeouts_budget": 4.0})]


def test_nothing_is_carried_where_there_is_no_limit_or_no_wish() -> None:
    """So a deployment that takes no budget can be called."""
    handle = Handle("a label")
    assert budgeted(handle).remote(1).result() == "a label"
    assert budgeted(handle, 5, carry=False).options(method_name="f").remote(2).result() == "a label"
    assert handle.calls == [("__call__", (1,), {}), ("f", (2,), {})]


def test_what_is_left_of_the_job_is_carried() -> None:
    """If the budget is not shorter still."""

    async def main() -> list[float]:
        @guard(GatewayTimeout(5), clock=VirtualLoop.running().clock)
        async def handler(budget: float | None) -> float:
            handle = Handle("a label")
            budgeted(handle, budget, margin=0.5).remote()
            carried: float = handle.calls[0][2]["timeouts_budget"]
            return carried

        return [await handler(None), await handler(3), await handler(9)]

    assert run_virtual(main()) == [4.5, 2.5, 4.5]


def test_a_call_for_which_nothing_is_left_is_never_sent() -> None:
    """Nor is one of which nothing would be left for the replica."""
    handle = Handle()
    with pytest.raises(GatewayTimeoutError, match=r"has 0.005 s left; an outgoing call needs"):
        budgeted(handle, 0.005).remote()
    assert handle.calls == []


def test_errors_of_ours_come_out_as_they_went_in() -> None:
    """Through any number of deployments; others stay as Ray has them."""
    full = QueueFull("as many wait as may")
    full.retry_after = 2.5
    with pytest.raises(QueueFull) as caught:
        budgeted(Handle(wrapped(wrapped(full)))).remote().result()
    assert type(caught.value) is QueueFull
    assert caught.value.retry_after == 2.5
    with pytest.raises(LookupError) as other:
        asyncio.run(_awaited(budgeted(Handle(wrapped(LookupError()))).remote()))
    assert isinstance(other.value, RayTaskError)


async def _awaited(response: Any) -> Any:
    return await response


def test_who_cancels_cancels_the_request() -> None:
    """By `cancel`, or by being cancelled."""

    async def main(handle: Handle) -> None:
        waits = asyncio.ensure_future(_awaited(budgeted(handle).remote()))
        await asyncio.sleep(0)
        waits.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waits

    for cancel in (
        lambda handle: asyncio.run(main(handle)),
        lambda h: budgeted(h).remote().cancel(),
    ):
        handle = Handle(asyncio.Event())
        cancel(handle)
        assert handle.response.cancelled.wait(30)


def test_a_request_that_was_answered_is_not_cancelled() -> None:
    """Nor is a stream that was read to its end."""
    single, stream = Handle("a label"), Handle(Stream(1, 2))
    assert budgeted(single, 30).remote().result() == "a label"
    assert list(budgeted(stream, 30).remote()) == [1, 2]
    assert not single.response.cancelled.is_set()
    assert not stream.response.cancelled.is_set()


async def _items(response: Any) -> list[Any]:
    return [item async for item in response]


def test_streams_are_iterated_over() -> None:
    """From a thread and from a coroutine; errors of ours come out as themselves."""
    assert list(budgeted(Handle(Stream(1, 2)), 30).tokens.remote()) == [1, 2]
    assert asyncio.run(_items(budgeted(Handle(Stream(1, 2))).remote())) == [1, 2]
    full = QueueFull("as many wait as may")
    with pytest.raises(QueueFull) as caught:
        list(budgeted(Handle(Stream(1, wrapped(full)))).remote())
    assert type(caught.value) is QueueFull


def test_who_leaves_a_stream_cancels_the_request() -> None:
    """After an item, before one, or by `cancel`."""

    async def main(handle: Handle) -> None:
        items = aiter(budgeted(handle).remote())
        assert await anext(items) == 1
        await items.aclose()

    def leave(handle: Handle) -> None:
        items = iter(budgeted(handle).remote())
        assert next(items) == 1
        items.close()

    for left in (
        leave,
        lambda handle: asyncio.run(main(handle)),
        lambda h: budgeted(h).remote().cancel(),
    ):
        handle = Handle(Stream(1, asyncio.Event()))
        left(handle)
        assert handle.response.cancelled.is_set()


def test_a_loop_is_not_blocked() -> None:
    """`result()` is for threads."""

    async def main() -> None:
        response = budgeted(Handle("a label")).remote()
        with pytest.raises(RuntimeError, match="write `await response`"):
            response.result()
        assert await response == "a label"

    asyncio.run(main())


def test_a_budgeted_handle_shows_its_handle_and_hides_nothing_private() -> None:
    """So copying and pickling find no methods that are not there."""
    handle = budgeted(Handle(), 5)
    assert repr(handle).startswith("<budgeted <")
    with pytest.raises(AttributeError):
        handle._private  # noqa: B018 - the access is the test
