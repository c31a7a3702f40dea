"""The same scripted service on both of gRPC's servers, each with its interceptor, for one suite of tests.

A request is a script of words, a stream of requests one script in pieces. Each word is one step and gives
one response: itself, for a word that has no meaning here.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, ClassVar, Self

import grpc
import grpc.aio

from timeouts import ExecutionTimeout, QueueFull, Stats, remaining
from timeouts.adapters.grpc import AioTimeoutInterceptor, TimeoutInterceptor

PATIENCE = 20.0
KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")


def method(kind: str) -> str:
    """Return the full name of the method of a kind."""
    return f"/test.Service/{kind}"


def poll(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "it never came to hold"
        time.sleep(0.005)


@ExecutionTimeout(1000)
def nested() -> float:
    """Tell what is left of the tightest deadline around."""
    return remaining()


class Boom(Exception):
    """The handler's own error."""


class Host:
    """A server on the loopback, and a channel to it."""

    interceptor: Any
    channel: Any
    port: int
    stops: ClassVar[bool]

    def __init__(self, interceptor: Any, *, threads: int = 16) -> None:
        self.interceptor = interceptor
        self.threads = threads
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.calls: list[Any] = []
        self.hanging = 0
        self.stack = ExitStack()
        self.release = threading.Event()

    def __enter__(self) -> Self:
        with self.stack:
            self.start()
            self.channel = self.stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{self.port}"))
            self.stack.callback(self.release.set)
            self.stack = self.stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def start(self) -> None:
        raise NotImplementedError

    def stats(self) -> Stats:
        stats: Stats = self.interceptor.server.stats()
        return stats

    def books(self) -> tuple[int, int, int]:
        stats = self.stats()
        return stats.waiting, stats.running, stats.abandoned

    def outcomes(self) -> dict[str, int]:
        return dict(self.stats().outcomes)

    def stub(self, kind: str) -> Any:
        """Return a callable that takes a script, for any kind, and gives the call."""
        multi = getattr(self.channel, kind)(method(kind))

        def call(script: str, **options: Any) -> Any:
            if kind.startswith("unary"):
                return multi(script.encode(), **options)
            return multi(iter([word.encode() for word in script.split()]), **options)

        return call

    def later(self, script: str, **options: Any) -> Any:
        """Call the unary method and return a future."""
        call = self.channel.unary_unary(method("unary_unary")).future(script.encode(), **options)
        self.calls.append(call)  # one that nobody refers to is cancelled
        return call

    def hang(self) -> Any:
        """Occupy a slot, and return when the handler hangs."""
        before = self.hanging
        call = self.later("hang")
        poll(lambda: self.hanging > before)
        return call

    def step(self, word: str, context: Any) -> str:
        if word == "boom":
            raise Boom("boom")
        if word == "full":
            raise QueueFull("as a guarded function would")
        if word == "left":
            return f"{remaining()}"
        if word == "nested":
            return f"{nested()}"
        if word == "metadata":
            context.set_trailing_metadata((("own", "kept"),))
            return str(dict(context.invocation_metadata()).get("ask"))
        if word == "large":
            return "x" * 1_000_000
        return word


