"""Limits on LitServe, as far as no server is needed: what is refused, what crosses, and how slots are shared."""

from __future__ import annotations

import asyncio
import copy
import inspect
import math
import os
import pickle
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import litserve as ls
import pytest
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import StreamingResponse
from hypothesis import given
from hypothesis import strategies as st

from tests.adapters import litserve_apis as apis
from timeouts import (
    FIFO,
    STATUSES,
    ExecutionTimeout,
    FirstItemTimeout,
    GatewayTimeout,
    IdleTimeout,
    QueueTimeout,
    Stack,
)
from timeouts.adapters.headers import Budgets
from timeouts.adapters.litserve import around, ending
from timeouts.adapters.litserve.back import Back, ProcessBack, back_of
from timeouts.adapters.litserve.chain import Chain, way_of
from timeouts.adapters.litserve.front import EndpointTimeouts
from timeouts.adapters.litserve.guest import check_version
from timeouts.adapters.litserve.letter import Letter, bundled, hand_over, opened, written
from timeouts.adapters.litserve.on_loop import awaited
from timeouts.adapters.litserve.slots import Slots
from timeouts.adapters.litserve.told import LastItem, honest, outspoken, portable, unpacked
from timeouts.errors import (
    ExecutionTimeoutError,
    GatewayTimeoutError,
    PayloadError,
    QueueTimeoutError,
)

LIMITS = GatewayTimeout(30) | QueueTimeout(5) | ExecutionTimeout(10)


