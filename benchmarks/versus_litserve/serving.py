"""A server for the time of a scenario: started, waited for, and gone afterwards with all that it made."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from time import monotonic
from typing import IO
from uuid import uuid4

from versus_litserve.client import Client
from versus_litserve.processes import MARK, end_all, marked
from versus_litserve.subjects import Setup, Subject
from versus_litserve.work import BOOK, noted

BENCHMARKS = Path(__file__).resolve().parents[1]
TO_START = 60.0


class Serving:
    """A running server and a client of it."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, mark: str, book: Path) -> None:
        self.process = process
        self.port = port
        self.client = Client(port)
        self._mark = mark
        self._book = book

    def processes(self) -> set[int]:
        """Return the ids of the processes that the server has made, and that live."""
        return marked(self._mark)

    def noted(self, mark: str) -> list[float]:
        """Return the instants at which runs with this mark came so far as to note it."""
        return noted(self._book, mark)

    def listens(self) -> bool:
        """Tell whether anybody accepts connections at the port."""
        with socket.socket() as probe:
            probe.settimeout(1.0)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@asynccontextmanager
async def serving(subject: Subject, setup: Setup) -> AsyncIterator[Serving]:
    """Start a server; end it, and all that it has made.

    Raises:
        RuntimeError: it does not come up; the message has its last words.
    """
    with _started(subject, setup) as (server, log):
        try:
            await _until_ready(server, subject, log)
            yield server
        finally:
            await server.client.close()


@contextmanager
def _started(subject: Subject, setup: Setup) -> Iterator[tuple[Serving, IO[bytes]]]:
    mark, port = uuid4().hex, _free_port()
    with TemporaryDirectory(prefix="versus-litserve-") as folder, TemporaryFile() as log:
        book = Path(folder, "book")
        book.touch()
        environment = {MARK: mark, BOOK: str(book), "PYTHONPATH": str(BENCHMARKS)}
        process = subprocess.Popen(  # noqa: S603 - our own command
            subject.command(setup, port),
            cwd=folder,  # where no file of settings lies
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        try:
            yield Serving(process, port, mark, book), log
        finally:
            end_all(mark)
            process.wait()


async def _until_ready(server: Serving, subject: Subject, log: IO[bytes]) -> None:
    end = monotonic() + TO_START
    while (await server.client.get(subject.ready, limit=5.0)).status != 200:
        if server.process.poll() is not None or monotonic() > end:
            words = os.pread(log.fileno(), 1 << 20, 0).decode(errors="replace").strip()
            raise RuntimeError(f"{subject.name} does not come up: {words[-2000:]}")
        await asyncio.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
