"""Limits on FastAPI: declared by `Depends`, enforced around the route, and never just missing.

No annotations as strings here: FastAPI could not look up the names of a test's own variables.
"""

import asyncio
import math
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Body, Depends, FastAPI, WebSocket
from fastapi.responses import PlainTextResponse
from hypothesis import given
from hypothesis import strategies as st

from timeouts import (
    ExecutionTimeout,
    GatewayTimeout,
    QueueFull,
    QueueTimeout,
    TimeoutsError,
    guard,
    remaining,
)
from timeouts.adapters.fastapi import Limited, install
from timeouts.testing import VirtualLoop, run_virtual


async def ask(app: Any, path: str, method: str = "GET", **options: Any) -> httpx.Response:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://model") as client:
        return await client.request(method, path, **options)


def limited(*args: Any, **options: Any) -> Limited:
    """Make limits on the virtual loop's time."""
    return Limited(*args, clock=VirtualLoop.running().clock, **options)


async def nothing() -> None:
    pass


async def forever() -> None:
    await asyncio.sleep(math.inf)


# ── laws ─────────────────────────────────────────────────────────────────────────────────────────

PLACES = ("application", "including", "router", "route", "parameter", "its own dependency")


def nested(declared: dict[str, Limited]) -> FastAPI:
    """Make an application with a route that depends on limits in some places."""

    def depends(place: str) -> list[Any]:
        return [Depends(declared[place])] if place in declared else []

    async def deeper(_: Annotated[None, Depends(declared.get(PLACES[5], nothing))]) -> None:
        pass

    async def hang(
        _: Annotated[None, Depends(declared.get(PLACES[4], nothing))],
        __: Annotated[None, Depends(deeper)],
    ) -> None:
        await forever()

    inner = APIRouter(dependencies=depends("router"))
    inner.add_api_route("/hang/{number}", hang, dependencies=depends("route"))
    outer = APIRouter(prefix="/outer")
    outer.include_router(inner, prefix="/inner", dependencies=depends("including"))
    app = FastAPI(dependencies=depends("application"))
    app.include_router(outer)
    return app


@given(st.sets(st.sampled_from(PLACES)))
def test_the_nearest_limits_count_alone(places: set[str]) -> None:
    """From the application inwards to the function; with none of them, the application's count."""

    async def scenario() -> None:
        declared = {
            place: limited(ExecutionTimeout(9 - number))
            for number, place in enumerate(PLACES)
            if place in places
        }
        nearest = [place for place in PLACES if place in places][-1:]
        for times, of_all in enumerate((20, 1), start=1):
            app = nested(declared)
            GatewayTimeout(of_all).apply(app, clock=VirtualLoop.running().clock)
            told = (await ask(app, "/outer/inner/hang/7")).json()
            expected = 9 - PLACES.index(nearest[0]) if nearest else of_all
            assert (told["status"], told["limit"]) == (504, expected)
            for place, limits in declared.items():
                assert limits.stats().arrived == (times if place in nearest else 0)

    run_virtual(scenario())


# ── declared limits ──────────────────────────────────────────────────────────────────────────────


def test_routes_share_the_slots_and_the_queue_of_their_limits_and_no_others() -> None:
    async def scenario() -> None:
        limits = limited(QueueTimeout(2) | ExecutionTimeout(5), slots=1, capacity=1)
        app = FastAPI()

        @app.get("/one", dependencies=[Depends(limits)])
        async def one() -> None:
            await forever()

        @app.get("/two")
        async def two(_: Annotated[None, Depends(limits)]) -> None:
            await forever()

        @app.get("/free")
        async def free() -> str:
            return "free"

        install(app)
        got = await asyncio.gather(*(ask(app, path) for path in ("/one", "/two", "/one", "/free")))
        assert [answer.status_code for answer in got] == [504, 503, 429, 200]
        assert "server-timing" not in got[3].headers
        assert limits.stats().outcomes == {
            "execution_timeout": 1,
            "queue_timeout": 1,
            "queue_full": 1,
        }

    run_virtual(scenario())


