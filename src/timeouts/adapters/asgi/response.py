"""The response of one request, on its way from the application to the server.

Laws:
- The head is held back until the first bytes of the body, so that an expiry before them is a true 504.
- An expiry after them never looks like a normal end: a stream of events gets a terminal `error` event,
  any other body stays incomplete, and the server then breaks the connection.
- Every answer has a `Server-Timing`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from timeouts.adapters.asgi.client import BadRequest, Client, Message, Send
from timeouts.errors import TimeoutsError
from timeouts.http import events
from timeouts.http.problem import Answer
from timeouts.statuses import Statuses

START, BODY, TRAILERS = "http.response.start", "http.response.body", "http.response.trailers"
WHOLE_FILE, ZERO_COPY = "http.response.pathsend", "http.response.zerocopysend"
PARTS = frozenset({BODY, TRAILERS, WHOLE_FILE, ZERO_COPY})

STUCK = 0.05  # seconds for a message of the application's that is on its way when its time is up
LAST_WORD = (
    1.0  # seconds for a client that reads slowly to be told by an event why there is no more
)


class Response:
    """Sends one response.

    Attributes:
        started: whether the head has been sent.
        pass_by: sends what is no part of the response, such as an early hint.
    """

    __slots__ = (
        "_broken",
        "_head",
        "_headers",
        "_quiet",
        "_sending",
        "_tail",
        "_trailers",
        "pass_by",
        "started",
    )

    def __init__(self, send: Send) -> None:
        self.pass_by = send
        self.started = False
        self._head: Message | None = None
        self._headers: list[Any] = []
        self._tail = b""
        self._trailers = False
        self._sending = False
        self._broken = False
        self._quiet: asyncio.Event | None = None

    def hold(self, head: Message) -> None:
        """Keep the head until there is a body to it."""
        if self._head is not None or self.started:
            raise RuntimeError("the application has started its response twice")
        self._trailers = head.get("trailers", False)
        self._head = head

    @property
    def held(self) -> bool:
        """Whether the head is held back."""
        return self._head is not None

    def is_last(self, part: Message) -> bool:
        """Tell whether a part of the response completes it."""
        kind = part["type"]
        if kind == TRAILERS:
            return not part.get("more_trailers", False)
        return not (part.get("more_body", False) or self._trailers)

    async def pass_on(self, part: Message, timing: Callable[[], str]) -> None:
        """Send a part of the application's response, after the head if that is still here."""
        self._sending = True
        try:
            if self._head is not None:
                await self.pass_by(self._begun(self._head, timing()))
            await self.pass_by(part)
        except BaseException:
            self._broken = True  # nobody knows how much of it has left
            raise
        finally:
            self._sending = False
            if self._quiet is not None:
                self._quiet.set()
        if part.get("more_body", False):
            self._tail = (self._tail + part.get("body", b"?")[-events.TAIL :])[-events.TAIL :]

    async def quiet(self) -> None:
        """Wait a moment for a part that is on its way."""
        if self._sending:
            self._quiet = asyncio.Event()
            with suppress(TimeoutError):
                async with asyncio.timeout(STUCK):
                    await self._quiet.wait()

    async def answer(self, answer: Answer, timing: str) -> None:
        """Send a whole answer of ours, in place of the application's."""
        await self._open(answer, timing)
        await self.pass_by({"type": BODY, "body": answer.body})

    async def refuse(self, bad: BadRequest, client: Client, timing: str) -> None:
        """Send the answer to a bad request, and let its client finish before the end of it."""
        if not bad.lingers:
            await self.answer(bad.answer, timing)
            return
        await self._open(bad.answer, timing)
        await self.pass_by({"type": BODY, "body": bad.answer.body, "more_body": True})
        await client.drain()
        await self.pass_by({"type": BODY, "body": b""})

    async def _open(self, answer: Answer, timing: str) -> None:
        headers = [(name.lower().encode(), value.encode()) for name, value in answer.headers]
        head = {"type": START, "status": answer.status, "headers": headers}
        await self.pass_by(self._begun(head, timing))

    async def break_off(self, error: TimeoutsError, statuses: Statuses) -> None:
        """End a response that has begun: by an event, or by leaving it incomplete.

        Raises:
            RuntimeError: it is incomplete. To return would look like an end to whoever called us.
        """
        if self._takes_events():
            last = {"type": BODY, "body": events.error_event(error, statuses)}
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORD):
                    await self.pass_by(last)
                    return
        raise RuntimeError(f"the body of an answer was cut short: {error}") from error

    def _begun(self, head: Message, timing: str) -> Message:
        self._head = None
        self.started = True
        self._headers = headers = [*head.get("headers", ()), (b"server-timing", timing.encode())]
        return {**head, "headers": headers}

    def _takes_events(self) -> bool:
        """Tell whether the body so far is a plain stream of events, of which none is unfinished."""
        if self._sending or self._broken:
            return False
        headers = [(str(n, "latin-1"), str(v, "latin-1")) for n, v in self._headers]
        return events.takes_one_more(headers, self._tail)
