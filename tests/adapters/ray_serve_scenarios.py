"""What is done with the deployments of `ray_serve_app`; each function says what came of it.

These run in the driver's process, see `ray_serve_driver`. Times are seconds from the call to what came of it.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import httpx
import ray
from ray import serve
from ray.exceptions import RayTaskError

from tests.adapters.asgi_servers import eventually
from tests.adapters.ray_serve_app import Api, Front, Model, function
from tests.adapters.ray_serve_driver import Came, Crowd, alive
from tests.adapters.ray_serve_work import HANG
from timeouts.adapters.ray_serve import budgeted

SCRIPT = Path(__file__).with_name("ray_serve_script.py")
HANDLES: dict[str, Any] = {}
HTTP = httpx.Client(timeout=40)


def came(call: Callable[[], Any]) -> Came:
    """Call, and say what comes of it."""
    began = time.monotonic()
    try:
        return Came(call(), None, True, time.monotonic() - began)
    except Exception as error:
        took = time.monotonic() - began
        cause: Any = error
        while isinstance(cause, RayTaskError):
            cause = cause.cause
        return Came(None, cause, isinstance(error, type(cause)), took)


def pid() -> int:
    """Say which process this is."""
    return os.getpid()


def start(folder: str, port: int) -> None:
    """Start Ray, Serve and the applications."""
    ray.init(
        address="local",
        _node_ip_address="127.0.0.1",
        num_cpus=4,
        include_dashboard=False,
        object_store_memory=80 * 2**20,
        log_to_driver=False,
        logging_level="ERROR",
        _temp_dir=folder,
    )
    serve.start(
        http_options={"host": "127.0.0.1", "port": port}, logging_config={"log_level": "ERROR"}
    )
    HTTP.base_url = httpx.URL(f"http://127.0.0.1:{port}")
    model, by_itself = Model.bind(), function.bind()  # type: ignore[attr-defined]
    front = Front.bind(model, by_itself)  # type: ignore[attr-defined]  # mypy ignores class decorators
    HANDLES["front"] = serve.run(front, name="front", route_prefix="/front")
    HANDLES["model"] = serve.get_deployment_handle("Model", "front")
    HANDLES["function"] = serve.get_deployment_handle("function", "front")
    serve.run(Api.bind(), name="api", route_prefix="/api")  # type: ignore[attr-defined]


def stop() -> None:
    """End all of it."""
    serve.shutdown()
    ray.shutdown()


def method_of(handle: Any, method: str) -> Any:
    """Return the handle of a method; of a deployment that is a function, its own."""
    return getattr(handle, method) if method else handle


def call(deployment: str, method: str, *args: Any) -> Came:
    """Call by a plain handle, as Ray has it."""
    handle = method_of(HANDLES[deployment], method)
    return came(lambda: handle.remote(*args).result())


def call_within(
    budget: float, deployment: str, method: str, *args: Any, carry: bool = True
) -> Came:
    """Call with a budget."""
    handle = method_of(budgeted(HANDLES[deployment], budget, carry=carry), method)
    return came(lambda: handle.remote(*args).result())


def acall_within(budget: float, deployment: str, method: str, *args: Any) -> Came:
    """Call with a budget, from a coroutine."""

    async def waits() -> Any:
        return await method_of(budgeted(HANDLES[deployment], budget), method).remote(*args)

    return came(lambda: asyncio.run(waits()))


def call_without_carrying(budget: float, deployment: str, method: str, *args: Any) -> Came:
    """Call what takes no budget."""
    return call_within(budget, deployment, method, *args, carry=False)


def stream(method: str, *args: Any) -> tuple[list[Any], Came]:
    """Iterate over a stream of Ray's own; say what there was, and how it ended."""
    return _collect(HANDLES["model"].options(stream=True, method_name=method).remote(*args))


def stream_within(budget: float, method: str, *args: Any) -> tuple[list[Any], Came]:
    """Iterate over a stream with a budget."""
    handle = budgeted(HANDLES["model"], budget).options(stream=True, method_name=method)
    return _collect(handle.remote(*args))


def _collect(items: Any) -> tuple[list[Any], Came]:
    seen: list[Any] = []
    return seen, came(lambda: seen.extend(items))


def crowd(witness: str) -> Crowd:
    """Let a job hang, and two more come; cancel it by Ray's own means, and call again."""
    stoppable = HANDLES["model"].stoppable
    hung = stoppable.remote(HANG, witness)
    worker = read_pid(witness)
    with ThreadPoolExecutor(2) as callers:
        others = [callers.submit(came, lambda: stoppable.remote(0.0).result()) for _ in range(2)]
        turned_away = [other.result() for other in others]
    still_running = alive(worker)
    hung.cancel()
    eventually(lambda: not alive(worker))
    return Crowd(turned_away, still_running, came(lambda: stoppable.remote(0.0).result()))


def gone(pid: int) -> bool:
    """Wait until a process is dead."""
    eventually(lambda: not alive(pid))
    return True


def read_pid(witness: str) -> int:
    """Wait until a handler has said which process it runs in."""
    eventually(lambda: Path(witness).exists() and Path(witness).read_text() != "")
    return int(Path(witness).read_text())


def post(path: str, body: Any, headers: dict[str, str] | None = None) -> tuple[int, Any, Any]:
    """Ask by HTTP, through Ray's proxy; give status, headers and body."""
    response = HTTP.post(path, json=body, headers=headers)
    return response.status_code, dict(response.headers), response.json()


def get(path: str) -> tuple[int, Any, Any]:
    """Ask by HTTP."""
    response = HTTP.get(path)
    return response.status_code, dict(response.headers), response.json()


def get_two(path: str) -> list[tuple[int, Any, Any]]:
    """Ask twice at once; the quicker answer comes first."""
    with ThreadPoolExecutor(2) as callers:
        return [done.result() for done in as_completed(callers.submit(get, path) for _ in range(2))]


def disconnect(witness: str) -> bool:
    """Leave while the handler runs; say whether its worker then dies."""
    body = json.dumps({"sleep": HANG, "witness": witness})
    head = f"POST /front HTTP/1.1\r\nHost: ray\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", HTTP.base_url.port or 0)) as client:
        client.sendall((head + body).encode())
        worker = read_pid(witness)
    return gone(worker)


def kill_replica() -> bool:
    """Kill the replica of the model; say whether its worker process dies with it."""
    worker = call("model", "stoppable", 0.0).value
    os.kill(call("model", "where").value, signal.SIGKILL)
    return gone(worker)


def delete_application() -> bool:
    """Delete the application as Serve does; say whether the function's worker ends with its replica."""
    worker = call("function", "", 0.0).value
    serve.delete("front")
    return gone(worker)


def run_script() -> dict[str, Any]:
    """Run the script against this Ray; say what it printed."""
    done = subprocess.run(
        [sys.executable, SCRIPT, ray.get_runtime_context().gcs_address],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said
