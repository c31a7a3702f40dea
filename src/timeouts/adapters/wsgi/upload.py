"""The body of a request, read whole before its job arrives.

Laws:
- A slow upload is not the application's fault: no limit counts it.
- The application gets bytes, not the connection: one that was abandoned may read on for as long as
  it likes, and takes nothing from the next request.
"""

from __future__ import annotations

import io
import math
from typing import Any
from wsgiref.types import WSGIEnvironment

_STEP = 1 << 16


class BadUpload(ValueError):
    """A body that the application never sees; `status` is the answer."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


def received(environ: WSGIEnvironment, at_most: float) -> WSGIEnvironment:
    """Return the environ with a body that has come in whole.

    Raises:
        BadUpload: it is longer than `at_most` bytes, or ends before its announced length.
    """
    length = _announced(environ)
    if length > at_most and length < math.inf:
        raise _too_long(at_most)
    body = _read(environ["wsgi.input"], min(length, at_most + 1))
    if len(body) > at_most:
        raise _too_long(at_most)
    if len(body) < length < math.inf:
        raise BadUpload(400, f"the body ended after {len(body)} of {length:.0f} bytes")
    return {**environ, "wsgi.input": io.BytesIO(body)}


def _announced(environ: WSGIEnvironment) -> float:
    """Return how many bytes there will be; `math.inf` where the stream has an end of its own."""
    text = environ.get("CONTENT_LENGTH") or ""
    if not text:
        return math.inf if environ.get("wsgi.input_terminated") else 0
    if not (text.isascii() and text.isdigit()):
        raise BadUpload(400, f"Content-Length must be a whole number; got {text[:20]!r}")
    return int(text[:20])


def _read(stream: Any, count: float) -> bytes:
    """Read so many bytes, or up to the end."""
    chunks: list[bytes] = []
    while count > 0 and (chunk := stream.read(int(min(count, _STEP)))):
        chunks.append(chunk)
        count -= len(chunk)
    return b"".join(chunks)


def _too_long(at_most: float) -> BadUpload:
    return BadUpload(413, f"the body is longer than {at_most:.0f} bytes")
