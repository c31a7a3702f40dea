"""A process that drives Ray Serve, so that no Ray, and none of its threads, is in the tests' own.

A scenario is a function of `ray_serve_scenarios`, named here by its name. It returns what can be read without
Ray.
"""

from __future__ import annotations

import multiprocessing
import os
import secrets
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from tests.adapters.asgi_servers import eventually

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 150.0

Ask = Callable[..., Any]


class Came(NamedTuple):
    """What came of a call: a value, or an error, unwrapped, and whether it came as one of its class."""

    value: Any
    error: Any
    as_itself: bool
    took: float


class Crowd(NamedTuple):
    """What came of two calls that found the only slot taken, and of all that followed."""

    turned_away: list[Came]
    still_running: bool
    afterwards: Came


@contextmanager
def driver() -> Iterator[Ask]:
    """Start Ray and Serve with all deployments; give what performs a scenario; end all of it."""
    spawn = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory(prefix="rs") as folder,  # below it are sockets: a short path
        ProcessPoolExecutor(1, spawn, prepare, (folder,)) as process,
    ):

        def ask(scenario: str, *args: Any) -> Any:
            return process.submit(perform, scenario, *args).result(PATIENCE)

        here = ask("pid")
        try:
            ask("start", folder, free_port())
            yield ask
        finally:
            below = descendants(here)
            ask("stop")
            _leave_nobody(below)


def _leave_nobody(below: list[int]) -> None:
    try:
        eventually(lambda: not any(map(alive, below)))
    finally:
        for pid in filter(alive, below):
            os.kill(pid, signal.SIGKILL)


def prepare(folder: str) -> None:
    """Set the environment of the driver, and so of all of Ray, before Ray is imported."""
    token = Path(folder, "token")  # without it Ray makes one, in the home directory
    token.write_text(secrets.token_hex(32), encoding="ascii")
    os.environ |= {
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_USAGE_STATS_ENABLED": "0",
    }


def perform(scenario: str, *args: Any) -> Any:
    """Perform a scenario, in the driver's process."""
    return getattr(import_module("tests.adapters.ray_serve_scenarios"), scenario)(*args)


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def descendants(pid: int) -> list[int]:
    """Return the processes below one, as Linux lists them."""
    children = [
        int(child)
        for task in Path(f"/proc/{pid}/task").glob("*/children")
        for child in task.read_text().split()
    ]
    return children + [below for child in children for below in descendants(child)]


def alive(pid: int) -> bool:
    """Tell whether a process is there, and no zombie."""
    try:
        os.kill(pid, 0)
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
