"""A FastAPI application whose routes depend on limits, for a real server and real clients."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI
from fastapi.responses import StreamingResponse

from timeouts import GatewayTimeout, IdleTimeout, QueueTimeout, guard
from timeouts.adapters.fastapi import Limited, install

ended: list[str] = []
LIMITED = {
    "short": Limited(GatewayTimeout(0.5), slots=4),
    "one": Limited(QueueTimeout(0.3), slots=1),
    "stream": Limited(IdleTimeout(0.3)),
    "patient": Limited(GatewayTimeout(600)),
}
short, one, stream, patient = ([Depends(limits)] for limits in LIMITED.values())

app = FastAPI()
router = APIRouter(prefix="/short")
mounted = FastAPI()


@mounted.middleware("http")
async def passes(request: Any, call_next: Any) -> Any:
    return await call_next(request)


def blocks(seconds: float) -> str:
    """Take a thread's time."""
    time.sleep(seconds)
    ended.append("thread")
    return "late"


@router.get("/thread")
def thread(seconds: float) -> str:
    return blocks(seconds)


@router.get("/dependency")
async def dependency(found: Annotated[str, Depends(blocks)]) -> str:
    return found


@router.get("/hang")
async def hang() -> None:
    await asyncio.sleep(3600)


@router.get("/background")
async def background(tasks: BackgroundTasks) -> str:
    tasks.add_task(blocks, 1)
    return "at once"


@app.get("/one", dependencies=one)
def alone(seconds: float) -> str:
    return blocks(seconds)


async def items() -> AsyncIterator[bytes]:
    yield b"first"
    await asyncio.sleep(3600)


def blocking_items(seconds: float) -> Iterator[bytes]:
    yield b"first"
    yield blocks(seconds).encode()


@mounted.get("/async", dependencies=stream)
async def streams() -> StreamingResponse:
    return StreamingResponse(items(), media_type="text/plain")


@mounted.get("/thread", dependencies=stream)
def streams_from_a_thread(seconds: float) -> StreamingResponse:
    return StreamingResponse(blocking_items(seconds), media_type="text/plain")


def hangs() -> None:
    time.sleep(3600)


worker = guard(GatewayTimeout(600), slots=1, workers="process")(hangs)
killed = guard(GatewayTimeout(0.5), slots=1, workers="process")(hangs)
app.get("/patient/process", dependencies=patient)(worker)
app.get("/guarded/process")(killed)


@app.get("/books")
async def books() -> dict[str, Any]:
    servers = {name: limits.server for name, limits in LIMITED.items()}
    servers |= {"worker": worker.server, "killed": killed.server}
    told: dict[str, Any] = {name: server.stats() for name, server in servers.items()}
    return {
        name: [stats.waiting, stats.running, stats.abandoned, dict(stats.outcomes)]
        for name, stats in told.items()
    } | {"ended": len(ended)}


app.include_router(router, dependencies=short)
app.mount("/stream", mounted)
install(app)
install(mounted)
