"""A WSGI server in a few lines, in the test's own thread, and applications that hang at a gate."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Self
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from wsgiref.util import setup_testing_defaults

from timeouts import Job, Observer, Outcome

GUARD = 20.0


class Response:
    """What a server has been told, and asked for."""

    def __init__(self) -> None:
        self.heads: list[tuple[str, list[tuple[str, str]]]] = []
        self.body = b""
        self.sizes: list[int] = []

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None, /
    ) -> Callable[[bytes], None]:
        """Keep the head, as a server does that has sent nothing yet."""
        if exc_info and self.body:
            raise exc_info[1].with_traceback(exc_info[2])
        if self.heads and not exc_info:
            raise AssertionError("a second head")
        self.heads.append((status, list(headers)))
        return self.write

    def write(self, chunk: bytes) -> None:
        """Send a piece of the body."""
        assert self.heads, "a body before the head"
        self.body += chunk
        self.sizes.append(len(chunk))

    @property
    def status(self) -> int:
        return int(self.heads[-1][0].split()[0])

    @property
    def headers(self) -> dict[str, str]:
        return dict(self.heads[-1][1])

    def head_without_timing(self) -> tuple[str, list[tuple[str, str]]]:
        """Return the head as the application gave it."""
        status, headers = self.heads[-1]
        return status, [row for row in headers if row[0] != "Server-Timing"]


def request(
    path: str = "/", *, method: str = "GET", body: bytes | None = None, **more: Any
) -> WSGIEnvironment:
    """Make the environ of a request."""
    environ: WSGIEnvironment = {"PATH_INFO": path, "REQUEST_METHOD": method}
    environ |= {"SCRIPT_NAME": "", "QUERY_STRING": ""}
    if body is not None:
        environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
    environ |= more
    setup_testing_defaults(environ)
    return environ


def serve(
    app: WSGIApplication, environ: WSGIEnvironment | None = None, response: Response | None = None
) -> Response:
    """Do what a server does with one request."""
    response = Response() if response is None else response
    chunks = app(request() if environ is None else environ, response.start_response)
    try:
        for chunk in chunks:
            response.write(chunk)
        assert response.heads, "an answer without a head"
    finally:
        if hasattr(chunks, "close"):
            chunks.close()
    return response


class Client(threading.Thread):
    """Serves one request in a thread; `answer` waits for it."""

    def __init__(self, app: WSGIApplication, environ: WSGIEnvironment | None = None) -> None:
        super().__init__(daemon=True)
        self.response = Response()
        self._app, self._environ = app, environ
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            serve(self._app, self._environ, self.response)
        except BaseException as error:
            self._error = error

    def answer(self) -> Response:
        self.join(GUARD)
        assert not self.is_alive(), "no answer"
        if self._error is not None:
            raise self._error
        return self.response


class Hanging:
    """An application that gives `before`, waits at its gate, and gives `after`; counts its closes."""

    def __init__(
        self,
        *before: bytes,
        after: Iterable[bytes] = (b"late",),
        headers: Iterable[tuple[str, str]] = (("Content-Type", "text/plain"),),
    ) -> None:
        self.before, self.after, self.headers = before, after, list(headers)
        self.entered, self.gate, self.closed = (threading.Event() for _ in range(3))
        self.closers: list[int] = []
        self.runners: list[int] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", self.headers)
        return Closing(self._chunks(), self._on_close)

    def _chunks(self) -> Iterator[bytes]:
        self.runners.append(threading.get_ident())
        yield from self.before
        self.entered.set()
        assert self.gate.wait(GUARD)
        yield from self.after

    def _on_close(self) -> None:
        self.closers.append(threading.get_ident())
        self.closed.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        self.gate.set()


class Closing:
    """An iterable that tells when it is closed."""

    def __init__(self, chunks: Iterator[bytes], on_close: Callable[[], None]) -> None:
        self._chunks, self.close = chunks, on_close

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks


class Late(Observer):
    """Sets `seen` when the work of an answered request has ended."""

    def __init__(self) -> None:
        self.seen = threading.Event()

    def late(self, job: Job, outcome: Outcome, now: float) -> None:
        self.seen.set()
