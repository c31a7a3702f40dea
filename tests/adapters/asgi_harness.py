"""An ASGI server of one request, in memory, that holds the application to the protocol.

It does what servers do: it sends the head with the first message of the body (as the specification
asks), answers 500 for an application that fails before that, and breaks the connection off if one
fails, or stops, after it. What the protocol forbids is raised on the application, and noted.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from timeouts.adapters.asgi import Timeouts
from timeouts.testing import VirtualLoop

Message = Any
App = Callable[[Any, Any, Any], Awaitable[None]]
FAILED = "failed"
START, BODY, TRAILERS = "http.response.start", "http.response.body", "http.response.trailers"
HINT = "http.response.early_hint"


class Violation(RuntimeError):
    """What the protocol forbids."""


class Wire:
    """A request, its client, and what the client has been sent.

    Args:
        *body: the parts of the request's body that are there at once.
        path, headers, http_version: of the request.
        whole: whether they are all of it; else more comes by `upload`.
        reads: whether the client reads; one that does not holds up every message to it.
        **more: for the scope.
    """

    def __init__(
        self,
        *body: bytes,
        path: str = "/",
        headers: tuple[tuple[bytes, bytes], ...] = (),
        http_version: str = "1.1",
        whole: bool = True,
        reads: bool = True,
        **more: Any,
    ) -> None:
        self.scope = {
            "type": "http",
            "path": path,
            "method": "POST",
            "headers": list(headers),
            "http_version": http_version,
            **more,
        }
        self.violations: list[str] = []
        self.left = False
        self.sent: list[tuple[float, Message]] = []
        self.raised: BaseException | None = None
        self.ended: float | None = None
        self.cancelled_at: float | None = None
        self._inbox: deque[Message] = deque()
        self._news = asyncio.Event()
        self._reads = asyncio.Event()
        if reads:
            self._reads.set()
        self._head: Message | None = None
        self._state = "waiting"
        parts = body or ((b"",) if whole else ())
        for number, part in enumerate(parts, start=1):
            self.upload(part, more=not whole or number < len(parts))

    # What the client does.

    def upload(self, part: bytes, *, more: bool = False) -> None:
        """Send a part of the body."""
        self._inbox.append({"type": "http.request", "body": part, "more_body": more})
        self._news.set()

    def leave(self) -> None:
        """Disconnect."""
        self.left = True
        self._news.set()
        self._reads.set()

    def read(self) -> None:
        """Begin to read."""
        self._reads.set()

    # What the client has seen.

    @property
    def status(self) -> int | None:
        heads = [message for _, message in self.sent if message["type"] == START]
        return heads[0]["status"] if heads else None

    @property
    def headers(self) -> dict[str, str]:
        (head,) = (message for _, message in self.sent if message["type"] == START)
        return {name.decode(): value.decode() for name, value in head["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for _, message in self.sent)

    @property
    def problem(self) -> dict[str, Any]:
        assert self.headers["content-type"] == "application/problem+json"
        told: dict[str, Any] = json.loads(self.body)
        return told

    @property
    def complete(self) -> bool:
        """Whether the response has come to its end."""
        return self._state == "complete"

    @property
    def times(self) -> list[float]:
        """When each message was sent."""
        return [now for now, _ in self.sent]

    def seen(self) -> tuple[Any, ...]:
        """Return what counts: the response, but for timings and how it was cut into messages."""
        if self.status is None or (not self.complete and not self.body):
            return (FAILED,)
        head = next(message for _, message in self.sent if message["type"] == START)
        headers = [pair for pair in head["headers"] if pair[0] != b"server-timing"]
        others = [m for _, m in self.sent if m["type"] not in (START, BODY)]
        return (self.status, headers, self.body, others, self.complete)

    # What the server does.

    async def receive(self) -> Message:
        while not (self._inbox or self.left or self.complete):
            self._news.clear()
            await self._news.wait()
        if self.left or not self._inbox:
            return {"type": "http.disconnect"}
        return self._inbox.popleft()

    async def send(self, message: Message) -> None:
        await self._reads.wait()
        if self.left:
            return
        kind = message["type"]
        if self._state == "complete" or self.ended is not None:
            self._refuse(f"{kind} after the end")
        elif kind == HINT:
            if self._state != "waiting":
                self._refuse("a hint after the head")
            self._note(message)
        elif kind == START:
            if self._head is not None:
                self._refuse("a second head")
            self._head = message
        elif self._head is None:
            self._refuse(f"{kind} before the head")
        else:
            self._send_part(self._head, message)

    def _send_part(self, head: Message, message: Message) -> None:
        kind = message["type"]
        if (kind == TRAILERS) != (self._state == "trailers"):
            self._refuse(f"{kind} while {self._state}")
        if self._state == "waiting":
            self._state = "body"
            self._note(head)
        self._note(message)
        if kind == TRAILERS:
            done = not message.get("more_trailers", False)
        else:
            done = not message.get("more_body", False)
            if done and head.get("trailers", False):
                self._state, done = "trailers", False
        if done:
            self._state = "complete"
            self._news.set()

    def _note(self, message: Message) -> None:
        self.sent.append((asyncio.get_running_loop().time(), message))

    def _refuse(self, what: str) -> None:
        self.violations.append(what)
        raise Violation(what)

    async def serve(self, app: App) -> Wire:
        """Do what a server does with one request."""
        try:
            await app(self.scope, self.receive, self.send)
        except asyncio.CancelledError as error:
            self.raised = error
            if asyncio.current_task().cancelling():  # type: ignore[union-attr]
                self.cancelled_at = asyncio.get_running_loop().time()
                raise
        except Exception as error:
            self.raised = error
        finally:
            self.ended = asyncio.get_running_loop().time()
        return self


class Bench:
    """A middleware on a virtual loop, and the requests to it."""

    def __init__(self, app: App, *args: Any, **options: Any) -> None:
        self.asgi = Timeouts(app, *args, clock=VirtualLoop.running().clock, **options)
        self.requests: list[asyncio.Task[Wire]] = []

    def request(self, *body: bytes, **options: Any) -> Wire:
        """Have a request come in."""
        wire = Wire(*body, **options)
        self.requests.append(asyncio.create_task(wire.serve(self.asgi)))
        return wire

    async def get(self, *body: bytes, **options: Any) -> Wire:
        """Have a request come in, and wait until its server is through with it."""
        wire = self.request(*body, **options)
        await self.requests[-1]
        return wire

    async def done(self) -> None:
        """Wait until the server is through with all requests."""
        await asyncio.wait(self.requests)

    def books(self) -> tuple[int, int, int]:
        """Return how many wait, run and are abandoned; they balance, and nobody was answered twice."""
        stats = self.asgi.stats()
        assert stats.running + stats.abandoned + stats.free == stats.slots
        assert stats.arrived == sum(stats.outcomes.values()) + stats.waiting + stats.running
        return stats.waiting, stats.running, stats.abandoned

    @property
    def outcomes(self) -> dict[str, int]:
        """The counts of outcomes."""
        return dict(self.asgi.stats().outcomes)


def start(status: int = 200, *headers: tuple[bytes, bytes], **more: Any) -> Message:
    """Make a head."""
    return {"type": START, "status": status, "headers": list(headers), **more}


def part(body: bytes, *, more: bool = True) -> Message:
    """Make a part of a body."""
    return {"type": BODY, "body": body, "more_body": more}


EVENTS = (b"content-type", b"text/event-stream; charset=utf-8")


class Served:
    """An application that does one thing, and notes what befalls it."""

    def __init__(self, *sends: Any, stubborn: bool = False, after: Any = None) -> None:
        self.sends = sends
        self.stubborn = stubborn
        self.after = after
        self.notes: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.notes.append("begun")
        for step in self.sends:
            await self._do(step, receive, send)
        self.notes.append("done")

    async def _do(self, step: Any, receive: Any, send: Any) -> None:
        until = now() + step if isinstance(step, int) else -math.inf
        while True:
            try:
                if isinstance(step, int):
                    await asyncio.sleep(until - now())
                elif step == "receive":
                    self.notes.append((await receive())["type"])
                elif isinstance(step, Exception):
                    raise step
                else:
                    await send(step)
            except asyncio.CancelledError:
                self.notes.append("cancelled")
                if self.stubborn:
                    continue
                raise
            except OSError as error:
                self.notes.append(type(error).__name__)
                raise
            return


def now() -> float:
    return VirtualLoop.running().time()


def hello(*before: Any, after: tuple[Any, ...] = (), **options: Any) -> Served:
    """Make an application that says hello, some seconds later."""
    return Served(*before, start(), part(b"hello", more=False), *after, **options)
