"""One connection, bounded where uvicorn leaves it unbounded: its clients' silence and their heads.

Laws:
- A connection on which nothing is served has `request_timeout` for the next whole head.
- A head has at most `MAX_HEAD` bytes, and what the network brings at once.
- A client that takes nothing of its answer for `write_timeout` is cut off. That withdraws its job, so
  who does not read a stream holds no slot.

Cannot do: tell a client that reads a little, again and again, from one behind a slow network.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD = 64 * 2**10


class Connection(HttpToolsProtocol):
    """Speaks HTTP with one client.

    Args:
        *args: uvicorn's own, and
        **kwargs: so are these.
        request_timeout: seconds for a head, counted from when nothing was left to serve.
        write_timeout: seconds for a client to take enough of what has been written to it.
    """

    def __init__(
        self, *args: Any, request_timeout: float, write_timeout: float, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._request_timeout = request_timeout
        self._write_timeout = write_timeout
        self._silence: asyncio.TimerHandle | None = None
        self._stuck: asyncio.TimerHandle | None = None
        self._head: int | None = None

    def connection_made(self, transport: Any) -> None:
        """A client has come, and is to say what it wants."""
        super().connection_made(transport)
        self._listen()

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._head = 0

    def on_headers_complete(self) -> None:
        """It is whole."""
        self._head = None
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """The client has said something."""
        super().data_received(data)
        if self._head is not None:
            self._head += len(data)
            if self._head > MAX_HEAD:
                self.transport.abort()
        cycle: Any = self.cycle  # none before the first request
        if cycle is None or cycle.response_complete:
            self._listen()
        elif self._silence is not None:
            self._silence.cancel()
            self._silence = None

    def _listen(self) -> None:
        if self._silence is None:
            self._silence = self.loop.call_later(self._request_timeout, self._cut)

    def on_response_complete(self) -> None:
        """Expect the next request; what is not sent yet has its time, too."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._await_reader()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that nobody uses."""
        super().timeout_keep_alive_handler()
        self._await_reader()

    def pause_writing(self) -> None:
        """The client does not take what is written."""
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        """It has taken enough of it."""
        super().resume_writing()
        self._release()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        super().connection_lost(exc)
        self._release()
        if self._silence is not None:
            self._silence.cancel()

    def _await_reader(self) -> None:
        if self._stuck is None:
            self._stuck = self.loop.call_later(self._write_timeout, self._cut)

    def _release(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def _cut(self) -> None:
        self.transport.abort()
