"""Trying an awaitable without waiting: most request bodies are there when they are asked for.

A timer for each of them would cost more than reading them does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from functools import partial
from typing import Any


class Pending:
    """An awaitable that has been given its first step, and waits; await it for the rest."""

    __slots__ = ("_awaited", "_steps")

    def __init__(self, steps: Generator[Any, Any, Any], awaited: Any) -> None:
        self._steps = steps
        self._awaited = awaited

    def __await__(self) -> Generator[Any, Any, Any]:
        """Go on as `yield from` would, had it made the first step itself."""
        awaited = self._awaited
        while True:
            try:
                sent = yield awaited
            except BaseException as thrown:  # noqa: BLE001 - a cancellation is the awaitable's to handle
                go_on = partial(self._steps.throw, thrown)
            else:
                go_on = partial(self._steps.send, sent)
            try:
                awaited = go_on()
            except StopIteration as end:
                return end.value

    def close(self) -> None:
        """Leave it where it is."""
        self._steps.close()


def peek(awaitable: Awaitable[Any]) -> Any:
    """Give an awaitable its first step: return its result, or a `Pending` if it has none yet."""
    steps: Any = awaitable.__await__()
    try:
        awaited = next(steps)
    except StopIteration as end:
        return end.value
    return Pending(steps, awaited)
