"""FastAPI under limits of three kinds: on all routes, on those that depend on them, and on one function.

`uvicorn fastapi_app:app` serves it; here httpx asks it without a server.
"""

import asyncio
import time

import httpx
from fastapi import Depends, FastAPI

from timeouts import ExecutionTimeout, GatewayTimeout, QueueTimeout, guard
from timeouts.adapters.fastapi import Limited

app = FastAPI()
on_the_gpu = Limited(QueueTimeout(0.2) | ExecutionTimeout(0.5), slots=1)


@app.get("/embed/{seconds}", dependencies=[Depends(on_the_gpu)])
def embed(seconds: float) -> str:
    time.sleep(seconds)
    return "numbers"


@app.get("/classify/{seconds}")
@guard(ExecutionTimeout(0.5), slots=1, workers="process")  # killed when its time is up
def classify(seconds: float) -> str:
    time.sleep(seconds)
    return "a label"


@app.get("/chat/{seconds}")
async def chat(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "words"


GatewayTimeout(2).apply(app)


async def main() -> None:
    model, client = "http://model", httpx.AsyncClient(transport=httpx.ASGITransport(app))
    async with client, classify.server:  # in a lifespan, where a server has one
        for paths in (["/embed/1", "/embed/0"], ["/classify/60"], ["/chat/60"], ["/chat/0"]):
            for answer in await asyncio.gather(*(client.get(model + path) for path in paths)):
                told = answer.json()
                print(answer.status_code, told["detail"] if answer.is_error else told)
        document = (await client.get(f"{model}/openapi.json")).json()
        print(sorted(document["paths"]["/classify/{seconds}"]["get"]["responses"]))


if __name__ == "__main__":
    asyncio.run(main())

# prints:
#   504 ran for 0.5... s; ExecutionTimeout allows 0.5 s
#   503 waited 0.2... s in the queue; QueueTimeout allows 0.2 s
#   504 ran for 0.5... s; ExecutionTimeout allows 0.5 s
#   504 was not answered after 2... s; GatewayTimeout allows 2 s
#   200 words
