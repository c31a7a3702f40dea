"""A FastAPI application under limits: a 504 on time, and a stream of events that never just stops.

`uvicorn asgi_app:app` serves it; here httpx asks it without a server.
"""

import asyncio
from collections.abc import AsyncIterator

import httpx
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from timeouts import ExecutionTimeout, GatewayTimeout, IdleTimeout, QueueTimeout
from timeouts.adapters.asgi import Timeouts

api = FastAPI()


@api.get("/predict/{seconds}")
async def predict(seconds: float) -> dict[str, str]:
    await asyncio.sleep(seconds)
    return {"detail": "a label"}


@api.get("/tokens")
async def tokens() -> StreamingResponse:
    async def events() -> AsyncIterator[str]:
        yield "data: one\n\n"
        await asyncio.sleep(60)

    return StreamingResponse(events(), media_type="text/event-stream")


limits = GatewayTimeout(30) | QueueTimeout(0.1) | ExecutionTimeout(0.4)
app = Timeouts(api, limits, slots=1, routes={"/tokens": IdleTimeout(0.2)})


async def main() -> None:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://model") as client:
        slow = asyncio.create_task(client.get("/predict/60"))
        await asyncio.sleep(0.05)
        for answer in (await client.get("/predict/0"), await slow, await client.get("/predict/0")):
            print(answer.status_code, answer.json()["detail"])
        for line in (await client.get("/tokens")).iter_lines():
            print("|", line[:45])


if __name__ == "__main__":
    asyncio.run(main())

# prints:
#   503 waited 0.1... s in the queue; QueueTimeout allows 0.1 s
#   504 ran for 0.4... s; ExecutionTimeout allows 0.4 s
#   200 a label
#   | data: one
#   | event: error
#   | data: {"type":"urn:timeouts:idle_timeout"...
