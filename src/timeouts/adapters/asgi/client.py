"""The client at the other end of one HTTP request, as ASGI shows it: what it sends, and whether it is there.

Laws:
- The whole body is here before a job arrives: a slow upload is not the application's fault. It has
  a limit of its own (408) and a size (413).
- A client that leaves is noticed at once from `watch` on. Answers that take a few milliseconds are not
  worth a task that watches: `watch` is called when one has not come by then.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from timeouts.adapters.asgi.peek import Pending, peek
from timeouts.deadline import written
from timeouts.http.problem import Answer, plain_problem

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

DISCONNECT: Message = {"type": "http.disconnect"}
CLOSE = ("Connection", "close")
LINGER = 2.0  # seconds for a client that sends too much to have done so, and to read why


class ClientGone(Exception):
    """The client left before its request was complete."""


class BadRequest(Exception):
    """The request cannot be served, and this says why.

    Args:
        answer: what the client is told.
        lingers: whether it is likely to be sending still, on a connection that is about to be closed.
    """

    def __init__(self, answer: Answer, *, lingers: bool = False) -> None:
        super().__init__(answer.status)
        self.answer = answer
        self.lingers = lingers


class Client:
    """Reads the body of one request, and watches for the client's leaving.

    Args:
        scope: ASGI's, and
        receive: so is this.
        max_body: the bytes that a body may have.
        body_timeout: the seconds that it may take to come, once it has been asked for.
    """

    __slots__ = (
        "_first",
        "_gone",
        "_max_body",
        "_receive",
        "_scope",
        "_size",
        "_timeout",
        "_watcher",
        "body",
    )

    def __init__(
        self, scope: Scope, receive: Receive, max_body: float, body_timeout: float
    ) -> None:
        self.body: deque[Message] = deque()
        self._scope = scope
        self._receive = receive
        self._max_body = max_body
        self._timeout = body_timeout
        self._size = 0
        self._first: Pending | None = None
        self._gone: asyncio.Event | None = None
        self._watcher: asyncio.Task[None] | None = None

    def begin(self) -> bool:
        """Take what is here of the body, without waiting; return whether that is all.

        Raises:
            BadRequest: it is too large.
            ClientGone: nobody is there any more.
        """
        first = peek(self._receive())
        if isinstance(first, Pending):
            self._first = first
            return False
        return self._take(first)

    async def complete(self, budget: float) -> bool:
        """Wait for the rest of the body; return whether it came within the caller's budget.

        Raises:
            BadRequest: it is too large, or too slow.
            ClientGone: the client left.
        """
        if _announced(self._scope) > self._max_body:
            raise self._too_large(more=True)
        allowed = min(self._timeout, budget)
        bound = asyncio.timeout(None if allowed == math.inf else allowed)
        try:
            async with bound:
                await self._read()
        except TimeoutError:
            if not bound.expired():  # the server's own
                raise
            if budget <= self._timeout:
                return False
            limit = written(self._timeout)
            detail = f"the body was not complete in time; body_timeout allows {limit} s"
            raise self._bad(408, detail) from None
        return True

    async def _read(self) -> None:
        first, self._first = self._first, None
        whole = first is not None and self._take(await first)
        while not whole:
            whole = self._take(await self._receive())

    def watch(self, leave: Callable[[], None]) -> None:
        """Call `leave` when the client leaves; only the first call counts."""
        if self._watcher is None:
            self._watcher = asyncio.get_running_loop().create_task(self._watch(leave))

    async def drain(self) -> None:
        """Take and drop what still comes, for a moment: closing a connection over it would lose the answer."""
        self._drop_first()
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                while (await self._receive()).get("more_body", False):
                    pass

    async def gone(self) -> None:
        """Wait until the client has left or the request is over; to be watched for already."""
        await self._departure().wait()

    def close(self) -> None:
        """The request is over."""
        self._drop_first()
        if self._watcher is not None:
            self._watcher.cancel()
        if self._gone is not None:
            self._gone.set()

    async def _watch(self, leave: Callable[[], None]) -> None:
        try:
            while (await self._receive())["type"] != "http.disconnect":
                pass  # what comes after the body is nothing to us
        finally:  # a server that fails here has no client to show any more
            self._departure().set()
            leave()

    def _drop_first(self) -> None:
        if self._first is not None:
            self._first.close()
            self._first = None

    def _departure(self) -> asyncio.Event:
        if self._gone is None:
            self._gone = asyncio.Event()
        return self._gone

    def _take(self, message: Message) -> bool:
        if message["type"] == "http.disconnect":
            raise ClientGone
        self._size += len(message.get("body", b""))
        more: bool = message.get("more_body", False)
        if self._size > self._max_body:
            raise self._too_large(more=more)
        self.body.append(message)
        return not more

    def _too_large(self, *, more: bool) -> BadRequest:
        detail = f"the body is too large; max_body allows {self._max_body:.0f} bytes"
        return self._bad(413, detail, lingers=more)

    def _bad(self, status: int, detail: str, *, lingers: bool = False) -> BadRequest:
        """Refuse a request whose body has not been read, and so is still on the connection."""
        refusal = plain_problem(status, detail)
        if self._scope.get("http_version", "1.1") not in ("1.0", "1.1"):
            return BadRequest(refusal)  # a connection of many requests, which has no such header
        refusal = refusal._replace(headers=[*refusal.headers, CLOSE])
        return BadRequest(refusal, lingers=lingers)


def _announced(scope: Scope) -> int:
    """Return how long the body says it will be; 0 if it does not."""
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    return int(lengths[0]) if lengths and lengths[0].isdigit() else 0
