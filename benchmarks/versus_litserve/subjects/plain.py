"""A plain FastAPI handler on uvicorn with uvloop and httptools: no queue, no limit, no hop.

python -m versus_litserve.subjects.plain HANDLER PORT
"""

from __future__ import annotations

import sys
from typing import Annotated

import uvicorn
from fastapi import Body, FastAPI

from versus_litserve import work

app = FastAPI()


@app.get("/ready")
async def ready() -> bool:
    return True


@app.post("/predict")
async def predict(x: Annotated[float, Body(embed=True)]) -> float:
    return work.square(x)


def main() -> None:
    handler, port = sys.argv[1:]
    if handler != "square":
        sys.exit(f"only `square` is served plainly, not {handler!r}")
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(port),
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
    )


if __name__ == "__main__":
    main()