@pytest.fixture(autouse=True)
def sigterm(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave this process as it was."""
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(around, "end_with_workers", lambda _: None)
    yield
    signal.signal(signal.SIGTERM, before)


def server_of(*hosts: ls.LitAPI, **options: Any) -> Any:
    return ls.LitServer([*hosts], accelerator="cpu", **options)


def plain(**options: Any) -> apis.Untyped:
    return apis.Untyped(**options)


def stream(**options: Any) -> apis.Stream:
    return apis.Stream(stream=True, **options)


# What is refused.


def test_a_litserve_that_is_too_old_is_refused_by_name() -> None:
    for version in ("0.2.19", "0.2.20rc1", "0.3.0", "1.0"):
        check_version(version)
    with pytest.raises(
        ImportError, match=r"litserve>=0\.2\.19; got 0\.2\.18: pip install .*litserve"
    ):
        check_version("0.2.18")


@pytest.mark.parametrize(
    ("option", "error", "match"),
    [
        ({"slots": 0}, ValueError, "slots must be at least 1; got 0"),
        ({"slots": "many"}, TypeError, "slots must be a whole number"),
        ({"slots": 5000}, ValueError, r"slots must be at most 4096, or math\.inf"),
        ({"capacity": -1}, ValueError, "capacity must be at least 0"),
        ({"statuses": 504}, TypeError, "statuses must be a table"),
        ({"budgets": "x-budget"}, TypeError, "budgets must be Budgets"),
        ({"classes": "x-tenant"}, TypeError, "classes must be Classes"),
        ({"discipline": 1}, TypeError, "discipline must be a class"),
        ({"observers": [1]}, TypeError, "observers must be instances of Observer"),
        ({"spares": -1}, ValueError, "spares must be at least 0"),
        ({"preload": 1}, TypeError, "preload must be True or False; got 1"),
        ({"startup_timeout": 0}, ValueError, "startup_timeout must be more than zero"),
        ({"routes": ["/predict"]}, TypeError, "routes must be a mapping"),
        (
            {"routes": {"/nowhere": None}},
            ValueError,
            r"routes names '/nowhere'; the paths .*'/predict'",
        ),
        ({"routes": {"/predict": 5}}, TypeError, "limits must be a policy"),
        ({"timeout": 5}, TypeError, "timeout"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused_and_nothing_is_changed(
    option: dict[str, Any], error: type[Exception], match: str
) -> None:
    server = server_of(plain())
    middleware, routes = [*server.app.user_middleware], [*server.app.router.routes]
    with pytest.raises(error, match=match):
        LIMITS.apply(server, **option)
    assert (server.app.user_middleware, server.app.router.routes) == (middleware, routes)
    assert back_of(server.lit_api[0]) is None
    LIMITS.apply(server)


def test_options_of_the_queue_are_not_for_an_api() -> None:
    for option in ({"slots": 2}, {"capacity": 5}, {"routes": {"/predict": None}}):
        with pytest.raises(ValueError, match=r"is for a LitServer, .* not for Untyped at /predict"):
            LIMITS.apply(plain(), **option)


def test_limits_are_applied_once() -> None:
    api, server = plain(), server_of(plain())
    LIMITS.apply(api)
    LIMITS.apply(server)
    for host in (api, server):
        with pytest.raises(ValueError, match="Untyped at /predict has limits already"):
            LIMITS.apply(host)
    with pytest.raises(ValueError, match="has limits already"):
        LIMITS.apply(server_of(api), routes={"/predict": LIMITS})


def test_rules_for_items_are_for_apis_that_stream() -> None:
    for rule in (FirstItemTimeout(1), IdleTimeout(1)):
        with pytest.raises(ValueError, match=r"Untyped\.predict is no generator"):
            rule.apply(server_of(plain(api_path="/plain"), stream(api_path="/stream")))
        rule.apply(stream())
        rule.apply(
            server_of(plain(api_path="/plain"), stream(api_path="/stream")), routes={"/plain": None}
        )


def test_what_is_for_processes_is_not_for_coroutines() -> None:
    for option in ({"spares": 1}, {"preload": True}):
        with pytest.raises(ValueError, match="Async at /predict has enable_async"):
            LIMITS.apply(apis.Async(enable_async=True), **option)
    with pytest.raises(ValueError, match="soft limit"):
        ExecutionTimeout(2, soft=1).apply(apis.Async(enable_async=True))


def test_a_loop_that_is_not_litserves_own_is_refused() -> None:
    class Own(ls.loops.SingleLoop):  # type: ignore[misc]
        pass

    with pytest.raises(TypeError, match=r"Untyped has the loop Own, .* or one of SingleLoop"):
        LIMITS.apply(server_of(plain(loop=Own())))


def test_a_server_that_has_begun_is_refused() -> None:
    server = server_of(plain())
    server.app.middleware_stack = server.app.build_middleware_stack()
    with pytest.raises(RuntimeError, match="after an application has started"):
        LIMITS.apply(server)
    assert back_of(server.lit_api[0]) is None


# Who is under which limits.


def fronts(server: Any) -> dict[str, Any]:
    found = {}
    for middleware in server.app.user_middleware:
        if middleware.cls is EndpointTimeouts:
            for path in middleware.kwargs["paths"]:
                found[path] = middleware.kwargs
    return found


def test_each_endpoint_has_a_front_of_its_own_with_the_slots_of_its_workers() -> None:
    server = server_of(
        plain(api_path="/one"),
        apis.Batched(api_path="/many", max_batch_size=4, batch_timeout=0.1),
        apis.Async(api_path="/loop", enable_async=True),
        apis.Chat(spec=ls.OpenAISpec()),
        workers_per_device={"/one": 3, "/many": 2},
    )
    LIMITS.apply(server)
    slots = {
        path: (shared := front["slots"]) and (shared.number, shared.size, shared.window)
        for path, front in fronts(server).items()
    }
    assert slots == {
        "/one": (3, 1, 0),
        "/many": (2, 4, 0.1),
        "/loop": None,
        "/v1/chat/completions": (1, 1, 0),
    }
    assert {front["limits"] for front in fronts(server).values()} == {LIMITS}
    for workers in (2, [2]):
        server = LIMITS.apply(server_of(plain(), workers_per_device=workers))
        assert fronts(server)["/predict"]["slots"].number == 2
    server = LIMITS.apply(server_of(plain()), slots=math.inf)
    assert fronts(server)["/predict"]["slots"] is None


def test_litserves_own_bound_on_payloads_holds_before_one_is_read() -> None:
    for own, bound in ((1000, 1000), (None, math.inf)):
        server = LIMITS.apply(server_of(plain(), max_payload_size=own))
        assert fronts(server)["/predict"]["max_body"] == bound


def test_an_endpoint_may_have_limits_of_its_own_or_none() -> None:
    own, older = ExecutionTimeout(1), ExecutionTimeout(2)
    one, two, three, four = (plain(api_path=f"/{number}") for number in range(4))
    older.apply(three)
    server = server_of(one, two, three, four)
    LIMITS.apply(server, routes={"/1": own, "/3": None})
    assert {path: front["limits"] for path, front in fronts(server).items()} == {
        "/0": LIMITS,
        "/1": Stack(own),
        "/2": Stack(older),
    }
    backs = [back_of(api) for api in (one, two, three)]
    assert [back and back.limits for back in backs] == [LIMITS, Stack(own), Stack(older)]
    assert all(back and back.fronted for back in backs)
    assert back_of(four) is None


def test_a_soft_limit_is_for_the_back_alone() -> None:
    api = plain()
    server = ExecutionTimeout(2, soft=1).apply(server_of(api))
    assert fronts(server)["/predict"]["limits"] == Stack(ExecutionTimeout(2))
    back = back_of(api)
    assert back is not None
    assert back.limits == Stack(ExecutionTimeout(2, soft=1))


def test_litserve_reads_the_same_off_an_api_with_limits() -> None:
    for bare, limited in ((apis.Typed(), apis.Typed()), (stream(), stream())):
        LIMITS.apply(limited)
        for name in ("decode_request", "batch", "predict", "unbatch", "encode_response"):
            mine, theirs = getattr(bare, name), getattr(limited, name)
            assert inspect.signature(mine) == inspect.signature(theirs)
            assert mine.__code__ is theirs.__code__
        server_of(limited)


# What crosses to LitServe's worker, and to our process.


@pytest.mark.parametrize("api", [plain(), apis.Async(enable_async=True)])
def test_an_api_crosses_with_its_limits_and_is_as_its_user_made_it_behind_them(
    api: ls.LitAPI,
) -> None:
    LIMITS.apply(api)
    arrived = pickle.loads(pickle.dumps(api))
    back = back_of(arrived)
    assert isinstance(back, Back)
    assert (back.limits, back.restored()) == (LIMITS, arrived)
    assert "setup" not in vars(arrived)
    assert back_of(api) is not None


def loud_setup(device: str) -> None:
    raise RuntimeError(device)


def test_a_setup_that_its_user_has_put_on_the_instance_stays() -> None:
    api: Any = plain()
    api.setup = loud_setup
    back = LIMITS.apply(api).setup.__self__
    assert pickle.loads(pickle.dumps(back)).restored().setup is loud_setup


def test_a_chain_calls_each_step_as_litserve_does(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LITSERVE_MARKS", str(tmp_path))
    chain = Chain(plain(), "cpu")
    chain.set_up()
    context: dict[str, Any] = {}
    assert chain.run(letter({}), context)["name"] == "model on cpu"
    assert context == {"seen": True}
    batch = Chain(apis.Batched(max_batch_size=2), "cpu")
    answers = batch.run_batch(letter([{"tag": 1}, {"tag": 2}]), [{}, {}])
    assert [(answer["tag"], answer["size"]) for answer in answers] == [(1, 2), (2, 2)]
    with pytest.raises(ValueError, match="gave 1 outputs for a batch of 2"):
        batch.run_batch(letter([{"do": "lose"}, {}]), [{}, {}])
    assert next(Chain(stream(), "cpu").stream(letter({}), {})) == '{"item": 0}\n'
    streams = Chain(apis.BatchedStream(stream=True, max_batch_size=2), "cpu")
    assert [*streams.stream_batch(letter([{}, {}]), [{}, {}])][2] == [
        '{"item": 2, "size": 2}\n'
    ] * 2


def test_a_refusal_of_the_users_can_cross() -> None:
    with pytest.raises(HTTPException) as refused:
        Chain(stream(), "cpu").stream(letter({"do": "refuse"}), {}).__next__()
    arrived = pickle.loads(pickle.dumps(refused.value))
    assert (arrived.status_code, arrived.detail) == (418, "no coffee here")


@pytest.mark.parametrize(
    ("api", "way"),
    [
        (plain(), "run"),
        (apis.Batched(max_batch_size=2), "run_batch"),
        (stream(), "stream"),
        (apis.BatchedStream(stream=True, max_batch_size=2), "stream_batch"),
    ],
)
def test_the_way_is_the_loops(api: ls.LitAPI, way: str) -> None:
    assert way_of(api) == way
    assert callable(getattr(ProcessBack, way))
    assert callable(getattr(Chain, way))


def test_steps_of_all_kinds_are_awaited() -> None:
    def plain(x: int) -> int:
        return x + 1

    def late(x: int, context: Any) -> Any:
        return coroutine(x, context)

    async def coroutine(x: int, context: Any) -> int:
        return x + int(context["more"])

    async def items(x: int) -> AsyncIterator[int]:
        yield x

    async def all_of_them() -> list[Any]:
        context = {"more": 2}
        made = [await awaited(step, 1, context) for step in (plain, late, coroutine)]
        return [*made, [item async for item in await awaited(items, 4, context)]]

    assert asyncio.run(all_of_them()) == [2, 3, 3, [4]]


def letter(payload: Any, *, age: float = 0.0, budget: float = math.inf) -> Letter:
    now = time.monotonic() - age
    return Letter(payload, now, now + budget)


def set_up(api: ls.LitAPI, limits: Any = LIMITS) -> ls.LitAPI:
    limits.apply(api)
    api.setup("cpu")
    return api


def test_coroutines_run_in_litserves_worker() -> None:
    api = set_up(apis.Async(enable_async=True))

    async def served(request: Any) -> Any:
        return await api.predict(await api.decode_request(request, {}), {})

    left = asyncio.run(served(letter({"do": "left"}, age=3)))
    assert left == pytest.approx(10, abs=1)  # its run begins now, also if it is the first
    assert asyncio.run(served({})) == os.getpid()
    assert asyncio.run(served(letter({"do": "left"}))) == pytest.approx(10, abs=1)
    left = asyncio.run(served(letter({"do": "left"}, age=4, budget=6)))
    assert left == pytest.approx(2, abs=1)
    for late, error in (
        (letter({}, age=2, budget=1), GatewayTimeoutError),
        (letter({}, age=6), QueueTimeoutError),
    ):
        with pytest.raises(HTTPException) as over:
            asyncio.run(served(late))
        assert isinstance(unpacked(over.value), error)


def test_a_stream_of_a_coroutine_ends_as_its_front_understands() -> None:
    api = set_up(apis.AsyncStream(stream=True, enable_async=True))

    async def served(request: Letter) -> list[Any]:
        x = await api.decode_request(request, {})
        items = api.encode_response(api.predict(x, {}), {})
        return [api.format_encoded_response(item) async for item in items]

    assert asyncio.run(served(letter({})))[-1] == '{"item": 2}\n'
    with pytest.raises(HTTPException):  # nobody is in front
        asyncio.run(served(letter({}, age=40)))
    api.predict.__self__.fronted = True
    (last,) = asyncio.run(served(letter({}, age=40)))
    assert isinstance(last, LastItem)
    assert isinstance(last.error, QueueTimeoutError)


ERROR = ExecutionTimeoutError(
    policy=ExecutionTimeout(1), limit=1.0, elapsed=1.5, started=True, work="killed"
)


def test_an_error_crosses_whole_in_a_detail_and_in_an_item() -> None:
    refused = portable(ERROR, STATUSES)
    assert isinstance(refused, HTTPException)
    assert refused.status_code == 504
    detail = pickle.loads(pickle.dumps(refused.detail))
    assert (detail["error"], detail["work"]) == ("execution_timeout", "killed")
    for error in (detail.error, pickle.loads(pickle.dumps(LastItem.of(ERROR))).error):
        assert isinstance(error, ExecutionTimeoutError)
        assert vars(error) == vars(ERROR)
    assert unpacked(HTTPException(504, detail)) is detail.error
    assert isinstance(unpacked(HTTPException(404, "none")), HTTPException)


def test_a_bug_of_the_handlers_own_stays_itself() -> None:
    bug = PayloadError("it cannot be sent")
    assert portable(bug, STATUSES) is bug


# What the front half does with it.


def app_of(endpoint: Callable[..., Any], limits: Any = LIMITS, *, writes: bool = True) -> Any:
    app = FastAPI()
    app.add_api_route("/predict", endpoint, methods=["POST"])
    hand_over(app, "/predict", writes=writes)
    front: Any = EndpointTimeouts
    app.add_middleware(
        front,
        limits=Stack() | limits,
        paths=frozenset({"/predict"}),
        slots=Slots(1),
        capacity=0,
        discipline=FIFO,
        observers=(),
        budgets=Budgets("x-request-timeout-seconds"),
    )
    return app


async def post(app: Any, **options: Any) -> httpx.Response:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://model") as client:
        return await client.post("/predict", **options)


def told(app: Any, **options: Any) -> httpx.Response:
    return asyncio.run(post(app, **options))


def test_a_payload_goes_on_in_a_letter_with_its_arrival_and_its_callers_budget() -> None:
    letters: list[Any] = []

    async def untyped(request: Request) -> Response:
        form = request.headers["content-type"].startswith("application/x-www")
        letters.append(await (request.form() if form else request.json()))
        return Response()

    async def typed(request: apis.Order) -> Response:
        letters.append(request)
        return Response()

    typed.__annotations__["request"] = apis.Order
    untyped.__annotations__["request"] = Request
    for endpoint, sent in (
        (untyped, {"json": {"x": 1}}),
        (untyped, {"data": {"x": 1}}),
        (typed, {"json": {"do": "left"}}),
    ):
        app = app_of(endpoint)
        began = time.monotonic()
        assert told(app, **sent).status_code == 200
        headers = {"x-request-timeout-seconds": "20"}
        assert told(app, **sent, headers=headers).status_code == 200
        without, with_budget = letters[-2:]
        assert isinstance(without, Letter)
        assert began <= without.arrived <= with_budget.arrived <= time.monotonic()
        assert without.deadline == math.inf
        assert began + 20 <= with_budget.deadline <= with_budget.arrived + 20
    assert letters[0].payload == {"x": 1}


def test_what_comes_another_way_arrives_now() -> None:
    began = time.monotonic()
    for arrival in (opened({"x": 1}), written({"x": 1})):
        assert (arrival.payload, arrival.deadline) == ({"x": 1}, math.inf)
        assert began <= arrival.arrived <= time.monotonic()


def test_a_batch_is_wanted_as_long_as_anybody_waits_for_it() -> None:
    assert bundled([Letter(1, 5.0, 9.0), Letter(2, 4.0, 10.0)]) == ([1, 2], 5.0, 10.0)
    assert bundled([Letter(1, 5.0, 9.0), "another way"]).deadline == math.inf


def test_an_error_that_litserve_has_passed_on_is_told_as_ours() -> None:
    async def endpoint() -> Response:
        raise portable(ERROR, STATUSES)

    answer = told(app_of(endpoint, writes=False))
    assert (answer.status_code, answer.headers["content-type"]) == (504, "application/problem+json")
    assert answer.json()["work"] == "killed"

    async def refuses() -> Response:
        raise HTTPException(404, "none")

    answer = told(app_of(refuses, writes=False))
    assert (answer.status_code, answer.json()) == (404, {"detail": "none"})


async def items_of(*items: Any) -> AsyncIterator[Any]:
    for item in items:
        yield item


def test_a_stream_whose_first_item_is_an_error_is_that_error() -> None:
    async def endpoint() -> StreamingResponse:
        return StreamingResponse(items_of(LastItem.of(ERROR)))

    answer = told(app_of(endpoint, writes=False))
    assert (answer.status_code, answer.json()["error"]) == (504, "execution_timeout")


@pytest.mark.parametrize("version", ["2.3", "2.4"])  # of ASGI: Starlette has a way for each
def test_an_error_after_the_first_item_breaks_the_stream_off(version: str) -> None:
    app = outspoken(StreamingResponse(honest(items_of("one", LastItem.of(ERROR)))))
    sent: list[Any] = []

    async def serve() -> None:
        async def receive() -> Any:
            await asyncio.Event().wait()

        async def send(message: Any) -> None:
            sent.append(message)

        await app({"type": "http", "asgi": {"spec_version": version}}, receive, send)

    with pytest.raises(ExecutionTimeoutError):
        asyncio.run(serve())
    assert [message.get("body") for message in sent] == [None, b"one"]


# The slots, which all API servers share.


class Servers:
    """API servers of one endpoint on one loop; requests end when they are told to."""

    def __init__(
        self,
        number: int,
        slots: int,
        capacity: int,
        *,
        size: int = 1,
        window: float = 0.0,
        patience: float = math.inf,
        limits: Any = None,
    ) -> None:
        self.slots = Slots(slots, size, window, patience)
        self.running: list[asyncio.Event] = []
        self.tasks: list[asyncio.Task[int]] = []
        self.views: list[Slots] = []
        self.fronts = [
            EndpointTimeouts(
                self._app,
                Stack() | (limits or Stack()),
                paths=frozenset({"/"}),
                slots=self._view(),
                capacity=capacity,
                discipline=FIFO,
                observers=(),
            )
            for _ in range(number)
        ]

    def _view(self) -> Slots:
        """Return the slots as another process has them: a loop knows each descriptor once."""
        view = copy.copy(self.slots)
        view.fd = os.dup(self.slots.fd)
        self.views.append(view)
        return view

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        over = asyncio.Event()
        self.running.append(over)
        try:
            await over.wait()
        finally:
            self.running.remove(over)
        await Response()(scope, receive, send)

    def ask(self, number: int) -> None:
        async def asked() -> int:
            transport = httpx.ASGITransport(self.fronts[number])
            async with httpx.AsyncClient(transport=transport, base_url="http://model") as client:
                return (await client.post("/")).status_code

        self.tasks.append(asyncio.create_task(asked()))

    def end(self, number: int) -> None:
        if self.running:
            self.running[number % len(self.running)].set()

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    @property
    def waiting(self) -> int:
        return sum(front.stats().waiting for front in self.fronts)

    @property
    def batches(self) -> int:
        aboard = [front.server.shell._aboard.values() for front in self.fronts]  # type: ignore[attr-defined]
        return sum(len(set(batches)) for batches in aboard)

    def in_the_pipe(self) -> int:
        """Take all bytes out and put them back."""
        taken = 0
        while self.slots.take():
            taken += 1
        for _ in range(taken):
            self.slots.give()
        return taken

    async def close(self) -> list[int]:
        while self.running or self.waiting:
            self.end(0)
            await self.settle()
        for view in self.views:
            os.close(view.fd)
        return await asyncio.gather(*self.tasks)


@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("ask"), st.integers(0, 2)),
            st.tuples(st.just("end"), st.integers(0, 9)),
        ),
        max_size=25,
    ),
    slots=st.integers(1, 3),
    size=st.integers(1, 3),
    window=st.sampled_from([0.0, math.inf]),
)
def test_shared_slots_are_never_more_nor_less_and_nobody_waits_beside_one(
    steps: list[tuple[str, int]], slots: int, size: int, window: float
) -> None:
    async def play() -> None:
        servers = Servers(3, slots, 100, size=size, window=window)
        for step, number in steps:
            getattr(servers, step)(number)
            await servers.settle()
            free = servers.in_the_pipe()
            assert servers.batches + free == slots
            assert len(servers.running) <= servers.batches * size
            assert len(servers.running) == sum(front.stats().slots for front in servers.fronts)
            assert not (free and servers.waiting)
        assert set(await servers.close()) <= {200}
        assert servers.in_the_pipe() == slots

    asyncio.run(play())


def test_who_is_too_late_for_a_batch_waits_in_front() -> None:
    async def play(window: float, early: int) -> tuple[int, int]:
        servers = Servers(1, 1, 100, size=4, window=window)
        for _ in range(early):
            servers.ask(0)
        await servers.settle()
        for _ in range(6):
            servers.ask(0)
            await servers.settle()
        together = len(servers.running), servers.waiting
        servers.end(0)
        while len(servers.running) > 1:
            servers.end(1)
            await servers.settle()
        servers.end(0)
        await servers.settle()
        assert len(servers.running) == min(4, together[1])  # who waits goes in together
        await servers.close()
        return together

    assert asyncio.run(play(0.0, 1)) == (1, 6)
    assert asyncio.run(play(math.inf, 1)) == (4, 3)


def test_a_slot_whose_worker_is_gone_comes_back_some_time_after_an_expiry() -> None:
    async def play(patience: float) -> tuple[int, int]:
        servers = Servers(1, 1, 100, patience=patience, limits=GatewayTimeout(1000))
        servers.ask(0)
        await servers.settle()
        servers.fronts[0].shell.tick(time.monotonic() + 1000)
        await servers.settle()
        after = len(servers.running), servers.in_the_pipe()
        assert await servers.close() == [504]
        return after

    assert asyncio.run(play(math.inf)) == (1, 0)
    assert asyncio.run(play(0.0)) == (0, 1)


def test_without_a_queue_a_request_is_refused_only_beside_busy_workers() -> None:
    async def play() -> list[int]:
        servers = Servers(2, 1, capacity=0)
        for number in (0, 1):
            servers.ask(number)
            await servers.settle()
        return await servers.close()

    assert asyncio.run(play()) == [200, 429]


def test_a_server_with_a_long_queue_gives_a_slot_back_after_each_job() -> None:
    async def play() -> None:
        servers = Servers(2, 1, capacity=100)
        for number in (0, 0, 0, 0, 1):
            servers.ask(number)
            await servers.settle()
        ended = 0
        while servers.fronts[1].stats().waiting:
            servers.end(0)
            await servers.settle()
            ended += 1
            assert ended < 5
        assert servers.fronts[0].stats().waiting
        await servers.close()

    asyncio.run(play())


# The end.


def test_sigterm_is_as_sigint_unless_somebody_has_seen_to_it() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    LIMITS.apply(plain())
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)

    def own(*_: object) -> None: ...

    signal.signal(signal.SIGTERM, own)
    LIMITS.apply(plain())
    assert signal.getsignal(signal.SIGTERM) is own


def test_workers_are_ended_with_the_interpreter() -> None:
    ended = []

    class Worker:
        def terminate(self) -> None:
            ended.append(self)

    server = server_of(plain())
    ending._end_workers(server)
    server.inference_workers = [Worker(), Worker()]
    ending._end_workers(server)
    assert len(ended) == 2


def test_an_application_that_has_limits_is_not_put_behind_others() -> None:
    """Two fronts before one endpoint, the outer of which knows nothing of the process behind."""
    server = ls.LitServer(ls.test_examples.SimpleLitAPI(), accelerator="cpu")
    LIMITS.apply(server.app)
    with pytest.raises(ValueError, match=r"server\.app of .* has limits already"):
        LIMITS.apply(server)