def test_what_fastapi_does_with_a_route_it_does_as_before() -> None:
    """Parameters, validation, dependencies, their cleanup and background tasks."""
    closed: list[str] = []

    async def number(x: int) -> Any:
        yield x + 1
        closed.append("dependency")

    async def scenario() -> None:
        app = FastAPI()

        @app.post("/sum/{y}", dependencies=[Depends(limited(ExecutionTimeout(5)))])
        async def sums(
            y: int, z: Annotated[int, Body(embed=True)], x: Annotated[int, Depends(number)]
        ) -> dict[str, float]:
            return {"sum": x + y + z, "left": remaining()}

        install(app)
        got = await ask(app, "/sum/2?x=1", "POST", json={"z": 4})
        assert got.json() == {"sum": 8, "left": 5.0}
        assert closed == ["dependency"]
        assert (await ask(app, "/sum/2?x=1", "POST", json={"z": "no"})).status_code == 422
        assert (await ask(app, "/sum/2")).status_code == 405
        assert (await ask(app, "/sum")).status_code == 404

    run_virtual(scenario())


def test_the_first_route_that_matches_has_the_limits() -> None:
    """As in FastAPI, by path and by method."""

    async def scenario() -> None:
        app = FastAPI()

        @app.get("/models/{name}", dependencies=[Depends(limited(ExecutionTimeout(2)))])
        @app.put("/models/{name}", dependencies=[Depends(limited(ExecutionTimeout(3)))])
        @app.get("/models/free")  # added first
        async def hang(name: str = "") -> None:
            await asyncio.sleep(9)

        install(app)
        for method, path, status in [("PUT", "m", 504), ("GET", "m", 504), ("GET", "free", 200)]:
            assert (await ask(app, f"/models/{path}", method)).status_code == status
        assert VirtualLoop.running().time() == 3 + 2 + 9

    run_virtual(scenario())


def test_one_object_may_limit_two_applications() -> None:
    async def scenario() -> None:
        limits = limited(QueueTimeout(2) | ExecutionTimeout(5), slots=1)
        apps = [FastAPI(), FastAPI()]
        for number, app in enumerate(apps):
            app.add_api_route("/hang", forever, dependencies=[Depends(limits)])
            install(app)
            app.title = str(number)
        got = await asyncio.gather(*(ask(app, "/hang") for app in apps))
        assert [answer.status_code for answer in got] == [504, 503]

    run_virtual(scenario())


# ── never just missing ───────────────────────────────────────────────────────────────────────────


def test_limits_that_nobody_enforces_are_an_error() -> None:
    async def scenario() -> None:
        app = FastAPI()
        app.add_api_route("/", forever, dependencies=[Depends(limited(ExecutionTimeout(5)))])
        with pytest.raises(
            RuntimeError, match=r"is declared for '/', and nobody enforces it: call "
        ):
            await ask(app, "/")

    run_virtual(scenario())


def test_a_route_that_is_added_too_late_is_an_error() -> None:
    async def scenario() -> None:
        app = FastAPI()
        install(app)
        await ask(app, "/")
        app.add_api_route("/", forever, dependencies=[Depends(limited(ExecutionTimeout(5)))])
        with pytest.raises(RuntimeError, match="add the route before the first request"):
            await ask(app, "/")

    run_virtual(scenario())


def test_a_mounted_application_has_limits_of_its_own() -> None:
    async def scenario() -> None:
        apps = [FastAPI(), FastAPI()]
        for mounted in apps:
            depends = [Depends(limited(ExecutionTimeout(5)))]
            mounted.add_api_route("/hang", forever, dependencies=depends)
        install(apps[1])
        for mounted in apps:
            app = FastAPI()
            app.mount("/below", mounted)
            GatewayTimeout(30).apply(app, clock=VirtualLoop.running().clock)
            if mounted is apps[0]:
                with pytest.raises(RuntimeError, match="nobody enforces it"):
                    await ask(app, "/below/hang")
            else:
                assert (await ask(app, "/below/hang")).json()["limit"] == 5

    run_virtual(scenario())


def test_a_websocket_cannot_be_under_limits() -> None:
    async def scenario() -> None:
        app = FastAPI()

        @app.websocket("/", dependencies=[Depends(limited(ExecutionTimeout(5)))])
        async def talk(socket: WebSocket) -> None:
            await socket.accept()

        async def receive() -> Any:
            return {"type": "websocket.connect"}

        async def send(_: Any) -> None:
            pass

        install(app)
        scope = {"type": "websocket", "path": "/", "headers": [], "query_string": b""}
        with pytest.raises(RuntimeError, match="a websocket cannot be under limits"):
            await app(scope, receive, send)

    run_virtual(scenario())


