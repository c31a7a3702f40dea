"""Real ASGI servers as processes, on sockets that are open before they are, and their end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 30.0

UVICORN = ("uvicorn", "--log-level", "info", "--timeout-graceful-shutdown", "3")
SERVERS = {
    "uvicorn-httptools-uvloop": (*UVICORN, "--http", "httptools", "--loop", "uvloop"),
    "uvicorn-h11-asyncio": (*UVICORN, "--http", "h11", "--loop", "asyncio"),
    "hypercorn": ("hypercorn", "--graceful-timeout", "3", "--error-logfile", "-"),
}


@contextmanager
def serving(
    app: str, options: tuple[str, ...], log: Path, env: dict[str, str] | None = None
) -> Iterator[str]:
    """Serve an application; give its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener, log.open("wb") as written:
        fd = str(listener.fileno())
        bind = ("--bind", f"fd://{fd}") if options[0] == "hypercorn" else ("--fd", fd)
        with subprocess.Popen(
            [sys.executable, "-m", *options, app, *bind],
            cwd=ROOT,
            pass_fds=[listener.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **(env or {})},
        ) as server:
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
                server.send_signal(signal.SIGTERM)
                server.wait(PATIENCE)
            finally:
                with suppress(ProcessLookupError):  # what may be left of it and its workers
                    os.killpg(server.pid, signal.SIGKILL)


def eventually(condition: Callable[[], bool]) -> None:
    """Poll until it holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "never came true"
        time.sleep(0.02)
