"""One of a row of services: it says what it has left, and asks the next, if there is one."""

from __future__ import annotations

import os
from typing import Any

import httpx
from fastapi import FastAPI

from timeouts import GatewayTimeout, remaining
from timeouts.adapters.asgi import Timeouts
from timeouts.adapters.headers import Budgets
from timeouts.adapters.httpx_hooks import abudget_hook

NEXT = os.environ.get("NEXT_SERVICE")

app = FastAPI()


@app.get("/")
async def left() -> list[float]:
    seen = remaining()
    if not NEXT:
        return [seen]
    hooks: Any = {"request": [abudget_hook()]}
    async with httpx.AsyncClient(event_hooks=hooks, trust_env=False) as client:
        answer = await client.get(NEXT)
        answer.raise_for_status()
        return [seen, *answer.json()]


limited: Any = Timeouts(app, GatewayTimeout(60), budgets=Budgets("x-request-timeout-seconds"))
