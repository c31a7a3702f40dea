"""A real nginx in front of a real `timeouts serve`: both started, told apart by their logs, and ended by handle.

The configuration of nginx is the block of the docs page, so that what readers copy is what is tested.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "behind-nginx.md"
PATIENCE = 30.0  # seconds for anything that has to happen at all
_START = "import sys; from timeouts.cli import main; sys.exit(main())"
_FLAGS = ("model:predict", "--port", "0", "--access-log")
_ATTEMPTS = 5  # at a port that somebody else may take first
_DIRECTIVE = r"^(\s*){} ([^;{{}}\n]+);"
_ALL = "http { log_format told '$status \"$upstream_http_server_timing\"'; access_log access.log told; "
_TEMPORARY = " ".join(
    f"{kind}_temp_path {kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
)
_MAIN = "daemon off; master_process off; pid nginx.pid; events { worker_connections 256; }"


def until(true: Callable[[], Any], what: str) -> Any:
    """Poll until something is true, and return it."""
    limit = time.monotonic() + PATIENCE
    while not (found := true()):
        assert time.monotonic() < limit, f"{what}: not within {PATIENCE:g} s"
        time.sleep(0.02)
    return found


def nginx_or_skip() -> str:
    """Return the path of nginx; without one, skip, but never where `CI` is set."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if found is None and "CI" not in os.environ:
        pytest.skip("nginx is not installed (apt-get install nginx-light)")
    assert found is not None, "in CI nginx must be there: apt-get install nginx-light"
    return found


def block() -> str:
    """Return the first nginx block of the page."""
    found = re.search(r"^```nginx\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert found is not None, f"{PAGE} has no nginx block"
    return found[1]


def directive(name: str) -> str:
    """Return what the block of the page says of one directive."""
    [(_, value)] = re.findall(_DIRECTIVE.format(name), block(), re.MULTILINE)
    return str(value)


def seconds(name: str) -> float:
    """Return a directive of the page that is a number of seconds."""
    value = directive(name)
    assert value.endswith("s"), f"{name} should be in seconds; it is {value}"
    return float(value.removesuffix("s"))


def substituted(config: str, values: dict[str, str]) -> str:
    """Give directives other values; each must be there once."""
    for name, value in values.items():
        pattern, line = _DIRECTIVE.format(name), rf"\g<1>{name} {value};"
        config, count = re.subn(pattern, line, config, flags=re.MULTILINE)
        assert count == 1, f"the page has {name} {count} times"
    return config


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """End a process with the block: by asking, and if that does not help, by force."""
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        finally:
            process.kill()
            process.wait()


class Served:
    """A running `timeouts serve`."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, client: httpx.Client) -> None:
        self._process = process
        self._log = log
        self._client = client
        self.address = until(self._address, "an address in the log of `timeouts serve`")
        client.base_url = f"http://{self.address}"
        until(self._ready, "workers")

    def _address(self) -> str | None:
        assert self._process.poll() is None, self._log.read_text("utf-8")
        found = re.search(r"serving http://([\d.]+:\d+)/", self._log.read_text("utf-8"))
        return None if found is None else found[1]

    def _ready(self) -> bool:
        return self._client.get("/ready").is_success

    def callers(self, path: str) -> list[str]:
        """Return the address of whoever posted to a route, for each answer so far."""
        return re.findall(rf'([\d.]+:\d+) - "POST {path} ', self._log.read_text("utf-8"))

    def books(self, path: str) -> dict[str, Any]:
        """Return the books of one route."""
        books: dict[str, Any] = self._client.get("/stats").json()[path]
        return books

    def outcomes(self, path: str, name: str) -> int:
        """Return how many jobs of one route have ended so."""
        return int(self.books(path)["outcomes"].get(name, 0))

    def idle(self, path: str) -> None:
        """Wait until nothing waits and nobody works on a route."""

        def is_idle() -> bool:
            books = self.books(path)
            return bool(books["waiting"] == 0 and books["free"] == books["slots"])

        until(is_idle, f"{path} is idle")


@contextmanager
def served(folder: Path, module: str, config: str) -> Iterator[Served]:
    """Serve `model:predict` of a module's source, under a `timeouts.toml`."""
    folder.joinpath("model.py").write_text(module, "utf-8")
    folder.joinpath("timeouts.toml").write_text(config, "utf-8")
    log = folder / "serve.log"
    command = [sys.executable, "-c", _START, "serve", *_FLAGS]
    with log.open("wb") as errors:
        process = subprocess.Popen(command, cwd=folder, stderr=errors)
    with ended(process), httpx.Client(timeout=PATIENCE) as client:
        yield Served(process, log, client)


class Nginx:
    """A running nginx; `client` speaks to it, `told` is its access log."""

    def __init__(self, folder: Path, port: int, client: httpx.Client) -> None:
        self.port = port
        self.client = client
        self._log = folder / "access.log"
        client.base_url = f"http://127.0.0.1:{port}"

    def has_told(self, status: int, timing: str) -> bool:
        """Wait until nginx's log has a request with this status and `Server-Timing` ("-" for none).

        nginx writes a line only after it has answered.
        """
        line = f"{status} {json.dumps(timing)}"
        return bool(until(lambda: line in self._log.read_text("utf-8").splitlines(), line))

    def post(self, path: str, **body: Any) -> httpx.Response:
        """Post a JSON object."""
        return self.client.post(path, json=body)


@contextmanager
def nginx(folder: Path, upstream: str, **limits: str) -> Iterator[Nginx]:
    """Run the block of the page in front of an address, with other limits where they are given."""
    folder.mkdir()
    for _ in range(_ATTEMPTS):
        port = _free_port()
        process = _started(folder, port, {"server": upstream, **limits})
        with ended(process), httpx.Client(timeout=PATIENCE) as client:
            if _listens(folder, process):
                yield Nginx(folder, port, client)
                return
    pytest.fail(f"nginx does not start: {folder.joinpath('error.log').read_text('utf-8')}")


def _started(folder: Path, port: int, values: dict[str, str]) -> subprocess.Popen[bytes]:
    config = substituted(block(), {"listen": f"127.0.0.1:{port}", **values})
    whole = f"{_MAIN}\n{_ALL}{_TEMPORARY}\n{config}}}\n"
    folder.joinpath("nginx.conf").write_text(whole, "utf-8")
    command = [nginx_or_skip(), "-p", str(folder), "-c", "nginx.conf", "-e", "error.log"]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


def _listens(folder: Path, process: subprocess.Popen[bytes]) -> bool:
    """Wait until nginx has its port, which it says by writing its pid, or has ended without one."""
    pid = folder / "nginx.pid"

    def is_decided() -> bool:
        return process.poll() is not None or (pid.exists() and pid.stat().st_size > 0)

    until(is_decided, "nginx listens")
    return process.poll() is None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
