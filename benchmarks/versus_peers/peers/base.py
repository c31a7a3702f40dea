"""What a row asks of a peer.

A row is a coroutine. Peers that block do so inside it and never suspend; peers that live in an event
loop run the row in theirs. So both are measured by the same lines, each in the way it is meant to be
used.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, TypeVar

T = TypeVar("T")
Handler = Callable[[Any], Any]
Caller = Callable[[], Coroutine[Any, Any, None]]

AS_LONG_AS_IT_TAKES = 60.0
CANNOT_STOP = "cannot stop a call"


class Peer:
    """A way of running a function in another process under a time limit.

    This one can do nothing; what it has are the ways of those that block.
    """

    name: ClassVar[str]
    packages: ClassVar[tuple[str, ...]] = ()  # their versions are printed
    stops: ClassVar[str] = "its worker"  # what is stopped when a call expires; "" for nothing
    rows: ClassVar[frozenset[str]] = frozenset()  # the only rows it is for; empty: all
    cannot: ClassVar[Mapping[str, str]] = {}  # row: why it cannot be measured
    share: ClassVar[float] = 1.0  # of the calls that a sample has; less where each takes long

    def run(self, main: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a row."""
        try:
            main().send(None)
        except StopIteration as done:
            result: T = done.value
            return result
        raise RuntimeError("a peer that blocks has nothing to wait for")

    async def open(
        self,
        handler: Handler,
        *,
        slots: int,
        limits: Sequence[float],
        load: Callable[[], None] | None = None,
    ) -> None:
        """Make the workers.

        Args:
            handler: what they run.
            slots: how many of them.
            limits: the limits, in seconds, that calls will have.
            load: what each worker has to do before its first call.
        """
        raise NotImplementedError

    async def call(self, x: object, limit: float) -> Any:
        """Return what the handler makes of `x`.

        Args:
            x: for the handler.
            limit: one of those that were given to `open`.

        Raises:
            TimeoutError: it took longer than `limit` seconds.
        """
        raise NotImplementedError

    async def ready(self, x: object, limit: float) -> Any:  # noqa: ARG002 - for who has it set
        """Do as `call`, however long it takes until a worker is there.

        Most peers have one limit for the call and for the start of the worker it may have to wait
        for, so this is a call with a long one. The next call will have `limit`.
        """
        return await self.call(x, AS_LONG_AS_IT_TAKES)

    async def flood(self, xs: Sequence[object], limit: float) -> None:
        """Have all these calls in flight at once, and wait for all of them."""
        raise NotImplementedError

    async def together(self, callers: Iterable[Caller]) -> None:
        """Run several callers at the same time."""
        starts = list(callers)
        with ThreadPoolExecutor(len(starts)) as threads:
            for done in [threads.submit(Peer.run, self, start) for start in starts]:
                done.result()

    async def close(self) -> None:
        """End the workers, whatever they are doing."""
        raise NotImplementedError


class LoopPeer(Peer):
    """What peers that live in an event loop share; each names its library, and that its group of tasks."""

    _library: Any

    def _group(self) -> Any:
        raise NotImplementedError

    def run(self, main: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a row in the peer's own loop."""
        result: T = self._library.run(main)
        return result

    async def flood(self, xs: Sequence[object], limit: float) -> None:
        """Have a task for each call."""
        async with self._group() as group:
            for x in xs:
                group.start_soon(self.call, x, limit)

    async def together(self, callers: Iterable[Caller]) -> None:
        """Have a task for each caller."""
        async with self._group() as group:
            for caller in callers:
                group.start_soon(caller)
