"""The body of an answer that comes in parts, on its way to the server.

Laws:
- An expiry never looks like the end of the body: a stream of events ends in an `error` event, any other
  body stays incomplete.
- Closing it, begun or not, withdraws its job.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

from timeouts.adapters.wsgi.exchange import Headers
from timeouts.errors import TimeoutsError
from timeouts.http import events
from timeouts.statuses import Statuses

Parts = Generator[bytes, None, bytes]
"""Parts of a body as they come; what it returns completes them."""


class Body:
    """What the server iterates over, and closes."""

    def __init__(self, first: bytes, rest: Parts, headers: Headers, statuses: Statuses) -> None:
        self._rest = rest
        self._headers = headers
        self._statuses = statuses
        self._stream = self._passed_on(first)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._stream)

    def close(self) -> None:
        """Leave: nobody asks for more."""
        self._stream.close()
        self._rest.close()  # by itself, because a generator that has not begun has nothing to close

    def _passed_on(self, part: bytes) -> Generator[bytes]:
        tail = b""
        try:
            while True:
                yield part
                tail = (tail + part[-events.TAIL :])[-events.TAIL :]
                part = next(self._rest)
        except StopIteration as end:
            if end.value:
                yield end.value
        except TimeoutsError as error:
            if not events.takes_one_more(self._headers, tail):
                # Not as itself: it is a TimeoutError, and servers take that for the client's doing.
                raise RuntimeError(f"the body of an answer was cut short: {error}") from error
            yield events.error_event(error, self._statuses)
