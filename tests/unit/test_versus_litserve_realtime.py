"""The client of the comparison with LitServe, its care for processes, and a short run of ours alone."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from time import monotonic, sleep
from uuid import uuid4

import pytest

from versus_litserve.client import Client
from versus_litserve.load import offer
from versus_litserve.processes import MARK, carries, cpu_seconds, end_all, marked, peak_megabytes

pytestmark = pytest.mark.realtime

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "versus_litserve"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LAST = b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nConnection: close\r\n\r\n"
BROKEN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def _with(serve: Serve, use: Callable[[Client], Awaitable[None]]) -> None:
    """Run a server, and a client of it; nothing of either is left."""
    served: list[asyncio.Task[None]] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.current_task())  # type: ignore[arg-type]
        await serve(reader, writer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    client = Client(server.sockets[0].getsockname()[1])
    try:
        await use(client)
    finally:
        await client.close()
        server.close()
        await asyncio.wait_for(asyncio.gather(*served), 30)


def _answering(*answers: bytes, connections: list[int] | None = None) -> Serve:
    """Serve each connection with these answers, then close it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if connections is not None:
            connections.append(1)
        for answer in answers:
            if not await _request_of(reader):
                break
            writer.write(answer)
            await writer.drain()

    return serve


async def _request_of(reader: asyncio.StreamReader) -> bool:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if b"content-length: " in head:
            await reader.readexactly(int(head.partition(b"content-length: ")[2].split()[0]))
    except (EOFError, OSError):
        return False
    return True


def test_a_connection_is_kept_until_the_server_closes_it() -> None:
    connections: list[int] = []

    async def use(client: Client) -> None:
        assert [(await client.post(5.0, x=1)).status for _ in range(4)] == [200, 503, 200, 503]
        assert len(connections) == 2

    asyncio.run(_with(_answering(OK, LAST, connections=connections), use))


@pytest.mark.parametrize("answers", [(BROKEN,), ()], ids=["half an answer", "none"])
def test_a_broken_answer_is_no_answer(answers: tuple[bytes, ...]) -> None:
    async def use(client: Client) -> None:
        answer = await client.post(5.0)
        assert (answer.status, answer.seconds) == (0, float("inf"))

    asyncio.run(_with(_answering(*answers), use))


def test_a_client_gives_up_in_the_end() -> None:
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async def use(client: Client) -> None:
        start = monotonic()
        assert (await client.post(0.1)).status == 0
        assert monotonic() - start < 30

    asyncio.run(_with(silent, use))


def test_a_client_that_leaves_closes_its_connection() -> None:

    async def measure() -> bytes:
        seen = asyncio.get_running_loop().create_future()

        async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
            seen.set_result(await reader.read())  # returns at the end of the connection only

        await _with(serve, lambda client: client.leave(0.01, mark="gone"))
        return await asyncio.wait_for(seen, 30)

    assert b'"mark": "gone"' in asyncio.run(measure())


def test_an_open_loop_sends_everything_and_never_early() -> None:
    async def use(client: Client) -> None:
        sent = await offer(client, rate=200, seconds=0.2, values={"x": 1})
        assert len(sent) == 40
        assert all(one.answer.status == 200 and one.late >= 0 for one in sent)
        gaps = [b.scheduled - a.scheduled for a, b in pairwise(sent)]
        assert gaps == pytest.approx([1 / 200] * 39)

    asyncio.run(_with(_answering(*[OK] * 100), use))


@pytest.fixture
def mark() -> Iterator[str]:
    """A mark of processes, which are ended after the test whatever happens."""
    mark = uuid4().hex
    yield mark
    end_all(mark)


def test_orphans_are_found_and_ended_and_nobody_else_is(mark: str) -> None:
    """A child makes a grandchild in a session of its own, and dies."""
    sleeper = [sys.executable, "-c", "import time; time.sleep(300)"]
    code = f"import subprocess; subprocess.Popen({sleeper!r}, start_new_session=True)"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, MARK: mark}, check=True)
    stranger = subprocess.Popen(sleeper, env={**os.environ, MARK: uuid4().hex})
    try:
        (orphan,) = _until_there(mark)
        assert cpu_seconds({orphan}) >= 0
        assert peak_megabytes({orphan}) > 1
        end_all(mark)
        assert not carries(orphan, mark)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def _until_there(mark: str) -> set[int]:
    end = monotonic() + 30
    while not (found := marked(mark)) and monotonic() < end:
        sleep(0.01)
    return found


def test_ours_alone_goes_through_the_scenarios() -> None:
    """No figure is looked at; LitServe need not be installed."""
    pytest.importorskip("uvicorn")
    command = [sys.executable, "-W", "error", str(BENCHMARK), "--quick", "--subject", "timeouts"]
    command += ["--scenarios", "held,hung,crash,gone,ended"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=55, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    for told in ("503 x 4", "504", "502", "gone 0", "orphans 0"):
        assert told in done.stdout
