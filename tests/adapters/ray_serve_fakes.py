"""A deployment handle and its responses, without a Ray that runs."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from ray.exceptions import RayTaskError
from ray.serve.handle import DeploymentResponseGenerator

__all__ = ["Handle", "RayTaskError", "Response", "Stream", "wrapped"]


def wrapped(cause: Exception) -> Exception:
    """Wrap an error as Ray does."""
    error = RayTaskError("predict", "a traceback", cause, "a title", 1, "127.0.0.1")
    both: Exception = error.as_instanceof_cause()
    return both


class Response:
    """Awaited, it gives what it was made with; an event is waited for."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self.cancelled = threading.Event()

    def __await__(self) -> Any:
        """Wait for it."""
        return self._answer().__await__()

    async def _answer(self) -> Any:
        if isinstance(self.value, asyncio.Event):
            await self.value.wait()
        if isinstance(self.value, Exception):
            raise self.value
        return self.value

    def cancel(self) -> None:
        """Say so."""
        self.cancelled.set()


class Stream(DeploymentResponseGenerator):  # type: ignore[misc]  # of an untyped class
    """Gives items; what is an error is raised, and an event waited for."""

    def __init__(self, *items: Any) -> None:
        self.items = list(items)
        self.cancelled = threading.Event()

    async def __anext__(self) -> Any:
        """Give the next one."""
        if not self.items:
            raise StopAsyncIteration
        return await Response(self.items.pop(0))

    def cancel(self) -> None:
        """Say so."""
        self.cancelled.set()


class Handle:
    """A deployment handle, whose every call has the same response."""

    def __init__(self, value: Any = None, name: str = "__call__") -> None:
        self.name = name
        self.calls: list[tuple[str, Any, dict[str, Any]]] = []
        self.response: Any = value if isinstance(value, Stream) else Response(value)

    def remote(self, *args: Any, **kwargs: Any) -> Any:
        """Call."""
        self.calls.append((self.name, args, kwargs))
        return self.response

    def options(self, **options: Any) -> Handle:
        """Return the handle of a method."""
        method = Handle(self.response, options.get("method_name", self.name))
        method.calls, method.response = self.calls, self.response
        return method

    def __getattr__(self, name: str) -> Handle:
        return self.options(method_name=name)
