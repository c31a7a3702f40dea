"""LitServe as real processes: started, asked, ended, and looked for afterwards."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from tests.adapters.asgi_servers import PATIENCE, ROOT

TO_START = 100.0  # each of its workers imports LitServe, on machines with few cores


class Served:
    """One LitServe with all its processes, which are known by a mark in their environment."""

    def __init__(self, name: str, folder: Path, api_servers: int = 1) -> None:
        self.marks = folder / "marks"
        self.marks.mkdir()
        self._log = folder / "log"
        self._id = uuid.uuid4().hex
        port = _free_port()
        self.address = f"http://127.0.0.1:{port}"
        with self._log.open("wb") as log:
            module = "tests.adapters.litserve_apis"
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, name, str(port), str(api_servers)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, "LITSERVE_MARKS": str(self.marks), "SERVED": self._id},
            )
        self.client = httpx.Client(base_url=self.address, timeout=PATIENCE, trust_env=False)

    @property
    def log(self) -> str:
        """What all its processes have written."""
        return self._log.read_text(errors="replace")

    def wait_until_ready(self) -> None:
        """Wait for all workers."""

        deadline = time.monotonic() + TO_START
        while not self._ready():
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.1)

    def _ready(self) -> bool:
        with suppress(httpx.TransportError):
            return self.client.get("/health", timeout=5).text == "ok"
        return False

    def ask(self, path: str = "/predict", /, **told: object) -> httpx.Response:
        """Ask for something."""
        return self.client.post(path, json=told)

    def processes(self) -> dict[int, str]:
        """Return all its processes that live, by number, with their command lines."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if self._id.encode() in (folder / "environ").read_bytes():
                    found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
        return found

    def workers(self) -> list[int]:
        """Return LitServe's own workers."""
        return [pid for pid, line in self.processes().items() if "spawn_main" in line]

    def close(self) -> None:
        """End it, by force if need be."""
        self.client.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(PATIENCE)
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def served(name: str, folder: Path, api_servers: int = 1) -> Iterator[Served]:
    """Serve, and give what serves."""
    server = Served(name, folder, api_servers)
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.close()


def took(began: float) -> float:
    """Return the seconds since an instant."""
    return time.monotonic() - began
