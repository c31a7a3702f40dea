"""A FastAPI application behind the middleware, for real servers and real clients."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse

from timeouts import FirstItemTimeout, GatewayTimeout, IdleTimeout, guard, remaining
from timeouts.adapters.asgi import Timeouts
from timeouts.adapters.headers import Budgets

app = FastAPI()


@app.get("/hello")
async def hello() -> str:
    return "hello"


@app.post("/echo")
async def echo(request: Request) -> int:
    return len(await request.body())


@app.get("/left")
async def left() -> float:
    return remaining()


@app.get("/hang")
@app.get("/patient/hang")
async def hang() -> None:
    await asyncio.sleep(3600)


@app.get("/thread/{seconds}")
def thread(seconds: float) -> str:
    time.sleep(seconds)
    return "late"


async def items(item: bytes, count: float) -> AsyncIterator[bytes]:
    while count > 0:
        count -= 1
        yield item
    await asyncio.sleep(3600)


@app.get("/stalls")
async def stalls() -> StreamingResponse:
    return StreamingResponse(items(b"first", 1), media_type="text/plain")


@app.get("/promised")
async def promised() -> StreamingResponse:
    return StreamingResponse(items(b"first", 1), headers={"content-length": "100"})


@app.get("/events")
async def events() -> StreamingResponse:
    return StreamingResponse(items(b"data: first\n\n", 1), media_type="text/event-stream")


@app.get("/flood")
async def flood() -> StreamingResponse:
    return StreamingResponse(items(b"x" * 100_000, float("inf")), media_type="text/plain")


@app.get("/patient/stream")
async def stream() -> StreamingResponse:
    return StreamingResponse(items(b"first", 1), media_type="text/plain")


def hangs() -> None:
    time.sleep(3600)


worker = guard(GatewayTimeout(600), slots=1, workers="process")(hangs)


@app.get("/patient/process")
async def process() -> None:
    await worker.acall()


@app.get("/live/stats")
async def stats() -> JSONResponse:
    within, books = worker.server.stats(), limited.stats()
    return JSONResponse(
        {
            "running": books.running,
            "abandoned": books.abandoned,
            "waiting": books.waiting,
            "outcomes": dict(books.outcomes),
            "process": {"running": within.running, "abandoned": within.abandoned},
            "pid": os.getpid(),
        }
    )


limited: Any = Timeouts(
    app,
    GatewayTimeout(1) | IdleTimeout(0.5) | FirstItemTimeout(0.7),
    routes={"/patient/*": GatewayTimeout(600), "/live/*": None, "/echo": GatewayTimeout(30)},
    budgets=Budgets("x-request-timeout-seconds"),
    body_timeout=1,
    max_body=1_000_000,
)
