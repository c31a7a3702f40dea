"""Deployments under limits, as a user would write them in a module."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from fastapi import FastAPI
from ray import serve
from ray.serve.handle import DeploymentHandle
from starlette.requests import Request

from tests.adapters.ray_serve_work import HANG, LIMITS, predict, work
from timeouts import ExecutionTimeout, IdleTimeout, QueueTimeout, guard, remaining
from timeouts.adapters.asgi import Timeouts
from timeouts.adapters.headers import Budgets
from timeouts.adapters.ray_serve import budgeted, endpoint

SMALL = {"ray_actor_options": {"num_cpus": 0.1}, "max_ongoing_requests": 20}


@serve.deployment(**SMALL)  # type: ignore[untyped-decorator]
@guard(ExecutionTimeout(1), slots=1, workers="process")
def function(duration: float, witness: str | None = None) -> int:
    """Be a deployment that is a function."""
    return work(duration, witness)


@serve.deployment(**SMALL)
class Model:
    """Has methods of all kinds."""

    def __init__(self) -> None:
        self.stoppable.guarded.server.start()

    @endpoint
    @guard(LIMITS, slots=1, capacity=1, workers="process")
    def stoppable(self, duration: float, witness: str | None = None) -> int:
        """Be stopped, also by Ray."""
        return work(duration, witness)

    @guard(ExecutionTimeout(0.5), slots=4)
    def thread(self, duration: float) -> float:
        """Run on a thread, with no help from `endpoint`."""
        time.sleep(duration)
        return duration

    @guard(ExecutionTimeout(0.5), slots=4)
    async def task(self, duration: float) -> float:
        """Run as a task."""
        await asyncio.sleep(duration)
        return duration

    @guard(IdleTimeout(0.5), slots=4)
    def items(self, count: int, gap: float) -> Iterator[int]:
        """Count, and then hang."""
        yield from range(count)
        time.sleep(gap)

    @endpoint
    @guard(IdleTimeout(30), slots=4)
    async def aitems(self, count: int, gap: float) -> AsyncIterator[int]:
        """Count, and then hang."""
        for number in range(count):
            yield number
        await asyncio.sleep(gap)

    @endpoint
    async def left(self) -> float:
        """Tell what is left."""
        return remaining()

    def plain(self, duration: float) -> float:
        """Take no budget, and be stopped by nobody."""
        time.sleep(duration)
        return duration

    @endpoint
    async def fails(self) -> None:
        """Raise what is no error of ours."""
        raise LookupError("no such label")

    def where(self) -> int:
        """Say which process the replica is."""
        return os.getpid()


@serve.deployment(**SMALL)
class Front:
    """Calls the others, and answers HTTP."""

    def __init__(self, model: DeploymentHandle[Any], by_itself: DeploymentHandle[Any]) -> None:
        self.model = model
        self.function = by_itself
        predict.server.start()

    @endpoint(budgets=Budgets("grpc-timeout"))
    async def __call__(self, request: Request) -> dict[str, Any]:
        """Do what the body says."""
        asked = await request.json()
        if "sleep" in asked:
            return {"worker": await predict.acall(asked["sleep"], asked.get("witness"))}
        return {"worker": await budgeted(self.model).stoppable.remote(asked["remote"])}

    async def through(self, *args: Any) -> Any:
        """Pass on a call to the function, by plain handles."""
        return await self.function.remote(*args)

    @endpoint
    async def lefts(self) -> tuple[float, float]:
        """Tell what is left here, and there."""
        return remaining(), await budgeted(self.model).left.remote()

    @endpoint
    async def hang(self, witness: str) -> Any:
        """Wait for a model that hangs."""
        return await budgeted(self.model).stoppable.remote(HANG, witness)


api = FastAPI()
api.add_middleware(Timeouts, limits=QueueTimeout(0.5) | ExecutionTimeout(2), slots=1, capacity=1)


@serve.deployment(**SMALL)
@serve.ingress(api)
class Api:
    """An application of FastAPI."""

    @api.get("/sleep/{duration}")
    async def sleep(self, duration: float) -> float:
        """Sleep."""
        await asyncio.sleep(duration)
        return duration
