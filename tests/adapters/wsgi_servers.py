"""Real gunicorn processes, on sockets that are open before they are, and their end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.adapters.asgi_servers import PATIENCE, ROOT

SYNC = ["--worker-class", "sync"]
THREADS = ["--worker-class", "gthread", "--threads", "4"]


@contextmanager
def gunicorn(app: str, log: Path, *options: str) -> Iterator[str]:
    """Serve an application on a socket that is open before the server is; end it, and see it end."""
    with socket.create_server(("127.0.0.1", 0)) as listener, log.open("wb") as written:
        command = [
            *(sys.executable, "-m", "gunicorn", app, "--bind", f"fd://{listener.fileno()}"),
            *(
                "--worker-tmp-dir",
                str(log.parent),
                "--graceful-timeout",
                "5",
                "--log-level",
                "debug",
            ),
            *options,
        ]
        with subprocess.Popen(
            command,
            cwd=ROOT,
            pass_fds=[listener.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "PYTHONWARNINGS": "default", "GUNICORN_CMD_ARGS": ""},
        ) as server:
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
                server.send_signal(signal.SIGTERM)
                assert server.wait(PATIENCE) == 0, log.read_text()
            finally:
                end_group(server.pid)


def end_group(group: int) -> None:
    """Kill what may be left of a server and its workers."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return
