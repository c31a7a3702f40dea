"""A real `timeouts serve` in a folder of its own, with a model, and what becomes of its processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

PATIENCE = 30.0
WHERE = re.compile(r"serving (http://\S+:\d+)/predict")

MODEL = '''
import os
import signal
import threading
import time
from collections.abc import Iterator

import numpy as np

from timeouts import ExecutionTimeout, ProcessWorkers, QueueTimeout, guard


def predict(x: float = 0.0, n: int = 1, note: str = "") -> float:
    """Sleep, and double."""
    if note:
        with open(note, "a") as file:
            file.write("begun\\n")
    time.sleep(x)
    return n * 2


def crash(x: float = 0.0) -> None:
    time.sleep(x)
    os._exit(3)


def leave() -> None:
    raise SystemExit("bye")


def fail(secret: str) -> None:
    raise ValueError("the secret is " + secret)


async def block(x: float = 0.0, polite: bool = False) -> str:
    if polite:
        import asyncio

        await asyncio.sleep(x)
    else:
        time.sleep(x)
    return "done"


def count(n: int, gap: float = 0.0, fail: bool = False, size: int = 0) -> Iterator[int | str]:
    for number in range(n):
        yield "x" * size if size else number
        time.sleep(gap)
    if fail:
        raise ValueError("the secret")


def double(x: np.ndarray) -> np.ndarray:
    return x * 2


def reverse(data: bytes) -> bytes:
    return data[::-1]


def large(n: int) -> bytes:
    return b"x" * n


def setup() -> None:
    raise RuntimeError("no such weights: the secret")


@guard(workers=ProcessWorkers(setup=setup), slots=1)
def cannot(x: float = 0.0) -> float:
    return x


@guard(QueueTimeout(20) | ExecutionTimeout(20), slots=2)
def guarded(x: float = 0.0) -> float:
    time.sleep(x)
    return x


def parents(x: float = 0.0) -> int:
    """Leave a grandchild behind."""
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    time.sleep(x)
    return child


plain = 5


class Model:
    def predict(self, x: float) -> float:
        return x


model = Model()
'''


class Running:
    """A server under test."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return self._log.read_text()

    @property
    def url(self) -> str:
        """Where it listens."""
        found = WHERE.search(self.log)
        assert found, self.log
        return found[1]

    @property
    def port(self) -> int:
        """On which port."""
        return int(self.url.rpartition(":")[2])

    def client(self, **options: Any) -> httpx.Client:
        """Make a client of it."""
        return httpx.Client(base_url=self.url, timeout=PATIENCE, trust_env=False, **options)

    def post(self, path: str = "/predict", **body: Any) -> httpx.Response:
        """Send one request on a connection of its own."""
        with self.client() as client:
            return client.post(path, json=body)

    def get(self, path: str) -> httpx.Response:
        """Ask for one page."""
        with self.client() as client:
            return client.get(path)

    def stats(self, path: str = "/predict") -> dict[str, Any]:
        """Return the books of a route."""
        books: dict[str, Any] = self.get("/stats").json()[path]
        return books

    def logged(self, text: str) -> None:
        """Wait for a line in the log."""
        eventually(lambda: text in self.log, lambda: self.log)

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def ended(self) -> int:
        """Wait for its end, and return its exit code."""
        return self.process.wait(PATIENCE)

    def family(self) -> set[int]:
        """Return the processes that descend from it, itself left out."""
        return descendants(self.process.pid)


def eventually(holds: Callable[[], bool], why: Callable[[], object] = lambda: "never") -> None:
    """Poll until it holds."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, why()
        time.sleep(0.02)


def descendants(root: int) -> set[int]:
    """Return all processes below one."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, IndexError):
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(stat[1])
    found: set[int] = set()
    while more := {pid for pid, parent in parents.items() if parent in {root, *found}} - found:
        found |= more
    return found


def alive(pid: int) -> bool:
    """Tell whether a process is there, and no zombie that waits for its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pids: set[int]) -> None:
    """Wait until no process of these is left."""
    assert pids, "nobody to look for"
    eventually(lambda: not any(map(alive, pids)), lambda: {pid for pid in pids if alive(pid)})


def command(*arguments: str) -> list[str]:
    """Return the command line of a server on any free port."""
    return [sys.executable, "-m", "timeouts.cli", "serve", *arguments]


def environment() -> dict[str, str]:
    """Return what a server runs in."""
    return {**os.environ, "PYTHONWARNINGS": "default", "COLUMNS": "100", "NO_COLOR": "1"}


@contextmanager
def starting(folder: Path, name: str, *flags: str) -> Iterator[Running]:
    """Start a server; whatever it leaves behind is ended here, and is a failure."""
    (folder / "model.py").write_text(MODEL)
    log = folder / "log"
    with (
        log.open("wb") as written,
        subprocess.Popen(
            command(name, "--port", "0", *flags),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=environment(),
        ) as process,
    ):
        server = Running(process, log)
        family: set[int] = set()
        try:
            yield server
            family = server.family()
        finally:
            family |= server.family()
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait(PATIENCE)
            left = orphans(family)
        assert not left, f"processes were left behind: {left}"


def orphans(family: set[int]) -> set[int]:
    """Return who has outlived his parent for some seconds, and end him."""
    deadline = time.monotonic() + PATIENCE
    while any(map(alive, family)) and time.monotonic() < deadline:
        time.sleep(0.02)
    left = {pid for pid in family if alive(pid)}
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return left


@contextmanager
def serving(folder: Path, name: str, *flags: str) -> Iterator[Running]:
    """Start a server and wait until it is ready."""
    with starting(folder, name, *flags) as server:
        server.logged("/predict is ready")
        yield server


def refused(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run a server that is to refuse to start; return its exit code and what it said."""
    (folder / "model.py").write_text(MODEL)
    done = subprocess.run(
        command(*arguments),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
        text=True,
        env=environment(),
    )
    return done.returncode, done.stdout + done.stderr