def test_a_test_may_override_limits() -> None:
    """As any dependency: by others, or by none."""

    async def scenario() -> None:
        limits, others = limited(ExecutionTimeout(5)), limited(ExecutionTimeout(2))
        app = FastAPI()

        @app.get("/", dependencies=[Depends(limits)])
        async def hang() -> None:
            await asyncio.sleep(9)

        install(app)
        app.dependency_overrides[limits] = others
        assert (await ask(app, "/")).json()["limit"] == 2
        app.dependency_overrides[limits] = nothing
        assert (await ask(app, "/")).status_code == 200
        app.dependency_overrides.clear()
        assert (await ask(app, "/")).json()["limit"] == 5

    run_virtual(scenario())


# ── one call on an application ───────────────────────────────────────────────────────────────────


def test_applied_limits_hold_where_a_route_has_none_of_its_own() -> None:
    async def scenario() -> None:
        clock = VirtualLoop.running().clock
        app = FastAPI()
        app.add_api_route("/own", forever, dependencies=[Depends(limited(ExecutionTimeout(5)))])
        app.add_api_route("/other", forever)
        assert (GatewayTimeout(2)).apply(app, routes={"/own": None}, clock=clock) is app
        for path, limit in [("/own", 5), ("/other", 2)]:
            assert (await ask(app, path)).json()["limit"] == limit
        assert app.state.timeouts.stats().outcomes == {"gateway_timeout": 1}

    run_virtual(scenario())


@pytest.mark.parametrize("first", [install, GatewayTimeout(5).apply])
@pytest.mark.parametrize("second", [install, GatewayTimeout(5).apply])
def test_limits_are_applied_once(first: Any, second: Any) -> None:
    app = FastAPI()
    first(app)
    with pytest.raises(ValueError, match=r"has had apply\(\) or install\(\) already"):
        second(app)


def test_limits_are_refused_in_the_users_words() -> None:
    with pytest.raises(TypeError, match="write an instance, not the class"):
        Limited(ExecutionTimeout)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="slots must be at least 1"):
        Limited(ExecutionTimeout(1), slots=0)
    with pytest.raises(TypeError, match=r"routes are for limits\.apply\(app\)"):
        Limited(ExecutionTimeout(1), routes={})  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="slot"):
        Limited(ExecutionTimeout(1), slot=1)  # type: ignore[call-arg]
    assert repr(Limited(ExecutionTimeout(1))) == "Limited(ExecutionTimeout(1))"


# ── guarded functions ────────────────────────────────────────────────────────────────────────────


def test_a_guarded_route_keeps_its_parameters_and_is_told_by_a_document() -> None:
    async def scenario() -> None:
        app = FastAPI()

        @app.get("/wait")
        @guard(QueueTimeout(2) | ExecutionTimeout(5), slots=1, clock=VirtualLoop.running().clock)
        async def wait(seconds: float, name: str = "nobody") -> dict[str, str]:
            await asyncio.sleep(seconds)
            return {"name": name}

        install(app)
        assert (await ask(app, "/wait?seconds=1&name=me")).json() == {"name": "me"}
        assert (await ask(app, "/wait?seconds=soon")).status_code == 422
        late, waited = await asyncio.gather(
            ask(app, "/wait?seconds=60"), ask(app, "/wait?seconds=0")
        )
        assert (late.status_code, late.json()["policy"]) == (504, "ExecutionTimeout(5)")
        assert (waited.status_code, waited.headers["content-type"]) == (
            503,
            "application/problem+json",
        )
        assert "retry-after" in waited.headers

    run_virtual(scenario())


def test_an_error_of_ours_in_a_dependency_is_told_too() -> None:
    async def refuses() -> None:
        error = QueueFull("no")
        error.retry_after = 1.2
        raise error

    async def scenario() -> None:
        app = FastAPI(dependencies=[Depends(refuses)])
        app.add_api_route("/", forever)
        install(app)
        got = await ask(app, "/")
        assert (got.status_code, got.headers["retry-after"]) == (429, "2")

    run_virtual(scenario())


def test_a_handler_of_the_application_s_own_stays() -> None:
    async def scenario() -> None:
        app = FastAPI()

        @app.exception_handler(TimeoutsError)
        async def own(request: Any, error: TimeoutsError) -> PlainTextResponse:
            return PlainTextResponse("sorry", 418)

        @app.get("/")
        async def late() -> None:
            raise QueueFull

        install(app)
        assert (await ask(app, "/")).text == "sorry"

    run_virtual(scenario())
