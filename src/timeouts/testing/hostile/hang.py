"""Handlers that misbehave on command: they hang, answer late, fail late, and ignore cancellation.

Law: a hostile handler does nothing by the clock. It meets the test at its entry, where it can be
waited for, and goes on when the test says so; leaving its `with` block always lets it go on.
"""

from __future__ import annotations

import asyncio
import math
import threading
from types import TracebackType
from typing import Any, Self

from timeouts.testing.deadlock import GUARD, Deadlock


class Hang:
    """A plain handler, `hang.predict`, that blocks its thread until released.

        with Hang(value="late") as hang, Server(hang.predict, limits, workers="thread") as server:
            future = server.submit()
            hang.wait_for_entries(1)

    Args:
        value: what `predict` returns once released.
        error: what it raises instead.
        guard: real seconds after which a call that nobody releases fails with `Deadlock`.

    Attributes:
        entries: how many calls have begun.
        exits: how many have ended.
    """

    def __init__(
        self, value: Any = None, *, error: BaseException | None = None, guard: float = GUARD
    ) -> None:
        self.entries = 0
        self.exits = 0
        self._value = value
        self._error = error
        self._guard = guard
        self._released = False
        self._changed = threading.Condition()

    def predict(self, *_args: Any, **_kwargs: Any) -> Any:
        """Block until released, whatever the arguments; then return the value or raise the error."""
        with self._changed:
            self.entries += 1
            self._changed.notify_all()
            try:
                self._wait(lambda: self._released, "a hanging handler was never released")
            finally:
                self.exits += 1
                self._changed.notify_all()
        if self._error is not None:
            raise self._error
        return self._value

    def release(self) -> None:
        """Let all calls go on, the present and the coming ones."""
        with self._changed:
            self._released = True
            self._changed.notify_all()

    def wait_for_entries(self, count: int) -> None:
        """Block until at least `count` calls have begun."""
        with self._changed:
            self._wait(lambda: self.entries >= count, f"{count} calls should begin")

    def wait_for_exits(self, count: int) -> None:
        """Block until at least `count` calls are over, as far as the handler can tell."""
        with self._changed:
            self._wait(lambda: self.exits >= count, f"{count} calls should end")

    def _wait(self, come: Any, complaint: str) -> None:
        if not self._changed.wait_for(come, None if self._guard == math.inf else self._guard):
            raise Deadlock(
                f"{complaint}; {self.entries} began, {self.exits} ended, "
                f"waited for {self._guard:g} real seconds"
            )

    def __enter__(self) -> Self:
        """Hang from here on."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Release, so that no thread outlives the test."""
        self.release()


class AsyncHang:
    """An `async def` handler, `hang.predict`, that waits until released or cancelled often enough.

    For one loop's tasks; everything but the constructor belongs on that loop.

    Args:
        value: what `predict` returns once released.
        error: what it raises instead.
        ignores: how many cancellations each call swallows before it obeys one; `math.inf` for all,
            which makes a task that can only be abandoned.

    Attributes:
        entries: how many calls have begun.
        exits: how many have ended.
        cancellations: how many cancellations have reached a call, swallowed or obeyed.
    """

    def __init__(
        self, value: Any = None, *, error: BaseException | None = None, ignores: float = 0
    ) -> None:
        self.entries = 0
        self.exits = 0
        self.cancellations = 0
        self._value = value
        self._error = error
        self._ignores = ignores
        self._released = asyncio.Event()
        self._changed = asyncio.Event()

    async def predict(self, *_args: Any, **_kwargs: Any) -> Any:
        """Wait until released, whatever the arguments; then return the value or raise the error."""
        self.entries += 1
        self._ring()
        try:
            await self._hang()
        finally:
            self.exits += 1
            self._ring()
        if self._error is not None:
            raise self._error
        return self._value

    def release(self) -> None:
        """Let all calls go on, the present and the coming ones."""
        self._released.set()

    async def wait_for_entries(self, count: int) -> None:
        """Wait until at least `count` calls have begun."""
        while self.entries < count:
            await self._changed.wait()

    async def wait_for_cancellations(self, count: int) -> None:
        """Wait until at least `count` cancellations have reached a call."""
        while self.cancellations < count:
            await self._changed.wait()

    async def wait_for_exits(self, count: int) -> None:
        """Wait until at least `count` calls are over."""
        while self.exits < count:
            await self._changed.wait()

    async def _hang(self) -> None:
        ignored = 0
        while not self._released.is_set():
            try:
                await self._released.wait()
            except asyncio.CancelledError:
                self.cancellations += 1
                self._ring()
                ignored += 1
                if ignored > self._ignores:
                    raise

    def _ring(self) -> None:
        """Wake whoever waits for a count, and have the next one wait anew."""
        self._changed.set()
        self._changed = asyncio.Event()

    def __enter__(self) -> Self:
        """Hang from here on."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Release, so that no task is stuck when the loop closes."""
        self.release()
