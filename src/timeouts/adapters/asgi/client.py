"""The client at the other end of one HTTP request, as ASGI shows it: what it sends, and whether it is there.

Laws:
- The whole body is here before a job arrives: a slow upload is not the application's fault. It has
  a limit of its own (408) and a size (413).
- A client that leaves is noticed at once from `watch` on. Answers that take a few milliseconds are not
  worth a task that watches: `watch` is called when one has not come by then.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
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


class ClientGone(Exception):
    """The client left before its request was complete."""


class BadRequest(Exception):
    """The request cannot be served, and this says why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


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
            raise self._too_large()
        allowed = min(self._timeout, budget)
        try:
            async with asyncio.timeout(None if allowed == float("inf") else allowed):
                await self._read()
        except TimeoutError:
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

    async def gone(self) -> None:
        """Wait until the client has left or the request is over; to be watched for already."""
        await self._departure().wait()

    def close(self) -> None:
        """The request is over."""
        if self._first is not None:
            self._first.close()
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

    def _departure(self) -> asyncio.Event:
        if self._gone is None:
            self._gone = asyncio.Event()
        return self._gone

    def _take(self, message: Message) -> bool:
        if message["type"] == "http.disconnect":
            raise ClientGone
        self._size += len(message.get("body", b""))
        if self._size > self._max_body:
            raise self._too_large()
        self.body.append(message)
        return not message.get("more_body", False)

    def _too_large(self) -> BadRequest:
        return self._bad(413, f"the body is too large; max_body allows {self._max_body:.0f} bytes")

    def _bad(self, status: int, detail: str) -> BadRequest:
        """Refuse a request whose body has not been read, and so is still on the connection."""
        refusal = plain_problem(status, detail)
        if self._scope.get("http_version", "1.1") in (
            "1.0",
            "1.1",
        ):  # later ones have no such header
            refusal = refusal._replace(headers=[*refusal.headers, CLOSE])
        return BadRequest(refusal)


def _announced(scope: Scope) -> int:
    """Return how long the body says it will be; 0 if it does not."""
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    return int(lengths[0]) if lengths and lengths[0].isdigit() else 0
