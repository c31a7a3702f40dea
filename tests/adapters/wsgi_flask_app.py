"""A Flask application behind the middleware, for a real server to serve."""

from __future__ import annotations

import io
import itertools
import os
import threading
from collections.abc import Iterator
from typing import Any

import flask

from tests.adapters.wsgi_bench import request, serve
from timeouts import GatewayTimeout, IdleTimeout, remaining
from timeouts.adapters.wsgi import Timeouts

app = flask.Flask(__name__)
never = threading.Event()
HANG = 60.0


@app.get("/hello")
def hello() -> str:
    return "hello"


@app.get("/empty")
def empty() -> tuple[str, int]:
    return "", 204


@app.post("/echo")
def echo() -> bytes:
    return flask.request.get_data()


@app.get("/left")
def left() -> str:
    return str(remaining())


@app.get("/hang")
@app.get("/hang/longer")
def hang() -> str:
    never.wait(HANG)
    return "late"


@app.get("/file")
def file() -> flask.Response:
    return flask.send_file(io.BytesIO(b"f" * 100_000), mimetype="application/octet-stream")


@app.get("/stream")
def stream() -> flask.Response:
    return flask.Response(str(number) * 1000 for number in range(5))


def stalling(first: str) -> Iterator[str]:
    yield first
    never.wait(HANG)


@app.get("/stalls")
def stalls() -> flask.Response:
    return flask.Response(stalling("first"), mimetype="text/plain")


@app.get("/events")
def events() -> flask.Response:
    return flask.Response(stalling("data: first\n\n"), mimetype="text/event-stream")


@app.get("/endless")
def endless() -> flask.Response:
    return flask.Response(itertools.repeat("x" * 65_536), mimetype="text/plain")


@app.get("/stats")
def stats() -> dict[str, Any]:
    return {**limited.server.stats()._asdict(), "pid": os.getpid(), "parent": os.getppid()}


limited = Timeouts(
    app,
    GatewayTimeout(30),
    routes={
        "/hang": GatewayTimeout(0.3),
        "/stalls": IdleTimeout(0.3),
        "/events": IdleTimeout(0.3),
        "/stats": None,
    },
    slots=8,
)
serve(limited, request("/hello"))  # under `preload_app`, threads of a parent that forks afterwards
