"""Server-sent events: how an item is written, and how an expiry is told after the head was sent.

Law: an expiry never looks like a normal end. It is told by an `error` event with the document of a
504, where one can be added without being taken for part of something else.
"""

from __future__ import annotations

import json
from typing import Any

from timeouts.errors import TimeoutsError
from timeouts.http.problem import details
from timeouts.statuses import Statuses

MEDIA_TYPE = "text/event-stream"
_BLANK_LINES = (b"\n\n", b"\r\r", b"\r\n\r\n")
TAIL = 4
"""How many of the last bytes of a stream `is_between` wants to see."""


def event(data: Any, name: str | None = None) -> bytes:
    """Write one event with JSON as its data, which has no line breaks."""
    head = "" if name is None else f"event: {name}\n"
    return f"{head}data: {json.dumps(data, separators=(',', ':'), allow_nan=False)}\n\n".encode()


def error_event(error: TimeoutsError, statuses: Statuses) -> bytes:
    """Write the terminal event that tells an error."""
    return event(details(error, statuses), "error")


def is_between(tail: bytes) -> bool:
    """Tell whether a stream with these last bytes is between two events, or at its beginning."""
    return not tail or tail.endswith(_BLANK_LINES)
