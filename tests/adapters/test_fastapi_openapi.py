"""What an application's OpenAPI document says of its limits: who may answer what, and in whose words."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from timeouts import (
    STATUSES,
    ExecutionTimeout,
    GatewayTimeout,
    ProcessWorkers,
    QueueTimeout,
    QueueTimeoutError,
    Status,
    guard,
)
from timeouts.adapters.fastapi import Limited, install
from timeouts.adapters.headers import Budgets
from timeouts.http.problem import details
from timeouts.testing import run_virtual

LIMITS = Limited(GatewayTimeout(30) | QueueTimeout(5), slots=2)
SCHEMA = "TimeoutsProblem"


def work(x: int = 0) -> int:
    return x


def application(**options: Any) -> FastAPI:
    app = FastAPI(**options)
    router = APIRouter(prefix="/in")
    router.add_api_route("/{name}/limited", work, dependencies=[Depends(LIMITS)])
    app.include_router(router)
    app.add_api_route("/upload", upload, methods=["POST"], dependencies=[Depends(LIMITS)])
    app.add_api_route("/free", work)
    return app


def upload(body: dict[str, int]) -> int:
    return len(body)


def document(app: FastAPI) -> dict[str, Any]:
    """Return the document as a client gets it, if it is a valid one."""

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://model") as client:
            assert (await client.get("/docs")).status_code == 200
            return await client.get("/openapi.json")

    told: dict[str, Any] = run_virtual(ask()).json()
    OPENAPI_31_VALIDATOR.validate(told)
    return told


def codes(told: dict[str, Any], path: str, method: str = "get") -> set[str]:
    """Return the codes of an operation that have a problem for an answer."""
    return {
        code
        for code, answer in told["paths"][path][method]["responses"].items()
        if "application/problem+json" in answer.get("content", {})
    }


def test_answers_are_listed_on_the_routes_that_give_them_and_on_no_other() -> None:
    app = application()
    install(app)
    told = document(app)
    assert codes(told, "/in/{name}/limited") == {"429", "503", "504"}
    assert codes(told, "/upload", "post") == {"408", "413", "429", "503", "504"}
    assert codes(told, "/free") == set()
    responses = told["paths"]["/in/{name}/limited"]["get"]["responses"]
    assert {"200", "422"} < responses.keys()
    assert [code for code in responses if "Retry-After" in responses[code].get("headers", {})] == [
        "429",
        "503",
    ]


def test_the_limits_of_an_application_are_told_where_they_hold() -> None:
    app = application()
    GatewayTimeout(30).apply(app, routes={"/free": None}, budgets=Budgets("grpc-timeout"))
    app.add_api_route("/more", work)
    told = document(app)
    assert codes(told, "/more") == {"400", "429", "503", "504"}
    assert codes(told, "/in/{name}/limited") == {"429", "503", "504"}
    assert codes(told, "/free") == set()


def test_an_application_without_limits_is_told_as_before() -> None:
    plain, app = FastAPI(), FastAPI()
    for one in (plain, app):
        one.add_api_route("/free", work)
    install(app)
    assert document(app) == document(plain)


def test_overridden_codes_are_told_as_they_come() -> None:
    ours = STATUSES.override({QueueTimeoutError: Status(529, "X")})
    app = FastAPI()
    limits = Limited(QueueTimeout(5), statuses=ours, body_timeout=None)
    app.add_api_route("/limited", upload, methods=["POST"], dependencies=[Depends(limits)])
    app.add_api_route("/guarded", guard(QueueTimeout(5))(work))
    install(app, statuses=ours)
    told = document(app)
    assert codes(told, "/limited", "post") == {"413", "429", "503", "529"}
    assert codes(told, "/guarded") == {"429", "503", "529"}


def test_a_guarded_function_is_told_of_wherever_it_is_found() -> None:
    """As the route, under a decorator of the user's, or as a dependency; processes can be lost."""

    def around(function: Any) -> Any:
        def wrapper() -> Any:
            return function()

        wrapper.__wrapped__ = function  # type: ignore[attr-defined]
        return wrapper

    guarded = guard(ExecutionTimeout(5))(work)
    app = FastAPI()
    app.add_api_route("/plain", guarded)
    app.add_api_route("/around", around(guarded))
    app.add_api_route("/within", work, dependencies=[Depends(guarded)])
    app.add_api_route("/process", guard(ExecutionTimeout(5), workers=ProcessWorkers())(work))
    install(app)
    told = document(app)
    for path in ("/plain", "/around", "/within"):
        assert codes(told, path) == {"429", "503", "504"}
    assert codes(told, "/process") == {"429", "502", "503", "504"}


def test_what_the_user_declares_stays() -> None:
    own: dict[int | str, dict[str, Any]] = {
        504: {"description": "Mine"},
        503: {"description": "Mine", "content": {"text/plain": {}}},
    }
    app = FastAPI()
    depends = [Depends(LIMITS)]
    app.add_api_route("/some", work, responses=own, dependencies=depends)
    app.add_api_route("/range", work, responses={"5XX": {"description": "?"}}, dependencies=depends)
    app.add_api_route(
        "/rest", work, responses={"default": {"description": "?"}}, dependencies=depends
    )
    app.add_api_route("/hidden", work, include_in_schema=False, dependencies=depends)
    install(app)
    told = document(app)
    assert told["paths"]["/some"]["get"]["responses"]["504"] == {"description": "Mine"}
    assert codes(told, "/some") == {"429"}
    assert codes(told, "/range") == {"429"}
    assert codes(told, "/rest") == set()
    assert "/hidden" not in told["paths"]


def test_a_document_of_the_user_s_own_making_is_completed() -> None:
    app = application()
    written = app.openapi

    def own() -> dict[str, Any]:
        return written() | {"info": {"title": "mine", "version": "1"}}

    app.openapi = own  # type: ignore[method-assign]
    install(app)
    told = document(app)
    assert told["info"]["title"] == "mine"
    assert codes(told, "/in/{name}/limited") == {"429", "503", "504"}


def test_an_answer_is_what_the_document_says() -> None:
    """Each field of it, so that a generated client can read it."""
    app = application()
    install(app)
    schema = document(app)["components"]["schemas"][SCHEMA]
    told = details(QueueTimeoutError(limit=1.0, elapsed=2.0))
    assert set(schema["required"]) <= told.keys() <= schema["properties"].keys()


def test_the_document_is_there_without_an_event_loop() -> None:
    """As scripts ask for it that write it to a file; twice is the same."""
    app = application()
    install(app)
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
    assert app.openapi() == app.openapi() == document(app)
