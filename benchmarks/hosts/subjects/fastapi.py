"""FastAPI with a `def` route: alone, the model behind a lock; under limits, behind `guard` with a process worker."""

from __future__ import annotations

import sys
import threading
from typing import Any

from hosts import work
from hosts.host import Host, Setting
from hosts.web import script

HOST = Host(
    name="fastapi",
    title="FastAPI alone",
    packages=("fastapi", "starlette", "uvicorn", "uvloop"),
    page="how-to/fastapi-and-starlette.md",
    alone=script("fastapi", "alone"),
    limited=script("fastapi", "limited"),
    note="Alone, the route takes a lock, since the model serves one request at a time; FastAPI has no limits of its own. With `timeouts`, the route calls the model through `guard`, in a worker process: `limits.apply(app)` alone would answer as early, and leave the thread running.",
)


def serve(variant: str, port: int, setting: Setting) -> None:
    """Serve one of the variants."""
    import uvicorn
    from fastapi import FastAPI

    from timeouts import guard
    from timeouts.adapters.fastapi import install

    app = FastAPI()
    lock = threading.Lock()

    if variant == "alone":

        @app.post("/predict")
        def alone(body: dict[str, Any]) -> str:
            with lock:
                return work.predict(**body)

    else:
        guarded = guard(setting.limits(), slots=1, workers="process")(work.predict)

        @app.post("/predict")
        async def limited(body: dict[str, Any]) -> str:
            return await guarded.acall(**body)

        install(app)

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), Setting.read(sys.argv[3:]))
