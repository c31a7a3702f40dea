"""Clients that cost little, because they share the machine with what they measure: HTTP over plain protocols.

A connection carries one request after the other; the one that was used last is used first. Who leaves
closes it.
"""

from __future__ import annotations

import asyncio
from math import inf
from time import monotonic

from versus_litserve.client import Answer, predict

HEAD_ENDS = b"\r\n\r\n"


class Line(asyncio.Protocol):
    """A connection, and the request that is on it."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[tuple[int, float]] | None = None
        self._seen = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport: asyncio.WriteTransport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Note the answer once it is whole."""
        self._seen += data
        head, found, body = self._seen.lower().partition(HEAD_ENDS)
        if not found or len(body) < _length(head):
            return
        self._seen = b""
        self._over(int(head.split(maxsplit=2)[1]))
        if b"\r\nconnection: close" in head:
            self.leave()

    def connection_lost(self, _: Exception | None) -> None:
        """There will be no answer."""
        self._over(0)

    def leave(self) -> None:
        """Hang up."""
        self.transport.close()
        self._over(0)

    def _over(self, status: int) -> None:
        if self.answer is not None and not self.answer.done():
            self.answer.set_result((status, monotonic() if status else inf))


class Lines:
    """Connections to a server on this machine."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[Line] = []
        self._loop = asyncio.get_running_loop()

    async def connect(self, count: int) -> None:
        """Have so many more connections ready."""
        self._idle += [await self._connect() for _ in range(count)]

    async def ask(self, patience: float, number: int = -1) -> Answer:
        """Have a prediction made; hang up when patience is at its end."""
        sent = monotonic()
        line = self._pop() or await self._connect()
        answer = line.answer = self._loop.create_future()
        line.transport.write(predict({"number": number}))
        timer = self._loop.call_later(sent + patience - monotonic(), line.leave)
        status, at = await answer
        timer.cancel()
        self._idle.append(line)
        return Answer(status, sent, at)

    def close(self) -> None:
        """Hang up on all connections."""
        while self._idle:
            self._idle.pop().leave()

    def _pop(self) -> Line | None:
        while self._idle:
            line = self._idle.pop()
            if not line.transport.is_closing():
                return line
        return None

    async def _connect(self) -> Line:
        return (await self._loop.create_connection(Line, "127.0.0.1", self._port))[1]


def _length(head: bytes) -> int:
    return int(head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0])
