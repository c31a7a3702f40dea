"""A Flask application with one slot, and views that call process workers, for a real server to serve."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import flask

from timeouts import ExecutionTimeout, GatewayTimeout, QueueTimeout, guard

app = flask.Flask(__name__)


@guard(GatewayTimeout(20), slots=1, workers="process")
def model(seconds: float) -> dict[str, int]:
    """Take as many seconds as that, in a process of its own."""
    time.sleep(seconds)
    return {"pid": os.getpid()}


@app.get("/model/<float:seconds>")
def calls(seconds: float) -> dict[str, int]:
    return model(seconds)


@app.get("/view/<float:seconds>")
@guard(ExecutionTimeout(0.5), slots=1, workers="process")
def view(seconds: float) -> dict[str, int]:
    """A guarded view: it runs in a process, and has nothing of the request but its arguments."""
    time.sleep(seconds)
    return {"pid": os.getpid()}


@app.get("/thread/<float:seconds>")
def thread(seconds: float) -> str:
    """Take a thread's time, and leave a mark when it has begun."""
    if mark := flask.request.args.get("mark"):
        Path(mark).touch()
    time.sleep(seconds)
    return "late"


@app.get("/books")
def books() -> dict[str, Any]:
    servers = {"front": app.extensions["timeouts"].server, "model": model.server}
    servers["view"] = view.server
    told = {name: server.stats() for name, server in servers.items()}
    return {name: [s.waiting, s.running, s.abandoned] for name, s in told.items()} | {
        "pid": os.getpid()
    }


@app.get("/warm")
def warm() -> str:
    """Start the processes, which is slow on a busy machine."""
    model(0.0)
    view(0.0)
    return "warm"


GatewayTimeout(2.5).apply(
    app,
    slots=1,
    routes={
        "/books": None,
        "/warm": None,
        "/thread/*": GatewayTimeout(1) | QueueTimeout(0.5),
    },
)
