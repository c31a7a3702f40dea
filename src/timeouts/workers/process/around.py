"""What a worker process enters around the handler of one call: the context of a trace, say.

Law: it comes from an observer, so it changes nothing for the caller. What fails about it is logged;
the handler runs all the same.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from timeouts.observe.observer import logger
from timeouts.workers.process.frames import AROUND, frame

MOST = 16 * 1024
"""Bytes: it travels in the same breath as its call, and both must fit into an idle channel."""


def sent(number: int, manager: Any) -> bytes:
    """Write the frame that goes before a call's own; nothing, if that is not possible."""
    try:
        body = pickle.dumps(manager, 5)
    except Exception:  # noqa: BLE001 - whatever it is, it is not the caller's
        logger.exception("%r cannot be sent to a worker process", manager)
        return b""
    if len(body) > MOST:
        logger.error("%r takes %d bytes; at most %d are sent along", manager, len(body), MOST)
        return b""
    return frame(AROUND, number, body)


def enter(body: bytes) -> Callable[[], None]:
    """Enter what was sent; return how to leave it."""
    stack = ExitStack()
    try:
        stack.enter_context(pickle.loads(body))  # noqa: S301 - the server wrote it
    except Exception:  # noqa: BLE001 - as above
        logger.exception("what was sent along with a call cannot be entered")
    return lambda: _leave(stack)


def _leave(stack: ExitStack) -> None:
    try:
        stack.close()
    except Exception:  # noqa: BLE001 - as above
        logger.exception("what was sent along with a call cannot be left")
