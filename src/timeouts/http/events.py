"""Server-sent events: how an item is written, and how an expiry is told after the head was sent.

Law: an expiry never looks like a normal end. It is told by an `error` event with the document of a
504, where one can be added without being taken for part of something else.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from timeouts.errors import TimeoutsError
from timeouts.http.problem import details
from timeouts.statuses import Statuses

MEDIA_TYPE = "text/event-stream"
_BLANK_LINES = (b"\n\n", b"\r\r", b"\r\n\r\n")
TAIL = 4
"""How many of the last bytes of a stream `takes_one_more` wants to see."""


def event(data: Any, name: str | None = None) -> bytes:
    """Write one event with JSON as its data, which has no line breaks."""
    head = "" if name is None else f"event: {name}\n"
    return f"{head}data: {json.dumps(data, separators=(',', ':'), allow_nan=False)}\n\n".encode()


def error_event(error: TimeoutsError, statuses: Statuses) -> bytes:
    """Write the terminal event that tells an error."""
    return event(details(error, statuses), "error")


def takes_one_more(headers: Iterable[tuple[str, str]], tail: bytes) -> bool:
    """Tell whether an event can be added to a body.

    Args:
        headers: the body's; one that is compressed or counted takes nothing more.
        tail: its last bytes so far: it must be between two events, or at its beginning.
    """
    if tail and not tail.endswith(_BLANK_LINES):
        return False
    said = {name.lower(): value.lower() for name, value in headers}
    plain = "content-encoding" not in said and "content-length" not in said
    return plain and said.get("content-type", "").startswith(MEDIA_TYPE)
