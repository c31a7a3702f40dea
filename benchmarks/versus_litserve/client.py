"""A client that costs little: HTTP/1.1 over connections that are kept.

The one that was used last is used first. Seconds are counted from the call until the last byte of the
answer is here.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from time import monotonic

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True)
class Answer:
    """What became of a request.

    Attributes:
        status: 0 where no answer came, or a broken one.
        sent: the instant of the call.
        at: the instant of the answer; infinite where none came.
    """

    status: int
    sent: float
    at: float = inf

    @property
    def seconds(self) -> float:
        """From the call to the answer."""
        return self.at - self.sent


class Client:
    """Keeps connections to a server on this machine."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[Connection] = []

    async def get(self, path: str, limit: float) -> Answer:
        """Get a page."""
        return await self._exchange(_request("GET", path, b""), limit)

    async def post(self, limit: float, **values: object) -> Answer:
        """Have a prediction made; give up after `limit` seconds."""
        return await self._exchange(predict(values), limit)

    async def leave(self, after: float, **values: object) -> None:
        """Ask for a prediction, and hang up before there is an answer."""
        _, writer = await self._connect()
        writer.write(predict(values))
        await asyncio.sleep(after)
        await _closed(writer)

    async def connect(self, count: int) -> None:
        """Have this many connections ready."""
        self._idle += [await self._connect() for _ in range(count)]

    async def close(self) -> None:
        """Close the connections."""
        while self._idle:
            await _closed(self._idle.pop()[1])

    async def _exchange(self, request: bytes, limit: float) -> Answer:
        sent, connection, kept = monotonic(), None, False
        try:
            async with asyncio.timeout(limit):
                connection = self._pop() or await self._connect()
                connection[1].write(request)
                status, kept = await _answer(connection[0])
            return Answer(status, sent, monotonic())
        except (TimeoutError, OSError, EOFError, ValueError):
            return Answer(0, sent)
        finally:
            if connection is not None and kept:
                self._idle.append(connection)
            elif connection is not None:
                connection[1].close()

    def _pop(self) -> Connection | None:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()
        return None

    async def _connect(self) -> Connection:
        return await asyncio.open_connection("127.0.0.1", self._port)


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


def predict(values: object) -> bytes:
    """Return the bytes that ask for a prediction."""
    return _request("POST", "/predict", json.dumps(values).encode())


def statuses(answers: Iterable[Answer]) -> str:
    """Say which answers there were: `200, 503 x 20`."""
    counts = Counter(answer.status for answer in answers)
    words = {status: str(status) if status else "no answer" for status in counts}
    return ", ".join(
        words[status] if count == 1 else f"{words[status]} x {count:,}"
        for status, count in sorted(counts.items())
    )


def _request(method: str, path: str, body: bytes) -> bytes:
    length = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{length}\r\n".encode() + body


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bool]:
    """Read an answer to its end; return its status and whether the connection is kept."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = head.partition("\r\ncontent-length:")[2].partition("\r\n")[0]
    await reader.readexactly(int(length))
    return int(head.split(maxsplit=2)[1]), "\r\nconnection: close" not in head
