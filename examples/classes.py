"""Headers say who asks and how important it is, and the queue serves by it; made-up levels gain nothing."""

import asyncio

import httpx
from fastapi import FastAPI, Request

from timeouts import GatewayTimeout, Priority
from timeouts.adapters.classes import Classes

CLASSES = Classes(
    tenant="x-tenant",
    priority="x-priority",
    levels={"interactive": 0, "batch": 10},
)
app = FastAPI()


@app.get("/predict")
async def predict(request: Request) -> None:
    """Work for a moment, in the one slot that there is."""
    print(request.headers["x-tenant"], "is served, as", request.headers["x-priority"])
    await asyncio.sleep(0.05)


GatewayTimeout(30).apply(app, slots=1, discipline=Priority, classes=CLASSES)


async def main() -> None:
    """Send five requests at once."""
    asked = [
        ("alice", "batch"),
        ("alice", "batch"),
        ("mallory", "-1"),
        ("bob", "interactive"),
        ("carol", "interactive"),
    ]
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://model") as client:
        sent = [{"x-tenant": tenant, "x-priority": level} for tenant, level in asked]
        await asyncio.gather(*(client.get("/predict", headers=headers) for headers in sent))


asyncio.run(main())

# prints:
#   alice is served, as batch
#   bob is served, as interactive
#   carol is served, as interactive
#   alice is served, as batch
#   mallory is served, as -1
