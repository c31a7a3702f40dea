"""One request to an application, and what the application says to it, in the thread that runs it.

Laws (PEP 3333):
- The head may change until the first byte of the body; after that `start_response` raises the error
  that the application wanted to tell.
- No byte is lost, doubled or moved: what was written comes before what is iterated.
- The iterable is closed once, whatever happens.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from itertools import chain
from types import TracebackType
from wsgiref.types import WSGIApplication, WSGIEnvironment

from timeouts.stack import Stack

Headers = list[tuple[str, str]]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


class Exchange:
    """A request and the answer so far.

    Args:
        app: the application.
        environ: the request.
        limits: the rules of its route.
        now: when it came in.

    Attributes:
        arrived: when its job arrived; till then, when it came in.
        started: when a worker took it.
        status: what the application has called its answer, or None so far.
        headers: those of the answer.
    """

    def __init__(
        self, app: WSGIApplication, environ: WSGIEnvironment, limits: Stack, now: float
    ) -> None:
        self.app = app
        self.environ = environ
        self.limits = limits
        self.arrived = now
        self.started = math.inf
        self.status: str | None = None
        self.headers: Headers = []
        self._begun = False
        self._pending: list[bytes] = []
        self._missing = math.inf

    def start_response(
        self, status: str, headers: Headers, exc_info: ExcInfo | None = None, /
    ) -> Callable[[bytes], None]:
        """Take the head of the answer from the application."""
        if exc_info is not None and exc_info[1] is not None:
            try:
                if self._begun:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                del exc_info  # its traceback refers to this frame
        elif self.status is not None:
            raise AssertionError("start_response was called twice, and without exc_info")
        self.status = status
        self.headers = headers
        self._missing = _content_length(headers)
        return self.add

    def add(self, chunk: bytes) -> None:
        """Take a piece of the body; an empty one says nothing."""
        if chunk:
            self._begun = True
            self._pending.append(chunk)
            self._missing -= len(chunk)

    @property
    def has_part(self) -> bool:
        """Whether there is something to send, and more to come."""
        return bool(self._pending) and self._missing > 0

    def take(self) -> bytes:
        """Give what there is of the body.

        Raises:
            AssertionError: the application has given no head.
        """
        if self.status is None:
            raise AssertionError("the application answered without calling start_response")
        part = b"".join(self._pending)
        self._pending.clear()
        return part


def answer(exchange: Exchange) -> Generator[bytes, None, bytes]:
    """Run the application: yield the body as it comes, and return the part that completes it.

    A body that is known to be complete (a list; the last byte of its Content-Length) is returned and
    not yielded: its job is over, and its slot free, before a slow client begins to read it.
    """
    chunks = exchange.app(exchange.environ, exchange.start_response)
    try:
        at_once = isinstance(chunks, list | tuple)
        for chunk in chain([b""], chunks):  # what was written does not wait for the first chunk
            exchange.add(chunk)
            if exchange.has_part and not at_once:
                yield exchange.take()
    finally:
        close: Callable[[], None] | None = getattr(chunks, "close", None)
        if close is not None:
            close()
    return exchange.take()


def _content_length(headers: Headers) -> float:
    """Return how long the body says it will be; `math.inf` if it does not."""
    lengths = [value for name, value in headers if name.lower() == "content-length"]
    return int(lengths[0]) if lengths and lengths[0].isdecimal() else math.inf