class Threads(Host):
    """`grpc.server`."""

    stops = False

    def start(self) -> None:
        self.stack.enter_context(self.interceptor)
        pool = self.stack.enter_context(ThreadPoolExecutor(self.threads))
        server = grpc.server(pool, interceptors=[self.interceptor])
        server.add_generic_rpc_handlers((service(self),))
        self.port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        self.stack.callback(lambda: server.stop(0).wait(PATIENCE))

    def word(self, word: str, context: Any) -> str:
        if word == "abort":
            context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")
        if word == "hang":
            self.hanging += 1
            self.release.wait(PATIENCE)
        return self.step(word, context)

    def unary_unary(self, request: bytes, context: Any) -> bytes:
        return b" ".join(self.play(iter(request.split()), context))

    def unary_stream(self, request: bytes, context: Any) -> Iterator[bytes]:
        return self.play(iter(request.split()), context)

    def stream_unary(self, requests: Iterator[bytes], context: Any) -> bytes:
        return b" ".join(self.play(requests, context))

    def stream_stream(self, requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        return self.play(requests, context)

    def play(self, requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        try:
            for request in requests:
                self.begun.append(request.decode())
                yield self.word(request.decode(), context).encode()
        except BaseException as error:
            self.ended.append(type(error).__name__)
            raise
        self.ended.append("end")


class Tasks(Host):
    """`grpc.aio.server`, on a loop in a thread of its own."""

    stops = True
    loop: asyncio.AbstractEventLoop
    stopping: asyncio.Event

    def start(self) -> None:
        ready = threading.Event()
        thread = threading.Thread(target=lambda: asyncio.run(self.main(ready)))
        thread.start()
        self.stack.callback(thread.join, PATIENCE)
        assert ready.wait(PATIENCE)
        self.stack.callback(self.loop.call_soon_threadsafe, self.stopping.set)

    async def main(self, ready: threading.Event) -> None:
        self.loop, self.stopping = asyncio.get_running_loop(), asyncio.Event()
        async with self.interceptor:
            server = grpc.aio.server(interceptors=[self.interceptor])
            server.add_generic_rpc_handlers((service(self),))
            self.port = server.add_insecure_port("127.0.0.1:0")
            await server.start()
            ready.set()
            await self.stopping.wait()
            await server.stop(0)
        self.left = [task for task in asyncio.all_tasks() if task.get_name() == "rpc"]

    async def word(self, word: str, context: Any) -> str:
        if word == "abort":
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")
        if word == "hang":
            self.hanging += 1
            await asyncio.sleep(PATIENCE)
        return self.step(word, context)

    async def unary_unary(self, request: bytes, context: Any) -> bytes:
        return b" ".join([item async for item in self.play(_each(request.split()), context)])

    async def unary_stream(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        async for item in self.play(_each(request.split()), context):
            yield item

    async def stream_unary(self, requests: AsyncIterator[bytes], context: Any) -> bytes:
        return b" ".join([item async for item in self.play(requests, context)])

    async def stream_stream(
        self, requests: AsyncIterator[bytes], context: Any
    ) -> AsyncIterator[bytes]:
        async for item in self.play(requests, context):
            yield item

    async def play(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        try:
            async for request in requests:
                self.begun.append(request.decode())
                yield (await self.word(request.decode(), context)).encode()
        except BaseException as error:
            self.ended.append(type(error).__name__)
            raise
        self.ended.append("end")


class Writers(Tasks):
    """The same, with handlers that write their responses instead of giving them."""

    async def unary_stream(self, request: bytes, context: Any) -> None:  # type: ignore[override]
        async for item in self.play(_each(request.split()), context):
            await context.write(item)

    async def stream_stream(self, requests: Any, context: Any) -> None:  # type: ignore[override]
        async for item in self.play(requests, context):
            await context.write(item)


async def _each(words: list[bytes]) -> AsyncIterator[bytes]:
    for word in words:
        yield word


def service(host: Any) -> grpc.GenericRpcHandler:
    """Return the four methods of a host; without serializers, messages are bytes."""
    handlers = {
        kind: getattr(grpc, f"{kind}_rpc_method_handler")(getattr(host, kind)) for kind in KINDS
    }
    return grpc.method_handlers_generic_handler("test.Service", handlers)


def threads(*args: Any, threads: int = 16, **options: Any) -> Host:
    """Make a host of thread handlers under limits."""
    return Threads(TimeoutInterceptor(*args, **options), threads=threads)


def tasks(*args: Any, **options: Any) -> Host:
    """Make a host of task handlers under limits."""
    return Tasks(AioTimeoutInterceptor(*args, **options))


def writers(*args: Any, **options: Any) -> Host:
    """Make a host of task handlers that write."""
    return Writers(AioTimeoutInterceptor(*args, **options))
