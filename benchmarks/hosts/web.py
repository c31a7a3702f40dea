"""Hosts that speak HTTP: a command that serves `POST /predict` on a port, and a caller over kept connections."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryFile
from time import monotonic, sleep
from uuid import uuid4

from hosts.host import Answer, Caller, Setting
from versus_litserve.processes import MARK, end_all

BENCHMARKS = Path(__file__).resolve().parents[1]
TO_START = 90.0
Start = Callable[[Setting], AbstractContextManager[Caller]]


class Web:
    """Asks a server on this machine; each thread keeps a connection."""

    def __init__(self, port: int, path: str) -> None:
        self._port = port
        self._path = path
        self._own = threading.local()

    def ask(self, do: str, mark: str = "", patience: float = 30.0) -> Answer:
        """Post what is to be done."""
        connection = self._connection(patience)
        body = json.dumps({"do": do, "mark": mark})
        try:
            connection.request("POST", self._path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            response.read()
        except (OSError, HTTPException):
            connection.close()
            return Answer("")
        return Answer(str(response.status), monotonic())

    def _connection(self, patience: float) -> HTTPConnection:
        if "connection" not in self._own.__dict__:
            self._own.connection = HTTPConnection("127.0.0.1", self._port)
        connection: HTTPConnection = self._own.connection
        connection.timeout = patience  # of the next connection
        if connection.sock is not None:
            connection.sock.settimeout(patience)
        return connection


def script(name: str, variant: str, path: str = "/predict") -> Start:
    """Return what starts `subjects/<name>.py` with a variant, a port and a setting as its arguments."""

    def start(setting: Setting) -> AbstractContextManager[Caller]:
        def command(port: int) -> list[str]:
            return [
                sys.executable,
                "-m",
                f"hosts.subjects.{name}",
                variant,
                str(port),
                *setting.words(),
            ]

        return serving(command, path)

    return start


@contextmanager
def serving(command: Callable[[int], list[str]], path: str = "/predict") -> Iterator[Caller]:
    """Start a server; end it, and all that it has made.

    Raises:
        RuntimeError: it does not come up; the message has its last words.
    """
    mark, port = uuid4().hex, free_port()
    with TemporaryFile() as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command(port),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, MARK: mark, "PYTHONPATH": str(BENCHMARKS)},
            start_new_session=True,
        )
        try:
            caller = Web(port, path)
            end = monotonic() + TO_START
            while caller.ask("quick", patience=5.0).word != "200":
                if process.poll() is not None or monotonic() > end:
                    words = os.pread(log.fileno(), 1 << 20, 0).decode(errors="replace").strip()
                    raise RuntimeError(f"{command(port)} does not come up: {words[-2000:]}")
                sleep(0.1)
            yield caller
        finally:
            end_all(mark)
            process.wait()


def free_port() -> int:
    """Return a port of this machine that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
