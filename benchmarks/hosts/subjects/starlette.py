"""Starlette with an `async def` route: alone, the model behind a semaphore; under limits, behind the middleware alone."""

from __future__ import annotations

import asyncio
import sys

from hosts import work
from hosts.host import Host, Setting
from hosts.web import script

HOST = Host(
    name="starlette",
    title="Starlette alone",
    packages=("starlette", "uvicorn", "uvloop"),
    page="how-to/fastapi-and-starlette.md",
    place="middleware",
    alone=script("starlette", "alone"),
    limited=script("starlette", "limited"),
    bar=50.0,
    note="The middleware alone, around an `async def` route. Without it the route takes a semaphore, since the model serves one request at a time.",
)


def serve(variant: str, port: int, setting: Setting) -> None:
    """Serve one of the variants."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    from timeouts.adapters.asgi import Timeouts

    semaphore = asyncio.Semaphore(1)

    async def alone(request: Request) -> JSONResponse:
        body = await request.json()
        async with semaphore:
            return JSONResponse(await work.apredict(**body))

    async def limited(request: Request) -> JSONResponse:
        return JSONResponse(await work.apredict(**await request.json()))

    route = alone if variant == "alone" else limited
    app = Starlette(routes=[Route("/predict", route, methods=["POST"])])
    if variant == "limited":
        app.add_middleware(Timeouts, limits=setting.limits(), slots=1)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), Setting.read(sys.argv[3:]))
