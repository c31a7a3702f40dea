"""How a worker's answer is read: as a value, as the handler's own error, or as what went wrong on the way.

Law: whatever a stranger's class does while it is loaded, it does to its own caller alone.
"""

from __future__ import annotations

import pickle
from typing import Any

from timeouts.errors import PayloadError
from timeouts.outcome import Outcome
from timeouts.workers.process.post import Post


class RemoteTraceback(Exception):
    """Where in the worker an error was raised; the `__cause__` of what the caller gets."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        """Show it as Python does."""
        return f'\n"""\n{self.text}"""'


def read(post: Post, is_value: bool, body: bytes, what: str = "the result") -> Outcome:
    """Read an answer; whatever happens, return an outcome, or its call would never end."""
    try:
        sent = post.unwrap(body)
        return Outcome(sent) if is_value else Outcome(error=_error(*sent))
    except KeyboardInterrupt as interrupt:  # most likely the user's, and then not to be swallowed
        return Outcome(error=interrupt)
    except BaseException as why:  # noqa: BLE001 - whatever a stranger's class does on loading
        return Outcome(error=_unloadable(what, why))


def _unloadable(what: str, why: BaseException) -> PayloadError:
    """Return the error for something that arrived whole and cannot be loaded."""
    error = PayloadError(
        f"{what} of the handler arrived and cannot be loaded: {type(why).__name__}: {message(why)}",
        started=True,
        work="stopped",
    )
    error.__cause__ = why
    return error


def _error(pickled: bytes | None, said: str, trace: str) -> BaseException:
    error: Any = None
    if pickled is not None:
        try:
            error = pickle.loads(pickled)  # noqa: S301 - our own worker wrote it
        except Exception as why:  # noqa: BLE001 - whatever a stranger's class does on loading
            said = f"{said} (which cannot be rebuilt here: {type(why).__name__}: {message(why)})"
    if not isinstance(error, BaseException):
        error = PayloadError(said, started=True, work="stopped")
    # Not by assignment: an error may have a `__setattr__` that refuses.
    BaseException.__setattr__(error, "__cause__", RemoteTraceback(trace))
    return error  # type: ignore[no-any-return]


def message(error: BaseException) -> str:
    """Return what an error says, if it can."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an error's own method may fail
        return "(its message cannot be read)"
